from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.models import Stage, db
from invoiceapp.services.configuration import change_preview, saving
from invoiceapp.services.configuration.change_preview import Row, compared


@pytest.fixture(scope="module")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


@pytest.fixture
def make_real(make_customer, make_document, company):
    """``make_real(name, case, format=…)``: a customer with a real document, and the document."""

    def make(name: str, case: str = "mixed_rates", settings=None, issue_date=date(2026, 11, 2), **columns):
        customer = make_customer(name, **columns)
        if settings:
            customer.rule.settings = settings
            db.session.commit()
        document = make_document(
            customer, f"{name}-1", bundle=company.bundle(company.hard_cases[case]), issue_date=issue_date
        )
        return customer, document

    return make


def preview(adaptor, raw):
    return change_preview.preview(adaptor, saving.common_after(adaptor, raw))


def test_who_is_touched_are_active_customers_without_a_value_of_their_own(adaptor, make_customer):
    for name, active, note in (("A", True, None), ("B", True, "Egen"), ("C", False, None), ("D", None, None)):
        customer = make_customer(name, active=active)
        if note:
            saving.save_overrides(customer.id, {"general.note": note})
    assert preview(adaptor, {"general.note": "Ny"}).customers == 1
    assert preview(adaptor, {"general.note": "Ny", "general.paymentTerms": "Netto 8"}).customers == 2


def test_options_of_a_format_touch_only_those_who_get_it(adaptor, make_customer):
    make_customer("A"), make_customer("B", format="edifact-d96a"), make_customer("C", format="edifact-d96a")
    assert preview(adaptor, {"formats.edifact-d96a.testFlag": "true"}).customers == 2


def test_where_nobody_is_touched_nothing_is_written(adaptor, make_real, monkeypatch):
    make_real("A", active=False)
    monkeypatch.setattr(change_preview, "written", pytest.fail)
    found = preview(adaptor, {"general.note": "Ny"})
    assert (found.customers, found.judged, found.examples) == (0, 0, [])


def test_the_document_changes_exactly_where_the_setting_says(adaptor, make_real):
    make_real("A")
    (example,) = preview(adaptor, {"general.note": "Tak"}).examples
    changed = [row for row in example.rows if row.kind in ("added", "removed")]
    assert changed == [Row("added", "  <cbc:Note>Tak</cbc:Note>")]
    assert (example.is_cut, example.lost) == (False, ())


def test_the_same_change_is_shown_the_same_way_every_time(adaptor, make_real):
    make_real("A"), make_real("B", format="edifact-d96a")
    raw = {"supplier.name": "Nyt navn", "general.note": "Tak"}
    assert preview(adaptor, raw) == preview(adaptor, raw)


def test_at_most_three_documents_of_different_customers_and_formats_first(adaptor, make_real, make_document):
    for day, (name, fmt) in enumerate(
        [("A", "peppol-bis-3"), ("B", "peppol-bis-3"), ("C", "oioubl-2.1"), ("D", "pdf"), ("E", "json")], start=1
    ):
        make_real(name, format=fmt, issue_date=date(2026, 11, day))
    examples = preview(adaptor, {"supplier.phone": "99999999"}).examples
    assert {example.format.id for example in examples} == {"peppol-bis-3", "oioubl-2.1", "json"}
    assert next(example.number for example in examples if example.format.id == "peppol-bis-3") == "B-1"


def test_one_customers_many_documents_do_not_fill_the_examples(adaptor, make_real, make_document, company):
    customer, document = make_real("A")
    for number in range(4):
        make_document(customer, str(number), bundle=document.bundle, issue_date=date(2026, 11, 20))
    make_real("B")
    assert {example.customer for example in preview(adaptor, {"general.note": "Tak"}).examples} == {"A", "B"}


