"""The nightly re-check: customers register, move and stop; each adaptor looks once a night, at a minute of its own."""

from __future__ import annotations

import logging

from sqlalchemy import select, update

from invoiceapp.models import Adaptor, db, utcnow
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import standing

from . import gathering, matching, nights

log = logging.getLogger(__name__)


def claim_due() -> list[str]:
    """Adaptors to be checked now; each claimed by moving its next time, so that two clocks start one check.

    One whose network gateway is gone, or wants no nightly check, is only looked at again the night after.
    """
    now, claimed = utcnow(), []
    with transaction():
        due = db.session.scalars(
            select(Adaptor).where(standing.working(), Adaptor.next_match_at <= now).order_by(Adaptor.id)
        ).all()
        for adaptor in due:
            gateway = gathering.network_gateway(adaptor)
            is_wanted = gateway is not None and gateway.config.get("recheck") is not False
            result = db.session.execute(
                update(Adaptor)
                .where(Adaptor.id == adaptor.id, Adaptor.next_match_at == adaptor.next_match_at)
                .values(next_match_at=nights.next_time(adaptor.id, nights.hour_of(adaptor), now))
                .execution_options(synchronize_session=False)
            )
            if changed(result) and is_wanted:
                claimed.append(adaptor.id)
    return claimed


def start_due() -> int:
    """Start the nightly checks that are due; how many."""
    started = 0
    for adaptor_id in claim_due():
        try:
            matching.start(adaptor_id, "system", nightly=True)
            started += 1
        except ServiceError as error:
            log.info("adaptor %s is not checked tonight: %s", adaptor_id, error)
    return started
