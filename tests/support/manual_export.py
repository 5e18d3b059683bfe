"""A finding that is over, its documents, and the jobs that work on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from invoiceapp.models import Adaptor, Document, FoundDocument, FoundGroup, FoundOutcome, Job, Run, RunState, db
from invoiceapp.services import background
from invoiceapp.services.daily import dry_run, exporting, finding, taking_back
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.export import found

ALL = {group: Choice(group, everything=True) for group in FoundGroup}


@pytest.fixture
def run(adaptor: Adaptor) -> Run:
    """A finished finding."""
    row = Run(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", only_reads=True,
        query={"numbers": ["1"]}, state=RunState.FINISHED,
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def note(run: Run, adaptor: Adaptor) -> Callable[..., None]:
    """``note(document, …)``: as if the run had just read them."""

    def keep(*rows: Document, at: Any = None) -> None:
        found.keep(run, adaptor, [row.source_id for row in rows], at)
        db.session.commit()

    return keep


@pytest.fixture
def work() -> Callable[..., Job]:
    """``work(kind)``: carry out the newest job of that kind to its end."""

    def do(kind: str) -> Job:
        handlers = {finding.EXPORT: exporting.run, finding.DRY_RUN: dry_run.run, finding.TAKE_BACK: taking_back.run}
        job_id = db.session.scalar(select(Job.id).where(Job.kind == kind).order_by(Job.id.desc()).limit(1))
        db.session.commit()
        while background.execute(job_id, handlers):
            pass
        return db.session.get_one(Job, job_id, populate_existing=True)

    return do


def rows(run: Run) -> dict[str, FoundDocument]:
    """By document number."""
    query = (
        select(Document.number, FoundDocument)
        .join(FoundDocument, FoundDocument.document_id == Document.id)
        .where(FoundDocument.run_id == run.id)
        .execution_options(populate_existing=True)
    )
    return dict(db.session.execute(query).all())


def places(run: Run) -> dict[str, FoundGroup]:
    return {number: row.group for number, row in rows(run).items()}


def outcomes(run: Run) -> dict[str, FoundOutcome | None]:
    return {number: row.outcome for number, row in rows(run).items()}


def adds_up(run: Run) -> finding.Standing:
    """The figures of the page, which must name each chosen document once."""
    db.session.expire_all()
    standing = finding.standing(run.id)
    chosen = sum(row.chosen_at is not None for row in rows(run).values())
    assert sum(standing.figures.values()) == standing.chosen == chosen
    assert standing.received <= standing.sent <= standing.converted <= standing.chosen
    return standing
