"""What providers and APIs answer and post to us: states, webhooks, tokens, lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import GLN, Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways import oauth
from invoiceapp.gateways.accesspoint import AccessPointTransport
from invoiceapp.gateways.base import Consignment, Incoming, Payload, TransportError, Unreadable
from invoiceapp.gateways.dropbox import failures as dropbox
from invoiceapp.gateways.ecourier import ECourierTransport
from invoiceapp.gateways.ecourier.ubl import identity
from invoiceapp.gateways.http.answer import judge, reference_of, value_at
from invoiceapp.gateways.providers import ProviderTransport, answers
from invoiceapp.gateways.recommand import RecommandTransport
from invoiceapp.gateways.sproom import SproomTransport
from invoiceapp.gateways.storecove import StorecoveTransport
from invoiceapp.outbound.http import Answer

from ..engine import Target
from .documents import GOLDEN, golden

SPROOM = {"token": "t"}
RECEIVER = Participant(GLN, "5798000000001")
CONSIGNMENT = Consignment(
    key="mfrggzdfmztwq2lkmfrggzdfmztwq2lkmfrggzdfmztwq2lkabcd",
    payload=Payload((GOLDEN / "peppol-bis-3" / "plain.xml").read_bytes(), "invoice.xml", "application/xml"),
    format="peppol-bis-3", document_no="2026-17", sender_name="Os", receiver_name="De",
    sender=Participant(GLN, "5790000000012"), receiver=RECEIVER,
)  # fmt: skip


class Line:
    """In place of the HTTP client. The first byte of an input chooses the status, the rest is every answer's body."""

    def __init__(self, content: bytes) -> None:
        self.status, self.body = _STATUSES.get(content[:1], 200), content[1:]

    def request(self, *_: object, **__: object) -> Answer:
        return Answer(self.status, {"retry-after": self.body[:40].decode("latin-1")}, self.body)

    def close(self) -> None:
        """Nothing is open."""


_STATUSES = {b"2": 200, b"1": 201, b"4": 422, b"9": 409, b"0": 404, b"5": 500, b"a": 401, b"3": 302}


def provider(make: Callable[[], ProviderTransport]) -> Callable[[bytes], object]:
    """All that is asked of a provider, each with the input as its answer."""

    def run(content: bytes) -> object:
        transport = make()
        transport._client = Line(content)  # type: ignore[assignment]
        keys = {"idempotency_key": CONSIGNMENT.key, "idempotency_guid": "g"}
        outcomes = []
        for ask in (
            lambda: transport.status("d-1", keys),
            lambda: list(transport.responses("d-1")),
            lambda: transport.reaches(RECEIVER, Network.PEPPOL),
            lambda: transport.submit(CONSIGNMENT, transport.deadline()),
            lambda: transport.search(CONSIGNMENT, transport.deadline()),
            lambda: transport.access(transport.deadline()),
            lambda: list(transport.fetch()),
            lambda: transport.reference_of(Incoming("", content[1:], {})),
            lambda: transport.read(Incoming("", content[1:], {"x-signature": "AAAA"}), {}),
        ):
            try:
                outcomes.append(type(ask()).__name__)
            except (TransportError, Unreadable, NotImplementedError) as error:
                outcomes.append(type(error).__name__)
        return tuple(outcomes)

    return run


@cache
def _accesspoint() -> AccessPointTransport:
    return AccessPointTransport({
        "base_url": "https://api.example", "token": "t", "auth": "bearer", "reach": "both", "repeats": "conflict",
        "method": "POST", "submit_path": "documents", "body": "raw", "key_header": "Idempotency-Key",
        "id_path": "data.id", "state_path": "data.state", "reason_path": "data.reason",
        "status_path": "documents/{id}/status", "lookup_path": "participants/{scheme}/{value}",
        "lookup_answer": "participant.canReceive", "find_path": "documents/by-key/{key}", "webhook_id_path": "data.id",
        "waiting_words": "queued", "delivered_words": "delivered", "rejected_words": "rejected",
        "webhook_state_path": "data.state",
    })  # fmt: skip


