"""What may be done to many documents at once: which of the chosen ones each action fits, and in words why not the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import String, cast, exists, or_, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Delivery, Document, Environment, Stage, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import actions

from . import listing
from .listing import Filter

K = TypeVar("K")
S = DeliveryState
#: Documents that one summary, and one job, takes.
MOST = 100_000
CHANGED_SINCE = Text(
    "Kom til eller skiftede status, efter at oversigten blev vist.",
    "Were added, or changed their status, after the summary was shown.",
)
_HAS_LEFT = Text(
    "Er sendt før, og det sendte kan ikke dannes om.", "Were sent before, and what was sent cannot be built anew."
)
_BREAKS_RULES = Text("Overholder ikke reglerne og kan ikke sendes.", "Break the rules and cannot be sent.")
_CANNOT_ASK = Text(
    "Modtagerens system kan ikke spørges herfra. Spørg modtageren selv, og vælg så »Markér som modtaget« eller »Send samme fil "
    "igen«.",
    "The receiver's system cannot be asked from here. Ask the receiver yourself, and then choose “Mark as received” or “Send "
    "same bytes again”.",
)
#: Why an action that is for other documents leaves these out.
_WHERE_IT_IS: dict[str, Text] = {
    S.BLOCKED: Text("Skal rettes først.", "Need a correction first."),
    S.PENDING: Text("Er på vej til modtageren.", "Are on their way to the receiver."),
    S.ACCEPTED: Text("Er afleveret til modtageren.", "Were handed over to the receiver."),
    S.DELIVERED: Text("Er modtaget af modtageren.", "Were received by the receiver."),
    S.ACKNOWLEDGED: Text("Er kvitteret af modtageren.", "Were acknowledged by the receiver."),
    S.REJECTED: Text("Er sendt og afvist af modtageren.", "Were sent, and rejected by the receiver."),
    S.FAILED: Text("Nåede ikke frem: brug »Prøv igen«.", "Did not arrive: use “Try again”."),
    S.OUTCOME_UNKNOWN: Text(
        "Det vides ikke, om de er kommet frem: spørg modtageren først.",
        "It is not known whether they arrived: ask the receiver first.",
    ),
    S.CANCELLED: Text("Er annulleret.", "Were cancelled."),
    Stage.LISTED: Text("Er ikke valgt til eksport.", "Were not chosen for export."),
    Stage.QUEUED: Text("Er ved at blive dannet.", "Are being converted."),
    Stage.UNUSABLE: Text("Kan ikke eksporteres: ret dem i Billy.", "Cannot be exported: correct them in Billy."),
    Stage.SKIPPED: Text("Er sendt af regnskabssystemet selv.", "Were sent by the accounting system itself."),
    Stage.HANDLED: Text("Er håndteret udenfor.", "Were taken care of outside of the program."),
}


def where_it_is(status: str) -> Text:
    """The words for a document that an action leaves out because of where it is."""
    return _WHERE_IT_IS.get(status, actions.MOVED_ON)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done to many documents."""

    name: str
    """As addresses have it"""
    statuses: frozenset[str]
    """Of documents that it is for"""
    event: str
    """The line that it writes on the timeline, in the transaction in which it is done"""
    do: Callable[[Any, str, str], object]
    """Takes the row, who, and the note. Raises ``Conflict``, ``ServiceError``"""
    of_delivery: bool = True
    """Whether the row is the newest delivery, or else the document"""
    asks: bool = False
    """Whether there is a note"""
    requires: bool = False
    """Whether it may not be empty"""
    may_double: bool = False
    """Whether receivers may get documents twice"""


#: Of documents that a person may take care of elsewhere: nothing is on its way, and nothing has arrived.
_AT_REST = frozenset({S.BLOCKED, S.FAILED, S.REJECTED, S.OUTCOME_UNKNOWN, Stage.UNUSABLE, Stage.LISTED, Stage.SKIPPED})


