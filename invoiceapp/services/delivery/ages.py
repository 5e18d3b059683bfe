"""How long a delivery may stay in each state before somebody must see it, whose turn it is then, and what happens next.

The table names every state; ``tests/services/delivery/test_ages.py`` sees to that. What a person must act on is seen at
once, under "What needs you"; what the machine or the partner should have moved and has not is found by ``overdue``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Transport, registry
from invoiceapp.models import Adaptor, Delivery, Document, Environment, Gateway, Receipt, Stage, db, utcnow
from invoiceapp.services.four_eyes.words import moment

from . import numbers, order, waiting

S = DeliveryState


class Who(StrEnum):
    """Who moves next."""

    MACHINE = "machine"
    PARTNER = "partner"
    PERSON = "person"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Next:
    """The next action."""

    who: Who
    text: Text
    """What happens, or what to do"""
    at: datetime | None = None
    """When it happens, or until when it is awaited; the text reads well before a time and without"""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a state where nothing special does."""

    who: Who
    longest: timedelta | None
    """How long after its time (``Delivery.next_at``) it may stay before it is stuck. Zero where a person sees it at once;
    None where it may stay for ever"""
    text: Text


_AT_ONCE = timedelta(0)
#: Everything that is due has mostly left within minutes, a whole month's invoices within an hour.
_PENDING = timedelta(hours=2)
#: The reaper looks every five seconds.
_LEASED = timedelta(minutes=15)
_RECEIPT = timedelta(hours=1)
_MANY = 500

RULES: Mapping[DeliveryState, Rule] = MappingProxyType(
    {
        S.BLOCKED: Rule(
            Who.PERSON, _AT_ONCE,
            Text("Se, hvad der stopper dokumentet, og ret eller godkend det. Så sendes det.",
                 "See what stops the document, and correct or approve it. Then it is sent."),
        ),
        S.PENDING: Rule(
            Who.MACHINE, _PENDING,
            Text("Sendes af sig selv, så snart det bliver dets tur.", "Is sent by itself as soon as its turn comes."),
        ),
        S.LEASED: Rule(
            Who.MACHINE, _LEASED, Text("Gøres klar og sendes om et øjeblik.", "Is prepared, and sent in a moment.")
        ),
        S.SENDING: Rule(
            Who.MACHINE, _LEASED,
            Text("Sendes nu. Svaret ventes inden for få minutter.", "Is being sent. The answer is expected within minutes."),
        ),
        S.ACCEPTED: Rule(
            Who.PARTNER, _RECEIPT,
            Text("Modtagerens kvittering ventes senest", "The receiver's receipt is expected by"),
        ),
        S.DELIVERED: Rule(
            Who.NOBODY, None,
            Text("Der mangler ikke mere. Kommer der en kvittering, tæller den.",
                 "Nothing more is needed. If a receipt comes, it counts."),
        ),
        S.ACKNOWLEDGED: Rule(Who.NOBODY, None, Text("Der mangler ikke mere.", "Nothing more is needed.")),
        S.REJECTED: Rule(
            Who.PERSON, _AT_ONCE,
            Text("Find ud af hvorfor, og aftal med modtageren, hvad de vil have i stedet.",
                 "Find out why, and agree with the receiver what they want instead."),
        ),
        S.FAILED: Rule(
            Who.PERSON, _AT_ONCE,
            Text("Intet er nået frem. Se årsagen, og prøv igen, når den er løst.",
                 "Nothing has arrived. See the cause, and try again when it is solved."),
        ),
        S.OUTCOME_UNKNOWN: Rule(
            Who.PERSON, _AT_ONCE,
            Text("Spørg modtageren, om dokumentet er kommet, og vælg så, hvad der skal ske.",
                 "Ask the receiver whether the document has come, and then choose what shall happen."),
        ),
        S.CANCELLED: Rule(Who.NOBODY, None, Text("Det sendes ikke.", "It is not sent.")),
        S.SUPERSEDED: Rule(
            Who.NOBODY, None, Text("En nyere afsendelse har afløst det.", "A newer sending has replaced it.")
        ),
    }
)  # fmt: skip

