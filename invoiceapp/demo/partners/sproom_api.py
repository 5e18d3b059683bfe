"""The part of Sproom that a sender meets, on loopback, after the facts of its public API.

A repeated ``X-Request-Id`` is answered with 409 and the document that it made the first time; nothing is sent twice.
Webhooks are signed with a key that the API shows.
"""

from __future__ import annotations

import base64
import json
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .json_api import ApiAnswer, ApiRefusal, Call, JsonApi
from .provider_account import ProviderAccount, StoredDocument

DEMO_TOKEN = "demo-sproom-token"  # noqa: S105 - a loopback demo
DEMO_COMPANY = "Demofirma ApS"
#: Type of the webhook that tells of a document's new state.
WEBHOOK = "documentStatusChanged"
_BASE = "/api"
_COURSE = ("Created", "TransmissionStarted", "TransmissionCompleted")
_FORMATS = ("oioUbl2", "peppolBis3")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SproomApi(JsonApi):
    """One company's account."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.token = DEMO_TOKEN
        self.account = ProviderAccount(_COURSE)
        self.invalid: list[str] = []
        """What the validation finds in every document from now on"""
        self.webhooks: list[dict[str, str]] = []
        """``type`` and ``url`` of those that are registered"""

    @property
    def base_url(self) -> str:
        """As the gateway's field wants it."""
        return self.url + _BASE

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """That webhooks are signed with."""
        return rsa.generate_private_key(65537, 2048)

    @property
    def public_key(self) -> str:
        """PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def webhook(self, document_id: str, word: str, message: str = "") -> tuple[bytes, dict[str, str]]:
        """Body and headers of what is posted to us when a document changes its state."""
        body = {
            "webhookType": WEBHOOK, "companyId": "ced1f14e-9002-4ffc-b647-7c1f10e4385a",
            "documentId": document_id, "documentStatus": word[:1].lower() + word[1:],
            "statusDetails": {"message": message} if message else None,
        }  # fmt: skip
        content = json.dumps(body).encode()
        signature = self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        return content, {"content-type": "application/json", "x-signature": base64.b64encode(signature).decode()}

    def respond(self, document_id: str, content: bytes) -> str:
        """The buyer answers a document; the id of the response. Raises ``KeyError``."""
        return self.account.answer(document_id, content, "Received").id

    def problems(self, content: bytes) -> list[str]:
        """What the validation finds in a document."""
        return self.invalid

    def answer(self, call: Call) -> ApiAnswer:
        """Every call needs the token."""
        if call.headers.get("authorization") != f"Bearer {self.token}":
            raise ApiRefusal(401)
        match call.method, call.path.removeprefix(_BASE).strip("/").split("/"):
            case "POST", ["documents"]:
                return self._take(call)
            case "GET", ["documents", document, what]:
                return self._about(self._known(document), what)
            case "GET", ["recipients", address]:
                return self._recipient(address)
            case "GET", ["webhooks", "key"]:
                return ApiAnswer(200, {"publicKey": self.public_key})
            case "GET", ["webhooks"]:
                return ApiAnswer(200, self.webhooks)
            case "POST", ["webhooks"]:
                return self._register(call.json())
            case "GET", ["child-companies"]:
                return ApiAnswer(
                    200, [{"companyId": "ced1f14e-9002-4ffc-b647-7c1f10e4385a", "companyName": DEMO_COMPANY}]
                )
        raise ApiRefusal(404)

    def _register(self, webhook: dict[str, Any]) -> ApiAnswer:
        kind, url = str(webhook.get("type")), str(webhook.get("url"))
        parts = urlsplit(url)
        if kind != WEBHOOK or parts.scheme != "http" or parts.hostname not in _LOOPBACK:
            raise ApiRefusal(400, {"message": f"Only {WEBHOOK}, and only to this machine"})
        known = {"type": kind, "url": url}
        if known not in self.webhooks:
            self.webhooks.append(known)
        return ApiAnswer(201, known)

    def _take(self, call: Call) -> ApiAnswer:
        if call.headers.get("content-type") != "application/octet-stream":
            raise ApiRefusal(415, {"message": "application/octet-stream expected"})
        key = call.headers.get("x-request-id")
        with self.lock:
            earlier = self.account.with_key(key) if key else None
            if earlier is not None:
                return ApiAnswer(409, None, {"X-Sproom-DocumentId": earlier.id})
            if problems := self.problems(call.content):
                errors = [{"context": "/Invoice", "pattern": "", "text": text, "isWarning": False} for text in problems]
                raise ApiRefusal(400, {"message": "The document is not valid", "errors": errors})
            document = self.account.keep(call.content, key=key)
            self.take(key or document.id, call.content)
        return ApiAnswer(201, None, {"X-Sproom-DocumentId": document.id})

    def _known(self, document_id: str) -> StoredDocument:
        found = self.account.get(document_id)
        if found is None:
            raise ApiRefusal(404, {"message": "Document not found"})
        return found

    def _about(self, document: StoredDocument, what: str) -> ApiAnswer:
        if what == "state":
            self.account.looked_at(document)
            return ApiAnswer(200, [_state(document, index) for index in range(len(document.states))])
        if what == "responses":
            found = [{"documentId": one.id, "state": "Received", "setOnUtc": _time(one)} for one in document.responses]
            return ApiAnswer(200, found)
        if what in _FORMATS:
            return ApiAnswer(200, document.content, {"Content-Type": "application/xml"})
        raise ApiRefusal(404)

    def _recipient(self, address: str) -> ApiAnswer:
        scheme, _, value = address.rpartition(":")
        can_route = self.account.reaches(address)
        return ApiAnswer(
            200,
            {
                "organizationIdentifier": {"schemeId": scheme, "value": value},
                "canRoute": can_route,
                "errorMessage": None if can_route else "No endpoint was found",
            },
        )


def _state(document: StoredDocument, index: int) -> dict[str, Any]:
    state = document.states[index]
    return {
        "dateTime": state.at.isoformat(), "state": state.word, "statusCode": None, "message": state.message or None,
        "deliveryType": "NemhandelEDelivery" if index else None, "failedProperties": [],
    }  # fmt: skip


def _time(document: StoredDocument) -> str:
    return document.created_at.isoformat()
