"""Documents as read: keep them, and decide which are to be exported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Event,
    ExportRule,
    Run,
    Stage,
    cut,
    db,
    dump_json,
)
from invoiceapp.services.configuration import sources
from invoiceapp.services.configuration.settings import is_excluded
from invoiceapp.services.errors import text_dict
from invoiceapp.sources.base import SourceDocument

from . import events, selection, trials


@dataclass(slots=True)
class Tally:
    """What a run found, for its progress."""

    read: int = 0
    queued: int = 0
    not_activated: int = 0
    already_exported: int = 0
    left_out: list[dict[str, str]] = field(default_factory=list)
    """What a person asked for and the settings leave out: id, number, our id (``document``), why, and the field that changes it (``fix``)"""


@dataclass(frozen=True, slots=True)
class _Buyer:
    """Our customer behind a document, and what its rule says."""

    id: str | None = None
    is_active: bool = False
    override: Mapping[str, Any] = field(default_factory=dict)


_UNKNOWN = _Buyer()
_HANDLED = Text(
    "En af jer har taget sig af dokumentet udenfor. Tag det op igen på dets egen side, hvis det skal sendes herfra.",
    "One of you has taken care of the document outside. Take it up again on its own page if it is to be sent from here.",
)


def _lasting(value: Any, volatile: frozenset[str]) -> Any:
    """A JSON value without the properties named in ``volatile``, at any depth."""
    if isinstance(value, Mapping):
        return {name: _lasting(item, volatile) for name, item in value.items() if name not in volatile}
    if isinstance(value, list | tuple):
        return [_lasting(item, volatile) for item in value]
    return value


def revision(document: SourceDocument, volatile: frozenset[str] = frozenset()) -> str:
    """Hash of the source's records without what the source calls ``volatile``: being paid makes no other document."""
    return hashlib.sha256(dump_json(_lasting(document.bundle, volatile)).encode()).hexdigest()


def _volatile(adaptor_id: str) -> frozenset[str]:
    return sources.source_class(db.session.get_one(Adaptor, adaptor_id)).volatile


def _known(adaptor_id: str, read: Sequence[SourceDocument]) -> dict[str, Document]:
    rows = db.session.scalars(
        select(Document)
        .where(Document.adaptor_id == adaptor_id, Document.source_id.in_([item.id for item in read]))
        .order_by(Document.id)
        # Locked, so that no conversion ends between this and the decision what to do with the document.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.source_id: row for row in rows}


def _buyers(adaptor_id: str, read: Sequence[SourceDocument]) -> dict[str, _Buyer]:
    """By the customer's id in the source."""
    rows = db.session.execute(
        select(Customer.source_id, Customer.id, ExportRule.active, ExportRule.settings)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.source_id.in_({item.customer_id for item in read}))
    )
    return {
        source_id: _Buyer(customer_id, bool(active), override or {})
        for source_id, customer_id, active, override in rows
    }


def _in_state(documents: Sequence[Document], state: DeliveryState) -> set[str]:
    """Ids of documents that have a delivery in ``state``. Asked after ``_known`` has locked them, never before."""
    return set(
        db.session.scalars(
            select(Delivery.document_id).where(
                Delivery.document_id.in_([document.id for document in documents]), Delivery.state == state
            )
        )
    )


def refresh(document: Document, read: SourceDocument) -> None:
    """Take over what the source says now. Inside the caller's transaction."""
    document.type = read.type
    document.number = cut(read.number, 100)
    document.issue_date = read.issue_date
    document.approved_at = read.approved_at.isoformat() if read.approved_at else None
    document.customer_source_id = read.customer_id
    document.credits_source_id = read.credits_id
    document.customer_name = cut(read.customer_name, 500)
    document.currency = cut(read.currency, 3)
    document.net, document.vat = read.net, read.vat
    document.order_number = document.customer_order = cut(read.order_number, 200) or None
    document.supplier_order = None
    document.bundle = dict(read.bundle)
    document.bundle_sha256 = revision(read, _volatile(document.adaptor_id))


def _note_change(document: Document, found: str) -> None:
    """Say once for each new revision that the source has changed what has left; runs see it again and again."""
    last = db.session.scalar(
        select(Event)
        .where(Event.document_id == document.id, Event.kind == "changed_in_source")
        .order_by(Event.id.desc())
        .limit(1)
    )
    if last is None or last.data.get("revision") != found:
        events.of_document("changed_in_source", document, revision=found)


def _insert(read: Iterable[SourceDocument], adaptor: Adaptor) -> dict[str, Document]:
    """New documents by their id in the source: all of them in one statement, and their lines of the timeline in another."""
    new: dict[str, Document] = {}
    for item in read:
        document = new[item.id] = Document(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, source_id=item.id, stage=Stage.LISTED
        )
        refresh(document, item)
    db.session.add_all(new.values())
    db.session.flush()
    for document in new.values():
        events.of_document("fetched", document)
    return new


def _take_in(read: SourceDocument, document: Document, adaptor: Adaptor, is_blocked: bool) -> None:
    """Refresh one document that we had; what has left keeps the records that it was made of."""
    if document.bundle_sha256 != (found := revision(read, _volatile(adaptor.id))):
        if document.stage in (Stage.CONVERTED, Stage.HANDLED) and not is_blocked:
            _note_change(document, found)
        else:
            refresh(document, read)
            document.tries, document.error = 0, None
            # Whoever converts the old records now must not finish.
            document.lease_until = document.lease_token = None
            if document.stage in (Stage.UNUSABLE, Stage.SKIPPED):
                document.stage = Stage.LISTED
            events.of_document("fetched_again", document)


