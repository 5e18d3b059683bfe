"""The route finder: the ways to one customer, in order, each with its reason. No database, nobody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from invoiceapp.discovery.base import Offer, Registered
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import SCHEME_NAMES, Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import SERVICES, Network, Service, service_for

from . import asking, lookups, names, ways
from .asking import Answers
from .candidates import Basis, Candidate, Facts
from .lookups import Question
from .ways import Way

_NETWORKS = {one.value: one for one in Network}
#: What a customer is mailed that no network reaches.
MAIL_FORMAT = "pdf"
_ALL_TYPES = tuple(one.value for one in DocumentType)


class RouteKind(StrEnum):
    """In the order in which they are preferred."""

    NEMHANDEL = "nemhandel"
    PEPPOL = "peppol"
    AGREED = "agreed"
    """the gateway that the customer has now, by agreement with it: SFTP, AS2, VANS, …"""
    LOCAL = "local"
    """another subscription of this installation that said how it takes invoices"""
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Listed:
    """Another subscription of this installation that wants to be found (``models.Receiver``)."""

    name: str
    participant: Participant
    formats: tuple[str, ...]
    email: str


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a customer."""

    kind: RouteKind
    format: str
    gateway_id: str | None
    """None: no gateway of the subscription goes there; ``obstacle`` says what is missing"""
    reason: Text
    confidence: int
    """0 to 100: how sure it is that this is the customer"""
    participant: Participant | None = None
    basis: Basis | None = None
    document_types: tuple[str, ...] = _ALL_TYPES
    """``DocumentType`` values that the receiver really takes"""
    registered_name: str | None = None
    email: str | None = None
    obstacle: Text | None = None

    @property
    def network(self) -> Network | None:
        """The network of access points that it goes by."""
        return _NETWORKS.get(self.kind.value)

    @property
    def key(self) -> tuple[str, str, str]:
        """Two routes with the same key are the same way."""
        return self.kind.value, str(self.participant or self.email or self.gateway_id or ""), self.format

    @property
    def registration(self) -> Question | None:
        """Asks for the signed registration of what goes this way; None where no register of a network has one."""
        service = service_for(self.network, self.format, DocumentType.INVOICE) if self.network else None
        if self.network is None or self.participant is None or service is None:
            return None
        return lookups.endpoint(self.network, self.participant, service)

    @property
    def is_found(self) -> bool:
        """Whether somebody is registered there, unlike the ways that always exist."""
        return self.kind in (RouteKind.NEMHANDEL, RouteKind.PEPPOL, RouteKind.LOCAL)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, as ``Match.routes``, ``Match.pinned`` and ``Match.accepted`` keep it."""
        return {
            "kind": self.kind.value,
            "network": self.network.value if self.network else None,
            "participant": str(self.participant) if self.participant else None,
            "basis": self.basis.value if self.basis else None,
            "format": self.format,
            "gateway_id": self.gateway_id,
            "document_types": list(self.document_types),
            "reason": {"da": self.reason.da, "en": self.reason.en},
            "confidence": self.confidence,
            "registered_name": self.registered_name,
            "email": self.email,
            "obstacle": {"da": self.obstacle.da, "en": self.obstacle.en} if self.obstacle else None,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Route:
        """Of ``to_dict``."""
        obstacle = stored.get("obstacle")
        return cls(
            RouteKind(stored["kind"]), stored["format"], stored["gateway_id"], Text(**stored["reason"]), stored["confidence"],
            participant_of(stored.get("participant")), Basis(stored["basis"]) if stored.get("basis") else None,
            tuple(stored["document_types"]), stored.get("registered_name"), stored.get("email"),
            Text(**obstacle) if obstacle else None,
        )  # fmt: skip


def participant_of(text: str | None) -> Participant | None:
    """Of ``0184:12345678``."""
    scheme, _, value = (text or "").partition(":")
    return Participant(scheme, value) if value else None


def find(
    facts: Facts, answers: Answers, gateways: Sequence[Way], listed: Sequence[Listed] = ()
) -> list[Route]:  # fmt: skip
    """All routes, best first. ``listed``: receivers of this installation that have one of the customer's addresses.

    Several addresses that a register lists under one company are all among them, with ``Basis.COMPANY``: a person chooses.
    """
    return [
        *_by_networks(facts, answers, gateways),
        *_agreed(facts, gateways),
        *_local(facts, gateways, listed),
        *_by_mail(facts, gateways),
    ]


# --- the networks ---------------------------------------------------------------------------------------------------


def _by_networks(facts: Facts, answers: Answers, gateways: Sequence[Way]) -> list[Route]:
    own = asking.registrations(facts, answers)
    found = [(one.candidate, one.registered) for one in own if one.registered is not None]
    found += [
        (Candidate(one.participant, Basis.COMPANY), one) for one in asking.company_addresses(facts, answers)
    ]  # fmt: skip
    company = asking.company_name(facts, answers)
    routes = [
        _route(facts, candidate, registered, network, services, gateways, company)
        for candidate, registered in found
        for network, services in _taken(registered.offers)
    ]
    # Within a network and a basis the order of the candidates stays.
    order = list(RouteKind)
    return sorted(routes, key=lambda route: (route.basis is Basis.COMPANY, not _is_set(route), order.index(route.kind)))


def _is_set(route: Route) -> bool:
    return route.basis is Basis.SETTING


def _taken(offers: Iterable[Offer]) -> Iterator[tuple[Network, list[Service]]]:
    """The services of ours that a registration offers, by network and format."""
    known = list(offers)
    for network in Network:
        fitting = [one for one in SERVICES if one.network is network and any(_offers(offer, one) for offer in known)]
        for format_id in dict.fromkeys(one.format for one in fitting):
            yield network, [one for one in fitting if one.format == format_id]


def _offers(offer: Offer, service: Service) -> bool:
    """By the document's id, else by the name that the register has for it."""
    if offer.network is not service.network:
        return False
    if offer.document_id is not None:
        is_process = offer.process is None or service.fits(offer.process)
        return offer.document_id == service.document_id and is_process
    profile = (offer.profile or "").casefold()
    return profile in {name.casefold() for name in service.register_profiles}


