"""Deliveries whose outcome nobody knows: what is known of each, what can be asked, what was answered, and what is left.

Reading only. What a person then does is ``actions``, as on the document's own page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Transport, registry
from invoiceapp.models import Adaptor, Attempt, Delivery, Document, Event, Receipt, Stage, db
from invoiceapp.services.delivery.ages import Next, next_action

from . import queries, standing
from .handling import Way, ways_to_ask
from .outcomes import ACCEPTED, any_went_elsewhere
from .probing import ASKED, answers_since
from .queries import Story

S = DeliveryState
#: Cases of one page.
PAGE = 10


@dataclass(frozen=True, slots=True)
class Try:
    """One try, and how far its bytes came."""

    attempt: Attempt
    reach: Text


@dataclass(frozen=True, slots=True)
class Answer:
    """A question that was asked, or what the partner told by itself."""

    at: datetime
    actor: str
    """``system``, or the person who wanted it asked"""
    text: Text


@dataclass(frozen=True, slots=True)
class Case:
    """One delivery, for the person who has to decide."""

    story: Story
    delivery: Delivery
    adaptor: Adaptor
    transport: Text
    """What kind of gateway it went through"""
    moved_since: bool
    """The gateway leads to another place now than when it was sent"""
    number: str | None
    """What the partner calls it, where that is a number of the partner's own"""
    tries: tuple[Try, ...]
    """Oldest first"""
    receipts: tuple[Receipt, ...]
    """Without those that only repeat one of our own ids: the try says that its bytes were taken"""
    ways: tuple[Way, ...]
    """How the partner's system can be asked now"""
    hints: tuple[Text, ...]
    """The same in words, and what may still come by itself; why nothing can be asked where that is so"""
    answers: tuple[Answer, ...]
    """Oldest first"""
    asked: int
    """Questions since the last try"""
    next: Next

    @property
    def document(self) -> Document:
        """What it is about."""
        return self.story.document

    @property
    def is_newest(self) -> bool:
        """Whether the document's page and its actions are about this delivery."""
        return self.story.delivery is not None and self.story.delivery.id == self.delivery.id

    @property
    def may_send_again(self) -> bool:
        """Whether sending again may be offered: the question was answered, or cannot be asked."""
        return self.asked > 0 or not self.ways


_REACHES: dict[str | None, Text] = {
    None: Text(
        "Serveren her stoppede undervejs. Noget af dokumentet, eller det hele, kan være nået frem.",
        "The server here stopped on the way. Some of the document, or all of it, may have arrived.",
    ),
    "unknown": Text("Dokumentet blev sendt, men svaret kom ikke.", "The document was sent, but the answer did not come."),
    "unavailable": Text("Dokumentet nåede beviseligt ikke frem.", "The document provably did not arrive."),
    "refused": Text("Modtagerens server lukkede os ikke ind, så intet nåede frem.",
                    "The receiver's server did not let us in, so nothing arrived."),
    "rejected": Text("Hele dokumentet blev sendt, og modtageren sagde nej.",
                     "The whole document was sent, and the receiver said no."),
}  # fmt: skip
_WAYS = {
    Way.STATUS: Text(
        "Udbyderen kan spørges, hvad der er blevet af det nummer, den gav afsendelsen.",
        "The provider can be asked what became of the number that it gave the sending.",
    ),
    Way.FIND: Text(
        "Modtagerens system kan spørges, om det har dokumentet. Intet sendes ved at spørge.",
        "The receiver's system can be asked whether it has the document. Nothing is sent by asking.",
    ),
    Way.REPEAT: Text(
        "Det samme kan sendes igen med de samme numre. Har modtageren det, bliver det genkendt og ikke til to.",
        "The same can be sent again with the same ids. If the receiver has it, it is recognised and does not become two.",
    ),
}
_FETCHED = Text(
    "Modtageren kan lægge en kvittering, som hentes af sig selv. Den tæller, også når den kommer sent.",
    "The receiver can lay out a receipt, which is fetched by itself. It counts, even when it comes late.",
)
_RECEIVED = Text(
    "Modtageren kan stadig sende en kvittering hertil. Den tæller, også når den kommer sent.",
    "The receiver can still send a receipt to us. It counts, even when it comes late.",
)
_PAUSED = Text(
    "Gatewayen holder pause, så modtagerens system kan ikke spørges nu.",
    "The gateway is paused, so the receiver's system cannot be asked now.",
)
_ELSEWHERE = Text(
    "Gatewayens indstillinger er ændret, siden det blev sendt, så modtagerens system ville ikke kende det. Spørg modtageren selv.",
    "The gateway's settings were changed after it was sent, so the receiver's system would not know it. Ask the receiver yourself.",
)
_CALL = Text(
    "Modtagerens system kan ikke spørges herfra. Ring eller skriv til modtageren.",
    "The receiver's system cannot be asked from here. Call or write to the receiver.",
)
_ANSWERS = {
    "no": Text("Svar: modtageren har det ikke.", "Answer: the receiver does not have it."),
    "no_answer": Text("Intet klart svar.", "No clear answer."),
}
#: Lines of the timeline that are questions or answers.
_TOLD = {
    "asked_by_hand": Text("Der blev bedt om at spørge igen.", "It was wanted that the question be asked again."),
    "repeated": Text("Sendt igen med de samme numre for at få svar.", "Sent again with the same ids to get an answer."),
    "not_arrived": Text("Var ikke nået frem; sendt igen.", "Had not arrived; sent again."),
    "receipt_missing": Text("Kvitteringen kom ikke til tiden.", "The receipt did not come in time."),
    "said": Text("Modtageren gav besked.", "The receiver sent word."),
    "late_receipt": Text("Modtagerens svar kom sent.", "The receiver's answer came late."),
}


