"""Who we are: passwords and access tokens, against aiosmtpd and a token server on loopback."""

from __future__ import annotations

import base64
import logging
import re
import traceback

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways import oauth
from invoiceapp.gateways.base import Refused, TransportError, Unavailable
from invoiceapp.gateways.email import EmailTransport
from invoiceapp.gateways.email.login import auth_of
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import HttpClient

REFRESH, CLIENT_SECRET, ACCESS = "S3CR3T-refresh", "S3CR3T-client", "S3CR3T-access"
OK = {"access_token": ACCESS, "token_type": "Bearer", "expires_in": 3600}


@pytest.fixture
def oauth_mail(token_mail):
    token_mail.good = {ACCESS}
    return token_mail


def config(port, **changes):
    return {
        "host": "127.0.0.1", "port": port, "security": "none", "auth": "password", "username": "firma",
        "password": "kode", "sender": "faktura@firma.example",
    } | changes  # fmt: skip


@pytest.fixture
def with_token(authority, tokens):
    """The settings for XOAUTH2 at a server's port."""

    def make(port, **changes):
        wanted = {
            "security": "starttls", "ca_certificate": authority.root, "auth": "oauth2", "username": "firma@firma.example",
            "token_url": tokens.url, "client_id": "os", "client_secret": CLIENT_SECRET, "refresh_token": REFRESH,
            "scope": "https://mail.example/ smtp",
        }  # fmt: skip
        return config(port) | wanted | changes

    return make


@pytest.mark.parametrize(
    ("stored", "auth"),
    [({}, "none"), ({"username": "u"}, "password"), ({"auth": "none", "username": "u"}, "none"), ({"auth": "oauth2"}, "oauth2")],
    ids=str,
)  # fmt: skip
def test_gateways_of_before_there_was_a_choice_log_in_as_they_did(stored, auth):
    assert auth_of(stored) == auth


@pytest.mark.server
def test_a_password_with_danish_letters_works(serve, consignment):
    server = serve(login=("firma", "blåbærgrød"))
    with EmailTransport(config(server.port, password="blåbærgrød"), LOOPBACK) as gateway:
        gateway.send(consignment())
    assert server.logins == 1


@pytest.mark.server
def test_a_server_that_only_knows_login_is_told_in_two_answers(scripted, consignment):
    user, password = (base64.b64encode(word).decode() for word in (b"firma", b"kode"))
    answers = {
        "EHLO": b"250-mail\r\n250 AUTH LOGIN", "AUTH LOGIN": b"334 VXNlcm5hbWU6", user.upper(): b"334 UGFzc3dvcmQ6",
        password.upper(): b"235 ok",
    }  # fmt: skip
    server = scripted(answers)
    with EmailTransport(config(server.port), LOOPBACK) as gateway:
        gateway.send(consignment())
    assert server.lines[1:4] == ["AUTH LOGIN", user, password]


@pytest.mark.server
def test_a_wrong_password_is_tried_once(scripted, consignment):
    server = scripted({"EHLO": b"250-mail\r\n250 AUTH CRAM-MD5 PLAIN LOGIN", "AUTH": b"535 5.7.8 wrong: kode"})
    with EmailTransport(config(server.port), LOOPBACK) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert [line.split()[:2] for line in server.lines if line.startswith("AUTH")] == [["AUTH", "PLAIN"]]
    assert caught.value.detail == "login: 535 5.7.8"


@pytest.mark.server
@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"535 5.7.8 no", Refused), (b"534 5.7.9 app password", Refused), (b"501 what", Refused), (b"454 later", Unavailable),
     (b"421 busy", Unavailable), (None, Unavailable), (b"334 ", Unavailable)],
    ids=str,
)  # fmt: skip
def test_each_no_to_a_login_counts(scripted, consignment, answer, kind):
    server = scripted({"EHLO": b"250-mail\r\n250 AUTH PLAIN", "AUTH": answer})
    with EmailTransport(config(server.port), LOOPBACK) as gateway, pytest.raises(kind) as caught:
        gateway.send(consignment())
    assert type(caught.value) is kind


@pytest.mark.server
@pytest.mark.parametrize("offered", [b"250 mail", b"250-mail\r\n250 AUTH GSSAPI"])
@pytest.mark.parametrize("auth", ["password", "oauth2"])
def test_a_server_without_a_login_that_we_know_is_refused(scripted, tokens, consignment, offered, auth):
    tokens.answers = [(200, OK)]
    wanted = config(scripted({"EHLO": offered}).port, auth=auth, token_url=tokens.url, refresh_token=REFRESH)
    with EmailTransport(wanted, LOOPBACK) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "tilbyder ikke" in caught.value.text.da


