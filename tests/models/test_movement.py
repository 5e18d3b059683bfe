"""The database itself refuses what the table of moves does not have, whoever writes, and notes what happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.domain.delivery import DeliveryState, moves
from invoiceapp.models import Delivery, Document, StatusChange, db

S = DeliveryState
LEGAL = set(moves())


@pytest.fixture
def has_pages() -> bool:
    return False


@pytest.fixture
def document(make_customer, make_document) -> Document:
    return make_document(make_customer())


def write(row_id: str, **values: object) -> None:
    """As a statement of anybody's, which asks no service."""
    db.session.execute(update(Delivery).where(Delivery.id == row_id).values(**values))


def is_refused(row_id: str, **values: object) -> bool:
    try:
        with db.session.begin_nested():
            write(row_id, **values)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize("old", S)
def test_the_database_takes_exactly_the_moves_of_the_table(old, document, make_delivery):
    row_id = make_delivery(document, old).id
    refused = set()
    for new in S:
        with db.session.begin_nested() as each:
            if is_refused(row_id, state=new):
                refused.add(new)
            each.rollback()
    assert refused == {new for new in S if new is not old and (old, new) not in LEGAL}
    assert db.session.scalar(select(Delivery.state).where(Delivery.id == row_id)) is old


def test_one_illegal_row_among_many_stops_the_whole_statement(make_customer, make_document, make_delivery):
    customer = make_customer()
    states = (S.PENDING, S.PENDING, S.REJECTED)
    made = [make_delivery(make_document(customer, str(number)), state) for number, state in enumerate(states)]
    with pytest.raises(IntegrityError):
        db.session.execute(update(Delivery).values(state=S.CANCELLED))
    db.session.rollback()
    assert [db.session.get_one(Delivery, row.id, populate_existing=True).state for row in made] == list(states)


def test_a_fence_never_falls(document, make_delivery):
    row_id = make_delivery(document, S.PENDING, fence=7).id
    assert is_refused(row_id, fence=6)
    assert is_refused(row_id, fence=0, state=S.LEASED)
    write(row_id, fence=7)
    write(row_id, fence=8, state=S.LEASED)
    db.session.commit()
    assert db.session.scalar(select(Delivery.fence).where(Delivery.id == row_id)) == 8


@pytest.fixture
def told(document) -> Callable[[], list[str]]:
    """``told()``: the document's statuses since the last question."""
    last = [db.session.scalar(select(StatusChange.id).order_by(StatusChange.id.desc())) or 0]

    def tell() -> list[str]:
        found = db.session.execute(
            select(StatusChange.id, StatusChange.status)
            .where(StatusChange.document_id == document.id, StatusChange.id > last[0])
            .order_by(StatusChange.id)
        ).all()
        last[:] = [found[-1].id] if found else last
        return [row.status for row in found]

    return tell


def test_each_status_is_noted_with_its_delivery_in_the_order_in_which_it_came(document, make_delivery, told):
    first = make_delivery(document, S.PENDING)
    assert told() == ["pending"]
    for state in (S.LEASED, S.SENDING):
        write(first.id, state=state)
    assert told() == [], "a worker's lease is no status of a document"
    write(first.id, state=S.OUTCOME_UNKNOWN)
    assert told() == ["outcome_unknown"]
    write(first.id, state=S.SUPERSEDED)
    second = make_delivery(document, S.PENDING, supersedes_id=first.id)
    assert told() == ["converted", "pending"]
    newest = db.session.scalars(select(StatusChange).order_by(StatusChange.id.desc())).first()
    assert newest is not None and newest.delivery_id == second.id and newest.document_id == document.id


def test_what_is_rolled_back_was_never_noted(document, make_delivery, told):
    row = make_delivery(document, S.PENDING)
    told()
    write(row.id, state=S.CANCELLED)
    db.session.rollback()
    assert told() == []
    write(row.id, next_at=None)
    db.session.commit()
    assert told() == [], "what changes no status is no news"
