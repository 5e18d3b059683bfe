"""What the built-in rules say, and that the book, the declarations and the mutations cover every one of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from invoiceapp.domain.findings import Finding, Severity
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import GROUPS, fields_of
from invoiceapp.formats.base import Parameters
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation import builtin
from invoiceapp.formats.validation.book import entries
from invoiceapp.formats.validation.builtin.checks import declared
from tests.formats.validation.documents import BASES, build, document, endpoint, line, untaxed
from tests.formats.validation.mutations import MUTATIONS

check_peppol, check_oioubl = (formats()[name].check for name in ("peppol-bis-3", "oioubl-2.1"))
CHECKS = (builtin.check_peppol, builtin.check_oioubl, builtin.check_en16931, builtin.check_readable)
DOCUMENT_CHECKS = dict.fromkeys((*builtin.EN16931, *builtin.PEPPOL, *builtin.OIOUBL))
LINE_CHECKS = dict.fromkeys((*builtin.EN16931_LINES, *builtin.PEPPOL_LINES, *builtin.OIOUBL_LINES))
#: What ``fix`` may name beside settings.
SOURCES = {"source.invoice", "source.contact", "source.organization", "vat", "customer.format"}
FIXES = SOURCES | {f"{group}.{field.name}" for group in GROUPS for field in fields_of(group)}


def everything_found() -> list[tuple[str, Finding]]:
    """Every finding of every check about every mutation, with the mutation's name."""
    return [
        (mutation.name, finding)
        for mutation in MUTATIONS
        for document_type in DocumentType
        for check in CHECKS
        for finding in check(mutation.change(document(mutation.base, document_type)), Parameters())
    ]


@pytest.fixture(scope="module")
def found() -> list[tuple[str, Finding]]:
    return everything_found()


def test_every_rule_is_explained_in_both_languages():
    explained = entries()
    assert explained.keys() >= builtin.RULES
    assert all(explained[rule].text.da != explained[rule].text.en for rule in builtin.RULES)


def test_every_rule_is_triggered_by_some_mutation(found):
    assert {finding.rule for _, finding in found} == builtin.RULES


def test_every_finding_names_turn_term_and_field_to_mend(found):
    without_a_field = {"PEPPOL-EN16931-R005", "F-INV018", "F-CRN013"}  # nobody but the operator can mend these
    for name, finding in found:
        assert finding.turn, name
        assert finding.term, (name, finding)
        if finding.rule not in without_a_field:
            assert finding.fix in FIXES, (name, finding)


def test_no_text_has_holes_or_words_of_machines(found):
    for name, finding in found:
        for text in (finding.text.da, finding.text.en):
            assert "{" not in text, (name, text)
            assert "None" not in text, (name, text)
            assert "XML" not in text, (name, text)
            assert "[" not in text, (name, text)
            assert "  " not in text, (name, text)
            assert text[0].isupper(), (name, text)


def test_each_rule_and_cause_is_told_once(found):
    for mutation in MUTATIONS:
        for check in CHECKS:
            told = [
                (finding.rule, finding.term, finding.text.da)
                for finding in check(mutation.change(document(mutation.base, DocumentType.INVOICE)), Parameters())
            ]
            assert len(told) == len(set(told)), mutation.name


@pytest.mark.parametrize(
    "check", DOCUMENT_CHECKS, ids=lambda check: f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
)
def test_a_check_reports_only_what_it_declares(check):
    for mutation in MUTATIONS:
        for document_type in DocumentType:
            problems = check(mutation.change(document(mutation.base, document_type)))
            assert {problem.rule for problem in problems} <= declared(check)


@pytest.mark.parametrize(
    "check", LINE_CHECKS, ids=lambda check: f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
)
def test_a_check_of_lines_reports_only_what_it_declares(check):
    for mutation in MUTATIONS:
        for document_type in DocumentType:
            invoice = mutation.change(document(mutation.base, document_type))
            problems = [problem for found in invoice.lines for problem in check(found, invoice)]
            assert {problem.rule for problem in problems} <= declared(check)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_valid_document_has_no_finding_at_all(base, check):
    assert [check(document(base, document_type), Parameters()) for document_type in DocumentType] == [[], []]


def test_many_lines_with_one_problem_are_one_finding_that_counts_them():
    invoice = build(tuple(replace(found, unit="stk") for found in build().lines))
    (finding,) = check_peppol(invoice)
    assert finding.rule == "BR-CL-23"
    assert finding.location == "BG-25[1] (+2)"
    assert "linje 1 (og 2 andre linjer)" in finding.text.da
    assert "line 1 (and 2 other lines)" in finding.text.en


