"""Requests to servers on this machine, and everything that can go wrong on the way."""

from __future__ import annotations

import socket

import pytest
from support.outbound import LOOPBACK

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Unknown
from invoiceapp.gateways.failures import transport_error
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import HttpClient
from invoiceapp.outbound.tls import client_context

pytestmark = pytest.mark.server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Id: 7\r\n\r\nok"
BIG = b"x" * 8_000_000


@pytest.fixture
def client():
    with HttpClient(LOOPBACK) as made:
        yield made


def soon(seconds=10, step=10):
    return Deadline(seconds, step)


def failed(client, method, url, deadline=None, **options):
    with pytest.raises(OutboundError) as caught:
        client.request(method, url, deadline or soon(), **options)
    return caught.value


def test_a_request_is_answered(client, peer):
    server = peer(OK)
    answer = client.request(
        "POST", server.url("/in?a=1"), soon(), headers={"Content-Type": "text/xml"}, content=b"<a/>"
    )
    assert (answer.status, answer.body, answer.text, answer.headers["x-id"], answer.is_good) == (
        200,
        b"ok",
        "ok",
        "7",
        True,
    )
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /in?a=1 HTTP/1.1"
    assert {b"Content-Type: text/xml", b"Content-Length: 4"} <= set(lines)
    assert body == b"<a/>"


def test_nothing_is_told_that_the_caller_did_not_say(client, peer):
    server = peer(OK)
    client.request("GET", server.url(), soon())
    names = {line.split(b":")[0].lower() for line in server.requests[0].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]}
    assert names <= {b"host", b"accept-encoding", b"user-agent"}


@pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 409, 429, 500, 503])
def test_every_status_is_an_answer(client, peer, status):
    answer = client.request(
        "POST", peer(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status).url(), soon(), content=b"a"
    )
    assert answer.status == status
    assert answer.is_good is (status < 300)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(client, peer, status):
    target = peer(OK)
    head = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, target.url().encode())
    answer = client.request("POST", peer(head).url(), soon(), content=b"secret")
    assert (answer.status, answer.headers["location"]) == (status, target.url())
    assert target.connections == 0


def test_proxies_and_passwords_of_the_environment_are_ignored(client, peer, monkeypatch, tmp_path):
    proxy, server = peer(OK), peer(OK)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url())
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login u password hemmelig\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client.request("GET", server.url(), soon())
    assert proxy.connections == 0
    assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize(("keeps", "connections"), [(True, 1), (False, 2)])
def test_a_connection_is_kept_only_for_who_asks_for_that(keeps, connections, peer):
    def twice(server, connection):
        for _ in range(2):
            server.read(connection)
            connection.sendall(OK)

    server = peer(script=twice)
    with HttpClient(LOOPBACK, keeps=keeps) as client:
        for _ in range(2):
            client.request("POST", server.url(), soon(), content=b"a")
    assert server.connections == connections


def test_an_address_inside_is_refused_and_nothing_is_connected(peer):
    server = peer(OK)
    with HttpClient(Guard()) as client:
        error = failed(client, "POST", server.url(), content=b"a")
    assert (error.reason, error.sent) == (Reason.BLOCKED_ADDRESS, Sent.NOTHING)
    assert server.connections == 0


def test_a_port_of_another_service_is_refused(client):
    assert failed(client, "GET", "http://127.0.0.1:6379/").reason is Reason.BLOCKED_PORT


@pytest.mark.parametrize(
    "url", ["http://", "https:///path", "http://127.0.0.1:99999/", "http://a..dk/", "ftp://127.0.0.1/"]
)
def test_an_address_that_is_none_fails_as_an_unknown_name(client, url):
    error = failed(client, "POST", url, content=b"a")
    assert (error.reason, error.sent) == (Reason.NAME_UNKNOWN, Sent.NOTHING)


