from __future__ import annotations

import pytest
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import DefaultSerializer, JSONSerializer
from support.rings import failed, rung

from invoiceapp.jobs import tasks
from invoiceapp.jobs.worker import AppWorker
from invoiceapp.models import db
from invoiceapp.services import background, bell
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
    worker = AppWorker.serving(bell.Kind, fake)
    worker.take_turns(burst=True)
    return worker


def test_every_task_is_one_service_call(fake, done):
    bell.ring("execute_run", "01RUN"), bell.ring("convert"), bell.ring("deliver"), bell.ring("tick")
    work(fake)
    assert sorted(done) == [("convert",), ("deliver",), ("execute", "01RUN"), ("tick",)]
    assert rung() == [] and failed() == 0


def test_the_tick_goes_first(fake, done):
    bell.ring("deliver")
    bell.queue(bell.Kind.TICK).enqueue(f"{bell.TASKS}.tick")
    work(fake)
    assert done == [("tick",), ("deliver",)]


def test_who_rings_during_a_job_is_heard_after_it(fake, monkeypatch):
    seen: list[int] = []

    def rung_meanwhile() -> int:
        bell.ring("deliver"), bell.ring("deliver")
        seen.append(len(rung()))
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
        bell.ring("deliver"), bell.ring("convert")
        if len(done) == 1:
            bell.ring("execute_run", "01RUN")
        return conversion.BATCH

    def deliver() -> int:
        done.append(("deliver",))
        bell.ring("deliver")
        return delivery.BATCH

    monkeypatch.setattr(conversion, "convert_due", convert)
    monkeypatch.setattr(delivery, "deliver_due", deliver)
    bell.ring("convert"), bell.ring("deliver"), bell.ring("work", "01JOB")
    monkeypatch.setattr(background, "execute", lambda job_id, _handlers: done.append(("work", job_id)))
    AppWorker.serving(bell.Kind, fake).take_turns(burst=True, max_jobs=8)
    kinds = [call[0] for call in done]
    assert kinds[:4] == ["convert", "deliver", "work", "execute"]
    assert kinds[4:] == ["convert", "deliver"] * 2
    assert len(rung()) <= 2


def test_a_worker_for_some_kinds_leaves_the_others_alone(fake, done):
    bell.ring("execute_run", "01RUN"), bell.ring("convert"), bell.ring("deliver")
    AppWorker.serving([bell.Kind.DELIVER], fake).take_turns(burst=True)
    assert done == [("deliver",)]
    assert [job.func_name.rpartition(".")[2] for job in rung()] == ["execute_run", "convert"]


def test_the_clocks_tick_is_heard_by_every_worker(fake, done):
    bell.queue(bell.Kind.TICK).enqueue(f"{bell.TASKS}.tick")
    AppWorker.serving([bell.Kind.NOTIFY], fake).take_turns(burst=True)
    assert done == [("tick",)]


def test_every_task_has_its_queue():
    unknown = set(bell._KINDS) - {name for name in vars(tasks) if not name.startswith("_")}
    assert unknown == set()
    assert {bell.kind_of(task) for task in ("tick", "work", "delete_due")} == {bell.Kind.WORK}


def test_a_job_in_pickle_is_refused_and_its_code_does_not_run(fake, done, tmp_path):
    trap = tmp_path / "ran"
    pickled = Queue(bell.Kind.WORK.value, connection=fake, serializer=DefaultSerializer).enqueue(trap.touch)
    work(fake)
    assert not trap.exists() and done == []
    assert Job.fetch(pickled.id, connection=fake, serializer=JSONSerializer).get_status() is JobStatus.FAILED


def test_a_job_that_fails_is_kept_and_the_worker_goes_on(fake, done, monkeypatch):
    def broken() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(conversion, "convert_due", broken)
    bell.ring("convert"), bell.ring("deliver")
    work(fake)
    assert done == [("deliver",)] and failed() == 1


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
    assert done == [("deliver",)] and failed() == 1


def test_a_run_that_has_more_to_read_rings_for_its_next_slice_behind_the_others(fake, monkeypatch):
    left, order = {"01BIG": 3, "01SMALL": 1}, []

    def execute(run_id: str) -> bool:
        order.append(run_id)
        left[run_id] -= 1
        return left[run_id] > 0

    monkeypatch.setattr(runs, "execute", execute)
    bell.ring("execute_run", "01BIG"), bell.ring("execute_run", "01SMALL")
    work(fake)
    assert order == ["01BIG", "01SMALL", "01BIG", "01BIG"]
