"""One number of a seller leaves once: whichever adaptor reads the record, whichever record has the number, whoever is first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Delivery,
    Document,
    Environment,
    Event,
    ExportRule,
    Gateway,
    SentNumber,
    Stage,
    Subscription,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.configuration import releasing
from invoiceapp.services.database import transaction
from invoiceapp.services.delivery import numbers
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, conversion, delivery, elsewhere, standing
from invoiceapp.services.keeping import deleting

S = DeliveryState
WHO = "ejer@example.com"
Twin = Callable[..., Document]


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def only(document_id: str) -> Delivery:
    db.session.expire_all()
    return db.session.scalars(select(Delivery).where(Delivery.document_id == document_id)).one()


def rules_of(document_id: str) -> list[str]:
    return [found["rule"] for found in only(document_id).findings]


def send() -> int:
    conversion.convert_due()
    return delivery.deliver_due()


def sent(document: Document) -> Document:
    """It, after it has left."""
    key = document.id
    send()
    assert only(key).state is S.DELIVERED
    return again(key)


def holder_of_the_number() -> str:
    return db.session.scalars(select(SentNumber.document_id)).one()


class TestSameRecord:
    """The same books connected twice."""

    def test_it_is_skipped_with_words_that_name_the_other_adaptor(self, queued, copied, second, partner):
        first = sent(queued())
        key = copied(first, second()).id
        send()
        document = again(key)
        assert document.stage is Stage.SKIPPED and document.error["holder"] == first.id
        assert "»Billy«" in document.error["da"] and "“Billy”" in document.error["en"]
        assert len(partner.sent) == 1
        assert db.session.scalars(select(Event.kind).where(Event.document_id == key)).all() == ["skipped_elsewhere"]

    def test_a_person_may_send_it_anyway_with_a_reason(self, queued, copied, second, partner):
        first = sent(queued())
        key = copied(first, second()).id
        send()
        with pytest.raises(ServiceError):
            actions.send_anyway(again(key), WHO, " ")
        actions.send_anyway(again(key), WHO, "Aftalt med kunden")
        send()
        assert len(partner.sent) == 2 and only(key).state is S.DELIVERED
        assert holder_of_the_number() == first.id, "the first keeps its number"

    @pytest.mark.parametrize(("policy", "warnings"), [("warn", ["IA-SENT-ELSEWHERE"]), ("send", [])])
    def test_the_settings_may_let_it_go(self, policy, warnings, queued, copied, second, partner):
        first = sent(queued())
        key = copied(first, second(settings={"general": {"alreadyElsewhere": policy}})).id
        send()
        assert len(partner.sent) == 2 and [rule for rule in rules_of(key) if rule.startswith("IA-SENT")] == warnings

    def test_what_was_skipped_is_listed_again_when_the_settings_let_it_go(self, queued, copied, second, partner):
        first, other = sent(queued()), second()
        key = copied(first, other).id
        send()
        db.session.get_one(Adaptor, other).settings = {"general": {"alreadyElsewhere": "warn"}}
        db.session.commit()
        assert releasing.after_change(Document.id == key).listed == 1 and again(key).stage is Stage.LISTED

    def test_the_first_to_be_ready_has_it_where_both_are_converted_at_once(
        self, queued, copied, second, partner, monkeypatch
    ):
        """The look before the conversion finds nothing; the row decides."""
        key = queued().id
        twin = copied(again(key), second()).id
        monkeypatch.setattr(conversion.clearance, "other_way", lambda work: None)
        conversion.convert_due()
        monkeypatch.undo()
        stages = {again(one).stage for one in (key, twin)}
        assert stages == {Stage.CONVERTED, Stage.QUEUED} and db.session.query(Delivery).count() == 1

    def test_another_company_or_another_tenant_with_the_same_number_is_not_in_the_way(
        self, queued, copied, second, partner
    ):
        first = queued()
        stranger = Subscription(name="En anden")
        db.session.add(stranger)
        db.session.commit()
        other = second(organization={"id": "another", "name": "B", "registration_no": "87654321"})
        foreign = second(subscription_id=stranger.id)
        keys = [copied(first, other).id, copied(first, foreign, subscription_id=stranger.id).id]
        with transaction():
            found = [
                numbers.look(again(key), db.session.get_one(Adaptor, again(key).adaptor_id), env)
                for key in keys
                for env in Environment
            ]
            numbers.take(again(first.id), db.session.get_one(Adaptor, again(first.id).adaptor_id), Environment.LIVE)
        assert found == [None] * 4
        with transaction():
            assert all(
                numbers.take(again(key), db.session.get_one(Adaptor, again(key).adaptor_id), Environment.LIVE) is None
                for key in keys
            )
        assert db.session.query(SentNumber).count() == 3


class TestSameNumber:
    """A re-created invoice: another record, the same seller, type and number."""

    def test_it_is_blocked_and_names_the_other_document(self, queued, copied, partner):
        first = sent(queued())
        key = copied(first, source_id="new", number=f" {first.number} ").id
        send()
        [found] = [one for one in only(key).findings if one["severity"] == "fatal"]
        assert found["rule"] == "IA-NUMBER-TAKEN" and found["fix"] == f"document.{first.id}"
        assert first.number in found["text"]["da"] and len(partner.sent) == 1

    def test_a_person_may_send_it_anyway_beside_that_one_only(self, queued, copied, partner):
        first = sent(queued())
        key = copied(first, source_id="new").id
        send()
        actions.send_anyway(again(key), WHO, "En rigtig faktura mere")
        assert again(key).beside_id == first.id
        send()
        assert only(key).state is S.DELIVERED and len(partner.sent) == 2
        assert db.session.scalars(select(Event.data).where(Event.kind == "send_anyway")).one()["note"]

    def test_where_a_third_has_taken_the_number_meanwhile_a_person_is_asked_again(self, queued, copied, partner):
        first = sent(queued())
        key = copied(first, source_id="new").id
        again(key).beside_id = new_id()
        db.session.commit()
        send()
        assert "IA-NUMBER-TAKEN" in rules_of(key) and len(partner.sent) == 1

    def test_without_a_taken_number_nothing_is_sent_anyway(self, queued, partner):
        key = queued().id
        send()
        with pytest.raises(Conflict):
            actions.send_anyway(again(key), WHO, "x")

    def test_it_goes_once_the_first_can_no_longer_arrive(self, queued, copied, partner):
        first = queued().id
        conversion.convert_due()
        actions.cancel(only(first), WHO, "")
        key = copied(again(first), source_id="new").id
        send()
        assert only(key).state is S.DELIVERED and holder_of_the_number() == key

    def test_the_first_that_was_let_go_does_not_leave_beside_it(self, ready, make_document, partner):
        """It failed, another took the number and left, and then somebody tries the first once more."""
        failed = ready("1", S.FAILED, first_sent_at=utcnow(), tries=8)
        other = ready("1")
        assert delivery.deliver_due() == 1 and other.state is S.DELIVERED
        actions.try_again(failed, WHO)
        delivery.deliver_due()
        row = only(failed.document_id)
        assert row.state is S.FAILED and row.error["class"] == elsewhere.CLASS and len(partner.sent) == 1
        actions.send_anyway(again(failed.document_id), WHO, "Kunden mangler den")
        delivery.deliver_due()
        assert only(failed.document_id).state is S.DELIVERED and len(partner.sent) == 2

    def test_sending_the_same_document_again_keeps_its_number(self, ready, partner):
        row = ready("1")
        delivery.deliver_due()
        actions.send_again(only(row.document_id), WHO, "Kunden har mistet den")
        delivery.deliver_due()
        assert len(partner.sent) == 2 and holder_of_the_number() == row.document_id

    def test_the_last_look_sends_what_never_left_back_to_its_conversion(self, ready, partner):
        """Made before there were such rows: the worker finds out."""
        first, late = ready("1"), ready("1")
        assert delivery.deliver_due() == 2
        assert only(first.document_id).state is S.DELIVERED and len(partner.sent) == 1
        assert only(late.document_id).state is S.BLOCKED and again(late.document_id).stage is Stage.QUEUED


class TestWhoKeepsTheNumber:
    """What is over lets go, by whatever way it ended; what may have arrived never does."""

    @pytest.fixture
    def keeps(self, ready):
        """``keeps(state, outcome, environment)``: whether a real sending keeps its number from another document."""
        count = iter(range(100))

        def ask(state: S, outcome: str | None = "none", environment: Environment = Environment.LIVE) -> bool:
            number = str(next(count))
            row, later = ready(number, state, environment=Environment.LIVE), ready(number, S.BLOCKED)
            if outcome != "none":
                db.session.add(Attempt(delivery_id=row.id, number=1, fence=1, outcome=outcome))
            books = db.session.get_one(Adaptor, row.adaptor_id)
            with transaction():
                assert numbers.take(row.document, books, environment) is None
            with transaction():
                seen = numbers.look(later.document, books, environment)
                holder = numbers.take(later.document, books, environment)
            assert seen == holder and (holder is None or holder.document_id == row.document_id)
            return holder is not None

        return ask

    def test_only_under_way_arrived_or_unknown_keeps_it(self, keeps):
        assert {state for state in S if keeps(state)} == numbers.HOLDING

    def test_what_may_have_arrived_before_a_person_ended_it_keeps_it(self, keeps):
        outcomes = (None, "unknown", "accepted", "unavailable", "rejected")
        kept = {
            (state, outcome) for state in (S.CANCELLED, S.SUPERSEDED) for outcome in outcomes if keeps(state, outcome)
        }
        assert kept == {(state, outcome) for state in (S.CANCELLED, S.SUPERSEDED) for outcome in outcomes[:3]}

    def test_a_real_sending_keeps_no_number_of_tests(self, keeps):
        assert not keeps(S.DELIVERED, environment=Environment.TEST)

    def test_retention_lets_it_go(self, ready, partner):
        row = ready("1")
        delivery.deliver_due()
        with transaction():
            deleting.delete_documents([row.document_id])
        assert db.session.query(SentNumber).count() == 0


def test_of_two_workers_with_the_same_number_one_sends(app, ready, partner, gateway):
    """Both hold a lease; both want to commit their attempt at the same moment."""
    for number in "1", "1":
        ready(number)
    leases = delivery.claim()
    opened = standing.opened(db.session.get_one(Gateway, gateway.id))
    db.session.commit()
    start = threading.Barrier(2)

    def begin(lease: delivery.Lease) -> bool:
        with app.app_context():
            start.wait()
            try:
                delivery.begin(lease, {}, opened)
            except elsewhere.NumberTaken:
                return False
            finally:
                db.session.remove()
            return True

    with ThreadPoolExecutor(2) as pool:
        begun = list(pool.map(begin, leases))
    db.session.expire_all()
    assert sorted(begun) == [False, True] and db.session.query(Attempt).count() == 1
    sending = db.session.scalars(select(Delivery).where(Delivery.state == S.SENDING)).one()
    assert sending.document_id == holder_of_the_number()


class TestOneDocument:
    """The same document through two gateways."""

    @pytest.mark.parametrize("state", [S.DELIVERED, S.OUTCOME_UNKNOWN])
    def test_moved_to_another_gateway_it_is_not_sent_there_too(self, state, queued, gateway, make_delivery, partner):
        document = queued()
        key, rule = document.id, db.session.query(ExportRule).one()
        make_delivery(document, state, next_at=None)
        other = Gateway(
            subscription_id=gateway.subscription_id, name="To", kind="fake", config={"host": "b"}, secrets={}
        )
        db.session.add(other)
        db.session.flush()
        rule.gateway_id = other.id
        db.session.commit()
        conversion.convert_due()
        assert only(key).state is state and again(key).stage is Stage.CONVERTED

    def test_a_second_record_finds_the_number_taken_by_another_gateway(self, queued, copied, gateway, partner):
        first = queued()
        send()
        other = Gateway(
            subscription_id=gateway.subscription_id, name="To", kind="fake", config={"host": "b"}, secrets={}
        )
        db.session.add(other)
        db.session.flush()
        db.session.execute(update(ExportRule).values(gateway_id=other.id))
        db.session.commit()
        key = copied(again(first.id), source_id="new").id
        send()
        assert "IA-NUMBER-TAKEN" in rules_of(key) and len(partner.sent) == 1