@pytest.mark.server
def test_an_access_token_opens_the_door_and_is_kept(oauth_mail, with_token, tokens, mails, consignment):
    tokens.answers = [(200, OK)]
    with EmailTransport(with_token(oauth_mail.port), LOOPBACK) as gateway:
        gateway.send(consignment(key="a"))
        gateway._drop()
        gateway.send(consignment(key="b"))
    assert len(list(mails.iterdir())) == 2
    assert oauth_mail.shown == [ACCESS] * 2
    assert tokens.forms == [
        {
            "grant_type": "refresh_token", "refresh_token": REFRESH, "client_id": "os", "client_secret": CLIENT_SECRET,
            "scope": "https://mail.example/ smtp",
        }
    ]  # fmt: skip


@pytest.mark.server
def test_what_is_not_filled_in_is_not_asked_with(oauth_mail, with_token, tokens, consignment):
    tokens.answers = [(200, OK)]
    with EmailTransport(with_token(oauth_mail.port, client_secret=None, scope=None), LOOPBACK) as gateway:
        gateway.send(consignment())
    assert set(tokens.forms[0]) == {"grant_type", "refresh_token", "client_id"}


@pytest.mark.server
def test_a_token_at_its_end_is_replaced(oauth_mail, with_token, tokens, consignment):
    tokens.answers = [(200, OK | {"expires_in": 30, "refresh_token": "S3CR3T-next"}), (200, OK)]
    with EmailTransport(with_token(oauth_mail.port), LOOPBACK) as gateway:
        gateway.send(consignment())
        gateway._drop()
        gateway.send(consignment())
    assert [form["refresh_token"] for form in tokens.forms] == [REFRESH, "S3CR3T-next"]


@pytest.mark.server
def test_a_kept_token_that_was_withdrawn_is_replaced_at_once(oauth_mail, with_token, tokens, mails, consignment):
    tokens.answers = [(200, OK), (200, OK | {"access_token": "S3CR3T-new"})]
    with EmailTransport(with_token(oauth_mail.port), LOOPBACK) as gateway:
        gateway.send(consignment())
        gateway._drop()
        oauth_mail.good = {"S3CR3T-new"}
        gateway.send(consignment())
    assert oauth_mail.shown == [ACCESS, ACCESS, "S3CR3T-new"]
    assert len(list(mails.iterdir())) == 2


@pytest.mark.server
def test_a_new_token_that_the_mail_server_refuses_pauses_the_gateway(oauth_mail, with_token, tokens, consignment):
    tokens.answers = [(200, OK)]
    oauth_mail.good = set()
    with EmailTransport(with_token(oauth_mail.port), LOOPBACK) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "login" in caught.value.text.da
    assert len(tokens.forms) == 1


@pytest.mark.server
def test_a_long_token_is_sent_after_the_command(scripted, tokens, consignment):
    """RFC 4954 4: the first answer goes along only where the command line has room."""
    tokens.answers = [(200, OK | {"access_token": "x" * 2_000})]
    said = base64.b64encode(f"user=firma\x01auth=Bearer {'x' * 2_000}\x01\x01".encode()).decode()
    answers = {"EHLO": b"250-mail\r\n250 AUTH XOAUTH2", "AUTH XOAUTH2": b"334 ", said.upper(): b"235 ok"}
    server = scripted(answers)
    wanted = config(server.port, auth="oauth2", token_url=tokens.url, refresh_token=REFRESH)
    with EmailTransport(wanted, LOOPBACK) as gateway:
        gateway.send(consignment())
    assert server.lines[1:3] == ["AUTH XOAUTH2", said]


