"""What the desk of unknown outcomes knows of each delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.gateways.base import Unavailable
from invoiceapp.models import Attempt, Delivery, Receipt, Stage, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery.ages import Who
from invoiceapp.services.export import actions, events, probing, unknown
from invoiceapp.services.export.handling import Way

from ..conftest import WORDS

S = DeliveryState
WHO = "ejer@example.com"


@pytest.fixture
def unclear(ready: Any) -> Any:
    """``unclear(number, outcome="unknown", **columns)``: with one try that ended so."""

    def make(number: str = "1001", outcome: str | None = "unknown", **columns: Any) -> Delivery:
        values = {"tries": 1, "fence": 1, "next_at": None, "first_sent_at": utcnow(), **columns}
        row: Delivery = ready(number, S.OUTCOME_UNKNOWN, **values)
        db.session.add(
            Attempt(
                delivery_id=row.id, number=1, fence=1, wire_ids={"name": f"{row.idem_key}.xml"}, outcome=outcome,
                created_at=utcnow() - timedelta(minutes=5),
            )
        )  # fmt: skip
        db.session.commit()
        return row

    return make


def _case(row: Delivery) -> unknown.Case:
    db.session.rollback()
    return next(case for case in unknown.cases([row.adaptor_id]) if case.delivery.id == row.id)


def _numbers(adaptor: Any, **options: Any) -> list[str]:
    return [case.document.number for case in unknown.cases([adaptor.id], **options)]


def test_only_what_nobody_knows_is_listed_the_oldest_first_and_page_by_page(adaptor, unclear, ready):
    first, _second, third = (unclear(number) for number in ("1001", "1002", "1003"))
    for number, state in enumerate(sorted(set(S) - {S.OUTCOME_UNKNOWN}), 2000):
        ready(str(number), state)
    third.document.stage = Stage.HANDLED
    db.session.commit()
    assert _numbers(adaptor) == ["1001", "1002"] and unknown.count([adaptor.id]) == 2
    assert _numbers(adaptor, limit=1) == ["1001"]
    assert _numbers(adaptor, after=first.id) == ["1002"]
    assert unknown.cases(["another"]) == [] and unknown.count([]) == 0


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (None, "The server here stopped on the way."),
        ("accepted", "The whole document was sent. The receiver's system has taken it; no later receipt has come."),
        ("unknown", "The document was sent, but the answer did not come."),
        ("unavailable", "The document provably did not arrive."),
        ("refused", "The receiver's server did not let us in, so nothing arrived."),
        ("rejected", "The whole document was sent, and the receiver said no."),
    ],
)
def test_each_try_says_how_far_its_bytes_came(unclear, outcome, words):
    row = unclear(outcome=outcome)
    [one] = _case(row).tries
    assert one.reach.en.startswith(words) and one.attempt.wire_ids == {"name": f"{row.idem_key}.xml"}


@pytest.mark.parametrize(
    ("replay", "polls", "ways", "who"),
    [
        (Replay.UNSAFE, False, (), Who.PERSON),
        (Replay.PROBE, False, (Way.FIND,), Who.MACHINE),
        (Replay.SAFE, False, (Way.REPEAT,), Who.MACHINE),
        (Replay.UNSAFE, True, (Way.STATUS,), Who.MACHINE),
        (Replay.PROBE, True, (Way.STATUS, Way.FIND), Who.MACHINE),
    ],
)
def test_what_can_be_asked_is_the_transports_own(unclear, partner, monkeypatch, replay, polls, ways, who):
    partner.replays = replay
    monkeypatch.setattr(partner, "polls", polls)
    next_at = None if who is Who.PERSON else utcnow() + timedelta(minutes=5)
    case = _case(unclear(remote_ref="R-1", next_at=next_at))
    assert case.ways == ways and case.next.who is who
    assert len(case.hints) == max(len(ways), 1)
    assert bool(ways) is actions.can_be_asked(case.delivery)


def test_receipts_that_may_still_come_are_told_of(unclear, partner, monkeypatch):
    monkeypatch.setattr(partner, "receives", True)
    monkeypatch.setattr(partner, "fetches", True)
    assert [hint.en.rpartition(". ")[2] for hint in _case(unclear()).hints[1:]] == [
        "It counts, even when it comes late.", "It counts, even when it comes late.",
    ]  # fmt: skip


@pytest.mark.parametrize("why", ["paused", "moved", "nobody"])
def test_where_nothing_can_be_asked_it_says_why(unclear, partner, gateway, why):
    partner.replays = Replay.UNSAFE if why == "nobody" else Replay.PROBE
    row = unclear()
    if why == "paused":
        gateway.paused_at = utcnow()
    if why == "moved":
        db.session.query(Attempt).one().place = "live/elsewhere"
    db.session.commit()
    case = _case(row)
    assert case.ways == () and case.may_send_again
    assert case.moved_since is (why == "moved")
    words = {"paused": "paused", "moved": "settings were changed", "nobody": "Call or write"}
    assert words[why] in case.hints[0].en


def test_sending_again_waits_for_the_answer_where_one_can_be_had(unclear, partner, monkeypatch):
    partner.replays = Replay.PROBE
    asked = []

    def find(_transport: Any, consignment: Any) -> None:
        asked.append(consignment.key)
        raise Unavailable(WORDS)

    monkeypatch.setattr(partner, "find", find)
    row = unclear()
    assert not _case(row).may_send_again and _case(row).asked == 0
    actions.ask_again(row, WHO)
    assert not _case(row).may_send_again, "it was only wanted so far"
    probing.probe_due()
    case = _case(row)
    assert asked == [row.idem_key] and case.may_send_again and case.asked == 1
    assert [(one.actor, one.text.en) for one in case.answers] == [
        (WHO, "It was wanted that the question be asked again."),
        ("system", "No clear answer."),
    ]


def test_an_answer_from_before_the_last_try_does_not_count(unclear, partner):
    partner.replays = Replay.PROBE
    row = unclear()
    with transaction():
        events.of_delivery("asked", row, answer="no", attempt=1)
    assert _case(row).asked == 1
    db.session.add(Attempt(delivery_id=row.id, number=2, fence=2, created_at=utcnow() - timedelta(hours=1)))
    db.session.commit()
    case = _case(row)
    assert (case.asked, case.may_send_again, [one.text.en for one in case.answers]) == (
        0, False, ["Answer: the receiver does not have it."],
    )  # fmt: skip


def test_our_own_id_is_not_told_as_the_receivers_number_nor_as_a_receipt(unclear):
    row = unclear()
    row.remote_ref = f"{row.idem_key}.xml"
    db.session.add(Receipt(delivery_id=row.id, kind="wire", reference=f"{row.idem_key}.xml", evidence={}))
    db.session.commit()
    assert (_case(row).number, _case(row).receipts) == (None, ())
    row.remote_ref = "R-1"
    db.session.commit()
    assert _case(row).number == "R-1"


def test_many_cases_cost_as_many_queries_as_few(adaptor, unclear):
    asked: list[str] = []
    adaptor_id = adaptor.id

    def cost() -> int:
        db.session.rollback()
        db.session.expire_all()
        asked.clear()
        unknown.cases([adaptor_id])
        return len(asked)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    unclear("1001")
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        one = cost()
        for number in ("1002", "1003", "1004"):
            unclear(number)
        assert cost() == one
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_what_the_partner_said_and_sent_is_there(unclear):
    row = unclear(error={"da": "Intet svar.", "en": "No answer."})
    db.session.add(Receipt(delivery_id=row.id, kind="mdn", reference="<a@b>", evidence={}))
    with transaction():
        events.of_delivery("late_receipt", row, reference="<a@b>", da="Sen.", en="Late.")
    case = _case(row)
    assert case.delivery.error["en"] == "No answer."
    assert [one.reference for one in case.receipts] == ["<a@b>"]
    assert [one.text.en for one in case.answers] == ["Late."]


def test_a_document_that_was_sent_anew_has_its_actions_on_its_own_page(unclear, make_delivery):
    row = unclear()
    assert _case(row).is_newest
    make_delivery(row.document, S.SUPERSEDED)
    assert not _case(row).is_newest