def _route(
    facts: Facts, candidate: Candidate, registered: Registered, network: Network, services: Sequence[Service],
    gateways: Sequence[Way], company: str | None,
) -> Route:  # fmt: skip
    format_id = services[0].format
    way = ways.by_network(gateways, network, format_id, facts.gateway_id)
    name = registered.name or company
    return Route(
        RouteKind(network.value), format_id, way.id if way else None, _reason(candidate, network),
        _confidence(facts, candidate, registered, name), candidate.participant, candidate.basis,
        tuple(one.document_type.value for one in services), name, obstacle=None if way else _no_gateway(network),
    )  # fmt: skip


def shown(participant: Participant) -> str:
    """``GLN/EAN 5790000000000``."""
    return f"{SCHEME_NAMES.get(participant.scheme, participant.scheme)} {participant.value}"


def _reason(candidate: Candidate, network: Network) -> Text:
    address, name = shown(candidate.participant), network.label
    because = {
        Basis.SETTING: Text("den adresse, I har valgt til kunden", "the address that you have chosen for the customer"),
        Basis.GLN: Text("kundens GLN-nummer i regnskabet", "the customer's GLN in the books"),
        Basis.REGISTRATION: Text("kundens nummer i regnskabet", "the customer's number in the books"),
        Basis.COMPANY: Text("registreret under samme virksomhed", "registered under the same company"),
    }[candidate.basis]
    return Text(
        f"Modtager fakturaer i {name} på {address} ({because.da}).",
        f"Takes invoices by {name} at {address} ({because.en}).",
    )


def _no_gateway(network: Network) -> Text:
    name = network.label
    return Text(
        f"Ingen af jeres gateways når {name}. Opret en hos en udbyder (eller jeres eget adgangspunkt) under Gateways.",
        f"None of your gateways reaches {name}. Make one with a provider (or your own access point) under Gateways.",
    )


def _confidence(facts: Facts, candidate: Candidate, registered: Registered, name: str | None) -> int:
    """How well the number and the name fit together."""
    sure = {Basis.SETTING: 100, Basis.GLN: 95, Basis.REGISTRATION: 95, Basis.COMPANY: 70}[candidate.basis]
    if is_of_another(facts, registered):
        sure -= 40
    # Where the register tells no name, the number alone speaks.
    lost = 10 if name is None else round(40 * (1 - names.similarity(facts.name, name)))
    return max(sure - lost, 0)


def is_of_another(facts: Facts, registered: Registered) -> bool:
    """Whether the register says that it belongs to another company than the books do."""
    return bool(facts.cvr and registered.company and registered.company.removeprefix("DK") != facts.cvr)


