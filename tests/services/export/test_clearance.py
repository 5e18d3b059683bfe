"""What keeps a document back that every format would take: types, own sendings, environments, approval, the hold."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Environment, Event, Rendition, Stage, db, utcnow
from invoiceapp.services.configuration import rules, saving
from invoiceapp.services.daily import causes
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, archive, conversion, delivery, outbox
from invoiceapp.sources.base import Channel, NotFound, SentItself, SourceUnavailable

S = DeliveryState
WHO = "ejer@example.com"
MAILED = SentItself(
    Channel.EMAIL, None, "sentState: opened", Text("kunden har åbnet det", "the customer has opened it")
)
EINVOICED = SentItself(
    Channel.EINVOICE,
    datetime(2026, 7, 30, 16, tzinfo=UTC),
    "received: Delivered.",
    Text("det er modtaget", "it was received"),
)


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def deliveries(document_id: str) -> list[Delivery]:
    db.session.expire_all()
    return list(db.session.scalars(select(Delivery).where(Delivery.document_id == document_id).order_by(Delivery.id)))


def only(document_id: str) -> Delivery:
    [row] = deliveries(document_id)
    return row


def fatal(row: Delivery) -> list[str]:
    return [found["rule"] for found in row.findings if found["severity"] == "fatal"]


def rules_of(row: Delivery) -> list[str]:
    return [found["rule"] for found in row.findings]


def customer_of(document: Document) -> Customer:
    return db.session.get_one(Customer, document.customer_id)


def events(document_id: str) -> list[str]:
    return list(db.session.scalars(select(Event.kind).where(Event.document_id == document_id).order_by(Event.id)))


@pytest.fixture
def settings(adaptor):
    """``settings(**general)``: common settings of the group General."""

    adaptor_id = adaptor.id

    def keep(**general):
        # A conversion lets go of the rows that it read.
        db.session.get_one(Adaptor, adaptor_id).settings = {"general": general}
        db.session.commit()

    return keep


class TestDocumentTypes:
    def test_a_type_that_was_excluded_meanwhile_is_listed_and_not_sent(self, queued, settings):
        key = queued().id
        settings(documentTypes="credit-notes")
        conversion.convert_due()
        assert again(key).stage is Stage.LISTED and deliveries(key) == [] and events(key) == ["excluded"]

    def test_the_customers_own_setting_wins(self, queued, settings, rule_of):
        document = queued()
        key = document.id
        settings(documentTypes="credit-notes")
        rule_of(document).settings = {"general": {"documentTypes": "both"}}
        db.session.commit()
        conversion.convert_due()
        assert only(key).state is S.PENDING

    def test_a_blocked_delivery_of_an_excluded_document_is_over(self, queued, settings, adaptor):
        key = queued().id
        settings(approveFirst=True)
        conversion.convert_due()
        assert only(key).state is S.BLOCKED
        settings(documentTypes="credit-notes")
        rules.release_all_blocked(adaptor.id)
        conversion.convert_due()
        assert only(key).state is S.SUPERSEDED and causes.of_adaptor(adaptor.id) == []


class TestOwnSendings:
    def test_what_the_settings_do_not_want_to_know_is_not_asked(self, queued, settings, shelf):
        settings(alreadyMailed="send", alreadyEinvoiced="send")
        queued()
        conversion.convert_due()
        assert shelf.asked_about == []

    def test_each_channel_is_asked_about_by_its_own_setting(self, queued, settings, shelf):
        settings(alreadyMailed="send")
        queued()
        conversion.convert_due()
        assert shelf.asked_about == [frozenset({Channel.EINVOICE})]

    def test_a_skipped_document_has_words_and_no_delivery(self, queued, shelf, adaptor):
        shelf.sent = [EINVOICED]
        key = queued().id
        conversion.convert_due()
        document = again(key)
        assert document.stage is Stage.SKIPPED and deliveries(key) == [] and events(key) == ["skipped"]
        assert "som e-faktura den 30.07.2026 kl. 18.00" in document.error["da"] and "received" in document.error["en"]
        assert document.lease_token is None and shelf.asked == [], "no PDF is fetched for what is not sent"
        assert conversion.convert_due() == 0 and causes.of_adaptor(adaptor.id) == []

    def test_by_default_what_was_mailed_goes_out_with_a_warning(self, queued, shelf):
        shelf.sent = [MAILED]
        key = queued().id
        conversion.convert_due()
        row = only(key)
        [found] = [found for found in row.findings if found["rule"] == "IA-ALREADY-SENT"]
        assert row.state is S.PENDING and found["severity"] == "warning" and "på e-mail" in found["text"]["da"]
        assert found["fix"] == "general.alreadyMailed" and "opened" in found["text"]["en"]

    def test_one_channel_to_skip_is_enough(self, queued, shelf):
        shelf.sent = [MAILED, EINVOICED]
        key = queued().id
        conversion.convert_due()
        assert again(key).stage is Stage.SKIPPED and "e-mail" not in again(key).error["da"]

    def test_a_blocked_delivery_of_a_skipped_document_is_over(self, queued, settings, shelf, adaptor):
        settings(approveFirst=True)
        key = queued().id
        conversion.convert_due()
        shelf.sent = [EINVOICED]
        rules.release_all_blocked(adaptor.id)
        conversion.convert_due()
        assert only(key).state is S.SUPERSEDED and again(key).stage is Stage.SKIPPED

    def test_a_source_that_cannot_answer_keeps_the_document_waiting(self, queued, shelf):
        shelf.sent = SourceUnavailable(Text("Billy svarer ikke.", "Billy does not answer."))
        key = queued().id
        conversion.convert_due()
        assert again(key).stage is Stage.QUEUED and again(key).error["en"] == "Billy does not answer."
        assert deliveries(key) == []

    def test_what_the_source_no_longer_has_goes_out_as_it_was_approved(self, queued, shelf):
        shelf.sent = NotFound(Text("Væk.", "Gone."))
        key = queued().id
        conversion.convert_due()
        assert only(key).state is S.PENDING

    def test_a_person_may_send_it_anyway_with_a_reason(self, queued, shelf):
        shelf.sent = [EINVOICED]
        key = queued().id
        conversion.convert_due()
        with pytest.raises(ServiceError):
            actions.send_anyway(again(key), WHO, " ")
        assert again(key).stage is Stage.SKIPPED
        actions.send_anyway(again(key), WHO, "kunden fik den ikke")
        asked = len(shelf.asked_about)
        conversion.convert_due()
        assert only(key).state is S.PENDING and len(shelf.asked_about) == asked
        assert "send_anyway" in events(key) and again(key).send_anyway
        [event] = db.session.scalars(select(Event).where(Event.kind == "send_anyway"))
        assert event.actor == WHO and event.data["note"] == "kunden fik den ikke"
        with pytest.raises(Conflict):
            actions.send_anyway(again(key), WHO, "igen")


class TestEnvironments:
    @pytest.fixture
    def test_adaptor(self, adaptor):
        adaptor.environment = Environment.TEST
        db.session.commit()
        return adaptor

    def test_a_test_adaptor_sends_nothing_to_a_live_gateway(self, queued, test_adaptor, partner):
        key = queued().id
        conversion.convert_due()
        row = only(key)
        assert row.state is S.BLOCKED and fatal(row) == ["IA-ENVIRONMENT"]
        assert delivery.deliver_due() == 0 and partner.sent == []

    def test_a_test_adaptor_reaches_a_test_gateway(self, queued, test_adaptor, gateway, partner):
        gateway.environment = Environment.TEST
        db.session.commit()
        key = queued().id
        conversion.convert_due()
        delivery.deliver_due()
        assert only(key).state is S.DELIVERED

    def test_an_adaptor_switched_to_test_during_a_conversion_sends_nothing(self, queued, adaptor, meanwhile, partner):
        key, adaptor_id = queued().id, adaptor.id

        def switch():
            db.session.get_one(Adaptor, adaptor_id).environment = Environment.TEST

        meanwhile(switch)
        conversion.convert_due()
        assert again(key).stage is Stage.QUEUED and deliveries(key) == []
        conversion.convert_due()
        assert fatal(only(key)) == ["IA-ENVIRONMENT"] and delivery.deliver_due() == 0


class TestApproval:
    def test_the_first_document_to_a_customer_waits_for_a_person(self, queued, settings, adaptor):
        settings(approveFirst=True)
        first, second = queued("1001"), queued("1002")
        other = first.customer_id != second.customer_id
        keys = [first.id, second.id]
        conversion.convert_due()
        assert [fatal(only(key)) for key in keys] == [["IA-APPROVE-FIRST"]] * 2
        found = causes.of_adaptor(adaptor.id)
        assert len(found) == 1 + other and {problem.fix for problem in found} == {"customer.approval"}
        assert all(problem.customer_name for problem in found)

    def test_an_approval_lets_all_of_that_customer_go_and_those_that_follow(
        self, queued, settings, rule_of, make_document
    ):
        settings(approveFirst=True)
        key = queued().id
        conversion.convert_due()
        assert actions.approve_customer(again(key), WHO) == 1
        rule = rule_of(again(key))
        assert rule.approved_by == WHO and rule.approved_at is not None
        conversion.convert_due()
        assert only(key).state is S.PENDING and "IA-APPROVE-FIRST" not in rules_of(only(key))
        assert "approved" in events(key)
        approved_at = rule.approved_at
        assert actions.approve_customer(again(key), "andre@example.com") == 0
        assert rule_of(again(key)).approved_at == approved_at and rule_of(again(key)).approved_by == WHO

    def test_a_customer_that_has_had_a_document_needs_no_approval(self, queued, settings, make_document, make_delivery):
        document = queued()
        key = document.id
        make_delivery(make_document(customer_of(document), "900"), S.ACCEPTED, next_at=None)
        settings(approveFirst=True)
        conversion.convert_due()
        assert only(key).state is S.PENDING

    @pytest.mark.parametrize("state", [S.BLOCKED, S.FAILED, S.REJECTED, S.CANCELLED])
    def test_what_never_arrived_is_no_first_document(self, queued, settings, make_document, make_delivery, state):
        document = queued()
        key = document.id
        make_delivery(make_document(customer_of(document), "900"), state, next_at=None)
        settings(approveFirst=True)
        conversion.convert_due()
        assert only(key).state is S.BLOCKED

    def test_other_errors_are_shown_beside_it(self, queued, settings):
        settings(approveFirst=True)

        def without_lines(bundle):
            bundle["invoice"]["lines"] = []

        key = queued("1001", without_lines).id
        conversion.convert_due()
        assert {"IA-APPROVE-FIRST"} < set(fatal(only(key)))

    def test_an_approval_during_a_conversion_is_not_missed(self, queued, settings, meanwhile):
        settings(approveFirst=True)
        key = queued().id
        meanwhile(lambda: actions.approve_customer(again(key), WHO))
        conversion.convert_due()
        conversion.convert_due()
        assert only(key).state is S.PENDING

    def test_a_customer_without_a_rule_cannot_be_approved(self, make_customer, make_document):
        with pytest.raises(Conflict):
            actions.approve_customer(make_document(make_customer(active=None)), WHO)


class TestHold:
    def test_a_document_waits_as_long_as_the_settings_say(self, queued, settings, partner):
        settings(holdMinutes=90)
        key = queued().id
        before = utcnow()
        conversion.convert_due()
        row = only(key)
        assert row.state is S.PENDING and timedelta(minutes=89) < row.next_at - before < timedelta(minutes=91)
        assert events(key) == ["converted", "validated", "held"]
        assert delivery.deliver_due() == 0 and partner.sent == []

    def test_it_can_be_stopped_until_then(self, queued, settings):
        settings(holdMinutes=90)
        key = queued().id
        conversion.convert_due()
        actions.cancel(only(key), WHO, "fejl i prisen")
        assert only(key).state is S.CANCELLED

    def test_a_person_may_send_it_now(self, queued, settings, partner):
        settings(holdMinutes=90)
        key = queued().id
        conversion.convert_due()
        actions.send_now(only(key), WHO)
        assert delivery.deliver_due() == 1 and only(key).state is S.DELIVERED and "sent_now" in events(key)
        with pytest.raises(Conflict):
            actions.send_now(only(key), WHO)

    def test_who_sends_now_what_was_stopped_meanwhile_is_told(self, queued, settings):
        settings(holdMinutes=90)
        key = queued().id
        conversion.convert_due()
        seen = only(key)
        db.session.expunge(seen)
        actions.cancel(only(key), WHO, "stop")
        with pytest.raises(Conflict):
            actions.send_now(seen, WHO)
        assert only(key).state is S.CANCELLED

    def test_without_a_hold_it_is_due_at_once(self, queued):
        key = queued().id
        conversion.convert_due()
        assert only(key).next_at <= utcnow() and "held" not in events(key)


class TestSettingsSavedDuringAConversion:
    def test_the_document_is_converted_again_with_the_new_ones(self, queued, adaptor, meanwhile):
        key, adaptor_id = queued().id, adaptor.id
        meanwhile(lambda: saving.save_common(adaptor_id, {"general.note": "Ny tekst"}))
        conversion.convert_due()
        document = again(key)
        assert document.stage is Stage.QUEUED and deliveries(key) == []
        assert (document.lease_token, document.lease_until, document.tries) == (None, None, 0)
        conversion.convert_due()
        content = archive.load(db.session.get_one(Rendition, only(key).rendition_id).sha256)
        assert b"Ny tekst" in content

    def test_a_customer_deactivated_meanwhile_gets_nothing(self, queued, adaptor, meanwhile):
        document = queued()
        key, customer_id, adaptor_id = document.id, document.customer_id, adaptor.id
        meanwhile(lambda: rules.deactivate(adaptor_id, [customer_id]))
        conversion.convert_due()
        conversion.convert_due()
        assert again(key).stage is Stage.LISTED and deliveries(key) == []

    def test_what_would_have_been_blocked_or_skipped_is_decided_again_too(self, queued, shelf, settings, meanwhile):
        key = queued().id
        shelf.sent = [EINVOICED]
        meanwhile(lambda: settings(alreadyEinvoiced="send"))
        conversion.convert_due()
        assert again(key).stage is Stage.QUEUED
        conversion.convert_due()
        assert only(key).state is S.PENDING

    def test_a_save_at_the_very_end_waits_or_is_obeyed(self, queued, adaptor, app, monkeypatch):
        """The save comes between the last look at the settings and the commit."""
        key, adaptor_id = queued().id, adaptor.id
        real = outbox._same_settings
        looked, saved = threading.Event(), threading.Event()

        def look(work):
            found = real(work)
            looked.set()
            assert not saved.wait(0.3), "nobody saves between the look and the commit"
            return found

        monkeypatch.setattr(outbox, "_same_settings", look)

        def save():
            with app.app_context():
                looked.wait(10)
                saving.save_common(adaptor_id, {"general.holdMinutes": "5"})
                saved.set()

        def convert():
            with app.app_context():
                conversion.convert_due()

        db.session.commit()
        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(save), pool.submit(convert)]:
                future.result(30)
        # Then the save has found the delivery, and has it built anew.
        assert saved.is_set() and again(key).stage is Stage.QUEUED
        monkeypatch.setattr(outbox, "_same_settings", real)
        conversion.convert_due()
        assert only(key).state is S.PENDING
