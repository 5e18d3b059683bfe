from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from invoiceapp.models import Webhook, WebhookCall, db
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.notifications import calling

pytestmark = pytest.mark.server


class Listener:
    """Keeps what it is told; ``status`` None hangs up without an answer."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status: int | None = 204
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                listener.heard.append(({name.lower(): value for name, value in self.headers.items()}, content))
                if listener.status is not None:
                    self.send_response(listener.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


def call(told, **time: float) -> None:
    now = told.wait(**time).now
    calling.call_due(lambda: now)
    db.session.expire_all()


def only() -> WebhookCall:
    return db.session.scalars(select(WebhookCall)).one()


def test_what_is_noticed_is_told_once_and_signed(told, listener):
    key = calling.save(told.adaptor_id, listener.url)
    problem = told.problem(documents=3)
    told.notice(), told.notice()
    assert calling.due(told.now)
    call(told), call(told, days=1)
    ((headers, content),) = listener.heard
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    expected = hmac.new(base64.b64decode(key.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    told_of = json.loads(content)
    assert told_of["id"] == headers["webhook-id"] == only().id and told_of["type"] == "document.opened"
    assert told_of["data"]["problem"] == problem.id
    assert told_of["data"]["title"]["en"] == "3 documents wait for you: ean is missing"
    assert only().state == "done" and calling.of_adaptor(told.adaptor_id).answered_at is not None


def test_a_repetition_has_the_same_id(told, listener):
    calling.save(told.adaptor_id, listener.url)
    calling.ping(told.adaptor_id, told.now)
    for status in (503, None, 204):
        listener.status = status
        call(told)
        told.wait(minutes=30)
    assert len({headers["webhook-id"] for headers, _content in listener.heard}) == 1
    assert (only().state, only().tries, len(listener.heard)) == ("done", 3, 3)


def test_a_worker_that_died_while_it_called_calls_again_later(told, listener):
    calling.save(told.adaptor_id, listener.url)
    calling.ping(told.adaptor_id, told.now)
    with transaction():
        only().state, only().next_at = "leased", told.now + calling.LEASE
    call(told)
    assert listener.heard == []
    call(told, minutes=2)
    assert only().state == "done"


def test_a_slow_address_is_asked_with_the_time_of_each_call_and_by_one_worker_only(told, listener, monkeypatch):
    calling.save(told.adaptor_id, listener.url)
    for _ in range(9):
        calling.ping(told.adaptor_id, told.now)
    request, asked = calling.HttpClient.request, []

    def slow(*args, headers, **options):
        asked.append(told.now.timestamp() - int(headers["webhook-timestamp"]))
        told.wait(seconds=19)
        if len(asked) == 8:
            assert calling.call_due(lambda: told.now) == 1  # the last one, which nobody has yet
        return request(*args, headers=headers, **options)

    monkeypatch.setattr(calling.HttpClient, "request", slow)
    calling.call_due(lambda: told.now)
    assert asked == [0] * 9
    assert len({headers["webhook-id"] for headers, _ in listener.heard}) == len(listener.heard) == 9


def test_one_address_that_does_not_answer_is_asked_once_for_all_its_events(told, listener):
    calling.save(told.adaptor_id, listener.url)
    for _ in range(5):
        calling.ping(told.adaptor_id, told.now)
    listener.status = None
    call(told)
    assert len(listener.heard) == 1
    listener.status = 204
    call(told, minutes=1)
    assert len(listener.heard) == 6


def test_an_address_that_fails_for_days_is_switched_off_and_waits_for_a_person(told, listener):
    calling.save(told.adaptor_id, listener.url)
    listener.status = 500
    for _ in range(7):
        calling.ping(told.adaptor_id, told.now)
        call(told, days=1)
        if not calling.is_wanted(told.adaptor_id):
            break
    row = calling.of_adaptor(told.adaptor_id)
    assert row.off_at == told.now and row.error["da"] == "Adressen svarede 500."
    with pytest.raises(Conflict):
        calling.ping(told.adaptor_id, told.now)
    assert not calling.due(told.now + timedelta(days=3))
    calling.save(told.adaptor_id, listener.url)
    assert row.off_at is None and calling.is_wanted(told.adaptor_id)


def test_an_address_that_is_gone_is_switched_off_at_once(told, listener):
    calling.save(told.adaptor_id, listener.url)
    listener.status = 410
    calling.ping(told.adaptor_id, told.now)
    call(told)
    assert not calling.is_wanted(told.adaptor_id)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://127.0.0.1:22/"])
def test_an_address_inside_is_not_called(told, url):
    calling.save(told.adaptor_id, url)
    calling.ping(told.adaptor_id, told.now)
    call(told)
    assert (only().state, only().status) == ("pending", None)


@pytest.mark.parametrize("url", ["", "ftp://a.example", "https://a:b@a.example", "https://a.example/" + "x" * 500])
def test_an_address_that_cannot_be_used_is_refused(told, url):
    with pytest.raises(InvalidInput):
        calling.save(told.adaptor_id, url)


def test_the_key_is_kept_sealed_follows_no_other_address_and_is_rotated(told):
    first = calling.save(told.adaptor_id, "https://a.example/hook")
    assert calling.save(told.adaptor_id, "https://a.example/hook") is None
    row = db.session.scalars(select(Webhook)).one()
    assert first.removeprefix("whsec_") not in json.dumps(row.secrets)
    assert calling.save(told.adaptor_id, "https://b.example/hook") not in (None, first)
    assert secrets.rotate().current == 1
    calling.ping(told.adaptor_id, told.now)
    calling.remove(told.adaptor_id)
    assert calling.of_adaptor(told.adaptor_id) is None
