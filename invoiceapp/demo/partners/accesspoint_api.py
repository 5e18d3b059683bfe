"""An access-point provider that nobody has heard of, on loopback: for the gateway that is described by settings."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import json
import re
from enum import StrEnum
from typing import Any

from .json_api import ApiAnswer, ApiRefusal, Call, JsonApi

DEMO_TOKEN = "demo-accesspoint-token"  # noqa: S105 - a loopback demo
DEMO_WEBHOOK_SECRET = "demo-webhook-secret"  # noqa: S105


class Repeats(StrEnum):
    """What happens to a document whose key was seen before."""

    CONFLICT = "conflict"
    """409 with the same id"""
    RECOGNISED = "recognised"
    """the first answer again"""
    FORGOTTEN = "forgotten"
    """it is a second document"""


class AccessPointApi(JsonApi):
    """Takes a document as raw XML, as JSON or in a form, under the key in ``Idempotency-Key``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.token = DEMO_TOKEN
        self.repeats = Repeats.CONFLICT
        self.state = "QUEUED"
        """Of every document"""
        self.unreachable: set[str] = set()
        """Addresses (``0184:12345674``)"""
        self.ids: dict[str, str] = {}
        """Of the documents, by key"""

    @property
    def base_url(self) -> str:
        """As the gateway's field wants it."""
        return self.url + "/rest/v1"

    def answer(self, call: Call) -> ApiAnswer:
        """Every call needs the token."""
        if call.headers.get("authorization") != f"Bearer {self.token}":
            raise ApiRefusal(401, {"message": "unknown token"})
        path = call.path.removeprefix("/rest/v1")
        if call.method in ("POST", "PUT") and path.startswith("/documents"):
            return self._submit(call)
        if found := re.fullmatch(r"/documents/([^/]+)/status", path):
            return self._status(found[1])
        if found := re.fullmatch(r"/documents/by-key/([^/]+)", path):
            return self._shown(self.ids.get(found[1]))
        if found := re.fullmatch(r"/participants/([^/]+)/([^/]+)", path):
            return ApiAnswer(200, {"participant": {"canReceive": f"{found[1]}:{found[2]}" not in self.unreachable}})
        raise ApiRefusal(404, {"message": "no such page"})

    def webhook(self, number: str, state: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of what is posted to us about a document."""
        body = json.dumps({"data": {"id": number, "state": state}}).encode()
        mac = hmac.new(DEMO_WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        return {"content-type": "application/json", "x-signature": mac}, body

    def _submit(self, call: Call) -> ApiAnswer:
        content = _document(call)
        if not content.lstrip().startswith(b"<"):
            raise ApiRefusal(422, {"message": "is not XML"})
        key = call.headers.get("idempotency-key", "")
        with self.lock:
            known = self.ids.get(key)
            if known is not None and self.repeats is not Repeats.FORGOTTEN:
                return self._shown(known, 409 if self.repeats is Repeats.CONFLICT else 200)
            number = f"D-{len(self.taken) + 1}"
            self.ids[key] = number
            self.take(key, content)
        return self._shown(number, 201)

    def _status(self, number: str) -> ApiAnswer:
        return self._shown(number if number in self.ids.values() else None)

    def _shown(self, number: str | None, status: int = 200) -> ApiAnswer:
        if number is None:
            raise ApiRefusal(404, {"message": "no such document"})
        body = {"data": {"id": number, "state": self.state}}
        return ApiAnswer(status, body, {"X-Document-Id": number})


def _document(call: Call) -> bytes:
    kind = call.headers.get("content-type", "")
    if kind.startswith("application/json"):
        return base64.b64decode(str(call.json().get("xml") or ""), validate=True)
    if kind.startswith("multipart/form-data"):
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        message: Any = email.message_from_bytes(head + call.content, policy=email.policy.HTTP)
        files = (part for part in message.iter_parts() if part.get_filename())
        return next((part.get_payload(decode=True) for part in files), b"")
    return call.content
