"""What loops over a batch do when their worker is asked to stop in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.models import Document, Stage, db, utcnow
from invoiceapp.services import stopping
from invoiceapp.services.export import conversion, delivery, probing

S = DeliveryState


@pytest.fixture(autouse=True)
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this test alone: a process is asked once and for all."""
    monkeypatch.setattr(stopping, "_asked", threading.Event())


def stops_after(work: Callable[..., object]) -> Callable[..., object]:
    """The same work, in the middle of which somebody asks to stop: the first time."""
    times = iter([stopping.ask])

    def asked(*arguments: object) -> object:
        next(times, bool)()
        return work(*arguments)

    return asked


def test_a_delivery_in_hand_is_ended_and_the_rest_is_given_back_at_once(ready, partner, monkeypatch):
    rows = [ready(str(number)) for number in (1, 2, 3)]
    monkeypatch.setattr(partner, "send", stops_after(partner.send))
    delivery.deliver_due()
    db.session.expire_all()
    assert sorted(row.state for row in rows) == sorted([S.DELIVERED, S.PENDING, S.PENDING])
    assert len(partner.sent) == 1
    rest = [row for row in rows if row.state is S.PENDING]
    assert [(row.tries, row.lease_owner, row.first_sent_at, row.next_at <= utcnow()) for row in rest] == [
        (0, None, None, True)
    ] * 2


def test_what_was_given_back_is_sent_once_by_the_next_worker(ready, partner, monkeypatch):
    rows = [ready(str(number)) for number in (1, 2, 3)]
    monkeypatch.setattr(partner, "send", stops_after(partner.send))
    delivery.deliver_due()
    monkeypatch.setattr(stopping, "_asked", threading.Event())
    delivery.deliver_due()
    db.session.expire_all()
    assert {row.state for row in rows} == {S.DELIVERED}
    assert sorted(one.key for one in partner.sent) == sorted(row.idem_key for row in rows)


def test_a_stop_before_the_first_byte_opens_no_connection(ready, partner, monkeypatch):
    row = ready()
    stopping.ask()
    monkeypatch.setattr(delivery.gateways, "open_transport", lambda _gateway: pytest.fail("a connection was opened"))
    delivery.deliver_due()
    assert row.state is S.PENDING and row.tries == 0 and partner.sent == []


def test_a_conversion_in_hand_is_ended_and_the_rest_is_given_back_untried(queued, shelf, monkeypatch):
    keys = [queued(number).id for number in ("1001", "1002", "1003")]
    monkeypatch.setattr(conversion.loading, "begin", stops_after(conversion.loading.begin))
    conversion.convert_due()
    found = [db.session.get_one(Document, key, populate_existing=True) for key in keys]
    assert sorted(one.stage for one in found) == sorted([Stage.CONVERTED, Stage.QUEUED, Stage.QUEUED])
    rest = [one for one in found if one.stage is Stage.QUEUED]
    assert [(one.tries, one.lease_token, one.lease_until) for one in rest] == [(0, None, None)] * 2
    monkeypatch.setattr(stopping, "_asked", threading.Event())
    assert len(conversion.claim()) == 2


def test_partners_are_asked_about_no_more_unclear_deliveries(ready, partner, monkeypatch):
    monkeypatch.setattr(partner, "replay", Replay.SAFE)
    rows = [ready(str(number), S.OUTCOME_UNKNOWN) for number in (1, 2)]
    monkeypatch.setattr(probing, "_ask", stops_after(probing._ask))
    assert probing.probe_due() == 2
    db.session.expire_all()
    assert sorted(row.state for row in rows) == sorted([S.PENDING, S.OUTCOME_UNKNOWN])
    # The other one is as due as it was.
    assert len(probing.due()) == 1


def test_a_loop_goes_on_until_it_is_asked_to_stop():
    seen = []
    for item in stopping.until_asked(range(5)):
        seen.append(item)
        if item == 2:
            stopping.ask()
    assert seen == [0, 1, 2]