def test_lines_with_different_causes_are_different_findings():
    lines = tuple(replace(found, unit=unit) for found, unit in zip(build().lines, ("stk", "EA", "kasse"), strict=True))
    found = check_peppol(build(lines))
    assert [(finding.rule, finding.location) for finding in found] == [
        ("BR-CL-23", "BG-25[1]"),
        ("BR-CL-23", "BG-25[3]"),
    ]


def test_a_text_names_the_values_and_whose_they_are():
    (finding,) = check_peppol(endpoint("0088", "5798009811579")(build()))
    assert "5798009811579" in finding.text.da
    assert "kundens" in finding.text.da
    assert (finding.term, finding.fix) == ("BT-49", "customer.endpoint")


def test_of_two_vat_numbers_the_missing_one_is_to_be_mended(found):
    fixes = {(f.rule, f.term, f.fix) for _, f in found if f.rule in ("BR-AE-02", "BR-IC-02")}
    assert fixes == {
        (rule, term, fix)
        for rule in ("BR-AE-02", "BR-IC-02")
        for term, fix in (("BT-31", "supplier.vatNumber"), ("BT-48", "customer.vatNumber"))
    }


def test_a_format_that_cannot_carry_the_document_is_to_be_changed(found):
    fixes = {(f.fix, f.turn.value) for _, f in found if f.rule in ("F-INV016", "F-CRN011", "F-LIB179")}
    assert fixes == {("customer.format", "here")}


def test_blank_fields_and_wrong_characters_are_told_with_field_and_line():
    blank = check_peppol(line(item=replace(build().lines[0].item, description=" "))(build()))[0]
    assert blank.text.da.startswith("Et felt (varens beskrivelse) på linje 1 er tomt")
    wrong = check_peppol(replace(build(), note="a\x01b"))[0]
    assert "(noten) har tegn, som ikke kan stå i en e-faktura" in wrong.text.da
    assert "(the note) has characters" in wrong.text.en


def test_amounts_stand_as_each_language_writes_them():
    (finding,) = check_peppol(line(net_amount=Decimal("1234.50"))(build()))[-1:]
    assert finding.rule == "PEPPOL-EN16931-R120"
    assert "1.234,50" in finding.text.da
    assert "1234.50" in finding.text.en


def test_a_wrong_check_digit_of_a_registered_number_is_only_a_warning():
    seller = replace(build().seller, legal_id="12345675")
    for check in (check_peppol, check_oioubl):
        (finding,) = check(build(seller=seller))
        assert (finding.rule, finding.severity) == ("IA-CVR", Severity.WARNING)


def test_a_document_for_people_needs_no_electronic_address():
    invoice = build()
    invoice = replace(
        invoice,
        seller=replace(invoice.seller, endpoint=None),
        buyer=replace(invoice.buyer, endpoint=None),
        buyer_reference=None,
    )
    assert builtin.check_readable(invoice, Parameters()) == []
    assert builtin.check_en16931(invoice, Parameters()) == []


def test_peppol_is_narrower_about_addresses_than_en_16931():
    invoice = endpoint("EM", "a@b.example")(build())
    assert builtin.check_en16931(invoice, Parameters()) == []
    assert [finding.rule for finding in check_peppol(invoice)] == ["PEPPOL-EN16931-CL008"]


def test_outside_the_scope_of_vat_nobody_needs_a_vat_number():
    invoice = build(tuple(replace(found, vat=untaxed(found.vat.category.OUTSIDE_SCOPE)) for found in build().lines))
    without = replace(invoice, seller=replace(invoice.seller, vat_id=None))
    assert check_peppol(without) == []


def test_foreign_sellers_need_no_danish_number():
    invoice = build()
    abroad = replace(
        invoice.seller, legal_id=None, legal_scheme=None, address=replace(invoice.seller.address, country="SE")
    )
    assert check_peppol(replace(invoice, seller=abroad)) == []


@pytest.mark.parametrize(
    ("scheme", "right", "wrong"),
    [
        ("0088", "5798009811578", "5798009811579"),
        ("0184", "12345674", "1234567"),
        ("0096", "1012345678", "101234567"),
        ("0198", "DK12345674", "12345674"),
        ("0007", "5560360793", "5560360794"),
        ("0192", "974760673", "974760674"),
        ("0208", "0202239951", "0202239952"),
        ("0151", "51824753556", "51824753557"),
    ],
)
def test_numbers_are_checked_by_the_form_of_their_scheme(scheme, right, wrong):
    from invoiceapp.formats.validation.builtin.identifiers import form_rule

    assert form_rule(Participant(scheme, right)) is None
    assert (form_rule(Participant(scheme, wrong)) or "").startswith("PEPPOL-COMMON-R0")
