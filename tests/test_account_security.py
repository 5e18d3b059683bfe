"""Flask-Security's routes as we leave them open: answers that tell nothing, links that work once, ways back that stay here."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select
from support.visitor import Visitor

from invoiceapp.account_security import ACCOUNT_ROUTES, CLOSED_ROUTES
from invoiceapp.config import MailServer
from invoiceapp.models import AuditEntry, Passkey, User, db, utcnow
from invoiceapp.models.passkey import SECOND
from invoiceapp.services.sign_in import account_links, account_mail

PASSWORD, NEW = "correct-horse-battery", "a-few-unrelated-words"
Mails = list[tuple[str, str, str, str]]


@pytest.fixture
def mails(app: Flask, config: Any, monkeypatch: pytest.MonkeyPatch) -> Mails:
    """What would have been sent: to, subject, text, html."""
    object.__setattr__(config, "mail", MailServer("127.0.0.1", 25, "none", "faktura@example.com"))
    sent: Mails = []
    monkeypatch.setattr(account_mail, "send", lambda *mail: sent.append(mail))
    return sent


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    return Visitor.new(app)


@pytest.fixture
def owner(signed_in) -> Visitor:
    return Visitor(signed_in)


def _link(text: str) -> str:
    found = re.search(r"http://localhost(/\S+)", text)
    assert found, text
    return found[1]


def test_every_route_of_flask_security_is_declared(app):
    registered = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("security.")}
    assert registered == set(ACCOUNT_ROUTES)


def test_what_is_not_used_is_closed(app, visitor, owner):
    assert {app.view_functions[endpoint].__name__ for endpoint in CLOSED_ROUTES} == {"_closed"}
    for one in (visitor, owner):
        assert one.open("/login/rescue").status_code == 404
    assert visitor.open("/register").status_code == 404


def test_pages_are_never_answered_as_json(visitor, user):
    answer = visitor.open("/login", headers={"Accept": "application/json"})
    assert answer.mimetype == "text/html"
    answer = visitor.client.post("/login", json={"email": user.email, "password": PASSWORD})
    assert answer.mimetype == "text/html"


def test_a_link_for_a_new_password_is_mailed_in_the_persons_language(visitor, user, mails):
    user.language = "en"
    db.session.commit()
    visitor.send("/reset", {"email": f" {user.email.upper()} "})
    ((to, subject, text, html),) = mails
    assert (to, subject) == (user.email, "Choose a new password")
    assert _link(text) in html


def test_known_and_unknown_addresses_get_the_same_answer_and_nobody_is_looked_up_before_it(
    visitor, user, mails, monkeypatch
):
    looked_up: list[str] = []
    monkeypatch.setattr(account_links, "mail_reset", looked_up.append)
    seen = []
    for email in (user.email, "nobody@example.com"):
        visitor.open("/reset")
        token = re.search(r'name="csrf_token" value="([^"]+)"', visitor.page)[1]
        answer = visitor.client.post("/reset", data={"csrf_token": token, "email": email}, buffered=False)
        seen.append((answer.status_code, answer.location, len(looked_up)))
        answer.close()
        seen.append(re.sub(r'"[^"]{40,}"', "", visitor.open("/reset").text))
    assert seen[1] == seen[3]
    assert seen[0][:2] == seen[2][:2]
    assert looked_up == [user.email, "nobody@example.com"]


def test_nobody_is_mailed_whose_account_is_off_or_who_has_none(visitor, user, mails):
    user.active = False
    db.session.commit()
    for email in (user.email, "nobody@example.com"):
        visitor.send("/reset", {"email": email})
    assert mails == []


def test_one_person_gets_only_so_many_links(visitor, user, mails):
    for _ in range(8):
        visitor.send("/reset", {"email": user.email})
    assert 1 <= len(mails) <= 5


def test_without_a_mail_server_the_page_says_who_can_help_whoever_asks(visitor, user):
    assert "ejer eller administrator" in visitor.open("/reset").text or "owner or administrator" in visitor.page
    pages = {visitor.post("/reset", {"email": email}).text for email in (user.email, "nobody@example.com")}
    assert len({re.sub(r'"[^"]{40,}"', "", page) for page in pages}) == 1
    assert 'name="email"' not in visitor.page


@pytest.mark.server
def test_a_mail_server_that_is_down_is_noted_and_shown_to_nobody(visitor, user, config, caplog):
    object.__setattr__(config, "mail", MailServer("127.0.0.1", 1, "none", "faktura@example.com"))
    assert visitor.send("/reset", {"email": user.email}).status_code == 303
    assert "a mail about an account was not sent" in caplog.text


def test_a_reset_link_works_once_and_tells_the_person(visitor, user, mails):
    path = account_links.reset_link(user.email).removeprefix("http://localhost")
    fields = {"password": NEW, "password_confirm": NEW}
    visitor.send(path, fields)
    assert [mail[1] for mail in mails] == ["Dit login er ændret"]
    assert visitor.sign_in(user.email, NEW).location.endswith("/")
    other = Visitor.new(visitor.client.application)
    other.open("/login")
    assert other.post(
        path, {"password": "something-else-entirely", "password_confirm": "something-else-entirely"}
    ).location.endswith("/reset")
    assert other.sign_in(user.email, NEW).status_code == 302


def test_a_link_from_the_command_line_is_the_same(app, visitor, user):
    printed = app.test_cli_runner().invoke(args=["users", "reset-link", user.email]).output.strip()
    assert printed.startswith("http://localhost/reset/")
    visitor.send(printed.removeprefix("http://localhost"), {"password": NEW, "password_confirm": NEW})
    assert visitor.sign_in(user.email, NEW).status_code == 302
    refused = app.test_cli_runner().invoke(args=["users", "reset-link", "nobody@example.com"])
    assert refused.exit_code != 0
    assert "No active user" in refused.output


def test_another_address_is_confirmed_by_a_link_and_the_old_one_is_told(owner, visitor, user, mails):
    owner.send("/account/email", {"email": "Ny@Example.com "})
    db.session.refresh(user)
    assert user.email == "ejer@example.com"
    path = _link(mails[0][2])
    assert mails[0][0] == "ny@example.com"
    visitor.open(path)
    db.session.refresh(user)
    assert (user.email, user.confirmed_at) == ("ejer@example.com", None)
    visitor.post(path)
    db.session.refresh(user)
    assert user.email == "ny@example.com"
    assert user.confirmed_at is not None
    assert mails[1][0] == "ejer@example.com"
    assert visitor.client.get(path).status_code == 410


def test_the_own_address_is_confirmed_in_the_same_way(owner, user, mails):
    owner.send("/account/email", {"email": user.email})
    owner.send(_link(mails[0][2]))
    db.session.refresh(user)
    assert user.confirmed_at is not None
    assert len(mails) == 1


def test_an_address_that_somebody_has_is_answered_like_any_other_and_gets_no_mail(owner, stranger, mails):
    answers = [
        owner.send("/account/email", {"email": email}).location for email in ("fremmed@example.com", "fri@example.com")
    ]
    assert answers[0] == answers[1]
    assert [mail[0] for mail in mails] == ["fri@example.com"]


@pytest.mark.parametrize("what", ["password", "newer address", "taken", "garbled", "other", "old"])
def test_a_link_for_an_address_dies_with_what_it_was_made_for(owner, visitor, user, mails, what, monkeypatch, app):
    account_links.ask_to_confirm(user.id, "ny@example.com")
    path = _link(mails[0][2])
    if what == "password":
        user.fs_uniquifier = "another"
    elif what == "newer address":
        user.email = "nyere@example.com"
    elif what == "taken":
        db.session.add(User(email="ny@example.com", name="", active=True, fs_uniquifier="x"))
    elif what == "garbled":
        path = path[:-3] + "abc"
    elif what == "other":
        path = account_links.reset_link(user.email).replace("http://localhost/reset", "/account/email")
    else:
        monkeypatch.setattr(account_links, "LASTS", -account_links.LASTS)
    db.session.commit()
    assert visitor.open(path).status_code == 410
    assert visitor.post(path).status_code == 410


def test_a_mail_server_that_is_down_is_said_where_the_person_can_act(owner, mails, monkeypatch):
    def down(*_mail: str) -> None:
        raise account_mail.ServiceError(account_mail._AWAY)

    monkeypatch.setattr(account_mail, "send", down)
    assert owner.send("/account/email", {"email": "ny@example.com"}).status_code == 422
    assert "ny@example.com" in owner.page
    assert "Mailserveren kan ikke nås" in owner.page


def test_changes_of_sign_in_are_told_by_mail(owner, user, mails):
    owner.send("/change", {"password": PASSWORD, "new_password": NEW, "new_password_confirm": NEW})
    assert [(mail[0], "adgangskode er ændret" in mail[2]) for mail in mails] == [(user.email, True)]


ELSEWHERE = [
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "/%09/evil.example", "\t//evil.example", " //evil.example", "javascript:alert(1)", "https://localhost@evil.example/",
    "https://localhost.evil.example/", "http:///evil.example", "/..//evil.example", "%2f%2fevil.example",
]  # fmt: skip


def _is_here(location: str) -> bool:
    read = location.replace("\\", "/").strip().replace("\t", "")
    return (
        urlsplit(read).netloc in ("", "localhost")
        and not read.startswith("//")
        and ":" not in read.removeprefix("http://localhost")
    )


def test_a_new_api_key_is_told_by_mail_under_its_own_name(owner, user, mails):
    fields = {"subscription": user.memberships[0].subscription_id, "name": "Rapport", "scope": "read", "days": "90"}
    assert owner.send("/account/api-keys/new", fields | {"all": "1"}).status_code == 200
    ((to, subject, text, _html),) = mails
    assert (to, subject) == (user.email, "Ny API-nøgle på din konto") and "API-nøgle" in text


def test_no_way_back_leads_elsewhere(app, owner, user):
    for way in ELSEWHERE:
        visitor = Visitor.new(app)
        visitor.open("/login", query_string={"next": way})
        answer = visitor.post(
            "/login", {"email": user.email, "password": PASSWORD, "next": way}, query_string={"next": way}
        )
        assert answer.location is None or _is_here(answer.location), way
        owner.open("/verify", query_string={"next": way})
        answer = owner.post("/verify", {"password": PASSWORD, "next": way}, query_string={"next": way})
        assert answer.location is None or _is_here(answer.location), way


def _stale(visitor: Visitor) -> None:
    with visitor.client.session_transaction() as session:
        session["fs_paa"] = utcnow().timestamp() - 16 * 60


def test_a_sensitive_page_asks_once_more_and_leads_back(owner):
    assert owner.client.get("/account/email").status_code == 200
    _stale(owner)
    way = owner.client.get("/account/email").location
    assert way == "/verify?next=/account/email"
    assert owner.send(way, {"password": "wrong-password-here"}).status_code == 200
    assert owner.client.get("/account/email").status_code == 303
    assert owner.send(way, {"password": PASSWORD}).location.endswith("/account/email")
    assert owner.client.get("/account/email").status_code == 200


@pytest.mark.parametrize(
    ("referrer", "way_back"),
    [
        ("http://localhost/account/security?tab=1", "/account/security?tab%3D1"),
        ("https://evil.example/account/security", "/account/email"),
        (None, "/account/email"),
    ],
)
def test_a_form_is_not_carried_out_but_leads_back_to_where_it_stood(owner, mails, referrer, way_back):
    owner.open("/account/email")
    _stale(owner)
    answer = owner.post(
        "/account/email", {"email": "ny@example.com"}, headers={"Referer": referrer} if referrer else {}
    )
    assert answer.location.replace("%3F", "?") == f"/verify?next={way_back}"
    assert mails == []
    assert "Intet er gjort endnu" in owner.open(answer.location).text


def test_a_link_to_the_old_address_is_dead_when_the_address_is_another_and_only_this_browser_stays(
    app, owner, visitor, user, mails
):
    elsewhere = Visitor.new(app)
    elsewhere.sign_in(user.email, PASSWORD)
    assert elsewhere.is_signed_in()
    owner.send("/account/email", {"email": "ny@example.com"})
    reset = account_links.reset_link(user.email).removeprefix("http://localhost")
    owner.send(_link(mails[0][2]))
    assert owner.is_signed_in()
    assert not elsewhere.is_signed_in()
    assert visitor.client.get(reset).location.endswith("/reset")
    acts = db.session.scalars(select(AuditEntry.act).where(AuditEntry.act == "email.changed")).all()
    assert acts == ["email.changed"]


def test_who_confirms_an_address_in_another_browser_is_signed_in_nowhere(owner, visitor, user, mails):
    owner.send("/account/email", {"email": "ny@example.com"})
    visitor.send(_link(mails[0][2]))
    assert not owner.is_signed_in()
    assert not visitor.is_signed_in()


def _command(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=["users", *words])
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_a_person_who_lost_everything_is_helped_by_who_runs_the_server(app, owner, visitor, user, mails):
    user.tf_primary_method, user.tf_totp_secret, user.mf_recovery_codes = "authenticator", "v1.k1.x", ["hash"]
    key = Passkey(
        user_id=user.id, name="Telefon", credential_id=b"1", public_key=b"k", transports=[], device_type="single_device",
        backup_state=False, usage=SECOND, lastuse_datetime=utcnow(),
    )  # fmt: skip
    db.session.add(key)
    db.session.commit()
    assert "/login/" in visitor.sign_in(user.email, PASSWORD).location
    _command(app, "forget-second-factor", user.email.upper())
    db.session.expire_all()
    assert (user.tf_totp_secret, user.mf_recovery_codes, user.webauthn) == (None, None, [])
    assert not owner.is_signed_in()
    assert [(mail[0], "passkeys" in mail[2]) for mail in mails] == [(user.email, True)]
    assert visitor.sign_in(user.email, PASSWORD).location.endswith("/")
    assert visitor.is_signed_in()
    refused = app.test_cli_runner().invoke(args=["users", "forget-second-factor", "nobody@example.com"])
    assert refused.exit_code == 1


def test_what_commands_do_to_a_person_stands_in_the_log_of_their_subscription(app, user, subscription):
    _command(app, "reset-link", user.email)
    _command(app, "forget-second-factor", user.email)
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.chain == subscription.id).order_by(AuditEntry.seq))
    assert [(one.actor, one.act, one.object_name) for one in entries] == [
        ("users reset-link", "reset_link.made", user.email),
        ("users forget-second-factor", "second_factor.forgotten", user.email),
    ]
