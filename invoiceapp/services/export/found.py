"""What a manual export has found: each document in one of four groups, by what may be done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Environment,
    ExportRule,
    FoundDocument,
    FoundGroup,
    Run,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services.configuration.settings import is_excluded
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import text_dict

from . import selection, trials

S = DeliveryState
G = FoundGroup
#: Documents that are looked at together.
CHUNK = 100
_HANDLED = Text(
    "Nogen har markeret, at dokumentet er ordnet uden for programmet. Fjern det på dokumentets side, hvis det skal sendes.",
    "Somebody has marked the document as handled outside. Undo that on the document's page if it is to be sent.",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document belongs, and why, where it cannot be exported."""

    group: FoundGroup
    text: Text | None = None
    needs_source: bool = False
    """Its records were frozen by an earlier export: they are read anew before it goes"""


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known of some documents beside themselves."""

    adaptor: Adaptor
    rules: Mapping[str, tuple[bool, Mapping[str, Any]]]
    deliveries: Mapping[str, Delivery]
    """By their own id"""
    real: Collection[str]
    """Customers whose documents leave for real"""
    tested: Collection[str]
    """Documents that were only tested"""
    left: Collection[str]
    """Documents that have left for real, by whichever of their deliveries"""


def is_finding(run: Run) -> bool:
    """Whether it reads for a person who chooses afterwards."""
    return run.only_reads and run.trigger == "manual"


def _around(adaptor: Adaptor, documents: Sequence[Document]) -> _Around:
    customers = {one.customer_id for one in documents if one.customer_id}
    rows = db.session.execute(
        select(ExportRule.customer_id, ExportRule.active, ExportRule.settings).where(
            ExportRule.customer_id.in_(customers)
        )
    )
    rules = {customer_id: (active, settings) for customer_id, active, settings in rows}
    newest = select(Delivery).where(Delivery.id.in_([one.delivery_id for one in documents if one.delivery_id]))
    found = db.session.scalars(newest.execution_options(populate_existing=True))
    at_rest = [one for one in documents if one.stage is Stage.CONVERTED]
    return _Around(
        adaptor, rules, {one.id: one for one in found}, trials.live_customers(adaptor, customers),
        trials.of(at_rest) if at_rest else (), _left_for_real(at_rest),
    )  # fmt: skip


def _left_for_real(documents: Sequence[Document]) -> set[str]:
    query = select(Delivery.document_id).where(
        Delivery.document_id.in_([one.id for one in documents]),
        Delivery.first_sent_at.is_not(None),
        Delivery.environment == Environment.LIVE,
    )
    return set(db.session.scalars(query)) if documents else set()


def places(adaptor: Adaptor, documents: Sequence[Document]) -> dict[str, Place]:
    """Where each document belongs as things are now, by its id. ``documents`` are as the database has them."""
    around = _around(adaptor, documents)
    return {one.id: _place(one, around) for one in documents}


def _place(document: Document, around: _Around) -> Place:
    if document.stage is Stage.UNUSABLE:
        return Place(G.UNFIT, Text(**_words(document.error)) if document.error else None)
    if document.stage is Stage.HANDLED:
        return Place(G.UNFIT, _HANDLED)
    if document.stage in (Stage.QUEUED, Stage.SKIPPED):
        return Place(G.EXPORTED)
    if document.stage is Stage.LISTED:
        return _unsent(document, around)
    delivery = around.deliveries.get(document.delivery_id or "")
    if delivery is not None and delivery.state is S.BLOCKED:
        return _unsent(document, around)
    # A second sending that was taken out does not undo the first.
    has_left = document.id in around.left or (delivery is not None and delivery.first_sent_at is not None)
    was_taken_out = not has_left and (delivery is None or delivery.state is S.CANCELLED)
    is_next_for_real = document.id in around.tested and document.customer_id in around.real
    if was_taken_out or is_next_for_real:
        return _unsent(document, around, needs_source=True)
    return Place(G.EXPORTED)


def _words(stored: Mapping[str, str]) -> dict[str, str]:
    return {language: stored[language] for language in ("da", "en")}


def _unsent(document: Document, around: _Around, *, needs_source: bool = False) -> Place:
    adaptor = around.adaptor
    if adaptor.start_date is not None and selection.is_too_old(document, adaptor):
        return Place(G.UNFIT, selection.too_old(document, adaptor.start_date))
    is_active, override = around.rules.get(document.customer_id or "", (False, {}))
    if not is_active:
        return Place(G.NOT_ACTIVATED)
    if is_excluded(document.type, adaptor.settings, override):
        return Place(G.UNFIT, selection.excluded(document.type).long)
    restored = selection.RESTORED.long if selection.may_have_left(document, adaptor) else None
    return Place(G.NOT_EXPORTED, restored, needs_source=needs_source)


def current(document_ids: Sequence[str], *, locked: bool = False) -> list[Document]:
    """The documents as the database has them, in order; ``locked`` until the caller's transaction ends."""
    query = select(Document).where(Document.id.in_(document_ids)).order_by(Document.id)
    if locked:
        query = query.with_for_update(of=Document, key_share=True)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def keep(run: Run, adaptor: Adaptor, source_ids: Sequence[str], at: datetime | None = None) -> Counter[FoundGroup]:
    """One row for each document that was just read; how many are in each group. Inside the caller's transaction.

    Read twice, a document has one row, as it was the last time; a chosen one stays as it was chosen.
    """
    db.session.flush()
    ids = db.session.scalars(
        select(Document.id).where(Document.adaptor_id == adaptor.id, Document.source_id.in_(source_ids))
    ).all()
    return _note(run.id, adaptor, ids, at or utcnow())


