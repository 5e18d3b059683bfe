"""Our copy of the source's customers, and what becomes of those that appear in it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Environment, ExportRule, NewCustomers, db, utcnow
from invoiceapp.services.configuration import customer_reading
from invoiceapp.services.configuration.customer_reading import Reading, read_customers
from invoiceapp.services.configuration.sources import CompanyChanged
from invoiceapp.sources.base import SourceCustomer, SourceUnavailable


def customer(source_id: str, **values: Any) -> SourceCustomer:
    texts = dict.fromkeys(("number", "registration_no", "gln", "country", "city", "email"))
    return SourceCustomer(source_id, **{"name": "Kunde", **texts, "is_archived": False, **values})


class Books:
    """A source that has these customers, and may break off behind them."""

    def __init__(self, *ids: str, fails: bool = False, **values: Any) -> None:
        self.ids, self.fails, self.values = ids, fails, values

    def customers(self) -> Iterable[SourceCustomer]:
        yield from (customer(one, **self.values) for one in self.ids)
        if self.fails:
            raise SourceUnavailable(Text("Billy svarer ikke.", "Billy does not answer."))


def again(adaptor: Adaptor) -> Adaptor:
    return db.session.get_one(Adaptor, adaptor.id, populate_existing=True)


def new_ones() -> list[str]:
    return list(db.session.scalars(select(Customer.source_id).where(Customer.is_new).order_by(Customer.source_id)))


@pytest.fixture
def known(adaptor: Adaptor) -> Adaptor:
    """An adaptor whose customers "a" and "b" were read."""
    read_customers(adaptor.id, Books("a", "b"))
    return again(adaptor)


def test_whoever_is_there_at_the_first_reading_is_not_new(adaptor):
    assert read_customers(adaptor.id, Books("a", "b")) == Reading(read=2)
    assert new_ones() == [] and again(adaptor).customers_read_at is not None


def test_whoever_appears_later_waits_for_a_decision(known):
    first = known.customers_read_at
    assert read_customers(known.id, Books("a", "b", "c", "d")) == Reading(read=4, new=2)
    assert new_ones() == ["c", "d"] and again(known).customers_read_at == first
    assert read_customers(known.id, Books("a", "b", "c", "d")) == Reading(read=4)
    assert new_ones() == ["c", "d"]


def test_a_reading_that_broke_off_was_no_complete_one(adaptor):
    with pytest.raises(SourceUnavailable):
        read_customers(adaptor.id, Books("a", fails=True))
    assert again(adaptor).customers_read_at is None
    assert read_customers(adaptor.id, Books("a", "b")) == Reading(read=2) and new_ones() == []


def test_archived_customers_are_never_new(known):
    assert read_customers(known.id, Books("c", is_archived=True)) == Reading(read=1)
    assert new_ones() == []


def test_ignored_customers_are_kept_in_the_list_and_nothing_else(known):
    known.new_customers = NewCustomers.IGNORE
    db.session.commit()
    assert read_customers(known.id, Books("c")) == Reading(read=1)
    assert new_ones() == [] and db.session.scalar(select(func.count(Customer.id))) == 3


def activating(adaptor: Adaptor, **columns: Any) -> None:
    values = {"new_customers": NewCustomers.ACTIVATE, **columns}
    for name, value in values.items():
        setattr(adaptor, name, value)
    db.session.commit()


def test_new_customers_can_be_activated_with_the_adaptors_format_and_gateway(known, gateway):
    activating(known, default_format="oioubl-2.1", default_gateway_id=gateway.id)
    assert read_customers(known.id, Books("a", "c", "d")) == Reading(read=3, new=2, activated=2)
    rules = db.session.execute(
        select(Customer.source_id, ExportRule.format, ExportRule.gateway_id, ExportRule.active).join(
            ExportRule.customer
        )
    ).all()
    assert sorted(rules) == [(one, "oioubl-2.1", gateway.id, True) for one in "cd"] and new_ones() == []


@pytest.mark.parametrize("broken", ["no format", "no gateway", "wrong pair", "live gateway", "switched off", "deleted"])
def test_where_activation_is_not_possible_a_person_decides(known, gateway, partner, monkeypatch, broken):
    columns: dict[str, Any] = {"default_format": "oioubl-2.1", "default_gateway_id": gateway.id}
    columns |= {
        "no format": {"default_format": None}, "no gateway": {"default_gateway_id": None},
        "live gateway": {"environment": Environment.TEST}, "switched off": {"active": False},
        "deleted": {"deleted_at": utcnow()},
    }.get(broken, {})  # fmt: skip
    monkeypatch.setattr(partner, "accepts", frozenset({"pdf"}) if broken == "wrong pair" else None)
    activating(known, **columns)
    assert read_customers(known.id, Books("c")) == Reading(read=1, new=1)
    assert new_ones() == ["c"] and db.session.scalar(select(func.count(ExportRule.id))) == 0


def test_texts_longer_than_their_columns_are_cut_and_a_country_is_never_guessed(adaptor):
    texts = dict.fromkeys(("name", "number", "registration_no", "gln", "country", "city", "email"), "Denmark" * 200)
    read_customers(adaptor.id, Books("a", **texts))
    row = db.session.scalars(select(Customer)).one()
    lengths = [len(text or "") for text in (row.name, row.number, row.registration_no, row.gln, row.city, row.email)]
    assert lengths == [500, 100, 100, 50, 200, 255] and row.country is None


def test_a_customer_that_is_read_again_keeps_its_id_and_gets_the_new_values(known):
    before = dict(db.session.execute(select(Customer.source_id, Customer.id)).all())
    read_customers(known.id, Books("a", name="Nyt navn", raw={"amount": 1}))
    rows = {row.source_id: row for row in db.session.scalars(select(Customer))}
    assert {name: row.id for name, row in rows.items()} == before
    assert (rows["a"].name, rows["a"].raw, rows["b"].name) == ("Nyt navn", {"amount": 1}, "Kunde")


def test_a_customer_that_the_source_names_twice_is_kept_once(adaptor):
    read_customers(adaptor.id, Books("a", "a"))
    read_customers(adaptor.id, Books("a", "a"))
    assert db.session.scalar(select(func.count(Customer.id))) == 1


def test_the_number_of_statements_does_not_grow_with_the_customers_of_a_chunk(app, adaptor):
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    def taken(count: int) -> int:
        statements.clear()
        read_customers(adaptor.id, Books(*(f"c{number}" for number in range(count))))
        return len(statements)

    event.listen(db.engine, "before_cursor_execute", note)
    taken(3)
    assert taken(3) == taken(3)
    taken(400)
    assert taken(400) == taken(3)


def test_documents_of_the_last_year_are_counted_at_the_end(adaptor, make_customer, make_document):
    today = utcnow().date()
    row = make_customer(source_id="a", recent_documents=7)
    nobody = make_customer("B", source_id="b", recent_documents=7)
    for number, days in enumerate((0, 200, 364, 400)):
        make_document(row, str(number), issue_date=today - timedelta(days=days))
    read_customers(adaptor.id, Books("a"))
    db.session.expire_all()
    assert (row.recent_documents, nobody.recent_documents) == (3, 0)


def test_two_readings_at_once_keep_each_customer_once(app, adaptor, monkeypatch):
    adaptor_id = adaptor.id
    db.session.commit()
    start, real = threading.Barrier(2), customer_reading._values

    def slowly(read: SourceCustomer) -> dict[str, Any]:
        threading.Event().wait(0.2)
        return real(read)

    def read() -> None:
        with app.app_context():
            start.wait()
            read_customers(adaptor_id, Books("a", "b"))
            db.session.remove()

    monkeypatch.setattr(customer_reading, "_values", slowly)
    with ThreadPoolExecutor(2) as pool:
        for found in [pool.submit(read) for _ in range(2)]:
            found.result()
    assert sorted(db.session.scalars(select(Customer.source_id))) == ["a", "b"]


@pytest.mark.server
def test_customers_are_read_once_and_brought_up_to_date(connected, billy):
    def count() -> int:
        return db.session.scalar(select(func.count()).select_from(Customer)) or 0

    before = count()
    contact = next(one for one in billy.api.store.tables["contacts"].values() if one["isCustomer"])
    contact["name"] = "Nyt Navn ApS"
    assert customer_reading.refresh_customers(connected.id) == Reading(read=before)
    assert before == count() > 20
    assert db.session.scalars(select(Customer.name).where(Customer.source_id == contact["id"])).one() == "Nyt Navn ApS"


@pytest.mark.server
def test_another_companys_customers_are_never_kept_under_this_adaptor(connected):
    key, before = connected.id, db.session.scalar(select(func.max(Customer.seen_at)))
    connected.organization = {**connected.organization, "id": "another", "name": "En anden ApS"}
    db.session.commit()
    with pytest.raises(CompanyChanged) as caught:
        customer_reading.read_now(key)
    assert "En anden ApS" in caught.value.text.da and "under Kilde" in caught.value.text.da.replace("Under", "under")
    assert db.session.scalar(select(func.max(Customer.seen_at))) == before
    row = db.session.get_one(Adaptor, key, populate_existing=True)
    assert row.source_error["da"] == caught.value.text.da, "the source page says so too"
