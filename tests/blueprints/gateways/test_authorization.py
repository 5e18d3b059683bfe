from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests
from flask import Flask, render_template
from flask.testing import FlaskClient
from flask_login import login_user

from invoiceapp.demo.partners.dropbox_account import DEMO_APP_KEY
from invoiceapp.demo.partners.dropbox_api import DropboxApi
from invoiceapp.gateways.dropbox import DropboxTransport
from invoiceapp.models import Gateway, Subscription, User, db
from invoiceapp.services.configuration import authorizations, gateways

BACK = "/gateways/authorized"


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    """Tests read the msgids, whatever translations are compiled."""
    user.language = "en"
    db.session.commit()


@pytest.fixture
def row(subscription: Subscription) -> Gateway:
    return gateways.save(subscription.id, "dropbox", "Vores Dropbox", {"app_key": "abc"})


@pytest.fixture
def gives(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes that the partner is asked about; it gives a token for each."""
    codes: list[str] = []

    def authorized(self: DropboxTransport, code: str, verifier: str, redirect_uri: str) -> dict[str, str]:
        assert verifier and redirect_uri == f"http://localhost{BACK}"
        codes.append(code)
        return {"refresh_token": f"S3CR3T-{code}"}

    monkeypatch.setattr(DropboxTransport, "authorized", authorized)
    return codes


def begin(client: FlaskClient, submit: Any, row: Gateway) -> dict[str, str]:
    """Presses the button; what the partner's page is asked."""
    answer = submit(client, f"/gateways/{row.id}/authorize", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    return dict(parse_qsl(urlsplit(answer.headers["HX-Redirect"]).query))


def come_back(client: FlaskClient, **query: str) -> str:
    """The page that the person lands on."""
    answer = client.get(f"{BACK}?{urlencode(query)}")
    assert answer.status_code == 303
    return client.get(answer.location).text


def is_connected(row: Gateway) -> bool:
    return authorizations.is_connected(db.session.get_one(Gateway, row.id, populate_existing=True))


def test_the_button_leads_to_the_partners_page(signed_in, submit, row):
    asked = begin(signed_in, submit, row)
    assert asked["client_id"] == "abc" and asked["redirect_uri"] == f"http://localhost{BACK}"


def test_without_javascript_a_link_leads_there_because_a_form_may_not(signed_in, submit, row):
    answer = submit(signed_in, f"/gateways/{row.id}/authorize")
    assert answer.status_code == 200
    link = re.search(r'<a class="btn btn-primary" href="(https://www\.dropbox\.com/[^"]+)"', answer.text)
    assert link and "code_challenge=" in link[1] and "Go on to www.dropbox.com" in answer.text


def test_the_address_to_come_back_to_is_the_configured_one_whatever_the_request_says(app, signed_in, submit, row):
    app.extensions["invoiceapp.config"] = replace(
        app.extensions["invoiceapp.config"], base_url="https://faktura.example"
    )
    assert begin(signed_in, submit, row)["redirect_uri"] == f"https://faktura.example{BACK}"


def test_whoever_comes_back_with_a_code_has_connected_the_gateway(signed_in, submit, row, gives):
    asked = begin(signed_in, submit, row)
    page = come_back(signed_in, state=asked["state"], code="c1")
    assert "The gateway is connected" in page and "S3CR3T" not in page
    assert gives == ["c1"] and is_connected(row)


def test_an_answer_counts_once(signed_in, submit, row, gives):
    asked = begin(signed_in, submit, row)
    come_back(signed_in, state=asked["state"], code="c1")
    assert "used already" in come_back(signed_in, state=asked["state"], code="c2")
    assert gives == ["c1"]


@pytest.mark.parametrize("state", ["wrong", "", "æ"])
def test_a_forged_answer_stores_nothing_and_does_not_spoil_the_real_one(signed_in, submit, row, gives, state):
    asked = begin(signed_in, submit, row)
    assert "belongs to no connection" in come_back(signed_in, state=state, code="evil")
    assert gives == [] and not is_connected(row)
    assert "is connected" in come_back(signed_in, state=asked["state"], code="c1")


def test_an_answer_without_a_question_stores_nothing(signed_in, row, gives):
    assert "belongs to no connection" in come_back(signed_in, state="s", code="c")
    assert "belongs to no connection" in come_back(signed_in)
    assert gives == []


def test_an_old_answer_is_told_so(signed_in, submit, row, gives, monkeypatch):
    monkeypatch.setattr(authorizations, "LIFE", -1)
    asked = begin(signed_in, submit, row)
    assert "too late" in come_back(signed_in, state=asked["state"], code="c1")
    assert gives == [] and not is_connected(row)


@pytest.mark.parametrize(
    ("error", "words"),
    [("access_denied", "You did not allow access"), ("server_error", "(server_error)"), ("", "no access")],
)
def test_a_no_at_the_partner_stores_nothing(signed_in, submit, row, gives, error, words):
    asked = begin(signed_in, submit, row)
    assert words in come_back(signed_in, state=asked["state"], error=error)
    assert gives == [] and not is_connected(row)


def test_a_code_that_the_partner_does_not_take_is_told(signed_in, submit, row, monkeypatch):
    def no(*_: str) -> dict[str, str]:
        raise authorizations.TransportError(gateways.Text("Nej.", "The code is spent."))

    monkeypatch.setattr(DropboxTransport, "authorized", no)
    asked = begin(signed_in, submit, row)
    assert "The code is spent." in come_back(signed_in, state=asked["state"], code="c1")
    assert not is_connected(row)


@pytest.mark.parametrize(("who", "status"), [("member", 403), ("stranger", 404)])
def test_others_cannot_begin_it(request, submit, row, who, status):
    client = request.getfixturevalue(who)
    assert submit(client, f"/gateways/{row.id}/authorize").status_code == status


@pytest.mark.parametrize("who", ["member", "stranger"])
def test_another_person_cannot_end_it_even_with_the_first_ones_session(request, row, user, gives, who):
    client = request.getfixturevalue(who)
    pending = authorizations.begin(row.id, user.id, f"http://localhost{BACK}")[1]
    with client.session_transaction() as session:
        session["authorization"] = pending.to_dict()
    assert client.get(f"{BACK}?state={pending.state}&code=c").status_code == 303
    assert gives == [] and not is_connected(row)


def test_a_gateway_that_went_to_another_tenant_meanwhile_is_not_found(signed_in, submit, row, gives):
    asked = begin(signed_in, submit, row)
    other = Subscription(name="Anden ApS")
    db.session.add(other)
    db.session.flush()
    row.subscription_id = other.id
    db.session.commit()
    assert signed_in.get(f"{BACK}?state={asked['state']}&code=c").status_code == 404
    assert gives == [] and not is_connected(row)


def test_a_kind_that_is_not_connected_like_that_says_so(signed_in, submit, gateway):
    answer = submit(signed_in, f"/gateways/{gateway.id}/authorize")
    assert answer.status_code == 303 and "is not connected like that" in signed_in.get(answer.location).text


def test_nobody_signed_out_gets_anything(client, row):
    assert client.get(f"{BACK}?state=s&code=c").status_code in (302, 401)


@pytest.mark.parametrize("connected", [False, True])
def test_the_card_says_whether_it_is_connected_and_what_to_enter_at_the_partner(app, user, row, gives, connected):
    if connected:
        authorizations.finish(
            authorizations.begin(row.id, user.id, f"http://localhost{BACK}")[1], "c1", f"http://localhost{BACK}"
        )
    with app.test_request_context(f"/gateways/{row.id}"):
        login_user(user)
        card = render_template("gateways/_authorization.html", gateway=row, transport=DropboxTransport)
    assert ("Connect again" in card) is connected and ("Not connected" in card) is not connected
    assert f'action="/gateways/{row.id}/authorize"' in card
    assert f"<code>http://localhost{BACK}</code>" in card
    assert "S3CR3T" not in card


@pytest.mark.server
def test_from_the_button_through_the_partners_page_to_a_connection_that_works(
    app: Flask, signed_in: FlaskClient, submit: Any, subscription: Subscription, tmp_path: Path, dropbox: DropboxApi
) -> None:
    form = {
        "app_key": DEMO_APP_KEY, "api_url": dropbox.url, "content_url": dropbox.url,
        "authorize_url": f"{dropbox.url}/oauth2/authorize",
    }  # fmt: skip
    row = gateways.save(subscription.id, "dropbox", "Demo", form)
    asked = begin(signed_in, submit, row)
    sent = requests.post(
        f"{dropbox.url}/oauth2/authorize", asked | {"answer": "allow"}, allow_redirects=False, timeout=5
    )
    page = come_back(signed_in, **dict(parse_qsl(urlsplit(sent.headers["Location"]).query)))
    assert "The gateway is connected" in page
    assert [step.ok for step in gateways.check(row.id)] == [True] * 6


@pytest.fixture
def dropbox(tmp_path: Path) -> Iterator[DropboxApi]:
    running = DropboxApi(tmp_path / "dropbox")
    yield running
    running.close()
