"""What another site can make a browser send, and what a client can claim of host, protocol and address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import request
from jinja2 import BytecodeCache
from support.mailing import received
from support.tenants import Attacker, House, addresses, digest, house

from invoiceapp.blueprints.policy import of_endpoint
from invoiceapp.config import MailServer
from invoiceapp.demo.partners.smtp_server import SmtpServer

pytestmark = pytest.mark.server

#: Called by machines, or by a mail program's one click (RFC 8058): what they do needs a key of its own.
_WITHOUT_TOKEN = re.compile(r"inbound\.post|notifications\.unsubscribe|api\..+")
_FORGED = {
    "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Prefix": "/evil", "Forwarded": "host=evil.example;proto=https", "X-Original-URL": "//evil.example",
    "X-Rewrite-URL": "//evil.example", "X-Host": "evil.example",
}  # fmt: skip


def _state(house: House) -> dict[str, str]:
    rows = house.rows()
    return {
        name: digest({"": rows[name]}) for name in rows if name not in ("audit_entry", "audit_chain", "sign_in_session")
    }


def _writes(house: House) -> list[tuple[str, str, str]]:
    return [one for one in addresses(house, house.ours) if one[0] not in ("GET", "HEAD")]


def test_no_form_is_taken_without_its_token(whole: House) -> None:
    owner, before, exempt = Attacker(whole.ours.owner), _state(whole), set()
    wrong = []
    for method, endpoint, path in _writes(whole):
        if _WITHOUT_TOKEN.fullmatch(endpoint):
            exempt.add(endpoint)
            continue
        for token in ({}, {"csrf_token": "x"}):
            answer = owner.send(method, path, data={"name": "Kapret", **token})
            wrong += [f"{method} {path}: {answer.status_code}"] if answer.status_code != 400 else []
    assert not wrong, "\n".join(wrong)
    assert exempt == {"inbound.post", "notifications.unsubscribe", "api.act", "api.start_run"}
    assert _state(whole) == before


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Origin": "null"}]
)  # fmt: skip
def test_no_form_of_another_site_is_taken_even_with_the_token(whole: House, headers: dict[str, str]) -> None:
    owner, before, wrong = Attacker(whole.ours.owner), _state(whole), []
    token = owner.token()
    for method, endpoint, path in _writes(whole):
        declared = of_endpoint(whole.app, endpoint)
        assert declared is not None
        if declared.kind != "public" and not declared.is_for_tokens:
            answer = owner.send(method, path, data={"csrf_token": token}, headers=headers)
            wrong += [f"{method} {path}: {answer.status_code}"] if answer.status_code != 403 else []
    assert not wrong, "\n".join(wrong)
    assert _state(whole) == before


def test_a_session_does_not_open_the_api(whole: House) -> None:
    owner = Attacker(whole.ours.owner)
    for method, endpoint, path in addresses(whole, whole.ours):
        if endpoint.startswith("api.") and endpoint != "api.openapi_document":
            assert owner.send(method, path).status_code == 401, path


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, compiled_templates: BytecodeCache) -> Iterator[House]:
    """Behind one reverse proxy."""
    with house(tmp_path_factory.mktemp("proxied"), compiled_templates, proxies=1) as found:
        yield found


def test_nobody_can_claim_to_be_reached_as_another_host(whole: House) -> None:
    visitor = whole.app.test_client()
    for path in ("/runs", "/login", "/adaptors/catalogue", "/no-such-page"):
        answer = visitor.get(path, headers=_FORGED)
        assert "evil" not in answer.text + str(answer.headers), path
    assert visitor.get("/login", headers={"Host": "evil.example"}).status_code == 400
    assert visitor.get("/login", headers={"Host": "localhost@evil.example"}).status_code == 400
    # Not believed to be encrypted either: that would make cookies and HSTS that the browser cannot keep.
    assert "Strict-Transport-Security" not in visitor.get("/login", headers=_FORGED).headers


def test_behind_a_proxy_only_what_the_last_hop_says_is_believed(proxied: House) -> None:
    visitor = proxied.app.test_client()
    assert visitor.get("/login", headers={"X-Forwarded-Host": "evil.example"}).status_code == 400
    # What the visitor has written stands before what the proxy has added.
    chain = {"X-Forwarded-Host": "evil.example, localhost", "X-Forwarded-For": "203.0.113.7, 198.51.100.9"}
    seen: list[str | None] = []
    proxied.app.before_request_funcs[None].insert(0, lambda: seen.append(request.remote_addr))
    answer = visitor.get("/runs", headers=chain)
    assert "evil" not in answer.location and seen == ["198.51.100.9"]


def test_links_in_mails_begin_with_the_configured_address(whole: House, tmp_path: Path) -> None:
    server = SmtpServer(tmp_path / "mails")
    try:
        config = whole.app.extensions["invoiceapp.config"]
        object.__setattr__(config, "mail", MailServer("127.0.0.1", server.port, "none", "faktura@firma.example"))
        owner = Attacker(whole.ours.owner)
        token = owner.token()
        visitor = whole.app.test_client()
        # 127.0.0.1 is a trusted host, too: it may ask, and is in no link.
        own = re.search(
            r'name="csrf-token" content="([^"]+)"', visitor.get("/reset", headers={"Host": "127.0.0.1"}).text
        )
        assert own
        for client, host, path, form in (
            (visitor, "127.0.0.1", "/reset", {"email": "owner-ours@example.com", "csrf_token": own[1]}),
            (
                whole.ours.owner,
                "localhost",
                "/people/invitations",
                {"email": "ny2@example.com", "role": "member", "csrf_token": token},
            ),
            (whole.ours.owner, "localhost", "/account/email", {"email": "skift@example.com", "csrf_token": token}),
        ):
            answer = client.post(path, data=form, headers={**_FORGED, "Host": host})
            assert answer.status_code in (200, 303), (path, answer.status_code)
            answer.close()
        mails = received(tmp_path / "mails")
        links = [
            link
            for mail in mails
            for link in re.findall(r"https?://[^\s\"<>]+", mail.get_body(["plain"]).get_content())
        ]
        assert len(mails) == 3 and len(links) >= 3
        assert all(link.startswith("http://localhost/") for link in links), links
    finally:
        object.__setattr__(config, "mail", None)
        server.close()
        whole.fresh()
