"""What is done at night, with a tenth of the documents and with all: ``python -m benchmarks.nightly [--database postgresql]``.

Each job runs in a process of its own, as a worker would run it, and tells the most memory that it took. A job whose memory
grows with the documents of an archive would one day take its worker down; so what counts is the ratio of the two sizes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from invoiceapp import create_app
from invoiceapp.config import load
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import Adaptor, Document, Job, Subscription, db
from invoiceapp.processes import free_port
from invoiceapp.services import background, bell
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.configuration import sources
from invoiceapp.services.daily import problems
from invoiceapp.services.keeping import deleting, verifying
from invoiceapp.services.proof import reconciling
from invoiceapp.services.proof.month_end import making
from invoiceapp.sources.base import BookState, DocumentQuery, Organization, SourceDocument, Standing, TakenNumber

from . import archived, listing, million, results

DOCUMENTS = 1_000_000
#: The other size that memory is compared with.
PART = 10
#: How much more memory ten times as many documents may take.
MOST_GROWTH = 1.2
#: Seconds that deleting is looked at; a night goes on for as long as there is something to delete.
_DELETING = 20.0
#: What is dated up to the end of 2020 was due for deletion in 2026.
FIRST_DAY = date(2020, 10, 1)
#: The month that is proved: the last whole one that has documents.
MONTH = date(2026, 10, 1), date(2026, 10, 31)
ROOT = Path(__file__).resolve().parents[1]


class Books(AbstractContextManager["Books"]):
    """An accounting system that has what we have: read row by row over a connection of its own."""

    def __init__(self, adaptor: Adaptor) -> None:
        self.skipped: list[Any] = []
        self._adaptor_id = adaptor.id
        self._company = Organization(**{"country": "DK", "currency": "DKK", **(adaptor.organization or {})})

    def __exit__(self, *_: object) -> None:
        pass

    def check(self) -> Organization:
        return self._company

    def documents(self, query: DocumentQuery) -> Iterator[SourceDocument]:
        first = query.first_date or (query.since.date() if query.since else date.min)
        for row in self._rows(first, query.last_date or date.max):
            yield SourceDocument(
                id=row.source_id, type=row.type, number=row.number, issue_date=row.issue_date,
                approved_at=datetime.combine(row.issue_date, time_of_day(12)), customer_id=row.customer_source_id,
                customer_name=row.customer_name, currency=row.currency, net=row.net, vat=row.vat,
                order_number=row.order_number, bundle=row.bundle,
            )  # fmt: skip

    def taken_numbers(self, first: date, last: date) -> Iterator[TakenNumber]:
        for row in self._rows(first, last):
            yield TakenNumber(row.source_id, row.number, DocumentType(row.type), row.issue_date, BookState.APPROVED)

    def voided(self) -> Iterator[str]:
        return iter(())

    def standing(self, _document_id: str) -> Standing:
        return Standing(BookState.APPROVED)

    def _rows(self, first: date, last: date) -> Iterator[Any]:
        columns = Document.__table__.c
        query = (
            select(Document.__table__)
            .where(columns.adaptor_id == self._adaptor_id, columns.issue_date.between(first, last))
            .order_by(columns.issue_date, columns.id)
        )
        with db.engine.connect().execution_options(yield_per=500, reads_only=True) as connection:
            yield from connection.execute(query)


def _deletion(adaptor_id: str) -> int:
    subscription_id = db.session.get_one(Adaptor, adaptor_id).subscription_id
    db.session.rollback()
    return deleting.run(subscription_id, seconds=_DELETING).documents


def _verification(_adaptor_id: str) -> int:
    while verifying.night():
        pass
    verified = verifying._newest()
    return verified.checked if verified else 0


def _heads(_adaptor_id: str) -> int:
    audit_verify.log_heads()
    return len(audit_verify.heads())


def _problems(adaptor_id: str) -> int:
    problems.refresh(adaptor_id)
    return problems.count([adaptor_id])


def _reconciliation(adaptor_id: str) -> int:
    return _done(reconciling.start(adaptor_id))


def _proof(adaptor_id: str) -> int:
    adaptor = db.session.get_one(Adaptor, adaptor_id)
    making.ask(adaptor, *MONTH, actor="benchmark", language="da")
    return _done(db.session.scalars(select(Job.id).where(Job.kind == making.KIND)).one())


def _done(job_id: str) -> int:
    """All slices of a job; documents of the period that it was about."""
    while background.execute(job_id, HANDLERS):
        pass
    job = db.session.get_one(Job, job_id, populate_existing=True)
    if job.error:
        raise SystemExit(f"{job.kind}: {job.error['en']}")
    return job.done


JOBS: dict[str, Callable[[str], int]] = {
    "look for problems": _problems, "log the audit log's heads": _heads, "verify a night's part of the archive": _verification,
    "reconcile 45 days": _reconciliation, "prove a month": _proof, "delete what is due, 20 s": _deletion,
}  # fmt: skip


def work(name: str, adaptor_id: str) -> dict[str, Any]:
    """One job in this process: seconds, how much it did, megabytes before it and at most."""
    bell.ring = lambda *_arguments, **_options: False  # nobody listens
    sources.open_source = Books  # type: ignore[assignment]
    with create_app(load(), pages=False, process="worker").app_context():
        db.session.execute(select(Adaptor.id))
        db.session.rollback()
        before, started = _megabytes(), time.perf_counter()
        done = JOBS[name](adaptor_id)
        return {"done": done, "seconds": time.perf_counter() - started, "before": before, "peak": _megabytes()}


def _megabytes() -> float:
    """The most that this process has taken so far."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        # macOS, in bytes. On Linux it would count what the process that started this one had taken.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_048_576
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) / 1_024


