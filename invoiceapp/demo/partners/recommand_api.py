"""The part of Recommand that a sender meets, on loopback, after the facts of its public API.

It sends while the caller waits and knows no keys: a repeated request is a second document.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import Any

from .json_api import ApiAnswer, ApiRefusal, Call, JsonApi

DEMO_KEY = "key_demo"
DEMO_SECRET = "demo-recommand-secret"  # noqa: S105 - a loopback demo
DEMO_COMPANY = "c_demo"


class RecommandApi(JsonApi):
    """One team with one company."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self.secret = DEMO_SECRET
        self.unreachable: set[str] = set()
        """Addresses (``0184:12345674``) that nobody on Peppol has"""
        self.sends = True
        """False: Peppol does not take it, and so nothing is sent"""

    def answer(self, call: Call) -> ApiAnswer:
        """Every call needs key and secret."""
        wanted = base64.b64encode(f"{DEMO_KEY}:{self.secret}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {wanted}":
            raise ApiRefusal(401, _no("Unauthorized"))
        if (call.method, call.path) == ("POST", "/api/v1/verify"):
            return self._verify(str(call.json().get("peppolAddress")))
        found = re.fullmatch(r"/api/v1/([^/]+)/send", call.path)
        if call.method == "POST" and found:
            if found[1] != DEMO_COMPANY:
                raise ApiRefusal(404, _no("Company not found"))
            return self._send(call.json())
        raise ApiRefusal(404, _no("Not found"))

    def _verify(self, address: str) -> ApiAnswer:
        known = re.fullmatch(r"[0-9]{4}:.+", address) is not None and address not in self.unreachable
        found = {"smpUrl": "https://smp.example", "supportedDocuments": []} if known else {}
        return ApiAnswer(200, {"success": True, "isValid": known, **found})

    def _send(self, body: dict[str, Any]) -> ApiAnswer:
        if body.get("documentType") != "xml":
            raise ApiRefusal(400, _no({"documentType": ["must be xml"]}))
        content = str(body.get("document") or "").encode()
        if not content.lstrip().startswith(b"<"):
            raise ApiRefusal(400, _no({"document": ["is not XML"]}))
        if body.get("recipient") in self.unreachable:
            raise ApiRefusal(422, _no("The recipient is not registered on Peppol"))
        number = f"doc_{secrets.token_hex(8)}"
        if self.sends:
            with self.lock:
                self.take(number, content)
        return ApiAnswer(
            200,
            {
                "success": True,
                "id": number,
                "sentOverPeppol": self.sends,
                "sentOverEmail": False,
                "emailRecipients": [],
                "peppolMessageId": f"{number}@recommand.example" if self.sends else None,
                "envelopeId": secrets.token_hex(16) if self.sends else None,
            },
        )


def _no(errors: Any) -> dict[str, Any]:
    return {"success": False, "errors": errors if isinstance(errors, dict) else {"root": [errors]}}
