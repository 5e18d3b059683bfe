from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from invoiceapp.blueprints.gateways.resending import as_input
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Gateway, Role, Subscription, db, utcnow
from tests.conftest import _sign_in
from tests.support.people import joined

S = DeliveryState


@pytest.fixture
def failed(make_customer: Callable[..., Any], make_document: Callable[..., Document], make_delivery: Any) -> Delivery:
    """One that failed yesterday, and one whose arrival is unknown."""
    customer, yesterday = make_customer(), utcnow() - timedelta(days=1)
    make_delivery(make_document(customer, "2"), S.OUTCOME_UNKNOWN, next_at=None)
    row: Delivery = make_delivery(make_document(customer, "1"), S.FAILED, next_at=None, finished_at=yesterday, tries=8)
    return row


def test_times_are_danish() -> None:
    assert as_input(datetime(2026, 11, 22, 12, 5, tzinfo=UTC)) == "2026-11-22T13:05"


def test_the_page_says_how_many_and_what_it_leaves_alone(
    signed_in: FlaskClient, gateway: Gateway, failed: Delivery
) -> None:
    path = f"/gateways/{gateway.id}/resend"
    page = signed_in.get(path).text
    assert "Send 1 document again" in page
    assert "1 more may have arrived" in page
    later = signed_in.get(path, query_string={"since": as_input(utcnow() - timedelta(hours=1))}).text
    assert "Send 1 document again" not in later
    assert "Nothing failed since then." in later
    db.session.refresh(failed)
    assert failed.state is S.FAILED


def test_all_that_failed_is_sent_again_once(
    signed_in: FlaskClient, gateway: Gateway, failed: Delivery, submit: Any
) -> None:
    path, form = f"/gateways/{gateway.id}/resend", {"since": as_input(utcnow() - timedelta(days=2))}
    assert "1 document is sent again." in submit(signed_in, path, form, follow_redirects=True).text
    assert "Nothing failed since then" in submit(signed_in, path, form, follow_redirects=True).text
    db.session.refresh(failed)
    assert failed.state is S.PENDING


@pytest.mark.parametrize("typed", ["soon", "2026-13-01T00:00", "0001-01-01T00:00"])
def test_what_is_no_time_is_refused_in_words(
    signed_in: FlaskClient, gateway: Gateway, failed: Delivery, submit: Any, typed: str
) -> None:
    path = f"/gateways/{gateway.id}/resend"
    for answer in (signed_in.get(path, query_string={"since": typed}), submit(signed_in, path, {"since": typed})):
        assert answer.status_code == 422
        assert 'href="#field-since"' in answer.text
    db.session.refresh(failed)
    assert failed.state is S.FAILED


def test_members_get_no_such_page(member: FlaskClient, gateway: Gateway) -> None:
    assert member.get(f"/gateways/{gateway.id}/resend").status_code == 403


def test_other_tenants_find_nothing(stranger: FlaskClient, gateway: Gateway) -> None:
    assert stranger.get(f"/gateways/{gateway.id}/resend").status_code == 404


def test_only_documents_of_adaptors_that_the_person_may_operate_are_counted_and_sent(
    app: Flask, subscription: Subscription, gateway: Gateway, adaptor: Adaptor, failed: Delivery, submit: Any
) -> None:
    admin = _sign_in(app, joined(subscription, "admin@example.com", Role.ADMIN).user)
    gateway.grants, adaptor.grants = [{"to": "admins", "level": "editor"}], [{"to": "admins", "level": "viewer"}]
    db.session.commit()
    path, form = f"/gateways/{gateway.id}/resend", {"since": as_input(utcnow() - timedelta(days=2))}
    assert submit(admin, path, form).status_code == 303
    db.session.refresh(failed)
    assert failed.state is S.FAILED
    adaptor.grants = [{"to": "admins", "level": "operator"}]
    db.session.commit()
    submit(admin, path, form)
    db.session.refresh(failed)
    assert failed.state is S.PENDING
