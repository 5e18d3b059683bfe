"""The Dropbox transport: look, upload where nothing lies, recognise our own file by its hash."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlencode, urlsplit

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways import oauth
from invoiceapp.gateways.base import (
    STRICT,
    Authorization,
    CheckStep,
    Consignment,
    Deadline,
    Receipt,
    Refused,
    Transport,
    Unavailable,
    Unknown,
)
from invoiceapp.gateways.file_drop import RemoteFile, candidates, name_findings, name_taken
from invoiceapp.outbound.guard import Guard

from . import api
from .check import ConnectionTest
from .fields import API_URL, AUTHORIZE_URL, CONTENT_URL, FIELDS
from .paths import content_hash, files

#: No more than the four calls need.
SCOPES = "account_info.read files.metadata.read files.content.write"
_ADDRESSES = {"api_url": API_URL, "content_url": CONTENT_URL, "authorize_url": AUTHORIZE_URL}
_UNSAFE_ADDRESS = Text("Adressen skal begynde med https://.", "The address must begin with https://.")


class DropboxTransport(Transport):
    """Puts files into a Dropbox. One access token serves all sends of an instance."""

    kind = "dropbox"
    label = Text("Dropbox", "Dropbox")
    description = Text(
        "Lægger filen i en mappe i en Dropbox, jeres egen eller en, der er delt med jer.",
        "Puts the file in a folder of a Dropbox, your own or one that is shared with you.",
    )
    proof_means = Text(
        "Filen ligger i modtagerens eller udbyderens system, læst tilbage eller kvitteret.",
        "The file lies in the system of the receiver or the provider, read back or receipted.",
    )
    fields = FIELDS
    authorizes = True
    credentials_decide = True

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._api = api.Api(config, guard)

    @property
    def host(self) -> str | None:
        """The machine that files are sent to."""
        return urlsplit(self._api.content_url).hostname

    @property
    def replay(self) -> Replay:
        """Safe: a retry finds its own file by path and hash."""
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``filename``, without folder, and Dropbox's ``content_hash``."""
        document = files(consignment, self.config)[0]
        return {"filename": PurePosixPath(document.path).name, "content_hash": content_hash(document.payload.content)}

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """Names that two documents could share."""
        return name_findings(config)

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Addresses that secrets must not be sent to."""
        return {
            name: _UNSAFE_ADDRESS
            for name, usual in _ADDRESSES.items()
            if not oauth.is_safe(str(config.get(name) or usual))
        }

    @classmethod
    def authorize(cls, config: Mapping[str, Any], redirect_uri: str) -> Authorization:
        """Dropbox's page, with a fresh state and PKCE verifier (RFC 7636, S256); for a token that outlives the person's visit."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        digest = hashlib.sha256(verifier.encode("ascii")).digest()
        query = {
            "client_id": str(config.get("app_key") or ""),
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
            "token_access_type": "offline",
            "scope": SCOPES,
        }
        url = str(config.get("authorize_url") or AUTHORIZE_URL)
        return Authorization(f"{url}{'&' if '?' in url else '?'}{urlencode(query)}", state, verifier)

    def authorized(self, code: str, verifier: str, redirect_uri: str) -> dict[str, str]:
        """``refresh_token``, and the account's id where Dropbox says it."""
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect_uri
        }  # fmt: skip
        token = self._api.token(form, self._deadline())
        if token.refresh_token is None:
            raise Refused(
                Text(
                    "Dropbox gav ingen varig adgang. Forbind igen; bliver det ved, så kontrollér appen hos Dropbox.",
                    "Dropbox gave no lasting access. Connect again; if it goes on, check the app at Dropbox.",
                )
            )
        return {"refresh_token": token.refresh_token} | ({self.ACCOUNT: token.account_id} if token.account_id else {})

    def close(self) -> None:
        """Give the connections back."""
        self._api.close()

    def check(self) -> list[CheckStep]:
        """Server, encryption, account, folder. Writes nothing."""
        return ConnectionTest(self.config, self.guard, self._api, self._deadline()).run()

    def send(self, consignment: Consignment) -> Receipt:
        """Lay the document there, its PDFs before it. ``reference`` is the path."""
        deadline = self._deadline()
        document, *companions = files(consignment, self.config)
        for companion in companions:
            self._lay_companion(companion, deadline)
        stored, already_there = self._lay(document, deadline)
        evidence = {
            "path": stored.path,
            "sha256": document.payload.sha256,
            "already_there": already_there,
            **stored.evidence,
        }
        return Receipt(stored.path, evidence, proves_arrival=True)

    def _deadline(self) -> Deadline:
        return Deadline(self.DEADLINE, api.STEP)

    def _lay_companion(self, file: RemoteFile, deadline: Deadline) -> None:
        try:
            self._lay(file, deadline)
        except Unknown as error:
            # Whatever became of the PDF: the document has not left yet.
            raise Unavailable(_NO_DOCUMENT, error.detail) from error

    def _lay(self, file: RemoteFile, deadline: Deadline) -> tuple[api.Stored, bool]:
        """Where the file lies, and whether an earlier attempt had put it there. Raises ``Rejected`` where its name is taken."""
        for candidate in candidates(file, self.config):
            found = self._put(candidate, deadline)
            if found is not None:
                return found
        raise name_taken(file.path)

    def _put(self, file: RemoteFile, deadline: Deadline) -> tuple[api.Stored, bool] | None:
        """None where something else has the name."""
        content, wanted = file.payload.content, content_hash(file.payload.content)
        replaces = self.config.get("existing") == "replace"
        found = self._api.metadata(file.path, deadline)
        if found is not None and found.content_hash == wanted:
            return found, True
        if found is not None and not (replaces and found.content_hash):
            return None
        uploaded = self._api.upload(file.path, content, wanted, deadline, overwrite=replaces)
        if uploaded is not None:
            return uploaded, False
        # Somebody was quicker; perhaps another attempt of ours.
        found = self._api.metadata(file.path, deadline)
        return (found, True) if found is not None and found.content_hash == wanted else None


_NO_DOCUMENT = Text(
    "PDF'en kom måske ikke frem til Dropbox, og fakturaen er ikke sendt endnu; vi prøver igen af os selv.",
    "The PDF may not have reached Dropbox, and the invoice was not sent yet; we try again by ourselves.",
)