@pytest.mark.parametrize("fmt", ["peppol-bis-3", "oioubl-2.1", "edifact-d96a", "cii", "json", "csv"])
def test_every_written_format_is_compared(adaptor, make_real, fmt):
    adaptor.settings = {"supplier": {"gln": "5798990000005"}}
    db.session.commit()
    make_real(
        "A",
        format=fmt,
        settings={"customer": {"gln": "5798000000001", "endpoint": {"scheme": "0088", "value": "5798000000001"}}},
    )
    (example,) = preview(adaptor, {"supplier.name": "Et helt nyt navn"}).examples
    assert [row for row in example.rows if row.kind == "added" and "ET HELT NYT NAVN" in row.text.upper()], example.lost


@pytest.mark.parametrize("fmt", ["pdf", "facturx"])
def test_drawn_formats_are_checked_and_not_drawn(adaptor, make_real, fmt):
    make_real("A", format=fmt)
    (example,) = preview(adaptor, {"general.note": "Tak"}).examples
    assert (example.is_shown, example.rows) == (False, ())


def test_documents_that_would_no_longer_leave_are_named(adaptor, make_real):
    make_real("A", "no_order_number"), make_real("B", "mixed_rates", settings={"customer": {"orderNumber": "PO-1"}})
    found = preview(adaptor, {"customer.orderNumberPolicy": "required"})
    assert (found.judged, found.stopped) == (2, 1)
    (lost,) = [example for example in found.examples if example.lost]
    assert lost.customer == "A"
    assert all(finding.is_fatal for finding in lost.lost)


def test_examples_are_those_that_stop_however_many_newer_ones_only_change(adaptor, make_real):
    for day, name in enumerate("ABCD", start=10):
        make_real(name, settings={"customer": {"orderNumber": "PO-1"}}, issue_date=date(2026, 11, day))
    make_real("Old", "no_order_number", issue_date=date(2026, 11, 1))
    found = preview(adaptor, {"customer.orderNumberPolicy": "required", "general.note": "Tak"})
    assert (found.judged, found.stopped) == (5, 1)
    assert [example.customer for example in found.examples] == ["Old", "D", "C"]
    assert found.examples[0].lost
    assert found.examples[1].rows


def test_examples_that_change_come_before_newer_ones_that_do_not(adaptor, make_real):
    for day, name in enumerate("ABC", start=10):
        make_real(name, issue_date=date(2026, 11, day), format="pdf")
    make_real("Changes", issue_date=date(2026, 11, 1)), make_real("Too", issue_date=date(2026, 11, 2))
    customers = [example.customer for example in preview(adaptor, {"general.note": "Tak"}).examples]
    assert customers == ["Too", "Changes", "C"]


def test_only_documents_of_the_last_days_are_judged_unless_there_are_none(adaptor, make_real, monkeypatch):
    monkeypatch.setattr(change_preview, "today", lambda: date(2026, 11, 22))
    make_real("New", issue_date=date(2026, 11, 2)), make_real("Old", "no_order_number", issue_date=date(2026, 1, 2))
    raw = {"customer.orderNumberPolicy": "required"}
    assert preview(adaptor, raw).judged == 1
    monkeypatch.setattr(change_preview, "today", lambda: date(2027, 11, 22))
    assert preview(adaptor, raw).judged == 2


def test_untouched_customers_do_not_use_up_the_documents_that_are_judged(adaptor, make_real, monkeypatch):
    monkeypatch.setattr(change_preview, "_NEWEST", 1)
    make_real("Own", settings={"general": {"note": "Egen"}}, issue_date=date(2026, 11, 20)), make_real("Touched")
    found = preview(adaptor, {"general.note": "Tak"})
    assert (found.judged, [example.customer for example in found.examples]) == (1, ["Touched"])


def test_judging_gives_up_in_time_and_counts_what_it_has_seen(adaptor, make_real, monkeypatch):
    make_real("A"), make_real("B")
    monkeypatch.setattr(change_preview, "_PATIENCE", -1.0)
    found = preview(adaptor, {"general.note": "Tak"})
    assert (found.judged, found.stopped, len(found.examples)) == (0, 0, 2)


