"""A delivery whose turn has come and that cannot be sent just now: why, and since when.

It is tried again by itself, which moves its time each time; the moment kept here stays, so that one that waits for ever is
seen (``ages.overdue``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, type_coerce

from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery

_CLASS = "WaitsItsTurn"
_SINCE = "since"


def note(delivery: Delivery, why: Text, now: datetime) -> None:
    """Keep why it waits, and since when if it has not waited so far. In the caller's transaction."""
    begun = since(delivery.error) or now
    delivery.error = {"class": _CLASS, "da": why.da, "en": why.en, _SINCE: begun.isoformat()}


def since(error: dict[str, str] | None) -> datetime | None:
    """Since when a delivery with this ``error`` waits; None for one that does not."""
    stamp = (error or {}).get(_SINCE)
    return datetime.fromisoformat(stamp) if stamp else None


def is_waiting() -> ColumnElement[bool]:
    """For queries that have ``Delivery``. By the text: values in JSON are compared by who reads the rows."""
    return and_(Delivery.error.is_not(None), type_coerce(Delivery.error, String).contains(f'"{_CLASS}"'))
