"""The eCourier transport. It knows no key of ours, so before a repetition the documents that it has are looked through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network
from invoiceapp.gateways.base import Consignment, Deadline, Incoming, LaterReceipt, Receipt, Rejected, Unavailable
from invoiceapp.gateways.providers import Notice, ProviderTransport, as_reference, members, objects, told

from .fields import FIELDS, URLS
from .listing import CannotTell, search, waiting_responses
from .ubl import LARGEST, identity
from .words import CHANNELS, SCHEMES, STATES

#: OIOUBL travels by NemHandel, BIS by Peppol (reference of ``domain/network.py``).
_NETWORKS = {"oioubl-2.1": Network.NEMHANDEL, "peppol-bis-3": Network.PEPPOL}


class ECourierTransport(ProviderTransport):
    """Sends the XML as it is, by the network that its format belongs to."""

    kind = "ecourier"
    label = Text("eCourier", "eCourier")
    description = Text(
        "Sender gennem eCourier til NemHandel og Peppol. Kræver en aftale med eCourier, men intet certifikat.",
        "Sends through eCourier to NemHandel and Peppol. Needs an agreement with eCourier, but no certificate.",
    )
    partner = Text("Udbyderen eCourier", "The provider eCourier")
    fields = FIELDS
    urls = URLS
    states = STATES
    fetches = True

    @property
    def replay(self) -> Replay:
        """It takes a repetition for another document, and can be asked."""
        return Replay.PROBE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``sha256`` of the XML; ``number`` and ``uuid`` of the document, where it names them."""
        named = identity(consignment.payload.content)
        ids = {"sha256": consignment.payload.sha256}
        if named is None:
            return ids
        return ids | {"number": named.number} | ({"uuid": named.uuid} if named.uuid else {})

    def access(self, deadline: Deadline) -> Text:
        """The companies that the access key may send for."""
        companies = members(self.good(self.ask("GET", "/companies?per_page=10", deadline)).body).get("data")
        if not isinstance(companies, list):
            raise self.not_understood("companies")
        names = self.short(", ".join(str(one["name"]) for one in objects(companies) if one.get("name")))
        mode = self._mode()
        if not names:
            return Text(
                f"Adgangsnøglen virker{mode.da}, men eCourier har ikke oprettet noget firma endnu. Bed eCourier om det.",
                f"The access key works{mode.en}, but eCourier has set up no company yet. Ask eCourier to do so.",
            )
        return Text(
            f"Adgangsnøglen virker{mode.da}. Firmaer: {names}.", f"The access key works{mode.en}. Companies: {names}."
        )

    def submit(self, consignment: Consignment, deadline: Deadline) -> Receipt:
        """The addresses stand in headers, and are not read from the XML."""
        headers = {
            "Content-Type": "application/xml",
            "Ecourier-Channel": CHANNELS[_network_of(consignment)],
            **_address("Sender", consignment.sender),
            **_address("Recipient", consignment.receiver),
        }
        content = consignment.payload.content
        answer = self.ask("POST", "/documents/xml", deadline, headers=headers, content=content, delivers=True)
        said = members(self.good(answer, delivers=True).body)
        return self.taken(consignment, said.get("id"), answer, **self._message(said))

    def search(self, consignment: Consignment, deadline: Deadline) -> Receipt | None:
        """Compares number, UUID, date and parties with what eCourier has been sent lately."""
        wanted = identity(consignment.payload.content)
        if wanted is None:
            raise Unavailable(_NAMELESS, "the document names no number")
        try:
            found = search(self._getter(deadline), CHANNELS[_network_of(consignment)], wanted)
        except CannotTell as error:
            raise self.not_understood(str(error)) from error
        if found is None:
            return None
        answer = self.good(self.ask("GET", f"/documents/{found}", deadline))
        return self.taken(consignment, found, answer, looked_up=True, **self._message(members(answer.body)))

    def reaches(self, participant: Participant, network: Network) -> bool:
        """404 is a proven no."""
        scheme = SCHEMES.get(participant.scheme)
        if scheme is None:
            raise Unavailable(_no_scheme(participant), f"scheme {participant.scheme}")
        path = f"/lookup/participants/{CHANNELS[network]}/{scheme}/{quote(participant.value, safe='')}"
        answer = self.ask("GET", path, self.deadline())
        if answer.status == 404:
            said = str(members(answer.body).get("message") or "route")
            if "route" in said.lower():
                # Not the receiver is unknown but the address that we asked at.
                raise self.refusal(answer, delivers=False)
            return False
        if members(self.good(answer).body).get("channel") != CHANNELS[network]:
            raise self.not_understood("lookup: another channel")
        return True

    def status(self, reference: str, wire_ids: Mapping[str, str]) -> LaterReceipt:
        """By the state of the document."""
        answer = self.good(self.ask("GET", f"/documents/{quote(reference, safe='')}", self.deadline()))
        said = members(answer.body)
        word = said.get("status")
        if said.get("id") != reference or not isinstance(word, str) or not word:
            raise self.not_understood("document: no status")
        return self.later(reference, word, told(said), **self._message(said))

    def fetch(self) -> Iterator[Incoming]:
        """The business responses that wait, of whichever document; ``name`` is eCourier's id."""
        if not self.config.get("fetch_responses"):
            return
        try:
            waiting = waiting_responses(self._getter(self.deadline()))
        except CannotTell as error:
            raise self.not_understood(str(error)) from error
        for document in waiting:
            yield Incoming(document, self._getter(self.deadline())(f"/documents/{document}/xml"))

    def done(self, incoming: Incoming) -> None:
        """Marked as delivered, so that it waits no more."""
        self.good(self.ask("PATCH", f"/documents/{quote(incoming.name, safe='')}/delivered", self.deadline()))

    def notice(self, incoming: Incoming) -> Notice:
        """eCourier signs nothing: the document's id, to be asked about."""
        payload = members(incoming.content).get("payload")
        document = payload.get("document") if isinstance(payload, dict) else None
        reference = as_reference(document.get("id")) if isinstance(document, dict) else None
        if not isinstance(document, dict) or reference is None:
            raise self.unreadable("no payload.document.id")
        word = document.get("status")
        return Notice(reference, word if isinstance(word, str) else "")

    def _getter(self, deadline: Deadline) -> Callable[[str], bytes]:
        def get(path: str) -> bytes:
            return self.good(self.ask("GET", path, deadline, headers={"Accept": "*/*"}, most=LARGEST)).body

        return get

    def _message(self, said: Mapping[str, object]) -> dict[str, str]:
        """The network's own id of the message, by which an access point can be asked about it."""
        found = said.get("e2e_message_uuid")
        return {"message_uuid": self.short(found)} if isinstance(found, str) and found else {}

    def _mode(self) -> Text:
        is_test = str(self.config.get("token") or "").strip().startswith("pk_test_")
        return Text(" (til afprøvning)", " (for testing)") if is_test else Text("", "")


