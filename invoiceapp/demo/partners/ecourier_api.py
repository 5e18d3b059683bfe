"""The part of eCourier that a sender meets, on loopback, after the facts of its public API.

It knows no key of ours: whatever is sent twice is two documents. Its webhooks are not signed.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from .json_api import ApiAnswer, ApiRefusal, Call, JsonApi
from .provider_account import ProviderAccount, StoredDocument

DEMO_TOKEN = "pk_test_demo"  # noqa: S105 - a loopback demo
DEMO_COMPANY = "Demofirma ApS"
_BASE = "/v1"
_COURSE = ("Pending", "Ready", "Delivered")
_CHANNELS = ("NemHandel", "Peppol")
_ROUTING = ("channel", "sender-scheme", "sender-id", "recipient-scheme", "recipient-id")
_TURNED = {
    "sender-scheme": "recipient-scheme", "sender-id": "recipient-id", "recipient-scheme": "sender-scheme",
    "recipient-id": "sender-id",
}  # fmt: skip
_ROOT = re.compile(rb"<(?:\w+:)?(CreditNote|Invoice|ApplicationResponse)\b")


class ECourierApi(JsonApi):
    """One team with one company."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.token = DEMO_TOKEN
        self.account = ProviderAccount(_COURSE)
        self.invalid: list[str] = []
        """What the validation finds in every document from now on"""
        self.shows_numbers = True
        """Whether the list tells the number of each document"""

    @property
    def base_url(self) -> str:
        """As the gateway's field wants it."""
        return self.url + _BASE

    def webhook(self, document_id: str, event: str = "Document.Send.Delivered") -> bytes:
        """What is posted to us about a document. Raises ``KeyError``."""
        document = self.account.get(document_id)
        if document is None:
            raise KeyError(document_id)
        body = {
            "event_id": f"evt_{document_id[:8]}", "event": event, "occurred_at": _time(document.state.at), "version": 1,
            "team_id": "team_demo", "mode": "Test", "company_id": "comp_demo",
            "payload": {"document": {"latest_e2e_message_uuid": "msg_demo", **_shown(document)}},
        }  # fmt: skip
        return json.dumps(body).encode()

    def respond(self, document_id: str, content: bytes) -> str:
        """The buyer answers a document; the id of the response. Raises ``KeyError``."""
        facts = self._known(document_id).facts
        turned = {name: facts[_TURNED.get(name, name)] for name in _ROUTING}
        return self.account.answer(document_id, content, "Ready", direction="Receive", **turned).id

    def answer(self, call: Call) -> ApiAnswer:
        """Every call needs the token."""
        if call.headers.get("authorization") != f"Bearer {self.token}":
            raise ApiRefusal(401, {"message": "Unauthenticated."})
        match call.method, call.path.removeprefix(_BASE).strip("/").split("/"):
            case "POST", ["documents", "xml"]:
                return self._take(call)
            case "GET", ["documents"]:
                return self._list(call.query)
            case "GET", ["documents", document]:
                return self._one(self._known(document))
            case "GET", ["documents", document, "xml"]:
                return ApiAnswer(200, self._known(document).content, {"Content-Type": "application/xml"})
            case "PATCH", ["documents", document, "delivered"]:
                self.account.move(self._known(document).id, "Delivered")
                return ApiAnswer(204)
            case "GET", ["lookup", "participants", channel, scheme, value] if channel in _CHANNELS:
                return self._participant(channel, f"{scheme}:{value}")
            case "GET", ["companies"]:
                return _page(
                    [{"id": "comp_demo", "name": DEMO_COMPANY, "country": "DK", "company_no": "12345674"}], call.query
                )
        raise ApiRefusal(404, {"message": f"The route {call.path.lstrip('/')} could not be found."})

    def _take(self, call: Call) -> ApiAnswer:
        facts = {name: call.headers.get(f"ecourier-{name}", "") for name in _ROUTING}
        missing = {name: [f"The {name} header is required."] for name, value in facts.items() if not value}
        if self.invalid or missing or facts["channel"] not in _CHANNELS:
            errors = missing or {"document": self.invalid or ["The selected channel is invalid."]}
            raise ApiRefusal(422, {"message": "Validation failed.", "errors": errors})
        with self.lock:
            document = self.account.keep(call.content, **facts)
            self.take(document.id, call.content)
        return ApiAnswer(201, {"id": document.id, "e2e_message_uuid": f"e2e-{document.id}"})

    def _list(self, query: dict[str, str]) -> ApiAnswer:
        wanted = {name: query.get(f"filter[{name}]") for name in ("channel", "direction", "status")}
        documents = self._newest_first()
        found = [_shown(document) for document in documents]
        if self.shows_numbers:
            found = [one | {"ubl": {"id": _number(document)}} for one, document in zip(found, documents, strict=True)]
        found = [one for one in found if all(value in (None, one[name]) for name, value in wanted.items())]
        return _page(found if query.get("sort") == "-created_at" else found[::-1], query)

    def _newest_first(self) -> list[StoredDocument]:
        found = [*self.account.newest_first(), *self.account.received()]
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def _known(self, document_id: str) -> StoredDocument:
        found = self.account.get(document_id)
        if found is None:
            raise ApiRefusal(404, {"message": "Not found."})
        return found

    def _one(self, document: StoredDocument) -> ApiAnswer:
        self.account.looked_at(document)
        failed = {"message": document.state.message} if document.state.message else {}
        return ApiAnswer(200, _shown(document) | {"e2e_message_uuid": f"e2e-{document.id}"} | failed)

    def _participant(self, channel: str, address: str) -> ApiAnswer:
        if not self.account.reaches(address):
            raise ApiRefusal(404, {"message": "Participant not found."})
        known = {"channel": channel, "mode": "Test", "entityName": "Kunde A/S", "country": "DK", "orgNo": address}
        return ApiAnswer(200, known)


def _shown(document: StoredDocument) -> dict[str, Any]:
    facts, found = document.facts, _ROOT.search(document.content)
    return {
        "id": document.id, "status": document.state.word, "channel": facts["channel"], "mode": "Test",
        "direction": facts.get("direction", "Send"), "type": found[1].decode() if found else "Other",
        "submission_format": "XML", "created_at": _time(document.created_at),
        "sender": {"scheme": facts["sender-scheme"], "id": facts["sender-id"]},
        "recipient": {"scheme": facts["recipient-scheme"], "id": facts["recipient-id"]},
        "company": {"id": "comp_demo", "name": DEMO_COMPANY},
    }  # fmt: skip


def _number(document: StoredDocument) -> str | None:
    found = re.search(rb"<(?:\w+:)?ID>([^<]+)</", document.content)
    return found[1].decode() if found else None


def _page(found: list[dict[str, Any]], query: dict[str, str]) -> ApiAnswer:
    page, size = int(query.get("page", "1")), int(query.get("per_page", "10"))
    last = max(1, -(-len(found) // size))
    meta = {"current_page": page, "last_page": last, "per_page": size, "total": len(found)}
    return ApiAnswer(200, {"data": found[(page - 1) * size : page * size], "meta": meta})


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
