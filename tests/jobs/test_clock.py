from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fakeredis
import pytest
from redis import Redis
from rq.serializers import JSONSerializer

from invoiceapp.jobs.clock import ENTRIES, Clock, JsonJob
from invoiceapp.jobs.waiting import wait_for_redis
from invoiceapp.services import bell, stopping

ROOT = Path(__file__).resolve().parents[2]


def clock(connection) -> Clock:
    return Clock(connection=connection, interval=1, job_class=JsonJob)


def entries(one: Clock) -> set[str]:
    return {job.id for job in one.get_jobs()}


def ticks(one: Clock) -> int:
    return bell.queue(bell.Kind.TICK).count


def pass_time(one: Clock) -> None:
    """As if the next time of every entry had come."""
    for job in list(one.get_jobs()):
        one.change_execution_time(job, datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1))


def test_the_first_turn_puts_the_entry_in_and_fires_it(fake):
    one = clock(fake)
    one.turn()
    assert entries(one) == set(ENTRIES) and ticks(one) == 1
    [job] = bell.queue(bell.Kind.TICK).jobs
    assert job.func_name == "invoiceapp.jobs.tasks.tick" and job.serializer is JSONSerializer
    one.turn()
    assert ticks(one) == 1, "the next one is due in some seconds"


def test_an_entry_that_was_deleted_comes_back(fake):
    one = clock(fake)
    one.turn()
    one.cancel("clock-tick")
    fake.delete("rq:job:clock-tick")
    assert entries(one) == set()
    one.turn()
    assert entries(one) == {"clock-tick"}


def test_an_emptied_redis_is_filled_again(fake):
    one = clock(fake)
    one.turn()
    fake.flushall()
    one.turn()
    assert entries(one) == {"clock-tick"} and ticks(one) == 1


def test_an_entry_that_we_do_not_know_is_removed(fake):
    one = clock(fake)
    one.schedule(datetime.now(UTC) + timedelta(hours=1), "os.getcwd", id="of-an-older-version", interval=60)
    one.turn()
    assert entries(one) == {"clock-tick"}


def test_two_clocks_enqueue_once(fake):
    first, second = clock(fake), clock(fake)
    first.turn(), second.turn()
    assert ticks(first) == 1
    bell.queue(bell.Kind.TICK).empty()
    pass_time(first)
    second.turn(), first.turn()
    assert bell.queue(bell.Kind.TICK).get_job_ids().count("clock-tick") == 1
    assert entries(first) == {"clock-tick"}


def test_ticks_do_not_pile_up_while_no_worker_runs(fake):
    one = clock(fake)
    for _ in range(5):
        one.turn()
        pass_time(one)
    assert bell.queue(bell.Kind.TICK).get_job_ids() == ["clock-tick"]


def test_a_clock_that_does_not_hold_the_lock_does_nothing(fake):
    first, second = clock(fake), clock(fake)
    assert first.acquire_lock()
    second.turn()
    assert entries(second) == set() and ticks(second) == 0
    first.remove_lock()
    second.turn()
    assert ticks(second) == 1


def test_the_lock_is_given_back_after_a_fault(fake, monkeypatch):
    first, second = clock(fake), clock(fake)

    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(first, "reconcile", broken)
    with pytest.raises(ZeroDivisionError):
        first.turn()
    second.turn()
    assert ticks(second) == 1


@pytest.mark.server
def test_a_process_waits_for_a_redis_that_is_not_there_yet(valkey):
    valkey.stop()
    import threading

    timer = threading.Timer(0.5, valkey.start)
    timer.start()
    with Redis.from_url(valkey.url) as connection:
        started = time.monotonic()
        wait_for_redis(connection, pause=0.05)
        assert connection.ping() and time.monotonic() - started >= 0.4
    timer.join()


def test_a_process_that_is_asked_to_stop_waits_for_redis_no_longer(monkeypatch):
    asked = iter((False, False, True))
    monkeypatch.setattr(stopping, "asked", lambda: next(asked))
    away = fakeredis.FakeServer(version=(7,))
    away.connected = False
    wait_for_redis(fakeredis.FakeStrictRedis(server=away), pause=0.01)
    assert list(asked) == []


@pytest.mark.server
def test_the_clock_process_survives_a_redis_that_goes_away(app, config, valkey, tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin", "DATABASE_URL": config.database_url, "REDIS_URL": config.redis_url,
        "INSTANCE_DIR": str(config.instance_dir),
    }  # fmt: skip
    log = tmp_path / "clock.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "invoiceapp.jobs.clock"], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        wait_for_ticks(valkey)
        valkey.stop()
        time.sleep(2)
        assert process.poll() is None, log.read_text()
        valkey.start()
        wait_for_ticks(valkey)
        process.terminate()
        assert process.wait(timeout=10) == 0, "asked to stop it ends in order, also where it is process number 1"
        with Redis.from_url(valkey.url) as connection:
            assert not connection.exists(Clock.scheduler_lock_key), "the next clock turns at once"
    finally:
        process.kill()
        process.wait(timeout=10)


def wait_for_ticks(valkey) -> None:
    """Until the clock has rung."""
    with Redis.from_url(valkey.url) as connection:
        for _ in range(150):
            if connection.llen(f"rq:queue:{bell.Kind.TICK}"):
                return
            time.sleep(0.1)
    raise AssertionError("the clock does not tick")
