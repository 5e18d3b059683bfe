"""What must hold after any crash: our books, compared with the partner's own log."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from sqlalchemy import select
from support.receivers import Receiver

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS, DeliveryState, moves
from invoiceapp.models import Attempt, Delivery, Receipt, StatusChange, db

from .conftest import twice_active

S = DeliveryState


def _shown(state: DeliveryState) -> str:
    """A worker's lease is no status of a document."""
    return (S.PENDING if state in IN_PROGRESS else state).value


_STEPS = {(_shown(old), _shown(new)) for old, new in moves()}


def rows() -> list[Delivery]:
    """As they are now, and stay in the caller's hands. No transaction is open afterwards that a worker would wait for."""
    db.session.rollback()
    found = list(db.session.scalars(select(Delivery).order_by(Delivery.id)))
    for row in found:
        db.session.expunge(row)
    db.session.rollback()
    return found


def attempts_of(delivery_id: str) -> list[Attempt]:
    found = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.number)
    return list(db.session.scalars(found))


def compare(receiver: Receiver, sent: dict[str, str]) -> None:
    """Nothing lost, no effect twice, evidence for each yes, and an attempt for all that the partner has."""
    effects = Counter(receiver.effects)
    assert set(effects.values()) <= {1}, "nothing takes effect twice"
    assert sorted(receiver.visible()) == sorted(sha256 for _, sha256 in effects), "nobody sees half a document"
    assert twice_active() == []
    found = rows()
    assert {row.id for row in found} == set(sent), "nothing is lost"
    told = set()
    for row in found:
        tries = attempts_of(row.id)
        assert [one.number for one in tries] == list(range(1, len(tries) + 1)) and row.tries <= len(tries)
        assert all(one.fence <= row.fence for one in tries)
        has_it = False
        if tries:
            (name,) = {one.wire_ids[receiver.wire_id] for one in tries}
            has_it = (name, sent[row.id]) in effects
            told.add((name, sent[row.id]))
        receipts = db.session.scalars(select(Receipt).where(Receipt.delivery_id == row.id)).all()
        if row.state in ARRIVED:
            assert has_it and receipts, "every accepted one has arrived, and has its evidence"
        assert not (row.state in (S.FAILED, S.PENDING) and has_it and not _is_open(tries)), "what arrived is not denied"
        _only_moved_along_the_table(row.id)
    assert set(effects) <= told, "the partner has nothing that we have no attempt for"


def _is_open(tries: list[Attempt]) -> bool:
    return any(one.outcome in (None, "unknown", "accepted") for one in tries)


def _only_moved_along_the_table(delivery_id: str) -> None:
    found = (
        select(StatusChange.status)
        .where(StatusChange.delivery_id == delivery_id, StatusChange.status.in_(list(S)))
        .order_by(StatusChange.id)
    )
    told = db.session.scalars(found).all()
    assert told and all(pair in _STEPS for pair in pairwise(told)), told
