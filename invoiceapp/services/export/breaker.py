"""The circuit breaker of a gateway: a machine that does not answer is left alone for a while.

So a partner's outage costs each delivery few of its tries, and no worker waits for one time-out after the other.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, or_, update

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import TransportError, Unavailable
from invoiceapp.models import Gateway, utcnow, when_asked
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction

#: Failures in a row after which it rests, and for how many seconds, the first time and later.
OPENS_AFTER = 5
RESTS = (60, 120, 300, 600, 1_800)
#: The longest rest that a partner may ask for (``Retry-After``).
LONGEST_WISH = 3_600
PAUSES_AFTER = timedelta(days=5)

_SILENT = Text(
    "Serveren har ikke svaret i fem døgn. Det, der skal sendes, venter. Kontrollér indstillingerne, spørg modtageren, og start "
    "gatewayen igen.",
    "The server has not answered for five days. What is to be sent waits. Check the settings, ask the receiver, and start the "
    "gateway again.",
)


def may_try() -> ColumnElement[bool]:
    """For queries that have ``Gateway``: it does not rest."""
    return or_(Gateway.retry_at.is_(None), Gateway.retry_at <= when_asked())


def failed(gateway_id: str, error: TransportError) -> bool:
    """Count a try that the partner did not answer; whether the gateway rests now."""
    with transaction() as session:
        gateway = session.get_one(Gateway, gateway_id, with_for_update={"key_share": True}, populate_existing=True)
        now = utcnow()
        gateway.failures += 1
        gateway.failing_since = gateway.failing_since or now
        rest = _rest(gateway.failures, error)
        gateway.retry_at = now + timedelta(seconds=rest) if rest else None
        if now - gateway.failing_since >= PAUSES_AFTER:
            session.flush()
            gateways.pause(gateway_id, _SILENT)
        return rest > 0


def _rest(failures: int, error: TransportError) -> float:
    """Seconds."""
    wish = min(error.retry_after or 0, LONGEST_WISH) if isinstance(error, Unavailable) else 0
    times = failures - OPENS_AFTER
    own = RESTS[min(times, len(RESTS) - 1)] if times >= 0 else 0
    return max(wish, own)


def answered(gateway_id: str) -> None:
    """The partner answered, whatever it said: forget the failures."""
    with transaction() as session:
        session.execute(
            update(Gateway)
            .where(Gateway.id == gateway_id, Gateway.failures > 0)
            .values(failures=0, failing_since=None, retry_at=None)
        )
