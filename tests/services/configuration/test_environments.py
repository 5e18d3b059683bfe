from __future__ import annotations

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, Environment, Event, db
from invoiceapp.services.configuration import environments, general
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

S = DeliveryState
TEST, LIVE = Environment.TEST, Environment.LIVE
KNOWN = {"rule": "IA-KNOWN", "severity": "warning", "text": {"da": "x", "en": "x"}, "turn": "here"}


@pytest.mark.parametrize(
    ("adaptor", "gateway", "may"), [(TEST, LIVE, False), (TEST, TEST, True), (LIVE, LIVE, True), (LIVE, TEST, True)]
)
def test_only_a_test_adaptor_and_a_live_gateway_are_kept_apart(adaptor, gateway, may):
    assert environments.may_reach(adaptor, gateway) is may


def test_setting_an_adaptor_to_test_blocks_what_waits_for_a_live_gateway(adaptor, ready):
    rows = {state: ready(state.value, state, findings=[KNOWN]) for state in (S.PENDING, S.LEASED, S.SENDING, S.FAILED)}
    fence = rows[S.PENDING].fence
    saved = general.save(adaptor.id, {"environment": "test"}, actor="ejer@example.com")
    assert (saved.held_back, saved.released) == (1, 0)
    db.session.expire_all()
    row = rows.pop(S.PENDING)
    assert (row.state, row.next_at, row.finished_at, row.fence) == (S.BLOCKED, None, None, fence + 1)
    assert [(found["rule"], found["severity"], found["turn"], found.get("fix")) for found in row.findings] == [
        ("IA-KNOWN", "warning", "here", None), ("IA-ENVIRONMENT", "fatal", "here", "customer.gateway")
    ]  # fmt: skip
    assert {state: one.state for state, one in rows.items()} == {state: state for state in rows}
    event = db.session.scalars(select(Event).where(Event.kind == "blocked")).one()
    assert (event.delivery_id, event.actor, event.data) == (row.id, "ejer@example.com", {"rules": ["IA-ENVIRONMENT"]})


def test_a_test_gateway_keeps_its_waiting_deliveries(adaptor, gateway, ready):
    gateway.environment = TEST
    row = ready()
    assert general.save(adaptor.id, {"environment": "test"}).held_back == 0
    assert db.session.get_one(Delivery, row.id, populate_existing=True).state is S.PENDING


def test_nothing_is_held_back_where_the_change_is_undone(adaptor, ready):
    row = ready()
    with pytest.raises(RuntimeError), transaction():
        adaptor.environment = TEST
        assert environments.hold_back(Delivery.adaptor_id == adaptor.id, "a") == 1
        raise RuntimeError
    assert db.session.get_one(Delivery, row.id, populate_existing=True).state is S.PENDING


def test_going_live_tries_again_what_was_stopped(adaptor, ready):
    row = ready()
    general.save(adaptor.id, {"environment": "test"})
    assert general.save(adaptor.id, {"environment": "live"}).released == 1
    db.session.refresh(row.document)
    assert row.document.stage.value == "queued"


def test_something_else_is_no_environment():
    with pytest.raises(InvalidInput) as caught:
        environments.parse("moon")
    assert set(caught.value.errors) == {"environment"}
