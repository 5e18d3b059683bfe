from __future__ import annotations

import logging

import fakeredis
import pytest
from rq.serializers import JSONSerializer

from invoiceapp.services import bell


@pytest.fixture
def redis(app):
    connection = fakeredis.FakeStrictRedis()
    app.extensions["invoiceapp.redis"] = connection
    return connection


def test_a_ring_is_one_job_in_json(redis):
    assert bell.ring("execute_run", "01RUN") is True
    [job] = bell.queue().jobs
    assert (job.func_name, job.args) == ("invoiceapp.jobs.tasks.execute_run", ["01RUN"])
    assert job.serializer is JSONSerializer and job.timeout == bell.JOB_TIMEOUT
    assert redis.hget(job.key, "data")[:2] != b"\x80\x04"


def test_a_redis_that_is_gone_costs_only_the_ring(app, caplog):
    caplog.set_level(logging.WARNING)
    assert bell.ring("deliver") is False
    assert "the clock will find the work" in caplog.text and "no-redis.sock" not in caplog.text


def test_failed_jobs_are_kept_a_week_and_good_ones_a_minute(redis):
    bell.ring("deliver")
    [job] = bell.queue().jobs
    assert (job.result_ttl, job.failure_ttl) == (60, 7 * 24 * 3600)
