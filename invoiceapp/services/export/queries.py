"""Reading for pages and scripts: lists with keyset paging, counts, one document with all that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased

from invoiceapp.domain.delivery import ARRIVED, IN_PROGRESS, NEEDS_PERSON, DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Delivery,
    Document,
    Event,
    Receipt,
    Rendition,
    Run,
    Stage,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services.errors import ServiceError

from .runs import progress
from .selection import Reason, why_listed

PAGE = 50


def find_adaptor(text: str) -> Adaptor:
    """By id, name (any case), or the source's kind where only one adaptor has it. Raises ``ServiceError``."""
    found = db.session.scalars(
        select(Adaptor).where(
            or_(Adaptor.id == text, func.lower(Adaptor.name) == text.lower(), Adaptor.source_kind == text.lower())
        )
    ).all()
    if len(found) == 1:
        return found[0]
    raise ServiceError(
        Text(f"Adaptoren »{text}« findes ikke.", f"There is no adaptor “{text}”.")
        if not found
        else Text(f"Flere adaptorer passer på »{text}«; brug id'et.", f"Several adaptors match “{text}”; use the id.")
    )


def is_demo(adaptor: Adaptor) -> bool:
    """Whether it belongs to the demo company, whose partners are stand-ins on this machine."""
    return db.session.get_one(Subscription, adaptor.subscription_id).is_demo


def run_summary(run_id: str) -> dict[str, Any]:
    """A run with its counts, for scripts."""
    run = db.session.get_one(Run, run_id, populate_existing=True)
    return {
        "id": run.id, "state": run.state.value, "read": run.read, "queued": run.queued,
        "not_activated": run.not_activated, "already_exported": run.already_exported, "skipped": run.skipped,
        "problems": run.problems, "error": run.error, "documents": progress(run),
    }  # fmt: skip


def deliveries_as_json(state: DeliveryState | None = None) -> list[dict[str, Any]]:
    """All deliveries, newest first, with the keys that scripts rely on."""
    query = (
        select(Delivery, Rendition.sha256)
        .outerjoin(Rendition, Rendition.id == Delivery.rendition_id)
        .order_by(Delivery.id.desc())
    )
    if state is not None:
        query = query.where(Delivery.state == state)
    return [
        {
            "id": delivery.id,
            "document_no": delivery.document.number,
            "type": delivery.document.type.value,
            "customer": delivery.document.customer_name,
            "format": delivery.format,
            "transport": delivery.transport,
            "gateway": delivery.gateway.name,
            "state": delivery.state.value,
            "sha256": sha256,
            "reference": delivery.remote_ref,
            "error": delivery.error,
            "findings": delivery.findings,
        }
        for delivery, sha256 in db.session.execute(query)
    ]


def format_label(format_id: str) -> Text:
    """A format's name; the id of one that this installation does not have (any more)."""
    known = formats().get(format_id)
    return known.label if known else Text(format_id, format_id)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list shows; every value comes from the URL and goes back into it."""

    group: str = "all"
    """``all``, ``person``, ``progress`` (queued documents too), ``arrived``, a delivery state, or a document's stage"""
    text: str = ""
    run_id: str = ""
    """Only documents that this run queued"""
    after: str = ""
    """Keyset cursor: ``<issue date>_<document id>`` of the last row of the page before"""


