"""What went to a test gateway reached nobody: it approves no customer, and can be sent for real once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from support.moving import unguarded

from invoiceapp.domain.delivery import DeliveryState, Mover, may_move
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Unavailable, Unknown
from invoiceapp.models import Adaptor, Delivery, Document, Environment, Event, Gateway, Run, RunState, Stage, db
from invoiceapp.services.configuration import rules
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import actions, conversion, delivery, documents, trials
from invoiceapp.sources.base import SourceDocument

S = DeliveryState
TEST, LIVE = Environment.TEST, Environment.LIVE
WHO = "ejer@example.com"


def deliveries(document_id: str) -> list[Delivery]:
    db.session.expire_all()
    return list(db.session.scalars(select(Delivery).where(Delivery.document_id == document_id).order_by(Delivery.id)))


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def read_of(document: Document, **invoice: Any) -> SourceDocument:
    bundle = {**document.bundle, "invoice": {**document.bundle["invoice"], **invoice}}
    return SourceDocument(
        id=document.source_id, type=document.type, number=document.number, issue_date=document.issue_date,
        approved_at=None, customer_id=document.customer_source_id, customer_name=document.customer_name, currency="DKK",
        net=document.net, vat=document.vat, order_number=document.order_number, bundle=bundle,
    )  # fmt: skip


@pytest.fixture
def deliver(partner):
    """Convert and send whatever waits."""

    def go() -> None:
        conversion.convert_due()
        delivery.deliver_due()

    return go


@pytest.fixture
def tested(queued, adaptor, gateway, deliver) -> str:
    """A document that was delivered to the test gateway of a test adaptor; its id."""
    adaptor.environment = gateway.environment = TEST
    db.session.commit()
    key = queued().id
    deliver()
    [row] = deliveries(key)
    assert (row.state, row.environment) == (S.DELIVERED, TEST)
    return key


@pytest.fixture
def go_live(adaptor, gateway, subscription):
    """The adaptor is live, and the customer has a live gateway; its id. ``same``: the test gateway becomes it."""
    adaptor_id, gateway_id, subscription_id = adaptor.id, gateway.id, subscription.id

    def switch(document_id: str, *, same: bool = False) -> str:
        db.session.get_one(Adaptor, adaptor_id).environment = LIVE
        other = Gateway(
            subscription_id=subscription_id, name="Rigtig", kind="fake", config={"host": "y"}, secrets={},
            environment=LIVE,
        )  # fmt: skip
        live = db.session.get_one(Gateway, gateway_id) if same else other
        live.environment = LIVE
        db.session.add(live)
        db.session.commit()
        chosen, customer_id = live.id, again(document_id).customer_id
        rules.activate(adaptor_id, [customer_id], "peppol-bis-3", chosen)
        return chosen

    return switch


@pytest.fixture
def books(monkeypatch):
    """The source has the document as it was, or as ``books(orderNo=…)`` says."""

    def change(**invoice: Any) -> None:
        monkeypatch.setattr(actions, "read_again", lambda document: read_of(document, **invoice))

    change()
    return change


@pytest.fixture
def manual_export(adaptor):
    """A person's export of one document; what the run counted."""
    adaptor_id = adaptor.id

    def export(document_id: str, *, query: Any = ("numbers",), only_reads: bool = False) -> documents.Tally:
        with transaction() as session:
            one = session.get_one(Adaptor, adaptor_id, populate_existing=True)
            run = Run(
                subscription_id=one.subscription_id, adaptor_id=adaptor_id, state=RunState.FINISHED, trigger="manual",
                query={name: ["1001"] for name in query}, only_reads=only_reads, actor=WHO,
            )  # fmt: skip
            session.add(run)
            session.flush()
            return documents.ingest(run, one, [read_of(again(document_id))])

    return export


def copy_of(document_id: str, number: str) -> str:
    """Another document of the same customer, waiting to be converted."""
    first = again(document_id)
    kept = {
        column.key: getattr(first, column.key)
        for column in Document.__mapper__.column_attrs
        if column.key not in ("id", "created_at", "lease_token", "lease_until")
    }
    second = Document(**{**kept, "source_id": number, "number": number, "stage": Stage.QUEUED})
    db.session.add(second)
    db.session.commit()
    return second.id


def require_approval(adaptor_id: str) -> None:
    adaptor = db.session.get_one(Adaptor, adaptor_id)
    adaptor.settings = {"general": {"approveFirst": True}}
    db.session.commit()


