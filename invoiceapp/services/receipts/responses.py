"""Business responses (UBL ApplicationResponse): which delivery they answer, and what they say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.responses import BusinessResponse, Kind, Says, explained, uuid_of
from invoiceapp.gateways.base import Verdict
from invoiceapp.models import Attempt, Delivery, Document, Gateway, Receipt, Rendition, db
from invoiceapp.services.export import archive

#: ``Attempt.wire_ids`` of access points: what MLR and MLS answer.
SBDH_INSTANCE = "sbdh_instance"
#: Newest tries among which a message's id is looked for.
_MOST = 5_000
#: UNCL4343 as Invoice Response orders it: a step may be skipped, and an earlier one may come late.
_ORDER = ("AB", "IP", "UQ", "CA", "RE", "AP", "PD")
_FINAL = frozenset({"RE", "PD"})

_VERDICTS = {
    Says.RECEIVED: Verdict.ARRIVED,
    Says.NOT_DELIVERED: Verdict.REJECTED,
    Says.WRONG_PROFILE: Verdict.REJECTED,
    Says.REJECTED: Verdict.REJECTED,
    Says.ACCEPTED: Verdict.ACKNOWLEDGED,
    Says.PARTLY_PAID: Verdict.ACKNOWLEDGED,
    Says.PAID: Verdict.ACKNOWLEDGED,
}
_NOBODYS = Text(
    "Svaret nævner »{reference}« fra {sender}, og det passer ikke på netop ét dokument, vi har sendt. Afgør selv, hvad det hører til.",
    "The answer names “{reference}” from {sender}, which fits not exactly one document that we sent. Decide yourself what it "
    "belongs to.",
)
_OTHER_SENDER = Text(
    "Svaret om »{reference}« kommer fra {sender}, og dokumentet er sendt til en anden adresse. Det tælles ikke med. Spørg kunden, om "
    "svaret er deres.",
    "The answer about “{reference}” comes from {sender}, and the document was sent to another address. It does not count. Ask the "
    "customer whether the answer is theirs.",
)
_BORROWED_NAME = Text(
    "Svaret om »{reference}« siger, at det er fra {sender}, men er sendt af {envelope}. Det tælles ikke med. Spørg kunden, om svaret "
    "er deres.",
    "The answer about “{reference}” says that it is from {sender}, but was sent by {envelope}. It does not count. Ask the customer "
    "whether the answer is theirs.",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """How a response came, and so which deliveries it can be about."""

    gateway_id: str
    subscription_id: str
    is_network: bool
    """By a network of access points, which answers to whichever access point the sender is registered at: another gateway of
    the same subscription may be what was sent through"""
    asked_about: str | None = None
    """The delivery about which the partner was asked and gave this response"""
    vouched_for: str | None = None
    """The participant for whom the sending access point vouches (SBDH), where it came by one"""


@dataclass(frozen=True, slots=True)
class Found:
    """The delivery, or why there is none."""

    delivery_id: str | None
    why_not: Text | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A delivery that left, of a document with the number that the response names."""

    delivery_id: str
    document: Document
    receiver: str | None
    sha256: str


def verdict(found: BusinessResponse) -> Verdict:
    """What it means for the delivery; ``ON_ITS_WAY`` where it decides nothing."""
    return _VERDICTS.get(found.says, Verdict.ON_ITS_WAY)


def delivery_of(found: BusinessResponse, origin: Origin) -> Found:
    """The delivery that it answers. Raises ``archive.ArchiveUnavailable``."""
    if origin.asked_about:
        known = _asked_about(found, origin, origin.asked_about)
    elif found.names_message:
        known = _by_message(found, origin)
    else:
        known = _by_document(found, origin)
    if not known:
        return Found(None, _worded(_NOBODYS, found))
    if _is_in_anothers_name(found, origin):
        return Found(None, _worded(_BORROWED_NAME, found, origin.vouched_for or ""))
    # Of an MLS the service provider answers, whom nobody has written to; and a partner that was asked about a message of ours
    # knows which one it answers.
    is_certain = found.kind is Kind.MLS or (found.names_message and origin.asked_about is not None)
    ours = [one for one in known if is_certain or one.receiver == str(found.sender)]
    if not ours:
        return Found(None, _worded(_OTHER_SENDER, found))
    if not found.names_message:
        ours = _narrowed(found, ours)
    if len({one.document.id for one in ours}) != 1:
        return Found(None, _worded(_NOBODYS, found))
    return Found(ours[0].delivery_id)


