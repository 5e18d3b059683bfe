"""What a business response says, whichever of the four kinds it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType


class Kind(StrEnum):
    """Which document it is; also ``Receipt.kind``."""

    OIOUBL = "application_response"
    INVOICE_RESPONSE = "invoice_response"
    MLR = "mlr"
    MLS = "mls"


class By(StrEnum):
    """Who speaks: only the buyer's word is about the invoice, the others' is about the message."""

    NETWORK = "network"
    RECEIVER_SYSTEM = "receiver_system"
    BUYER = "buyer"


class Says(StrEnum):
    """What is said, over all kinds."""

    RECEIVED = "received"
    PASSED_ON = "passed_on"
    """without any confirmation that it arrives, as by e-mail"""
    NOT_DELIVERED = "not_delivered"
    WRONG_PROFILE = "wrong_profile"
    """not delivered, because the receiver takes no such document"""
    IN_PROCESS = "in_process"
    UNDER_QUERY = "under_query"
    CONDITIONAL = "conditional"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    UNCLEAR = "unclear"
    """a code that its list does not have"""

    @property
    def has_it(self) -> bool:
        """Whether whoever says so must have read the document."""
        return self not in (Says.PASSED_ON, Says.NOT_DELIVERED, Says.WRONG_PROFILE, Says.UNCLEAR)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, or what is asked of us."""

    text: Text
    code: str = ""
    """Of OPStatusReason, OPStatusAction or the codes of MLR and MLS; empty for free text"""

    def to_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return {"code": self.code, "da": self.text.da, "en": self.text.en}


@dataclass(frozen=True, slots=True)
class LineNote:
    """What is said of one place in the document."""

    place: str
    """A line's id or an XPath; ``NA`` for the whole document"""
    text: Text
    code: str = ""

    def to_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return {"place": self.place, "code": self.code, "da": self.text.da, "en": self.text.en}


@dataclass(frozen=True, slots=True)
class BusinessResponse:
    """One answer to one document of ours. Nothing in it is proved but by the way it came."""

    kind: Kind
    id: str
    code: str
    """As stated"""
    says: Says
    by: By
    reference: str
    """The id that it names: the document's number, or of MLR and MLS that of our message (SBDH InstanceIdentifier)"""
    sender: Participant | None
    """Who answers; of an MLS the service provider (scheme 0242)"""
    receiver: Participant | None
    sender_name: str = ""
    reasons: tuple[Reason, ...] = ()
    lines: tuple[LineNote, ...] = ()
    document_date: date | None = None
    document_type: DocumentType | None = None
    """None where it is not stated, or no invoice or credit note"""
    document_uuid: str | None = None
    """Lower-case"""
    issued: str = ""
    """ISO 8601 date, with the time where there is one, as stated"""

    @property
    def names_message(self) -> bool:
        """Whether ``reference`` is the id of a message, and not a document's number."""
        return self.kind in (Kind.MLR, Kind.MLS)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for the evidence."""
        named = {
            "response": self.kind.value,
            "code": self.code,
            "said_by": self.by.value,
            "document": self.reference,
            "sender": str(self.sender) if self.sender else None,
            "sender_name": self.sender_name,
            "issued": self.issued,
            "reasons": [one.to_dict() for one in self.reasons],
            "lines": [one.to_dict() for one in self.lines],
        }
        return {name: value for name, value in named.items() if value}
