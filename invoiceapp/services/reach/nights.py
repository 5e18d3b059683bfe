"""When the nightly check of an adaptor is."""

from __future__ import annotations

import hashlib
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from invoiceapp.models import Adaptor, utcnow

from . import gathering

_DENMARK = ZoneInfo("Europe/Copenhagen")
_DEFAULT_HOUR = 3
_MINUTES = 60


def next_time(adaptor_id: str, hour: int, after: datetime) -> datetime:
    """The next night's moment of an adaptor, in Danish time; the minute is its own, so that not all ask at once."""
    minute = int.from_bytes(hashlib.sha256(adaptor_id.encode()).digest()[:2]) % _MINUTES
    day = after.astimezone(_DENMARK).date()
    moments = (datetime.combine(day + timedelta(days=days), time(hour % 24, minute), _DENMARK) for days in (0, 1, 2))
    return next(moment for moment in moments if moment > after)


def plan(adaptor: Adaptor) -> None:
    """Let the adaptor be checked from the next night on. Inside the caller's transaction."""
    if adaptor.next_match_at is None:
        adaptor.next_match_at = next_time(adaptor.id, hour_of(adaptor), utcnow())


def hour_of(adaptor: Adaptor) -> int:
    """The hour that its network gateway says."""
    gateway = gathering.network_gateway(adaptor)
    hour = gateway.config.get("recheck_hour") if gateway else None
    return _DEFAULT_HOUR if hour is None else int(hour)