@dataclass(frozen=True, slots=True)
class Row:
    """One document on the dashboard."""

    document: Document
    delivery: Delivery | None
    why_listed: Reason | None = None
    """Why it was read and is not exported"""

    @property
    def status(self) -> str:
        """The delivery's state; the stage of a document that has none, is being converted again or was left out."""
        left_out = self.document.stage in (Stage.QUEUED, Stage.SKIPPED)
        if self.delivery is None or left_out or self.delivery.state is DeliveryState.SUPERSEDED:
            return self.document.stage.value
        return self.delivery.state.value

    @property
    def held_until(self) -> datetime | None:
        """Until when a person may stop it before it is sent for the first time."""
        one = self.delivery
        if one is None or self.status != DeliveryState.PENDING.value or one.next_at is None:
            return None
        was_tried = one.tries > 0 or one.first_sent_at is not None
        return one.next_at if not was_tried and one.next_at > utcnow() else None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows and the cursor of the next, older page ("" at the end)."""

    rows: list[Row]
    older: str


_GROUPS = {"person": NEEDS_PERSON, "progress": IN_PROGRESS, "arrived": ARRIVED}
_STATES = frozenset(state.value for state in DeliveryState)
_STAGES = frozenset(stage.value for stage in Stage)
_CURRENT = Delivery.state != DeliveryState.SUPERSEDED


def _newest_delivery() -> Any:
    """The delivery to show for a document: its newest."""
    inner = aliased(Delivery)
    return (
        select(func.max(inner.id)).where(inner.document_id == Document.id, inner.state != DeliveryState.SUPERSEDED)
    ).scalar_subquery()


def _narrow(query: Select[Any], wanted: Filter) -> Select[Any]:
    if wanted.group == "progress":
        query = query.where(or_(Delivery.state.in_(IN_PROGRESS), Document.stage == Stage.QUEUED))
    elif wanted.group in _GROUPS:
        query = query.where(Delivery.state.in_(_GROUPS[wanted.group]))
    elif wanted.group in _STATES:
        query = query.where(Delivery.state == DeliveryState(wanted.group))
    elif wanted.group in _STAGES:
        query = query.where(Document.stage == Stage(wanted.group))
    if wanted.run_id:
        query = query.where(Document.run_id == wanted.run_id)
    return query


def _matches(text: str) -> Any:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    like = f"%{escaped}%"
    return or_(
        Document.number.ilike(f"{escaped}%", escape="\\"),
        Document.customer_name.ilike(like, escape="\\"),
        Document.order_number.ilike(like, escape="\\"),
    )


def _cursor(text: str) -> tuple[date, str] | None:
    """The position in a cursor; None for anything that is not one of ours."""
    issued, _, last_id = text.partition("_")
    try:
        return (date.fromisoformat(issued), last_id) if last_id else None
    except ValueError:
        return None


def documents_page(adaptor_id: str, wanted: Filter, size: int = PAGE) -> Page:
    """Newest first by issue date; older pages by keyset, so that page 10 000 costs what page 1 costs."""
    query: Any = (
        select(Document, Delivery)
        .outerjoin(Delivery, Delivery.id == _newest_delivery())
        .where(Document.adaptor_id == adaptor_id)
        .order_by(Document.issue_date.desc(), Document.id.desc())
        .limit(size + 1)
    )
    query = _narrow(query, wanted)
    if wanted.text:
        query = query.where(_matches(wanted.text))
    cursor = _cursor(wanted.after)
    if cursor is not None:
        issued, last_id = cursor
        query = query.where(
            or_(Document.issue_date < issued, (Document.issue_date == issued) & (Document.id < last_id))
        )
    found = db.session.execute(query).all()
    reasons = why_listed(document for document, _delivery in found)
    rows = [Row(document, delivery, reasons.get(document.id)) for document, delivery in found]
    last = rows[size - 1].document if len(rows) > size else None
    return Page(rows[:size], f"{last.issue_date.isoformat()}_{last.id}" if last else "")


def counts(adaptor_id: str) -> dict[str, int]:
    """Documents by where they are: ``total``, ``person``, ``progress``, ``arrived``, ``waiting``, ``listed``, ``unusable``, ``skipped``."""
    stages = dict(
        db.session.execute(
            select(Document.stage, func.count()).where(Document.adaptor_id == adaptor_id).group_by(Document.stage)
        ).all()
    )
    states = dict(
        db.session.execute(
            select(Delivery.state, func.count())
            .where(Delivery.adaptor_id == adaptor_id, _CURRENT)
            .group_by(Delivery.state)
        ).all()
    )
    return {
        "total": sum(stages.values()),
        "waiting": stages.get(Stage.QUEUED, 0),
        "listed": stages.get(Stage.LISTED, 0),
        "unusable": stages.get(Stage.UNUSABLE, 0),
        "skipped": stages.get(Stage.SKIPPED, 0),
        **{name: sum(states.get(state, 0) for state in group) for name, group in _GROUPS.items()},
    }


@dataclass(frozen=True, slots=True)
class Story:
    """A document with everything that happened to it."""

    document: Document
    deliveries: list[Delivery]
    renditions: dict[str, Rendition]
    attempts: dict[str, list[Attempt]]
    receipts: dict[str, list[Receipt]]
    events: list[Event]

    @property
    def delivery(self) -> Delivery | None:
        """The newest."""
        return self.deliveries[0] if self.deliveries else None

    @property
    def row(self) -> Row:
        """The document as lists show it."""
        return Row(self.document, self.delivery, why_listed([self.document]).get(self.document.id))

    @property
    def rendition(self) -> Rendition | None:
        """The newest delivery's bytes."""
        return self.renditions.get(self.delivery.rendition_id or "") if self.delivery else None


def story(document: Document) -> Story:
    """Everything about one document, in six queries however much there is."""
    deliveries = list(
        db.session.scalars(select(Delivery).where(Delivery.document_id == document.id).order_by(Delivery.id.desc()))
    )
    ids = [delivery.id for delivery in deliveries]
    attempts: dict[str, list[Attempt]] = {}
    for attempt in db.session.scalars(select(Attempt).where(Attempt.delivery_id.in_(ids)).order_by(Attempt.id)):
        attempts.setdefault(attempt.delivery_id, []).append(attempt)
    receipts: dict[str, list[Receipt]] = {}
    for receipt in db.session.scalars(select(Receipt).where(Receipt.delivery_id.in_(ids)).order_by(Receipt.id)):
        receipts.setdefault(receipt.delivery_id, []).append(receipt)
    renditions = db.session.scalars(select(Rendition).where(Rendition.document_id == document.id))
    events = db.session.scalars(
        select(Event).where(Event.document_id == document.id).order_by(Event.created_at, Event.id)
    )
    return Story(document, deliveries, {r.id: r for r in renditions}, attempts, receipts, list(events))


def latest_runs(adaptor_id: str, limit: int = 10) -> list[Run]:
    """Newest first."""
    return list(
        db.session.scalars(select(Run).where(Run.adaptor_id == adaptor_id).order_by(Run.id.desc()).limit(limit))
    )
