"""The whole result of a list as a file for spreadsheets, however many documents it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.spreadsheets import DIALECTS, Cell, Dialect, written
from invoiceapp.models import Adaptor, db
from invoiceapp.services.database import transaction
from invoiceapp.services.export.queries import Row

from . import listing

#: What a file has of each document, in this order.
COLUMNS = (
    "sender", "receiver", "number", "type", "date", "net", "vat", "total", "currency", "customer_order",
    "supplier_order", "format", "gateway", "status", "stage", "sent", "received",
)  # fmt: skip
_ZONE = ZoneInfo("Europe/Copenhagen")
_RECEIVED = frozenset({DeliveryState.DELIVERED.value, DeliveryState.ACKNOWLEDGED.value})


@dataclass(frozen=True, slots=True)
class Words:
    """What the file says in the reader's language."""

    columns: Mapping[str, str]
    """By the names of ``COLUMNS``"""
    types: Mapping[str, str]
    """By the values of ``DocumentType``"""
    statuses: Mapping[str, str]
    """By ``Document.status``"""
    stages: Mapping[str, str]
    """The accounting system's own word by ``Document.status``; none where it has none"""
    format: Callable[[str], str]
    """The name of a format"""
    is_danish: bool
    """Danish spreadsheets want a comma for the decimals and the day first"""


def dialect(is_danish: bool) -> Dialect:
    """A semicolon and the mark of UTF-8 in both languages: most readers have a Danish Excel."""
    danish, international = DIALECTS["danish-excel"], DIALECTS["international"]
    if is_danish:
        return danish
    return Dialect(danish.delimiter, international.decimal, danish.line_end, international.date_form, danish.start)


def lines(adaptor_ids: Sequence[str], view: listing.View, words: Words) -> Iterator[str]:
    """The file, some hundred lines at a time, in the order of the list; each part is a transaction of its own.

    From the first page on, whatever page ``view`` is on.
    """
    form = dialect(words.is_danish)
    yield form.start + written([[words.columns[name] for name in COLUMNS]], form)
    for ids in listing.ids(adaptor_ids, view.filter, view.sort):
        with transaction():
            senders = _senders(adaptor_ids)
            part = written((_cells(row, senders, words, form) for row in listing.rows_of(ids)), form)
            # A session keeps what it has read.
            db.session.expunge_all()
        yield part


def _senders(adaptor_ids: Sequence[str]) -> dict[str, str]:
    """The company behind each adaptor, or the adaptor's name where it is not connected."""
    rows = db.session.execute(select(Adaptor.id, Adaptor.name, Adaptor.organization).where(Adaptor.id.in_(adaptor_ids)))
    return {row.id: (row.organization or {}).get("name") or row.name for row in rows}


def _cells(row: Row, senders: Mapping[str, str], words: Words, form: Dialect) -> list[Cell]:
    document, delivery = row.document, row.delivery
    received = document.status_at if document.status in _RECEIVED else None
    return [
        senders[document.adaptor_id], document.customer_name, document.number,
        words.types.get(document.type.value, document.type.value), document.issue_date,
        *(document.signed(value) for value in (document.net, document.vat, document.gross)), document.currency, document.customer_order, document.supplier_order,
        words.format(document.format) if document.format else None, delivery.gateway.name if delivery else None,
        words.statuses.get(document.status, document.status), words.stages.get(document.status),
        _moment(delivery.first_sent_at if delivery else None, form), _moment(received, form),
    ]  # fmt: skip


def _moment(at: datetime | None, form: Dialect) -> str | None:
    return at.astimezone(_ZONE).strftime(f"{form.date_form} %H:%M") if at else None