def _ask(row: Delivery, actor: str, _note: str) -> None:
    if row.state is S.OUTCOME_UNKNOWN and not actions.can_be_asked(row):
        raise ServiceError(_CANNOT_ASK)
    actions.ask_again(row, actor)


def _all() -> tuple[Action, ...]:
    return (
        Action(
            "rebuild", frozenset({S.BLOCKED, S.CANCELLED, Stage.UNUSABLE}), "rebuilt",
            lambda row, actor, _note: actions.rebuild(row, actor), of_delivery=False,
        ),
        Action("try-again", frozenset({S.FAILED}), "tried_again", lambda row, actor, _note: actions.try_again(row, actor)),
        Action(
            "ask-again", frozenset({S.OUTCOME_UNKNOWN}), "asked_by_hand", _ask
        ),
        Action(
            "mark-received", frozenset({S.OUTCOME_UNKNOWN}), "marked_received",
            lambda row, actor, note: actions.mark_received(row, actor, note), asks=True, requires=True,
        ),
        # What failed never arrived: it is tried again with the same ids, and cannot arrive twice.
        Action(
            "send-again", frozenset({S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED, S.REJECTED, S.OUTCOME_UNKNOWN, S.CANCELLED}),
            "sent_again", lambda row, actor, note: actions.send_again(row, actor, note), asks=True, requires=True,
            may_double=True,
        ),
        Action(
            "handle-outside", _AT_REST, "handled_outside",
            lambda row, actor, note: actions.handle_outside(row, actor, note), of_delivery=False, asks=True, requires=True,
        ),
        Action(
            "cancel", frozenset({S.BLOCKED, S.PENDING, S.FAILED, S.OUTCOME_UNKNOWN}), "cancelled",
            lambda row, actor, note: actions.cancel(row, actor, note), asks=True,
        ),
    )  # fmt: skip


ACTIONS: dict[str, Action] = {action.name: action for action in _all()}


@dataclass(frozen=True, slots=True)
class Selection:
    """Documents of one adaptor, by id or all that a filter shows."""

    ids: tuple[str, ...] = ()
    everything: Filter | None = None
    until: datetime | None = None
    """When the person saw them; what has changed its status since is left out"""

    def __bool__(self) -> bool:
        return bool(self.ids) or self.everything is not None


@dataclass(slots=True)
class Sum:
    """How many documents, and what they come to."""

    documents: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    """By currency; credit notes taken off"""

    def add(self, row: Chosen) -> None:
        """One more."""
        self.documents += 1
        self.amounts[row.currency] = self.amounts.get(row.currency, Decimal(0)) + row.amount


@dataclass(frozen=True, slots=True)
class Chosen:
    """One chosen document, with what decides about the actions."""

    id: str
    delivery_id: str | None
    status: str
    currency: str
    amount: Decimal
    """Negative for credit notes"""
    has_left: bool
    may_leave: bool
    has_changed: bool
    """Since the person saw it"""

    def item(self, action: Action) -> str:
        """The id of the row that the action is done to."""
        return (self.delivery_id or "") if action.of_delivery else self.id


def why_not(action: Action, row: Chosen) -> Text | None:
    """Why the action leaves a document out; None where it can be done."""
    if row.has_changed:
        return CHANGED_SINCE
    if row.status not in action.statuses:
        return where_it_is(row.status)
    if action.name == "rebuild" and row.has_left:
        return _HAS_LEFT
    return _BREAKS_RULES if action.name == "send-again" and not row.may_leave else None


@dataclass(frozen=True, slots=True)
class Possible:
    """What one action would do with the chosen documents."""

    action: Action
    can: Sum
    left_out: list[tuple[Text, Sum]]
    """With the reason, most documents first"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person should know before anything is done to many documents."""

    total: Sum
    by_status: list[tuple[str, Sum]]
    """Most documents first"""
    possible: dict[str, Possible]
    """By the action's name; all actions"""
    unknown: int
    """Ids that are no documents of this adaptor"""
    until: datetime


