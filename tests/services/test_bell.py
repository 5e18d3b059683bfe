from __future__ import annotations

import logging
import socket
import time

import fakeredis
import pytest
from redis.exceptions import ConnectionError
from rq import Queue
from rq.serializers import JSONSerializer
from support.rings import lost, rung

from invoiceapp import create_app, factory
from invoiceapp.current import bell_connection, redis_connection
from invoiceapp.services import bell


@pytest.fixture
def redis(app):
    connection = fakeredis.FakeStrictRedis()
    app.extensions["invoiceapp.bell"] = connection
    return connection


def test_a_ring_is_one_job_in_json(redis):
    assert bell.ring("execute_run", "01RUN") is True
    [job] = rung()
    assert (job.func_name, job.args) == ("invoiceapp.jobs.tasks.execute_run", ["01RUN"])
    assert job.serializer is JSONSerializer and job.timeout == bell.JOB_TIMEOUT
    assert redis.hget(job.key, "data")[:2] != b"\x80\x04"


def waiting() -> list[str]:
    return [" ".join([job.func_name.rpartition(".")[2], *job.args]) for job in rung()]


def test_rings_of_one_kind_that_wait_are_one_job(redis):
    for ids in [(), (), ("01A",), ("01A",), ("01B",)]:
        assert bell.ring("work", *ids) is True
    assert bell.ring("deliver") is True
    assert waiting() == ["work", "work 01A", "work 01B", "deliver"]


def test_a_ring_once_a_worker_has_begun_is_one_more_job(redis):
    bell.ring("work", "01A"), bell.ring("deliver")
    bell.heard("work", ["01A"])
    bell.ring("work", "01A"), bell.ring("work", "01A"), bell.ring("deliver")
    assert waiting() == ["work 01A", "deliver", "work 01A"]


def test_a_lost_job_keeps_others_away_for_a_short_while_only(redis):
    bell.ring("deliver")
    [key] = redis.scan_iter("rung:*")
    lost()
    assert bell.ring("deliver") is True and waiting() == []
    assert 0 < redis.ttl(key) <= bell.WAITS <= 60
    redis.expire(key, 0)
    bell.ring("deliver")
    assert waiting() == ["deliver"]


def test_a_redis_that_forgets_everything_is_rung_again(redis):
    bell.ring("deliver")
    redis.flushall()
    bell.heard("deliver", ())
    bell.ring("deliver")
    assert waiting() == ["deliver"]


def test_who_hears_while_redis_is_gone_works_all_the_same(app, caplog):
    bell.heard("deliver", ())
    assert "deliver is not rung for a while" in caplog.text


def test_a_redis_that_is_gone_costs_only_the_ring(app, caplog):
    caplog.set_level(logging.WARNING)
    assert bell.ring("deliver") is False
    assert "the clock will find the work" in caplog.text and "no-redis.sock" not in caplog.text


def test_a_redis_that_goes_away_between_the_mark_and_the_job_can_be_rung_again(redis, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Queue, "enqueue", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("gone")))
        assert bell.ring("execute_run", "01RUN") is False
    assert bell.ring("execute_run", "01RUN") is True and waiting() == ["execute_run 01RUN"]


def test_failed_jobs_are_kept_a_week_and_good_ones_a_minute(redis):
    bell.ring("deliver")
    [job] = rung()
    assert (job.result_ttl, job.failure_ttl) == (60, 7 * 24 * 3600)


def test_a_slice_that_waits_behind_many_others_is_not_rung_for_once_more(redis):
    for task in ("execute_run", "work"):
        bell.ring(task, "01A")
        assert bell.WAITS < redis.ttl(bell._waiting(task, ["01A"])) <= bell.WAITS_BETWEEN_SLICES == 300


def test_a_redis_that_hangs_holds_nobody(config, monkeypatch):
    monkeypatch.setattr(factory, "BELL_TIMEOUT", 0.2)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(config.redis_url.removeprefix("unix://"))
        hung.listen()
        with create_app(config, pages=False).app_context():
            started = time.monotonic()
            assert bell.ring("deliver") is False
            assert time.monotonic() - started < 2


def test_pages_wait_five_seconds_for_redis_and_workers_as_long_as_there_is_no_work(app):
    assert bell_connection().get_connection_kwargs()["socket_timeout"] == factory.BELL_TIMEOUT == 5
    assert redis_connection().get_connection_kwargs().get("socket_timeout") is None