# --- the ways that need no register ---------------------------------------------------------------------------------


def _agreed(facts: Facts, gateways: Sequence[Way]) -> Iterator[Route]:
    """What the customer has now, where that is no network and no mailbox."""
    way = ways.with_id(gateways, facts.gateway_id)
    if way is None or way.networks or way.mails or not facts.format or not way.takes(facts.format):
        return
    reason = Text(
        f"Kunden får i dag sine fakturaer gennem »{way.name}«.",
        f"The customer gets its invoices by “{way.name}” today.",
    )
    yield Route(RouteKind.AGREED, facts.format, way.id, reason, 100)  # fmt: skip


def _local(facts: Facts, gateways: Sequence[Way], listed: Sequence[Listed]) -> Iterator[Route]:
    for receiver in listed:
        fitting = [one for one in receiver.formats if ways.by_mail(gateways, one)]
        if not receiver.formats:
            continue
        format_id = (fitting or list(receiver.formats))[0]
        way = ways.by_mail(gateways, format_id, facts.gateway_id)
        reason = Text(
            f"{receiver.name} bruger også dette system og tager imod fakturaer på {receiver.email}.",
            f"{receiver.name} uses this system too and takes invoices at {receiver.email}.",
        )
        confidence = max(90 - round(40 * (1 - names.similarity(facts.name, receiver.name))), 0)
        yield Route(
            RouteKind.LOCAL, format_id, way.id if way else None, reason, confidence, receiver.participant,
            registered_name=receiver.name, email=receiver.email, obstacle=None if way else _NO_MAIL,
        )  # fmt: skip


_NO_MAIL = Text(
    "I har ingen gateway til e-mail. Opret en under Gateways.",
    "You have no gateway for e-mail. Make one under Gateways.",
)


def _by_mail(facts: Facts, gateways: Sequence[Way]) -> Iterator[Route]:
    if not facts.email:
        return
    now = ways.with_id(gateways, facts.gateway_id)
    format_id = facts.format if now is not None and now.mails and facts.format else MAIL_FORMAT
    way = ways.by_mail(gateways, format_id, facts.gateway_id)
    reason = Text(
        f"Kan få fakturaen som e-mail til {facts.email}, hvis intet andet lykkes.",
        f"Can get the invoice by e-mail to {facts.email} if nothing else works.",
    )
    yield Route(
        RouteKind.EMAIL, format_id, way.id if way else None, reason, 30, email=facts.email,
        obstacle=None if way else _NO_MAIL,
    )  # fmt: skip


# --- what is stored, today ------------------------------------------------------------------------------------------


def today(
    stored: Sequence[Mapping[str, Any]], pinned: Mapping[str, Any] | None, gateways: Sequence[Way]
) -> list[Route]:  # fmt: skip
    """Stored routes by the gateways that exist now; the pinned one keeps the gateway with which it was pinned."""
    return [
        with_ways(route, gateways, pinned["gateway_id"] if pinned and same(route, pinned) else None)
        for route in map(Route.from_dict, stored)
    ]


def with_ways(route: Route, gateways: Sequence[Way], kept: str | None = None) -> Route:
    """A route with the gateway that carries it now, or what is missing. ``kept``: id of one that stays while it exists."""
    if route.network is not None:
        own = ways.by_network([way for way in gateways if way.id == kept], route.network, route.format)
        # Once accepted, the network gateway chooses for each document: what the customer has now is not preferred.
        way, missing = own or ways.by_network(gateways, route.network, route.format), _no_gateway(route.network)
    elif route.email is not None:
        way, missing = ways.by_mail(gateways, route.format, route.gateway_id), _NO_MAIL
    else:
        return route
    return replace(route, gateway_id=way.id if way else None, obstacle=None if way else missing)


# --- a person's choice ----------------------------------------------------------------------------------------------


def same(route: Route, stored: Mapping[str, Any] | None) -> bool:
    """Whether a stored route leads the same way: the format may have changed with the registration."""
    return stored is not None and route.key[:2] == Route.from_dict(stored).key[:2]


def with_pin(found: Sequence[Route], pinned: Mapping[str, Any] | None) -> list[Route]:
    """The pinned route first, as it is now; where it is gone, nothing takes its place."""
    first = [route for route in found if same(route, pinned)]
    return [*first, *(route for route in found if route not in first)]
