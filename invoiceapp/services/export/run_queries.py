"""What a run is to read, as it is stored with the run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from invoiceapp.sources.base import DocumentQuery


def query_to_json(query: DocumentQuery, not_understood: Sequence[str] = ()) -> dict[str, Any]:
    """Stored form of a query; empty conditions are left out. ``not_understood``: what a person typed beside it."""
    values: dict[str, Any] = {
        "first_date": query.first_date.isoformat() if query.first_date else None,
        "last_date": query.last_date.isoformat() if query.last_date else None,
        "customer_ids": list(query.customer_ids),
        "numbers": list(query.numbers),
        "ids": list(query.ids),
        "not_understood": list(not_understood),
    }
    return {name: value for name, value in values.items() if value}


def query_from_json(stored: dict[str, Any], since: datetime | None = None) -> DocumentQuery:
    """The reverse of ``query_to_json``."""

    def _date(name: str) -> date | None:
        return date.fromisoformat(stored[name]) if stored.get(name) else None

    return DocumentQuery(
        since=since,
        first_date=_date("first_date"),
        last_date=_date("last_date"),
        customer_ids=tuple(stored.get("customer_ids", ())),
        numbers=tuple(stored.get("numbers", ())),
        ids=tuple(stored.get("ids", ())),
    )
