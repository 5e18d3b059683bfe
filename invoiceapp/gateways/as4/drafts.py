"""What is written before the first byte: the ids of a message, and what must be known of sender and receiver."""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import ReceivingEndpoint
from invoiceapp.gateways.base import Consignment, Rejected, TransportError, Unavailable
from invoiceapp.gateways.certificates import Unusable
from invoiceapp.outbound.guard import Guard

from . import wss
from .errors import PolicyNoncompliance
from .keys import load_certificate
from .sbdh import LARGEST, Header, PayloadUnusable

_SPACE = uuid.UUID("6f0d2f0c-7d0e-5b0a-9d0a-1f6a3c1f7a11")
#: For the envelope around the document.
_ENVELOPE = 10_000

_NO_ENDPOINT = Text(
    "Det er ikke slået op, hvor modtageren tager imod, så intet er sendt. Send dokumentet fra dokumentets side.",
    "Where the receiver takes documents was not looked up, so nothing was sent. Send the document from its own page.",
)
_NO_SENDER = Text(
    "Vores egen elektroniske adresse mangler, så intet er sendt. Angiv virksomhedens CVR- eller GLN-nummer under Afsender, og send igen.",
    "Our own electronic address is missing, so nothing was sent. Enter the company's CVR or GLN number under Sender, and send again.",
)
_NO_RECEIVER = Text(
    "Modtagerens elektroniske adresse mangler, så intet er sendt. Angiv kundens GLN- eller CVR-nummer, og send igen.",
    "The receiver's electronic address is missing, so nothing was sent. Enter the customer's GLN or CVR number, and send again.",
)
_TOO_LARGE = Text(
    "Dokumentet er for stort til netværket, så intet er sendt. Fjern eller formindsk bilag, og send igen.",
    "The document is too large for the network, so nothing was sent. Remove or shrink attachments, and send again.",
)
_WRAPPED = Text(
    "Dokumentet ligger allerede i en kuvert (SBDH), og netværket vil have præcis én. Slå kuverten fra under Outputformat, og send igen.",
    "The document is in an envelope (SBDH) already, and the network wants exactly one. Switch the envelope off under Output format, "
    "and send again.",
)
_NO_XML = Text(
    "Dokumentet er ikke XML, så det kan ikke sendes den vej. Vælg et andet format eller en anden gateway.",
    "The document is no XML, so it cannot be sent that way. Choose another format or another gateway.",
)
_OPEN_ADDRESS = Text(
    "Registret nævner en adresse uden kryptering (https) til modtagerens access point, så intet er sendt. Bed modtageren om at få "
    "den rettet, eller vælg en anden vej.",
    "The register names an address of the receiver's access point without encryption (https), so nothing was sent. Ask the "
    "receiver to have it corrected, or choose another way.",
)
_BAD_CERTIFICATE = Text(
    "Certifikatet, som registret nævner for modtagerens access point, kan ikke bruges til kryptering. Intet er sendt. Vi slår "
    "modtageren op igen og prøver af os selv.",
    "The certificate that the register names for the receiver's access point cannot be used for encryption. Nothing was sent. We "
    "look the receiver up again and try by ourselves.",
)


@dataclass(frozen=True, slots=True)
class Ids:
    """All that a message is known by, the same in every attempt."""

    message_id: str
    """By RFC 2822, without angle brackets"""
    instance_id: str
    """Of the SBDH, a UUID: what MLR and MLS refer to"""
    conversation_id: str

    @classmethod
    def of(cls, consignment: Consignment) -> Ids:
        """From the key alone."""
        return cls(
            f"{consignment.key}@as4.invoiceapp",
            str(uuid.uuid5(_SPACE, f"sbdh {consignment.key}")),
            str(uuid.uuid5(_SPACE, f"conversation {consignment.key}")),
        )

    def to_dict(self) -> dict[str, str]:
        """For the attempt row."""
        return {
            "message_id": self.message_id,
            "sbdh_instance": self.instance_id,
            "conversation_id": self.conversation_id,
        }


def endpoint_of(consignment: Consignment, guard: Guard) -> ReceivingEndpoint:
    """Where it goes. Raises ``Rejected``."""
    endpoint = consignment.endpoint
    if endpoint is None:
        raise Rejected(_NO_ENDPOINT, "no endpoint")
    parts = urlsplit(endpoint.url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_allowed(parts.hostname or "", guard)):
        raise Rejected(_OPEN_ADDRESS, f"scheme {parts.scheme}")
    return endpoint


def _is_allowed(host: str, guard: Guard) -> bool:
    """Whether it is an address of a network that an administrator has allowed by hand: stand-ins and test peers."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in guard.networks)


def certificate_of(endpoint: ReceivingEndpoint) -> x509.Certificate:
    """What is encrypted for. Raises ``Unavailable``."""
    try:
        certificate = load_certificate(endpoint.certificate)
        wss.rsa_key(certificate, PolicyNoncompliance)
    except (Unusable, PolicyNoncompliance) as error:
        raise Unavailable(_BAD_CERTIFICATE, str(error)) from error
    return certificate


def header_of(consignment: Consignment, endpoint: ReceivingEndpoint, country: str) -> Header:
    """The SBDH of a consignment. Raises ``Rejected``."""
    if consignment.sender is None:
        raise Rejected(_NO_SENDER, "no sender")
    if consignment.receiver is None:
        raise Rejected(_NO_RECEIVER, "no receiver")
    if len(consignment.payload.content) > LARGEST - _ENVELOPE:
        raise Rejected(_TOO_LARGE, f"{len(consignment.payload.content)} bytes")
    return Header(
        consignment.sender,
        consignment.receiver,
        Ids.of(consignment).instance_id,
        endpoint.document_id,
        endpoint.process,
        datetime.now(UTC),
        type_version=endpoint.document_id.value.rpartition("::")[2],
        country_c1=country,
    )


def unwrappable(error: PayloadUnusable) -> TransportError:
    """A document that no envelope can be put around."""
    return Rejected(_WRAPPED if error.is_wrapped else _NO_XML, str(error))