class TestApproval:
    def test_a_document_that_only_went_to_a_test_gateway_approves_no_customer(self, tested, go_live, adaptor):
        adaptor_id = adaptor.id
        go_live(tested)
        require_approval(adaptor_id)
        second = copy_of(tested, "2002")
        conversion.convert_due()
        [row] = deliveries(second)
        assert row.state is S.BLOCKED and "IA-APPROVE-FIRST" in [found["rule"] for found in row.findings]

    def test_a_held_document_approves_no_customer_because_it_may_still_be_stopped(self, queued, adaptor, partner):
        adaptor_id, first = adaptor.id, queued().id
        adaptor.settings = {"general": {"holdMinutes": 600}}
        db.session.commit()
        conversion.convert_due()
        require_approval(adaptor_id)
        second = copy_of(first, "2002")
        conversion.convert_due()
        assert [row.state for row in deliveries(second)] == [S.BLOCKED]

    def test_one_that_has_left_for_real_approves_its_customer(self, queued, adaptor, deliver):
        adaptor_id, first = adaptor.id, queued().id
        deliver()
        require_approval(adaptor_id)
        second = copy_of(first, "2002")
        conversion.convert_due()
        assert [row.state for row in deliveries(second)] == [S.PENDING]

    @pytest.mark.parametrize("state", [S.FAILED, S.REJECTED])
    def test_one_that_nobody_took_approves_no_customer(self, queued, adaptor, deliver, state):
        adaptor_id, first = adaptor.id, queued().id
        deliver()
        [row] = deliveries(first)
        with unguarded():
            row.state = state
        require_approval(adaptor_id)
        second = copy_of(first, "2002")
        conversion.convert_due()
        assert [row.state for row in deliveries(second)] == [S.BLOCKED]


@pytest.mark.parametrize("same", [False, True], ids=["another gateway", "the test gateway made live"])
def test_a_tested_document_is_sent_for_real_once_with_a_key_of_its_own(
    tested, go_live, books, deliver, partner, same
):  # fmt: skip
    live = go_live(tested, same=same)
    actions.send_for_real(again(tested), WHO)
    deliver()
    test, real = deliveries(tested)
    assert (test.state, test.environment) == (S.SUPERSEDED, TEST)
    assert (real.state, real.environment, real.gateway_id, real.supersedes_id) == (S.DELIVERED, LIVE, live, test.id)
    assert len({sent.key for sent in partner.sent}) == len(partner.sent) == 2
    [event] = db.session.scalars(select(Event).where(Event.kind == "sent_for_real"))
    assert (event.delivery_id, event.actor) == (test.id, WHO)
    with pytest.raises(Conflict):
        actions.send_for_real(again(tested), WHO)
    deliver()
    assert len(partner.sent) == 2


def test_sending_for_real_takes_what_the_books_say_now(tested, go_live, books):
    go_live(tested)
    books(orderNo="PO-NEW")
    actions.send_for_real(again(tested), WHO)
    document = again(tested)
    assert document.bundle["invoice"]["orderNo"] == "PO-NEW" and document.stage is Stage.QUEUED


def test_sending_for_real_asks_for_the_approval_that_every_first_document_needs(tested, go_live, books, adaptor):
    adaptor_id = adaptor.id
    go_live(tested)
    require_approval(adaptor_id)
    actions.send_for_real(again(tested), WHO)
    conversion.convert_due()
    test, real = deliveries(tested)
    assert (test.state, real.state, real.environment) == (S.SUPERSEDED, S.BLOCKED, LIVE)
    actions.rebuild(again(tested), WHO)
    assert again(tested).stage is Stage.QUEUED, "its test is no obstacle to building it anew"


def test_while_the_customer_has_a_test_gateway_nothing_is_sent_for_real(tested, adaptor, books):
    adaptor.environment = LIVE
    db.session.commit()
    with pytest.raises(Conflict) as caught:
        actions.send_for_real(again(tested), WHO)
    assert "kun som test" in caught.value.text.da
    assert [row.state for row in deliveries(tested)] == [S.DELIVERED] and again(tested).stage is Stage.CONVERTED


def test_a_test_adaptor_sends_nothing_for_real(tested, go_live, adaptor, books):
    go_live(tested)
    db.session.get_one(Adaptor, adaptor.id).environment = TEST
    db.session.commit()
    with pytest.raises(Conflict):
        actions.send_for_real(again(tested), WHO)


@pytest.mark.parametrize("state", sorted(set(S) - trials.ENDED - {S.SUPERSEDED}))
def test_a_test_that_is_not_over_is_not_superseded(tested, go_live, books, state):
    go_live(tested)
    with unguarded():
        deliveries(tested)[0].state = state
    db.session.commit()
    with pytest.raises(Conflict):
        actions.send_for_real(again(tested), WHO)
    assert [row.state for row in deliveries(tested)] == [state]


@pytest.mark.parametrize("state", sorted(set(S) - {S.BLOCKED}))
def test_what_has_been_sent_for_real_is_never_taken_for_a_test(tested, go_live, books, make_delivery, state):
    live = go_live(tested)
    sent_at = deliveries(tested)[0].first_sent_at
    row = make_delivery(again(tested), S.CANCELLED, first_sent_at=sent_at)
    with unguarded():
        row.gateway_id, row.state = live, state
    db.session.commit()
    with pytest.raises(Conflict):
        actions.send_for_real(again(tested), WHO)


