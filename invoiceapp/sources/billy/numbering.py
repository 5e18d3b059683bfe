"""Which numbers Billy has given out, whatever became of them, and what was voided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date

from invoiceapp.domain.invoice import DocumentType
from invoiceapp.sources.base import BookState, SourceChanged, TakenNumber

from .client import BillyClient
from .records import Record, book_standing, identity, text


def taken_numbers(client: BillyClient, first: date, last: date) -> Iterator[TakenNumber]:
    """Of documents dated in these days, of every state, as light as Billy lists them. Raises ``SourceError``."""
    days = {"minEntryDate": first.isoformat(), "maxEntryDate": last.isoformat()}
    for record in client.list_all("/invoices", "invoices", {**days, "sortProperty": "entryDate"}):
        found = _taken(record)
        # Billy ignores filters that it does not know.
        if found is not None and first <= found.issue_date <= last:
            yield found


def voided(client: BillyClient) -> Iterator[str]:
    """Ids of what was voided, of any age, as light as Billy lists it. Raises ``SourceError``."""
    for record in client.list_all(
        "/invoices", "invoices", {"state": BookState.VOIDED.value, "sortProperty": "entryDate"}
    ):
        with suppress(SourceChanged):
            # Billy ignores filters that it does not know.
            if book_standing(record).state is BookState.VOIDED:
                yield identity(record)


def _taken(record: Record) -> TakenNumber | None:
    """None for a draft without a number, and for a record that cannot be read: ``documents`` reports those."""
    number, day, kind = text(record, "invoiceNo"), text(record, "entryDate"), text(record, "type")
    if number is None or day is None or kind is None:
        return None
    with suppress(SourceChanged, ValueError):
        state = book_standing(record).state
        return TakenNumber(identity(record), number, DocumentType(kind), date.fromisoformat(day), state)
    return None
