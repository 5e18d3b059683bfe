"""What a manual export has found, what was chosen of it, and what becomes of each chosen document: for its page.

A chosen document waits for its turn, was left out, was taken back, or was handed over; then its own status tells the rest.
The figures count each exactly once, in one question, so that they always add up to the number that was chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, tuple_

from invoiceapp.domain.delivery import ARRIVED, DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Customer, Document, FoundDocument, FoundGroup, FoundOutcome, Job, Stage, db
from invoiceapp.services import background
from invoiceapp.services.export.queries import Row

from . import listing

S = DeliveryState
#: The kinds of job: handing over what was chosen, trying it without sending, taking back what has not left.
EXPORT, DRY_RUN, TAKE_BACK = "export", "dry_run", "take_back"
PAGE = 50
#: Of a chosen document whose turn has not come.
WAITING = "waiting"
_CONVERTED = frozenset(S) - {S.BLOCKED, S.SUPERSEDED}
_LEFT = ARRIVED | {S.REJECTED, S.OUTCOME_UNKNOWN}
_MOVING = frozenset({WAITING, Stage.QUEUED, S.PENDING})


@dataclass(frozen=True, slots=True)
class Choice:
    """Documents of one group that were not chosen yet: some, or all of them."""

    group: FoundGroup
    ids: tuple[str, ...] = ()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.ids)

    def condition(self, run_id: str) -> ColumnElement[bool]:
        """For queries that have ``FoundDocument``."""
        found = (FoundDocument.run_id == run_id) & (FoundDocument.group == self.group)
        found &= FoundDocument.chosen_at.is_(None)
        return found if self.everything else found & FoundDocument.document_id.in_(self.ids)


@dataclass(slots=True)
class Sum:
    """Some documents and what they come to, credit notes subtracted."""

    documents: int = 0
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By currency"""


_AMOUNT = case((Document.type == DocumentType.CREDIT_NOTE, -Document.amount_key), else_=Document.amount_key)


def _sums(*conditions: ColumnElement[bool]) -> dict[FoundGroup, Sum]:
    rows = db.session.execute(
        select(FoundDocument.group, Document.currency, func.count(), func.sum(_AMOUNT))
        .join(Document, Document.id == FoundDocument.document_id)
        .where(*conditions)
        .group_by(FoundDocument.group, Document.currency)
        .order_by(Document.currency)
    )
    found: dict[FoundGroup, Sum] = {group: Sum() for group in FoundGroup}
    for group, currency, documents, amount in rows:
        found[group].documents += documents
        found[group].amounts[currency] += Decimal(amount) / 10_000
    return found


def groups(run_id: str) -> dict[FoundGroup, Sum]:
    """What is still to be chosen from."""
    return _sums(FoundDocument.run_id == run_id, FoundDocument.chosen_at.is_(None))


def total(run_id: str, choice: Choice) -> Sum:
    """What a choice comes to."""
    return _sums(choice.condition(run_id))[choice.group]


def customers_of(run_id: str, choice: Choice) -> list[Customer]:
    """The customers behind a choice, by name."""
    query = (
        select(Customer)
        .where(
            Customer.id.in_(
                select(Document.customer_id)
                .join(FoundDocument, FoundDocument.document_id == Document.id)
                .where(choice.condition(run_id))
            )
        )
        .order_by(Customer.name, Customer.id)
    )
    return list(db.session.scalars(query))


@dataclass(frozen=True, slots=True)
class Found:
    """A found document as the page lists it."""

    found: FoundDocument
    row: Row


@dataclass(frozen=True, slots=True)
class Listed:
    """Some rows in the order of their numbers, and the cursor of the next ones ("" at the end)."""

    rows: list[Found]
    after: str = ""


def of_group(run_id: str, group: FoundGroup, after: str = "", size: int = PAGE) -> Listed:
    """What is still to be chosen from in one group."""
    return _listed(Choice(group, everything=True).condition(run_id), after, size)


