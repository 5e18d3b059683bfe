"""What the server says and does while a mail is handed over."""

from __future__ import annotations

import ssl

import pytest
from support.mailing import LOGIN, mailer, plain, received, starttls

from invoiceapp.gateways.base import Payload, Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.email import EmailTransport, session, transport


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
    with mailer(plain(server.port)) as gateway, pytest.raises(kind) as caught:
        gateway.send(consignment())
    assert type(caught.value) is kind
    assert received(mails) == []


@pytest.mark.server
def test_a_connection_lost_after_the_final_dot_is_unknown(serve, mails, consignment):
    server = serve()
    server.faults.drop_after_data = True
    with mailer(plain(server.port)) as gateway, pytest.raises(Unknown):
        gateway.send(consignment())
    assert len(received(mails)) == 1


@pytest.mark.server
def test_a_connection_cut_inside_the_message_is_no_delivery(serve, mails, consignment, proxy):
    port = proxy(serve().port, 10_000).port
    # More than the network takes from us before it is cut.
    one = consignment(payload=Payload(b"x" * 13_000_000, "invoice.xml", "application/xml"))
    with mailer(plain(port)) as gateway, pytest.raises(Unavailable):
        gateway.send(one)
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
    with mailer(plain(scripted(answers).port)) as gateway, pytest.raises(kind) as caught:
        gateway.send(consignment())
    assert type(caught.value) is kind


@pytest.mark.server
def test_silence_after_the_final_dot_is_unknown(scripted, consignment, monkeypatch):
    monkeypatch.setattr(session, "FINAL_STEP", 0.3)
    server = scripted({".": b"250-more to come"})
    with mailer(plain(server.port)) as gateway, pytest.raises(Unknown):
        gateway.send(consignment())


@pytest.mark.server
def test_a_used_up_deadline_sends_nothing(serve, mails, consignment, monkeypatch):
    monkeypatch.setattr(EmailTransport, "DEADLINE", 0)
    with mailer(plain(serve().port)) as gateway, pytest.raises(Unavailable):
        gateway.send(consignment())
    assert received(mails) == []


@pytest.mark.server
@pytest.mark.parametrize(("answer", "kind"), [(b"550 5.1.1 unknown", Rejected), (b"451 4.2.1 later", Unavailable)])
def test_where_one_of_several_is_refused_nobody_gets_it(scripted, consignment, answer, kind):
    server = scripted({"RCPT TO:<TO": answer})
    config = plain(server.port, recipient_2="to@kunde.example", recipient_3="tre@kunde.example")
    with mailer(config) as gateway, pytest.raises(kind) as caught:
        gateway.send(consignment())
    server.close()
    assert "to@kunde.example" in caught.value.text.da
    assert not [line for line in server.lines if line.upper() == "DATA"]
    if kind is Rejected:
        # The connection is kept, and what was begun is taken back before it is used again.
        assert "rset" in server.lines


@pytest.mark.server
def test_all_recipients_and_the_copy_get_the_same_mail(serve, mails, consignment):
    config = plain(serve().port, recipient_2="to@kunde.example", copy_to="kopi@firma.example")
    with mailer(config) as gateway:
        receipt = gateway.send(consignment())
    (mail,) = received(mails)
    assert receipt.evidence["recipient"] == mail["To"] == "kreditor@kunde.example, to@kunde.example"


@pytest.mark.server
def test_after_a_rejected_mail_the_next_one_goes_over_the_same_connection(serve, mails, consignment):
    server = serve()
    with mailer(plain(server.port)) as gateway:
        server.faults.mailbox = "550 5.1.1 No such user"
        with pytest.raises(Rejected):
            gateway.send(consignment(key="a"))
        kept = gateway._smtp
        server.faults.mailbox = None
        gateway.send(consignment(key="b"))
        assert gateway._smtp is kept
    assert [m["Message-ID"] for m in received(mails)] == ["<b@firma.example>"]