def measure(kind: str, documents: int) -> tuple[list[dict[str, Any]], float]:
    """Each job's figures, and bytes of the database for each document."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with listing.database(kind, folder) as url:
            settings = listing.environment(folder, url, free_port())
            adaptor_id, size = _build(settings, documents)
            rows = [{"job": job, "documents": documents, **_in_a_process(job, adaptor_id, settings)} for job in JOBS]
    return rows, size


def _build(settings: dict[str, str], documents: int) -> tuple[str, float]:
    with create_app(load(settings), pages=False).app_context():
        built = million.build(documents, FIRST_DAY)
        archived.fill(db.session.scalars(select(Subscription.id)).one())
        db.session.execute(update(Adaptor).values(watermark="2026-11-22T10:00:00"))
        db.session.commit()
        size = million.size() / documents
        db.session.remove()
        db.engine.dispose()
    return built.adaptors[0], size


def _in_a_process(job: str, adaptor_id: str, settings: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.nightly", "--job", job, "--adaptor", adaptor_id]
    found = subprocess.run(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures: dict[str, Any] = json.loads(found.splitlines()[-1])
    return figures


def compared(few: list[dict[str, Any]], many: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a job, with how much the most memory has grown."""
    return [
        {
            "job": more["job"], "documents": [less["documents"], more["documents"]], "done": [less["done"], more["done"]],
            "seconds": [less["seconds"], more["seconds"]], "before_mb": [less["before"], more["before"]],
            "peak_mb": [less["peak"], more["peak"]], "growth": more["peak"] / less["peak"],
        }
        for less, more in zip(few, many, strict=True)
    ]  # fmt: skip


def main() -> None:
    """Measure both sizes and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--adaptor", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(work(arguments.job, arguments.adaptor)))
        return
    few, _ = measure(arguments.database, arguments.documents // PART)
    many, size = measure(arguments.database, arguments.documents)
    rows = compared(few, many)
    show(arguments.database, rows, size)
    results.write(
        f"nightly-{arguments.database}", results.command(), rows, bytes_each=size, most_growth=MOST_GROWTH
    )  # fmt: skip


def show(kind: str, rows: list[dict[str, Any]], size: float) -> None:
    """Print the table."""
    print(f"\n{kind}: {rows[0]['documents'][1]} documents, {size:.0f} bytes of the database each")
    print(f"{'':40}{'seconds':>18}{'done':>18}{'MB at most':>16}{'ratio':>8}")
    for row in rows:
        (s1, s2), (d1, d2), (p1, p2) = row["seconds"], row["done"], row["peak_mb"]
        verdict = "flat" if row["growth"] <= MOST_GROWTH else "GROWS"
        print(f"{row['job']:40}{s1:9.1f}{s2:9.1f}{d1:9}{d2:9}{p1:8.0f}{p2:8.0f}{row['growth']:8.2f}  {verdict}")


if __name__ == "__main__":
    main()