def test_documents_of_a_type_that_is_not_sent_are_not_said_to_stop(adaptor, make_real):
    adaptor.settings = {"general": {"documentTypes": "credit-notes"}}
    db.session.commit()
    make_real("A", "no_order_number")
    found = preview(adaptor, {"customer.orderNumberPolicy": "required"})
    assert (found.stopped, [example.lost for example in found.examples]) == (0, [()])


def test_a_document_that_could_not_leave_before_is_not_blamed_on_the_change(adaptor, make_real):
    make_real("A", "no_order_number", settings={"customer": {"orderNumberPolicy": "required"}})
    assert preview(adaptor, {"general.note": "Tak"}).stopped == 0


def test_stored_settings_that_cannot_be_used_are_findings(adaptor, make_real):
    make_real("A", settings={"supplier": {"fikCreditor": "1"}})
    (example,) = preview(adaptor, {"general.note": "Tak"}).examples
    assert (example.rows, example.lost) == ((), ())


def test_the_embedded_pdf_is_stood_for(adaptor, make_real):
    make_real("A")
    (example,) = preview(adaptor, {"general.embedPdf": "true"}).examples
    assert any("EmbeddedDocumentBinaryObject" in row.text for row in example.rows if row.kind == "added")


@pytest.mark.parametrize(
    ("bundle", "stage"), [({}, Stage.CONVERTED), ({"invoice": {}}, Stage.LISTED), ({}, Stage.UNUSABLE)]
)
def test_documents_that_cannot_be_mapped_spoil_nothing(adaptor, make_customer, make_document, bundle, stage):
    make_document(make_customer(), bundle=bundle, stage=stage)
    found = preview(adaptor, {"general.note": "Tak"})
    assert found.customers == 1
    assert all(example.rows == () for example in found.examples)


@pytest.mark.parametrize("breaks", [1, 2], ids=["with the stored settings", "with the new ones only"])
def test_a_fault_of_the_program_is_told_and_stops_nobody_from_saving(adaptor, make_real, monkeypatch, caplog, breaks):
    _, document = make_real("A")
    fmt = change_preview.formats()["peppol-bis-3"]

    def fails(*arguments):
        if breaks == 1 or "Tak" in repr(arguments[0]):
            raise ZeroDivisionError
        return fmt.writer(*arguments)

    monkeypatch.setitem(change_preview.formats(), "peppol-bis-3", dataclasses.replace(fmt, writer=fails))
    (example,) = preview(adaptor, {"general.note": "Tak"}).examples
    assert (example.has_failed, example.rows) == (True, ())
    assert [finding.rule for finding in example.lost] == (["IA-INTERNAL"] if breaks == 2 else [])
    assert document.id in caplog.text


def test_lines_that_are_alike_are_left_out():
    old = [str(number) for number in range(100)]
    new = [*old[:50], "ny", *old[51:90], *old[91:]]
    rows, is_cut = compared(old, new)
    assert not is_cut
    assert [row.kind for row in rows if row.kind != "same"] == ["removed", "added", "gap", "removed"]
    assert [row.text for row in rows][:2] == ["48", "49"]


def test_endless_differences_are_cut():
    rows, is_cut = compared([f"a{n}" for n in range(5000)], [f"b{n}" for n in range(5000)])
    assert is_cut
    assert len(rows) == change_preview.MOST_ROWS


def test_own_values_are_listed_by_place(adaptor, make_customer):
    first, second, _plain = make_customer("A"), make_customer("B", format="edifact-d96a"), make_customer("C")
    saving.save_overrides(first.id, {"general.note": "x"})
    saving.save_overrides(second.id, {"general.note": "y", "formats.edifact-d96a.testFlag": "true"})
    assert change_preview.own_values(adaptor.id) == {
        ("general", "note"): [(first.id, "A"), (second.id, "B")],
        ("formats", "edifact-d96a", "testFlag"): [(second.id, "B")],
    }
