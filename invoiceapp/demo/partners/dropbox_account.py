"""What the stand-in of Dropbox knows: who was let in, with which tokens, and the files."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

DEMO_APP_KEY = "demoappkey"
DEMO_APP_SECRET = "demo-app-secret"  # noqa: S105 - a loopback demo
#: Is always valid, so that a gateway of the demo outlives a restart.
DEMO_REFRESH_TOKEN = "demo-refresh-token"  # noqa: S105
ACCOUNT = {
    "account_id": "dbid:AAdemo",
    "name": {"given_name": "Demo", "surname": "Bogholder", "display_name": "Demo Bogholder"},
    "email": "bogholder@demo.example",
    "email_verified": True,
    "disabled": False,
}
_BLOCK = 4 * 1024 * 1024
_CODE_LIVES = 600
_ALLOW, _DENY = "allow", "deny"

_PAGE = """<!doctype html>
<html lang="da">
<head><meta charset="utf-8"><title>Giv adgang / Allow access</title></head>
<body>
<h1>Giv adgang / Allow access</h1>
<p>»{app}« vil lægge filer i denne demo af Dropbox. / “{app}” wants to put files into this demo of Dropbox.</p>
<form method="post" action="/oauth2/authorize">
{hidden}
<button name="answer" value="allow">Tillad / Allow</button>
<button name="answer" value="deny">Afvis / Deny</button>
</form>
</body>
</html>
"""


@dataclass
class DropboxFaults:
    """What goes wrong from now on; may be changed while the server runs."""

    out_of_space: bool = False
    rate_limited: int | None = None
    """Answer 429 to every call, with these seconds to wait"""
    revoked: bool = False
    """The person has thrown the app out"""
    drop_in_body: bool = False
    """Cut the connection in the middle of an upload"""
    drop_after_upload: bool = False
    """Keep the file, then cut the connection instead of answering"""
    half_answer: bool = False
    """Keep the file, then cut the connection in the middle of the answer"""
    fail_after_upload: bool = False
    """Keep the file, then answer 500"""
    instead: tuple[int, dict[str, str], bytes] | None = None
    """Status, headers and body of the answer to every call, whatever was asked"""
    token_lifetime: int = 14_400
    """Seconds"""


@dataclass(frozen=True, slots=True)
class _Grant:
    challenge: str
    redirect_uri: str
    ends: float


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: str | dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


def bad(reason: str) -> Refusal:
    """Dropbox answers malformed calls in plain text."""
    return Refusal(400, f"Error in call to API function: {reason}")


def tagged(status: int, error: dict[str, Any], *path: str) -> Refusal:
    """An error as the API says it; ``path`` are its tags from the outside in."""
    return Refusal(status, {"error_summary": "/".join((*path, "...")), "error": error})


def _write_failure(reason: dict[str, Any]) -> Refusal:
    tag = reason[".tag"]
    more = (reason["conflict"][".tag"],) if tag == "conflict" else ()
    error = {".tag": "path", "reason": reason, "upload_session_id": "AAAA"}
    return tagged(409, error, "path", tag, *more)


def _conflict(what: str) -> Refusal:
    return _write_failure({".tag": "conflict", "conflict": {".tag": what}})


def content_hash(content: bytes) -> str:
    """As Dropbox defines it: SHA-256 of the SHA-256 of every 4 MiB."""
    blocks = (content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK))
    return hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks)).hexdigest()


class DropboxAccount:
    """One person's Dropbox and one app that may be let in. Files lie in ``folder``. May be used by several threads.

    Everything that Dropbox would answer with a no raises ``Refusal``.
    """

    def __init__(self, folder: Path, faults: DropboxFaults) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._faults = faults
        self._lock = threading.Lock()
        self._grants: dict[str, _Grant] = {}
        self._refresh_tokens = {DEMO_REFRESH_TOKEN}
        self._access_tokens: dict[str, float] = {}
        self._revisions: dict[str, int] = {}

    def expire_tokens(self) -> None:
        """As if the access tokens' hours were over."""
        with self._lock:
            self._access_tokens = dict.fromkeys(self._access_tokens, 0.0)

    # What a person does

    def page(self, query: dict[str, str]) -> str:
        """Where a person allows or denies."""
        _require_authorization(query)
        hidden = "\n".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in query.items()
        )
        return _PAGE.format(app=html.escape(query["client_id"]), hidden=hidden)

    def answered(self, form: dict[str, str]) -> str:
        """Where the browser goes after the button (RFC 6749 4.1.2)."""
        _require_authorization(form)
        back = {"state": form["state"]} if "state" in form else {}
        if form.get("answer") != _ALLOW:
            back |= {"error": "access_denied", "error_description": "The user chose not to give your app access"}
        else:
            back["code"] = secrets.token_urlsafe(24)
            with self._lock:
                self._grants[back["code"]] = _Grant(
                    form["code_challenge"], form["redirect_uri"], time.monotonic() + _CODE_LIVES
                )
        return f"{form['redirect_uri']}?{urlencode(back)}"

    # Tokens

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """``/oauth2/token``: a code or a refresh token for an access token."""
        if form.get("client_id") != DEMO_APP_KEY or form.get("client_secret", DEMO_APP_SECRET) != DEMO_APP_SECRET:
            raise _oauth_error("invalid_client", "Invalid client_id or client_secret")
        if form.get("grant_type") == "refresh_token":
            with self._lock:
                is_known = form.get("refresh_token") in self._refresh_tokens and not self._faults.revoked
            if not is_known:
                raise _oauth_error("invalid_grant", "refresh token is invalid or revoked")
            return self._access_token()
        if form.get("grant_type") == "authorization_code":
            self._redeem(form)
            fresh = secrets.token_urlsafe(24)
            with self._lock:
                self._refresh_tokens.add(fresh)
            return {**self._access_token(), "refresh_token": fresh, "uid": "1", "account_id": ACCOUNT["account_id"]}
        raise _oauth_error("unsupported_grant_type", "grant_type not supported")

    def _redeem(self, form: dict[str, str]) -> None:
        with self._lock:
            grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or grant.ends < time.monotonic():
            raise _oauth_error("invalid_grant", "code doesn't exist or has expired")
        if grant.redirect_uri != form.get("redirect_uri"):
            raise _oauth_error("invalid_grant", "redirect_uri mismatch")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge:
            raise _oauth_error("invalid_grant", "invalid code verifier")

    def _access_token(self) -> dict[str, Any]:
        fresh = f"sl.{secrets.token_urlsafe(24)}"
        with self._lock:
            self._access_tokens[fresh] = time.monotonic() + self._faults.token_lifetime
        return {"access_token": fresh, "token_type": "bearer", "expires_in": self._faults.token_lifetime}

    def require_token(self, authorization: str) -> None:
        """Raises 401."""
        with self._lock:
            ends = self._access_tokens.get(authorization.removeprefix("Bearer "))
        if ends is None or self._faults.revoked:
            raise tagged(401, {".tag": "invalid_access_token"}, "invalid_access_token")
        if ends < time.monotonic():
            raise tagged(401, {".tag": "expired_access_token"}, "expired_access_token")

    # Files

    def metadata(self, argument: dict[str, Any]) -> dict[str, Any]:
        """``/2/files/get_metadata``."""
        path = argument["path"]
        if not path.startswith("/") or path == "/":
            raise bad("The root folder is unsupported." if path in ("", "/") else "path: did not match pattern")
        with self._lock:
            found = self._found(path)
            if not found.exists():
                error = {".tag": "path", "path": {".tag": "not_found"}}
                raise tagged(409, error, "path", "not_found")
            if found.is_dir():
                shown = self._shown(found)
                return {
                    ".tag": "folder",
                    "name": found.name,
                    "path_display": shown,
                    "path_lower": shown.lower(),
                    "id": "id:f",
                }
            return {".tag": "file", **self._file(found)}

    def upload(self, argument: dict[str, Any], content: bytes) -> dict[str, Any]:
        """``/2/files/upload``."""
        if argument.get("content_hash") not in (None, content_hash(content)):
            raise tagged(409, {".tag": "content_hash_mismatch"}, "content_hash_mismatch")
        if self._faults.out_of_space:
            raise _write_failure({".tag": "insufficient_space"})
        with self._lock:
            found = self._found(argument["path"])
            if any(parent.is_file() for parent in found.parents):
                raise _conflict("file_ancestor")
            if found.is_dir():
                raise _conflict("folder")
            if found.exists():
                is_same = found.read_bytes() == content and not argument.get("strict_conflict")
                if not is_same and _mode(argument) != "overwrite":
                    raise _conflict("file")
                if is_same:
                    return self._file(found)
            found.parent.mkdir(parents=True, exist_ok=True)
            found.write_bytes(content)
            self._revisions[str(found)] = self._revisions.get(str(found), 0) + 1
            return self._file(found)

    def _found(self, path: str) -> Path:
        """The local path; letters of either case are the same to Dropbox."""
        local = self._folder
        for part in filter(None, path.split("/")):
            if part in (".", ".."):
                raise bad(f"path: {part!r} is no name")
            beside = {one.name.lower(): one for one in local.iterdir()} if local.is_dir() else {}
            local = beside.get(part.lower(), local / part)
        return local

    def _shown(self, path: Path) -> str:
        return f"/{path.relative_to(self._folder).as_posix()}"

    def _file(self, path: Path) -> dict[str, Any]:
        content, shown = path.read_bytes(), self._shown(path)
        revision = self._revisions.setdefault(str(path), 1)
        return {
            "name": path.name,
            "id": f"id:{hashlib.sha256(shown.lower().encode()).hexdigest()[:22]}",
            "client_modified": "2026-11-02T10:00:00Z",
            "server_modified": "2026-11-02T10:00:00Z",
            "rev": f"{revision:09x}",
            "size": len(content),
            "path_lower": shown.lower(),
            "path_display": shown,
            "is_downloadable": True,
            "content_hash": content_hash(content),
        }


def _mode(argument: dict[str, Any]) -> str:
    mode = argument.get("mode", "add")
    return str(mode.get(".tag") if isinstance(mode, dict) else mode)


def _oauth_error(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})


def _require_authorization(query: dict[str, str]) -> None:
    wanted = {"client_id": DEMO_APP_KEY, "response_type": "code", "code_challenge_method": "S256"}
    for name, value in wanted.items():
        if query.get(name) != value:
            raise bad(f"{name} must be {value}")
    if urlsplit(query.get("redirect_uri", "")).hostname is None or len(query.get("code_challenge", "")) != 43:
        raise bad("redirect_uri or code_challenge is missing")
