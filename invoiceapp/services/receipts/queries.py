"""Reading for the gateway's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from invoiceapp.models import Delivery, Document, IncomingMessage, IncomingState, db


@dataclass(frozen=True, slots=True)
class Line:
    """What a message says of one consignment."""

    text: dict[str, str]
    """``{"da": …, "en": …}``"""
    document_id: str | None = None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a partner."""

    name: str
    at: datetime
    size: int
    times: int
    state: IncomingState
    lines: tuple[Line, ...]


def newest(gateway_id: str, limit: int = 20) -> list[Message]:
    """What the partner sent last, newest first."""
    rows = db.session.scalars(
        select(IncomingMessage)
        .where(IncomingMessage.gateway_id == gateway_id)
        .order_by(IncomingMessage.id.desc())
        .limit(limit)
    ).all()
    documents = _documents(rows)
    return [
        Message(row.name, row.created_at, row.size, row.times, row.state, tuple(_lines(row, documents))) for row in rows
    ]


def _documents(rows: Sequence[IncomingMessage]) -> dict[str, tuple[str, str]]:
    """Id and number of the documents, by delivery."""
    wanted = {entry["delivery"] for row in rows for entry in row.outcome if entry["delivery"]}
    found = db.session.execute(
        select(Delivery.id, Document.id, Document.number)
        .join(Document, Document.id == Delivery.document_id)
        .where(Delivery.id.in_(wanted))
    )
    return {delivery_id: (document_id, number) for delivery_id, document_id, number in found}


def _lines(row: IncomingMessage, documents: dict[str, tuple[str, str]]) -> list[Line]:
    return [
        Line({"da": entry["da"], "en": entry["en"]}, *documents.get(entry["delivery"], (None, "")))
        for entry in row.outcome
    ]
