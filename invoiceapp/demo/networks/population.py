"""Who is registered in the demo's networks: the demo company's customers, most of them reachable, each in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from invoiceapp.domain.identifiers import CVR, GLN, NORWEGIAN, P_NUMBER, SE, SWEDISH, Participant, cvr_from
from invoiceapp.domain.network import SERVICES, Identifier, Network

from ..billy import catalogue, customers, numbers

N, P = Network.NEMHANDEL, Network.PEPPOL
#: Does not exist, until somebody plugs in an access point that receives.
NO_ACCESS_POINT = "https://access-point.demo.test/as4"
#: The demo company's own GLN.
OWN_GLN = numbers.gln(0)


class Condition(StrEnum):
    """What is the matter with a registration."""

    GOOD = "good"
    ENDED = "ended"
    """Its service ended long ago (ServiceExpirationDate)"""
    OLD_CERTIFICATE = "old-certificate"
    """Its access point's certificate ended long ago"""
    MOVED = "moved"
    """Its metadata lies at another SMP (Redirect)"""
    FAILING = "failing"
    """Registers answer 500 when asked about it"""


@dataclass(frozen=True, slots=True)
class Offered:
    """One kind of document that a participant takes."""

    network: Network
    document_id: Identifier
    processes: tuple[Identifier, ...]
    profile: str
    """Its name in NemHandelsregisteret"""
    role: str = "Customer"


def _processes(network: Network, values: tuple[str, ...]) -> tuple[Identifier, ...]:
    if network is P:
        return (Identifier("cenbii-procid-ubl", values[0]),)
    # Both spellings that NemHandel's registrations show.
    return (
        Identifier("cenbii-procid-ubl", f"oioubl-procid-ubl::{values[0]}"),
        Identifier("oioubl-procid-ubl", values[1]),
    )


