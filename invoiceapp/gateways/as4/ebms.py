"""The ebMS 3.0 header: messages, receipts with non-repudiation information, and errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from invoiceapp.domain.network import PARTICIPANT_SCHEME, Identifier

from . import markup
from .errors import EbmsFault, InvalidHeader, ValueNotRecognized
from .markup import Element, children, only, text_of
from .names import (
    AGREEMENT,
    DEFAULT_MPC,
    EB,
    EBBP,
    GZIP_TYPE,
    INITIATOR,
    PARTY_TYPE,
    PREFIXES,
    RESPONDER,
    SOAP,
    WSSE,
    WSU,
    XML_TYPE,
    q,
)
from .references import Reference

#: What is read of a SOAP part; a message has some 15 KB.
LARGEST = 1_000_000
#: RFC 2822 3.6.4 without angle brackets, as ebMS 3.0 5.2.2.1 demands it.
_MESSAGE_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]{1,255}@[\x21-\x3b\x3d\x3f-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Party:
    """An access point: its id (in Peppol the common name of its certificate) and role."""

    id: str
    role: str
    type: str = PARTY_TYPE


@dataclass(frozen=True, slots=True)
class Address:
    """Participant as a message property: ``0184:12345678``."""

    value: str
    type: str = PARTICIPANT_SCHEME


@dataclass(frozen=True, slots=True)
class PartInfo:
    """One attachment as the header describes it."""

    id: str
    """Content-ID without angle brackets"""
    mime_type: str = XML_TYPE
    compression: str | None = GZIP_TYPE


@dataclass(frozen=True, slots=True)
class UserMessage:
    """One business document on its way from access point to access point."""

    message_id: str
    timestamp: datetime
    """Aware"""
    sender: Party
    receiver: Party
    process: Identifier
    """Service"""
    action: str
    """``scheme::value`` of the document type"""
    conversation_id: str
    original_sender: Address
    final_recipient: Address
    parts: tuple[PartInfo, ...]
    agreement: str = AGREEMENT


@dataclass(frozen=True, slots=True)
class ReceiptSignal:
    """What the receiving access point says it took, by its own signature."""

    message_id: str
    ref_to: str
    references: tuple[Reference, ...]
    """Non-repudiation information"""


@dataclass(frozen=True, slots=True)
class SignalError:
    """One ``eb:Error``."""

    code: str
    severity: str = "failure"
    description: str = ""
    """All that it says in words: short description, description and detail"""
    ref_to: str | None = None

    @property
    def is_failure(self) -> bool:
        """A warning lets the message pass (ebMS 3.0 6.2.4)."""
        return self.severity.lower() != "warning"


@dataclass(frozen=True, slots=True)
class ErrorSignal:
    """Why a message was not taken."""

    message_id: str
    ref_to: str | None
    errors: tuple[SignalError, ...]


def envelope() -> tuple[Element, Element, Element]:
    """A SOAP envelope with its header and its empty body, which has an id."""
    names = ("S12", "eb", "wsse", "wsu")
    root = etree.Element(q(SOAP, "Envelope"), nsmap={name: PREFIXES[name] for name in names})
    header = etree.SubElement(root, q(SOAP, "Header"))
    body = etree.SubElement(root, q(SOAP, "Body"))
    body.set(q(WSU, "Id"), "body")
    return root, header, body


def _messaging(header: Element) -> Element:
    messaging = etree.SubElement(header, q(EB, "Messaging"))
    messaging.set(q(SOAP, "mustUnderstand"), "true")
    messaging.set(q(WSU, "Id"), "messaging")
    return messaging


def _add(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    added = etree.SubElement(parent, q(EB, name), attributes)
    added.text = text
    return added


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _message_info(parent: Element, message_id: str, timestamp: datetime, ref_to: str | None = None) -> None:
    info = _add(parent, "MessageInfo")
    _add(info, "Timestamp", _time(timestamp))
    _add(info, "MessageId", message_id)
    if ref_to:
        _add(info, "RefToMessageId", ref_to)


def build_message(message: UserMessage) -> Element:
    """The SOAP envelope, not yet signed."""
    root, header, _ = envelope()
    user = _add(_messaging(header), "UserMessage")
    _message_info(user, message.message_id, message.timestamp)
    parties = _add(user, "PartyInfo")
    for name, party in (("From", message.sender), ("To", message.receiver)):
        side = _add(parties, name)
        _add(side, "PartyId", party.id, type=party.type)
        _add(side, "Role", party.role)
    collaboration = _add(user, "CollaborationInfo")
    _add(collaboration, "AgreementRef", message.agreement)
    _add(collaboration, "Service", message.process.value, type=message.process.scheme)
    _add(collaboration, "Action", message.action)
    _add(collaboration, "ConversationId", message.conversation_id)
    properties = _add(user, "MessageProperties")
    for name, address in (("originalSender", message.original_sender), ("finalRecipient", message.final_recipient)):
        _add(properties, "Property", address.value, name=name, type=address.type)
    payload = _add(user, "PayloadInfo")
    for part in message.parts:
        info = _add(_add(payload, "PartInfo", href=f"cid:{part.id}"), "PartProperties")
        _add(info, "Property", part.mime_type, name="MimeType")
        if part.compression:
            _add(info, "Property", part.compression, name="CompressionType")
    return root


def build_receipt(message_id: str, ref_to: str, references: Iterable[Reference], timestamp: datetime) -> Element:
    """The SOAP envelope of a receipt about what was signed by ``references``, not yet signed."""
    root, header, _ = envelope()
    signal = _add(_messaging(header), "SignalMessage")
    _message_info(signal, message_id, timestamp, ref_to)
    information = etree.SubElement(
        _add(signal, "Receipt"), q(EBBP, "NonRepudiationInformation"), nsmap={"ebbp": EBBP, "ds": PREFIXES["ds"]}
    )
    for reference in references:
        reference.write(etree.SubElement(information, q(EBBP, "MessagePartNRInformation")))
    return root


def build_error(message_id: str, ref_to: str | None, fault: EbmsFault, timestamp: datetime) -> Element:
    """The SOAP envelope of an error; ``ref_to`` where the id of the message could be read."""
    root, header, _ = envelope()
    signal = _add(_messaging(header), "SignalMessage")
    _message_info(signal, message_id, timestamp, ref_to)
    told = {"refToMessageInError": ref_to} if ref_to else {}
    error = _add(
        signal, "Error", errorCode=fault.code, severity="failure", shortDescription=fault.name, category=fault.category,
        origin="ebMS", **told,
    )  # fmt: skip
    description = _add(error, "Description", fault.detail)
    description.set(q("http://www.w3.org/XML/1998/namespace", "lang"), "en")
    _add(error, "ErrorDetail", fault.detail)
    return root


def messaging_of(root: Element) -> Element:
    """The one ebMS header of an envelope: a direct child of its one SOAP header. Raises ``InvalidHeader``."""
    if root.tag != q(SOAP, "Envelope"):
        raise InvalidHeader("no SOAP 1.2 envelope")
    return only(only(root, q(SOAP, "Header")), q(EB, "Messaging"))


def parse_message(messaging: Element) -> UserMessage:
    """Of an ``eb:Messaging`` that is verified, or not yet. Raises ``EbmsFault``."""
    user = only(messaging, q(EB, "UserMessage"))
    if user.get("mpc", DEFAULT_MPC) != DEFAULT_MPC:
        raise ValueNotRecognized("another MPC than the default one")
    info = only(user, q(EB, "MessageInfo"))
    collaboration = only(user, q(EB, "CollaborationInfo"))
    service = only(collaboration, q(EB, "Service"))
    properties = _properties(only(user, q(EB, "MessageProperties")))
    return UserMessage(
        _message_id(text_of(info, q(EB, "MessageId"))),
        _moment(text_of(info, q(EB, "Timestamp"))),
        _party(user, "From", INITIATOR),
        _party(user, "To", RESPONDER),
        Identifier(service.get("type") or "", text_of(collaboration, q(EB, "Service"))),
        text_of(collaboration, q(EB, "Action")),
        text_of(collaboration, q(EB, "ConversationId")),
        _address(properties, "originalSender"),
        _address(properties, "finalRecipient"),
        tuple(_part_info(one) for one in children(only(user, q(EB, "PayloadInfo")), q(EB, "PartInfo"))),
        text_of(collaboration, q(EB, "AgreementRef")),
    )


def _message_id(text: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise ValueNotRecognized("no MessageId by RFC 2822")
    return text


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueNotRecognized("the Timestamp is none") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _party(user: Element, side: str, role: str) -> Party:
    party = only(only(user, q(EB, "PartyInfo")), q(EB, side))
    identifier = only(party, q(EB, "PartyId"))
    found = Party(text_of(party, q(EB, "PartyId")), text_of(party, q(EB, "Role")), identifier.get("type") or "")
    if found.role != role:
        raise ValueNotRecognized(f"another Role than {role.rpartition('/')[2]}")
    return found


def _properties(parent: Element) -> dict[str, Address]:
    found: dict[str, Address] = {}
    for one in children(parent, q(EB, "Property")):
        name = one.get("name") or ""
        if name in found:
            raise InvalidHeader("a property that stands twice")
        found[name] = Address(markup.plain(one), one.get("type") or "")
    return found


def _address(properties: dict[str, Address], name: str) -> Address:
    found = properties.get(name)
    if found is None or not found.value:
        raise ValueNotRecognized(f"no {name}")
    return found


def _part_info(part: Element) -> PartInfo:
    href = part.get("href") or ""
    if not href.startswith("cid:"):
        raise ValueNotRecognized("a document that is no attachment")
    properties = _properties(only(part, q(EB, "PartProperties")))
    compression = properties.get("CompressionType")
    mime_type = properties.get("MimeType")
    if mime_type is None or (compression is not None and compression.value != GZIP_TYPE):
        raise ValueNotRecognized("MimeType or CompressionType")
    return PartInfo(href.removeprefix("cid:"), mime_type.value, compression.value if compression else None)


def parse_signal(messaging: Element) -> ReceiptSignal | ErrorSignal:
    """A receipt, or errors. Raises ``InvalidHeader`` for anything else, and for both at once."""
    signal = only(messaging, q(EB, "SignalMessage"))
    info = only(signal, q(EB, "MessageInfo"))
    message_id = text_of(info, q(EB, "MessageId"))
    named = children(info, q(EB, "RefToMessageId"))
    ref_to = markup.plain(named[0]) if len(named) == 1 else None
    errors, receipts = children(signal, q(EB, "Error")), children(signal, q(EB, "Receipt"))
    if errors and not receipts:
        return ErrorSignal(message_id, ref_to, tuple(map(_error, errors)))
    if len(receipts) != 1 or errors or not ref_to:
        raise InvalidHeader("neither a receipt nor an error")
    information = children(receipts[0], q(EBBP, "NonRepudiationInformation"))
    if len(information) != 1:
        raise InvalidHeader("a receipt without non-repudiation information")
    parts = children(information[0], q(EBBP, "MessagePartNRInformation"))
    return ReceiptSignal(message_id, ref_to, tuple(Reference.only_in(part) for part in parts))


def _error(error: Element) -> SignalError:
    words = [error.get("shortDescription") or ""]
    words += [
        " ".join(one.itertext()).strip()
        for name in ("Description", "ErrorDetail")
        for one in children(error, q(EB, name))
    ]
    return SignalError(
        error.get("errorCode") or "",
        error.get("severity") or "failure",
        " · ".join(dict.fromkeys(word for word in words if word)),
        error.get("refToMessageInError"),
    )


def security_of(root: Element) -> Element:
    """The one wsse:Security of an envelope. Raises ``EbmsFault``."""
    return markup.only(markup.only(root, q(SOAP, "Header")), q(WSSE, "Security"))
