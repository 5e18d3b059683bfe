"""Sending through an access point of our own: what the transports of the networks have in common."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, ClassVar

from cryptography import x509

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.network import Network, ReceivingEndpoint
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Deadline,
    Expiry,
    Incoming,
    Receipt,
    Reply,
    Transport,
    TransportError,
    Unwrapped,
)
from invoiceapp.gateways.certificates import Unusable
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient
from invoiceapp.trust.chains import ChainError, Reason, fingerprint

from . import drafts, exchange, failures, inbound, keys, sbdh, settings, wss
from .check import CertificateTest
from .drafts import Ids
from .errors import FailedAuthentication
from .exchange import AnswerInvalid, ErrorAnswered, Sealed
from .keys import OWN, Believed, today
from .receiving import Opened
from .sbdh import Header, PayloadUnusable
from .wss import Identity

log = logging.getLogger(__name__)

#: Seconds that the receiver's access point may take for one step; it checks the document before it answers.
STEP = 90.0
PORTS = frozenset({80, 443})
#: An answer is a receipt of some kilobytes.
_LARGEST_ANSWER = 2_000_000
#: Seconds for questions about revocation while the sender of a message waits for its receipt.
_PATIENCE_INBOUND = 4.0
#: What says nothing of the sender's certificate, and may be otherwise soon.
_OUR_OWN = frozenset({Reason.NO_ANCHORS, Reason.REVOCATION_UNKNOWN})


class _CannotJudge(Exception):
    """Whether a sender is to be believed cannot be told now."""


class AccessPoint(Transport):
    """Posts one message a document to the access point that the register names, and takes its signed receipt.

    A network adds its kind, its formats and, where it wants more than Peppol, ``enveloped``, ``party_id``, ``refusal`` and
    ``told_of``.
    """

    network: ClassVar[Network]
    key_pairs = (OWN,)
    yes_means = Text(
        "Modtagerens adgangspunkt har taget det; dets kvittering er ikke gemt her.",
        "The receiver's access point has taken it; its receipt is not kept here.",
    )
    proof_means = Text(
        "Modtagerens adgangspunkt har kvitteret for det.", "The receiver's access point has given a receipt for it."
    )
    wants_endpoint = True
    unwraps = True
    #: Whether access points are called by the CN of their certificates.
    checks_party: ClassVar[bool] = True
    PORTS = PORTS

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._client: HttpClient | None = None
        self._identity: tuple[date, Identity] | None = None
        self._believed = Believed.of(config)

    @property
    def host(self) -> str | None:
        """Each receiver has another machine; the limit counts what leaves by our certificate."""
        try:
            return f"{self.kind} {wss.common_name(keys.certificate_of(self.config, today()))}"
        except Unusable:
            return self.kind

    @property
    def replay(self) -> Replay:
        """Access points recognise the MessageId; phase4 answers a repetition with EBMS:4001."""
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``message_id``, ``sbdh_instance`` (what MLR and MLS refer to) and ``conversation_id``."""
        return Ids.of(consignment).to_dict()

    def identity(self, day: date) -> Identity:
        """What we sign with on a day. Raises ``Unusable``."""
        # Reading the key takes as long as many signatures.
        if self._identity is None or self._identity[0] != day:
            self._identity = day, keys.identity_of(self.config, day)
        return self._identity[1]

    def enveloped(self, consignment: Consignment, header: Header) -> bytes:
        """The document in its SBDH. Raises ``PayloadUnusable``, or a ``TransportError``."""
        return sbdh.build(consignment.payload.content, header)

    def party_id(self, certificate: x509.Certificate) -> str:
        """What an access point is called in the message: the CN of its certificate."""
        return wss.common_name(certificate)

    def refusal(self, error: ErrorAnswered) -> TransportError:
        """What an access point's no means."""
        return failures.answered(error)

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Keys and certificates that cannot be read or do not fit."""
        return settings.problems(config, secrets)

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """What is missing before anything can be sent, and revocation that nobody asks about."""
        return settings.findings(config)

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """Our certificates, the current and the next, and the roots."""
        return keys.expiries(config)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def check(self) -> list[CheckStep]:
        """Our certificate: readable, in date, fits to the key, believed by ourselves. Sends nothing."""
        return CertificateTest(self.config, self._believed, self._opened()).run()

    def send(self, consignment: Consignment) -> Receipt:
        """Post the message. ``reference`` is its MessageId."""
        deadline = Deadline(self.DEADLINE, STEP)
        endpoint = drafts.endpoint_of(consignment, self.guard)
        theirs = drafts.certificate_of(endpoint)
        self._require_believed(theirs)
        sealed = self._sealed(consignment, endpoint, theirs)
        try:
            answer = self._opened().request(
                "POST", endpoint.url, deadline, headers=sealed.headers, content=sealed.body, most=_LARGEST_ANSWER
            )
        except OutboundError as error:
            self.close()
            raise failures.outbound_failure(error) from error
        return self._receipt(consignment, endpoint, theirs, sealed, answer)

    def unwrap(self, incoming: Incoming) -> Unwrapped:
        """The response in a message, and the signed receipt; or the error. 503 where we can judge nothing at present."""
        try:
            identities = keys.identities_of(self.config, today())
            return inbound.unwrapped(
                incoming, identities, self._trust, checks_party=self.checks_party, told_of=self.told_of
            )
        except (Unusable, _CannotJudge) as error:
            log.warning("a message to gateways of kind %s cannot be opened now: %s", self.kind, error)
            return Unwrapped(None, Reply(503))

    def told_of(self, opened: Opened) -> Mapping[str, str]:
        """What else is kept of a message, beside what every network's messages have."""
        return {}

    def _trust(self, certificate: x509.Certificate) -> None:
        try:
            self._believed.require(certificate, self._opened(), _PATIENCE_INBOUND)
        except ChainError as error:
            if error.reason in _OUR_OWN:
                raise _CannotJudge(str(error)) from error
            raise FailedAuthentication(f"certificate {error.reason}") from error

    def _sealed(self, consignment: Consignment, endpoint: ReceivingEndpoint, theirs: x509.Certificate) -> Sealed:
        header = drafts.header_of(consignment, endpoint, str(self.config.get("country") or "DK"))
        ids = Ids.of(consignment)
        try:
            ours = self.identity(today())
            content = self.enveloped(consignment, header)
        except Unusable as error:
            raise failures.unusable(error) from error
        except PayloadUnusable as error:
            raise drafts.unwrappable(error) from error
        names = self.party_id(ours.certificate), self.party_id(theirs)
        message = exchange.user_message(header, ids.message_id, ids.conversation_id, *names)
        return exchange.build_message(message, content, ours, theirs)

    def _require_believed(self, theirs: x509.Certificate) -> None:
        try:
            self._believed.require(theirs, self._opened())
        except ChainError as error:
            raise failures.disbelieved(error) from error

    def _opened(self) -> HttpClient:
        if self._client is None:
            self._client = HttpClient(self.guard, usual=PORTS)
        return self._client

    def _receipt(
        self,
        consignment: Consignment,
        endpoint: ReceivingEndpoint,
        theirs: x509.Certificate,
        sealed: Sealed,
        answer: Answer,
    ) -> Receipt:
        """What an answer proves, whatever its HTTP status. Raises a ``TransportError``."""
        evidence = Ids.of(consignment).to_dict() | {
            "by": "access-point",
            "sha256": consignment.payload.sha256,
            "status": answer.status,
            "signed_info": sealed.signed_info.decode(),
            "endpoint": _told(endpoint, theirs),
        }
        try:
            proof = exchange.check_answer(answer.headers, answer.body, sealed, theirs)
        except ErrorAnswered as error:
            if not failures.is_duplicate(error):
                raise self.refusal(error) from error
            if not consignment.may_have_arrived:
                raise failures.repeated(error) from error
            # It knows the message, and has signed nothing: phase4 notes an id before the document is taken.
            return Receipt(
                sealed.message_id, evidence | {"delivered": "earlier", "answer": answer.text}, proves_arrival=False
            )
        except AnswerInvalid as error:
            raise (failures.unproved(error) if answer.is_good else failures.status_failure(answer)) from error
        return Receipt(
            sealed.message_id, evidence | {"receipt": answer.text, "receipt_id": proof.message_id}, proves_arrival=True
        )


def _told(endpoint: ReceivingEndpoint, certificate: x509.Certificate) -> dict[str, Any]:
    """For the evidence: the certificate itself stands in the receipt."""
    known = {name: value for name, value in endpoint.to_dict().items() if value is not None and name != "certificate"}
    return known | {"certificate_sha256": fingerprint(certificate)}