#: Invoices and credit notes, as buyers take them.
INVOICES = tuple(
    Offered(one.network, one.document_id, _processes(one.network, one.processes), one.register_profiles[0])
    for one in SERVICES
)
_RESPONSE = "urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2::ApplicationResponse##{}::2.1"
#: The answers to them, as sellers do.
RESPONSES = (
    Offered(
        N, Identifier("busdox-docid-qns", _RESPONSE.format("OIOUBL-2.1")),
        INVOICES[0].processes, INVOICES[0].profile, "Supplier",
    ),
    Offered(
        P, Identifier("busdox-docid-qns", _RESPONSE.format("urn:fdc:peppol.eu:poacc:trns:invoice_response:3")),
        (Identifier("cenbii-procid-ubl", "urn:fdc:peppol.eu:poacc:bis:invoice_response:3"),),
        "Peppol BIS3 Invoice Response", "Supplier",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing:
    """One registered participant."""

    participant: Participant
    name: str
    """As it is registered, which is not always what Billy's user has typed"""
    offers: tuple[Offered, ...]
    company: str | None = None
    """CVR number"""
    country: str = "DK"
    condition: Condition = Condition.GOOD
    is_published: bool = True
    """Whether the Peppol Directory shows it, if it is on Peppol"""

    def on(self, network: Network) -> tuple[Offered, ...]:
        """What it takes by one network."""
        return tuple(one for one in self.offers if one.network is network)


class Population:
    """Everybody who is registered. May be changed while the stand-ins run."""

    def __init__(self, listings: Iterable[Listing], companies: dict[str, str], endpoint_url: str) -> None:
        self._listings = {_key(one.participant): one for one in listings}
        self.companies = companies
        """Names of all companies by CVR number, registered or not"""
        self.endpoint_url = endpoint_url
        """Of the access point that receives for all of them"""

    def put(self, listing: Listing) -> None:
        """Register, in place of what was registered for the participant before."""
        self._listings[_key(listing.participant)] = listing

    def remove(self, participant: Participant) -> None:
        """Registered no longer."""
        self._listings.pop(_key(participant), None)

    def replace(self, other: Population) -> None:
        """As another population is."""
        self._listings = {_key(one.participant): one for one in other.all()}
        self.companies, self.endpoint_url = dict(other.companies), other.endpoint_url

    def all(self) -> list[Listing]:
        """In order of registration."""
        return list(self._listings.values())

    def get(self, participant: Participant) -> Listing | None:
        """The participant; upper and lower case are the same (Peppol identifier policy, POLICY 5)."""
        return self._listings.get(_key(participant))

    def of_company(self, cvr: str) -> list[Listing]:
        """All participants of a company."""
        return [one for one in self.all() if one.company == cvr]


def _key(participant: Participant) -> str:
    return str(participant).casefold()


Recipe = Callable[[dict[str, Any]], Listing]


def _offers(networks: tuple[Network, ...]) -> tuple[Offered, ...]:
    return tuple(one for one in INVOICES if one.network in networks)


def _as(scheme: str, value: str | None, networks: tuple[Network, ...], **more: Any) -> Recipe:
    """Registered with a value that Billy does not know, or (None) with the one that it has as GLN or CVR."""

    def make(contact: dict[str, Any]) -> Listing:
        cvr = cvr_from(contact["registrationNo"])
        own = contact["ean"] if scheme == GLN else cvr
        properties = {"name": contact["name"], "country": contact["countryId"] or "DK"} | more
        return Listing(Participant.of(scheme, value or str(own)), offers=_offers(networks), company=cvr, **properties)

    return make


def _gln(*networks: Network, value: str | None = None, **more: Any) -> Recipe:
    return _as(GLN, value, networks, **more)


def _cvr(*networks: Network, **more: Any) -> Recipe:
    return _as(CVR, None, networks, **more)


#: By first letter of the customer's key. People and customers abroad are registered only where they stand below.
_USUAL: dict[str, tuple[Recipe, ...]] = {
    "O": (_gln(N),),
    "K": (_gln(N, P),),
    "V": (_cvr(P),),
    "X": (_cvr(P),),
}

_DIFFERENT: dict[str, tuple[Recipe, ...]] = {
    # Billy's GLN is old: the body has one other.
    "O10": (_gln(N, value=numbers.gln(610)),),
    # Billy's GLN is old: the body is reached by its CVR number.
    "O12": (_cvr(N),),
    "O13": (_gln(N, name="Bakkedal Kommune, Plejecenter Solbakken"),),
    "O14": (_gln(N, P),),
    "O15": (_gln(N, P),),
    # Several GLNs, of which Billy's is one.
    "O18": (_gln(N), _gln(N, value=numbers.gln(618)), _gln(N, value=numbers.gln(619))),
    "O19": (_gln(N, P, is_published=False),),
    "O20": (_gln(N), _cvr(P)),
    "O22": (),
    # Has left NemHandel for Peppol.
    "O23": (_gln(P),),
    "O24": (_gln(N, condition=Condition.ENDED),),
    "O25": (_gln(N, condition=Condition.FAILING),),
    "K03": (_cvr(P, name="Byg og Bolig Danmark A/S"),),
    "K04": (_gln(N),),
    "K06": (_cvr(N),),
    "K07": (),
    "K08": (_gln(P, condition=Condition.OLD_CERTIFICATE),),
    "V06": (_cvr(P, name="Fotograf Fokus v/Linse Skarp"),),
    "V09": (_cvr(N, P),),
    "V10": (_cvr(N, P, is_published=False),),
    "V11": (_cvr(N),),
    "V12": (_as(P_NUMBER, "1099999912", (N,)),),
    "V13": (_as(SE, numbers.cvr(913), (P,)),),
    "V14": (),
    "V15": (),
    "V16": (_cvr(P, condition=Condition.MOVED),),
    "V17": (_cvr(P, name="REVISOR RETTIDIG APS", is_published=False),),
    # No GLN in Billy, and three to choose from.
    "X01": tuple(_gln(N, value=numbers.gln(910 + i)) for i in range(3)),
    # A digit is wrong in Billy, or missing.
    "X02": (_gln(N, value=numbers.gln(902)),),
    "X03": (_gln(N, value=numbers.gln(903)),),
    "X06": (),
    "X07": (),
    "X08": (_gln(N),),
    # One company, twice in Billy.
    "X10": (_cvr(P, name="Tvillingerne ApS"),),
    "X11": (_cvr(P, name="Tvillingerne ApS"),),
    "X12": (),
    "U01": (_as(SWEDISH, "5599990016", (P,)),),
    "U02": (_as(SWEDISH, "5599990024", (P,), name="Malmö Papper Aktiebolag"),),
    "U03": (_as("9930", "de999999999", (P,)),),
    "U05": (_as("9944", "nl999999999b01", (P,)),),
    "U06": (_as(NORWEGIAN, "999999972", (P,)),),
    "X13": (_as("0208", "0999999922", (P,)),),
}


def demo_population(endpoint_url: str = NO_ACCESS_POINT) -> Population:
    """The same every time. ``endpoint_url``: where the receivers' access point listens."""
    contacts = [one for one in customers.contacts() if one["type"] == "company"]
    listings = [
        recipe(contact)
        for contact in contacts
        for recipe in _DIFFERENT.get(contact["contactNo"], _USUAL.get(contact["contactNo"][0], ()))
    ]
    companies = {cvr: contact["name"] for contact in contacts if (cvr := cvr_from(contact["registrationNo"]))}
    companies |= {one.company: one.name for one in listings if one.company and one.participant.scheme == CVR}
    return Population([*_own(), *listings], companies, endpoint_url)


def _own() -> list[Listing]:
    """The demo company itself: it takes the answers to its invoices."""
    organization = catalogue.organization()
    cvr, name = str(organization["registrationNo"]), str(organization["name"])
    return [
        Listing(Participant(scheme, value), name, RESPONSES, cvr, is_published=False)
        for scheme, value in ((CVR, cvr), (GLN, OWN_GLN))
    ]
