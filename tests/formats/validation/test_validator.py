from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from support.rulepacks import PEPPOL as PEPPOL_SHEETS
from support.rulepacks import folder, sheet

from invoiceapp.domain.findings import Finding, Text, has_fatal
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation import catalogue, installer, packs
from invoiceapp.formats.validation import validator as module
from invoiceapp.formats.validation.validator import Validator, detect, parse_xml

PEPPOL, OIOUBL, PDF = formats()["peppol-bis-3"], formats()["oioubl-2.1"], formats()["pdf"]
ALL = list(formats().values())
UBL = [PEPPOL, OIOUBL]
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


class Clock:
    """A day and seconds that the test moves."""

    def __init__(self, day: str) -> None:
        self.day, self.seconds = date.fromisoformat(day), 0.0

    def judge(self, validator: Validator, content: bytes) -> tuple[list[str], list[str]]:
        """Broken rules, and versions that were asked."""
        report = validator.validate(content, PEPPOL, DocumentType.INVOICE)
        return [finding.rule for finding in report.findings], [rule_set.version for rule_set in report.rule_sets]


@pytest.fixture
def clock() -> Clock:
    return Clock("2027-02-14")


@pytest.fixture
def add(tmp_path):
    """``add(version, start, rule)``: an edition of Peppol in which every document breaks ``rule``."""

    def make(version: str, start: date, rule: str, **options) -> None:
        source = folder(tmp_path / "source" / version, PEPPOL_SHEETS)
        (source / "PEPPOL-EN16931-UBL.xslt").write_bytes(sheet(rule, "true()"))
        request = installer.Request(source, valid_from=start, **options)
        installer.add(request, tmp_path / "rules", datetime.now(UTC), date.today())

    return make


@pytest.fixture
def worker(tmp_path, clock) -> Validator:
    """A validator that lives long."""
    return Validator(tmp_path / "rules", today=lambda: clock.day, ticks=lambda: clock.seconds)


def test_at_midnight_the_next_edition_takes_over_without_a_restart(worker, clock, add, invoice):
    content = PEPPOL.write(invoice)
    add("2026.5", date(2026, 8, 17), "OLD")
    add("2026.11", date(2027, 2, 15), "NEW")
    assert clock.judge(worker, content) == (["OLD"], ["Peppol 2026.5", "2026.5"])
    clock.day = date(2027, 2, 15)
    assert clock.judge(worker, content) == (["NEW"], ["Peppol 2026.11", "2026.11"])
    assert len(worker._executables) == 2, "the old sheets are dropped"


def test_a_document_can_be_judged_by_the_rules_of_another_day(worker, add, invoice):
    add("2026.5", date(2026, 8, 17), "OLD")
    add("2026.11", date(2027, 2, 15), "NEW")
    report = worker.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE, on=date(2027, 3, 1))
    assert [finding.rule for finding in report.findings] == ["NEW"]


def test_an_edition_that_is_added_is_noticed_within_a_minute(worker, clock, add, invoice):
    content = PEPPOL.write(invoice)
    assert "peppol-ubl" in worker.validate(content, PEPPOL, DocumentType.INVOICE).missing
    add("2026.5", date(2026, 8, 17), "A")
    clock.seconds += 30
    assert clock.judge(worker, content)[0] == []
    clock.seconds += 30
    assert clock.judge(worker, content)[0] == ["A"]
    add("2026.5", date(2026, 8, 17), "B", replace=True)
    clock.seconds += 60
    assert clock.judge(worker, content)[0] == ["B"]


def test_sheets_are_compiled_once_while_nothing_changes(worker, clock, add, invoice, monkeypatch):
    add("2026.5", date(2026, 8, 17), "A")
    compiled = []
    compile_sheet = Validator._compile
    monkeypatch.setattr(
        Validator,
        "_compile",
        lambda self, found, content: compiled.append(found.path) or compile_sheet(self, found, content),
    )
    for _ in range(3):
        clock.judge(worker, PEPPOL.write(invoice))
        clock.seconds += 61
        clock.day += timedelta(days=1)
    assert [path.name for path in compiled] == ["CEN-EN16931-UBL.xslt", "PEPPOL-EN16931-UBL.xslt"]


