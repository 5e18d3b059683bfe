"""What workers run. Each task does one batch and rings again while there is more, so that kinds of work take turns."""

from __future__ import annotations

from invoiceapp.services import background, bell
from invoiceapp.services.configuration import bulk, expiries, preflight
from invoiceapp.services.daily.tick import tick as tick_service
from invoiceapp.services.export import conversion, delivery, probing, runs
from invoiceapp.services.receipts import collecting

#: Long pieces of work by kind; each handler does one slice.
HANDLERS: dict[str, background.Handler] = {
    bulk.KIND: bulk.run,
    preflight.KIND: preflight.run,
}


def work(job_id: str) -> None:
    """One slice of a job."""
    if background.execute(job_id, HANDLERS):
        bell.ring("work", job_id)


def execute_run(run_id: str) -> None:
    """Carry out one run."""
    runs.execute(run_id)


def convert() -> None:
    """Convert one batch of queued documents."""
    if conversion.convert_due() == conversion.BATCH:
        bell.ring("convert")


def deliver() -> None:
    """Send one batch of due deliveries."""
    if delivery.deliver_due() == delivery.BATCH:
        bell.ring("deliver")


def probe() -> None:
    """Ask partners about one batch of unclear deliveries."""
    if probing.probe_due() == probing.BATCH:
        bell.ring("probe")


def collect() -> None:
    """Fetch what partners have laid out for one batch of gateways."""
    if collecting.collect_due() == collecting.BATCH:
        bell.ring("collect")


def check_expiries() -> None:
    """See which certificates and logins end soon."""
    expiries.check_due()


def tick() -> None:
    """The clock's tick."""
    tick_service()
