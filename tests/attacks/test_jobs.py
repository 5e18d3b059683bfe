"""Somebody who can write to Redis: what they put there is a task of ours, or does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fakeredis
import pytest
from flask import Flask
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import DefaultSerializer, JSONSerializer

from invoiceapp.jobs.worker import AppWorker
from invoiceapp.services import bell
from invoiceapp.services.export import conversion


@pytest.fixture
def has_pages() -> bool:
    return False


@pytest.fixture
def fake(app: Flask) -> Any:
    app.extensions["invoiceapp.bell"] = connection = fakeredis.FakeStrictRedis(version=(7,))
    return connection


def _work(fake: Any) -> None:
    AppWorker.serving(bell.Kind, fake).take_turns(burst=True)


def _status(fake: Any, job: Job) -> JobStatus | None:
    return Job.fetch(job.id, connection=fake, serializer=JSONSerializer).get_status()


@pytest.mark.parametrize(
    "function",
    [
        "os.mkdir", "pathlib.os.mkdir", "invoiceapp.jobs.tasks.log.handlers.clear", "invoiceapp.jobs.tasks.bell.ring",
        "invoiceapp.jobs.tasks.background", "invoiceapp.jobs.tasks.tick_service", "invoiceapp.services.export.archive.store", "mkdir",
    ],
)  # fmt: skip
def test_no_other_function_is_called(fake: Any, tmp_path: Path, function: str) -> None:
    job = bell.queue(bell.Kind.WORK).enqueue_call(function, args=[str(tmp_path / "ran")])
    _work(fake)
    assert _status(fake, job) is JobStatus.FAILED
    assert not (tmp_path / "ran").exists() and not fake.llen("rq:queue:work")


def test_no_method_of_an_object_and_no_callback_is_called(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(conversion, "convert_due", lambda: 0)
    job = bell.queue(bell.Kind.WORK).enqueue(f"{bell.TASKS}.convert")
    callbacks = ("success_callback_name", "failure_callback_name", "stopped_callback_name")
    fake.hset(f"rq:job:{job.id}", mapping=dict.fromkeys(callbacks, "os.abort"))
    odd = bell.queue(bell.Kind.WORK).enqueue(f"{bell.TASKS}.convert")
    fake.hset(f"rq:job:{odd.id}", "data", JSONSerializer.dumps(("format", "{0.__class__}", ["x"], {})))
    _work(fake)
    assert (_status(fake, job), _status(fake, odd)) == (JobStatus.FINISHED, JobStatus.FAILED)


def test_pickle_is_not_read(fake: Any, tmp_path: Path) -> None:
    job = Queue(bell.Kind.WORK.value, connection=fake, serializer=DefaultSerializer).enqueue((tmp_path / "ran").touch)
    _work(fake)
    assert _status(fake, job) is JobStatus.FAILED and not (tmp_path / "ran").exists()
