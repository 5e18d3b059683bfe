from __future__ import annotations

import re

import pytest

from invoiceapp.domain.findings import Severity, Turn
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.reports import read_report, schema_finding

SVRL = '<svrl:schematron-output xmlns:svrl="http://purl.oclc.org/dsdl/svrl">{}</svrl:schematron-output>'


def failed(text: str, attributes: str = "", kind: str = "failed-assert", location: str = "/Invoice") -> str:
    return f"<svrl:{kind} location='{location}' {attributes}><svrl:text>{text}</svrl:text></svrl:{kind}>"


def oioubl(*errors: tuple[str, str]) -> str:
    return "<Schematron>" + "".join(
        f"<Error context='x'><Pattern>p</Pattern><Description>{text}</Description><Xpath>{path}</Xpath></Error>"
        for text, path in errors
    ) + "</Schematron>"  # fmt: skip


def test_a_failed_assertion_is_a_finding_by_its_id():
    (finding,) = read_report(SVRL.format(failed("[ZZ-1]-An Invoice\n  shall have a line.", 'id="ZZ-1" flag="fatal"')))
    assert (finding.rule, finding.severity, finding.location) == ("ZZ-1", Severity.FATAL, "/Invoice")
    assert finding.text.en.endswith("The rule says: An Invoice shall have a line.")
    assert finding.text.da.startswith("Dokumentet overtræder reglen ZZ-1")


def test_warnings_are_warnings():
    (finding,) = read_report(SVRL.format(failed("Soft.", 'id="PEPPOL-X" flag="warning"')))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("text", "rule", "severity"),
    [
        ("[F-LIB187] Invalid CompanyID.", "F-LIB187", Severity.FATAL),
        ("[W-LIB011] Only one Note.", "W-LIB011", Severity.WARNING),
        ("Something without a name", "OIOUBL", Severity.FATAL),
    ],
)
@pytest.mark.parametrize("kind", ["failed-assert", "successful-report"])
def test_rules_that_are_named_in_the_text_are_found_there(text, rule, severity, kind):
    (finding,) = read_report(SVRL.format(failed(text, kind=kind)))
    assert (finding.rule, finding.severity) == (rule, severity)
    assert f"[{rule}]" not in finding.text.en


def test_the_older_danish_dialect_is_read_too():
    report = oioubl(("[F-INV051] Invalid ID.", "/Invoice/A"), ("[W-LIB011] One note.", "/Invoice/B"))
    assert [(f.rule, f.severity, f.location) for f in read_report(report)] == [
        ("F-INV051", Severity.FATAL, "/Invoice/A"), ("W-LIB011", Severity.WARNING, "/Invoice/B"),
    ]  # fmt: skip


def test_each_rule_is_told_once():
    many = SVRL.format(failed("[F-LIB1] a") * 300 + failed("[F-LIB2] b") + failed("x", 'id="BR-1"') * 2)
    assert [finding.rule for finding in read_report(many)] == ["F-LIB1", "F-LIB2", "BR-1"]
    assert len(read_report(oioubl(*[("[F-LIB1] a", "/x")] * 300))) == 1


@pytest.mark.parametrize("report", [SVRL.format(""), "<Schematron/>"])
def test_a_report_without_complaints_is_empty(report):
    assert read_report(report) == []


@pytest.mark.parametrize("answer", ["", "<html/>", "out of memory"])
def test_an_answer_that_is_no_report_never_counts_as_valid(answer):
    with pytest.raises(ValueError):
        read_report(answer)


def test_assertions_without_a_name_are_told_apart_by_their_words():
    many = SVRL.format(failed("One thing") * 2 + failed("Another thing"))
    assert [(f.rule, "thing" in f.text.en) for f in read_report(many)] == [("OIOUBL", True)] * 2
    cii = failed("One thing", location="/rsm:CrossIndustryInvoice/x")
    assert [f.rule for f in read_report(SVRL.format(cii))] == ["FACTUR-X"]


