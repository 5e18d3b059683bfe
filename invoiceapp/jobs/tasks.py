"""What workers run. Each task does one batch and rings again while there is more, so that kinds of work take turns."""

from __future__ import annotations

from invoiceapp.services import bell
from invoiceapp.services.daily.tick import tick as tick_service
from invoiceapp.services.export import conversion, delivery, runs


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


def tick() -> None:
    """The clock's tick."""
    tick_service()
