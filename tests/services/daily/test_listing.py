"""The list of documents: its address, its order, what it finds, and that no query reads the whole table."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Customer, Document, Gateway, Problem, ProblemDocument, Stage, db, new_id
from invoiceapp.services.daily import listing
from invoiceapp.services.daily.listing import Filter, View

S = DeliveryState
PARAMETERS = ("status", "q", "customer", "from", "to", "format", "gateway", "run", "problem", "sort", "after", "before")
TEXTS = st.text(max_size=300)
CURSORS = {
    "date": st.dates().map(str), "amount": st.integers(-(2**63) + 1, 2**63 - 1).map(str),
    "number": st.text(max_size=40), "customer": st.text(max_size=40),
    "changed": st.datetimes(timezones=st.just(UTC)).map(str),
}  # fmt: skip


@st.composite
def views(draw: st.DrawFn) -> View:
    plain = st.text(string.printable + "æøåÆØÅß€", max_size=60).map(str.strip)
    sort = draw(st.sampled_from(sorted(listing.SORTS)))
    cursor = (
        draw(CURSORS[sort]).replace("\0", "").encode(errors="ignore").decode() + "~" + draw(st.text("0AZ", min_size=1))
    )
    place = draw(st.sampled_from(({}, {"after": cursor}, {"before": cursor})))
    days = st.none() | st.dates()
    statuses = st.sampled_from(["", *sorted(listing.STATUSES), *listing.GROUPS])
    wanted = Filter(
        draw(statuses),
        draw(plain),
        draw(plain),
        draw(days),
        draw(days),
        draw(plain),
        draw(plain),
        draw(plain),
        draw(plain),
    )
    return View(wanted, draw(st.sampled_from(("", "-"))) + sort, **place)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(view=views())
def test_an_address_says_all_that_the_list_shows(view):
    assert View.read(view.to_args()) == view


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(args=st.dictionaries(st.sampled_from(PARAMETERS), TEXTS | st.sampled_from(["-amount", "number", "-", "person"])))
@example(args={"q": "a\0b", "sort": "amount", "after": f"{2**63}~x"})
@example(args={"q": "\ud800", "customer": "\0", "sort": "number", "after": "\0~\0"})
@example(args={"from": "2026-02-30", "to": "9999-12-31", "after": "2026-01-01~", "before": "~"})
def test_any_address_shows_something_and_comes_back_the_same(args, adaptor):
    view = View.read(args)
    assert View.read(view.to_args()) == view
    assert listing.page([adaptor.id], view).rows == []
    assert listing.count([adaptor.id], view.filter) == 0


@pytest.fixture
def adaptors(adaptor, subscription) -> list[str]:
    other = Adaptor(id=new_id(), subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    return [adaptor.id, other.id]


@pytest.fixture
def books(adaptors, gateway, make_customer, make_delivery) -> list[Document]:
    """Sixty documents of two adaptors, many alike in each order."""
    names = ("Aarhus Kommune", "Ærø Kommune", "Bageren & Søn", "100% Bio", "a_b")
    # Each adaptor has customers of its own, by the same names.
    customers = [[make_customer(name) for name in names] for _ in adaptors]
    for customer in customers[1]:
        customer.adaptor_id = adaptors[1]
    states = [S.ACCEPTED, S.BLOCKED, S.PENDING, S.SENDING, S.FAILED, None]
    found = []
    for number in range(60):
        of_other = number % 8 == 0
        customer, state = customers[of_other][number % 5], states[number % 6]
        document = Document(
            subscription_id=customer.subscription_id, customer_id=customer.id, customer_name=customer.name,
            customer_source_id="c", source_id=str(number), type=DocumentType.INVOICE, currency="DKK", vat=Decimal(5), bundle={},
            bundle_sha256="0", number=f"{'fF'[number % 2]}-{number % 17}", issue_date=date(2026, 1, 1) + timedelta(days=number // 7),
            net=Decimal(number % 4 * 100), stage=Stage.CONVERTED if state else (Stage.LISTED, Stage.UNUSABLE)[number % 2],
            customer_order=f"PO-{number}" if number % 3 else None, supplier_order=f"Sø_{number}" if number % 2 else None,
            adaptor_id=adaptors[of_other],
        )  # fmt: skip
        db.session.add(document)
        db.session.commit()
        if number == 59:
            document.customer_id = None
        if state:
            make_delivery(document, state, format=("pdf", "peppol-bis-3")[number % 2])
        found.append(document)
    db.session.commit()
    for document in found:
        db.session.refresh(document)
    return found


def begins(value: str | None, text: str) -> bool:
    return (value or "").lower().startswith(text.lower())


def lets_through(document: Document, wanted: Filter, names: dict[str, str]) -> bool:
    """What a filter means, in plain words of Python."""
    name = names.get(document.customer_id or "", document.customer_name)
    searched = (document.number, document.customer_order, document.supplier_order)
    return (
        (not wanted.status or document.status in listing.GROUPS.get(wanted.status, {wanted.status}))
        and (
            not wanted.text or any(begins(one, wanted.text) for one in searched) or wanted.text.lower() in name.lower()
        )
        and wanted.customer_id in ("", document.customer_id)
        and (wanted.first_day is None or document.issue_date >= wanted.first_day)
        and (wanted.last_day is None or document.issue_date <= wanted.last_day)
        and wanted.format in ("", document.format)
        and wanted.gateway_id in ("", document.gateway_id)
    )


def expected(books: list[Document], ids: list[str], view: View) -> list[str]:
    names = {row.id: row.name for row in db.session.query(Customer)}
    found = [one for one in books if one.adaptor_id in ids and lets_through(one, view.filter, names)]
    name = listing.SORTS[view.sort.removeprefix("-")].key
    return [one.id for one in sorted(found, key=lambda one: (getattr(one, name), one.id), reverse=view.is_descending)]


def walked(ids: list[str], view: View, size: int) -> tuple[list[str], list[str]]:
    """Ids on the way to the end, and on the way back."""
    there, back, pages = [], [], 0
    page = listing.page(ids, view, size)
    there += [row.document.id for row in page.rows]
    while page.after:
        page = listing.page(ids, replace(view, after=page.after), size)
        there += [row.document.id for row in page.rows]
    back = [row.document.id for row in page.rows]
    while page.before:
        page = listing.page(ids, replace(view, before=page.before), size)
        back = [row.document.id for row in page.rows] + back
        pages += 1
        assert pages < 100
    return there, back


SEARCHES = (
    "",
    "f-1",
    "F-",
    "po-2",
    "Po-11",
    "sø_",
    "kommune",
    "KOMMUNE",
    "æRØ",
    "%",
    "_",
    "a_b",
    "100%",
    "\\",
    "x",
    "søn",
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_pages_forth_and_back_show_each_matching_document_once_in_order(data, books, adaptors, gateway, monkeypatch):
    draw = data.draw
    # With few and with many that match: they are read in two ways.
    monkeypatch.setattr(listing, "_MANY_CUSTOMERS", draw(st.sampled_from((0, 40))))
    monkeypatch.setattr(listing, "_MANY_DOCUMENTS", draw(st.sampled_from((0, 5_000))))
    days = st.none() | st.dates(date(2025, 12, 30), date(2026, 1, 12))
    view = View(
        Filter(
            draw(st.sampled_from(["", "person", "progress", "arrived", "failed", "listed", "cancelled"])),
            draw(st.sampled_from(SEARCHES)), draw(st.sampled_from(("", books[1].customer_id))), draw(days), draw(days),
            draw(st.sampled_from(("", "pdf", "oioubl-2.1"))), draw(st.sampled_from(("", gateway.id))),
        ),
        draw(st.sampled_from(("", "-"))) + draw(st.sampled_from(sorted(listing.SORTS))),
    )  # fmt: skip
    ids = draw(st.sampled_from((adaptors, adaptors[:1], adaptors[1:])))
    wanted = expected(books, ids, view)
    there, back = walked(ids, view, draw(st.sampled_from((7, 20, 60))))
    assert there == wanted and back == wanted
    assert listing.count(ids, view.filter) == len(wanted)
    assert [one for chunk in listing.ids(ids, view.filter, view.sort) for one in chunk] == wanted


def test_capital_letters_outside_ascii_are_found_in_small_ones(books, adaptors):
    def orders(text: str) -> set[str | None]:
        return {row.document.supplier_order for row in listing.page(adaptors, View(Filter(text=text)), 100).rows}

    assert {"Sø_5", "Sø_51"} <= orders("Sø_5") and orders("ærø")


def test_what_comes_meanwhile_neither_repeats_nor_hides_anything(books, adaptors, make_document, make_customer):
    customer, view = make_customer("Ny"), View()
    seen: list[str] = []
    page = listing.page(adaptors, view, 9)
    while True:
        seen += [row.document.id for row in page.rows]
        make_document(customer, f"new {len(seen)}", issue_date=date(2027, 1, 1))
        if not page.after:
            break
        page = listing.page(adaptors, replace(view, after=page.after), 9)
    assert seen == expected(books, adaptors, view)
    first = listing.page(adaptors, view, 3)
    assert [row.document.issue_date.year for row in first.rows] == [2027] * 3


def test_documents_that_a_problem_or_a_run_is_about(books, adaptor, adaptors):
    problem = Problem(
        id=new_id(),
        subscription_id=adaptor.subscription_id,
        adaptor_id=adaptor.id,
        key="k",
        rule="r",
        text={},
        turn="here",
    )
    db.session.add(problem)
    db.session.flush()
    wanted = [books[9].id, books[3].id]
    db.session.add_all(ProblemDocument(problem_id=problem.id, document_id=one) for one in wanted)
    db.session.commit()
    found = listing.page(adaptors, View(Filter(problem_id=problem.id, with_released=True))).rows
    assert [row.document.id for row in found] == wanted
    stopped = [row.document.id for row in found if row.document.status in listing.GROUPS["person"]]
    found = listing.page(adaptors, View(Filter(problem_id=problem.id))).rows
    assert [row.document.id for row in found] == stopped
    assert listing.page(adaptors, View(Filter(run_id=problem.id))).rows == []


def test_nobody_sees_documents_without_an_adaptor(books):
    assert listing.page([], View(Filter(text="f"))).rows == [] and listing.count([], Filter(text="f")) == 0


def test_the_groups_are_what_a_person_understands_by_them(books, adaptors):
    counted = listing.counts(adaptors)
    assert counted["person"] == 10 + 10 + sum(one.status == "unusable" for one in books)
    assert (counted["progress"], counted["arrived"], counted["total"]) == (20, 10, 60)
    assert listing.counts(adaptors, date(2026, 1, 2), date(2026, 1, 2))["total"] == 7


LOOKS = [
    View(), View(after="2026-01-03~0"), View(before="2026-01-03~0"), View(Filter("person")), View(Filter("failed"), "-amount"),
    View(sort="number"), View(sort="-customer"), View(sort="-amount", after="5~0"),
    View(Filter(first_day=date(2026, 1, 2), last_day=date(2026, 1, 4))), View(Filter(text="f-1")), View(Filter(text="ærø")),
    View(Filter(text="PO-2"), "amount"), View(Filter(customer_id="c")), View(Filter(gateway_id="g")),
    View(Filter(gateway_id="g"), "amount"), View(Filter(run_id="r")), View(Filter(problem_id="p")),
    View(Filter(format="pdf")), View(Filter("arrived", "kommune", first_day=date(2026, 1, 1))),
]  # fmt: skip


@pytest.mark.parametrize("view", LOOKS, ids=str)
def test_no_list_reads_the_whole_table(adaptors, monkeypatch, view):
    """Each query has an index for its adaptor, its search or its customer: told by the database's own plan."""
    monkeypatch.setattr(listing, "_is_met_by_many", lambda _source: view.filter.status == "arrived")
    asked: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    listing.page(adaptors, view)
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.rollback()
    connection = db.session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        # An empty table is read as a whole, and rightly so, where that is not forbidden.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    for statement, parameters in asked:
        explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
        plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
        assert not [line for line in plan if line.strip(" ->").startswith(("SCAN document", "Seq Scan on document"))], (
            plan
        )
        if not is_sqlite:
            assert not [line for line in plan if "Seq Scan on document" in line], plan


def test_a_search_by_number_uses_the_index_of_numbers(adaptors):
    connection = db.session.connection()
    condition = listing._beginnings(Document.number, "f-1")[0]
    query = db.select(Document.id).where(Document.subscription_id == "s", condition)
    statement = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
    if connection.dialect.name == "sqlite":
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all())
        assert "ix_document_number (subscription_id=? AND number>? AND number<?)" in plan
    else:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        # In an empty table any index that begins with the subscription would do.
        for other in ("customer_order", "supplier_order", "sent_as"):
            connection.execute(text(f"DROP INDEX ix_document_{other}"))
        plan = str(connection.exec_driver_sql(f"EXPLAIN {statement}".replace("%%", "%").replace("%", "%%")).all())
        assert "ix_document_number" in plan and "~>=~" in plan
        db.session.rollback()


def test_several_adaptors_gateways_and_their_rows_are_told_apart(books, adaptors, subscription):
    other = Gateway(subscription_id=subscription.id, name="G", kind="sftp", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    assert listing.count(adaptors, Filter(gateway_id=other.id)) == 0
    assert {row.document.adaptor_id for row in listing.page(adaptors[1:], View(), 60).rows} == {adaptors[1]}
