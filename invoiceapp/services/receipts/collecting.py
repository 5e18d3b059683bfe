"""Looks for what partners have laid out for us: every quarter of an hour, gateway by gateway."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from sqlalchemy import ColumnElement, or_, select, update

from invoiceapp.gateways.base import Refused, Transport, TransportError, registry
from invoiceapp.models import Gateway, db, utcnow
from invoiceapp.services import stopping
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import slots

from . import matching, storing

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
AFTER_FAILURE = timedelta(minutes=30)
#: Seconds for one gateway; what is left comes with the next look. Less than a slot of the host is held.
_BUDGET = 120
#: Gateways of one job: all their budgets together are less than a job may take (``bell.JOB_TIMEOUT``).
BATCH = 5


def due() -> bool:
    """Whether any gateway is to be looked at."""
    return bool(_due(1))


def collect_due() -> int:
    """Look at the gateways whose time has come, ``BATCH`` at most; how many were looked at."""
    looked = 0
    for gateway_id in stopping.until_asked(_due(BATCH)):
        if _claim(gateway_id):
            _collect(gateway_id)
            looked += 1
    return looked


def _is_due() -> ColumnElement[bool]:
    return or_(Gateway.collect_at.is_(None), Gateway.collect_at <= utcnow())


def _due(limit: int) -> list[str]:
    kinds = [kind for kind, transport in registry().items() if transport.fetches]
    query = (
        select(Gateway.id)
        .where(Gateway.kind.in_(kinds), Gateway.paused_at.is_(None), _is_due())
        .order_by(Gateway.collect_at, Gateway.id)
        .limit(limit)
    )
    with transaction():
        return list(db.session.scalars(query))


def _claim(gateway_id: str) -> bool:
    """By moving its time, so that two workers never look at once."""
    with transaction() as session:
        result = session.execute(
            update(Gateway)
            .where(Gateway.id == gateway_id, Gateway.paused_at.is_(None), _is_due())
            .values(collect_at=utcnow() + EVERY)
            .execution_options(synchronize_session=False)
        )
        return changed(result)


def _collect(gateway_id: str) -> None:
    try:
        with transaction() as session:
            gateway = session.get_one(Gateway, gateway_id, populate_existing=True)
            opened = gateways.open_transport(gateway)
        with opened as transport, slots.taken(transport.host, transport.most_connections) as slot:
            if slot is None:
                _again_in(gateway_id, slots.pause())
            else:
                _fetch(gateway, transport)
    except TransportError as error:
        log.warning("gateway %s: nothing collected: %s", gateway_id, error.detail or error.text.en)
        _again_in(gateway_id, AFTER_FAILURE)
        if isinstance(error, Refused):
            # The same password is not tried every half hour: partners lock accounts.
            with transaction():
                gateways.pause(gateway_id, error.text)
    except ServiceError as error:
        log.warning("gateway %s: nothing collected: %s", gateway_id, error.text.en)
        _again_in(gateway_id, AFTER_FAILURE)
    except Exception:
        log.exception("gateway %s: unexpected error while collecting", gateway_id)
        db.session.rollback()
        _again_in(gateway_id, AFTER_FAILURE)


def _again_in(gateway_id: str, pause: timedelta) -> None:
    with transaction() as session:
        session.execute(
            update(Gateway)
            .where(Gateway.id == gateway_id)
            .values(collect_at=utcnow() + pause)
            .execution_options(synchronize_session=False)
        )


def _fetch(gateway: Gateway, transport: Transport) -> None:
    """Keep first, take away at the partner last: a crash between leaves the message in both places, and the same bytes are one.

    Raises a ``TransportError`` or ``ServiceError``.
    """
    started = time.monotonic()
    for incoming in stopping.until_asked(transport.fetch()):
        message_id = storing.keep(gateway, incoming).id
        matching.match_safely(message_id)
        # A read opened a transaction; none may be open while the partner is talked to.
        db.session.rollback()
        transport.done(incoming)
        if time.monotonic() - started > _BUDGET:
            log.info("more is left for the next look")
            return
