"""Our documents of a period, and what of them has no history: noted once, when a proof is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Severity, Text
from invoiceapp.models import Adaptor, ApprovalWait, Delivery, Document, ExportRule, Stage, db
from invoiceapp.services.database import reading
from invoiceapp.services.delivery import order
from invoiceapp.services.export import reasons, selection

from . import words
from .books import Noted

CHUNK = 500
_NOTHING = Text("", "")
#: Of which findings, the error or another document tell why.
_EXPLAINED = frozenset(
    {
        DeliveryState.BLOCKED,
        DeliveryState.PENDING,
        DeliveryState.FAILED,
        DeliveryState.REJECTED,
        DeliveryState.OUTCOME_UNKNOWN,
    }
)


def of_period(adaptor_id: str, first: date, last: date, source_ids: Collection[str]) -> list[Noted]:
    """Of all that are dated in the period, and of those that the accounting system has in it (``source_ids``)."""
    mine = select(Document.id).where(Document.adaptor_id == adaptor_id)
    with reading() as session:
        ids = set(session.scalars(mine.where(Document.issue_date.between(first, last))))
        for chunk in chunks(sorted(source_ids)):
            ids |= set(session.scalars(mine.where(Document.source_id.in_(chunk))))
    found: list[Noted] = []
    for chunk in chunks(sorted(ids)):
        with reading():
            found += _of(chunk)
    return found


def chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    """``CHUNK`` at a time."""
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _of(ids: Sequence[str]) -> list[Noted]:
    rows = db.session.scalars(select(Document).where(Document.id.in_(ids)).order_by(Document.id)).all()
    active = _active({row.customer_id for row in rows if row.customer_id})
    waiting = set(db.session.scalars(select(ApprovalWait.document_id).where(ApprovalWait.document_id.in_(ids))))
    deliveries = _deliveries({row.delivery_id for row in rows if row.delivery_id})
    known = _Known(selection.why_listed(rows), deliveries, _adaptors(rows))
    return [_noted(row, active, waiting, known) for row in rows]


@dataclass(frozen=True, slots=True)
class _Known:
    """What explains the documents of a chunk: reasons by the document's id, deliveries by their own, and adaptors' names by
    the id of the document that each has sent."""

    reasons: Mapping[str, selection.Reason]
    deliveries: Mapping[str, Delivery]
    adaptors: Mapping[str, str]


def _active(customer_ids: Collection[str]) -> set[str]:
    query = select(ExportRule.customer_id).where(ExportRule.customer_id.in_(customer_ids), ExportRule.active)
    return set(db.session.scalars(query))


def _deliveries(ids: Collection[str]) -> dict[str, Delivery]:
    rows = db.session.scalars(select(Delivery).where(Delivery.id.in_(ids)))
    return {row.id: row for row in rows}


def _adaptors(rows: Sequence[Document]) -> dict[str, str]:
    ids = {holder for row in rows if (holder := _holder(row))}
    names = db.session.execute(
        select(Document.id, Adaptor.name).join(Adaptor, Adaptor.id == Document.adaptor_id).where(Document.id.in_(ids))
    )
    return {row.id: row.name for row in names}


def _holder(row: Document) -> str | None:
    """The document of another adaptor that it was left out for."""
    return (row.error or {}).get("holder") if row.stage is Stage.SKIPPED else None


def _noted(row: Document, active: Collection[str], waiting: Collection[str], known: _Known) -> Noted:
    delivery = known.deliveries.get(row.delivery_id or "")
    why = _why(row, delivery, known)
    rules = {found["rule"] for found in delivery.findings} if delivery else set()
    return Noted(
        document_id=row.id, source_id=row.source_id, type=row.type.value, number=row.number, day=row.issue_date,
        customer=row.customer_name, currency=row.currency, net=row.net, vat=row.vat,
        is_active=row.customer_id in active, awaits_approval=row.id in waiting,
        status=row.status, why_da=why.da, why_en=why.en, elsewhere=_holder(row),
        also_by_source=reasons.ALREADY_SENT in rules, also_elsewhere=reasons.SENT_ELSEWHERE in rules,
    )  # fmt: skip


def _why(row: Document, delivery: Delivery | None, known: _Known) -> Text:
    """Why it stands as it does; empty where its group says it all."""
    if row.id in known.reasons:
        return known.reasons[row.id].short
    if row.stage is Stage.SKIPPED:
        return words.left_out(known.adaptors.get(_holder(row) or ""), (row.error or {}).get("channels", ""))
    if row.stage is not Stage.CONVERTED:
        return _text(row.error)
    if delivery is None or delivery.state not in _EXPLAINED:
        return _NOTHING
    if delivery.state is DeliveryState.BLOCKED:
        return words.several(
            [_text(found["text"]) for found in delivery.findings if found["severity"] == Severity.FATAL]
        )
    invoice = order.awaited(row, delivery)
    return order.why_waiting(invoice) if invoice else _text(delivery.error)


def _text(stored: Mapping[str, Any] | None) -> Text:
    return Text(stored.get("da", ""), stored.get("en", "")) if stored else _NOTHING
