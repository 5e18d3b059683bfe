"""The connection test, and the way over TLS."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from support.as2_pairs import make_pair
from support.outbound import LOOPBACK

from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.base import Refused

pytestmark = pytest.mark.server


class _Silent(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """Port and root certificate of a server with TLS."""
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    folder: Path = tmp_path_factory.mktemp("tls")
    pair = make_pair(folder, "127.0.0.1", ec.generate_private_key(ec.SECP256R1()), more=names)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate_path, pair.key_path)
    with HTTPServer(("127.0.0.1", 0), _Silent) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1], pair.certificate
        server.shutdown()
        thread.join(timeout=5)


def _steps(made):
    with As2Transport(made, LOOPBACK) as opened:
        return opened.check(), opened.seen


def test_every_step_succeeds_and_nothing_is_sent(partner, config):
    steps, _ = _steps(config(url=partner.url))
    assert [step.ok for step in steps] == [True] * 4
    assert [step.name.en for step in steps[2:]] == ["Our certificate", "The partner's certificate"]
    assert partner.requests == 0


def test_over_tls_the_servers_certificate_is_looked_at(secured, config, pairs):
    port, root = secured
    steps, seen = _steps(config(url=f"https://127.0.0.1:{port}/as2", ca_certificate=root))
    assert [step.ok for step in steps] == [True] * 5
    assert steps[2].name.en == "Encryption (TLS)"
    assert seen["certificate_ends"] == x509.load_pem_x509_certificate(root.encode()).not_valid_after_utc.isoformat()


def test_a_server_that_nobody_vouches_for_ends_the_test(secured, config, consignment):
    port, _ = secured
    made = config(url=f"https://127.0.0.1:{port}/as2")
    steps, _ = _steps(made)
    assert [step.ok for step in steps] == [True, True, False]
    with As2Transport(made, LOOPBACK) as opened, pytest.raises(Refused, match="certificate"):
        opened.send(consignment())


@pytest.mark.parametrize(
    ("whose", "changes", "failed"),
    [("own", {}, "Our certificate"), ("partner", {}, "The partner's certificate")],
)
def test_a_certificate_that_is_over_fails(partner, config, pairs, whose, changes, failed):
    over = {f"{whose}_certificate": pairs["expired"].certificate}
    if whose == "own":
        over["own_key"] = pairs["expired"].key
    steps, _ = _steps(config(url=partner.url, **over))
    assert not steps[-1].ok
    assert steps[-1].name.en == failed


def test_a_key_of_another_pair_fails(partner, config, pairs):
    steps, _ = _steps(config(url=partner.url, own_key=pairs["stranger"].key))
    assert not steps[-1].ok
    assert "hører ikke sammen" in steps[-1].detail.da


def test_certificates_that_are_not_used_are_not_asked_for(partner, config):
    made = config(
        url=partner.url, sign=False, encrypt="none", mdn="none", own_certificate=None, partner_certificate=None
    )
    steps, _ = _steps(made)
    assert [step.ok for step in steps] == [True, True]


def test_a_closed_port_ends_the_test(config, partner):
    partner.close()
    steps, _ = _steps(config(url=partner.url))
    assert [step.ok for step in steps] == [True, False]


def test_a_broken_root_certificate_is_told(secured, config):
    steps, _ = _steps(config(url=f"https://127.0.0.1:{secured[0]}/", ca_certificate="nonsense"))
    assert "Rodcertifikatet" in steps[-1].detail.da