PROVIDERS: dict[str, tuple[Callable[[], ProviderTransport], tuple[Any, ...]]] = {
    "accesspoint": (_accesspoint, ({"data": {"id": "d-1", "state": "queued", "reason": "x"}, "participant": {"canReceive": "true"}},)),
    "sproom": (
        lambda: SproomTransport({"token": "t", "system": "live"}),
        (
            [{"state": "Sent", "message": "m", "documentStatus": "x", "date": "2026-11-01T10:00:00Z", "documentId": "d-2"}],
            {"webhookType": "documentStatusChanged", "documentId": "d-1", "documentStatus": "rejected", "statusDetails": [{"message": "no"}]},
            {"canRoute": True, "publicKey": "MIIB", "documentId": "d-1"},
        ),
    ),
    "storecove": (
        lambda: StorecoveTransport({"token": "t", "legal_entity": "100"}),
        (
            {"evidence": {"xml": "<a/>", "timestamp": "2026"}, "network": "peppol", "guid": "g-1", "code": "OK", "party_name": "Os"},
            [{"source": "document", "details": "wrong"}],
            {"guid": "w", "body": '{"event": "failed", "event_group": "document_submission", "document_submission_guid": "g-1"}'},
        ),
    ),
    "recommand": (
        lambda: RecommandTransport({"base_url": "https://r.example", "company": "c", "api_key": "k", "api_secret": "s"}),
        ({"success": True, "sentOverPeppol": True, "id": "d-1", "isValid": True, "errors": {"root": ["no"]}},),
    ),
    "ecourier": (
        lambda: ECourierTransport({"token": "t", "fetch_responses": True, "company": "1"}),
        (
            {"data": [{"id": "d-1", "status": "Ready", "type": "Invoice", "created_at": "2026-11-22T10:00:00Z", "ubl": {"id": "2026-17"}}],
             "meta": {"last_page": 1}, "id": "d-1", "status": "sent", "channel": "Peppol", "message": "m", "e2e_message_uuid": "u"},
            {"payload": {"document": {"id": "d-1", "status": "failed"}}},
        ),
    ),
}  # fmt: skip


def _seeds(values: Iterable[Any]) -> Callable[[], Iterator[bytes]]:
    def made() -> Iterator[bytes]:
        for value in values:
            for status in b"214905":
                yield bytes([status]) + json.dumps(value).encode()

    return made


def plain(content: bytes) -> object:
    """An HTTP gateway's answer, and what tells the reasons of a no."""
    line = Line(content)
    answer = line.request()
    config = {
        "answer_check": "json",
        "answer_pointer": "/data/0/id",
        "answer_value": "x",
        "reference_pointer": "/data/0/id",
    }
    error = judge(answer, config, ["secret"]) or answers.refusal(answer, Text("A", "A"), ["secret"], delivers=True)
    found = reference_of(answer, config), value_at(answer.body, ("data", "0", "id")), answer.retry_after
    return type(error).__name__, *(one is None for one in found)


def token(content: bytes) -> object:
    answer = Line(content).request()
    if not answer.is_good:
        return type(oauth._refusal(answer)).__name__
    return oauth._token(oauth._members(answer))


def dropbox_answer(content: bytes) -> object:
    return dropbox.members(Line(content).request())


def document(content: bytes) -> object:
    return identity(content)


TARGETS = (
    *(Target(f"provider-{name}", provider(make), _seeds(values), (), "answer") for name, (make, values) in PROVIDERS.items()),
    Target("http-answer", plain, _seeds([{"data": [{"id": "x"}], "error": {"message": "no"}}]), (), "answer"),
    Target("oauth-token", token, _seeds([{"access_token": "a", "expires_in": 3600, "refresh_token": "r"}, {"error": "invalid_grant"}]), (TransportError,), "answer"),
    Target("dropbox-answer", dropbox_answer, _seeds([{"error": {".tag": "path", "path": {".tag": "conflict"}}, "error_summary": "x"}]), (TransportError,), "answer"),
    Target("ecourier-document", document, lambda: golden("peppol-bis-3", "plain.xml"), (), "xml"),
)  # fmt: skip
