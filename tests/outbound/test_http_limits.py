"""Packed answers, and encryption: whose certificate is believed, and whether ours was."""

from __future__ import annotations

import gzip
import ssl
import tracemalloc
from http.client import HTTPConnection

import pytest
from support.outbound import LOOPBACK

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason, Sent
from invoiceapp.outbound.http import HttpClient
from invoiceapp.outbound.tls import client_context

pytestmark = pytest.mark.server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(context, url, content=b"abc"):
    with HttpClient(LOOPBACK, context) as client:
        return client.request("POST", url, Deadline(10, 10), content=content)


def failed(context, url, content=b"abc"):
    with pytest.raises(OutboundError) as caught:
        post(context, url, content)
    return caught.value


def packed(content):
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


def test_a_packed_answer_is_unpacked(peer):
    assert post(None, peer(packed(gzip.compress(b"hello"))).url()).body == b"hello"


def test_a_bomb_is_not_unpacked_beyond_the_cap(peer):
    bomb = gzip.compress(bytes(200_000_000))
    url = peer(packed(bomb)).url()
    tracemalloc.start()
    try:
        error = failed(None, url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (error.reason, error.status) == (Reason.TOO_LARGE, 200)
    assert peak < 20_000_000


def test_a_certificate_of_an_authority_that_is_trusted_is_believed(peer, authority):
    server = peer(OK, authority.server())
    assert post(client_context(ca=authority.root), server.url()).body == b"ok"


@pytest.mark.parametrize("trusts", ["the public ones", "another"])
def test_a_certificate_of_an_authority_that_is_not_trusted_gets_nothing(peer, authority, stranger, trusts):
    server = peer(OK, authority.server())
    error = failed(client_context(ca=None if trusts == "the public ones" else stranger.root), server.url())
    assert (error.reason, error.sent) == (Reason.CERTIFICATE, Sent.NOTHING)
    assert server.requests == []


def test_public_roots_are_not_added_to_a_private_one(peer, authority, stranger, monkeypatch, tmp_path):
    # As if the server's authority were a public one: only a client without a root of its own believes it.
    bundle = tmp_path / "public.pem"
    bundle.write_text(authority.root)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    server = peer(OK, authority.server())
    assert post(None, server.url()).status == 200
    assert post(client_context(), server.url()).status == 200
    assert failed(client_context(ca=stranger.root), server.url()).reason is Reason.CERTIFICATE


def test_a_certificate_for_another_name_gets_nothing(peer, authority):
    server = peer(OK, authority.server("partner.example"))
    error = failed(client_context(ca=authority.root), server.url())
    assert (error.reason, error.sent) == (Reason.CERTIFICATE, Sent.NOTHING)
    assert server.requests == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("content", [b"abc", b"x" * 3_000_000], ids=["small", "large"])
@pytest.mark.parametrize("shown", ["none", "of a stranger"])
def test_a_server_that_wants_another_certificate_of_ours_says_so(peer, authority, stranger, version, content, shown):
    # With TLS 1.3 the client has finished its side, and may have written, before the server judges the certificate.
    context = authority.server(clients=authority)
    context.minimum_version = context.maximum_version = version
    server = peer(OK, context)
    pair = stranger.issue("client")
    ours = {"certificate": pair.certificate, "key": pair.key} if shown == "of a stranger" else {}
    error = failed(client_context(ca=authority.root, **ours), server.url(), content)
    # TLS 1.2 has one word for a missing certificate and for no common cipher (RFC 5246 7.2.2: handshake_failure).
    is_vague = not ours and version is ssl.TLSVersion.TLSv1_2
    assert error.reason is (Reason.TLS if is_vague else Reason.OUR_CERTIFICATE)
    assert server.requests == []


def test_a_connection_that_closed_while_we_sent_is_still_read_to_its_end(peer, monkeypatch):
    # What a server says before it closes, such as that it does not accept our certificate, lies unread then.
    def closed(self, data):
        send(self, data)
        raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")

    send = HTTPConnection.send
    monkeypatch.setattr(HTTPConnection, "send", closed)
    assert post(None, peer(OK).url(), b"").status == 200


def test_our_certificate_is_accepted(peer, authority):
    server = peer(OK, authority.server(clients=authority))
    ours = authority.issue("client")
    context = client_context(authority.root, ours.certificate, ours.locked("kodeord"), "kodeord")
    assert post(context, server.url()).body == b"ok"


def test_a_server_without_a_version_in_common_gets_nothing(peer, authority):
    context = client_context(ca=authority.root)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    old = authority.server()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    server = peer(OK, old)
    assert (failed(context, server.url()).reason, server.requests) == (Reason.TLS, [])


def test_a_server_that_speaks_no_tls_gets_nothing(peer):
    server = peer(script=lambda _, connection: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n" + connection.recv(9)))
    url = server.url().replace("http:", "https:")
    error = failed(None, url)
    assert (error.reason, error.sent) == (Reason.TLS, Sent.NOTHING)