def _note(run_id: str, adaptor: Adaptor, document_ids: Sequence[str], read_at: datetime | None) -> Counter[FoundGroup]:
    documents = current(document_ids)
    known = {
        row.document_id: row
        for row in db.session.scalars(
            select(FoundDocument)
            .where(FoundDocument.run_id == run_id, FoundDocument.document_id.in_(document_ids))
            .execution_options(populate_existing=True)
        )
    }
    found = places(adaptor, documents)
    for document in documents:
        row = known.get(document.id) or FoundDocument(run_id=run_id, document_id=document.id)
        row.read_at = read_at or row.read_at
        if row.chosen_at is None:
            place = found[document.id]
            if place.group is not row.group:
                # By another format and gateway, or none.
                row.verdict = None
            row.group, row.delivery_id = place.group, document.delivery_id
            row.text = text_dict(place.text) if place.text else None
        db.session.add(row)
    return Counter(one.group for one in found.values())


def look_again_at_activated(adaptor_id: str) -> None:
    """``look_again`` at all that wait for customers who are active by now."""
    waits = (
        select(FoundDocument.run_id)
        .join(Run, Run.id == FoundDocument.run_id)
        .join(Document, Document.id == FoundDocument.document_id)
        .join(ExportRule, ExportRule.customer_id == Document.customer_id)
        .where(
            Run.adaptor_id == adaptor_id,
            FoundDocument.group == G.NOT_ACTIVATED,
            FoundDocument.chosen_at.is_(None),
            ExportRule.active,
        )
        .distinct()
    )
    for run_id in db.session.scalars(waits).all():
        look_again(run_id)


def look_again(run_id: str) -> None:
    """Put what was not chosen yet into the groups of today: customers were activated, or documents have left."""
    with transaction() as session:
        run = session.get_one(Run, run_id)
        adaptor = session.get_one(Adaptor, run.adaptor_id, populate_existing=True)
        ids = session.scalars(
            select(FoundDocument.document_id).where(FoundDocument.run_id == run_id, FoundDocument.chosen_at.is_(None))
        ).all()
        for start in range(0, len(ids), CHUNK):
            _note(run_id, adaptor, ids[start : start + CHUNK], None)
