"""PKCE, from our request to the refresh token."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from invoiceapp.gateways.base import Refused
from invoiceapp.gateways.dropbox import DropboxTransport

BACK = "http://localhost/gateways/authorized"


def allow(url: str, answer: str = "allow") -> dict[str, str]:
    """Presses the button on the page; what the browser comes back with."""
    parts = urlsplit(url)
    page = requests.get(url, timeout=5)
    assert page.ok and "<button" in page.text
    form = {**dict(parse_qsl(parts.query)), "answer": answer}
    sent = requests.post(f"{parts.scheme}://{parts.netloc}/oauth2/authorize", form, allow_redirects=False, timeout=5)
    assert sent.status_code == 302 and sent.headers["Location"].startswith(BACK)
    return dict(parse_qsl(urlsplit(sent.headers["Location"]).query))


def test_the_page_is_asked_for_lasting_access_by_pkce():
    asked = DropboxTransport.authorize({"app_key": "abc"}, BACK)
    assert asked.url.startswith("https://www.dropbox.com/oauth2/authorize?")
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.url).query).items()}
    digest = hashlib.sha256(asked.verifier.encode()).digest()
    assert query == {
        "client_id": "abc",
        "response_type": "code",
        "redirect_uri": BACK,
        "state": asked.state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        "token_access_type": "offline",
        "scope": "account_info.read files.metadata.read files.content.write",
    }
    assert 43 <= len(asked.verifier) <= 128 and asked.verifier not in asked.url


def test_every_request_has_its_own_state_and_verifier():
    found = [DropboxTransport.authorize({"app_key": "abc"}, BACK) for _ in range(2)]
    assert found[0].state != found[1].state and found[0].verifier != found[1].verifier


@pytest.mark.server
def test_the_code_gives_a_refresh_token_that_sends(dropbox, opened, settings, consignment):
    asked = DropboxTransport.authorize(settings, BACK)
    came = allow(asked.url)
    assert came["state"] == asked.state
    given = opened(refresh_token=None, app_secret=None).authorized(came["code"], asked.verifier, BACK)
    assert set(given) == {"refresh_token", "account_id"}
    assert opened(**given).send(consignment()).proves_arrival


@pytest.mark.server
@pytest.mark.parametrize("wrong", ["verifier", "code", "redirect", "twice", "secret"])
def test_a_code_is_good_for_the_one_who_asked_and_once(dropbox, opened, settings, wrong):
    asked = DropboxTransport.authorize(settings, BACK)
    code = allow(asked.url)["code"]
    transport = opened(app_secret="S3CR3T" if wrong == "secret" else None)
    if wrong == "twice":
        transport.authorized(code, asked.verifier, BACK)
    verifier = "x" * 43 if wrong == "verifier" else asked.verifier
    with pytest.raises(Refused) as caught:
        transport.authorized(
            "nonsense" if wrong == "code" else code, verifier, BACK + ("x" if wrong == "redirect" else "")
        )
    assert code not in f"{caught.value!r} {caught.value.detail}" and "S3CR3T" not in repr(caught.value)


@pytest.mark.server
def test_a_person_may_say_no(dropbox, settings):
    came = allow(DropboxTransport.authorize(settings, BACK).url, "deny")
    assert came["error"] == "access_denied" and "code" not in came


@pytest.mark.server
def test_an_answer_without_lasting_access_is_told(opened, monkeypatch):
    from invoiceapp.gateways import oauth

    transport = opened()
    token = transport._api.token(
        {"grant_type": "refresh_token", "refresh_token": "demo-refresh-token"}, transport._deadline()
    )
    assert isinstance(token, oauth.Token) and token.refresh_token is None
    monkeypatch.setattr(transport._api, "token", lambda *_: token)
    with pytest.raises(Refused):
        transport.authorized("c", "v", BACK)
