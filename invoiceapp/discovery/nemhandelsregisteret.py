"""NemHandelsregisteret (NHR): which participants a Danish company has, and what one of them can receive.

The answers have changed their spelling (``participantBindings`` and ``profile``; since 15 September 2026 ``Profile``,
``IsPeppolEnabled``, ``IsNhAs4Enabled``). Both are read. What is needed and not found is never read as "no".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant, cvr_from
from invoiceapp.domain.network import Network
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import HttpClient

from . import rest
from .base import Answer, Offer, Register, Registered
from .rest import Misfit, as_list, as_object, as_text, text_or_none

_NAME = "NemHandelsregisteret"
_SCHEMES = {"GLN": GLN, "DK:CVR": CVR, "DK:P": P_NUMBER, "DK:SE": SE}
#: Of ``NetworkTypeId``. 1 was RASP, which is shut down.
_NETWORKS = {3: Network.PEPPOL, 4: Network.NEMHANDEL}
_FLAGS = {Network.PEPPOL: "isPeppolEnabled", Network.NEMHANDEL: "isNhAs4Enabled"}
#: Who takes documents of a profile as their buyer; "Supplier" takes the answers to them.
_BUYER = "customer"


def company(http: HttpClient, base_url: str, cvr: str, deadline: Deadline) -> Answer:
    """All participants of a company by its 8-digit CVR number, those without an offer too. Raises ``CouldNotAsk``."""
    url = f"{base_url.rstrip('/')}/search/lookup/{quote(cvr, safe='')}"
    reply = rest.get(http, url, deadline, _NAME)
    name, found = reply.read(lambda data: _company(as_object(data), cvr))
    return Answer(Register.NEMHANDELSREGISTERET, cvr, reply.exchange.at, found, name, (reply.exchange,))


def receiver(http: HttpClient, base_url: str, participant: Participant, deadline: Deadline) -> Answer:
    """One participant. Raises ``CouldNotAsk``; so does a 404, which the register does not use for "not registered"."""
    url = f"{base_url.rstrip('/')}/search/networkLookup?{urlencode({'receiverId': str(participant)})}"
    reply = rest.get(http, url, deadline, _NAME)
    found = reply.read(lambda data: _receiver(data, participant))
    return Answer(
        Register.NEMHANDELSREGISTERET, str(participant), reply.exchange.at, found, exchanges=(reply.exchange,)
    )


def _company(data: dict[str, Any], cvr: str) -> tuple[str | None, tuple[Registered, ...]]:
    if cvr_from(str(data.get("cvrNummer"))) != cvr:
        raise Misfit("the answer is about another company")
    if "modtagere" not in data:
        raise Misfit("no list of participants")
    return text_or_none(data.get("virksomhedsNavnFormel")), _participants(data)


def _receiver(data: object, asked: Participant) -> tuple[Registered, ...]:
    found = _participants({"modtagere": data} if isinstance(data, list) else as_object(data))
    same = tuple(one for one in found if str(one.participant).casefold() == str(asked).casefold())
    if found and not same:
        raise Misfit("the answer is about another participant")
    return same


def _participants(data: dict[str, Any]) -> tuple[Registered, ...]:
    entries = as_list(data["modtagere"]) if "modtagere" in data else [data]
    address = data.get("adresse")
    country = text_or_none(address.get("landekode")) if isinstance(address, dict) else None
    company = cvr_from(str(data.get("cvrNummer")))
    found = [_registered(as_object(as_object(entry).get("participant", entry)), company, country) for entry in entries]
    known = tuple(one for one in found if one is not None)
    if found and not known:
        raise Misfit("no participant of a known kind")
    return known


def _registered(entry: dict[str, Any], company: str | None, country: str | None) -> Registered | None:
    """None for an address of a kind that no network uses."""
    scheme = _SCHEMES.get(as_text(entry.get("keyType")))
    if scheme is None:
        return None
    return Registered(
        Participant.of(scheme, as_text(entry.get("key"))),
        text_or_none(entry.get("unitName")),
        cvr_from(str(entry.get("unitCVR"))) or company,
        country,
        tuple(dict.fromkeys(_offers(entry))),
    )


def _offers(entry: dict[str, Any]) -> Iterator[Offer]:
    for binding in _bindings(entry):
        networks = _networks(binding, entry)
        # Asked in this order: a binding to a network that is shut down need not make sense otherwise.
        if networks and _named(binding.get("role")).casefold() == _BUYER:
            profile = _named(binding.get("profile"))
            yield from (Offer(network, profile=profile) for network in networks)


def _bindings(entry: dict[str, Any]) -> list[dict[str, Any]]:
    for name in ("participantBindings", "bindings", "profiles"):
        if name in entry:
            return [as_object(binding) for binding in as_list(entry[name])]
    if isinstance(entry.get("profile"), list):
        return [as_object(binding) for binding in entry["profile"]]
    if "profile" in entry:
        return [entry]
    raise Misfit("no profiles")


def _networks(binding: dict[str, Any], entry: dict[str, Any]) -> list[Network]:
    service = binding.get("ownerService")
    type_id = binding.get("networkTypeId", service.get("networkTypeId") if isinstance(service, dict) else None)
    if type_id is not None:
        network = _NETWORKS.get(_whole(type_id))
        return [network] if network and binding.get(_FLAGS[network]) is not False else []
    flags = [(network, binding.get(flag, entry.get(flag))) for network, flag in _FLAGS.items()]
    if not any(isinstance(flag, bool) for _, flag in flags):
        raise Misfit("no network")
    return [network for network, flag in flags if flag is True]


def _whole(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise Misfit("a network's number was expected") from None


def _named(value: object) -> str:
    """``{"name": "Customer"}`` or just ``"Customer"``."""
    return as_text(value.get("name") if isinstance(value, dict) else value)