def chosen(run_id: str, show: str = "", after: str = "", size: int = PAGE) -> Listed:
    """What was chosen, narrowed to one of the figures of ``standing``."""
    conditions = (FoundDocument.run_id == run_id) & FoundDocument.chosen_at.is_not(None)
    if show:
        conditions &= _figure() == show
    return _listed(conditions, after, size)


def _listed(condition: ColumnElement[bool], after: str, size: int) -> Listed:
    key, _, last = after.rpartition("~")
    query = (
        select(FoundDocument, Document.number_key)
        .join(Document, Document.id == FoundDocument.document_id)
        .where(condition)
        .order_by(Document.number_key, Document.id)
        .limit(size + 1)
    )
    if last:
        query = query.where(tuple_(Document.number_key, Document.id) > tuple_(key, last))
    rows = db.session.execute(query).all()
    more, rows = len(rows) > size, rows[:size]
    documents = {row.document.id: row for row in listing.rows_of([found.document_id for found, _ in rows])}
    listed = [Found(found, documents[found.document_id]) for found, _ in rows]
    return Listed(listed, f"{rows[-1].number_key}~{rows[-1][0].document_id}" if more else "")


def _figure() -> ColumnElement[Any]:
    """Which figure a chosen document belongs to: exactly one."""
    return case(
        (FoundDocument.outcome.is_(None), WAITING),
        (FoundDocument.outcome == FoundOutcome.SENT, Document.status),
        else_=func.coalesce(FoundDocument.outcome, WAITING),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an export has come. ``figures`` adds up to ``chosen``."""

    found: int
    chosen: int
    figures: Mapping[str, int]
    """By ``WAITING``, ``left_out``, ``taken_back``, or the document's status"""

    def _of(self, statuses: frozenset[Any]) -> int:
        return sum(count for name, count in self.figures.items() if name in statuses)

    @property
    def converted(self) -> int:
        """Became an e-invoice that may leave."""
        return self._of(_CONVERTED)

    @property
    def sent(self) -> int:
        """Have left, or may have."""
        return self._of(_LEFT)

    @property
    def received(self) -> int:
        """The receiver's side has them."""
        return self._of(ARRIVED)

    @property
    def moving(self) -> int:
        """Still on their way, or waiting for it."""
        return self._of(_MOVING)

    @property
    def settled(self) -> int:
        """Nothing more happens to them by itself."""
        return self.chosen - self.moving


def standing(run_id: str) -> Standing:
    """Counted in one question, so that the figures belong to one moment."""
    is_chosen = FoundDocument.chosen_at.is_not(None)
    figure = case((is_chosen, _figure()), else_="")
    rows = db.session.execute(
        select(figure.label("figure"), func.count())
        .select_from(FoundDocument)
        .join(Document, Document.id == FoundDocument.document_id)
        .where(FoundDocument.run_id == run_id)
        .group_by("figure")
    ).all()
    figures = {name: count for name, count in rows if name}
    return Standing(sum(count for _, count in rows), sum(figures.values()), figures)


def is_figure(text: str) -> bool:
    """Whether a text out of an address names one."""
    return text in {WAITING, FoundOutcome.LEFT_OUT, FoundOutcome.TAKEN_BACK} | listing.STATUSES


def job_of(run_id: str, adaptor_id: str, kinds: Sequence[str] = (EXPORT, DRY_RUN, TAKE_BACK)) -> Job | None:
    """The job that works on what this run found."""
    jobs = (background.active(adaptor_id, kind) for kind in kinds)
    return next((job for job in jobs if job and job.parameters["run"] == run_id), None)


def last_export(run_id: str, adaptor_id: str) -> Job | None:
    """The newest job that handed over what this run found, whatever became of it."""
    job = background.latest(adaptor_id, EXPORT)
    return job if job and job.parameters["run"] == run_id else None
