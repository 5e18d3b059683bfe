"""What workers run. Each task does one batch and rings again while there is more, so that kinds of work take turns."""

from __future__ import annotations

import logging

from invoiceapp.services import background, bell
from invoiceapp.services.configuration import bulk, expiries, preflight
from invoiceapp.services.daily import bulk_jobs, choosing, dry_run, due_runs, exporting, finding, problems, taking_back
from invoiceapp.services.daily.tick import tick as tick_service
from invoiceapp.services.export import conversion, delivery, probing, runs
from invoiceapp.services.keeping import deleting, verifying
from invoiceapp.services.notifications import calling, composing, mailing, noticing
from invoiceapp.services.proof import reconciling
from invoiceapp.services.proof.evidence import jobs as evidence_jobs
from invoiceapp.services.proof.month_end import making as month_end
from invoiceapp.services.reach import matching
from invoiceapp.services.receipts import collecting, polling

log = logging.getLogger(__name__)

#: Long pieces of work by kind; each handler does one slice.
HANDLERS: dict[str, background.Handler] = {
    bulk.KIND: choosing.change_customers,
    bulk_jobs.KIND: bulk_jobs.run,
    evidence_jobs.KIND: evidence_jobs.run,
    preflight.KIND: preflight.run,
    matching.KIND: matching.run,
    finding.EXPORT: exporting.run,
    finding.DRY_RUN: dry_run.run,
    finding.TAKE_BACK: taking_back.run,
    reconciling.KIND: reconciling.run,
    month_end.KIND: month_end.run,
}


def work(job_id: str) -> None:
    """One slice of a job."""
    if background.execute(job_id, HANDLERS):
        bell.ring("work", job_id)


def start_runs() -> None:
    """Start one batch of the runs whose time has come."""
    if due_runs.start_claimed() == due_runs.BATCH:
        bell.ring("start_runs")


def execute_run(run_id: str) -> None:
    """Carry out one slice of a run."""
    if runs.execute(run_id):
        bell.ring("execute_run", run_id)


def convert() -> None:
    """Convert one batch of queued documents; it rings itself where there is more."""
    conversion.convert_due()


def deliver() -> None:
    """Send one batch of due deliveries; it rings itself where there is more."""
    delivery.deliver_due()


def probe() -> None:
    """Ask partners about one batch of unclear deliveries."""
    if probing.probe_due() == probing.BATCH:
        bell.ring("probe")


def collect() -> None:
    """Fetch what partners have laid out for one batch of gateways."""
    if collecting.collect_due() == collecting.BATCH:
        bell.ring("collect")


def poll() -> None:
    """Ask partners what became of one batch of deliveries."""
    if polling.poll_due() == polling.BATCH:
        bell.ring("poll")


def check_expiries() -> None:
    """See which certificates and logins end soon."""
    expiries.check_due()


def note_problems() -> None:
    """Open, count and resolve the problems of adaptors whose documents have moved."""
    for adaptor_id in problems.dirty():
        try:
            problems.refresh(adaptor_id)
        except Exception:
            # One must not keep the others from being looked at; the clock rings again.
            log.exception("the problems of adaptor %s could not be looked for", adaptor_id)


def notice() -> None:
    """See what people are to be told of one batch of adaptors."""
    if noticing.notice_due() == noticing.BATCH:
        bell.ring("notice")


def compose() -> None:
    """Write the mails of one batch of people."""
    if composing.compose_due() == composing.BATCH:
        bell.ring("compose")


def send_mail() -> None:
    """Send one batch of our own mails."""
    if mailing.send_due() == mailing.BATCH:
        bell.ring("send_mail")


def call_webhooks() -> None:
    """Tell one batch of webhooks."""
    if calling.call_due() == calling.BATCH:
        bell.ring("call_webhooks")


def delete_due() -> None:
    """Delete what is kept no longer, one slice of one subscription."""
    if deleting.night():
        bell.ring("delete_due")


def verify_archive() -> None:
    """Look at one slice of this night's part of the archive."""
    if verifying.night():
        bell.ring("verify_archive")


def tick() -> None:
    """The clock's tick."""
    tick_service()
