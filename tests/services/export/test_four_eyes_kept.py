"""Four eyes holds where somebody looks for a way around it, and where a process dies between two steps."""

from __future__ import annotations

import pytest
from sqlalchemy import event
from support.four_eyes import (
    again,
    approve_all,
    as_user,
    converted,
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
from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import Kind, Rules, Switch
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalState,
    ApprovalWait,
    Document,
    Environment,
    Gateway,
    Job,
    Rendition,
    Subscription,
    ValueAuthor,
    db,
)
from invoiceapp.services import audit, background
from invoiceapp.services.configuration import authorizations, gateways, releasing
from invoiceapp.services.daily.tick import tick
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, conversion, delivery
from invoiceapp.services.four_eyes import approvals, authors, letting_go
from invoiceapp.services.four_eyes import setting as four_eyes_setting
from invoiceapp.services.keeping import deleting

pytestmark = pytest.mark.usefixtures("addressed")
S, A = DeliveryState, ApprovalState
SEEN = [{"to": "everybody", "level": "viewer"}]


class TestSaidToBeATest:
    def test_a_gateway_that_is_set_to_test_is_another_destination(self, ready, subscription, gateway, partner, anna):
        gateway_id = gateway.id
        key = wired(subscription, ready())
        approve_all(key)
        with as_user(anna):
            gateways.save(
                anna.subscription_id, "fake", "SFTP", {"host": "partner.example"}, gateway_id, environment="test"
            )
        go_on()
        assert partner.sent == [] and only(key).state is S.BLOCKED
        [row] = rows(Kind.GATEWAY, A.WAITING)
        assert row.shown.endswith("test")
        assert [one.email for one in authors.of(row.subscription_id, row.atoms)] == ["anna@example.com"]

    def test_accounts_are_watched_through_a_test_gateway_of_a_live_adaptor(self, queued, switch, gateway, partner):
        gateway.environment = Environment.TEST
        db.session.commit()
        switch(accounts="true")
        key = converted(queued, "1001")
        assert only(key).state is S.BLOCKED and ids(Kind.ACCOUNT)


class TestUnknownAccounts:
    def test_what_never_left_is_built_again_so_that_its_account_is_known(self, queued, switch, subscription, partner):
        key = converted(queued, "1001")
        forget_accounts(key)
        db.session.get_one(Subscription, subscription.id).four_eyes = {"on": ["accounts"]}
        db.session.commit()
        delivery.deliver_due()
        conversion.convert_due()
        assert partner.sent == [] and only(key).state is S.BLOCKED
        [row] = rows(Kind.ACCOUNT)
        assert row.subject == "bank" and row.scope != key

    def test_what_has_left_waits_for_somebody_to_look_at_it(self, queued, switch, partner, anna):
        key = sent(queued)
        switch(accounts="true")
        forget_accounts(key)
        del partner.sent[:]
        actions.send_again(only(key), "ejer@example.com", "kunden har mistet den")
        delivery.deliver_due()
        assert partner.sent == [] and only(key).state is S.FAILED and "Ukendt konto i dokument" in only(key).error["da"]
        approvals.approve(ids(Kind.ACCOUNT), again(anna))
        delivery.deliver_due()
        assert only(key).state is S.DELIVERED
        approvals.withdraw([row.id for row in rows(Kind.ACCOUNT, A.APPROVED) if row.scope == key], again(anna))


class TestWhoseAccountAtThePartner:
    @pytest.fixture
    def provider(self, partner, monkeypatch):
        """A partner in whose account documents end, who lets us in at a page of theirs."""
        fields = (
            *partner.fields,
            Field("refresh_token", Text("", ""), secret=True),
            Field("key", Text("", ""), secret=True),
        )
        for name, value in (("fields", fields), ("credentials_decide", True), ("authorizes", True)):
            monkeypatch.setattr(partner, name, value)
        return partner

    def test_another_key_is_another_destination_and_the_same_key_is_not(
        self, provider, ready, subscription, gateway, anna
    ):
        gateway_id = gateway.id

        def save(**given: str) -> str | None:
            with as_user(anna):
                gateways.save(
                    anna.subscription_id, "fake", "SFTP", {"host": "partner.example", **given}, gateway_id
                )  # fmt: skip
            return db.session.get_one(Gateway, gateway_id).account

        first = save(key="ours")
        key = wired(subscription, ready())
        approve_all(key)
        assert save() == save(key="ours") == first
        assert save(key="theirs") != first
        delivery.deliver_due()
        assert provider.sent == [] and only(key).state is S.BLOCKED
        [row] = rows(Kind.GATEWAY, A.WAITING)
        assert "theirs" not in str(vars(row)) and row.shown != row.known[0]
        assert [one.email for one in authors.of(row.subscription_id, row.atoms)] == ["anna@example.com"]

    def test_who_let_us_in_decides_and_where_the_partner_does_not_say_each_time_is_another(self, provider, gateway):
        gateway_id = gateway.id

        def authorized(**given: str) -> str | None:
            shown = dict(db.session.get_one(Gateway, gateway_id).config)
            authorizations._keep(gateway_id, shown, {"refresh_token": "r", **given})
            return db.session.get_one(Gateway, gateway_id).account

        one = authorized(account_id="dbid:1")
        assert authorized(account_id="dbid:1") == one != authorized(account_id="dbid:2")
        assert authorized() != authorized()