def test_persons_may_end_every_test_that_is_over():
    assert all(may_move(state, S.SUPERSEDED, Mover.PERSON) for state in trials.ENDED)


class TestManualExport:
    def test_it_sends_for_real_what_was_only_tested(self, tested, go_live, manual_export, deliver, partner):
        go_live(tested)
        assert manual_export(tested).queued == 1
        deliver()
        assert [(row.state, row.environment) for row in deliveries(tested)] == [
            (S.SUPERSEDED, TEST), (S.DELIVERED, LIVE),
        ]  # fmt: skip
        assert manual_export(tested).already_exported == 1
        deliver()
        assert len(partner.sent) == 2

    @pytest.mark.parametrize("run", [{"query": ()}, {"only_reads": True}], ids=["scheduled", "only reads"])
    def test_no_run_does_so_by_itself(self, tested, go_live, manual_export, run):
        go_live(tested)
        assert manual_export(tested, **run).queued == 0
        assert [row.state for row in deliveries(tested)] == [S.DELIVERED]

    def test_while_the_customer_has_a_test_gateway_it_is_exported_already(self, tested, adaptor, manual_export):
        adaptor.environment = LIVE
        db.session.commit()
        assert manual_export(tested).already_exported == 1
        assert [row.state for row in deliveries(tested)] == [S.DELIVERED]

    def test_what_a_person_took_out_stays_out(self, tested, go_live, manual_export):
        go_live(tested)
        with unguarded():
            deliveries(tested)[0].state = S.CANCELLED
        db.session.commit()
        assert manual_export(tested).queued == 0


class TestSendingAgain:
    def test_a_test_is_not_repeated_through_a_gateway_that_is_live_now(self, tested, go_live):
        go_live(tested, same=True)
        with pytest.raises(Conflict) as caught:
            actions.send_again(deliveries(tested)[0], WHO, "nu rigtigt")
        assert "Send rigtigt" in caught.value.text.da and [row.state for row in deliveries(tested)] == [S.DELIVERED]

    def test_a_real_sending_is_not_ended_by_a_test(self, queued, gateway, deliver):
        gateway_id, key = gateway.id, queued().id
        deliver()
        db.session.get_one(Gateway, gateway_id).environment = TEST
        db.session.commit()
        with pytest.raises(Conflict):
            actions.send_again(deliveries(key)[0], WHO, "igen")
        assert [(row.state, row.environment) for row in deliveries(key)] == [(S.DELIVERED, LIVE)]

    def test_a_test_may_be_repeated_as_a_test(self, tested):
        new = actions.send_again(deliveries(tested)[0], WHO, "igen")
        assert db.session.get_one(Delivery, new).environment is TEST


class TestEnvironment:
    def test_a_waiting_test_whose_gateway_became_live_is_a_real_one(self, queued, gateway, partner):
        gateway_id, key = gateway.id, queued().id
        gateway.environment = TEST
        db.session.commit()
        conversion.convert_due()
        db.session.get_one(Gateway, gateway_id).environment = LIVE
        db.session.commit()
        delivery.deliver_due()
        assert [(row.state, row.environment) for row in deliveries(key)] == [(S.DELIVERED, LIVE)]

    def test_what_may_have_reached_somebody_never_becomes_a_test(self, queued, gateway, partner):
        gateway_id, key = gateway.id, queued().id
        conversion.convert_due()
        partner.outcomes.append(Unknown(Text("Intet svar.", "No answer."), "lost"))
        delivery.deliver_due()
        db.session.get_one(Gateway, gateway_id).environment = TEST
        db.session.commit()
        [row] = deliveries(key)
        row.next_at = row.created_at
        db.session.commit()
        delivery.deliver_due()
        [row] = deliveries(key)
        assert len(partner.sent) == 1 and row.environment is LIVE
        assert row.state is DeliveryState.OUTCOME_UNKNOWN, "a person has to ask: the test server knows nothing of it"

    def test_what_provably_reached_nobody_becomes_a_test_where_the_gateway_does(self, queued, gateway, partner):
        gateway_id, key = gateway.id, queued().id
        conversion.convert_due()
        partner.outcomes.append(Unavailable(Text("Lukket.", "Closed."), "closed"))
        delivery.deliver_due()
        db.session.get_one(Gateway, gateway_id).environment = TEST
        db.session.commit()
        [row] = deliveries(key)
        row.next_at = row.created_at
        db.session.commit()
        delivery.deliver_due()
        [row] = deliveries(key)
        assert len(partner.sent) == 2 and row.environment is TEST
