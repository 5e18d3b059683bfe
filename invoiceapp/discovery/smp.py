"""What a participant takes, and where: its Service Metadata Publisher (Peppol SMP 1.4, the former BusDox)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from cryptography import x509

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import AS4_PROFILE, PARTICIPANT_SCHEME, Identifier, Network, ReceivingEndpoint, Service
from invoiceapp.trust import xml
from invoiceapp.trust.chains import subject_common_name

from . import smp_signature
from .asking import Asking
from .base import CouldNotAsk, Offer, Registered
from .endpoints import choose
from .markup import IDS, SMP, identifier, only, text_of
from .sml import require_https
from .smp_signature import Signed

#: Bytes. A registration for all document types has some ten thousand.
LARGEST_ANSWER = 1_000_000
_ABSENT = 404
#: Which people and older software write between the parts of a name (RFC 2253 4).
_BLANKS = re.compile(r"(?<!\\)\s*,\s*")

_NOT_UNDERSTOOD = Text(
    "Modtagerens registrering kan ikke læses, som netværket foreskriver. Modtagerens udbyder skal rette den.",
    "The receiver's registration cannot be read as the network prescribes. The receiver's provider must correct it.",
)
_ANOTHER = Text(
    "Registret svarede om en anden modtager eller en anden slags dokument end den, vi spurgte om. Det svar bruger vi ikke. "
    "Modtagerens udbyder skal rette det.",
    "The register answered about another receiver or another kind of document than the one that we asked about. We do not use "
    "that answer. The receiver's provider must correct it.",
)
_SENT_ON = Text(
    "Modtagerens registrering er flyttet, og henvisningen til det nye sted holder ikke. Modtagerens udbyder skal rette den.",
    "The receiver's registration has moved, and the reference to its new place does not hold. The receiver's provider must "
    "correct it.",
)


@dataclass(frozen=True, slots=True)
class Publisher:
    """One participant's SMP."""

    address: str
    """As the SML names it, without a slash at the end"""
    network: Network
    participant: Participant
    anchors: str
    """Root certificates (PEM) that its signatures must lead to"""
    profile: str = AS4_PROFILE
    """What AS4 is called in its registrations"""

    def registration(self, asking: Asking) -> Registered | None:
        """The participant with its document types; None where it has none here. Raises ``CouldNotAsk``."""
        answer = asking.get(f"{self.address}/{self._key}", LARGEST_ANSWER)
        if answer.status == _ABSENT:
            return None
        root = _parsed(answer.body)
        if root.tag != f"{SMP}ServiceGroup":
            raise CouldNotAsk(_NOT_UNDERSTOOD, f"root {root.tag}"[:200])
        self._require_us(root)
        references = root.findall(f"{SMP}ServiceMetadataReferenceCollection/{SMP}ServiceMetadataReference")
        documents = (_document_id(one.get("href") or "") for one in references)
        offers = tuple(Offer(self.network, found) for found in dict.fromkeys(documents) if found)
        return Registered(self.participant, offers=offers)

    def endpoint(self, service: Service, asking: Asking) -> ReceivingEndpoint | None:
        """Where the participant takes a service; None where it does not. Raises ``CouldNotAsk``."""
        url = f"{self.address}/{self._key}/services/{quote(str(service.document_id), safe='')}"
        answer = asking.get(url, LARGEST_ANSWER)
        if answer.status == _ABSENT:
            return None
        signed = self._verified(answer.body, asking)
        redirect = signed.root.find(f"{SMP}ServiceMetadata/{SMP}Redirect")
        if redirect is not None:
            signed = self._sent_on(redirect, url, asking)
        information = only(signed.root, f"{SMP}ServiceMetadata/{SMP}ServiceInformation")
        if information is None:
            raise CouldNotAsk(_NOT_UNDERSTOOD, "no ServiceInformation")
        self._require_us(information)
        found = only(information, f"{IDS}DocumentIdentifier")
        if found is None or identifier(found) != service.document_id:
            raise CouldNotAsk(_ANOTHER, "another document type")
        return choose(information, service, self.participant, self.profile, asking.now())

    @property
    def _key(self) -> str:
        return quote(f"{PARTICIPANT_SCHEME}::{self.participant}", safe="")

    def _require_us(self, parent: Any) -> None:
        """Identifiers of participants are the same in either case (Peppol identifier policy)."""
        found = only(parent, f"{IDS}ParticipantIdentifier")
        if found is None:
            raise CouldNotAsk(_NOT_UNDERSTOOD, "no ParticipantIdentifier")
        said = identifier(found)
        if (said.scheme, said.value.lower()) != (PARTICIPANT_SCHEME, str(self.participant).lower()):
            raise CouldNotAsk(_ANOTHER, f"answered about {said}"[:200])

    def _verified(self, content: bytes, asking: Asking) -> Signed:
        root = _parsed(content)
        if root.tag != f"{SMP}SignedServiceMetadata":
            raise CouldNotAsk(_NOT_UNDERSTOOD, f"root {root.tag}"[:200])
        return smp_signature.verified(root, self.anchors, asking.now())

    def _sent_on(self, redirect: Any, came_from: str, asking: Asking) -> Signed:
        """What is at the other end of a redirect: one step, no more."""
        url = require_https(redirect.get("href") or "")
        if url == came_from:
            raise CouldNotAsk(_SENT_ON, "a redirect to itself")
        answer = asking.get(url, LARGEST_ANSWER)
        if answer.status == _ABSENT:
            raise CouldNotAsk(_SENT_ON, "a redirect to nothing")
        signed = self._verified(answer.body, asking)
        if signed.root.find(f"{SMP}ServiceMetadata/{SMP}Redirect") is not None:
            raise CouldNotAsk(_SENT_ON, "a second redirect")
        if not _is_named(signed.signer, text_of(redirect, f"{SMP}CertificateUID")):
            raise CouldNotAsk(_SENT_ON, "signed by another SMP than the redirect names")
        return signed


def _parsed(content: bytes) -> Any:
    try:
        return xml.parse(content, LARGEST_ANSWER)
    except xml.XmlRefused as error:
        raise CouldNotAsk(_NOT_UNDERSTOOD, str(error)) from None


def _document_id(href: str) -> Identifier | None:
    """Of an address that ends in ``/services/<percent-encoded id>``."""
    _, mark, last = href.rpartition("/services/")
    found = Identifier.parse(unquote(last))
    return found if mark and found.value else None


def _is_named(certificate: x509.Certificate, uid: str) -> bool:
    """Whether a redirect means this signer: by its subject, whose parts come in either order, or by its common name."""
    if uid == subject_common_name(certificate):
        return True
    try:
        named = x509.Name.from_rfc4514_string(_BLANKS.sub(",", uid))
    except ValueError:
        return False
    return _parts(named) == _parts(certificate.subject)


def _parts(name: x509.Name) -> Mapping[x509.ObjectIdentifier, frozenset[str]]:
    return {one.oid: frozenset(str(same.value) for same in name.get_attributes_for_oid(one.oid)) for one in name}