class TestKilledBetweenTwoSteps:
    def test_the_next_tick_lets_go_what_was_approved(self, ready, subscription, partner):
        key, tried = wired(subscription, ready()), wired(subscription, ready("1002", state=S.FAILED))
        delivery.deliver_due()
        fail_for_want_of_approval(tried, key)
        # As if the process had died after the decision: the documents do not know of it.
        db.session.execute(db.update(Approval).values(state=A.APPROVED))
        db.session.commit()
        tick()
        assert db.session.get_one(Document, key).stage == "queued" and only(tried).state is S.PENDING
        assert db.session.query(ApprovalWait).count() == 0 and letting_go.finish() == 0

    def test_the_next_tick_lets_go_what_waits_for_a_switch_that_is_off(self, queued, switch, subscription):
        switch(customers="true")
        key = converted(queued, "1001")
        assert letting_go.finish() == 0 and only(key).state is S.BLOCKED
        db.session.get_one(Subscription, subscription.id).four_eyes = {"on": ["accounts"]}
        db.session.commit()
        tick()
        go_on()
        assert only(key).state is S.BLOCKED and [row.kind for row in rows(state=A.WAITING)] == [
            Kind.CUSTOMER,
            Kind.ACCOUNT,
        ]

    def test_a_decision_and_what_it_lets_go_are_one(self, ready, subscription, anna, monkeypatch):
        key = wired(subscription, ready(), on=["accounts"])
        delivery.deliver_due()
        monkeypatch.setattr(releasing, "build_again", lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            approvals.approve(ids(), again(anna))
        assert [row.state for row in rows()] == [A.WAITING] and only(key).state is S.BLOCKED


class TestSwitchingOff:
    def test_what_loosens_waits_for_a_second_administrator(self, queued, switch, subscription, owner, anna):
        subscription_id = subscription.id
        switch(accounts="true", amounts="true", factor="3")
        key = converted(queued, "1001")
        assert switch(accounts="true", amounts="true", factor="4").waits
        assert switch().waits and stored(subscription_id).on == {Switch.ACCOUNTS, Switch.AMOUNTS}
        wish = wish_of(subscription_id)
        lines = four_eyes_setting.changes(stored(subscription_id), wish.rules)
        assert lines[0].en.endswith("on → off")
        with pytest.raises(ServiceError, match="Another owner"):
            four_eyes_setting.decide(subscription_id, again(owner), wish.at, is_approved=True)
        with pytest.raises(Conflict):
            four_eyes_setting.decide(subscription_id, again(anna), "earlier", is_approved=True)
        assert only(key).state is S.BLOCKED
        assert four_eyes_setting.decide(subscription_id, again(anna), wish.at, is_approved=True).released == 1
        go_on()
        assert only(key).state is S.DELIVERED and not stored(subscription_id).on and wish_of(subscription_id) is None

    def test_it_can_be_refused_and_what_tightens_is_at_once(self, switch, subscription, anna):
        switch(accounts="true")
        switch()
        four_eyes_setting.decide(subscription.id, again(anna), wish_of(subscription.id).at, is_approved=False)
        assert wish_of(subscription.id) is None and stored(subscription.id).on
        assert not switch(accounts="true", customers="true").waits and Switch.CUSTOMERS in stored(subscription.id).on

    def test_alone_it_is_off_at_once(self, switch, subscription):
        switch(accounts="true")
        assert not switch().waits and not stored(subscription.id).on

    def test_what_waited_and_was_sent_while_it_was_off_waits_again(self, queued, switch, adaptor):
        adaptor_id = adaptor.id
        sent(queued)
        switch(accounts="true")
        new_account(adaptor_id)
        key = converted(queued, "1002")
        switch()
        go_on()
        assert only(key).state is S.DELIVERED
        assert switch(accounts="true").baseline == 1
        assert [row.state for row in rows(Kind.ACCOUNT)] == [A.APPROVED, A.WAITING]

    def test_a_gateway_by_which_nothing_has_left_as_it_is_set_now_is_not_in_use(self, queued, switch, gateway):
        gateway_id = gateway.id
        sent(queued)
        move_gateway(gateway_id)
        switch(destinations="true")
        assert rows(Kind.GATEWAY) == [] and rows(Kind.ENDPOINT)


class TestAuthors:
    def test_who_started_a_job_is_the_author_of_what_it_changes(self, adaptor, anna):
        adaptor_id = adaptor.id
        with as_user(anna):
            job_id = background.start(adaptor_id, "bulk", actor="anna@example.com")
        assert db.session.get_one(Job, job_id).user_id == again(anna).user_id
        background.execute(job_id, {"bulk": lambda progress: bool(new_account(progress.adaptor_id))})
        assert {row.user_id for row in db.session.query(ValueAuthor)} == {again(anna).user_id}
        assert audit.current() is None

    def test_a_short_account_number_has_an_author(self, ready, subscription, adaptor, anna):
        adaptor_id = adaptor.id
        key = wired(subscription, ready(), on=["accounts"])
        account = {"number": "DK/1234/0000000012", "shown": "1234 12", "is_slip": False}
        db.session.get_one(Rendition, only(key).rendition_id).accounts = [account]
        db.session.commit()
        delivery.deliver_due()
        with as_user(anna):
            row = db.session.get_one(Adaptor, adaptor_id)
            row.settings = {"supplier": {"bankRegistration": "1234", "bankAccount": "12"}}
            db.session.commit()
        with pytest.raises(ServiceError, match="asked for it yourself"):
            approvals.approve(ids(), again(anna))


def test_deleted_documents_wait_for_nobody(ready, subscription):
    key = wired(subscription, ready(), on=["accounts"])
    delivery.deliver_due()
    assert stopped_by(key) and db.session.query(ApprovalWait).count() == 1
    deleting.delete_documents([key])
    db.session.commit()
    assert db.session.query(ApprovalWait).count() == 0


def test_who_may_decide_costs_as_many_statements_for_ten_adaptors_as_for_one(adaptor, people):
    for name in ("anna", "bert"):
        people(name)
    first, adaptor.grants = adaptor.id, SEEN
    db.session.add_all(
        Adaptor(
            subscription_id=adaptor.subscription_id,
            name=f"B{n}",
            source_kind="billy",
            source_config={},
            settings={},
            grants=SEEN,
        )
        for n in range(9)
    )
    db.session.commit()
    asked: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        counts = []
        for wanted in (Adaptor.id == first, Adaptor.id.is_not(None)):
            db.session.expire_all()
            found = db.session.query(Adaptor).filter(wanted).all()
            del asked[:]
            assert all(len(users) == 2 for users in approvals.approvers(found).values())
            counts.append(len(asked))
    finally:
        event.remove(db.engine, "before_cursor_execute", count)
    assert counts[0] == counts[1]


# --- helpers ------------------------------------------------------------------------------------------------------------


def forget_accounts(document_id: str) -> None:
    """As renditions were before accounts were noted."""
    db.session.get_one(Rendition, only(document_id).rendition_id).accounts = None
    db.session.commit()


def fail_for_want_of_approval(document_id: str, like: str) -> None:
    """The document had been tried before, and waits for the same approvals as another."""
    only(document_id).error = {"da": "", "en": "", "class": "FourEyes"}
    for wait in db.session.query(ApprovalWait).filter_by(document_id=like).all():
        db.session.add(ApprovalWait(approval_id=wait.approval_id, document_id=document_id))
    db.session.commit()


def stored(subscription_id: str) -> Rules:
    db.session.expire_all()
    return Rules.of(db.session.get_one(Subscription, subscription_id).four_eyes)


def wish_of(subscription_id: str) -> four_eyes_setting.Wish | None:
    db.session.expire_all()
    return four_eyes_setting.Wish.of(db.session.get_one(Subscription, subscription_id).four_eyes)
