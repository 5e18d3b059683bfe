from __future__ import annotations

from datetime import timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Event, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.export import delivery, resending

S = DeliveryState
ACTOR = "ida@example.com"


@pytest.fixture
def rings(monkeypatch):
    heard = []
    monkeypatch.setattr(bell, "ring", lambda task, *ids: heard.append(task))
    return heard


@pytest.fixture
def failed(ready):
    """``failed(number, days)``: one that failed so many days ago."""

    def make(number="1001", days=1.0, state=S.FAILED, **columns):
        when = utcnow() - timedelta(days=days)
        values = {"next_at": None, "tries": 8, "finished_at": when if state is S.FAILED else None, "updated_at": when}
        return ready(number, state, **(values | columns))

    return make


def ago(days):
    return utcnow() - timedelta(days=days)


def test_only_what_failed_since_then_is_counted(gateway, failed):
    (
        failed("1", 1),
        failed("2", 5),
        failed("3", 1, S.OUTCOME_UNKNOWN),
        failed("4", 1, S.REJECTED),
        failed("5", 1, S.DELIVERED),
    )
    assert resending.count(gateway.id, ago(3)) == resending.Failed(1, 1)
    assert resending.count(gateway.id, ago(7)) == resending.Failed(2, 1)
    assert resending.count("another", ago(7)) == resending.Failed(0, 0)
    assert resending.count(gateway.id, ago(7), ["another"]) == resending.Failed(0, 0)
    assert resending.resend(gateway.id, ago(7), ACTOR, ["another"]) == 0


def test_what_failed_goes_again_with_the_same_ids_and_nothing_else_does(gateway, failed, partner, rings):
    row, old = failed("1", 1), failed("2", 5)
    others = [failed("3", 1, S.OUTCOME_UNKNOWN), failed("4", 1, S.REJECTED)]
    key, states = row.idem_key, [one.state for one in others]
    assert resending.resend(gateway.id, ago(3), ACTOR) == 1
    for one in (row, old, *others):
        db.session.refresh(one)
    assert (row.state, row.tries, row.finished_at, row.idem_key) == (S.PENDING, 0, None, key)
    assert old.state is S.FAILED and [one.state for one in others] == states
    assert rings == ["deliver"]
    event = db.session.query(Event).filter_by(delivery_id=row.id).one()
    assert (event.kind, event.actor) == ("tried_again", ACTOR)
    delivery.deliver_due()
    assert [one.key for one in partner.sent] == [key]


def test_a_second_click_finds_nothing_and_rings_nobody(gateway, failed, rings):
    failed()
    assert [resending.resend(gateway.id, ago(3), ACTOR) for _ in range(2)] == [1, 0]
    assert rings == ["deliver"] and db.session.query(Event).count() == 1


def test_many_are_moved_in_slices(gateway, failed, rings, monkeypatch):
    monkeypatch.setattr(resending, "SLICE", 2)
    rows = [failed(str(number)) for number in range(5)]
    assert resending.resend(gateway.id, ago(3), ACTOR) == 5
    for row in rows:
        db.session.refresh(row)
    assert {row.state for row in rows} == {S.PENDING}


def test_one_that_somebody_else_moved_meanwhile_is_left_alone(gateway, failed, rings, monkeypatch):
    first, second = failed("1"), failed("2")
    real = resending.move

    def overtaken(lease, *rest, **values):
        if lease.delivery_id == first.id:
            raise resending.LeaseLost
        real(lease, *rest, **values)

    monkeypatch.setattr(resending, "move", overtaken)
    assert resending.resend(gateway.id, ago(3), ACTOR) == 1
    for row in (first, second):
        db.session.refresh(row)
    assert (first.state, second.state) == (S.FAILED, S.PENDING)


def test_people_mostly_mean_the_last_week_or_since_the_pause_or_the_silence_where_those_are_longer(gateway):
    gateway.paused_at = ago(2)
    assert abs(resending.usual_start(gateway) - ago(7)) < timedelta(minutes=5)
    gateway.failing_since = ago(9)
    assert resending.usual_start(gateway) == gateway.failing_since
    gateway.paused_at = ago(12)
    assert resending.usual_start(gateway) == gateway.paused_at
