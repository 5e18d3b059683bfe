"""Peppol Directory: participants by name, to suggest. Never to route: whoever is not listed may well be registered."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import CVR, Participant
from invoiceapp.domain.network import PARTICIPANT_SCHEME, Identifier, Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import HttpClient

from . import rest
from .base import Answer, CouldNotAsk, Offer, Register, Registered
from .rest import Misfit, as_list, as_object, as_text, text_or_none

#: Characters below which the directory refuses a name.
SHORTEST_NAME = 3
_MOST = 20
_NAME = "Peppol Directory"
_TOO_SHORT = Text(
    "Navnet er for kort til at søge efter. Skriv mindst tre tegn.",
    "The name is too short to search for. Write three characters at least.",
)


def named(http: HttpClient, base_url: str, name: str, country: str | None, deadline: Deadline) -> Answer:
    """The first twenty participants with this name. ``country``: ISO 3166-1, or None for all. Raises ``CouldNotAsk``."""
    wanted = " ".join(name.split())
    if len(wanted) < SHORTEST_NAME:
        raise CouldNotAsk(_TOO_SHORT)
    query = {"name": wanted, **({"country": country} if country else {}), "resultPageCount": _MOST}
    url = f"{base_url.rstrip('/')}/search/1.0/json?{urlencode(query)}"
    reply = rest.get(http, url, deadline, _NAME)
    found = reply.read(lambda data: _matches(as_object(data)))
    return Answer(Register.DIRECTORY, wanted, reply.exchange.at, found, exchanges=(reply.exchange,))


def _matches(data: dict[str, Any]) -> tuple[Registered, ...]:
    if "matches" not in data:
        raise Misfit("no matches")
    found = (_registered(as_object(match)) for match in as_list(data["matches"]))
    return tuple(one for one in found if one is not None)


def _registered(match: dict[str, Any]) -> Registered | None:
    """None for a participant that is not addressed by an ISO 6523 scheme."""
    identifier = _identifier(match.get("participantID"))
    if identifier.scheme != PARTICIPANT_SCHEME:
        return None
    scheme, _, value = identifier.value.partition(":")
    entities = as_list(match.get("entities"))
    entity = as_object(entities[0]) if entities else {}
    types = (_identifier(one) for one in as_list(match.get("docTypes")))
    return Registered(
        Participant(scheme, value),
        _entity_name(entity.get("name")),
        value if scheme == CVR else None,
        text_or_none(entity.get("countryCode")),
        tuple(Offer(Network.PEPPOL, one) for one in types),
    )


def _identifier(value: object) -> Identifier:
    found = as_object(value)
    return Identifier(as_text(found.get("scheme")), as_text(found.get("value")))


def _entity_name(value: object) -> str | None:
    """The first of the names, which are listed by language; earlier answers held one text."""
    if isinstance(value, list) and value:
        return _entity_name(value[0])
    return text_or_none(value.get("name") if isinstance(value, dict) else value)
