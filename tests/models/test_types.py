from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import Column, MetaData, String, Table, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from invoiceapp.models import Document, Subscription, db, dump_json, load_json, new_id, utcnow
from invoiceapp.models.types import ID_LENGTH, Amount, Json, UtcDateTime, cut, when_asked
from invoiceapp.services.database import transaction


@pytest.fixture
def table(app):
    """A table of its own for one value of each type."""
    table = Table(
        "value", MetaData(), Column("at", UtcDateTime), Column("sum", Amount), Column("data", Json), Column("t", String)
    )
    table.create(db.engine)
    return table


def stored(table, **values):
    db.session.execute(insert(table).values(**values))
    db.session.commit()
    return db.session.execute(select(table)).one()


def test_a_moment_comes_back_as_the_same_moment_in_utc(table):
    copenhagen = timezone(timedelta(hours=1))
    at = datetime(2026, 11, 22, 13, 30, 15, 123456, tzinfo=copenhagen)
    found = stored(table, at=at).at
    assert found == at and found.utcoffset() == timedelta(0)


def test_a_naive_time_is_refused(table):
    with pytest.raises(StatementError, match="naive"):
        stored(table, at=datetime(2026, 11, 22))


@pytest.mark.parametrize("amount", ["0.1", "-1234567890123456.7891", "100.00", "0.0001", "0"])
def test_an_amount_is_exact(table, amount):
    found = stored(table, sum=Decimal(amount)).sum
    assert isinstance(found, Decimal) and found == Decimal(amount)


def test_an_amount_in_scientific_form_is_still_a_number(table):
    assert stored(table, sum=Decimal("1E+3")).sum == 1000


def test_nothing_stays_nothing(table):
    assert tuple(stored(table, at=None, sum=None, data=None, t=None)) == (None, None, None, None)


def test_json_keeps_decimals_as_they_were_written(table):
    value = {
        "amount": Decimal("0.10"),
        "list": [Decimal("1E-7"), 1, True, None, "æ\u2028\"'"],
        "nested": {"a": {}},
        "int": 2**70,
    }
    found = stored(table, data=value).data
    assert found == value
    assert str(found["amount"]) == "0.10" and isinstance(found["list"][1], int) and found["list"][2] is True


@pytest.mark.parametrize(
    "value", ["Tak \ud83d", {"\udc00 key": ["\ud800", "æ\ud83d😀"]}, {"emoji": "😀 er hel"}, {1: "\x00"}], ids=ascii
)
def test_half_a_character_in_json_is_kept_and_stops_nothing(table, value):
    assert dump_json(value).encode()
    expected = {str(k): v for k, v in value.items()} if isinstance(value, dict) else value
    assert stored(table, data=value).data == load_json(dump_json(value)) == expected


def test_a_text_that_is_whole_stays_readable_in_the_database():
    assert dump_json({"by": "Århus 😀"}) == '{"by":"Århus 😀"}'


def test_a_text_is_cut_to_its_column():
    assert (cut("abc", 2), cut("ab", 2), cut("", 2), cut(None, 2)) == ("ab", "ab", "", None)


def test_json_text_has_no_binary_fractions():
    assert dump_json({"a": Decimal("1.10"), "b": (Decimal("2"),)}) == '{"a":1.10,"b":[2]}'
    assert load_json('{"a": 1.10}') == {"a": Decimal("1.10")}


def test_ids_sort_by_age_and_never_repeat():
    found = [new_id() for _ in range(2000)]
    assert found == sorted(set(found)), "also those of one millisecond"
    assert {len(one) for one in found} == {ID_LENGTH} and all(one.isalnum() for one in found)


def test_ids_of_threads_at_the_same_time_never_repeat():
    with ThreadPoolExecutor(4) as pool:
        found = [one for ids in pool.map(lambda _: [new_id() for _ in range(500)], range(4)) for one in ids]
    assert len(set(found)) == 2000


def test_the_next_id_cannot_be_guessed_from_the_last():
    steps = {int(new_id(), 36) - int(new_id(), 36) for _ in range(50)}
    assert len(steps) == 50


def test_now_is_aware():
    assert utcnow().tzinfo is UTC


def test_constraints_between_tables_hold(app, adaptor):
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(text("UPDATE adaptor SET subscription_id = 'nobody'"))


def test_a_broken_transaction_leaves_nothing(app, subscription):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        session.add(Subscription(name="half"))
        session.flush()
        raise ZeroDivisionError
    assert [row.name for row in db.session.scalars(select(Subscription))] == ["Eksempel ApS"]


def test_money_and_bundles_of_documents_are_exact(make_customer, make_document):
    document = make_document(make_customer(), net=Decimal("0.10"), bundle={"price": Decimal("3.30")})
    found = db.session.get_one(Document, document.id, populate_existing=True)
    assert found.net == Decimal("0.10") and str(found.bundle["price"]) == "3.30"


def test_sqlite_is_opened_so_that_the_last_commit_is_never_lost(app):
    if db.engine.dialect.name != "sqlite":
        pytest.skip("SQLite only")
    values = {
        name: db.session.execute(text(f"PRAGMA {name}")).scalar()
        for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
    }
    assert values == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 15000, "foreign_keys": 1}


def test_no_update_of_two_writers_is_lost(app, subscription):
    """Read, then write what was read plus one: SQLite's own default loses every other one."""
    row_id = subscription.id
    subscription.name = "0"
    db.session.commit()
    start = threading.Barrier(2)

    def writer() -> None:
        with app.app_context():
            start.wait()
            for _ in range(100):
                with transaction() as session:
                    row = session.get_one(Subscription, row_id, with_for_update=True, populate_existing=True)
                    row.name = str(int(row.name) + 1)

    with ThreadPoolExecutor(2) as pool:
        for found in [pool.submit(writer) for _ in range(2)]:
            found.result()
    assert db.session.get_one(Subscription, row_id, populate_existing=True).name == "200"


def test_pages_that_only_read_do_not_wait_for_a_writer(app, subscription):
    if db.engine.dialect.name != "sqlite":
        pytest.skip("SQLite only")
    db.session.execute(text("UPDATE subscription SET name = 'busy'"))
    found = []

    def reader() -> None:
        with app.test_request_context("/", method="GET"):
            found.append(db.session.scalar(select(Subscription.name)))

    thread = threading.Thread(target=reader)
    thread.start()
    thread.join(timeout=5)
    assert found == ["Eksempel ApS"]
    db.session.rollback()


def test_a_statement_that_is_made_once_asks_for_the_time_at_which_it_is_executed(subscription):
    so_far = select(Subscription.id).where(Subscription.created_at <= when_asked())
    assert db.session.scalars(so_far).all() == [subscription.id]
    for moment, found in ((utcnow() + timedelta(hours=1), []), (utcnow(), [subscription.id])):
        subscription.created_at = moment
        db.session.commit()
        assert db.session.scalars(so_far).all() == found