def test_nobody_listening_has_got_nothing(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    for content in (b"", b"a"):
        error = failed(client, "POST", f"http://127.0.0.1:{free}/", content=content)
        assert (error.reason, error.sent) == (Reason.CLOSED, Sent.NOTHING)


def test_a_cut_before_the_whole_body_was_sent_is_a_part(client, peer):
    def cut(_, connection):
        connection.recv(100_000)

    error = failed(client, "POST", peer(script=cut).url(), content=BIG)
    assert (error.reason, error.sent) == (Reason.CUT, Sent.PART)


def test_a_cut_after_the_whole_body_was_sent_may_have_delivered_it(client, peer):
    error = failed(
        client, "POST", peer(script=lambda server, connection: server.read(connection)).url(), content=b"abc"
    )
    assert (error.reason, error.sent, error.status) == (Reason.CUT, Sent.ALL, None)


def test_a_cut_of_a_request_without_a_body_may_have_delivered_it(client, peer):
    error = failed(client, "GET", peer(script=lambda server, connection: server.read(connection)).url())
    assert (error.reason, error.sent) == (Reason.CUT, Sent.ALL)


def test_silence_after_the_whole_body_ends_at_the_step(client, peer):
    def silent(server, connection):
        server.read(connection)
        server.closing.wait(20)

    error = failed(client, "POST", peer(script=silent).url(), soon(10, 0.3), content=b"abc")
    assert (error.reason, error.sent) == (Reason.TIMEOUT, Sent.ALL)


def test_a_server_that_stops_reading_ends_at_the_step_with_a_part(client, peer):
    error = failed(
        client, "POST", peer(script=lambda server, _: server.closing.wait(20)).url(), soon(10, 0.3), content=BIG
    )
    assert (error.reason, error.sent) == (Reason.TIMEOUT, Sent.PART)


def test_a_used_up_deadline_connects_nothing(client, peer):
    server = peer(OK)
    error = failed(client, "POST", server.url(), soon(0), content=b"a")
    assert (error.reason, error.sent, server.connections) == (Reason.TIMEOUT, Sent.NOTHING, 0)


def test_a_slow_reader_cannot_outlive_the_deadline(client, peer):
    def slowly(server, connection):
        while not server.closing.wait(0.02):
            connection.recv(100_000)

    error = failed(client, "POST", peer(script=slowly).url(), soon(0.5, 0.4), content=BIG * 3)
    assert (error.reason, error.sent) == (Reason.TIMEOUT, Sent.PART)


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"],
    ids=["status line", "headers", "body"],
)
def test_a_trickle_cannot_outlive_the_deadline(client, peer, start):
    def trickle(server, connection):
        server.read(connection)
        connection.sendall(start)
        while not server.closing.wait(0.02):
            connection.sendall(b"x")

    error = failed(client, "POST", peer(script=trickle).url(), soon(0.5, 0.3), content=b"abc")
    assert (error.reason, error.sent) == (Reason.TIMEOUT, Sent.ALL)


def test_endless_interim_answers_cannot_outlive_the_deadline(client, peer):
    def interim(server, connection):
        server.read(connection)
        while not server.closing.wait(0.01):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    error = failed(client, "POST", peer(script=interim).url(), soon(0.5, 0.3), content=b"abc")
    assert (error.reason, error.sent) == (Reason.TIMEOUT, Sent.ALL)


@pytest.mark.parametrize(
    "half",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        b"HTTP/1.1 202 Accepted\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
    ],
    ids=["length", "chunked", "not gzip"],
)
def test_half_an_answer_carries_its_status(client, peer, half):
    error = failed(client, "POST", peer(half).url(), content=b"a")
    assert (error.sent, error.status) == (Sent.ALL, 202)


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x0a\r\n", b"220 mail ESMTP\r\n"]
)
def test_what_is_no_http_is_not_understood(client, peer, garbage):
    error = failed(client, "POST", peer(garbage).url(), content=b"a")
    assert (error.reason, error.sent) == (Reason.NOT_UNDERSTOOD, Sent.ALL)


@pytest.mark.parametrize("length", [b"Content-Length: 5000", b"Connection: close"])
def test_an_answer_beyond_the_cap_is_not_read_on(client, peer, length):
    server = peer(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + b"x" * 5000)
    error = failed(client, "POST", server.url(), content=b"a", most=1000)
    assert (error.reason, error.sent, error.status) == (Reason.TOO_LARGE, Sent.ALL, 200)


def test_an_answer_of_just_the_cap_is_read(client, peer):
    server = peer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    assert len(client.request("GET", server.url(), soon(), most=1000).body) == 1000


def test_the_words_of_an_error_hold_no_secret_of_the_address(client, peer):
    server = peer(script=lambda server, connection: server.read(connection))
    error = failed(client, "POST", server.url("/hook?token=hemmelig"), headers={"X-Key": "skjult"}, content=b"indhold")
    told = f"{error} {error.detail} {error!r} {error.__cause__}"
    assert error.__suppress_context__
    assert not any(word in told for word in ("hemmelig", "skjult", "indhold"))


def test_closing_twice_is_fine(client):
    client.close()
    client.close()


@pytest.mark.parametrize("content", [b"", b"a"], ids=["without a body", "with a body"])
def test_nothing_was_sent_where_the_connection_did_not_come_about(client, content, monkeypatch):
    def connect(*_):
        raise OutboundError(Reason.TIMEOUT, "no answer")

    monkeypatch.setattr(Guard, "connect", connect)
    error = failed(client, "POST", "http://127.0.0.1:8080/", content=content)
    assert (error.reason, error.sent) == (Reason.TIMEOUT, Sent.NOTHING)


def test_an_answer_before_the_whole_body_was_read_is_an_answer(client, peer):
    def early(server, connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        server.drain(connection)

    assert client.request("POST", peer(script=early).url(), soon(), content=BIG).status == 413


def test_an_encryption_that_breaks_after_the_whole_body_left_is_no_matter_of_settings(peer, authority):
    def speaks_in_clear(server, connection):
        server.read(connection)
        with socket.socket(fileno=connection.detach()) as raw:
            raw.sendall(OK)
            server.closing.wait(5)

    server = peer(context=authority.server(), script=speaks_in_clear)
    with HttpClient(LOOPBACK, client_context(authority.root)) as client:
        error = failed(client, "POST", server.url(), content=b"<a/>")
        server.closing.set()
    assert (error.reason, error.sent) == (Reason.TLS, Sent.ALL)
    assert isinstance(transport_error(error, Text("Serveren", "The server")), Unknown)