_SAME_NUMBER = Text(
    "Se det andet dokument med samme nummer. Er det den samme handel, så vælg »Markér som håndteret udenfor«; ellers »Send alligevel«.",
    "See the other document with the same number. If it is the same sale, choose “Mark as handled outside”; else “Send anyway”.",
)
_HANDLED = Text("Det er håndteret udenfor og sendes ikke herfra.", "It is handled outside and not sent from here.")
_AT_REST = Text(
    "Venter: adaptoren er slået fra. Aktivér den igen; så sendes det.",
    "Waits: the adaptor is switched off. Activate it again; then it is sent.",
)
_OUT_OF_REACH = Text(
    "Venter: en testadaptor sender ikke til en gateway i drift. Ændr den ene af dem.",
    "Waits: a test adaptor does not send to a live gateway. Change one of the two.",
)
_PAUSED = Text(
    "Venter: gatewayen holder pause. Se hvorfor, og start den igen; så sendes det.",
    "Waits: the gateway is paused. See why, and start it again; then it is sent.",
)
_RESTING = Text(
    "Modtagerens server svarer ikke. Den prøves igen af sig selv", "The receiver's server does not answer. It is tried again by itself"
)  # fmt: skip
_TRIED_AGAIN = Text("Forsøges igen af sig selv", "Is tried again by itself")
_SENT_AT = Text("Sendes af sig selv", "Is sent by itself")
_ASKED_AGAIN = Text(
    "I kan afgøre det nu. Ellers spørges modtagerens system af sig selv",
    "You can decide now. Else the receiver's system is asked by itself",
)
_NOBODY_ASKS = Text(
    "Gatewayen holder pause, så modtagerens system ikke spørges. Start den igen, eller spørg modtageren selv.",
    "The gateway is paused, so the receiver's system is not asked. Start it again, or ask the receiver yourself.",
)
_STATUS_ASKED = Text("Udbyderen spørges igen om status", "The provider is asked for the status again")
_IF_ONE_COMES = Text(
    "Der er ikke aftalt nogen kvittering. Kommer der en, tæller den.", "No receipt was agreed. If one comes, it counts."
)


def next_action(delivery: Delivery, adaptor: Adaptor, now: datetime | None = None) -> Next:
    """Who moves a delivery next, how, and when. Asks no partner."""
    if delivery.document.stage is Stage.HANDLED and delivery.state is not S.SUPERSEDED:
        return Next(Who.NOBODY, _HANDLED)
    special = _SPECIAL.get(delivery.state)
    found = special(delivery, adaptor, now or utcnow()) if special else None
    rule = RULES[delivery.state]
    return found or Next(rule.who, rule.text)


def _before_sending(delivery: Delivery, adaptor: Adaptor, now: datetime) -> Next | None:
    gateway = delivery.gateway
    if not adaptor.active or adaptor.deleted_at is not None:
        return Next(Who.PERSON, _AT_REST)
    if adaptor.environment is Environment.TEST and gateway.environment is Environment.LIVE:
        return Next(Who.PERSON, _OUT_OF_REACH)
    invoice = order.awaited(delivery.document, delivery)
    if invoice is not None:
        to_do = order.to_do(invoice)
        return Next(Who.PERSON, to_do) if to_do else Next(Who.MACHINE, order.why_waiting(invoice))
    if gateway.paused_at is not None:
        return Next(Who.PERSON, _PAUSED)
    if gateway.retry_at is not None and gateway.retry_at > now:
        return Next(Who.MACHINE, _RESTING, gateway.retry_at)
    if delivery.next_at is not None and delivery.next_at > now:
        return Next(Who.MACHINE, _TRIED_AGAIN if delivery.tries or delivery.error else _SENT_AT, delivery.next_at)
    return None


def _after_acceptance(delivery: Delivery, _adaptor: Adaptor, _now: datetime) -> Next:
    marked = _marked_received(delivery)
    if marked is not None:
        return Next(Who.NOBODY, marked)
    if delivery.next_at is not None:
        return Next(Who.PARTNER, RULES[S.ACCEPTED].text, delivery.next_at)
    if delivery.poll_at is not None:
        return Next(Who.MACHINE, _STATUS_ASKED, delivery.poll_at)
    transport = registry().get(delivery.gateway.kind, Transport)
    known = transport.yes_means
    return Next(Who.NOBODY, Text(f"{known.da} {_IF_ONE_COMES.da}", f"{known.en} {_IF_ONE_COMES.en}"))


