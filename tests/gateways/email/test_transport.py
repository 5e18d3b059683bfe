"""Against a real SMTP server on loopback."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
from support.mailing import LOGIN, mailer, plain, received, starttls

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, registry
from invoiceapp.gateways.email import TRANSPORT, EmailTransport, session


def test_the_registry_finds_it():
    assert registry()["email"] is TRANSPORT is EmailTransport


def test_it_is_never_repeated_by_itself():
    assert EmailTransport({}).replay is Replay.UNSAFE


def test_the_wire_id_is_the_message_id(consignment):
    one = consignment()
    gateway = EmailTransport({"sender": "faktura@firma.example"})
    assert gateway.wire_ids(one) == {"message_id": f"<{one.key}@firma.example>"}


@pytest.mark.server
def test_a_mail_over_starttls_with_login_is_taken(serve, authority, mails, consignment):
    server = serve(login=LOGIN, starttls=authority.server)
    one = consignment()
    with mailer(starttls(server.port, authority)) as gateway:
        receipt = gateway.send(one)
    (mail,) = received(mails)
    assert receipt.reference == mail["Message-ID"] == f"<{one.key}@firma.example>"
    assert not receipt.proves_arrival
    assert receipt.evidence == {
        "reply": "250 2.0.0 Kept",
        "message_id": receipt.reference,
        "recipient": "kreditor@kunde.example",
        "size": receipt.evidence["size"],
        "sha256": hashlib.sha256(one.payload.content).hexdigest(),
    }
    assert next(p.get_payload(decode=True) for p in mail.iter_attachments()) == one.payload.content
    assert receipt.evidence["size"] == next(mails.iterdir()).stat().st_size


@pytest.mark.server
def test_a_mail_over_implicit_tls_is_taken(serve, authority, mails, consignment):
    server = serve(login=LOGIN, implicit_tls=authority.server)
    with mailer(starttls(server.port, authority, security="tls")) as gateway:
        gateway.send(consignment())
    assert len(received(mails)) == 1
    assert server.logins == 1


@pytest.mark.server
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_gets_no_password(serve, authority, consignment, security):
    server = serve(login=LOGIN, **{"implicit_tls" if security == "tls" else security: authority.server})
    config = starttls(server.port, authority, security=security, ca_certificate=None)
    with mailer(config) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "certifikat" in caught.value.text.da
    assert server.logins == 0


@pytest.mark.server
def test_a_certificate_for_another_name_is_refused(serve, authority, consignment):
    server = serve(starttls=authority.server)
    config = starttls(server.port, authority, host="localhost")
    with mailer(config) as gateway, pytest.raises(Refused):
        gateway.send(consignment())


@pytest.mark.server
def test_a_wrong_password_pauses_the_gateway_and_is_not_told(serve, authority, consignment):
    server = serve(login=LOGIN, starttls=authority.server)
    config = starttls(server.port, authority, password="forkert-kode")
    with mailer(config) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "forkert-kode" not in f"{caught.value.text} {caught.value.detail}"


@pytest.mark.server
def test_a_server_without_starttls_is_refused(serve, authority, consignment):
    with mailer(starttls(serve().port, authority)) as gateway, pytest.raises(Refused):
        gateway.send(consignment())


def test_a_broken_root_certificate_is_refused():
    with pytest.raises(Refused):
        session.tls_context({"ca_certificate": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"})


@pytest.mark.server
def test_without_encryption_only_this_machine_is_used(serve, consignment, monkeypatch):
    monkeypatch.setattr(session, "_is_loopback", lambda smtp: False)
    with mailer(plain(serve().port)) as gateway, pytest.raises(Refused):
        gateway.send(consignment())


@pytest.mark.server
def test_lines_that_begin_with_a_dot_arrive_unchanged(serve, mails, consignment):
    body = "Hej\n.\n..to\nslut"
    with mailer(plain(serve().port, body=body)) as gateway:
        gateway.send(consignment())
    assert received(mails)[0].get_body().get_content().replace("\r\n", "\n") == body + "\n"


@pytest.mark.server
def test_a_customer_without_address_is_rejected_before_connecting(consignment):
    with mailer(plain(1)) as gateway, pytest.raises(Rejected):
        gateway.send(consignment(receiver_email=None))


@pytest.mark.server
def test_a_refused_copy_does_not_stop_the_invoice(scripted, consignment):
    server = scripted({"RCPT TO:<KOPI": b"550 no"})
    with mailer(plain(server.port, copy_to="kopi@firma.example")) as gateway:
        gateway.send(consignment())
    assert [line for line in server.lines if line.upper().startswith("RCPT")] == [
        "rcpt TO:<kreditor@kunde.example>",
        "rcpt TO:<kopi@firma.example>",
    ]
    assert not [line for line in server.lines if line.startswith(("Cc", "Bcc"))]


@pytest.mark.server
def test_many_sends_log_in_once_and_keep_their_message_ids(serve, authority, mails, consignment):
    server = serve(login=LOGIN, starttls=authority.server)
    with mailer(starttls(server.port, authority)) as gateway:
        for key in ("a", "b", "a"):
            gateway.send(consignment(key=key))
    assert server.logins == 1
    assert [m["Message-ID"] for m in received(mails)] == [f"<{key}@firma.example>" for key in ("a", "b", "a")]


@pytest.mark.server
def test_a_connection_that_broke_between_sends_is_opened_anew(serve, mails, consignment):
    with mailer(plain(serve().port)) as gateway:
        gateway.send(consignment())
        gateway._smtp.sock.shutdown(socket.SHUT_RDWR)
        gateway.send(consignment())
    assert len(received(mails)) == 2


@pytest.mark.server
def test_the_connection_test_passes_and_sends_nothing(serve, authority, mails):
    server = serve(login=LOGIN, starttls=authority.server)
    steps = mailer(starttls(server.port, authority)).check()
    assert [step.ok for step in steps] == [True] * 5
    assert [step.name.da for step in steps] == [
        "Find serveren (DNS)", "Forbind (TCP)", "Kryptering (TLS)", "Log ind", "Afsenderadresse",
    ]  # fmt: skip
    assert received(mails) == []


@pytest.mark.server
def test_the_connection_test_says_where_the_sender_is_not_welcome(scripted):
    server = scripted({"MAIL": b"553 5.7.1 not yours"})
    *good, last = mailer(plain(server.port)).check()
    assert [step.ok for step in good] == [True] * 4
    assert not last.ok and "5.7.1 not yours" in last.detail.da
    assert not [line for line in server.lines if line.upper().startswith(("RCPT", "DATA"))]


@pytest.mark.server
@pytest.mark.parametrize(
    ("changes", "failing"),
    [({"port": "closed"}, 2), ({"ca_certificate": None}, 3), ({"password": "wrong"}, 4)],
    ids=str,
)
def test_the_connection_test_stops_at_the_step_that_fails(serve, authority, changes, failing):
    if changes.get("port") == "closed":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            changes = {"port": closed.getsockname()[1]}
    server = serve(login=LOGIN, starttls=authority.server)
    steps = mailer(starttls(server.port, authority) | changes).check()
    assert [step.ok for step in steps] == [True] * (failing - 1) + [False]


def test_a_name_that_leads_nowhere_fails_at_the_first_step(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (step,) = mailer(plain(25, host="no.such.host.example")).check()
    assert (step.ok, step.name) == (False, Text("Find serveren (DNS)", "Find the server (DNS)"))


@pytest.mark.server
def test_an_address_inside_a_closed_network_is_refused(scripted, consignment):
    server = scripted({})
    with EmailTransport(plain(server.port)) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "OUTBOUND_NETWORKS" in caught.value.text.da
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    assert server.lines == []


@pytest.mark.parametrize("port", [22, 6379])
def test_a_port_of_another_service_is_refused(consignment, port):
    with mailer(plain(port)) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "OUTBOUND_PORTS" in caught.value.text.da


def test_the_help_lies_in_the_folder():
    folder = Path(session.__file__).parent
    assert all((folder / f"help.{language}.md").read_text(encoding="utf-8") for language in ("da", "en"))


def test_an_unsent_transport_closes_twice():
    gateway = EmailTransport({})
    gateway.close()
    gateway.close()
