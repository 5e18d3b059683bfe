"""Numbered interchanges: one sequence from each sender to each receiver, and one number for each content."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoiceapp.formats.base import Interchange
from invoiceapp.models import InterchangeSequence, NumberedInterchange, db, new_id, utcnow
from invoiceapp.services.export import interchanges

US, THEM, OTHER = "5790000000005", "5798000000006", "5798009811578"


def number(document, fingerprint="a" * 64, sender=US, receiver=THEM) -> Interchange:
    return interchanges.number(document, sender, receiver, fingerprint)


@pytest.fixture
def document(make_customer, make_document):
    return make_document(make_customer("Salling"), "1001")


@pytest.fixture
def other(make_customer, make_document):
    return make_document(make_customer("Coop"), "1002")


def test_numbers_start_at_one_and_leave_none_out(document):
    assert [number(document, str(content) * 64).number for content in range(5)] == [1, 2, 3, 4, 5]


def test_each_receiver_and_each_sender_has_a_sequence_of_its_own(document):
    assert number(document, "a" * 64).number == 1
    assert number(document, "b" * 64, receiver=OTHER).number == 1
    assert number(document, "c" * 64, sender=OTHER).number == 1
    assert number(document, "d" * 64).number == 2


def test_the_same_content_keeps_its_number_time_and_id(document, monkeypatch):
    first = number(document)
    monkeypatch.setattr(interchanges, "_next_number", lambda *_: pytest.fail("a known content was counted again"))
    assert number(document) == first
    assert first.prepared_at <= utcnow()
    assert len(first.instance_id) == 36


def test_two_documents_with_the_same_content_are_two_interchanges(document, other):
    assert (number(document).number, number(other).number) == (1, 2)


def test_a_sequence_goes_on_where_it_stopped(document):
    db.session.add(InterchangeSequence(subscription_id=document.subscription_id, sender=OTHER, receiver=THEM, last=41))
    db.session.commit()
    assert number(document, "b" * 64, sender=OTHER).number == 42


def test_a_number_that_was_given_is_not_given_again_after_a_rollback(document, monkeypatch):
    def fails(_self):
        raise RuntimeError("the worker died")

    with monkeypatch.context() as broken:
        broken.setattr("sqlalchemy.orm.scoping.scoped_session.commit", fails)
        with pytest.raises(RuntimeError):
            number(document)
    db.session.rollback()
    # Nobody has seen the lost number, so the sequence goes on without a hole.
    assert number(document).number == 1
    assert db.session.query(NumberedInterchange).count() == 1


def test_workers_at_the_same_moment_get_different_numbers(app, document):
    def count(content: int) -> int:
        with app.app_context():
            found = number(db.session.get_one(type(document), key), f"{content:064}").number
            db.session.remove()
            return found

    key = document.id
    db.session.commit()
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(count, range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_workers_with_the_same_content_get_one_number(app, document):
    def count(_worker: int) -> Interchange:
        with app.app_context():
            found = number(db.session.get_one(type(document), key))
            db.session.remove()
            return found

    key = document.id
    db.session.commit()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(count, range(16)))) == 1
    # Whoever came second gave the number back that nobody had seen.
    assert number(document, "b" * 64).number == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([THEM, OTHER]), st.sampled_from("abcdef")), max_size=20))
def test_numbers_are_dense_and_contents_keep_theirs(document, asked):
    sender = new_id()
    given_numbers: dict[tuple[str, str], int] = {}
    for receiver, content in asked:
        found = number(document, f"{sender}{receiver}{content}", sender=sender, receiver=receiver).number
        assert given_numbers.setdefault((receiver, content), found) == found
    for receiver in (THEM, OTHER):
        mine = sorted(value for (to, _), value in given_numbers.items() if to == receiver)
        assert mine == list(range(1, len(mine) + 1))
