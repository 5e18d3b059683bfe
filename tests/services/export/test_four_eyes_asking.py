"""Who asks for a sending is not its second person, and switching off lets go exactly what waited for one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from support.four_eyes import (
    again,
    approve_all,
    as_user,
    converted,
    go_on,
    ids,
    move_gateway,
    only,
    rows,
    sent,
    wired,
)

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.four_eyes import Kind, Rules
from invoiceapp.models import Adaptor, ApprovalState, Problem, Stage, Subscription, ValueAuthor, db, utcnow
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import actions, delivery, four_eyes
from invoiceapp.services.four_eyes import approvals
from invoiceapp.services.four_eyes import words as approval_words
from invoiceapp.services.notifications import noticing
from invoiceapp.services.notifications import words as notice_words

pytestmark = pytest.mark.usefixtures("addressed")
S, A = DeliveryState, ApprovalState


@pytest.fixture
def resent(ready, subscription, gateway, anna) -> str:
    """Anna sends a received document again, while its gateway leads elsewhere; the document's id."""
    gateway_id, key = gateway.id, wired(subscription, ready())
    approve_all(key)
    delivery.deliver_due()
    move_gateway(gateway_id)
    with as_user(anna):
        new = actions.send_again(only(key), "anna@example.com", "kunden har mistet den")
    assert four_eyes.would_wait(new)
    delivery.deliver_due()
    assert only(key).state is S.FAILED
    return key


def test_who_sends_again_does_not_approve_what_that_makes_wait(resent, anna, owner):
    [waiting] = approvals.waiting([db.session.get_one(Adaptor, only(resent).adaptor_id)])
    assert "Bedt om af anna@example.com" in waiting.asked.da and again(anna).user not in waiting.approvers
    with pytest.raises(ServiceError, match="asked for it yourself"):
        approvals.approve(ids(), again(anna))
    assert approvals.approve(ids(), again(owner)).released == 1
    delivery.deliver_due()
    assert only(resent).state is S.DELIVERED


def test_a_look_at_what_waits_already_bars_nobody(resent, anna, owner):
    with as_user(owner):
        actions.try_again(only(resent), "ejer@example.com")
    delivery.deliver_due()
    assert {row.user_id for row in db.session.query(ValueAuthor)} == {again(anna).user_id}
    assert approvals.approve(ids(), again(owner)).decided == 1


def test_switching_off_sends_what_was_tried_before_and_counts_nothing_else(resent, queued, switch, owner, anna):
    other = converted(queued, "1009")
    only(other).state = S.BLOCKED
    only(other).findings = [{"rule": "X", "severity": "fatal", "text": {"da": "x", "en": "x"}, "turn": "source"}]
    four_eyes.forget(other)
    again(anna).suspended_at = utcnow()
    db.session.commit()
    assert switch().released == 1
    assert only(other).document.stage is Stage.CONVERTED, "what waits for another reason stays"
    delivery.deliver_due()
    assert only(resent).state is S.DELIVERED


def test_a_higher_ceiling_lets_go_what_is_below_it(queued, switch, like):
    key = sent(queued)
    switch(amounts="true", ceiling="1")
    low, high = like(key), like(key, times=100)
    go_on()
    assert [only(one).state for one in (low, high)] == [S.BLOCKED, S.BLOCKED]
    limit = only(low).document.gross + 1
    assert switch(amounts="true", ceiling=f"{limit:.2f}").released == 1
    go_on()
    assert [only(one).state for one in (low, high)] == [S.DELIVERED, S.BLOCKED]


@pytest.mark.parametrize("typed", ["100.000", "100.000,00", "100 000", "100000", "100,000.00"])
def test_the_ceiling_is_read_as_people_write_it(typed, switch, subscription):
    key = subscription.id
    switch(amounts="true", ceiling=typed)
    assert Rules.of(db.session.get_one(Subscription, key).four_eyes).ceiling == Decimal(100_000)


@pytest.mark.parametrize("typed", ["100,000", "1.00.000", "mange"])
def test_what_could_be_two_amounts_is_refused(typed, switch):
    with pytest.raises(InvalidInput):
        switch(amounts="true", ceiling=typed)


def test_amounts_and_times_are_said_as_everywhere(queued, switch, adaptor):
    adaptor_id = adaptor.id
    switch(amounts="true", ceiling="1")
    converted(queued, "1001")
    [row] = rows(Kind.AMOUNT)
    row.shown = "1001: 1615.00 DKK"
    assert approval_words.title(row).da.endswith(", 1001: 1.615,00 DKK")
    assert approval_words.moment(utcnow().replace(2026, 11, 23, 13, 7)).da == "den 23. nov. 2026 kl. 14.07"
    problem = Problem(
        adaptor_id=adaptor_id,
        rule=approval_words.RULE,
        level="document",
        fix=approval_words.fix(row),
        turn="here",
        numbers=[],
    )
    assert noticing.path_of(problem) == f"/approvals?adaptor={adaptor_id}#approval-{row.id}"
    assert notice_words.body_of(problem).da == "Godkend eller afvis under Godkendelser."
