"""Access tokens of OAuth 2 (RFC 6749): where a partner gives them, and what its no means.

Neither tokens nor secrets nor the server's own words are put into errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.http import Answer, HttpClient

from .base import Refused, TransportError, Unavailable
from .failures import transport_error

PARTNER = Text("Login-tjenesten", "The login service")
#: A token is not used in its last moments: it must outlive the request that it goes with.
MARGIN = timedelta(seconds=60)
#: Where the server does not say how long a token lasts (RFC 6749 5.1 lets it).
USUAL_LIFE = 3600
_LONGEST_LIFE = 86_400
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token server gave."""

    access: str = field(repr=False)
    expires_at: datetime
    """Aware"""
    refresh_token: str | None = field(default=None, repr=False)
    """The one to ask with from now on, where the server gave another"""
    account_id: str | None = None
    """Whose account it opens, where the server says that"""

    @property
    def is_good(self) -> bool:
        """Whether it still lasts long enough to be used."""
        return datetime.now(UTC) + MARGIN < self.expires_at


def is_safe(token_url: str) -> bool:
    """Whether secrets may be sent there: encrypted, or to this machine."""
    parts = urlsplit(token_url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def refresh(client: HttpClient, token_url: str, form: Mapping[str, str], deadline: Deadline) -> Token:
    """Ask the token endpoint; ``form`` is the whole request, such as ``grant_type`` and ``refresh_token``.

    Raises ``Refused`` or ``Unavailable``: nothing is delivered by asking.
    """
    if not is_safe(token_url):
        raise Refused(UNSAFE)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    content = urlencode({name: value for name, value in form.items() if value}).encode("ascii")
    try:
        answer = client.request("POST", token_url, deadline, headers=headers, content=content)
    except OutboundError as error:
        # Without ``sent``: what left was a question, not the document.
        raise transport_error(OutboundError(error.reason, error.detail), PARTNER) from error
    if not answer.is_good:
        raise _refusal(answer)
    return _token(_members(answer))


def _token(members: Mapping[str, Any]) -> Token:
    access, renewed = members.get("access_token"), members.get("refresh_token")
    # RFC 6749 A.12: printable ASCII; anything else could break out of a header or of an SMTP command.
    if not isinstance(access, str) or not re.fullmatch(r"[\x21-\x7e]+", access):
        raise Unavailable(_NOT_UNDERSTOOD, "no access token in the answer")
    try:
        seconds = min(int(members.get("expires_in") or USUAL_LIFE), _LONGEST_LIFE)
    except (TypeError, ValueError, OverflowError):
        seconds = USUAL_LIFE
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    account = members.get("account_id")
    return Token(
        access, ends, renewed if isinstance(renewed, str) and renewed else None,
        account[:200] if isinstance(account, str) and account else None,
    )  # fmt: skip


def _members(answer: Answer) -> Mapping[str, Any]:
    try:
        found = json.loads(answer.text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refusal(answer: Answer) -> TransportError:
    error = str(_members(answer).get("error", ""))
    # Only what looks like an error code: the rest of the answer may repeat what it was asked.
    shown = error if re.fullmatch(r"[a-z_]{1,40}", error) else ""
    detail = f"token endpoint: {answer.status} {shown}".rstrip()
    if error in _MEANT:
        return Refused(_MEANT[error], detail)
    if answer.status in (408, 429) or answer.status >= 500 or error in ("temporarily_unavailable", "server_error"):
        seconds = answer.headers.get("retry-after", "")
        return Unavailable(_BUSY, detail, float(seconds) if re.fullmatch(r"[0-9]{1,6}", seconds) else None)
    return Refused(_MISUNDERSTOOD, detail)


UNSAFE = Text(
    "Adressen til login-tjenesten skal begynde med https://.",
    "The address of the login service must begin with https://.",
)
_ENDED = Text(
    "Tilladelsen til at sende er udløbet eller trukket tilbage hos udbyderen. Forbind igen, eller indsæt et nyt "
    "refresh token, og kør forbindelsestesten.",
    "The permission to send has ended or was withdrawn at the provider. Connect again, or paste a new refresh token, "
    "and run the connection test.",
)
_STRANGER = Text(
    "Udbyderen kender ikke programmets klient-id eller hemmelighed. Ret dem, og kør forbindelsestesten.",
    "The provider does not know the program's client id or secret. Correct them, and run the connection test.",
)
#: By error code of RFC 6749 5.2.
_MEANT = {"invalid_grant": _ENDED, "invalid_client": _STRANGER, "unauthorized_client": _STRANGER}
_BUSY = Text(
    "Udbyderens login-tjeneste kan ikke svare lige nu. Intet er sendt; vi prøver igen af os selv.",
    "The provider's login service cannot answer now. Nothing was sent; we try again by ourselves.",
)
_NOT_UNDERSTOOD = Text(
    "Udbyderens login-tjeneste svarede noget, vi ikke forstår. Intet er sendt; vi prøver igen af os selv. "
    "Bliver det ved, så kontrollér adressen til login-tjenesten.",
    "The provider's login service answered something that we do not understand. Nothing was sent; we try again by "
    "ourselves. If it goes on, check the address of the login service.",
)
_MISUNDERSTOOD = Text(
    "Udbyderens login-tjeneste sagde nej. Kontrollér adressen til den, klient-id og de rettigheder, der bedes om (scope), "
    "og kør forbindelsestesten.",
    "The provider's login service said no. Check its address, the client id and the permissions that are asked for (scope), "
    "and run the connection test.",
)