def test_a_pinned_edition_judges_whatever_its_dates(tmp_path, add, clock, invoice):
    add("2026.5", date(2026, 8, 17), "OLD")
    add("2026.11", date(2030, 1, 1), "NEW")
    trying = Validator(tmp_path / "rules", today=lambda: clock.day, pinned=("peppol", "2026.11"))
    assert clock.judge(trying, PEPPOL.write(invoice)) == (["NEW"], ["Peppol 2026.11", "2026.11"])


@pytest.mark.parametrize(("code", "document_type"), [("380", "invoice"), ("381", "credit-note"), ("", "invoice")])
def test_cii_is_recognised_by_its_root_and_type_code(code, document_type):
    content = (
        '<r:CrossIndustryInvoice xmlns:r="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:a="urn:un:'
        'unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"><r:ExchangedDocument>'
        f"<a:TypeCode>{code}</a:TypeCode></r:ExchangedDocument></r:CrossIndustryInvoice>"
    ).encode()
    cii = replace(PDF, id="cii")
    kind = DocumentType.CREDIT_NOTE if document_type == "credit-note" else DocumentType.INVOICE
    assert detect(content, [*UBL, cii]) == (cii, kind)
    envelope = replace(PDF, id="facturx", payload=lambda _: content)
    assert detect(b"%PDF-1.7", [*UBL, cii, envelope]) == (envelope, kind)


def test_a_pdf_without_an_invoice_in_it_is_told_in_words():
    def payload(content: bytes) -> bytes:
        raise Unreadable(Text("Intet.", "Nothing inside."))

    found = detect(b"%PDF-1.7", [*UBL, replace(PDF, id="facturx", payload=payload)])
    assert isinstance(found, Finding)
    assert found.text.en == "Nothing inside."


def test_all_rules_can_be_compiled_beforehand(invoice):
    own = Validator(None)
    own.warm([PEPPOL])
    assert own.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE).findings == ()


def test_what_is_recorded_is_the_sheet_that_was_compiled(worker, tmp_path, invoice):
    there = folder(tmp_path / "rules" / "peppol" / "2026.5", PEPPOL_SHEETS)
    slot = catalogue.Slot("peppol-ubl", "peppol")
    worker._refresh(worker.today())
    worker._rule_sets[slot] = worker._find(slot)
    later = sheet("LATER", "true()")
    (there / "PEPPOL-EN16931-UBL.xslt").write_bytes(later)
    report = worker.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE)
    assert [finding.rule for finding in report.findings] == ["LATER"]
    assert report.rule_sets[-1].sha256 == packs.sha256_of(later)


LOOKED_UP = "function-lookup(QName('http://www.w3.org/2005/xpath-functions', 'unparsed-text'), 1)"


@pytest.mark.parametrize("read", ["unparsed-text('{0}')", LOOKED_UP + "('{0}')", "string(doc('{0}'))"])
def test_a_sheet_in_rules_dir_cannot_read_files_even_if_it_was_put_there_by_hand(worker, tmp_path, invoice, read):
    secret = tmp_path / "secret.xml"
    secret.write_text("<a>secret</a>")
    there = folder(tmp_path / "rules" / "peppol" / "2026.5", PEPPOL_SHEETS)
    content = sheet("READ", f"contains({read.format(secret.as_uri())}, 'secret')").replace(b'"2.0"', b'"3.0"')
    (there / "PEPPOL-EN16931-UBL.xslt").write_bytes(content)
    with pytest.raises(Exception, match=r"secret\.xml"):
        worker.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE)


def test_the_bundled_sheet_that_reads_a_code_list_beside_itself_still_does(invoice):
    own = Validator(None)
    cii = formats()["cii"]
    content = cii.write(invoice)
    assert not has_fatal(own.validate(content, cii, DocumentType.INVOICE).findings)
    unknown = content.replace(b">DKK</ram:InvoiceCurrencyCode>", b">QQQ</ram:InvoiceCurrencyCode>")
    assert unknown != content
    assert has_fatal(own.validate(unknown, cii, DocumentType.INVOICE).findings)
    # Both kinds of engine live in one process.
    assert own.validate(PEPPOL.write(invoice), PEPPOL, DocumentType.INVOICE).findings == ()