def _has_left() -> Any:
    """The condition of ``actions.rebuild``."""
    stays = Delivery.state.in_((S.BLOCKED, S.SUPERSEDED, S.CANCELLED))
    was_sent = Delivery.first_sent_at.is_not(None) & (Delivery.environment == Environment.LIVE)
    return exists().where(Delivery.document_id == Document.id, or_(was_sent, ~stays)).correlate(Document)


def _may_leave() -> Any:
    """The condition of ``actions.send_again``, of the joined delivery. A quoted word cannot stand inside a JSON text."""
    return Delivery.rendition_id.is_not(None) & ~cast(Delivery.findings, String).like('%"fatal"%')


def rows_of(adaptor_id: str, ids: Sequence[str], until: datetime | None = None) -> list[Chosen]:
    """Of these documents, those of the adaptor, in the order of their ids. At most some hundreds at a time."""
    found = db.session.execute(
        select(
            Document.id, Document.delivery_id, Document.status, Document.currency, Document.amount_key, Document.type,
            Document.status_at, _has_left().label("has_left"), _may_leave().label("may_leave"),
        )
        .outerjoin(Delivery, Delivery.id == Document.delivery_id)
        .where(Document.adaptor_id == adaptor_id, Document.id.in_(ids))
        .order_by(Document.id)
    )  # fmt: skip
    return [
        Chosen(
            row.id, row.delivery_id, row.status, row.currency,
            Decimal(row.amount_key) / 10_000 * (-1 if row.type is DocumentType.CREDIT_NOTE else 1),
            bool(row.has_left), bool(row.may_leave), until is not None and row.status_at > until,
        )
        for row in found
    ]  # fmt: skip


def chosen(adaptor_id: str, selection: Selection) -> Iterator[Chosen]:
    """The selected documents. Raises ``ServiceError`` where there are more than ``MOST``.

    Ends its transaction after each part, so that nobody waits for the reader of a hundred thousand.
    """
    count = 0
    for ids in _parts(adaptor_id, selection):
        with transaction():
            rows = rows_of(adaptor_id, ids, selection.until)
        count += len(rows)
        if count > MOST:
            raise ServiceError(
                Text(
                    f"Der er valgt flere end {MOST:,} dokumenter.".replace(",", ".")
                    + " Vælg færre, f.eks. en kortere periode.",
                    f"More than {MOST:,} documents are chosen. Choose fewer, for example a shorter period.",
                )
            )
        yield from rows


def _parts(adaptor_id: str, selection: Selection) -> Iterator[Sequence[str]]:
    if selection.everything is not None:
        return listing.ids([adaptor_id], selection.everything)
    ids = sorted(set(selection.ids))
    return (ids[start : start + listing.CHUNK] for start in range(0, len(ids), listing.CHUNK))


def summary(adaptor_id: str, selection: Selection, now: datetime) -> Summary:
    """What each action would do. ``now`` is taken before anything is read. Raises ``ServiceError``."""
    total, by_status = Sum(), dict[str, Sum]()
    can = {name: Sum() for name in ACTIONS}
    left_out: dict[str, dict[Text, Sum]] = {name: {} for name in ACTIONS}
    for row in chosen(adaptor_id, selection):
        total.add(row)
        by_status.setdefault(row.status, Sum()).add(row)
        for name, action in ACTIONS.items():
            reason = why_not(action, row)
            (can[name] if reason is None else left_out[name].setdefault(reason, Sum())).add(row)
    unknown = len(set(selection.ids)) - total.documents if selection.everything is None else 0
    possible = {name: Possible(action, can[name], _largest(left_out[name])) for name, action in ACTIONS.items()}
    return Summary(total, _largest(by_status), possible, unknown, now)


def _largest(sums: Mapping[K, Sum]) -> list[tuple[K, Sum]]:
    return sorted(sums.items(), key=lambda pair: -pair[1].documents)
