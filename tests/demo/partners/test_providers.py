"""The providers of the demo over the wire: Sproom with its account and webhooks, the others each with its key."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from support.outbound import LOOPBACK

from invoiceapp.demo.networks.population import demo_population
from invoiceapp.demo.partners.providers import serve_providers
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Verdict, registry
from invoiceapp.gateways.sproom import callbacks
from invoiceapp.gateways.sproom.transport import SproomTransport

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("providers")


@pytest.fixture(scope="module")
def providers(folder):
    with serve_providers(folder, demo_population()) as running:
        yield running


def config(provider):
    return {"base_url": provider.base_url, "answer_hours": 48, "connections": 2, **provider.settings}


@pytest.fixture
def sproom(providers):
    return config(providers.all[0])


class Api:
    """What a program does at Sproom."""

    def __init__(self, settings):
        self.url, self.headers = settings["base_url"], {"Authorization": f"Bearer {settings['token']}"}

    def post(self, content, key):
        headers = self.headers | {"Content-Type": "application/octet-stream", "X-Request-Id": key}
        return requests.post(f"{self.url}/documents", content, headers=headers, timeout=5)

    def register(self, url, kind="documentStatusChanged"):
        return requests.post(f"{self.url}/webhooks", json={"type": kind, "url": url}, headers=self.headers, timeout=5)


@pytest.fixture
def api(sproom):
    return Api(sproom)


@pytest.fixture
def posted():
    """A receiver of webhooks: what came, and a signal."""
    came = []
    signal = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.path, content, self.headers["x-signature"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            signal.set()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/inbound/G", came, signal
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_kind_passes_its_connection_test_with_what_the_page_tells(providers):
    kinds = [one.kind for one in providers.all]
    assert kinds == ["sproom", "ecourier", "storecove", "recommand", "accesspoint"] and set(kinds) <= set(registry())
    for provider in providers.all:
        with registry()[provider.kind](config(provider), LOOPBACK) as transport:
            assert [step.detail.en for step in transport.check() if not step.ok] == [], provider.kind


def test_what_is_sent_twice_is_kept_once_and_asked_about_by_its_id(providers, sproom, api, invoice, receiver):
    content = invoice(receiver("O02"), number="2001")
    first, second = api.post(content, "K-1"), api.post(content, "K-1")
    number = first.headers["X-Sproom-DocumentId"]
    assert (first.status_code, second.status_code) == (201, 409) and second.headers["X-Sproom-DocumentId"] == number
    assert providers.account.get(number).content == content
    with SproomTransport(sproom, LOOPBACK) as transport:
        assert transport.status(number, {}).verdict is Verdict.ON_ITS_WAY
        assert list(transport.responses(number)) == []


def test_what_nobody_can_read_is_refused(api):
    answer = api.post(b"<Invoice/>", "K-2")
    assert answer.status_code == 400 and answer.json()["errors"]


def test_the_networks_say_who_can_be_reached(sproom, receiver):
    with SproomTransport(sproom, LOOPBACK) as transport:
        assert transport.reaches(receiver("O01"), Network.NEMHANDEL)
        assert not transport.reaches(receiver("X12"), Network.PEPPOL)


def test_a_registered_address_hears_of_changes_in_signed_words(api, posted, sproom, invoice, receiver):
    url, came, signal = posted
    key = requests.get(f"{api.url}/webhooks/key", headers=api.headers, timeout=5).json()["publicKey"]
    assert api.register(url).status_code == api.register(url).status_code == 201
    number = api.post(invoice(receiver("O02"), number="2002"), "K-3").headers["X-Sproom-DocumentId"]
    while number not in {callbacks.read(content).reference for _, content, _ in list(came)}:
        assert signal.wait(10)
        signal.clear()
    path, content, signature = next(one for one in came if number.encode() in one[1])
    assert path == "/inbound/G" and callbacks.is_signed_with(key, content, signature)
    assert callbacks.read(content).word == "created"
    assert len([one for one in came if one[1] == content]) == 1


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://192.0.2.1/inbound/G", "documentStatusChanged"),
        ("https://127.0.0.1/inbound/G", "documentStatusChanged"),
        ("http://127.0.0.1/inbound/G", "documentReceived"),
    ],
)
def test_nobody_else_is_told(api, url, kind):
    assert api.register(url, kind).status_code == 400


def test_without_the_token_nothing_is_told_or_registered(api):
    api.headers = {"Authorization": "Bearer wrong"}
    assert api.register("http://127.0.0.1/x").status_code == 401


def test_the_key_of_webhooks_outlives_a_restart(tmp_path):
    keys = set()
    for _ in range(2):
        with serve_providers(tmp_path, demo_population()) as running:
            api = Api(config(running.all[0]))
            keys.add(requests.get(f"{api.url}/webhooks/key", headers=api.headers, timeout=5).json()["publicKey"])
    assert len(keys) == 1
    assert (tmp_path / "webhooks.pem").stat().st_mode & 0o077 == 0
