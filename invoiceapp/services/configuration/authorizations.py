"""Letting a gateway in at the partner's own page, by OAuth 2: where the person goes, and what is kept of what comes back."""

from __future__ import annotations

import re
import secrets as randomness
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Transport, TransportError
from invoiceapp.models import Gateway, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError

from . import credentials, gateways

#: The declared secret that says that a person has let a gateway in.
PERMISSION = "refresh_token"
#: Seconds that a person may take at the partner's page.
LIFE = 900


class NotAuthorized(ServiceError):
    """The partner or the person said no, or the answer cannot be trusted. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One visit to a partner's page that has not come back yet."""

    gateway_id: str
    user_id: str
    state: str
    verifier: str
    ends: float
    """Seconds since the epoch"""

    def to_dict(self) -> dict[str, Any]:
        """JSON form, for the person's session."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``to_dict``."""
        return cls(**data)


def is_connected(gateway: Gateway) -> bool:
    """Whether a person has let it in; not whether that still holds."""
    return PERMISSION in gateway.secrets


def begin(gateway_id: str, user_id: str, redirect_uri: str) -> tuple[str, Pending]:
    """The partner's page to send the person to, and what to remember until the answer. Raises ``NotAuthorized``."""
    gateway = db.session.get_one(Gateway, gateway_id)
    transport = gateways.transport_class(gateway)
    try:
        if not transport.authorizes:
            raise NotAuthorized(_NOT_THAT_KIND)
        found = transport.authorize(gateway.config, redirect_uri)
    except TransportError as error:
        raise NotAuthorized(error.text) from error
    return found.url, Pending(gateway_id, user_id, found.state, found.verifier, time.time() + LIFE)


def require_ours(pending: Pending | None, user_id: str, state: str) -> Pending:
    """The visit that an answer belongs to. Raises ``NotAuthorized`` for any other's answer (RFC 6749 10.12)."""
    if pending is None or pending.user_id != user_id or not _is_same(pending.state, state):
        raise NotAuthorized(_UNKNOWN)
    if pending.ends < time.time():
        raise NotAuthorized(_TOO_LATE)
    return pending


def _is_same(one: str, other: str) -> bool:
    return randomness.compare_digest(one.encode(), other.encode())


def refused(error: str) -> NotAuthorized:
    """The partner's page sent the person back without a code. ``error``: RFC 6749 4.1.2.1."""
    if error == "access_denied":
        return NotAuthorized(_DENIED)
    shown = error if re.fullmatch(r"[a-z_]{1,40}", error) else "?"
    return NotAuthorized(
        Text(
            f"Udbyderen gav ikke adgang ({shown}). Kontrollér gatewayens indstillinger, og prøv igen. Intet er ændret.",
            f"The provider gave no access ({shown}). Check the settings of the gateway, and try again. Nothing was changed.",
        )
    )


def finish(pending: Pending, code: str, redirect_uri: str) -> None:
    """Redeem the code and keep what it gives, sealed. Raises ``NotAuthorized``, and ``Conflict`` where the settings changed."""
    with transaction() as session:
        gateway = session.get_one(Gateway, pending.gateway_id)
        shown, opened = dict(gateway.config), gateways.open_transport(gateway)
    try:
        # Outside the transaction: the partner may take its time.
        with opened as transport:
            given = transport.authorized(code, pending.verifier, redirect_uri)
    except TransportError as error:
        raise NotAuthorized(error.text) from error
    _keep(pending.gateway_id, shown, given)


def _keep(gateway_id: str, shown: Mapping[str, Any], given: Mapping[str, str]) -> None:
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
        if gateway.config != shown:
            # What was given belongs to the app and the addresses that it was asked with.
            raise Conflict(_CHANGED)
        fields = [field for field in gateways.transport_class(gateway).fields if field.name in given]
        values, gateway.secrets = secrets.seal(fields, given, gateway.secrets, f"gateway/{gateway_id}")
        gateway.config = {**gateway.config, **values}
        account = given.get(Transport.ACCOUNT)
        # Where the partner does not say whose account it is, it may be anybody's each time.
        credentials.note(gateway, f"account={account}" if account else f"authorized={utcnow().isoformat()}")


_NOT_THAT_KIND = Text(
    "Denne slags gateway forbindes ikke på den måde.", "This kind of gateway is not connected like that."
)
_UNKNOWN = Text(
    "Svaret hører ikke til en forbindelse, du er i gang med, eller det er brugt allerede. Intet er ændret. Tryk på »Forbind« "
    "på gatewayens side, og prøv igen.",
    "The answer belongs to no connection that you are making, or it was used already. Nothing was changed. Press “Connect” on "
    "the page of the gateway, and try again.",
)
_TOO_LATE = Text(
    "Der gik for lang tid, før svaret kom. Intet er ændret. Tryk på »Forbind«, og prøv igen.",
    "The answer came too late. Nothing was changed. Press “Connect”, and try again.",
)
_DENIED = Text(
    "Du gav ikke adgang hos udbyderen. Intet er ændret.",
    "You did not allow access at the provider. Nothing was changed.",
)
_CHANGED = Text(
    "Gatewayens indstillinger blev ændret imens, så adgangen er ikke gemt. Tryk på »Forbind«, og prøv igen.",
    "The settings of the gateway were changed meanwhile, so the access was not saved. Press “Connect”, and try again.",
)