def _waiting(adaptor_ids: Sequence[str]) -> ColumnElement[bool]:
    """For queries that have ``Delivery`` and its ``Document``."""
    return and_(
        Delivery.adaptor_id.in_(adaptor_ids), Delivery.state == S.OUTCOME_UNKNOWN, Document.stage != Stage.HANDLED
    )


def count(adaptor_ids: Sequence[str]) -> int:
    """How many wait for an answer or a person."""
    query = select(func.count()).select_from(Delivery).join(Document, Document.id == Delivery.document_id)
    return db.session.scalar(query.where(_waiting(adaptor_ids))) or 0


def cases(adaptor_ids: Sequence[str], after: str = "", limit: int = PAGE) -> list[Case]:
    """Oldest first; ``after`` is the id of the delivery before. Asks no partner."""
    rows = db.session.scalars(
        select(Delivery)
        .join(Document, Document.id == Delivery.document_id)
        .where(_waiting(adaptor_ids), Delivery.id > after)
        .order_by(Delivery.id)
        .limit(limit)
    ).all()
    stories = queries.stories([row.document for row in rows])
    return [_case(row, stories[row.document_id]) for row in rows]


def _case(delivery: Delivery, story: Story) -> Case:
    adaptor = db.session.get_one(Adaptor, delivery.adaptor_id)
    attempts, transport = story.attempts.get(delivery.id, []), registry().get(delivery.gateway.kind)
    ways = ways_to_ask(delivery, attempts)
    moved = any_went_elsewhere(attempts, standing.opened(delivery.gateway).place)
    ours = {own for one in attempts for own in one.wire_ids.values()}
    events = [event for event in story.events if event.delivery_id == delivery.id]
    return Case(
        story, delivery, adaptor, transport.label if transport else Text(delivery.transport, delivery.transport), moved,
        number=None if delivery.remote_ref in ours else delivery.remote_ref,
        tries=tuple(Try(one, _reach(one, transport)) for one in attempts),
        receipts=tuple(one for one in story.receipts.get(delivery.id, ()) if one.reference not in ours),
        ways=tuple(ways),
        hints=tuple(_hints(delivery, ways, has_moved=moved)),
        answers=tuple(filter(None, map(_answer, events))),
        asked=_asked(delivery, events, attempts),
        next=next_action(delivery, adaptor),
    )  # fmt: skip


def _reach(attempt: Attempt, transport: type[Transport] | None) -> Text:
    if attempt.outcome == ACCEPTED:
        means = transport.yes_means if transport is not None else Transport.yes_means
        return Text(f"Hele dokumentet blev sendt. {means.da}", f"The whole document was sent. {means.en}")
    return _REACHES.get(attempt.outcome, _REACHES["unknown"])


def _hints(delivery: Delivery, ways: Sequence[Way], *, has_moved: bool) -> list[Text]:
    transport = registry().get(delivery.gateway.kind)
    found = [_WAYS[way] for way in ways] or [_why_not(delivery, has_moved=has_moved)]
    if transport is not None and transport.fetches:
        found.append(_FETCHED)
    if transport is not None and transport.receives:
        found.append(_RECEIVED)
    return found


def _why_not(delivery: Delivery, *, has_moved: bool) -> Text:
    if delivery.gateway.is_paused:
        return _PAUSED
    return _ELSEWHERE if has_moved else _CALL


def _answer(event: Event) -> Answer | None:
    data = event.data
    if event.kind == ASKED:
        text = _ANSWERS.get(str(data.get("answer")), _ANSWERS["no_answer"])
    elif event.kind in _TOLD:
        text = Text(data["da"], data["en"]) if "da" in data else _TOLD[event.kind]
    else:
        return None
    return Answer(event.created_at, event.actor, text)


def _asked(delivery: Delivery, events: Sequence[Event], attempts: Sequence[Attempt]) -> int:
    """Since the last try: what was asked before it says nothing of it. ``polls`` counts from the acceptance."""
    last = max((one.number for one in attempts), default=0)
    return delivery.polls + len(answers_since(last, events))
