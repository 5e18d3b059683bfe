"""The last look at a receiver's registration before a document leaves through an access point of our own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import Identifier, Network, ReceivingEndpoint, Service, service_for
from invoiceapp.gateways.base import Consignment, Refused, Rejected, Transport, Unavailable, Unknown
from invoiceapp.models import Attempt, Gateway, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.export import outcomes

from . import lookups

#: How old an answer may be when a document leaves by it.
MAX_AGE = timedelta(hours=6)
#: A no by which nothing leaves is younger: somebody may have mended the registration since.
_FRESH = timedelta(minutes=1)

_NO_RECEIVER = Text(
    "Dokumentet har ingen elektronisk modtageradresse, så intet er sendt. Angiv kundens GLN- eller CVR-nummer, og send igen.",
    "The document has no electronic address of the receiver, so nothing was sent. Enter the customer's GLN or CVR number, and "
    "send again.",
)
_NO_SENDER = Text(
    "Vores egen elektroniske adresse mangler, så intet er sendt. Angiv virksomhedens CVR- eller GLN-nummer under Afsender, og send igen.",
    "Our own electronic address is missing, so nothing was sent. Enter the company's CVR or GLN number under Sender, and send again.",
)
_MOVED = Text(
    "Modtageren er flyttet til et andet access point, efter at et tidligere forsøg kan være nået frem, så der sendes ikke igen af sig "
    "selv. Spørg modtageren, om dokumentet er kommet, før du sender igen.",
    "The receiver has moved to another access point after an earlier try that may have arrived, so nothing is sent again by itself. "
    "Ask the receiver whether the document has come, before you send again.",
)


def addressed(consignment: Consignment, transport: Transport, gateway_id: str, delivery_id: str) -> Consignment:
    """The consignment with ``endpoint``, asked anew where the last answer is too old or an earlier try has failed by it.

    As it is for transports that do not want one. No transaction may be open. Raises ``Rejected`` where the receiver
    provably takes it no more, ``Unavailable`` where nobody could be asked, ``Refused`` where we are not registered ourselves,
    ``Unknown`` where an earlier try may have arrived at another address: there nobody knows of it.
    """
    if not transport.wants_endpoint:
        return consignment
    if consignment.receiver is None:
        raise Rejected(_NO_RECEIVER, "no receiver")
    network = next(iter(transport.networks))
    service = service_for(network, consignment.format, DocumentType(consignment.document_type))
    if service is None:
        raise Rejected(_not_carried(network), f"{consignment.format} does not travel by {network}")
    with transaction():
        place = lookups.place_at(db.session.get_one(Gateway, gateway_id))
        tries = db.session.scalar(select(func.count()).where(Attempt.delivery_id == delivery_id)) or 0
    if transport.must_be_registered_for is not None:
        _require_registered(place, network, consignment.sender, transport.must_be_registered_for)
    # After a try that failed the receiver may have moved, or changed its certificate.
    question = lookups.endpoint(network, consignment.receiver, service)
    found = lookups.ask(place, question, max_age=MAX_AGE, fresh=tries > 1)
    if found.endpoint is None and _is_old(found):
        found = lookups.ask(place, question, fresh=True)
    usable = _usable(found, network, consignment.receiver, service)
    with transaction():
        if outcomes.is_addressed_anew(delivery_id, usable.url):
            raise Unknown(_MOVED, f"an earlier try went elsewhere than to {usable.url}", needs_person=True)
    return replace(consignment, endpoint=usable)


def _require_registered(place: lookups.Place, network: Network, sender: Participant | None, wanted: Identifier) -> None:
    """That we can be told what became of it. Raises ``Refused`` or ``Unavailable``."""
    if sender is None:
        raise Rejected(_NO_SENDER, "no sender")
    question = lookups.registration(network, sender)
    found = lookups.ask(place, question)
    if not _is_offered(found, sender, wanted) and _is_old(found):
        found = lookups.ask(place, question, fresh=True)
    if found.is_unclear:
        raise Unavailable(_unanswered(network, found.text), "our own registration could not be looked up")
    if not _is_offered(found, sender, wanted):
        raise Refused(_not_registered_ourselves(network, sender), f"{sender} is not registered for {wanted}")


def _is_offered(found: lookups.Known, participant: Participant, wanted: Identifier) -> bool:
    offers = [offer for one in found.found if one.participant == participant for offer in one.offers]
    return any(offer.document_id == wanted for offer in offers)


def _is_old(found: lookups.Known) -> bool:
    """Whether an answer was kept for a while: no document is given up, and no gateway stopped, by such a no."""
    return not found.is_unclear and (found.asked_at is None or found.asked_at < utcnow() - _FRESH)


def _usable(found: lookups.Known, network: Network, receiver: Participant, service: Service) -> ReceivingEndpoint:
    """Raises ``Rejected`` or ``Unavailable``."""
    if found.is_unclear:
        raise Unavailable(_unanswered(network, found.text), "the registration could not be looked up")
    if found.endpoint is None:
        raise Rejected(_not_registered(network, receiver), f"{receiver} takes no {service.document_id}")
    if found.endpoint.active_until is not None and found.endpoint.active_until <= utcnow():
        raise Rejected(_not_registered(network, receiver), "the registration has ended")
    return found.endpoint


def _not_registered_ourselves(network: Network, sender: Participant) -> Text:
    name = network.label
    return Text(
        f"Vi er ikke selv tilmeldt {name} som modtager af svar (ApplicationResponse) med {sender}, og så må der ikke sendes. Intet er "
        "sendt. Få tilmeldingen på plads, og start gatewayen igen.",
        f"We are not registered in {name} to receive responses (ApplicationResponse) with {sender}, and then nothing may be sent. "
        "Nothing was sent. Have the registration made, and start the gateway again.",
    )


def _not_carried(network: Network) -> Text:
    name = network.label
    return Text(
        f"Dokumentets format sendes ikke gennem {name}, så intet er sendt. Vælg et andet format eller en anden gateway til kunden.",
        f"The format of the document does not travel by {name}, so nothing was sent. Choose another format or gateway for the "
        "customer.",
    )


def _not_registered(network: Network, receiver: Participant) -> Text:
    name = network.label
    return Text(
        f"Modtageren {receiver} er ikke (længere) tilmeldt {name} til denne slags dokument, så intet er sendt. Slå kunden op igen "
        "under Matchede kunder, eller vælg en anden vej.",
        f"The receiver {receiver} is not (or no longer) registered in {name} for this kind of document, so nothing was sent. "
        "Look the customer up again under Matched customers, or choose another way.",
    )


def _unanswered(network: Network, why: Text | None) -> Text:
    name = network.label
    da, en = (why.da, why.en) if why else ("", "")
    return Text(
        f"Modtagerens tilmelding i {name} kunne ikke slås op lige nu. Intet er sendt; vi prøver igen af os selv. {da}".strip(),
        f"The receiver's registration in {name} could not be looked up just now. Nothing was sent; we try again by ourselves. "
        f"{en}".strip(),
    )
