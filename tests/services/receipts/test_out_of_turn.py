"""Posted receipts that come late, early, twice, or about somebody else's. Files are in ``test_matching``, responses in ``test_responses``."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.gateways.base import Incoming
from invoiceapp.models import (
    Attempt,
    Document,
    Gateway,
    IncomingMessage,
    IncomingState,
    Stage,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import moves
from invoiceapp.services.delivery.moves import Lease
from invoiceapp.services.export import actions
from invoiceapp.services.receipts import matching

S = DeliveryState
POSTED = {"as2-to": "us"}
WHO = "ejer@example.com"


def arrived(delivery, verdict="arrived", end="") -> bytes:
    return f"{delivery.idem_key} {verdict}{end}".encode()


def _after_a_day(message) -> IncomingState:
    db.session.execute(
        update(IncomingMessage)
        .where(IncomingMessage.id == message.id)
        .values(created_at=utcnow() - matching.PATIENCE - timedelta(minutes=1))
    )
    db.session.commit()
    matching.match_waiting()
    return db.session.get_one(IncomingMessage, message.id, populate_existing=True).state


# Late


@pytest.mark.parametrize("state", [S.OUTCOME_UNKNOWN, S.FAILED, S.ACCEPTED])
def test_a_late_receipt_settles_what_was_given_up_or_unknown(sent, arrive, left, posting, state):
    delivery = sent(state=state)
    assert arrive(arrived(delivery), POSTED).state is IncomingState.MATCHED
    assert (left(delivery).state, left(delivery).kinds) == (S.DELIVERED, ["mdn"])


@pytest.mark.parametrize("state", [S.SUPERSEDED, S.CANCELLED, S.REJECTED, S.ACKNOWLEDGED])
def test_a_late_receipt_for_what_has_ended_is_evidence_only(sent, arrive, left, posting, state):
    delivery = sent(state=state)
    assert arrive(arrived(delivery), POSTED).state is IncomingState.MATCHED
    found = left(delivery)
    assert (found.state, found.kinds, found.events) == (state, ["mdn"], ["late_receipt"])


def test_a_late_receipt_of_the_first_sending_leaves_the_second_alone(ready, arrive, left, posting):
    """A person has sent it again meanwhile: that the first arrived as well is told, and nothing else changes."""
    first = ready(state=S.OUTCOME_UNKNOWN)
    db.session.add(Attempt(delivery_id=first.id, number=1, fence=0, wire_ids={"name": f"{first.idem_key}.xml"}))
    db.session.commit()
    second_id = actions.send_again(first, WHO, "Køber har intet fået.")
    arrive(arrived(first), POSTED)
    assert (left(first).state, left(first).kinds) == (S.SUPERSEDED, ["mdn"])
    second = db.session.get_one(type(first), second_id, populate_existing=True)
    assert (second.state, left(second).kinds) == (S.PENDING, [])


def test_a_late_receipt_for_what_is_handled_outside_is_kept_and_opens_nothing(sent, arrive, left, posting):
    delivery = sent(state=S.OUTCOME_UNKNOWN)
    actions.handle_outside(delivery.document, WHO, "Sendt på mail.")
    arrive(arrived(delivery), POSTED)
    document = db.session.get_one(Document, delivery.document_id, populate_existing=True)
    assert (left(delivery).state, document.stage, document.status) == (S.DELIVERED, Stage.HANDLED, "handled")


# Early


def test_a_receipt_that_overtakes_our_own_record_counts_once_that_is_written(sent, arrive, left, posting):
    delivery = sent(state=S.SENDING)
    message = arrive(arrived(delivery, "acknowledged"), POSTED)
    assert (message.state, left(delivery).kinds) == (IncomingState.WAITING, [])
    with transaction():
        moves.move(Lease(delivery.id, delivery.gateway_id, delivery.fence), S.SENDING, S.ACCEPTED, moves.Mover.HOLDER)
    assert matching.match_waiting() == 1
    assert (left(delivery).state, left(delivery).kinds) == (S.ACKNOWLEDGED, ["mdn"])


# Twice


def test_the_same_receipt_again_is_counted_and_does_nothing(sent, arrive, left, posting):
    delivery = sent()
    first, again = (arrive(arrived(delivery), POSTED) for _ in range(2))
    assert (again.id, again.times) == (first.id, 2)
    assert (left(delivery).kinds, left(delivery).events) == (["mdn"], ["delivered"])


@pytest.mark.parametrize("then", ["arrived", "rejected"])
def test_another_receipt_after_the_last_word_is_evidence_and_changes_nothing(sent, arrive, left, posting, then):
    delivery = sent()
    arrive(arrived(delivery, "acknowledged"), POSTED)
    arrive(arrived(delivery, then, "\n"), POSTED)
    found = left(delivery)
    assert (found.state, found.kinds, found.events) == (
        S.ACKNOWLEDGED,
        ["mdn", "mdn"],
        ["acknowledged", "late_receipt"],
    )


# Foreign


@pytest.fixture
def other_gateway(gateway):
    """``other_gateway("ours" | "theirs")``: of the same company, or of another."""

    def make(whose: str) -> Gateway:
        tenant_id = gateway.subscription_id
        if whose == "theirs":
            tenant = Subscription(name="Fremmed A/S")
            db.session.add(tenant)
            db.session.flush()
            tenant_id = tenant.id
        row = Gateway(subscription_id=tenant_id, name="Anden", kind="fake", config={"host": "x"}, secrets={})
        db.session.add(row)
        db.session.commit()
        return row

    return make


@pytest.mark.parametrize("whose", ["ours", "theirs"])
@pytest.mark.parametrize("by", ["key", "reference"])
def test_a_receipt_at_another_gateway_never_answers_for_ours(
    sent, arrive, left, posting, other_gateway, monkeypatch, whose, by
):
    delivery = sent(remote_ref="R-1")
    if by == "reference":
        monkeypatch.setattr(posting, "key_of", lambda _self, _incoming: None)
        monkeypatch.setattr(posting, "reference_of", lambda _self, _incoming: "R-1")
    message = arrive(arrived(delivery), POSTED, at=other_gateway(whose))
    assert message.state is IncomingState.WAITING
    assert _after_a_day(message) is IncomingState.UNREADABLE
    assert (left(delivery).state, left(delivery).kinds) == (S.ACCEPTED, [])
    assert arrive(arrived(delivery), POSTED).state is IncomingState.MATCHED, "at its own gateway it does"


def test_a_receipt_without_any_id_of_ours_is_given_up_after_a_day(sent, arrive, left, posting, monkeypatch):
    monkeypatch.setattr(posting, "key_of", lambda _self, _incoming: None)
    assert posting.reference_of(posting.__new__(posting), Incoming("x", b"", {})) is None
    delivery = sent()
    message = arrive(arrived(delivery), POSTED)
    assert message.state is IncomingState.WAITING
    assert _after_a_day(message) is IncomingState.UNREADABLE
    assert left(delivery).kinds == []