def _network_of(consignment: Consignment) -> Network:
    network = _NETWORKS.get(consignment.format)
    if network is None:
        raise Rejected(_NO_NETWORK, f"format {consignment.format}")
    return network


def _address(role: str, participant: Participant | None) -> dict[str, str]:
    if participant is None or not re.fullmatch(r"[\x21-\x7e]{1,80}", participant.value):
        raise Rejected(_NO_ADDRESS[role], f"no address of the {role.lower()}")
    scheme = SCHEMES.get(participant.scheme)
    if scheme is None:
        raise Rejected(_no_scheme(participant), f"scheme {participant.scheme}")
    return {f"Ecourier-{role}-Scheme": scheme, f"Ecourier-{role}-Id": participant.value}


def _no_scheme(participant: Participant) -> Text:
    return Text(
        f"eCourier kan ikke bruge adresser af typen {participant.scheme}, så intet er sendt. Vælg en anden adresse for parten, "
        "f.eks. EAN eller CVR, eller en anden gateway.",
        f"eCourier cannot use addresses of the type {participant.scheme}, so nothing was sent. Choose another address for the "
        "party, such as GLN or CVR, or another gateway.",
    )


_NO_ADDRESS = {
    "Sender": Text(
        "Jeres egen elektroniske adresse mangler, så intet er sendt. Skriv jeres EAN- eller CVR-nummer i indstillingerne for "
        "afsender, og send igen.",
        "Your own electronic address is missing, so nothing was sent. Enter your GLN or CVR number in the settings of the sender, "
        "and send again.",
    ),
    "Recipient": Text(
        "Kundens elektroniske adresse mangler, så intet er sendt. Skriv kundens EAN- eller CVR-nummer, og send igen.",
        "The customer's electronic address is missing, so nothing was sent. Enter the customer's GLN or CVR number, and send again.",
    ),
}
_NO_NETWORK = Text(
    "Formatet hører til intet netværk, som eCourier sender ad. Vælg OIOUBL eller Peppol BIS for kunden, og send igen.",
    "The format belongs to no network that eCourier sends by. Choose OIOUBL or Peppol BIS for the customer, and send again.",
)
_NAMELESS = Text(
    "Dokumentet har intet nummer at kende det på hos eCourier. Se efter der, før I sender igen.",
    "The document has no number to know it by at eCourier. Look there before you send again.",
)