def _is_in_anothers_name(found: BusinessResponse, origin: Origin) -> bool:
    """Nobody has checked what the document itself says of its sender; of an MLS that does not count."""
    if origin.vouched_for is None or found.kind is Kind.MLS:
        return False
    return origin.vouched_for.casefold() != str(found.sender).casefold()


def _worded(text: Text, found: BusinessResponse, envelope: str = "") -> Text:
    """What the response says, and why it cannot be counted."""
    sender = " ".join(part for part in (found.sender_name, f"({found.sender})" if found.sender else "") if part) or "?"
    said = explained(found)
    why = [
        part.replace("{envelope}", envelope).replace("{reference}", found.reference).replace("{sender}", sender)
        for part in (text.da, text.en)
    ]
    return Text(f"{why[0]} {said.da}", f"{why[1]} {said.en}")


def _candidates(origin: Origin, *which: ColumnElement[bool]) -> list[_Candidate]:
    """Newest first; those of the gateway by which the response came before the others."""
    query = (
        select(Delivery.id, Delivery.gateway_id, Document, Rendition.receiver, Rendition.sha256)
        .join(Document, Document.id == Delivery.document_id)
        .join(Rendition, Rendition.id == Delivery.rendition_id)
        .where(Delivery.subscription_id == origin.subscription_id, Delivery.first_sent_at.is_not(None), *which)
        .where(_within(origin))
        .order_by(Delivery.id.desc())
        .limit(_MOST)
    )
    rows = sorted(db.session.execute(query).all(), key=lambda row: row.gateway_id != origin.gateway_id)
    return [_Candidate(row.id, row.Document, row.receiver, row.sha256) for row in rows]


def _within(origin: Origin) -> ColumnElement[bool]:
    """Deliveries of the same gateway; of a network also those of others, but tests and real sendings never answer each other."""
    same = Delivery.gateway_id == origin.gateway_id
    if not origin.is_network:
        return same
    environment = select(Gateway.environment).where(Gateway.id == origin.gateway_id).scalar_subquery()
    return or_(same, Delivery.environment == environment)


def _asked_about(found: BusinessResponse, origin: Origin, delivery_id: str) -> list[_Candidate]:
    known = _candidates(origin, Delivery.id == delivery_id)
    return [one for one in known if found.names_message or one.document.number == found.reference]


def _by_message(found: BusinessResponse, origin: Origin) -> list[_Candidate]:
    """By the envelope's id that the wire saw, or the provider's own."""
    tries = (
        select(Attempt.delivery_id, Attempt.wire_ids)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Delivery.subscription_id == origin.subscription_id, _within(origin))
        .order_by(Attempt.id.desc())
        .limit(_MOST)
    )
    wanted = found.reference.casefold()
    rows: Any = db.session.execute(tries)
    ids = {row.delivery_id for row in rows if row.wire_ids.get(SBDH_INSTANCE, "").casefold() == wanted}
    by_provider = (Delivery.gateway_id == origin.gateway_id) & (Delivery.remote_ref == found.reference)
    return _candidates(origin, or_(Delivery.id.in_(ids), by_provider))


def _by_document(found: BusinessResponse, origin: Origin) -> list[_Candidate]:
    return _candidates(origin, Document.number == found.reference)


def _narrowed(found: BusinessResponse, known: Sequence[_Candidate]) -> list[_Candidate]:
    """Those with the UUID that is named; where none has it, those of the date and type that are stated."""
    if found.document_uuid:
        named = [one for one in known if uuid_of(archive.load(one.sha256)) == found.document_uuid]
        if named:
            return named
    return [
        one
        for one in known
        if found.document_date in (None, one.document.issue_date) and found.document_type in (None, one.document.type)
    ]


def is_overtaken(found: BusinessResponse, delivery_id: str) -> bool:
    """Whether a later step was said before, or a last one: then it is kept, and nothing follows from it."""
    if found.kind is not Kind.INVOICE_RESPONSE or found.code not in _ORDER:
        return False
    known = db.session.scalars(
        select(Receipt.evidence).where(Receipt.delivery_id == delivery_id, Receipt.kind == found.kind.value)
    )
    earlier = {str(evidence.get("code")) for evidence in known} & {*_ORDER}
    rank = _ORDER.index(found.code)
    return any(code in _FINAL or _ORDER.index(code) > rank for code in earlier)
