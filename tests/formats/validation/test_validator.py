from __future__ import annotations

import pytest

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation import validator as module
from invoiceapp.formats.validation.catalogue import find_rule_set
from invoiceapp.formats.validation.validator import Validator, detect, parse_xml

PEPPOL, OIOUBL, PDF = formats()["peppol-bis-3"], formats()["oioubl-2.1"], formats()["pdf"]
ALL = list(formats().values())
INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"


def refused(content: bytes) -> Finding:
    found = parse_xml(content)
    assert isinstance(found, Finding)
    assert found.rule == "XML"
    assert found.is_fatal
    assert found.text.da and found.text.en
    return found


ENTITIES = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 9))
BILLION_LAUGHS = f'<!DOCTYPE r [<!ENTITY a0 "ha">{ENTITIES}]><r>&a8;</r>'


@pytest.mark.parametrize(
    "content",
    [
        b"", b" ", b"invoice", b"{}", b"<a>", b"<a></b>", b"\xff\xfe", b"%PDF-1.7", b"<a>\x00</a>", b"<a/><b/>",
        b"<?xml version='1.0' encoding='klingon'?><a/>", b"<a>&unknown;</a>", "<a>æ</a>".encode("latin-1"),
        b"<a>" * 100_000, b"<a>" * 300 + b"</a>" * 300,
    ],
)  # fmt: skip
def test_what_is_no_xml_is_refused(content):
    assert "XML" in refused(content).text.en


@pytest.mark.parametrize("where", ["", "<!-- padding -->" * 400_000])
def test_a_billion_laughs_are_refused_at_once(where):
    refused((BILLION_LAUGHS + where).encode())


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE Invoice>",
        '<!DOCTYPE Invoice SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE Invoice [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Invoice [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    ],
)
@pytest.mark.parametrize("body", [f"<Invoice xmlns='{INVOICE}'/>", f"<Invoice xmlns='{INVOICE}'>&x;</Invoice>"])
def test_a_doctype_is_refused_and_nothing_is_read(doctype, body):
    finding = refused((doctype + body).encode())
    assert "root:" not in str(finding)


def test_a_file_beyond_the_limit_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_DOCUMENT", 10)
    assert refused(b"<a>123456789</a>").text.en == "The file is too large."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html/>", "neither"),
        (b"<Invoice/>", "neither"),
        (b"<Order xmlns='urn:oasis:names:specification:ubl:schema:xsd:Order-2'/>", "neither"),
        (b"junk", "XML"),
    ],
)
def test_documents_of_other_kinds_are_told_apart(content, reason):
    found = detect(content, ALL)
    assert isinstance(found, Finding)
    assert reason in found.text.en


@pytest.mark.parametrize("fmt", [PEPPOL, OIOUBL])
@pytest.mark.parametrize("document_type", DocumentType)
def test_format_and_type_are_recognised(make_invoice, fmt, document_type):
    assert detect(fmt.write(make_invoice(type=document_type)), ALL) == (fmt, document_type)


def test_a_good_document_names_the_rules_that_judged_it(invoice, validator):
    report = validator.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE)
    assert report.findings == ()
    assert [rule_set.name for rule_set in report.rule_sets] == ["en16931-ubl"]
    assert all(rule_set.version and len(rule_set.sha256) == 64 for rule_set in report.rule_sets)


@pytest.mark.parametrize(("fmt", "missing"), [(PEPPOL, ("peppol-ubl",)), (OIOUBL, ("oioubl-invoice",))])
def test_a_rule_set_that_is_not_installed_is_reported(invoice, validator, fmt, missing):
    report = validator.validate(fmt.write(invoice), fmt, DocumentType.INVOICE)
    assert report.missing == missing
    assert not report.is_complete


def test_a_document_against_the_schema_is_told_with_its_line(invoice, validator):
    content = PEPPOL.write(invoice).replace(b"<cbc:IssueDate>2026-11-02<", b"<cbc:IssueDate>i dag<")
    (finding,) = validator.validate(content, PEPPOL, DocumentType.INVOICE).findings
    assert (finding.rule, finding.is_fatal) == ("XSD", True)
    assert "i dag" in finding.text.en
    assert "linje 2" in finding.text.da


def test_a_rule_that_is_broken_is_told_by_its_official_name(invoice, validator):
    content = PEPPOL.write(invoice).replace(b">1229.16</cbc:PayableAmount>", b">1229.17</cbc:PayableAmount>")
    (finding,) = validator.validate(content, PEPPOL, DocumentType.INVOICE).findings
    assert (finding.rule, finding.is_fatal) == ("BR-CO-16", True)


def test_one_cause_on_many_lines_is_one_finding(invoice, validator):
    content = (
        PEPPOL.write(invoice)
        .replace(b"unitCode", b"unitCodeListID='x' unitCode")
        .replace(b'unitCode="', b'unitCode="Q')
    )
    report = validator.validate(content, PEPPOL, DocumentType.INVOICE)
    assert [finding.rule for finding in report.findings].count("BR-CL-23") == 1


def test_entities_in_a_document_never_reach_the_rules(invoice, validator):
    content = b'<!DOCTYPE Invoice [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + PEPPOL.write(invoice).split(b"\n", 1)[1]
    (finding,) = validator.validate(content, PEPPOL, DocumentType.INVOICE).findings
    assert finding.rule == "XML"


def test_formats_without_official_rules_have_nothing_to_say(validator):
    assert validator.validate(b"%PDF", PDF, DocumentType.INVOICE).findings == ()


def test_the_newest_edition_of_a_pack_is_used(tmp_path):
    for version in ("2026.5", "2026.11", "2025.12"):
        folder = tmp_path / "peppol" / version
        folder.mkdir(parents=True)
        (folder / "PEPPOL-EN16931-UBL.xslt").write_text("<x/>")
    (tmp_path / "peppol" / "2027.1").mkdir()
    found = find_rule_set("peppol-ubl", tmp_path)
    assert found is not None
    assert found.version == "2026.11"


@pytest.mark.parametrize("name", ["peppol-ubl", "oioubl-invoice", "oioubl-credit-note"])
def test_packs_that_are_not_there_are_none(tmp_path, name):
    assert find_rule_set(name, tmp_path) is None
    assert find_rule_set(name, None) is None


def test_all_rules_can_be_compiled_beforehand(invoice):
    own = Validator(None)
    own.warm([PEPPOL])
    assert own.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE).findings == ()