def _is_excluded(document: Document, adaptor: Adaptor, buyer: _Buyer) -> bool:
    """Whether the settings leave its type out, so that it stays listed."""
    return buyer.is_active and is_excluded(document.type, adaptor.settings, buyer.override)


def _wants_export(document: Document, adaptor: Adaptor, buyer: _Buyer, is_blocked: bool) -> bool:
    if not buyer.is_active or selection.is_too_old(document, adaptor):
        return False
    if _is_excluded(document, adaptor, buyer):
        return False
    return is_blocked or (document.stage is Stage.LISTED and not selection.may_have_left(document, adaptor))


def _why_left_out(document: Document, adaptor: Adaptor, buyer: _Buyer) -> dict[str, str] | None:
    """Why the settings keep a document back that a person asked for, as ``Tally.left_out`` has it."""
    named = {"id": document.source_id, "number": document.number, "document": document.id}
    if document.stage is Stage.HANDLED:
        return text_dict(_HANDLED, **named)
    if document.stage is Stage.SKIPPED and document.error:
        return text_dict(Text(document.error["da"], document.error["en"]), **named)
    if document.stage is not Stage.LISTED or not buyer.is_active:
        return None
    if adaptor.start_date and selection.is_too_old(document, adaptor):
        return text_dict(selection.too_old(document, adaptor.start_date), fix="start_date", **named)
    if _is_excluded(document, adaptor, buyer):
        return text_dict(selection.excluded(document.type).long, **named)
    return text_dict(selection.RESTORED.long, **named) if selection.may_have_left(document, adaptor) else None


def _is_kept_back(document: Document, adaptor: Adaptor, buyer: _Buyer) -> bool:
    """Whether it would be exported, had the adaptor not been brought back from a backup."""
    is_listed = document.stage is Stage.LISTED and buyer.is_active and not selection.is_too_old(document, adaptor)
    return is_listed and selection.may_have_left(document, adaptor)


def _count(tally: Tally, run: Run, document: Document, adaptor: Adaptor, buyer: _Buyer) -> None:
    """Note what became of a document that is not queued now."""
    is_told = not run.only_reads and bool(run.query or _is_kept_back(document, adaptor, buyer))
    why = _why_left_out(document, adaptor, buyer) if is_told else None
    if document.run_id == run.id:
        # Queued before this run's worker died.
        tally.queued += 1
    elif why is not None:
        tally.left_out.append(why)
    elif document.stage in (Stage.CONVERTED, Stage.HANDLED):
        tally.already_exported += 1
    elif document.stage is Stage.LISTED:
        tally.not_activated += 1


def _only_tested(run: Run, adaptor: Adaptor, known: Sequence[Document], buyers: Mapping[str, _Buyer]) -> set[str]:
    """Ids of documents that were only tested and would leave for real now, where a person asked for this export."""
    if not run.query or run.only_reads:
        return set()
    live = trials.live_customers(adaptor, (buyer.id for buyer in buyers.values()))
    at_rest = [one for one in known if one.stage is Stage.CONVERTED and one.customer_id in live]
    return trials.of(at_rest) if at_rest else set()


def ingest(run: Run, adaptor: Adaptor, read: Sequence[SourceDocument]) -> Tally:
    """Keep a chunk of documents and queue those to be exported. Inside the caller's transaction.

    A run that only reads queues nothing.
    """
    known = _known(adaptor.id, read)
    buyers = _buyers(adaptor.id, read)
    # What a person takes care of outside keeps its blocked delivery, and is nobody else's.
    blocked = _in_state([one for one in known.values() if one.stage is not Stage.HANDLED], DeliveryState.BLOCKED)
    cancelled = _in_state(list(known.values()), DeliveryState.CANCELLED) - blocked
    tested = _only_tested(run, adaptor, list(known.values()), buyers)
    new = _insert((item for item in read if item.id not in known), adaptor)
    tally = Tally(read=len(read))
    for item in read:
        document = new.get(item.id) or known[item.id]
        is_blocked = document.id in blocked or document.id in tested
        if item.id in known:
            _take_in(item, document, adaptor, is_blocked)
        if document.id in cancelled and document.stage is Stage.LISTED:
            # A person took it out; only a person fetches it again.
            document.stage = Stage.CONVERTED
        buyer = buyers.get(item.customer_id, _UNKNOWN)
        document.customer_id = buyer.id
        wanted = not run.only_reads and _wants_export(document, adaptor, buyer, is_blocked)
        if wanted and (document.id not in tested or trials.supersede(document, run.actor)):
            queue(document, run_id=run.id)
            tally.queued += 1
        else:
            _count(tally, run, document, adaptor, buyer)
    return tally


def queue(document: Document, *, run_id: str | None) -> None:
    """Mark for conversion. Inside the caller's transaction."""
    document.stage = Stage.QUEUED
    document.run_id = run_id
    document.lease_until = document.lease_token = None
    document.tries, document.error = 0, None
