"""The faster sheet says what the official one says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saxonche import PySaxonProcessor

from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.reports import read_report
from invoiceapp.formats.validation.sheets import compact, stands_alone

HEAD = (
    '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:svrl="http://purl.oclc.org/dsdl/svrl" '
    'xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" '
    'xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2" '
    'xmlns:doc="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">'
)
ON = '<xsl:apply-templates mode="M1" select="*|comment()|processing-instruction()"/>'


def rule(match: str, test: str, name: str, onwards: str = ON, priority: int = 1000) -> str:
    return (
        f'<xsl:template match="{match}" mode="M1" priority="{priority}"><svrl:fired-rule context="{match}"/>'
        f'<xsl:if test="not({test})"><svrl:failed-assert id="{name}" flag="fatal"><xsl:attribute name="location">/*</xsl:attribute>'
        f"<svrl:text>{name}</svrl:text></svrl:failed-assert></xsl:if>{onwards}</xsl:template>"
    )


def sheet(*rules: str) -> str:
    return (
        f'{HEAD}<xsl:template match="/"><svrl:schematron-output><svrl:active-pattern id="p"><xsl:apply-templates/>'
        '</svrl:active-pattern><xsl:apply-templates mode="M1" select="/"/></svrl:schematron-output></xsl:template>'
        '<xsl:template match="text()"/>'
        f'{"".join(rules)}<xsl:template match="text()" mode="M1" priority="-1"/>'
        f'<xsl:template match="@*|node()" mode="M1" priority="-2">{ON}</xsl:template></xsl:stylesheet>'
    )


LINE = rule("doc:Invoice/cac:InvoiceLine", "cbc:ID", "LINE")
ITEM = rule("doc:Invoice/cac:InvoiceLine/cac:Item", "cbc:Name", "ITEM", priority=999)


@pytest.fixture(scope="module")
def saxon():
    return PySaxonProcessor(license=False)


def report(saxon, path: Path, document: str) -> str:
    executable = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))
    return str(executable.transform_to_string(xdm_node=saxon.parse_xml(xml_text=document)))


def both(saxon, folder: Path, text: str, document: str) -> tuple[str, str]:
    """The reports of a sheet and of its faster twin."""
    original, faster = folder / "original.xslt", folder / "faster.xslt"
    original.write_text(text)
    faster.write_bytes(compact(original))
    return report(saxon, original, document), report(saxon, faster, document)


@pytest.fixture
def document(invoice) -> str:
    content = formats()["peppol-bis-3"].write(invoice).decode().split("\n", 1)[1]
    return content.replace("<cbc:Name>Reservedel</cbc:Name>", "").replace(
        "<cac:InvoiceLine><cbc:ID>1</cbc:ID>", "<cac:InvoiceLine>"
    )


def test_the_same_rules_speak_and_the_report_is_shorter(saxon, tmp_path, document):
    before, after = both(saxon, tmp_path, sheet(LINE, ITEM), document)
    assert [finding.rule for finding in read_report(before)] == ["LINE", "ITEM"]
    assert read_report(after) == read_report(before)
    assert "fired-rule" in before and "fired-rule" not in after


def test_a_pattern_of_plain_paths_starts_at_its_elements(tmp_path):
    (tmp_path / "s.xslt").write_text(sheet(LINE, ITEM))
    written = compact(tmp_path / "s.xslt").decode()
    assert '<xsl:variable name="every-doc-Invoice" select="//doc:Invoice"/>' in written
    assert 'select="$every-doc-Invoice/cac:InvoiceLine | $every-doc-Invoice/cac:InvoiceLine/cac:Item"' in written
    # Only the walk of the default template is left.
    assert written.count('select="*|comment()|processing-instruction()"') == 1


def test_a_document_inside_a_document_is_judged_too(saxon, tmp_path, document):
    nested = document.replace("</Invoice>", f"<cac:Extension>{document}</cac:Extension></Invoice>", 1)
    nested = nested.replace("<cac:InvoiceLine>", "<cac:InvoiceLine><cbc:ID>1</cbc:ID>", 1)
    before, after = both(saxon, tmp_path, sheet(LINE, ITEM), nested)
    assert {finding.rule for finding in read_report(before)} == {"LINE", "ITEM"}
    assert after.count("failed-assert") == before.count("failed-assert") > 4
    assert read_report(after) == read_report(before)


@pytest.mark.parametrize(
    "odd",
    [
        rule("cac:Item", "cbc:Name", "ITEM"),
        rule("//cac:Item", "cbc:Name", "ITEM"),
        rule("doc:Invoice/cac:InvoiceLine[cbc:ID]/cac:Item", "cbc:Name", "ITEM"),
        rule("doc:Invoice/*", "cbc:ID", "ANY", priority=900),
        rule("/", "doc:Order", "ROOT"),
    ],
)
def test_a_pattern_with_any_other_context_keeps_its_walk(saxon, tmp_path, document, odd):
    before, after = both(saxon, tmp_path, sheet(LINE, odd), document)
    assert 'select="/"' in (tmp_path / "faster.xslt").read_text()
    assert len(read_report(before)) == 2
    assert read_report(after) == read_report(before)


def test_a_rule_that_hides_what_lies_below_it_still_hides_it(saxon, tmp_path, document):
    hiding = rule("doc:Invoice/cac:InvoiceLine", "cbc:ID", "LINE", onwards="")
    before, after = both(saxon, tmp_path, sheet(hiding, ITEM), document)
    assert [finding.rule for finding in read_report(before)] == ["LINE"]
    assert read_report(after) == read_report(before)


@pytest.mark.parametrize("call", ["document('codes.xml')", "doc('codes.xml')", "unparsed-text('codes.txt')"])
def test_a_sheet_that_reads_files_does_not_stand_alone(call):
    assert not stands_alone(sheet(rule("doc:Invoice", call, "CODE")).encode())
    assert stands_alone(sheet(LINE).encode())


@pytest.mark.parametrize("format_id", ["peppol-bis-3", "oioubl-2.1"])
def test_the_official_sheets_are_compacted_and_say_the_same(saxon, tmp_path, invoice, format_id):
    folder = os.environ.get("TEST_RULES_DIR")
    if not folder:
        pytest.skip("no official rule packs")
    name = {"peppol-bis-3": "PEPPOL-EN16931-UBL.xslt", "oioubl-2.1": "OIOUBL_Invoice_Schematron.xslt"}[format_id]
    path = max(Path(folder).glob(f"*/*/{name}"))
    good = formats()[format_id].write(invoice).decode().split("\n", 1)[1]
    faster = tmp_path / "faster.xslt"
    faster.write_bytes(compact(path))
    for text in (good, good.replace("DKK", "XXX"), good.replace(">25<", ">24<")):
        assert read_report(report(saxon, faster, text)) == read_report(report(saxon, path, text))
