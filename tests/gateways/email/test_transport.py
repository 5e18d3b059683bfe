"""Against a real SMTP server on loopback."""

from __future__ import annotations

import email
import email.policy
import hashlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown, registry
from invoiceapp.gateways.email import TRANSPORT, EmailTransport, session

LOGIN = ("firma", "hemmelig-kode")


def plain(port: int, **changes: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "security": "none", "sender": "faktura@firma.example"} | changes


def starttls(port: int, authority: Any, **changes: Any) -> dict[str, Any]:
    secured = {"security": "starttls", "ca_certificate": authority.root, "username": LOGIN[0], "password": LOGIN[1]}
    return plain(port) | secured | changes


def received(mails: Path) -> list[Any]:
    return [email.message_from_bytes(p.read_bytes(), policy=email.policy.default) for p in sorted(mails.iterdir())]


class ScriptedServer:
    """Answers each command, and ``.`` for the end of the message; an answer of None cuts the connection."""

    def __init__(self, answers: dict[str, bytes | None]) -> None:
        usual = {"EHLO": b"250 mail", "MAIL": b"250 ok", "RCPT": b"250 ok", "DATA": b"354 go", ".": b"250 kept"}
        self._answers = usual | answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        with client, client.makefile("rb") as lines:
            client.sendall(b"220 mail\r\n")
            in_message = False
            for line in lines:
                self.lines.append(line.decode().strip())
                if in_message and self.lines[-1] != ".":
                    continue
                answer = self._answer(self.lines[-1])
                if answer is None:
                    return
                in_message = answer.startswith(b"354")
                client.sendall(answer + b"\r\n")

    def _answer(self, line: str) -> bytes | None:
        longest_first = sorted(self._answers, key=len, reverse=True)
        return next((self._answers[key] for key in longest_first if line.upper().startswith(key)), b"250 ok")

    def close(self) -> None:
        self._thread.join(timeout=5)
        self._listener.close()


@pytest.fixture
def scripted():
    made = []

    def start(answers):
        made.append(ScriptedServer(answers))
        return made[-1]

    yield start
    for server in made:
        server.close()


def test_the_registry_finds_it():
    assert registry()["email"] is TRANSPORT is EmailTransport


def test_it_is_never_repeated_by_itself():
    assert EmailTransport({}).replay is Replay.UNSAFE


def test_the_wire_id_is_the_message_id(consignment):
    one = consignment()
    transport = EmailTransport({"sender": "faktura@firma.example"})
    assert transport.wire_ids(one) == {"message_id": f"<{one.key}@firma.example>"}


@pytest.mark.server
def test_a_mail_over_starttls_with_login_is_taken(serve, authority, mails, consignment):
    server = serve(login=LOGIN, starttls=authority.server)
    one = consignment()
    with EmailTransport(starttls(server.port, authority)) as transport:
        receipt = transport.send(one)
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
    with EmailTransport(starttls(server.port, authority, security="tls")) as transport:
        transport.send(consignment())
    assert len(received(mails)) == 1
    assert server.logins == 1


@pytest.mark.server
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_gets_no_password(serve, authority, consignment, security):
    server = serve(login=LOGIN, **{"implicit_tls" if security == "tls" else security: authority.server})
    config = starttls(server.port, authority, security=security, ca_certificate=None)
    with EmailTransport(config) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "certifikat" in caught.value.text.da
    assert server.logins == 0


@pytest.mark.server
def test_a_certificate_for_another_name_is_refused(serve, authority, consignment):
    server = serve(starttls=authority.server)
    config = starttls(server.port, authority, host="localhost")
    with EmailTransport(config) as transport, pytest.raises(Refused):
        transport.send(consignment())


@pytest.mark.server
def test_a_wrong_password_pauses_the_gateway_and_is_not_told(serve, authority, consignment):
    server = serve(login=LOGIN, starttls=authority.server)
    config = starttls(server.port, authority, password="forkert-kode")
    with EmailTransport(config) as transport, pytest.raises(Refused) as caught:
        transport.send(consignment())
    assert "forkert-kode" not in f"{caught.value.text} {caught.value.detail}"


@pytest.mark.server
def test_a_server_without_starttls_is_refused(serve, authority, consignment):
    with EmailTransport(starttls(serve().port, authority)) as transport, pytest.raises(Refused):
        transport.send(consignment())


def test_a_broken_root_certificate_is_refused():
    with pytest.raises(Refused):
        session.tls_context({"ca_certificate": "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"})


@pytest.mark.server
def test_without_encryption_only_this_machine_is_used(serve, consignment, monkeypatch):
    monkeypatch.setattr(session, "_is_loopback", lambda smtp: False)
    with EmailTransport(plain(serve().port)) as transport, pytest.raises(Refused):
        transport.send(consignment())


@pytest.mark.server
@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({"mailbox": "550 5.1.1 No such user"}, Rejected),
        ({"mailbox": "452 4.2.2 Mailbox full"}, Unavailable),
        ({"data": "554 5.7.1 Not wanted"}, Rejected),
        ({"data": "451 4.3.0 Try later"}, Unavailable),
        ({"drop_before_data": True}, Unavailable),
    ],
    ids=str,
)
def test_what_the_server_says_no_to_was_not_sent(serve, mails, consignment, faults, kind):
    server = serve()
    for name, value in faults.items():
        setattr(server.faults, name, value)
    with EmailTransport(plain(server.port)) as transport, pytest.raises(kind) as caught:
        transport.send(consignment())
    assert type(caught.value) is kind
    assert received(mails) == []