@pytest.mark.server
def test_what_the_server_says_is_too_large_is_not_offered(scripted, consignment):
    server = scripted({"EHLO": b"250-mail\r\n250 SIZE 10000"})
    with mailer(plain(server.port)) as gateway, pytest.raises(Rejected) as caught:
        gateway.send(consignment())
    server.close()
    assert "0,01 MB" in caught.value.text.da and "PDF" in caught.value.text.da
    assert not [line for line in server.lines if line.upper().startswith("MAIL")]


@pytest.mark.server
@pytest.mark.parametrize("offered", ["SIZE", "SIZE 0", "SIZE 99999999", "SIZE many"])
def test_a_size_without_a_limit_is_none(scripted, consignment, offered):
    server = scripted({"EHLO": b"250-mail\r\n250 " + offered.encode()})
    with mailer(plain(server.port)) as gateway:
        receipt = gateway.send(consignment())
    assert f"mail FROM:<faktura@firma.example> size={receipt.evidence['size']}" in server.lines


@pytest.mark.server
@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_a_silent_server_has_nothing(scripted, consignment, monkeypatch, command):
    monkeypatch.setattr(transport, "STEP", 0.2)
    server = scripted({command: b"250-more to come"})
    with mailer(plain(server.port)) as gateway, pytest.raises(Unavailable):
        gateway.send(consignment())


@pytest.mark.server
def test_a_server_that_trickles_cannot_outlive_the_deadline(scripted, consignment, monkeypatch):
    monkeypatch.setattr(EmailTransport, "DEADLINE", 0.3)
    server = scripted({"RCPT": b"250-" + b"x" * 100}, trickle=0.02)
    with mailer(plain(server.port)) as gateway, pytest.raises(Unavailable):
        gateway.send(consignment())


@pytest.mark.server
@pytest.mark.parametrize("answer", [b"250-" + b"x" * 20_000, b"250-more\r\n" * 300], ids=["line", "reply"])
def test_an_endless_answer_is_cut_short(scripted, consignment, answer):
    with mailer(plain(scripted({"MAIL": answer}).port)) as gateway, pytest.raises(Unavailable):
        gateway.send(consignment())


@pytest.mark.server
def test_two_answers_to_one_question_are_not_taken_for_the_next_one(scripted, consignment):
    server = scripted({"RCPT": b"250 ok\r\n354 go\r\n250 kept"})
    with mailer(plain(server.port)) as gateway, pytest.raises(Unavailable):
        gateway.send(consignment())


@pytest.mark.server
def test_what_is_slipped_in_before_the_encryption_is_not_believed(scripted, authority, consignment):
    """CVE-2011-0411, from the server's side: what stands behind the yes to STARTTLS was not encrypted."""
    answers = {"EHLO": b"250-mail\r\n250 STARTTLS", "STARTTLS": b"220 go\r\n250-mail\r\n250 SIZE 1"}
    server = scripted(answers, starttls=authority.server)
    with mailer(plain(server.port, security="starttls", ca_certificate=authority.root)) as gateway:
        gateway.send(consignment())
    assert "." in server.lines


@pytest.mark.server
def test_the_end_of_the_certificate_is_told(serve, authority, consignment):
    with mailer(starttls(serve(login=LOGIN, starttls=authority.server).port, authority)) as gateway:
        gateway.send(consignment())
        assert gateway.seen == {"certificate_ends": authority.ends.isoformat()}


@pytest.mark.server
def test_tls_of_before_1_2_is_refused(scripted, authority, consignment):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(authority.folder / "cert.pem", authority.folder / "key.pem")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    server = scripted({"EHLO": b"250-mail\r\n250 STARTTLS", "STARTTLS": b"220 go"}, starttls=old)
    with mailer(starttls(server.port, authority)) as gateway, pytest.raises(Refused) as caught:
        gateway.send(consignment())
    assert "TLS 1.2" in caught.value.text.da
