"""What cannot be sent just now is tried again and again, and yet does not wait for ever unseen."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Environment, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import ages, waiting
from invoiceapp.services.export import archive, consignments, delivery, slots, standing

S = DeliveryState
LOCKED = Text("Filens nøgle mangler.", "The file's key is missing.")


def _locked(*_: Any, **__: Any) -> Any:
    raise archive.ArchiveLocked(LOCKED)


def _not_now(*_: Any) -> Any:
    raise standing.NotNow("changed")


_HINDRANCES = {
    "archive": (consignments.archive, "load", _locked, LOCKED.da),
    "slots": (slots, "taken", lambda *_: nullcontext(None), "Alle forbindelser"),
    "settings": (standing, "require_to_send", _not_now, "blev ændret lige før"),
}


def _turn(row: Delivery) -> Delivery:
    """Its time has come, and a worker looks at it."""
    with transaction() as session:
        session.execute(update(Delivery).values(next_at=utcnow() - timedelta(seconds=1)))
    delivery.deliver_due()
    db.session.rollback()
    return db.session.get_one(Delivery, row.id, populate_existing=True)


@pytest.mark.parametrize("what", _HINDRANCES)
def test_what_is_given_back_again_and_again_says_why_and_is_seen_although_its_time_moves(
    ready, adaptor, partner, monkeypatch, what
):
    module, name, hindrance, words = _HINDRANCES[what]
    row = ready()
    with monkeypatch.context() as hindered:
        hindered.setattr(module, name, hindrance)
        first = waiting.since(_turn(row).error)
        row = _turn(row)
        assert row.state is S.PENDING and words in row.error["da"] and waiting.since(row.error) == first
        later = utcnow() + timedelta(hours=3)
        assert ages.overdue([adaptor.id], utcnow()) == []
        with transaction() as session:
            session.execute(update(Delivery).values(next_at=later))
        [late] = ages.overdue([adaptor.id], later)
        assert (late.delivery_id, late.due_at) == (row.id, first)
    row = _turn(row)
    assert row.state is S.DELIVERED and row.error is None and ages.overdue([adaptor.id], later) == []


def test_what_goes_again_after_a_lost_answer_has_not_waited_all_the_time(ready, partner, monkeypatch):
    row = ready()
    with monkeypatch.context() as hindered:
        hindered.setattr(consignments.archive, "load", _locked)
        row = _turn(row)

    def killed(*_: Any) -> Any:
        raise SystemExit

    monkeypatch.setattr(partner, "send", killed)
    with pytest.raises(SystemExit):
        _turn(row)
    db.session.rollback()
    row = db.session.get_one(Delivery, row.id, populate_existing=True)
    assert row.state is S.SENDING and waiting.since(row.error) is None


def test_what_waits_through_an_adaptor_out_of_reach_is_told_of_as_that(ready, adaptor, monkeypatch):
    row = ready()
    with monkeypatch.context() as hindered:
        hindered.setattr(consignments.archive, "load", _locked)
        _turn(row)
    adaptor.environment = Environment.TEST
    db.session.commit()
    assert ages.overdue([adaptor.id], utcnow() + timedelta(days=1)) == []
