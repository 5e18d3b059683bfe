"""Against real servers on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import socket
import ssl
import struct
import threading
import time
from dataclasses import replace

import pytest
from support.outbound import LOOPBACK

from invoiceapp.gateways.base import STRICT, Payload, Refused, Rejected, Unavailable, Unknown
from invoiceapp.gateways.http import HttpTransport, settings, transport

pytestmark = pytest.mark.server

SECRETS = {
    "token": "canary-token-1", "auth_value": "canary-value-2", "password": "canary-word-3", "signature_key": "canary-hmac-4",
}  # fmt: skip
#: No client of ours may send it before the body: it is bigger than what the kernel's buffers take at once.
LARGE = b"<Invoice>" + b"x" * 20_000_000 + b"</Invoice>"


def send(consignment, url, **config):
    with HttpTransport({"url": url, **config}, LOOPBACK) as gateway:
        return gateway.send(consignment)


def find(consignment, partner, **config):
    whole = {"url": partner.url, "status_url": partner.url + "/{key}", **config}
    with HttpTransport(whole, LOOPBACK) as gateway:
        return gateway.find(consignment)


@pytest.fixture
def short(monkeypatch):
    """Time-outs of a fraction of a second."""
    monkeypatch.setattr(transport, "STEP", 0.3)
    monkeypatch.setattr(HttpTransport, "DEADLINE", 0.6)


def test_a_document_is_posted_and_the_evidence_kept(serve, consignment):
    one, partner = (
        consignment(),
        serve(
            status=201, body=b'{"id": "A-17"}', headers={"Location": "/ind/17", "X-Request-Id": "r1", "X-Other": "no"}
        ),
    )
    receipt = send(one, partner.url)
    (request,) = partner.requests
    assert (request.method, request.path, request.body) == ("POST", "/ind", one.payload.content)
    assert request.headers["content-type"] == one.payload.media_type
    assert request.headers["idempotency-key"] == one.key
    assert receipt.reference == "/ind/17"
    assert receipt.proves_arrival
    assert receipt.final
    kept = receipt.evidence["headers"]
    assert receipt.evidence == {
        "status": 201,
        "body_sha256": hashlib.sha256(b'{"id": "A-17"}').hexdigest(),
        "body": '{"id": "A-17"}',
        "headers": {"location": "/ind/17", "x-request-id": "r1", "date": kept["date"], "server": kept["server"]},
        "idempotency_key": one.key,
        "sha256": one.payload.sha256,
        "looked_up": False,
    }
    json.dumps(receipt.evidence)


def test_put_goes_to_an_address_of_its_own(serve, consignment):
    one, partner = consignment(), serve(status=204)
    assert send(one, partner.url + "/{key}", method="PUT").reference == one.key
    assert (partner.requests[0].method, partner.requests[0].path) == ("PUT", f"/ind/{one.key}")


def test_the_reference_comes_from_the_answer(serve, consignment):
    partner = serve(body=b'{"data": {"id": 17}}', headers={"Location": "/ind/17"})
    assert send(consignment(), partner.url, reference_pointer="/data/id").reference == "17"


def test_each_document_has_a_connection_of_its_own(serve, consignment):
    partner = serve()
    with HttpTransport({"url": partner.url}, LOOPBACK) as gateway:
        for _ in range(3):
            gateway.send(consignment())
    assert (len(partner.requests), partner.connections) == (3, 3)


def test_an_answer_that_comes_twice_is_not_taken_for_the_next_ones(consignment):
    """The second one lies ready on the connection just as the next document leaves."""
    yes, no = (f"HTTP/1.1 {status} .\r\nContent-Length: 0\r\n\r\n".encode() for status in (201, 422))
    listener, may_repeat = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def answer(connection: socket.socket, first: bool) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(100_000)
            connection.sendall(yes if first else no)
            may_repeat.wait(5)
            connection.sendall(yes)

    def serve_two() -> None:
        for first in (True, False):
            threading.Thread(target=answer, args=(listener.accept()[0], first), daemon=True).start()

    threading.Thread(target=serve_two, daemon=True).start()
    with listener, HttpTransport({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/ind"}, LOOPBACK) as gateway:
        gateway.send(consignment())
        threading.Timer(0.05, may_repeat.set).start()
        with pytest.raises(Rejected):
            gateway.send(consignment())


@pytest.mark.parametrize("body", ["raw", "multipart"])
def test_two_attempts_carry_the_same_key_and_the_same_bytes(serve, consignment, body):
    partner = serve()
    for _ in range(2):
        send(consignment(), partner.url, body=body, with_pdf=True)
    first, second = partner.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == consignment().key
    assert first.body == second.body


def test_the_signature_is_verified_by_the_partner(serve, consignment):
    partner = serve()
    config = {"signature": "hmac-sha256", "signature_header": "X-Sig", "timestamp_header": "X-Time"} | SECRETS
    send(consignment(), partner.url, body="multipart", **config)
    (request,) = partner.requests
    signed = request.headers["x-time"].encode() + b"." + request.body
    assert request.headers["x-sig"] == hmac.new(b"canary-hmac-4", signed, hashlib.sha256).hexdigest()
    assert abs(int(request.headers["x-time"]) - time.time()) < 60


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ({"auth": "bearer"}, "authorization", "Bearer canary-token-1"),
        ({"auth": "header", "auth_header": "X-Key"}, "x-key", "canary-value-2"),
        ({"auth": "basic", "username": "u"}, "authorization", "Basic dTpjYW5hcnktd29yZC0z"),
        ({"headers": "X-Tenant: 42"}, "x-tenant", "42"),
    ],
)
def test_who_we_are_arrives(serve, consignment, config, header, value):
    partner = serve()
    send(consignment(), partner.url, **SECRETS, **config)
    assert partner.requests[0].headers[header] == value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (202, None), (204, None), (302, Refused), (307, Refused), (400, Rejected), (401, Refused), (403, Refused),
        (404, Refused), (405, Refused), (408, Unavailable), (409, Unavailable), (410, Refused), (413, Rejected),
        (415, Rejected), (422, Rejected), (425, Unavailable), (429, Unavailable), (500, Unknown), (502, Unknown),
        (503, Unavailable), (504, Unknown),
    ],
)  # fmt: skip
def test_each_code_over_the_wire(serve, consignment, status, kind):
    partner = serve(status=status, body=b"words", headers={"Retry-After": "77", "Location": "http://127.0.0.1:1/other"})
    with contextlib.nullcontext() if kind is None else pytest.raises(kind) as caught:
        send(consignment(), partner.url)
    assert len(partner.requests) == 1
    if kind is Unavailable:
        assert caught.value.retry_after == 77


def test_a_redirection_is_never_followed(serve, consignment):
    other = serve()
    first = serve(status=307, headers={"Location": other.url})
    with pytest.raises(Refused, match="307"):
        send(consignment(), first.url, auth="bearer", **SECRETS)
    assert other.requests == []


def test_an_answer_that_is_not_the_agreed_one_is_unknown(serve, consignment):
    partner = serve(status=200, body=b'{"status": "queued?"}')
    with pytest.raises(Unknown) as caught:
        send(consignment(), partner.url, answer_check="json", answer_pointer="/status", answer_value="ok")
    assert "queued?" in caught.value.text.da
    partner.body = b'{"status": "ok"}'
    assert send(consignment(), partner.url, answer_check="json", answer_pointer="/status", answer_value="ok")


def test_a_name_that_nobody_knows(consignment, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable) as caught:
        send(consignment(), "https://firma.example/")
    assert "navnet er ukendt" in caught.value.text.da


def test_nobody_listens(consignment):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable):
        send(consignment(), f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("stall", [False, True])
@pytest.mark.parametrize("limit", [1, 100, 5_000])
def test_a_break_before_the_last_byte_is_unavailable(serve, proxy, consignment, short, limit, stall):
    """Large, so that the kernel cannot take the rest into its buffers while the partner sees none of it."""
    partner = serve()
    between = proxy(partner.port, limit, stall=stall)
    one = consignment(payload=Payload(LARGE, "i.xml", "application/xml"))
    with pytest.raises(Unavailable):
        send(one, f"http://127.0.0.1:{between.port}/ind")
    assert partner.requests == []


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize(
    "reaction",
    [
        lambda client: None,
        reset,
        lambda client: client.sendall(b"HTTP/1.1 2"),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nContent-"),
        lambda client: client.sendall(HEAD),
        lambda client: client.sendall(HEAD + b"half"),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
        lambda client: client.sendall(b"SMTP ready\r\n"),
        lambda client: client.sendall(b"HTTP/1.1 abc Fine\r\n\r\n"),
        lambda client: client.sendall(HEAD.replace(b"100", b"9" * 12)),
        lambda client: client.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2_000 + b"\r\n"),
    ],
    ids=["closed", "reset", "half-status", "half-headers", "no-body", "half-body", "half-chunk", "no-gzip", "no-http",
         "no-code", "huge-length", "many-headers"],
)  # fmt: skip
def test_without_a_whole_answer_the_outcome_is_unknown(react, consignment, reaction):
    partner = react(reaction)
    with pytest.raises(Unknown):
        send(consignment(), partner.url)
    assert partner.received.endswith(consignment().payload.content)


@pytest.mark.parametrize(
    ("code", "kind"), [(b"401", Refused), (b"422", Rejected), (b"503", Unavailable), (b"500", Unknown)]
)
def test_a_no_is_a_no_also_where_its_end_is_missing(react, consignment, code, kind):
    partner = react(lambda client: client.sendall(HEAD.replace(b"200", code) + b"half"))
    with pytest.raises(kind):
        send(consignment(), partner.url)


def test_half_of_an_agreed_409_is_unknown(react, consignment):
    partner = react(lambda client: client.sendall(HEAD.replace(b"200", b"409") + b"half"))
    with pytest.raises(Unknown):
        send(consignment(), partner.url, success="200,409")


def trickle(partner_of, head):
    def reaction(client):
        client.sendall(head)
        while not partner_of[0].over.wait(0.05):
            client.sendall(b"x")

    return reaction


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD.replace(b"100", b"10000")])
def test_a_partner_that_dribbles_meets_the_deadline(react, consignment, short, head):
    made = []
    made.append(react(trickle(made, head)))
    with pytest.raises(Unknown):
        send(consignment(), made[0].url)
    assert not made[0].over.is_set()


def test_a_silent_partner_meets_the_deadline(react, consignment, short):
    made = []
    made.append(react(lambda client: made[0].over.wait(5)))
    with pytest.raises(Unknown):
        send(consignment(), made[0].url)


def test_a_huge_answer_is_not_read_to_its_end(react, consignment):
    written = []

    def flood(client):
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(1_000):
            client.sendall(b"x" * 1_000_000)
            written.append(1)

    with pytest.raises(Unknown):
        send(consignment(), react(flood).url)
    assert len(written) < 100


def test_an_address_in_a_closed_network_is_refused_before_anything_is_sent(serve, consignment):
    partner = serve()
    with HttpTransport({"url": partner.url, "auth": "bearer", **SECRETS}, STRICT) as gateway:
        with pytest.raises(Refused) as caught:
            gateway.send(consignment())
        steps = gateway.check()
    assert "OUTBOUND_NETWORKS" in caught.value.text.en
    assert [step.ok for step in steps] == [False]
    assert partner.connections == 0


@pytest.mark.parametrize(
    "config",
    [
        {"url": "http://firma.example/"},
        {"headers": "X-A: b\x0bX-B: c"},
        {"success": "all"},
        {"auth": "bearer"},
        {"auth": "bearer", "token": "abc\r\nX-Evil: 1"},
        {"auth": "header", "auth_header": "X-Key", "auth_value": "a\nb"},
        {"body": "multipart", "form_fields": "no equals sign"},
        {"answer_check": "json", "answer_pointer": "id", "answer_value": "1"},
    ],
)
def test_settings_that_cannot_work_send_nothing(serve, consignment, config):
    partner = serve()
    with pytest.raises(Refused):
        send(consignment(), **({"url": partner.url} | config))
    assert partner.connections == 0


def test_a_number_from_the_source_cannot_break_the_form(serve, consignment):
    partner = serve()
    one = consignment(document_no='17"\r\nX-Evil: 1\r\n\r\n')
    send(one, partner.url, body="multipart", filename="{number}_{key8}")
    assert b"X-Evil: " not in partner.requests[0].body
    assert "x-evil" not in partner.requests[0].headers


@pytest.mark.parametrize("status", [201, 200, 401, 422, 500, 503, 308])
def test_secrets_that_the_partner_repeats_are_in_no_text(serve, consignment, caplog, status):
    caplog.set_level(logging.DEBUG)
    echo = " ".join(SECRETS.values()) + " dTpjYW5hcnktd29yZC0z"
    partner = serve(status=status, body=echo.encode(), headers={"Location": f"/x?{echo}", "X-Request-Id": echo})
    config = {"auth": "basic", "username": "u", "signature": "hmac-sha256", "success": "201", **SECRETS}
    found = []
    with HttpTransport({"url": partner.url, **config}, LOOPBACK) as gateway:
        try:
            receipt = gateway.send(consignment())
            found += [repr(receipt), json.dumps(receipt.evidence)]
        except (Refused, Rejected, Unavailable, Unknown) as error:
            found += [repr(error), str(error), error.text.da, error.text.en, error.detail]
        found += [repr(gateway), repr(gateway.check()), caplog.text]
    assert not [text for text in found if "canary" in text or "dTpjYW5" in text]


# --- a lost answer ---


def test_the_partner_has_it(serve, consignment):
    one, partner = consignment(), serve(status=200, body=b"received")
    receipt = find(one, partner, auth="bearer", **SECRETS)
    (request,) = partner.requests
    assert (request.method, request.path) == ("GET", f"/ind/{one.key}")
    assert request.headers["authorization"] == "Bearer canary-token-1"
    assert receipt.reference == one.key
    assert receipt.proves_arrival
    assert receipt.evidence["looked_up"]


@pytest.mark.parametrize("status", [404, 410])
def test_the_partner_proves_that_it_has_it_not(serve, consignment, status):
    assert find(consignment(), serve(status=status)) is None


@pytest.mark.parametrize("status", [201, 202, 204, 302, 400, 401, 403, 405, 429, 500, 503])
def test_the_partner_cannot_say(serve, consignment, status):
    with pytest.raises(Unavailable):
        find(consignment(), serve(status=status))


def test_a_found_document_must_be_in_the_agreed_state(serve, consignment):
    partner = serve(status=200, body=b"state: failed")
    with pytest.raises(Unavailable):
        find(consignment(), partner, status_text="state: received")
    partner.body = b"state: received"
    assert find(consignment(), partner, status_text="state: received")


@pytest.mark.parametrize("reaction", [lambda client: None, lambda client: client.sendall(HEAD), reset])
def test_a_lost_answer_to_the_question_proves_nothing(react, consignment, reaction):
    with pytest.raises(Unavailable):
        find(consignment(), react(reaction))


# --- encryption ---


def test_an_encrypted_partner_of_its_own_authority(serve, authority, tmp_path, consignment):
    partner = serve(authority.context(tmp_path))
    assert send(consignment(), partner.url, ca_certificate=authority.root).evidence["status"] == 201
    with pytest.raises(Refused) as caught:
        send(consignment(), partner.url, auth="bearer", **SECRETS)
    assert "certifikat" in caught.value.text.da
    assert len(partner.requests) == 1


def test_a_certificate_for_another_name_is_refused(serve, authority, tmp_path, consignment):
    partner = serve(authority.context(tmp_path))
    with pytest.raises(Refused):
        send(consignment(), partner.url.replace("127.0.0.1", "localhost"), ca_certificate=authority.root)
    assert partner.requests == []


def test_a_plain_server_behind_an_https_address(serve, consignment):
    partner = serve()
    with pytest.raises(Refused):
        send(consignment(), partner.url.replace("http:", "https:"))


def mutual(authority, **changes):
    return {
        "auth": "certificate", "certificate": authority.client.certificate, "private_key": authority.client.key,
        "ca_certificate": authority.root,
    } | changes  # fmt: skip


def test_a_partner_that_wants_our_certificate(serve, authority, tmp_path, consignment):
    partner = serve(authority.context(tmp_path, wants_client=True))
    assert send(consignment(), partner.url, **mutual(authority)).evidence["status"] == 201


def test_without_our_certificate_nothing_is_delivered(serve, authority, tmp_path, consignment):
    context = authority.context(tmp_path, wants_client=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    partner = serve(context)
    with pytest.raises(Refused):
        send(consignment(), partner.url, **mutual(authority, auth="none"))
    assert partner.requests == []


def test_without_our_certificate_tls_1_3_ends_while_we_speak(serve, authority, tmp_path, consignment):
    """There the server says no after our side of the handshake, and its words may be lost in the reset (RFC 8446 6)."""
    partner = serve(authority.context(tmp_path, wants_client=True))
    with pytest.raises((Refused, Unavailable)):
        send(consignment(), partner.url, **mutual(authority, auth="none"))
    assert partner.requests == []


@pytest.mark.parametrize(
    "changes",
    [{"certificate": "garbage"}, {"private_key": "-----BEGIN canary-key-5"}, {"ca_certificate": "garbage"}],
)
def test_a_certificate_that_cannot_be_read_is_refused(authority, consignment, changes):
    with pytest.raises(Refused) as caught:
        send(consignment(), "https://127.0.0.1:1/", **mutual(authority, **changes))
    assert "canary" not in f"{caught.value.text} {caught.value.detail}"


def test_a_key_of_another_certificate_is_refused(authority, consignment):
    with pytest.raises(Refused):
        send(consignment(), "https://127.0.0.1:1/", **mutual(authority, private_key=authority.server.key))


# --- nginx ---


def test_nginx_keeps_what_is_put_and_can_be_asked(nginx, authority, consignment):
    one = consignment()
    config = mutual(authority, method="PUT", status_url=nginx.url + "/ind/{key}")
    with HttpTransport({"url": nginx.url + "/ind/{key}", **config}, LOOPBACK) as gateway:
        assert gateway.find(one) is None
        assert gateway.send(one).evidence["status"] == 201
        assert (nginx.files / "ind" / one.key).read_bytes() == one.payload.content
        assert gateway.send(one).evidence["status"] == 204
        assert gateway.find(one).evidence["body_sha256"] == one.payload.sha256
        assert [step.ok for step in gateway.check()] == [True] * 5


@pytest.mark.parametrize(
    ("path", "config", "kind"),
    [
        ("/ind/{key}", {"auth": "none"}, Refused),
        ("/ind/{key}", {"method": "POST"}, Refused),
        ("/moved/{key}", {}, Refused),
        ("/nowhere", {}, Refused),
    ],
)
def test_nginx_says_no(nginx, authority, consignment, path, config, kind):
    one = replace(consignment(), key="never-there")
    with pytest.raises(kind):
        send(one, nginx.url + path, **({"method": "PUT"} | mutual(authority) | config))
    assert not (nginx.files / "ind" / one.key).exists()


def test_nginx_takes_no_document_beyond_its_limit(nginx, authority, consignment):
    one = consignment(payload=Payload(b"x" * 200_000, "i.xml", "application/xml"))
    with pytest.raises((Rejected, Unavailable)):
        send(one, nginx.url + "/ind/large", method="PUT", **mutual(authority))
    assert not (nginx.files / "ind" / "large").exists()


# --- the connection test ---


def steps_of(partner, **config):
    with HttpTransport({"url": partner.url, **config}, LOOPBACK) as gateway:
        return gateway.check(), gateway.seen


def test_the_connection_test_sends_no_document(serve):
    partner = serve(status=404, by_method={"HEAD": 405})
    steps, _ = steps_of(partner, auth="bearer", status_url=partner.url + "/{key}", **SECRETS)
    assert [(step.name.en, step.ok) for step in steps] == [
        ("Find the server (DNS)", True), ("Connect (TCP)", True), ("Access (HEAD)", True), ("Look-up (GET)", True),
    ]  # fmt: skip
    assert [request.method for request in partner.requests] == ["HEAD", "GET"]
    assert all(request.headers["authorization"] == "Bearer canary-token-1" for request in partner.requests)
    assert "405" in steps[2].detail.da


@pytest.mark.parametrize("status", [200, 204, 400, 404, 405, 500])
def test_the_connection_test_tells_what_it_learnt(serve, status):
    steps, _ = steps_of(serve(status=status))
    assert steps[-1].ok
    assert str(status) in steps[-1].detail.en


@pytest.mark.parametrize("status", [301, 401, 403])
def test_the_connection_test_fails_where_there_is_no_access(serve, status):
    steps, _ = steps_of(serve(status=status))
    assert [step.ok for step in steps] == [True, True, False]
    assert str(status) in steps[-1].detail.en


@pytest.mark.parametrize("status", [200, 500, 403])
def test_a_look_up_that_knows_everything_proves_nothing(serve, status):
    partner = serve(status=status, by_method={"HEAD": 200})
    steps, _ = steps_of(partner, status_url=partner.url + "/{key}")
    assert [step.ok for step in steps] == [True, True, True, False]


def test_the_connection_test_sees_when_the_certificate_ends(serve, authority, tmp_path):
    partner = serve(authority.context(tmp_path))
    steps, seen = steps_of(partner, ca_certificate=authority.root)
    assert [step.ok for step in steps] == [True] * 4
    assert seen == {"certificate_ends": authority.ends.isoformat()}
    assert f"{authority.ends:%Y-%m-%d}" in steps[2].detail.en


def test_the_connection_test_stops_at_a_certificate_that_nobody_vouches_for(serve, authority, tmp_path):
    partner = serve(authority.context(tmp_path))
    steps, seen = steps_of(partner)
    assert [step.ok for step in steps] == [True, True, False]
    assert seen == {}
    assert partner.requests == []


def test_the_connection_test_never_says_that_a_document_was_sent(react):
    steps, _ = steps_of(react(lambda client: None))
    assert not steps[-1].ok
    assert "received" not in steps[-1].detail.en


def test_the_connection_test_shows_no_password_to_those_who_read_along(serve, monkeypatch):
    partner = serve()
    monkeypatch.setattr(settings, "_is_this_machine", lambda host: False)
    steps, _ = steps_of(partner, auth="bearer", **SECRETS)
    assert [step.ok for step in steps] == [True, True, False]
    assert partner.requests == []


def test_the_connection_test_meets_a_partner_that_wants_our_certificate(serve, authority, tmp_path):
    partner = serve(authority.context(tmp_path, wants_client=True))
    steps, _ = steps_of(partner, ca_certificate=authority.root)
    assert [step.ok for step in steps] == [True, True, True, False]
    assert partner.requests == []
