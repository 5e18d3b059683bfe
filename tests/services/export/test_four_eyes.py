"""Four eyes: what is sensitive waits for a second person, at the conversion and again before the first byte."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import select
from support.four_eyes import (
    ALL,
    again,
    approve_all,
    as_user,
    converted,
    due_again,
    go_on,
    ids,
    move_gateway,
    new_account,
    only,
    rows,
    sent,
    stopped_by,
    wired,
)

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import Kind, gateway_fact
from invoiceapp.gateways.base import Unavailable, registry
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalState,
    AuditEntry,
    Document,
    Environment,
    Gateway,
    Membership,
    Role,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services.configuration import gateways, rules
from invoiceapp.services.daily import causes
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.export import actions, conversion, delivery
from invoiceapp.services.four_eyes import approvals, authors
from invoiceapp.services.four_eyes import setting as four_eyes_setting
from invoiceapp.services.four_eyes import words as approval_words

pytestmark = pytest.mark.usefixtures("addressed")
S, A = DeliveryState, ApprovalState
RULE = approval_words.RULE


class TestNothingIsSwitchedOn:
    def test_everything_leaves_and_nothing_is_kept(self, queued, adaptor):
        sent(queued)
        new_account(adaptor.id)
        sent(queued, "1002")
        assert rows() == []


class TestBaseline:
    def test_what_was_used_counts_as_approved_so_nothing_stops_that_day(self, queued, switch, like):
        key = sent(queued)
        assert switch(**ALL).baseline == len(rows(state=A.APPROVED)) == 3
        assert {row.kind for row in rows()} == {Kind.ACCOUNT, Kind.GATEWAY, Kind.ENDPOINT}
        assert all(row.is_baseline and row.decided_by_id is None for row in rows())
        again = like(key)
        go_on()
        assert only(again).state is S.DELIVERED

    def test_what_waited_to_be_sent_is_looked_at_again(self, queued, switch):
        key = converted(queued, "1001")
        assert only(key).state is S.PENDING
        assert switch(customers="true").released == 0, "nothing waited for a second person before"
        conversion.convert_due()
        assert [found["rule"] for found in stopped_by(key)] == [RULE]

    def test_tests_are_no_baseline_and_are_never_stopped(self, queued, switch, gateway, adaptor):
        gateway.environment = adaptor.environment = Environment.TEST
        db.session.commit()
        sent(queued)
        assert switch(**ALL).baseline == 0
        sent(queued, "1002")

    def test_accounts_of_documents_made_before_they_were_noted_are_found(self, queued, switch):
        sent(queued)
        db.session.execute(db.text("UPDATE rendition SET accounts = NULL"))
        db.session.commit()
        switch(accounts="true")
        assert [row.kind for row in rows(state=A.APPROVED)] == [Kind.ACCOUNT]


class TestConversion:
    def test_one_new_account_is_one_cause_and_one_approval_releases_all(self, queued, switch, adaptor, anna):
        adaptor_id = adaptor.id
        sent(queued)
        switch(accounts="true")
        new_account(adaptor_id)
        keys = [converted(queued, number) for number in ("1002", "1003")]
        [cause] = causes.of_adaptor(adaptor_id)
        assert sorted(cause.document_ids) == sorted(keys) and cause.rule == RULE
        [row] = rows(state=A.WAITING)
        assert cause.fix == f"approvals.{row.id}" and row.known, "the old account stands beside the new one"
        assert "Ny bankkonto DK50 0040 0440 1162 43: en anden person skal godkende" in cause.text.da
        [waiting] = approvals.waiting([db.session.get_one(Adaptor, adaptor_id)])
        gross = sum((db.session.get_one(Document, key).gross for key in keys), Decimal(0))
        assert waiting.documents == 2 and waiting.money == ((gross, "DKK"),)
        assert approvals.approve([row.id], again(anna)) == approvals.Outcome(1, 2)
        go_on()
        assert {only(key).state for key in keys} == {S.DELIVERED}
        assert (
            causes.of_adaptor(adaptor_id) == [] and approvals.waiting([db.session.get_one(Adaptor, adaptor_id)]) == []
        )

    def test_an_approval_does_not_cover_the_value_that_came_after_it(self, queued, switch, adaptor, anna):
        adaptor_id = adaptor.id
        switch(accounts="true")
        key = converted(queued, "1001")
        [old] = ids(Kind.ACCOUNT)
        new_account(adaptor_id)
        approvals.approve([old], again(anna))
        go_on()
        [new] = ids(Kind.ACCOUNT)
        assert only(key).state is S.BLOCKED and new != old

    def test_the_first_invoice_to_a_customer_waits_after_the_look_that_everybody_may_take(
        self, queued, switch, adaptor, anna, people
    ):
        adaptor.settings = {"general": {"approveFirst": True}}
        db.session.commit()
        boss = people("boss", Role.OWNER)
        switch(customers="true")
        key = converted(queued, "1001")
        assert [found["rule"] for found in stopped_by(key)] == ["IA-APPROVE-FIRST"] and rows() == []
        with as_user(anna):
            actions.approve_customer(db.session.get_one(Document, key), "anna@example.com")
        conversion.convert_due()
        [waits] = ids(Kind.CUSTOMER)
        with pytest.raises(ServiceError, match="asked for it yourself"):
            approvals.approve([waits], again(anna))
        approvals.approve([waits], again(boss))
        go_on()
        assert only(key).state is S.DELIVERED

    def test_who_activated_the_customer_has_asked_for_its_first_invoice(
        self, queued, switch, adaptor, gateway, anna, user
    ):
        adaptor_id, gateway_id = adaptor.id, gateway.id
        switch(customers="true")
        document = queued()
        key, customer_id = document.id, document.customer_id
        rules.deactivate(adaptor_id, [customer_id])
        with as_user(anna):
            rules.activate(adaptor_id, [customer_id], "peppol-bis-3", gateway_id)
        document = db.session.get_one(Document, key)
        document.stage = "queued"
        db.session.commit()
        conversion.convert_due()
        [waiting] = approvals.waiting([db.session.get_one(Adaptor, adaptor_id)])
        assert "Bedt om af anna@example.com" in waiting.asked.da
        assert [one.email for one in waiting.approvers] == ["ejer@example.com"]

    def test_amounts_above_the_ceiling_and_far_above_normal_wait(self, queued, switch, like, anna):
        key = sent(queued)
        for _ in range(2):
            like(key)
        go_on()
        switch(amounts="true", factor="3", ceiling="1000000")
        normal, large, huge = like(key), like(key, times=4), like(key, times=1000)
        go_on()
        assert only(normal).state is S.DELIVERED
        assert [only(one).state for one in (large, huge)] == [S.BLOCKED, S.BLOCKED]
        assert sorted(len(row.known) for row in rows(Kind.AMOUNT)) == [1, 2], (
            "the limit and the normal one; the ceiling"
        )
        approvals.approve([next(row.id for row in rows(Kind.AMOUNT) if row.scope == large)], again(anna))
        go_on()
        assert only(large).state is S.DELIVERED and only(huge).state is S.BLOCKED

    def test_switching_off_lets_go_and_is_audited(self, queued, switch, subscription, user):
        subscription_id, member = subscription.id, user.memberships[0]
        switch(customers="true")
        key = converted(queued, "1001")
        with as_user(member):
            four_eyes_setting.save(subscription_id, {}, again(member))
        go_on()
        assert only(key).state is S.DELIVERED
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.object_kind == "subscription")).one()
        assert "customers" in str(entry.before) and entry.actor == "ejer@example.com"

    def test_a_ceiling_of_nothing_is_refused(self, switch):
        with pytest.raises(InvalidInput):
            switch(amounts="true", ceiling="0")


class TestBeforeTheFirstByte:
    def test_a_pending_delivery_is_stopped_where_its_gateway_leads_elsewhere(
        self, queued, switch, like, gateway, anna, partner
    ):
        gateway_id = gateway.id
        first = sent(queued)
        switch(destinations="true")
        key = like(first)
        conversion.convert_due()
        assert only(key).state is S.PENDING
        with as_user(anna):
            gateways.save(anna.subscription_id, "fake", "SFTP", {"host": "evil.example"}, gateway_id)
        del partner.sent[:]
        delivery.deliver_due()
        assert partner.sent == [] and only(key).state is S.BLOCKED
        assert "evil.example" in stopped_by(key)[0]["text"]["da"] and "anna@" in stopped_by(key)[0]["text"]["da"]
        [row] = rows(Kind.GATEWAY, A.WAITING)
        assert row.known == ["SFTP: partner.example"]
        with pytest.raises(ServiceError, match="asked for it yourself"):
            approvals.approve([row.id], again(anna))
        assert only(key).state is S.BLOCKED

    def test_what_was_tried_before_is_not_tried_at_another_host(self, ready, subscription, gateway, anna, partner):
        gateway_id = gateway.id
        key = wired(subscription, ready(first_sent_at=utcnow(), state=S.FAILED, tries=0))
        approve_all(key)
        move_gateway(gateway_id)
        actions.try_again(only(key), "ejer@example.com")
        delivery.deliver_due()
        row = only(key)
        assert partner.sent == [] and row.state is S.FAILED and "evil.example" in row.error["da"]
        approvals.approve(ids(Kind.GATEWAY), again(anna))
        delivery.deliver_due()
        assert only(key).state is S.DELIVERED and len(partner.sent) == 1

    def test_what_may_have_arrived_is_not_repeated_after_a_withdrawal(self, ready, subscription, anna, partner):
        partner.outcomes[:] = [Unavailable(Text("Nej", "No"))]
        key = wired(subscription, ready())
        approve_all(key)
        delivery.deliver_due()
        assert only(key).state is S.PENDING and only(key).first_sent_at
        db.session.execute(db.text("UPDATE attempt SET outcome = 'unknown'"))
        due_again(key)
        approvals.withdraw(ids(Kind.ACCOUNT, A.APPROVED), again(anna))
        delivery.deliver_due()
        assert only(key).state is S.OUTCOME_UNKNOWN and len(partner.sent) == 1

    def test_sending_again_needs_what_was_approved_then_to_be_approved_still(self, ready, subscription, anna, partner):
        key = wired(subscription, ready())
        approve_all(key)
        delivery.deliver_due()
        approvals.withdraw(ids(Kind.ACCOUNT, A.APPROVED), again(anna), "forkert konto")
        assert only(key).state is S.DELIVERED, "what is sent is sent"
        actions.send_again(only(key), "ejer@example.com", "kunden har mistet den")
        delivery.deliver_due()
        assert only(key).state is S.FAILED and len(partner.sent) == 1 and "forkert konto" in only(key).error["da"]

    def test_a_withdrawal_that_a_worker_overtakes_is_seen_before_the_wire(self, ready, subscription, partner):
        key = wired(subscription, ready())
        approve_all(key)
        db.session.execute(db.update(Approval).where(Approval.kind == Kind.ACCOUNT).values(state=A.WITHDRAWN))
        db.session.commit()
        delivery.deliver_due()
        assert partner.sent == [] and only(key).state is S.BLOCKED

    def test_the_address_that_a_mail_would_really_go_to_is_checked(self, ready, subscription, partner, monkeypatch):
        monkeypatch.setattr(partner, "by_email", True)
        key = wired(subscription, ready())
        customer = db.session.get_one(Document, key).customer_id
        db.session.execute(db.text("UPDATE customer SET email = 'faktura@kunde.dk'"))
        db.session.commit()
        approve_all(key)
        db.session.execute(db.text("UPDATE customer SET email = 'svindel@example.com'"))
        db.session.commit()
        delivery.deliver_due()
        assert partner.sent == []
        assert [row.shown for row in rows(Kind.ENDPOINT)] == ["faktura@kunde.dk", "svindel@example.com"] and customer


class TestDeciding:
    @pytest.fixture
    def waiting(self, ready, subscription) -> str:
        """A delivery that waits for a new account; its document's id."""
        key = wired(subscription, ready(), on=["accounts"])
        delivery.deliver_due()
        return key

    def test_two_who_approve_at_once_are_one_approval(self, app, waiting, anna, people):
        bert, found = people("bert"), ids()
        members, gate = [anna.id, bert.id], threading.Barrier(2)
        db.session.commit()

        def decide(member_id: str) -> int:
            with app.app_context():
                try:
                    gate.wait()
                    return approvals.approve(found, db.session.get_one(Membership, member_id)).decided
                finally:
                    db.session.remove()

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(decide, members)) == [0, 1]
        [row] = rows()
        assert row.state is A.APPROVED and len(row.history) == 1

    def test_who_typed_the_account_cannot_approve_it_however_it_was_typed(self, waiting, adaptor, anna, user):
        with as_user(anna):
            new_account(adaptor.id, "dk50 0040 0440 1162 43")
        for _session in range(2):
            with pytest.raises(ServiceError, match="asked for it yourself"):
                approvals.approve(ids(), again(anna))
        approvals.approve(ids(), again(user.memberships[0]))
        assert [row.state for row in rows()] == [A.APPROVED]

    def test_a_refusal_has_a_note_and_can_be_taken_up_again(self, waiting, anna):
        with pytest.raises(ServiceError, match="why"):
            approvals.refuse(ids(), again(anna), " ")
        approvals.refuse(ids(), again(anna), "Kontoen er ikke vores")
        [row] = rows()
        assert "afvist af anna@example.com" in approval_words.finding(row, []).text.da
        assert "Kontoen er ikke vores" in approval_words.finding(row, []).text.da and only(waiting).state is S.BLOCKED
        approvals.take_up([row.id], again(anna))
        approvals.approve([row.id], again(anna))
        assert [line["state"] for line in rows()[0].history] == ["refused", "waiting", "approved"]
        with pytest.raises(Conflict):
            approvals.refuse([row.id], again(anna), "for sent")

    def test_who_may_only_use_or_read_decides_nothing(self, waiting, people, anna):
        anna.suspended_at = utcnow()
        db.session.commit()
        for member in (people("per", Role.MEMBER), people("rikke", Role.AUDITOR), anna):
            for decide in (approvals.approve, lambda found, who: approvals.refuse(found, who, "nej")):
                with pytest.raises(approvals.NoRight):
                    decide(ids(), again(member))

    def test_a_member_who_manages_the_adaptor_may_and_a_stranger_may_not(self, waiting, people, adaptor):
        other = Subscription(name="Fremmed A/S")
        db.session.add(other)
        db.session.flush()
        stranger, member = people("fremmed", Role.OWNER), people("per", Role.MEMBER)
        stranger.subscription_id = other.id
        db.session.get_one(Adaptor, adaptor.id).grants = [{"to": "user", "level": "manager", "id": member.user_id}]
        db.session.commit()
        assert approvals.approve(ids(), again(stranger)).decided == 0
        assert approvals.approve(ids(), again(member)).decided == 1

    def test_who_saves_something_else_of_a_gateway_has_not_chosen_where_it_leads(self, waiting, gateway, anna, user):
        key, owner = gateway.id, user.memberships[0]
        with as_user(anna):
            move_gateway(key, "new.example")
        with as_user(owner):
            row = db.session.get_one(Gateway, key)
            row.config = {**row.config, "folder": "in"}
            db.session.commit()
        fields = registry()["fake"].fields
        atoms = gateway_fact("", key, "", fields, {"host": "new.example"}).atoms
        assert [one.email for one in authors.of(again(anna).subscription_id, atoms)] == ["anna@example.com"]

    def test_where_there_is_no_second_person_nobody_is_named(self, waiting, adaptor, user):
        with as_user(user.memberships[0]):
            new_account(adaptor.id)
        [one] = approvals.waiting([db.session.get_one(Adaptor, adaptor.id)])
        assert one.approvers == ()
