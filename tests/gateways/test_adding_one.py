"""The example of docs/adding-a-gateway.md, taken out of the guide and used through the product.

Nothing but its own folder is added: the registry finds it, and form, masking, connection test, delivery, questions, receipts
and expiries follow from what it declares.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import invoiceapp.gateways
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.gateways.base import registry
from invoiceapp.models import Attempt, Delivery, Gateway, Receipt, Rendition, Subscription, User, db, new_id, utcnow
from invoiceapp.services.configuration import expiries, gateways
from invoiceapp.services.export import archive, delivery, probing

pytestmark = pytest.mark.server

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-gateway.md"
TOKEN, SECRET = "S3CR3T-token", "S3CR3T-shared"
CONTENT = b"<Invoice>2026-17</Invoice>"
LARGE = b"<Invoice>" + b"<Line/>" * 2_000_000
S = DeliveryState

Submit = Callable[..., TestResponse]


def example() -> dict[str, str]:
    """The files of the guide, by path."""
    blocks = re.findall(r"^### `([^`]+)`\n\n```\w+\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    return dict(blocks)


@pytest.fixture(autouse=True)
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the example, in a place that the house looks at too."""
    known = set(registry())
    folder = tmp_path / "gateways"
    for name, text in example().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(invoiceapp.gateways, "__path__", [*invoiceapp.gateways.__path__, str(folder)])
    registry.cache_clear()
    assert set(registry()) - known == {"parcel"}
    yield folder
    registry.cache_clear()
    for name in [name for name in sys.modules if name.startswith("invoiceapp.gateways.parcel")]:
        del sys.modules[name]
    del invoiceapp.gateways.parcel  # type: ignore[attr-defined]


