"""Reading for pages and scripts: one document with all that belongs to it, runs, and deliveries as JSON."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from invoiceapp.domain.delivery import DeliveryState
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
class Row:
    """One document on the dashboard."""

    document: Document
    delivery: Delivery | None
    why_listed: Reason | None = None
    """Why it was read and is not exported"""

    @property
    def status(self) -> str:
        """The delivery's state; the stage of a document that has none, is being converted again, was left out or handled."""
        left_out = self.document.stage in (Stage.QUEUED, Stage.SKIPPED, Stage.HANDLED)
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
    """Everything about one document."""
    return stories([document])[document.id]


def stories(documents: Collection[Document]) -> dict[str, Story]:
    """By the document's id: everything about it, in five queries however much there is."""
    ids = [document.id for document in documents]
    found = {document.id: Story(document, [], {}, {}, {}, []) for document in documents}
    its: dict[str, Story] = {}
    for delivery in db.session.scalars(
        select(Delivery).where(Delivery.document_id.in_(ids)).order_by(Delivery.id.desc())
    ):
        its[delivery.id] = found[delivery.document_id]
        its[delivery.id].deliveries.append(delivery)
    for attempt in db.session.scalars(select(Attempt).where(Attempt.delivery_id.in_(its)).order_by(Attempt.id)):
        its[attempt.delivery_id].attempts.setdefault(attempt.delivery_id, []).append(attempt)
    for receipt in db.session.scalars(select(Receipt).where(Receipt.delivery_id.in_(its)).order_by(Receipt.id)):
        its[receipt.delivery_id].receipts.setdefault(receipt.delivery_id, []).append(receipt)
    for rendition in db.session.scalars(select(Rendition).where(Rendition.document_id.in_(ids))):
        found[rendition.document_id].renditions[rendition.id] = rendition
    events = select(Event).where(Event.document_id.in_(ids)).order_by(Event.created_at, Event.id)
    for event in db.session.scalars(events):
        found[str(event.document_id)].events.append(event)
    return found


def latest_runs(adaptor_id: str, limit: int = 10) -> list[Run]:
    """Newest first."""
    return list(
        db.session.scalars(select(Run).where(Run.adaptor_id == adaptor_id).order_by(Run.id.desc()).limit(limit))
    )
