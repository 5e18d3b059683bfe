"""Saxon for Java reads the same style sheets: it must say of our documents what SaxonC says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lxml import etree

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.findings import has_fatal
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.reports import read_report
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.sources.base import UnusableBundle
from invoiceapp.sources.billy.mapping import convert

SAMPLE = 40
CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"


def without(name: str, root: etree._Element) -> None:
    for element in list(root.iter(name)):
        element.getparent().remove(element)


def with_text(name: str, text: str, root: etree._Element) -> None:
    for element in root.iter(name):
        element.text = text


#: What spoils a document, so that the engines have something to agree on.
SPOILERS = (
    lambda root: None,
    lambda root: without(f"{CBC}EndpointID", root),
    lambda root: with_text(f"{CBC}PayableAmount", "1.00", root),
    lambda root: without(f"{CAC}TaxTotal", root),
    lambda root: with_text(f"{CBC}IdentificationCode", "XX", root),
    lambda root: with_text(f"{CBC}CompanyID", "DK1", root),
    lambda root: without(f"{CAC}PaymentMeans", root),
    lambda root: with_text(f"{CBC}Percent", "24", root),
)


def sample(company: Company, fmt: Format) -> list[tuple[DocumentType, bytes]]:
    """Documents of both types, each spoilt in another way."""
    found: list[tuple[DocumentType, bytes]] = []
    for key in company.tables["invoices"]:
        try:
            invoice = convert(company.bundle(key), Settings()).invoice
        except UnusableBundle:
            continue
        if invoice is None or has_fatal(fmt.check(invoice)):
            continue
        root = etree.fromstring(fmt.write(invoice))
        SPOILERS[len(found) % len(SPOILERS)](root)
        found.append((invoice.type, etree.tostring(root)))
    invoices = [item for item in found if item[0] is DocumentType.INVOICE][: SAMPLE // 2]
    return invoices + [item for item in found if item[0] is DocumentType.CREDIT_NOTE][: SAMPLE // 2]


def java(jar: Path, sheet: Path, folder: Path, documents: list[bytes]) -> list[set[tuple[str, str]]]:
    """What the other engine says of each document."""
    source, output = folder / "in", folder / "out"
    source.mkdir(parents=True)
    output.mkdir()
    for number, content in enumerate(documents):
        (source / f"{number:03}.xml").write_bytes(content)
    command = [
        "java", "-cp", str(jar), "net.sf.saxon.Transform", f"-s:{source}", f"-o:{output}", f"-xsl:{sheet}", "-warnings:silent",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return [verdict((output / f"{number:03}.xml").read_text()) for number in range(len(documents))]


def verdict(report: str) -> set[tuple[str, str]]:
    return {(finding.rule, finding.severity.value) for finding in read_report(report)}


@pytest.mark.parametrize("format_id", ["peppol-bis-3", "oioubl-2.1"])
def test_two_engines_say_the_same(official: Validator, saxon_jar: Path, company, tmp_path: Path, format_id: str):
    fmt = formats()[format_id]
    documents = sample(company, fmt)
    assert len(documents) >= SAMPLE // 2 + 5
    complaints = 0
    for kind in DocumentType:
        contents = [content for document_type, content in documents if document_type is kind]
        for name in fmt.schemas[kind].rules:
            report = official.judge(etree.fromstring(contents[0]), (name,))
            (rule_set,) = report.rule_sets
            theirs = java(saxon_jar, rule_set.path, tmp_path / f"{kind}-{name}", contents)
            ours = [
                {(f.rule, f.severity.value) for f in official.judge(etree.fromstring(content), (name,)).findings}
                for content in contents
            ]
            assert ours == theirs
            complaints += sum(len(found) for found in ours)
    assert complaints > 20
