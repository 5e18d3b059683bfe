"""A slow source keeps its worker, a reconciliation has an end, and what cannot be fetched takes no places for ever."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.jobs.tasks import HANDLERS
from invoiceapp.models import Adaptor, Job, JobState, Reconciliation, ReconciliationState, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.errors import ServiceError, text_dict
from invoiceapp.services.export import run_queue
from invoiceapp.services.proof import comparing, reconciled, reconciling

State = ReconciliationState


@pytest.fixture
def read(adaptor: Adaptor) -> Adaptor:
    """Something was fetched once."""
    adaptor.watermark = "2026-11-01T10:00:00"
    db.session.commit()
    return adaptor


def night(adaptor: Adaptor, **columns: Any) -> Reconciliation:
    values: dict[str, Any] = {"state": State.DONE, "finished_at": utcnow(), "since": date(2026, 10, 1)}
    row = Reconciliation(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, **values | columns)
    db.session.add(row)
    db.session.commit()
    return row


def claimed(adaptor: Adaptor) -> background.Progress:
    """What a worker has that has begun one."""
    found = background._claim(reconciling.start(adaptor.id))
    assert found is not None
    return found[1]


def reading(progress: background.Progress, deadline: datetime) -> comparing.Reading:
    source: Any = None
    return comparing.Reading(progress, source, date(2026, 10, 1), date(2026, 11, 1), deadline)


def test_a_slow_source_keeps_the_lease_and_a_worker_that_lost_it_stops(read, monkeypatch):
    progress, now = claimed(read), [utcnow()]
    monkeypatch.setattr(comparing, "utcnow", lambda: now[0])
    monkeypatch.setattr(background, "utcnow", lambda: now[0])
    work = reading(progress, now[0] + timedelta(hours=6))
    held = work.held(range(9))
    for _ in range(4):
        now[0] += timedelta(minutes=3)
        next(held)
        assert background.due() == [], "the clock rings for nobody else"
        db.session.rollback()
    now[0] += timedelta(minutes=6)
    assert background._claim(progress.job_id) is not None
    with pytest.raises(background.LeaseLost):
        next(held)


def test_after_its_deadline_it_stops_with_words(read, monkeypatch):
    work = reading(claimed(read), utcnow() - timedelta(minutes=1))
    with pytest.raises(ServiceError, match="did not end in time"):
        comparing.read(work)
    now = [utcnow()]
    monkeypatch.setattr(comparing, "utcnow", lambda: now[0])
    slow = reading(work.progress, now[0] + timedelta(minutes=2)).held(range(9))
    next(slow)
    now[0] += timedelta(minutes=3)
    with pytest.raises(ServiceError):
        next(slow)


def test_one_whose_work_was_given_up_has_ended_and_says_so(read, monkeypatch):
    job_id = reconciling.start(read.id)
    monkeypatch.setitem(HANDLERS, reconciling.KIND, _begins_and_dies)
    while background.execute(job_id, HANDLERS):
        reconciling.settle()
    assert db.session.get_one(Job, job_id, populate_existing=True).state is JobState.FAILED
    assert reconciled.newest(read.id)[0].state is State.READING
    reconciling.settle()
    row = db.session.get_one(Reconciliation, reconciled.newest(read.id)[0].id, populate_existing=True)
    assert (row.state, row.is_complete) == (State.FAILED, False)
    assert row.finished_at is not None and "begynder forfra næste nat" in row.error["da"]


def _begins_and_dies(progress: background.Progress) -> bool:
    if progress.cursor is None:
        return reconciling.run(progress)
    raise RuntimeError("the machine went down")


def test_what_was_tried_in_vain_comes_after_what_nobody_has_tried(read, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_MISSING", 2)
    run_id = run_queue.add(read, trigger="manual", query={}).id
    missing = [{"id": one, "number": one} for one in "abcde"]
    tonight: list[list[str]] = []
    for _ in range(3):
        wanted = comparing._most_wanted(read.id, missing)
        tonight.append([one["id"] for one in wanted])
        night(read, missing=wanted, run_id=run_id)
    assert tonight == [["a", "b"], ["c", "d"], ["e", "a"]]


def test_old_results_and_what_they_list_are_forgotten_when_a_new_one_begins(read, make_customer, make_document):
    document = make_document(make_customer(), "1001")
    listed = [
        text_dict(Text("x", "x"), kind="overdue", document_id=document.id),
        text_dict(Text("y", "y"), kind="overdue", document_id="deleted"),
        text_dict(Text("z", "z"), kind="unread"),
    ]
    old = night(read, created_at=utcnow() - timedelta(days=401)).id
    not_shown = night(read, notes=listed, missing=[{"id": "m", "number": "1"}])
    rows = [night(read, notes=listed) for _ in range(reconciling.LISTED)]
    reconciling._forget(read.id)
    db.session.commit()
    db.session.expire_all()
    assert db.session.get(Reconciliation, old) is None
    assert (not_shown.notes, not_shown.missing) == ([], [])
    assert all([one["da"] for one in row.notes] == ["x", "z"] for row in rows)