@pytest.mark.server
def test_a_connection_lost_after_the_final_dot_is_unknown(serve, mails, consignment):
    server = serve()
    server.faults.drop_after_data = True
    with EmailTransport(plain(server.port)) as transport, pytest.raises(Unknown):
        transport.send(consignment())
    assert len(received(mails)) == 1


@pytest.mark.server
def test_a_connection_cut_inside_the_message_is_no_delivery(serve, mails, consignment, proxy):
    port = proxy(serve().port, 10_000).port
    big = consignment().payload.content * 200
    one = consignment(payload=consignment().payload.__class__(big, "invoice.xml", "application/xml"))
    with EmailTransport(plain(port)) as transport, pytest.raises(Unavailable):
        transport.send(one)
    assert received(mails) == []


@pytest.mark.server
@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"MAIL": b"550 5.7.1 sender not allowed"}, Refused),
        ({"MAIL": b"530 5.7.0 authentication required"}, Refused),
        ({"MAIL": b"421 busy"}, Unavailable),
        ({"MAIL": None}, Unavailable),
        ({"DATA": b"554 no"}, Rejected),
        ({"DATA": b"250 strange"}, Unavailable),
        ({"DATA": None}, Unavailable),
        ({".": b"garbage"}, Unknown),
        ({".": None}, Unknown),
    ],
    ids=str,
)
def test_each_step_of_the_conversation_counts(scripted, consignment, answers, kind):
    with EmailTransport(plain(scripted(answers).port)) as transport, pytest.raises(kind) as caught:
        transport.send(consignment())
    assert type(caught.value) is kind


@pytest.mark.server
def test_silence_after_the_final_dot_is_unknown(scripted, consignment, monkeypatch):
    monkeypatch.setattr(session, "FINAL_STEP", 0.3)
    server = scripted({".": b"250-more to come"})
    with EmailTransport(plain(server.port)) as transport, pytest.raises(Unknown):
        transport.send(consignment())


@pytest.mark.server
def test_a_used_up_deadline_sends_nothing(serve, mails, consignment, monkeypatch):
    monkeypatch.setattr(EmailTransport, "DEADLINE", 0)
    with EmailTransport(plain(serve().port)) as transport, pytest.raises(Unavailable):
        transport.send(consignment())
    assert received(mails) == []


@pytest.mark.server
def test_lines_that_begin_with_a_dot_arrive_unchanged(serve, mails, consignment):
    body = "Hej\n.\n..to\nslut"
    with EmailTransport(plain(serve().port, body=body)) as transport:
        transport.send(consignment())
    assert received(mails)[0].get_body().get_content().replace("\r\n", "\n") == body + "\n"


@pytest.mark.server
def test_a_customer_without_address_is_rejected_before_connecting(consignment):
    with EmailTransport(plain(1)) as transport, pytest.raises(Rejected):
        transport.send(consignment(receiver_email=None))


@pytest.mark.server
def test_a_refused_copy_does_not_stop_the_invoice(scripted, consignment):
    server = scripted({"RCPT TO:<KOPI": b"550 no"})
    with EmailTransport(plain(server.port, copy_to="kopi@firma.example")) as transport:
        transport.send(consignment())
    assert [line for line in server.lines if line.upper().startswith("RCPT")] == [
        "rcpt TO:<kreditor@kunde.example>",
        "rcpt TO:<kopi@firma.example>",
    ]
    assert not [line for line in server.lines if line.startswith(("Cc", "Bcc"))]


@pytest.mark.server
def test_many_sends_log_in_once_and_keep_their_message_ids(serve, authority, mails, consignment):
    server = serve(login=LOGIN, starttls=authority.server)
    with EmailTransport(starttls(server.port, authority)) as transport:
        for key in ("a", "b", "a"):
            transport.send(consignment(key=key))
    assert server.logins == 1
    assert [m["Message-ID"] for m in received(mails)] == [f"<{key}@firma.example>" for key in ("a", "b", "a")]


@pytest.mark.server
def test_a_connection_that_broke_between_sends_is_opened_anew(serve, mails, consignment):
    with EmailTransport(plain(serve().port)) as transport:
        transport.send(consignment())
        transport._smtp.sock.shutdown(socket.SHUT_RDWR)
        transport.send(consignment())
    assert len(received(mails)) == 2


@pytest.mark.server
def test_the_connection_test_passes_and_sends_nothing(serve, authority, mails):
    server = serve(login=LOGIN, starttls=authority.server)
    steps = EmailTransport(starttls(server.port, authority)).check()
    assert [step.ok for step in steps] == [True] * 4
    assert received(mails) == []


@pytest.mark.server
@pytest.mark.parametrize(
    ("changes", "failing"), [({"port": 1}, 2), ({"ca_certificate": None}, 3), ({"password": "wrong"}, 4)], ids=str
)
def test_the_connection_test_stops_at_the_step_that_fails(serve, authority, changes, failing):
    server = serve(login=LOGIN, starttls=authority.server)
    steps = EmailTransport(starttls(server.port, authority) | changes).check()
    assert [step.ok for step in steps] == [True] * (failing - 1) + [False]


def test_a_name_that_leads_nowhere_fails_at_the_first_step(monkeypatch):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (step,) = EmailTransport(plain(25, host="no.such.host.example")).check()
    assert (step.ok, step.name) == (False, Text("Find mailserveren", "Find the mail server"))


def test_the_password_is_the_only_secret_field():
    assert [f.name for f in EmailTransport.fields if f.secret] == ["password"]


def test_the_help_lies_in_the_folder():
    folder = Path(session.__file__).parent
    assert all((folder / f"help.{language}.md").read_text(encoding="utf-8") for language in ("da", "en"))


def test_an_unsent_transport_closes_twice():
    transport = EmailTransport({})
    transport.close()
    transport.close()
