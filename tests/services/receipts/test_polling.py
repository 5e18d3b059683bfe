"""Partners are asked until nothing more is to be expected: one worker at a time, with no transaction open."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest
from support.responses import response

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import (
    Incoming,
    LaterReceipt,
    Receipt,
    Refused,
    Unavailable,
    Verdict,
    registry,
)
from invoiceapp.jobs import tasks
from invoiceapp.models import Attempt, Delivery, Event, Gateway, IncomingState, db, utcnow
from invoiceapp.models import Receipt as ReceiptRow
from invoiceapp.services import bell
from invoiceapp.services.configuration import gateways
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.export import recovery, slots
from invoiceapp.services.export.delivery import deliver_due
from invoiceapp.services.receipts import polling, questions

S = DeliveryState
WORDS = Text("Ord.", "Words.")


@pytest.fixture
def polled(partner, monkeypatch):
    """A provider that is asked: ``answers`` in order, then "on its way"; ``given`` are its responses."""

    class Provider(partner):
        polls: ClassVar[bool] = True
        receives: ClassVar[bool] = True
        networks: ClassVar[frozenset[Network]] = frozenset({Network.PEPPOL})
        answers: ClassVar[list[LaterReceipt | Exception]] = []
        given: ClassVar[list[bytes]] = []
        asked: ClassVar[list[tuple[str, str | None]]] = []

        def status(self, reference, wire_ids):
            assert not db.session().in_transaction(), "no transaction may be open while the partner is asked"
            self.asked.append((reference, wire_ids.get("name")))
            answer = self.answers.pop(0) if self.answers else said(Verdict.ON_ITS_WAY)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def responses(self, reference) -> Iterator[Incoming]:
            for content in self.given:
                assert not db.session().in_transaction(), "no transaction may be open while the partner is asked"
                yield Incoming(reference, content)

        def reference_of(self, incoming):
            return incoming.content.decode() if incoming.content.startswith(b"ref-") else None

        def read(self, incoming, wire_ids):
            return said(Verdict.HINT)

    monkeypatch.setitem(registry(), "fake", Provider)
    return Provider


def said(verdict, text=None, **evidence):
    return LaterReceipt(verdict, "provider-9", evidence, text)


@pytest.fixture
def taken(ready, polled):
    """``taken(number, state)``: a delivery that the provider has, to be asked about now."""

    def make(number="1001", state=S.ACCEPTED, **columns):
        values = {"poll_at": utcnow() - timedelta(seconds=1), "finished_at": utcnow(), "first_sent_at": utcnow()}
        delivery = ready(number, state, next_at=None, remote_ref=f"ref-{number}", **{**values, **columns})
        wire_ids = {"name": f"{delivery.idem_key}.xml"}
        db.session.add(Attempt(delivery_id=delivery.id, number=1, fence=1, wire_ids=wire_ids, outcome="accepted"))
        db.session.commit()
        return delivery

    return make


def now(delivery):
    db.session.rollback()
    return db.session.get_one(Delivery, delivery.id, populate_existing=True)


def due_again(delivery):
    db.session.execute(db.update(Delivery).where(Delivery.id == delivery.id).values(poll_at=utcnow()))
    db.session.commit()


def pause_of(delivery):
    """Seconds until the next question, to the nearest ten."""
    return round((now(delivery).poll_at - utcnow()).total_seconds(), -1)


def events(delivery):
    return [one.kind for one in db.session.query(Event).filter_by(delivery_id=delivery.id).order_by(Event.id)]


def receipts(delivery):
    return [one.kind for one in db.session.query(ReceiptRow).filter_by(delivery_id=delivery.id).order_by(ReceiptRow.id)]


def test_an_accepted_delivery_is_asked_about_half_a_minute_later(ready, polled):
    delivery = ready()
    polled.outcomes = [Receipt("ref-1", {}, proves_arrival=False, final=False, due=timedelta(hours=1))]
    deliver_due()
    row = now(delivery)
    assert (row.state, pause_of(delivery), row.polls) == (S.ACCEPTED, 30, 0)
    assert db.session.query(Event).filter_by(kind="accepted").one().data["by"] == "provider"


def test_where_the_partner_cannot_be_asked_nothing_is_planned(ready, partner):
    delivery = ready()
    deliver_due()
    assert now(delivery).poll_at is None
    assert "by" not in db.session.query(Event).filter_by(kind="delivered").one().data


def test_a_yes_moves_it_and_is_evidence(taken, polled):
    delivery = taken()
    polled.answers = [said(Verdict.ARRIVED, status="delivered")]
    assert polling.poll_due() == 1
    row = now(delivery)
    assert (row.state, row.polls, row.lease_owner) == (S.DELIVERED, 1, None)
    assert (events(delivery), receipts(delivery)) == (["delivered"], ["status"])
    assert db.session.query(Event).filter_by(kind="delivered").one().data["by"] == "network"
    assert polled.asked == [("ref-1001", f"{delivery.idem_key}.xml")]
    assert pause_of(delivery) == 86_400


def test_a_no_ends_the_questions(taken, polled):
    delivery = taken()
    polled.answers = [said(Verdict.REJECTED, WORDS)]
    polling.poll_due()
    row = now(delivery)
    assert (row.state, row.poll_at, row.error["en"]) == (S.REJECTED, None, "Words.")
    assert polling.poll_due() == 0


def test_the_pauses_grow_by_the_plan(taken, polled):
    delivery = taken()
    seen = []
    for _ in range(len(questions.PLAN) + 1):
        polling.poll_due()
        seen.append(pause_of(delivery))
        due_again(delivery)
    assert seen == [*questions.PLAN, questions.PLAN[-1]]


def test_what_is_said_again_and_again_is_told_once(taken, polled):
    delivery = taken()
    busy = Text("Ligger i kø hos modtageren.", "Waits at the receiver.")
    polled.answers = [
        said(Verdict.ON_ITS_WAY), said(Verdict.ON_ITS_WAY, busy), said(Verdict.ON_ITS_WAY, busy),
        said(Verdict.ARRIVED), said(Verdict.ARRIVED), said(Verdict.HINT),
    ]  # fmt: skip
    for _ in range(6):
        polling.poll_due()
        due_again(delivery)
    assert len(polled.asked) == 6
    assert events(delivery) == ["said", "delivered"]
    assert receipts(delivery) == ["status", "status"]


def test_the_buyers_answer_that_the_provider_holds_is_kept_and_counts(taken, polled):
    delivery = taken()
    polled.answers, polled.given = [said(Verdict.ARRIVED)], [response("BusinessAccept")]
    polling.poll_due()
    assert now(delivery).state is S.ACKNOWLEDGED
    assert (events(delivery), receipts(delivery)) == (["delivered", "acknowledged"], ["status", "application_response"])
    due_again(delivery)
    polling.poll_due()
    assert len(events(delivery)) == 2


def test_a_stranger_who_posts_the_buyers_answer_first_does_not_keep_it_from_counting(taken, polled, arrive):
    delivery = taken()
    early = arrive(response(), {"content-type": "application/xml"})
    assert early.state is not IncomingState.MATCHED
    polled.given.append(response())
    polling.poll_due()
    assert now(delivery).state is S.ACKNOWLEDGED
    assert arrive(response(), {"content-type": "text/xml"}).state is IncomingState.MATCHED


def test_buyers_answers_are_asked_for_daily_for_a_month(taken, polled):
    delivery = taken(state=S.DELIVERED)
    polling.poll_due()
    assert pause_of(delivery) == 86_400
    delivery.finished_at = utcnow() - questions.PATIENCE - timedelta(hours=1)
    db.session.commit()
    due_again(delivery)
    polling.poll_due()
    assert now(delivery).poll_at is None


def test_a_providers_summary_adds_nothing_to_the_buyers_own_words(taken, polled):
    delivery = taken()
    polled.answers, polled.given = [said(Verdict.ACKNOWLEDGED)], [response("BusinessAccept")]
    polling.poll_due()
    assert (events(delivery), receipts(delivery)) == (["acknowledged"], ["application_response"])


def test_the_reason_of_a_no_that_was_posted_is_fetched_once(taken, polled):
    delivery = taken(state=S.REJECTED)
    polled.answers, polled.given = [said(Verdict.REJECTED)], [response("BusinessReject")]
    polling.poll_due()
    assert (now(delivery).state, now(delivery).poll_at) == (S.REJECTED, None)
    assert receipts(delivery) == ["application_response"]


@pytest.mark.parametrize("state", [S.PENDING, S.SENDING, S.CANCELLED, S.SUPERSEDED, S.FAILED])
def test_what_is_over_or_under_way_is_not_asked_about(taken, polled, state):
    taken(state=state)
    assert polling.poll_due() == 0
    assert polled.asked == []


def test_an_overdue_delivery_is_unknown_and_a_late_yes_is_believed(taken, polled):
    delivery = taken()
    delivery.next_at = utcnow() - timedelta(hours=1)
    db.session.commit()
    assert recovery.expire_receipts() == 1
    assert now(delivery).state is S.OUTCOME_UNKNOWN
    polling.poll_due()
    assert now(delivery).state is S.OUTCOME_UNKNOWN
    due_again(delivery)
    polled.answers = [said(Verdict.ARRIVED)]
    polling.poll_due()
    assert now(delivery).state is S.DELIVERED


def test_while_the_gateway_is_paused_nothing_is_asked_and_nothing_is_overdue(taken, polled, gateway):
    delivery = taken()
    delivery.next_at = utcnow() - timedelta(hours=1)
    db.session.commit()
    gateways.pause_by_person(gateway.id, "ida@example.com")
    assert polling.poll_due() == 0
    assert recovery.expire_receipts() == 0
    gateways.resume(gateway.id)
    assert recovery.expire_receipts() == 0
    polled.answers = [said(Verdict.ARRIVED)]
    polling.poll_due()
    assert now(delivery).state is S.DELIVERED


def test_two_workers_ask_once(taken, polled):
    delivery = taken()
    first = questions.due(5)
    db.session.rollback()
    assert questions.claim(first[0])
    assert not questions.claim(first[0])
    assert polling.poll_due() == 0
    assert polled.asked == []
    assert now(delivery).lease_owner


def test_a_worker_that_died_while_asking_is_replaced(taken, polled):
    delivery = taken()
    questions.claim(questions.due(1)[0])
    due_again(delivery)
    assert polling.poll_due() == 1
    assert len(polled.asked) == 1
    assert now(delivery).lease_owner is None


@pytest.mark.parametrize(
    ("error", "pause"),
    [(Unavailable(WORDS, "cut"), 300), (Unavailable(WORDS, retry_after=900), 900), (RuntimeError("ours"), 300)],
)
def test_without_an_answer_it_is_asked_later_and_nothing_moves(taken, polled, gateway, caplog, error, pause):
    delivery, other = taken(), taken("1002", poll_at=utcnow())
    polled.answers = [error]
    with caplog.at_level(logging.WARNING):
        assert polling.poll_due() == 2
    assert (now(delivery).state, pause_of(delivery)) == (S.ACCEPTED, pause)
    assert events(delivery) == [] and delivery.id in caplog.text
    assert len(polled.asked) == 2 and pause_of(other) == 60
    assert not db.session.get_one(Gateway, gateway.id).is_paused


def test_a_refused_login_pauses_the_gateway_and_nothing_more_is_asked(taken, polled, gateway):
    taken(), taken("1002")
    polled.answers = [Refused(WORDS)]
    polling.poll_due()
    assert len(polled.asked) == 1
    assert db.session.get_one(Gateway, gateway.id, populate_existing=True).is_paused
    assert polling.poll_due() == 0


def test_where_all_connections_to_the_machine_are_taken_it_is_asked_soon(taken, polled):
    delivery = taken()
    with slots.taken("partner.example", 2), slots.taken("partner.example", 2):
        polling.poll_due()
    assert polled.asked == []
    assert now(delivery).poll_at - utcnow() < timedelta(seconds=30)
    assert now(delivery).polls == 0


def test_secrets_that_the_partner_replaced_while_asked_are_kept(taken, polled, gateway, monkeypatch):
    def status(self, reference, wire_ids):
        self.renewed["password"] = "new"
        return said(Verdict.ARRIVED)

    monkeypatch.setattr(polled, "status", status)
    taken()
    polling.poll_due()
    db.session.rollback()
    assert gateways.unsealed(db.session.get_one(Gateway, gateway.id, populate_existing=True))["password"] == "new"


def test_a_hint_brings_the_question_forward_and_moves_nothing(taken, polled, arrive):
    delivery = taken(poll_at=utcnow() + timedelta(hours=6))
    assert polling.poll_due() == 0
    message = arrive(b"ref-1001", {"content-type": "text/plain"})
    assert message.state is IncomingState.MATCHED and "there is news" in message.outcome[0]["en"]
    assert now(delivery).state is S.ACCEPTED and events(delivery) == []
    assert polling.poll_due() == 1


def test_the_same_hint_again_is_news_again(taken, polled, arrive):
    taken(poll_at=None)
    for count in (1, 2):
        arrive(b"ref-1001", {"content-type": "text/plain"})
        polling.poll_due()
        assert len(polled.asked) == count


def test_a_hint_while_it_is_being_asked_waits_for_the_answer(taken, polled, arrive):
    delivery = taken()
    question = questions.due(1)[0]
    questions.claim(question)
    message = arrive(b"ref-1001", {"content-type": "text/plain"})
    assert message.state is IncomingState.WAITING
    questions.settle(question)
    assert arrive(b"ref-1001", {"content-type": "text/plain"}).state is IncomingState.MATCHED
    assert now(delivery).poll_at <= utcnow()


def test_a_hint_about_nothing_of_ours_waits(taken, arrive):
    taken()
    assert arrive(b"ref-9999", {"content-type": "text/plain"}).state is IncomingState.WAITING


def test_the_tick_rings_for_what_is_to_be_asked_and_the_task_asks(taken, polled, monkeypatch):
    rung = []
    monkeypatch.setattr(bell, "ring", lambda task, *ids: bool(rung.append(task)) or True)
    tick()
    assert "poll" not in rung
    delivery = taken()
    tick()
    assert "poll" in rung
    tasks.poll()
    assert len(polled.asked) == 1
    rung.clear()
    tick()
    assert "poll" not in rung and now(delivery).polls == 1


def test_a_question_is_no_change_of_the_delivery(taken, polled):
    delivery = taken()
    before = now(delivery).updated_at
    polling.poll_due()
    assert now(delivery).updated_at == before
