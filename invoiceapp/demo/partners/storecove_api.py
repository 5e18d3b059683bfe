"""The part of Storecove that a sender meets, on loopback, after the facts of its public API.

A repeated ``idempotencyGuid`` is refused with 422 and never sent twice; which document it had belonged to is not told.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

from .json_api import ApiAnswer, ApiRefusal, Call, JsonApi

DEMO_TOKEN = "demo-storecove-token"  # noqa: S105 - a loopback demo
DEMO_LEGAL_ENTITY = 100
_BASE = "/api/v2"
_EVIDENCE = re.compile(r"/document_submissions/([^/]+)/evidence/sending")


class StorecoveApi(JsonApi):
    """One account with one legal entity."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.token = DEMO_TOKEN
        self.unreachable: set[str] = set()
        """Identifiers (``DK12345674``) that nobody on Peppol has"""
        self.questions_until_sent = 0
        """How often the evidence of a document is asked for before there is any"""
        self.submissions: dict[str, dict[str, Any]] = {}
        """What was submitted, by the guid that we gave it"""
        self._guids: set[str] = set()
        self._asked: dict[str, int] = {}

    @property
    def base_url(self) -> str:
        """As the gateway's field wants it."""
        return self.url + _BASE

    def answer(self, call: Call) -> ApiAnswer:
        """Every call needs the token."""
        if call.headers.get("authorization") != f"Bearer {self.token}":
            raise ApiRefusal(401)
        path = call.path.removeprefix(_BASE)
        if (call.method, path) == ("POST", "/document_submissions"):
            return self._submit(call.json())
        if (call.method, path) == ("POST", "/discovery/receives"):
            known = call.json().get("identifier") not in self.unreachable
            return ApiAnswer(200, {"code": "OK" if known else "NOK", "email": False})
        if (call.method, path) == ("GET", f"/legal_entities/{DEMO_LEGAL_ENTITY}"):
            return ApiAnswer(200, {"id": DEMO_LEGAL_ENTITY, "party_name": "Demofirma ApS", "country": "DK"})
        found = _EVIDENCE.fullmatch(path)
        if call.method == "GET" and found:
            return self._evidence(found[1])
        raise ApiRefusal(404)

    def webhook(self, guid: str, event: str) -> bytes:
        """What would be posted to us about a submission: ``succeeded``, ``failed`` or ``no_action_taken``."""
        body = {"event_group": "document_submission", "event": event, "document_submission_guid": guid}
        return json.dumps(body).encode()

    def _submit(self, body: dict[str, Any]) -> ApiAnswer:
        if body.get("legalEntityId") != DEMO_LEGAL_ENTITY:
            raise ApiRefusal(403)
        ours = _uuid(body.get("idempotencyGuid"))
        with self.lock:
            if ours in self._guids:
                raise _unprocessable("idempotencyGuid", f"{ours} has already been used")
            content = self._document(body)
            self._guids.add(ours)
            guid = str(uuid.uuid4())
            self.submissions[guid] = body
            self.take(ours, content)
        return ApiAnswer(200, {"guid": guid})

    def _document(self, body: dict[str, Any]) -> bytes:
        receivers = body.get("routing", {}).get("eIdentifiers", [])
        if not receivers or any(one["id"] in self.unreachable for one in receivers):
            raise _unprocessable("routing.eIdentifiers", "no receiver could be found")
        raw = body.get("document", {}).get("rawDocumentData", {})
        if raw.get("parse") is not True or raw.get("parseStrategy") != "ubl":
            raise _unprocessable("document.rawDocumentData", "only parse=true with ubl is supported")
        content = base64.b64decode(raw.get("document", ""), validate=True)
        if not content.lstrip().startswith(b"<"):
            raise _unprocessable("document.rawDocumentData.document", "is not XML")
        return content

    def _evidence(self, guid: str) -> ApiAnswer:
        with self.lock:
            asked = self._asked[guid] = self._asked.get(guid, 0) + 1
        submission = self.submissions.get(guid)
        if submission is None or asked <= self.questions_until_sent:
            raise ApiRefusal(404)
        receiver = submission["routing"]["eIdentifiers"][0]
        return ApiAnswer(
            200,
            {
                "network": "peppol",
                "sender": "DK:DIGST::DK10101010",
                "receiver": f"{receiver['scheme']}::{receiver['id']}",
                "evidence": {
                    "message_id": f"{guid}@storecove.example",
                    "transmission_id": str(uuid.uuid5(uuid.NAMESPACE_URL, guid)),
                    "receiving_accesspoint": "PDK000999",
                    "timestamp": "2026-11-02T10:00:00Z",
                    "xml": base64.b64encode(b"<SignalMessage/>").decode(),
                },
                "documents": [],
            },
        )


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise _unprocessable("idempotencyGuid", "is not a guid") from None


def _unprocessable(source: str, details: str) -> ApiRefusal:
    return ApiRefusal(422, [{"source": source, "details": details}])
