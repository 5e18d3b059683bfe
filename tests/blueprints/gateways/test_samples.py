from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.models import Environment, Event, Gateway, User, db

FORM = {"format": "csv", "confirm": "1"}


def test_the_page_asks_first_and_warns_where_the_gateway_is_live(
    signed_in: FlaskClient, gateway: Gateway, partner: Any
) -> None:
    path = f"/gateways/{gateway.id}/sample"
    assert f'href="{path}"' in signed_in.get(f"/gateways/{gateway.id}").text
    page = signed_in.get(path).text
    assert 'value="peppol-bis-3"' in page
    assert "the receiver really gets it" in page
    gateway.environment = Environment.TEST
    db.session.commit()
    assert "the receiver really gets it" not in signed_in.get(path).text
    assert partner.sent == []


def test_nothing_is_sent_without_a_tick(signed_in: FlaskClient, gateway: Gateway, partner: Any, submit: Any) -> None:
    answer = submit(signed_in, f"/gateways/{gateway.id}/sample", {"format": "csv"})
    assert answer.status_code == 422
    assert 'href="#field-confirm"' in answer.text
    assert 'value="csv" selected' in answer.text
    assert partner.sent == []


def test_a_sample_shows_the_evidence(signed_in: FlaskClient, gateway: Gateway, partner: Any, submit: Any) -> None:
    page = submit(signed_in, f"/gateways/{gateway.id}/sample", FORM).text
    [sent] = partner.sent
    assert "The sample is sent" in page
    assert sent.document_no in page
    assert "prøve.xml" in page
    assert "&#34;size&#34;: 7" in page
    assert db.session.query(Event).one().actor == "ejer@example.com"


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Refused, "the settings or the login do not work"),
        (Rejected, "the receiver says no"),
        (Unavailable, "could not be reached"),
        (Unknown, "it may have arrived"),
    ],
)
def test_a_failure_is_told_by_its_class(
    signed_in: FlaskClient, gateway: Gateway, partner: Any, submit: Any, monkeypatch: pytest.MonkeyPatch,
    failure: Any, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(partner, "outcome", failure(Text("Kassen er fuld.", "The box is full."), "552 full"))
    page = submit(signed_in, f"/gateways/{gateway.id}/sample", FORM).text
    assert words in page
    assert "The box is full." in page
    assert "552 full" in page


@pytest.mark.usefixtures("user")
def test_a_mail_goes_to_an_address_that_is_typed(
    signed_in: FlaskClient, gateway: Gateway, partner: Any, submit: Any, monkeypatch: pytest.MonkeyPatch, user: User
) -> None:  # fmt: skip
    fixed = Field("recipient", Text("Fast modtager", "Fixed recipient"), FieldType.EMAIL)
    monkeypatch.setattr(partner, "fields", (*partner.fields, fixed))
    path = f"/gateways/{gateway.id}/sample"
    assert f'name="address" value="{user.email}"' in signed_in.get(path).text
    answer = submit(signed_in, path, {**FORM, "address": "nobody"})
    assert (answer.status_code, 'href="#field-address"' in answer.text) == (422, True)
    submit(signed_in, path, {**FORM, "address": "ida@example.com"})
    assert [one.receiver_email for one in partner.sent] == ["ida@example.com"]


def test_a_gateway_whose_password_cannot_be_read_sends_nothing_and_says_so(
    signed_in: FlaskClient, gateway: Gateway, partner: Any, submit: Any
) -> None:
    gateway.secrets = {"password": "v1.lost.AAAA"}
    db.session.commit()
    page = submit(signed_in, f"/gateways/{gateway.id}/sample", FORM).text
    assert "Nothing was sent" in page
    assert partner.sent == []


def test_members_get_no_such_page(member: FlaskClient, gateway: Gateway) -> None:
    assert member.get(f"/gateways/{gateway.id}/sample").status_code == 403


def test_other_tenants_find_nothing(stranger: FlaskClient, gateway: Gateway) -> None:
    assert stranger.get(f"/gateways/{gateway.id}/sample").status_code == 404