class Service:
    """What the guide says of Parcel. ``answers`` are given to the next requests to put something; None: none at all."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.answers: list[tuple[int, dict[str, str]] | None] = []
        self.is_cut = False
        """Each connection ends before a request is read whole"""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(*((200, service.documents[self._id]) if self._id in service.documents else (404, b"")))

            def do_PUT(self) -> None:
                if service.is_cut:
                    self.rfile.read(5)
                    self.close_connection = True
                    return
                content = self.rfile.read(int(self.headers["Content-Length"]))
                told = service.answers.pop(0) if service.answers else (201, {})
                if told is None or told[0] == 201:
                    service.documents[self._id] = content
                    service.puts.append(self._id)
                if told is None:
                    self.close_connection = True
                else:
                    self._answer(told[0], content, told[1])

            @property
            def _id(self) -> str:
                return self.path.removeprefix("/v1/documents/")

            def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
                status = status if self.headers["Authorization"] == f"Bearer {TOKEN}" else 401
                body = json.dumps({"sha256": hashlib.sha256(content).hexdigest()}).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def service() -> Iterator[Service]:
    one = Service()
    yield one
    one.close()


@pytest.fixture
def owner(signed_in: FlaskClient, user: User) -> FlaskClient:
    """Reads English."""
    user.language = "en"
    db.session.commit()
    return signed_in


@pytest.fixture
def submit(owner: FlaskClient) -> Submit:
    """Posts a form."""

    def post(path: str, **data: str) -> TestResponse:
        token = re.search(r'name="csrf-token" content="([^"]+)"', owner.get("/gateways").text)
        assert token
        return owner.post(path, data={"csrf_token": token[1], **data})

    return post


@pytest.fixture
def made(subscription: Subscription, service: Service) -> Callable[..., Gateway]:
    """Makes a gateway as the form does; keyword arguments change what is typed."""

    def make(**typed: str) -> Gateway:
        return gateways.save(subscription.id, "parcel", "Pakker", {"url": service.url, "token": TOKEN, **typed})

    return make


@pytest.fixture
def waiting(make_customer: Any, make_document: Any, make_delivery: Any) -> Callable[..., Delivery]:
    """A document that waits to leave through the gateway."""

    def make(gateway: Gateway, content: bytes = CONTENT) -> Delivery:
        document = make_document(make_customer(), "2026-17")
        rendition = Rendition(
            id=new_id(), subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
            sha256=archive.store(content), size=len(content), media_type="application/xml",
            filename="invoice-2026-17.xml", sender="0184:12345674", receiver="0088:5798000000001",
        )  # fmt: skip
        db.session.add(rendition)
        db.session.commit()
        row: Delivery = make_delivery(document, rendition_id=rendition.id, transport="parcel")
        row.gateway_id = gateway.id
        db.session.commit()
        return row

    return make


def sent(row: Delivery) -> Delivery:
    """One round of the delivery machine, now."""
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    db.session.expire_all()
    return row


def asked(row: Delivery) -> Delivery:
    """One question about an unclear outcome, now."""
    row.next_at = utcnow()
    db.session.commit()
    probing.probe_due()
    db.session.expire_all()
    return row


def receipts(row: Delivery) -> list[Receipt]:
    return db.session.query(Receipt).filter_by(delivery_id=row.id).order_by(Receipt.id).all()


def test_the_guide_shows_one_whole_folder() -> None:
    assert {Path(name).parent for name in example()} == {Path("parcel")}
    assert {"__init__.py", "help.da.md", "help.en.md"} <= {Path(name).name for name in example()}


def test_it_is_offered_with_its_own_words(owner: FlaskClient) -> None:
    page = owner.get("/gateways/new").text
    assert 'href="/gateways/new/parcel"' in page
    assert "Hands the file to the service Parcel." in page


def test_its_form_comes_from_its_fields_and_its_help_from_its_folder(owner: FlaskClient) -> None:
    page = owner.get("/gateways/new/parcel").text
    for name in ("url", "token", "token_ends", "confirms", "confirm_secret", "connections"):
        assert f'name="{name}"' in page
    assert re.search(r'<input[^>]*type="password"[^>]*name="token"|<input[^>]*name="token"[^>]*type="password"', page)
    assert "After a lost answer we ask Parcel" in page


def test_what_is_missing_or_unsafe_is_said_at_its_field(submit: Submit) -> None:
    answer = submit("/gateways/new/parcel", name="Pakker", url="https://api.parcel.example/v1", confirms="true")
    assert answer.status_code == 422
    assert 'href="#field-token"' in answer.text
    assert 'href="#field-confirm_secret"' in answer.text
    answer = submit("/gateways/new/parcel", name="Pakker", url="http://api.parcel.example/v1", token=TOKEN)
    assert (answer.status_code, "must begin with https" in answer.text) == (422, True)
    assert db.session.query(Gateway).count() == 0


def test_it_is_saved_with_its_secrets_sealed_and_never_shown(owner: FlaskClient, submit: Submit) -> None:
    typed = {"url": "https://api.parcel.example/v1", "token": TOKEN, "confirms": "true", "confirm_secret": SECRET}
    answer = submit("/gateways/new/parcel", name="Pakker", **typed)
    assert answer.status_code == 303
    gateway = db.session.query(Gateway).one()
    assert (gateway.kind, set(gateway.secrets)) == ("parcel", {"token", "confirm_secret"})
    assert "S3CR3T" not in f"{owner.get(answer.location).text} {gateway.secrets} {gateway.config}"


def test_a_new_address_wants_the_token_again_but_not_what_is_kept_here(
    made: Callable[..., Gateway], submit: Submit
) -> None:
    gateway = made(confirms="true", confirm_secret=SECRET)
    path, form = f"/gateways/{gateway.id}", {"name": "Pakker", "url": "https://other.example/", "confirms": "true"}
    answer = submit(path, **form)
    assert (answer.status_code, 'href="#field-token"' in answer.text) == (422, True)
    assert 'href="#field-confirm_secret"' not in answer.text
    assert submit(path, **form, token=TOKEN).status_code == 303


def test_the_connection_test_explains_each_step(made: Callable[..., Gateway], submit: Submit, service: Service) -> None:
    page = submit(f"/gateways/{made().id}/check").text
    assert "The connection works" in page
    assert page.index("Find the server (DNS)") < page.index("Connect (TCP)") < page.index("The token is accepted.")
    assert service.puts == []


def test_the_connection_test_ends_where_it_fails(made: Callable[..., Gateway], submit: Submit) -> None:
    page = submit(f"/gateways/{made(token='wrong').id}/check").text
    assert "Parcel does not accept the token" in page
    assert "The connection does not work yet" in page


def test_the_end_of_its_token_is_watched(owner: FlaskClient, made: Callable[..., Gateway]) -> None:
    day = (utcnow() + timedelta(days=20)).date()
    [ending] = expiries.endings(made(token_ends=day.isoformat()))
    assert (ending.ends.date(), ending.level) == (day, 30)
    assert "The token ends" in owner.get("/gateways/expiries").text


def test_a_delivery_leaves_once_and_keeps_its_receipt(
    made: Callable[..., Gateway], waiting: Any, service: Service
) -> None:
    row = sent(waiting(made()))
    assert row.state is S.DELIVERED
    assert service.documents == {row.idem_key: CONTENT}
    [receipt] = receipts(row)
    assert receipt.evidence == {"status": 201, "sha256": hashlib.sha256(CONTENT).hexdigest()}
    [attempt] = db.session.query(Attempt).filter_by(delivery_id=row.id)
    assert attempt.wire_ids == {"document": row.idem_key}
    sent(row)
    assert service.puts == [row.idem_key]


def test_refused_pauses_the_gateway_and_the_document_waits(made: Callable[..., Gateway], waiting: Any) -> None:
    gateway = made(token="wrong")
    row = sent(waiting(gateway))
    assert (row.state, row.error["class"], gateway.is_paused) == (S.PENDING, "Refused", True)
    assert "S3CR3T" not in str(row.error)


def test_rejected_is_final(made: Callable[..., Gateway], waiting: Any, service: Service) -> None:
    service.answers = [(422, {})]
    row = sent(waiting(made()))
    assert (row.state, row.error["class"]) == (S.REJECTED, "Rejected")
    assert sent(row).state is S.REJECTED


def test_unavailable_is_tried_again_with_the_same_id(
    made: Callable[..., Gateway], waiting: Any, service: Service
) -> None:
    service.answers = [(503, {"Retry-After": "50"})]
    gateway = made()
    row = sent(waiting(gateway))
    assert (row.state, row.error["class"]) == (S.PENDING, "Unavailable")
    assert row.next_at > utcnow() + timedelta(seconds=20)
    assert gateway.retry_at > utcnow()
    gateway.retry_at = None
    assert sent(row).state is S.DELIVERED
    tries = db.session.query(Attempt).filter_by(delivery_id=row.id).order_by(Attempt.number)
    assert [(one.outcome, one.wire_ids) for one in tries] == [
        ("unavailable", {"document": row.idem_key}),
        ("accepted", {"document": row.idem_key}),
    ]


def test_a_connection_that_ends_in_the_document_is_unavailable(
    made: Callable[..., Gateway], waiting: Any, service: Service
) -> None:
    service.is_cut = True
    row = sent(waiting(made(), LARGE))
    assert (row.state, row.error["class"]) == (S.PENDING, "Unavailable")
    service.is_cut = False
    assert sent(row).state is S.DELIVERED
    assert service.puts == [row.idem_key]


def test_a_closed_address_is_refused_by_the_guard(made: Callable[..., Gateway], waiting: Any) -> None:
    gateway = made(url="https://10.1.2.3/v1")
    row = sent(waiting(gateway))
    assert (row.error["class"], gateway.is_paused) == ("Refused", True)
    assert "OUTBOUND_NETWORKS" in row.error["en"]


def test_unknown_is_asked_about_and_found(made: Callable[..., Gateway], waiting: Any, service: Service) -> None:
    service.answers = [None]
    row = sent(waiting(made()))
    assert (row.state, row.error["class"]) == (S.OUTCOME_UNKNOWN, "Unknown")
    assert asked(row).state is S.DELIVERED
    assert [one.kind for one in receipts(row)] == ["found"]
    assert service.puts == [row.idem_key]


def test_unknown_is_sent_again_only_after_proven_noes(
    made: Callable[..., Gateway], waiting: Any, service: Service
) -> None:
    service.answers = [(500, {})]
    row = sent(waiting(made()))
    assert row.state is S.OUTCOME_UNKNOWN
    assert asked(row).state is S.OUTCOME_UNKNOWN
    assert asked(row).state is S.PENDING
    assert sent(row).state is S.DELIVERED
    assert service.puts == [row.idem_key]


def confirmation(row: Delivery, verdict: str, secret: str = SECRET) -> bytes:
    signature = hmac.new(secret.encode(), f"{row.idem_key} {verdict}".encode(), "sha256").hexdigest()
    return json.dumps({"document": row.idem_key, "verdict": verdict, "signature": signature}).encode()


def post(client: FlaskClient, gateway: Gateway, content: bytes) -> TestResponse:
    return client.post(f"/inbound/{gateway.id}", data=content, content_type="application/json")


@pytest.mark.parametrize(("verdict", "state"), [("read", S.ACKNOWLEDGED), ("refused", S.REJECTED)])
def test_a_later_receipt_is_proved_and_believed(
    client: FlaskClient, made: Callable[..., Gateway], waiting: Any, verdict: str, state: DeliveryState
) -> None:
    gateway = made(confirms="true", confirm_secret=SECRET)
    row = sent(waiting(gateway))
    assert row.state is S.ACCEPTED
    assert row.next_at > utcnow() + timedelta(days=1)
    assert post(client, gateway, confirmation(row, verdict)).status_code == 200
    db.session.expire_all()
    assert row.state is state


@pytest.mark.parametrize("forged", [b"yes", b"[]", b'{"document": 1}', None])
def test_what_proves_nothing_changes_nothing(
    client: FlaskClient, made: Callable[..., Gateway], waiting: Any, forged: bytes | None
) -> None:
    gateway = made(confirms="true", confirm_secret=SECRET)
    row = sent(waiting(gateway))
    assert post(client, gateway, forged or confirmation(row, "read", "another secret")).status_code == 400
    db.session.expire_all()
    assert row.state is S.ACCEPTED
