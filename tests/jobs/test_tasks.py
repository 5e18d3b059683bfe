from __future__ import annotations

import pytest
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import DefaultSerializer, JSONSerializer

from invoiceapp.jobs import tasks
from invoiceapp.jobs.worker import AppWorker
from invoiceapp.models import db
from invoiceapp.services import bell
from invoiceapp.services.export import conversion, delivery, runs


@pytest.fixture
def done(monkeypatch):
    """Service calls, in order; each batch is empty."""
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(runs, "execute", lambda run_id: calls.append(("execute", run_id)))
    monkeypatch.setattr(conversion, "convert_due", lambda: bool(calls.append(("convert",))))
    monkeypatch.setattr(delivery, "deliver_due", lambda: bool(calls.append(("deliver",))))
    monkeypatch.setattr(tasks, "tick_service", lambda: calls.append(("tick",)))
    return calls


def work(fake) -> AppWorker:
    worker = AppWorker([bell.queue(bell.TICK_QUEUE), bell.queue()], connection=fake, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    return worker


def test_every_task_is_one_service_call(fake, done):
    bell.ring("execute_run", "01RUN"), bell.ring("convert"), bell.ring("deliver"), bell.ring("tick")
    work(fake)
    assert done == [("execute", "01RUN"), ("convert",), ("deliver",), ("tick",)]
    assert bell.queue().count == 0 and bell.queue().failed_job_registry.count == 0


def test_the_tick_goes_first(fake, done):
    bell.ring("deliver")
    bell.queue(bell.TICK_QUEUE).enqueue(f"{bell.TASKS}.tick")
    work(fake)
    assert done == [("tick",), ("deliver",)]


@pytest.mark.parametrize(
    ("task", "service", "name", "batch"),
    [("convert", conversion, "convert_due", conversion.BATCH), ("deliver", delivery, "deliver_due", delivery.BATCH)],
)
def test_a_full_batch_rings_for_the_rest(fake, monkeypatch, task, service, name, batch):
    sizes = [batch, batch, batch - 1]
    monkeypatch.setattr(service, name, lambda: sizes.pop(0))
    bell.ring(task)
    work(fake)
    assert sizes == []


def test_who_rings_during_a_job_is_heard_after_it(fake, monkeypatch):
    seen: list[int] = []

    def rung_meanwhile() -> int:
        bell.ring("deliver"), bell.ring("deliver")
        seen.append(bell.queue().count)
        return 0

    outcomes = [rung_meanwhile, lambda: 0]
    monkeypatch.setattr(delivery, "deliver_due", lambda: outcomes.pop(0)())
    bell.ring("deliver"), bell.ring("deliver")
    work(fake)
    assert (seen, outcomes) == ([1], [])


def test_kinds_of_work_take_turns_and_a_persons_run_waits_for_one_of_each(fake, done, monkeypatch):
    def convert() -> int:
        """A month's invoices: each batch is full, and the clock and the conversion ring for the sending."""
        done.append(("convert",))
        bell.ring("deliver"), bell.ring("deliver"), bell.ring("convert")
        if len(done) == 1:
            bell.ring("execute_run", "01RUN")
        return conversion.BATCH if done.count(("convert",)) < 4 else 0

    batches = iter([delivery.BATCH] * 3)
    monkeypatch.setattr(conversion, "convert_due", convert)
    monkeypatch.setattr(delivery, "deliver_due", lambda: done.append(("deliver",)) or next(batches, 0))
    bell.ring("convert"), bell.ring("convert"), bell.ring("deliver")
    worker = AppWorker([bell.queue()], connection=fake, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL", max_jobs=7)
    assert [call[0] for call in done] == ["convert", "deliver", "convert", "execute", "deliver", "convert", "deliver"]
    assert bell.queue().count <= 2


def test_a_job_in_pickle_is_refused_and_its_code_does_not_run(fake, done, tmp_path):
    trap = tmp_path / "ran"
    pickled = Queue(bell.QUEUE, connection=fake, serializer=DefaultSerializer).enqueue(trap.touch)
    work(fake)
    assert not trap.exists() and done == []
    assert Job.fetch(pickled.id, connection=fake, serializer=JSONSerializer).get_status() is JobStatus.FAILED


def test_a_job_that_fails_is_kept_and_the_worker_goes_on(fake, done, monkeypatch):
    def broken() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(conversion, "convert_due", broken)
    bell.ring("convert"), bell.ring("deliver")
    work(fake)
    assert done == [("deliver",)] and bell.queue().failed_job_registry.count == 1


def test_each_job_leaves_a_clean_session(fake, subscription, monkeypatch):
    def leaves_it_open() -> int:
        db.session.get_one(type(subscription), subscription.id)
        return 0

    monkeypatch.setattr(delivery, "deliver_due", leaves_it_open)
    bell.ring("deliver")
    work(fake)
    assert not db.session().in_transaction() and list(db.session) == []


def test_an_unknown_task_fails_alone(fake, done):
    bell.ring("format_disk"), bell.ring("deliver")
    work(fake)
    assert done == [("deliver",)] and bell.queue().failed_job_registry.count == 1


def test_a_run_of_hours_does_not_look_abandoned(fake, done):
    bell.ring("execute_run", "01RUN"), bell.ring("convert")
    run, convert = bell.queue().jobs
    worker = AppWorker([bell.queue()], connection=fake, serializer=JSONSerializer)
    assert worker.get_heartbeat_ttl(run) >= 3600 and worker.get_heartbeat_ttl(convert) == bell.JOB_TIMEOUT + 60
