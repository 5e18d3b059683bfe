"""Dropbox over HTTP: three calls, and the access token that goes with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from invoiceapp.gateways import oauth
from invoiceapp.gateways.base import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient

from .failures import lost, members, not_connected, not_understood, refusal, tags, unclear
from .fields import API_URL, CONTENT_URL

#: Seconds that Dropbox may take for one answer.
STEP = 30.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies at a path."""

    path: str
    """As Dropbox shows it"""
    content_hash: str | None
    """None for a folder"""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Dropbox's own facts of a file, JSON-ready"""


@dataclass(frozen=True, slots=True)
class _Call:
    url: str
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    delivers: bool = False


class Api:
    """One account; used by one thread. Everything raises a ``TransportError``. Opens nothing before the first call."""

    def __init__(self, config: Mapping[str, Any], guard: Guard) -> None:
        self._config = config
        self._guard = guard
        self._token: oauth.Token | None = None

    @cached_property
    def _client(self) -> HttpClient:
        return HttpClient(self._guard)

    @property
    def url(self) -> str:
        """Of the API, without a slash at the end."""
        return str(self._config.get("api_url") or API_URL).rstrip("/")

    @property
    def content_url(self) -> str:
        """Where files are sent to."""
        return str(self._config.get("content_url") or CONTENT_URL).rstrip("/")

    def close(self) -> None:
        """Give the connections back."""
        if "_client" in self.__dict__:
            self._client.close()

    def token(self, form: Mapping[str, str], deadline: Deadline) -> oauth.Token:
        """What the token endpoint gives for ``form``, to which the app's own key and secret are added."""
        app = {"client_id": self._config.get("app_key"), "client_secret": self._config.get("app_secret")}
        # Pasted secrets bring white space along.
        known = {name: str(value).strip() for name, value in app.items() if value}
        return oauth.refresh(self._client, f"{self.url}/oauth2/token", {**form, **known}, deadline)

    def account(self, deadline: Deadline) -> str:
        """Whose Dropbox it is: name and e-mail address."""
        answer = self._answer(_Call(f"{self.url}/2/users/get_current_account", {}, b""), deadline)
        if not answer.is_good:
            raise refusal(answer, delivers=False)
        found = members(answer)
        name, email = found.get("name"), found.get("email")
        if not isinstance(name, dict) or not isinstance(email, str):
            raise not_understood("get_current_account")
        return f"{name.get('display_name')} ({email})"

    def metadata(self, path: str, deadline: Deadline) -> Stored | None:
        """What lies at ``path``; None for nothing."""
        headers = {"Content-Type": "application/json"}
        content = json.dumps({"path": path}).encode("ascii")
        answer = self._answer(_Call(f"{self.url}/2/files/get_metadata", headers, content), deadline)
        if answer.status == 409 and tags(answer)[-1:] == ("not_found",):
            return None
        if not answer.is_good:
            raise refusal(answer, delivers=False)
        if members(answer).get(".tag") not in ("file", "folder"):
            raise not_understood("get_metadata")
        return _stored(answer, path)

    def upload(
        self, path: str, content: bytes, content_hash: str, deadline: Deadline, *, overwrite: bool
    ) -> Stored | None:
        """Put a file there; None where something else lies there already and stays."""
        argument = {
            "path": path, "mode": "overwrite" if overwrite else "add", "autorename": False, "strict_conflict": False,
            "mute": False, "content_hash": content_hash,
        }  # fmt: skip
        # json.dumps writes ASCII, as a header must be.
        headers = {"Content-Type": "application/octet-stream", "Dropbox-API-Arg": json.dumps(argument)}
        answer = self._answer(_Call(f"{self.content_url}/2/files/upload", headers, content, delivers=True), deadline)
        if answer.status == 409 and tags(answer)[:3] in _TAKEN:
            return None
        if not answer.is_good:
            raise refusal(answer, delivers=True)
        stored = _stored(answer, path)
        if stored.content_hash != content_hash:
            raise unclear("200 without the hash of what was sent")
        return stored

    def _answer(self, call: _Call, deadline: Deadline) -> Answer:
        """With a new access token where Dropbox says that the old one has ended; once."""
        answer = self._asked(call, deadline)
        if answer.status == 401 and "expired_access_token" in tags(answer):
            self._token = None
            answer = self._asked(call, deadline)
        return answer

    def _asked(self, call: _Call, deadline: Deadline) -> Answer:
        headers = {**call.headers, "Authorization": f"Bearer {self._access(deadline)}"}
        try:
            return self._client.request("POST", call.url, deadline, headers=headers, content=call.content)
        except OutboundError as error:
            raise lost(error, delivers=call.delivers) from error

    def _access(self, deadline: Deadline) -> str:
        if self._token is None or not self._token.is_good:
            permission = self._config.get("refresh_token")
            if not permission:
                raise not_connected()
            form = {"grant_type": "refresh_token", "refresh_token": str(permission).strip()}
            self._token = self.token(form, deadline)
        return self._token.access


_TAKEN = (("path", "conflict", "file"), ("path", "conflict", "folder"))
_FACTS = ("id", "rev", "size", "server_modified", "content_hash")


def _stored(answer: Answer, path: str) -> Stored:
    found = members(answer)
    is_file = isinstance(found.get("content_hash"), str)
    evidence = {name: found[name] for name in _FACTS if isinstance(found.get(name), str | int)}
    request_id = answer.headers.get("x-dropbox-request-id")
    if request_id:
        evidence["request_id"] = request_id
    return Stored(str(found.get("path_display") or path), found["content_hash"] if is_file else None, evidence)