def test_the_same_place_counts_once_and_other_places_are_told():
    here, there = ("[F-LIB007] Unit.", "/Invoice/A"), ("[F-LIB007] Unit.", "/Invoice/B")
    assert "Det samme" not in read_report(oioubl(here, here))[0].text.da
    assert "Det samme gælder et sted mere." in read_report(oioubl(here, there))[0].text.da
    assert "Det samme gælder 2 andre steder." in read_report(oioubl(here, there, ("[F-LIB007] x", "/C")))[0].text.da


def test_a_schema_error_speaks_without_namespaces():
    found = schema_finding("Element '{urn:x:y}IssueDate': 'i dag' is not a valid date.", 2, "/Invoice/IssueDate")
    assert (found.rule, found.turn, found.is_fatal, found.location) == (
        "XSD",
        Turn.OPERATOR,
        True,
        "/Invoice/IssueDate",
    )
    assert "(linje 2 i filen)" in found.text.da
    assert "Element 'IssueDate': 'i dag' is not a valid date." in found.text.en


#: Format, type, what is broken in the document, the rule that complains, and what its text says of the document.
BROKEN = [
    (
        "peppol-bis-3",
        "invoice",
        (r"<cbc:IssueDate>.*?<", "<cbc:IssueDate>2026-11-02Z<"),
        "PEPPOL-EN16931-F001",
        "»2026-11-02Z«",
    ),
    ("peppol-bis-3", "invoice", (r'currencyID="DKK">450', 'currencyID="EUR">450'), "PEPPOL-EN16931-R051", "»EUR«"),
    ("peppol-bis-3", "invoice", (r"(<cbc:InvoiceTypeCode>)380", r"\g<1>326"), "PEPPOL-EN16931-P0112", "»326«"),
    ("peppol-bis-3", "credit_note", (r"(<cbc:CreditNoteTypeCode>)381", r"\g<1>380"), "PEPPOL-EN16931-P0101", "»380«"),
    (
        "peppol-bis-3",
        "invoice",
        (r"(<cac:ClassifiedTaxCategory>.*?</cac:ClassifiedTaxCategory>)", r"\1\1"),
        "UBL-SR-48",
        "Linje 1 »Reparation« skal have netop én momskategori, men har 2. Det samme gælder linje 2.",
    ),
    (
        "peppol-bis-3",
        "invoice",
        (r"<cbc:InvoicedQuantity.*?</cbc:InvoicedQuantity>", ""),
        "BR-22",
        "Linje 1 »Reparation«",
    ),
    (
        "peppol-bis-3",
        "invoice",
        (r"<cac:PostalAddress>.*?</cac:PostalAddress>", ""),
        "BR-10",
        "Adressen på Skolen mangler",
    ),
    ("oioubl-2.1", "invoice", ("StructuredLax", "StructuredDK"), "F-LIB035", "jeres adresse: Lillestræde 4."),
    ("oioubl-2.1", "invoice", (">StandardRated<", ">Foo<"), "F-LIB309", "»Foo«"),
    ("oioubl-2.1", "invoice", ("(<cbc:InvoicedQuantity) unitCode=.HUR.", r"\1"), "F-LIB007", "Linje 1 »Reparation«"),
    ("oioubl-2.1", "invoice", (r"<cac:Price>.*?</cac:Price>", ""), "F-INV139", "linje 2"),
    ("oioubl-2.1", "invoice", (">DK:BANK<", ">IBAN<"), "F-LIB128", "»IBAN«"),
    ("oioubl-2.1", "credit_note", (r"<cac:Contact>.*?</cac:Contact>", ""), "F-CRN042", "hos Skolen"),
]


@pytest.mark.parametrize(("format_id", "type_name", "change", "rule", "text"), BROKEN, ids=[row[3] for row in BROKEN])
def test_the_official_rules_places_are_found_and_their_values_are_said(
    make_invoice, official, format_id, type_name, change, rule, text
):
    fmt, kind = formats()[format_id], DocumentType[type_name.upper()]
    written = fmt.write(make_invoice(type=kind)).decode()
    broken = re.sub(*change, written, flags=re.DOTALL)
    assert broken != written
    found = {finding.rule: finding for finding in official.validate(broken.encode(), fmt, kind).findings}
    assert text in found[rule].text.da
