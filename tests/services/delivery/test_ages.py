"""Every state has an age and a next action, and nothing stays for ever without being seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from invoiceapp.domain.delivery import NEEDS_PERSON, DeliveryState
from invoiceapp.models import Adaptor, Environment, Receipt, Stage, db, utcnow
from invoiceapp.services.daily import listing
from invoiceapp.services.delivery import ages
from invoiceapp.services.delivery.ages import RULES, Who
from invoiceapp.services.export import actions

S = DeliveryState
ALL = sorted(S)
#: What only time tells to be stuck; the rest is over, or before a person's eyes.
MOVING = [S.PENDING, S.LEASED, S.SENDING, S.ACCEPTED]


@pytest.fixture
def now():
    return utcnow()


@pytest.mark.parametrize("state", ALL)
def test_every_state_has_a_maximum_age_and_a_next_action_or_is_over(state):
    rule = RULES[state]
    assert rule.text.da and rule.text.en
    assert (rule.longest is None) == (rule.who is Who.NOBODY)
    assert (rule.longest == timedelta(0)) == (rule.who is Who.PERSON)


def test_what_the_machine_or_the_partner_moves_is_found_by_the_clock_and_the_rest_needs_a_person_or_nobody():
    assert set(RULES) == set(S)
    assert [state for state in ALL if RULES[state].longest] == sorted(MOVING)
    at_once = {state for state in ALL if RULES[state].longest == timedelta(0)}
    assert at_once == NEEDS_PERSON and {state.value for state in at_once} <= listing.GROUPS["person"]


@pytest.mark.parametrize("state", ALL)
def test_every_delivery_has_a_next_action_whatever_it_waits_for(ready, adaptor, gateway, now, state):
    row = ready(state=state, next_at=now + timedelta(hours=1), poll_at=now)
    for columns in ({"next_at": None}, {"poll_at": None}, {"tries": 3}):
        for name, value in columns.items():
            setattr(row, name, value)
        found = ages.next_action(row, adaptor, now)
        assert found.text.da and found.text.en
    db.session.rollback()


def _next(row, adaptor, now) -> tuple[Who, bool]:
    found = ages.next_action(row, adaptor, now)
    return found.who, found.at is not None


@pytest.mark.parametrize(
    ("of_adaptor", "of_gateway", "expected"),
    [
        ({}, {}, (Who.MACHINE, True)),
        ({"active": False}, {}, (Who.PERSON, False)),
        ({"environment": Environment.TEST}, {}, (Who.PERSON, False)),
        ({}, {"paused_at": utcnow()}, (Who.PERSON, False)),
        ({}, {"retry_at": utcnow() + timedelta(hours=1)}, (Who.MACHINE, True)),
    ],
)
def test_what_waits_says_what_it_waits_for(ready, adaptor, gateway, now, of_adaptor, of_gateway, expected):
    row = ready(next_at=now + timedelta(hours=1))
    for target, columns in ((adaptor, of_adaptor), (gateway, of_gateway)):
        for name, value in columns.items():
            setattr(target, name, value)
    assert _next(row, adaptor, now) == expected
    assert len({ages.next_action(row, adaptor, now).text.da, RULES[S.PENDING].text.da}) == 2


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"state": S.ACCEPTED, "next_at": None}, (Who.NOBODY, False)),
        ({"state": S.ACCEPTED}, (Who.PARTNER, True)),
        ({"state": S.ACCEPTED, "next_at": None, "poll_at": utcnow()}, (Who.MACHINE, True)),
        ({"state": S.OUTCOME_UNKNOWN}, (Who.MACHINE, True)),
        ({"state": S.OUTCOME_UNKNOWN, "next_at": None}, (Who.PERSON, False)),
    ],
)
def test_after_the_sending_it_says_what_is_awaited_and_who_is_asked(ready, adaptor, now, columns, expected):
    assert _next(ready(**columns), adaptor, now) == expected


def test_what_was_taken_is_told_as_what_is_known_of_it(ready, adaptor, gateway, now):
    row = ready(state=S.ACCEPTED, next_at=None)
    assert ages.next_action(row, adaptor, now).text.da.startswith("Modtagerens system har taget det;")
    gateway.kind = "email"
    assert ages.next_action(row, adaptor, now).text.da.startswith("Mailserveren har taget mailen;")


def test_what_a_person_marked_as_received_says_who_when_and_why(ready, adaptor, now):
    row = ready(state=S.OUTCOME_UNKNOWN, next_at=None)
    actions.mark_received(row, "ida@example.com", "Ringet til Bo i bogholderiet.")
    db.session.expire_all()
    db.session.query(Receipt).one().created_at = datetime(2026, 11, 23, 11, 5, tzinfo=UTC)
    said = ages.next_action(row, adaptor, now)
    assert said.who is Who.NOBODY and said.text.da == (
        "Markeret som modtaget af ida@example.com den 23. nov. 2026 kl. 12.05: »Ringet til Bo i bogholderiet.«"
    )


def test_nobody_is_asked_through_a_paused_gateway(ready, adaptor, gateway, now):
    gateway.paused_at = now
    assert _next(ready(state=S.OUTCOME_UNKNOWN), adaptor, now) == (Who.PERSON, False)


def test_what_is_handled_outside_is_nobodys_turn(ready, adaptor, now):
    row = ready(state=S.FAILED)
    row.document.stage = Stage.HANDLED
    assert _next(row, adaptor, now) == (Who.NOBODY, False)


def _late(adaptor: Adaptor, now: Any) -> list[str]:
    return [one.number for one in ages.overdue([adaptor.id], now)]


@pytest.mark.parametrize("state", ALL)
def test_a_delivery_is_overdue_once_it_is_older_than_its_state_allows(ready, adaptor, now, state):
    rule = RULES[state]
    longest = rule.longest or timedelta(days=999)
    ready(state=state, next_at=now - longest)
    assert _late(adaptor, now) == []
    assert _late(adaptor, now + timedelta(seconds=1)) == (["1001"] if state in MOVING else [])


def test_what_is_pending_without_a_time_is_found_too(ready, adaptor, now):
    ready(next_at=None)
    assert _late(adaptor, now) == []
    assert _late(adaptor, now + timedelta(hours=3)) == ["1001"]


@pytest.mark.parametrize("state", [S.PENDING, S.ACCEPTED])
def test_what_a_paused_gateway_keeps_waiting_is_told_of_as_that(ready, adaptor, gateway, now, state):
    ready(state=state, next_at=now - timedelta(days=1))
    gateway.paused_at = now
    assert _late(adaptor, now) == []


@pytest.mark.parametrize(
    ("of_adaptor", "of_gateway"),
    [({"active": False}, {}), ({"environment": Environment.TEST}, {}), ({}, {"failing_since": utcnow()})],
)
def test_what_waits_for_a_reason_that_is_told_elsewhere_is_not_stuck(
    ready, adaptor, gateway, now, of_adaptor, of_gateway
):
    ready(next_at=now - timedelta(days=1))
    for target, columns in ((adaptor, of_adaptor), (gateway, of_gateway)):
        for name, value in columns.items():
            setattr(target, name, value)
    assert _late(adaptor, now) == []


def test_a_lease_that_nobody_ends_is_found_although_the_gateway_is_paused(ready, adaptor, gateway, now):
    gateway.paused_at = now
    ready("1001", S.SENDING, next_at=now - timedelta(hours=1))
    ready("1002", S.LEASED, next_at=now - timedelta(hours=2))
    assert _late(adaptor, now) == ["1002", "1001"]


@pytest.mark.parametrize(("state", "who"), [(S.PENDING, Who.MACHINE), (S.BLOCKED, Who.PERSON)])
def test_a_credit_note_waits_for_its_invoice_and_is_not_stuck(ready, adaptor, now, state, who):
    invoice, credit = ready("1001", state), ready("1002", next_at=now - timedelta(days=1))
    assert _late(adaptor, now) == ["1002"]
    credit.document.credits_source_id = invoice.document.source_id
    db.session.commit()
    db.session.expire_all()
    assert _late(adaptor, now) == []
    found = ages.next_action(credit, adaptor, now)
    assert found.who is who and "1001" in found.text.da


def test_other_adaptors_are_not_looked_at_and_handled_documents_are_nobodys(ready, adaptor, now):
    row = ready(next_at=now - timedelta(days=1))
    assert ages.overdue([], now) == [] and ages.overdue(["another"], now) == []
    row.document.stage = Stage.HANDLED
    assert _late(adaptor, now) == []


def test_what_is_late_is_found_by_the_index_and_nothing_else_is_looked_at(ready, adaptor, now):
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any) -> None:
        if "next_at <" in statement:
            asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    ages.overdue([adaptor.id], now)
    event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == len(MOVING)
    connection = db.session.connection()
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        # Of a table with a few rows any index is as good as another to PostgreSQL: it is told of many.
        connection.execute(text("UPDATE pg_class SET reltuples = 1000000, relpages = 1 WHERE relname = 'delivery'"))
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
    for statement, parameters in asked:
        plan = [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
        assert any("ix_delivery_due" in line or "ix_delivery_claim" in line for line in plan), plan
        if is_sqlite:
            ranges = (
                "ix_delivery_due (state=? AND next_at<?)",
                "ix_delivery_claim (adaptor_id=? AND state=? AND next_at<?)",
            )
            assert any(one in line for line in plan for one in ranges), plan
    db.session.rollback()