def _marked_received(delivery: Delivery) -> Text | None:
    """Who has said that it arrived, and why; None where the wire says so."""
    said = db.session.scalar(
        select(Receipt)
        .where(Receipt.delivery_id == delivery.id, Receipt.kind == "person")
        .order_by(Receipt.id.desc())
        .limit(1)
    )
    if said is None:
        return None
    when, note = moment(said.created_at), said.evidence["note"]
    return Text(
        f"Markeret som modtaget af {said.reference} {when.da}: »{note}«",
        f"Marked as received by {said.reference} {when.en}: “{note}”",
    )


def _unclear(delivery: Delivery, adaptor: Adaptor, _now: datetime) -> Next | None:
    asked_at = min(filter(None, (delivery.next_at, delivery.poll_at)), default=None)
    if asked_at is None or not adaptor.active or adaptor.deleted_at is not None:
        return None
    if delivery.gateway.paused_at is not None:
        return Next(Who.PERSON, _NOBODY_ASKS)
    return Next(Who.MACHINE, _ASKED_AGAIN, asked_at)


def _stopped(delivery: Delivery, _adaptor: Adaptor, _now: datetime) -> Next | None:
    taken = any(found["rule"] == numbers.RULE for found in delivery.findings)
    return Next(Who.PERSON, _SAME_NUMBER) if taken else None


_SPECIAL = {S.BLOCKED: _stopped, S.PENDING: _before_sending, S.ACCEPTED: _after_acceptance, S.OUTCOME_UNKNOWN: _unclear}


@dataclass(frozen=True, slots=True)
class Overdue:
    """A delivery that has stayed in its state too long."""

    delivery_id: str
    adaptor_id: str
    document_id: str
    number: str
    state: DeliveryState
    due_at: datetime
    """When it should have moved"""


def overdue(adaptor_ids: Sequence[str], now: datetime, limit: int = _MANY) -> list[Overdue]:
    """Deliveries that should have moved long ago, the longest due first."""
    found = {
        one.delivery_id: one
        for state, rule in RULES.items()
        if rule.longest
        for is_late in _late_in(state, now - rule.longest)
        for one in _found(adaptor_ids, state, is_late, limit)
        if one.due_at < now - rule.longest
    }
    return sorted(found.values(), key=lambda one: (one.due_at, one.delivery_id))[:limit]


def _late_in(state: DeliveryState, before: datetime) -> Iterator[ColumnElement[bool]]:
    """Each is a query of its own that an index answers, because few of very many are late."""
    yield Delivery.next_at < before
    if state is not S.ACCEPTED:
        yield and_(Delivery.next_at.is_(None), Delivery.updated_at < before)
    if state is S.PENDING:
        yield waiting.is_waiting()


def _found(
    adaptor_ids: Sequence[str], state: DeliveryState, is_late: ColumnElement[bool], limit: int
) -> Iterator[Overdue]:
    due = func.coalesce(Delivery.next_at, Delivery.updated_at)
    rows: Any = db.session.execute(
        select(Delivery.id, Delivery.adaptor_id, Delivery.document_id, Document.number, due, Delivery.error)
        .join(Document, Document.id == Delivery.document_id)
        .join(Gateway, Gateway.id == Delivery.gateway_id)
        .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
        .where(
            Delivery.state == state, is_late, Delivery.adaptor_id.in_(adaptor_ids),
            Document.stage != Stage.HANDLED, _only_where(state),
        )
        .order_by(due, Delivery.id)
        .limit(limit)
    )  # fmt: skip
    for delivery_id, adaptor_id, document_id, number, due_at, error in rows:
        yield Overdue(delivery_id, adaptor_id, document_id, number, state, waiting.since(error) or due_at)


def _only_where(state: DeliveryState) -> ColumnElement[bool]:
    """What waits with good reason, which is told elsewhere, is not stuck."""
    if state is S.PENDING:
        reaches = or_(Adaptor.environment == Environment.LIVE, Gateway.environment == Environment.TEST)
        works = and_(Adaptor.active, Adaptor.deleted_at.is_(None), reaches)
        return and_(works, ~order.is_early(), Gateway.paused_at.is_(None), Gateway.failing_since.is_(None))
    if state is S.ACCEPTED:
        return Gateway.paused_at.is_(None)
    return true()