@pytest.mark.server
@pytest.mark.parametrize("is_good", [True, False])
def test_oauthbearer_is_spoken_where_it_is_offered(scripted, tokens, consignment, is_good):
    tokens.answers = [(200, OK)]
    answers = {
        "EHLO": b"250-mail\r\n250 AUTH OAUTHBEARER",
        "AUTH": b"235 ok" if is_good else b"334 e30=",
        "AQ==": b"535 no",
    }
    server = scripted(answers)
    wanted = config(server.port, auth="oauth2", username="a,b=c", token_url=tokens.url, refresh_token=REFRESH)
    with EmailTransport(wanted, LOOPBACK) as gateway:
        if is_good:
            gateway.send(consignment())
        else:
            with pytest.raises(Refused):
                gateway.send(consignment())
    said = base64.b64decode(server.lines[1].removeprefix("AUTH OAUTHBEARER ")).decode()
    assert said == f"n,a=a=2Cb=3Dc,\x01host=127.0.0.1\x01port={server.port}\x01auth=Bearer {ACCESS}\x01\x01"
    assert ("AQ==" in server.lines) is not is_good


def ask(url):
    with HttpClient(LOOPBACK) as client:
        return oauth.refresh(client, url, {"refresh_token": REFRESH, "client_secret": CLIENT_SECRET}, Deadline(5, 5))


@pytest.mark.server
@pytest.mark.parametrize(
    ("status", "body", "kind", "word"),
    [
        (400, {"error": "invalid_grant", "error_description": REFRESH}, Refused, "refresh token"),
        (401, {"error": "invalid_client"}, Refused, "klient-id"),
        (400, {"error": "unauthorized_client"}, Refused, "klient-id"),
        (400, {"error": "invalid_scope"}, Refused, "scope"),
        (400, {"error": REFRESH}, Refused, "scope"),
        (400, {"error": "temporarily_unavailable"}, Unavailable, "lige nu"),
        (404, "nothing here", Refused, "adressen"),
        (302, "", Refused, "adressen"),
        (429, {}, Unavailable, "lige nu"),
        (503, "busy", Unavailable, "lige nu"),
        (200, "<html>", Unavailable, "ikke forstår"),
        (200, [], Unavailable, "ikke forstår"),
        (200, {"access_token": "a\x01b"}, Unavailable, "ikke forstår"),
        (200, {"access_token": 7}, Unavailable, "ikke forstår"),
    ],
    ids=str,
)
def test_each_answer_of_a_token_server_counts(tokens, status, body, kind, word):
    tokens.answers = [(status, body)]
    with pytest.raises(TransportError) as caught:
        ask(tokens.url)
    assert type(caught.value) is kind
    assert word in caught.value.text.da
    assert "S3CR3T" not in f"{caught.value.text}{caught.value.detail}{caught.value!r}"


@pytest.mark.server
def test_a_token_server_can_ask_for_patience(tokens):
    tokens.answers, tokens.headers = [(429, {})], {"Retry-After": "40"}
    with pytest.raises(Unavailable) as caught:
        ask(tokens.url)
    assert caught.value.retry_after == 40


@pytest.mark.server
def test_a_token_server_that_is_gone_delivers_nothing(tokens, proxy):
    tokens.answers = [(200, OK)]
    with pytest.raises(Unavailable):
        ask(f"http://127.0.0.1:{proxy(tokens.port, 20).port}/token")


def test_no_secret_goes_to_another_machine_unencrypted():
    with pytest.raises(Refused):
        ask("http://login.example/token")
    assert oauth.is_safe("https://login.example/token")


@pytest.mark.server
@pytest.mark.parametrize("lifetime", [None, "soon", 10**9, 3600])
def test_a_token_has_an_end(tokens, lifetime):
    tokens.answers = [(200, OK | {"expires_in": lifetime})]
    token = ask(tokens.url)
    assert token.is_good
    assert "S3CR3T" not in repr(token)


@pytest.mark.server
@pytest.mark.parametrize("good", [set(), {ACCESS}])
def test_no_secret_is_told(oauth_mail, with_token, tokens, consignment, caplog, capfd, good):
    caplog.set_level(logging.DEBUG, "urllib3")
    caplog.set_level(logging.DEBUG, "invoiceapp")
    tokens.answers = [(200, OK)]
    oauth_mail.good = good
    gateway = EmailTransport(with_token(oauth_mail.port), LOOPBACK)
    told = repr(gateway)
    try:
        told += repr(gateway.send(consignment()))
    except Refused as error:
        told += "".join(traceback.format_exception(error)) + error.text.da + error.text.en + error.detail
    told += repr(gateway.check()) + repr(gateway.seen) + repr(vars(gateway._login)["_token"])
    gateway.close()
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
    coded = base64.b64encode(f"Bearer {ACCESS}".encode()).decode().rstrip("=")
    assert not re.search(f"S3CR3T|{coded}", told + "".join(ours) + "".join(capfd.readouterr()))
