"""One pace for all who ask for a company."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from support.valkey import Valkey

from invoiceapp.models import Adaptor
from invoiceapp.services import pacing
from invoiceapp.services.pacing import OwnPace, SharedPace
from invoiceapp.sources.pace import UNLIMITED

MOST = 30.0


class Clock:
    """The time of ``pacing``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(pacing, "time", found)
    return found


def take(pace: OwnPace | SharedPace, count: int, most: float = MOST) -> list[float]:
    return [pace.reserve(most) for _ in range(count)]


class TestOwn:
    def test_a_seconds_worth_may_be_taken_at_once_then_one_after_another(self, clock):
        assert take(OwnPace(0.25), 7) == [0, 0, 0, 0, 0, 0.25, 0.5]

    def test_turns_that_nobody_took_are_not_saved_up(self, clock):
        pace = OwnPace(0.25)
        take(pace, 5)
        clock.now += 60
        assert take(pace, 6) == [0, 0, 0, 0, 0, 0.25]

    def test_after_a_hold_nobody_comes_sooner_and_all_come_one_after_another(self, clock):
        pace = OwnPace(0.25)
        pace.hold(7)
        assert take(pace, 3) == [7, 7.25, 7.5]
        clock.now += 60
        assert take(pace, 1) == [0]

    def test_a_shorter_hold_does_not_end_a_longer_one(self, clock):
        pace = OwnPace(0.25)
        pace.hold(7)
        pace.hold(1)
        assert take(pace, 1) == [7]

    def test_a_long_hold_is_told_and_takes_no_turn(self, clock):
        pace = OwnPace(0.25)
        pace.hold(100)
        assert take(pace, 3) == [100, 100, 100]
        clock.now += 100
        assert take(pace, 2) == [0, 0.25]

    def test_a_long_queue_is_not_taken_for_a_hold(self, clock):
        assert max(take(OwnPace(1), 50)) == MOST


@pytest.fixture
def valkey(config, tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(config.redis_url, tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shared(config):
    """``shared()``: the pace of one more process."""
    opened = []

    def make(key: str = "pace:billy:company", rate: float = 0.1) -> SharedPace:
        opened.append(Redis.from_url(config.redis_url))
        return SharedPace(opened[-1], key, OwnPace(1 / rate))

    yield make
    for one in opened:
        one.close()


@pytest.mark.server
class TestShared:
    """Turns are ten seconds apart here, so that a slow machine changes nothing."""

    def test_turns_far_ahead_because_the_clock_of_redis_stepped_back_are_soon_forgotten(self, valkey, shared, config):
        a_day_on = (time.time() + 86_400) * 1000
        with Redis.from_url(config.redis_url) as connection:
            connection.hset("pace:billy:company", "next", str(a_day_on))
            assert shared().reserve(MOST) == MOST
            ahead = float(connection.hget("pace:billy:company", "next")) / 1000 - time.time()
            assert ahead <= MOST + 10 and connection.ttl("pace:billy:company") <= MOST + 15

    def test_a_hold_that_nobody_can_have_asked_for_is_forgotten(self, valkey, shared, config):
        with Redis.from_url(config.redis_url) as connection:
            connection.hset("pace:billy:company", "held", f"{(time.time() + 86_400) * 1000:.0f}")
            assert shared().reserve(MOST) == 0
            shared().hold(25)
            assert 15 < shared().reserve(MOST) <= 25

    def test_an_emptied_redis_begins_a_new_queue(self, valkey, shared, config):
        pace = shared()
        take(pace, 3)
        with Redis.from_url(config.redis_url) as connection:
            connection.flushall()
            connection.script_flush()
        assert pace.reserve(MOST) == 0 and 5 < pace.reserve(MOST) <= 10

    def test_all_processes_stand_in_one_queue(self, valkey, shared):
        waits = [shared().reserve(MOST) for _ in range(3)]
        assert waits[0] == 0 and 5 < waits[1] <= 10 and 15 < waits[2] <= 20

    def test_another_company_has_a_queue_of_its_own(self, valkey, shared):
        assert shared().reserve(MOST) == shared("pace:billy:other").reserve(MOST) == 0

    def test_turns_are_taken_once_however_many_take_them_together(self, valkey, shared):
        paces, start = [shared(rate=0.01) for _ in range(8)], threading.Barrier(8)

        def take_one(pace: SharedPace) -> float:
            start.wait()
            return pace.reserve(10_000)

        with ThreadPoolExecutor(8) as pool:
            waits = sorted(pool.map(take_one, paces))
        gaps = [later - earlier for earlier, later in itertools.pairwise(waits)]
        assert all(gap > 90 for gap in gaps)

    def test_who_is_asked_to_wait_slows_all_down(self, valkey, shared):
        shared().hold(25)
        assert 20 < shared().reserve(MOST) <= 25

    def test_a_long_hold_is_told_to_all_and_is_forgotten_in_the_end(self, valkey, shared, config):
        shared().hold(1e9)
        assert pacing.LONGEST_HOLD - 60 < shared().reserve(MOST) <= pacing.LONGEST_HOLD
        with Redis.from_url(config.redis_url) as connection:
            assert 0 < connection.ttl("pace:billy:company") <= pacing.LONGEST_HOLD + 60

    def test_a_queue_that_nobody_stands_in_is_forgotten(self, valkey, shared, config):
        shared(rate=20).reserve(MOST)
        with Redis.from_url(config.redis_url) as connection:
            assert 0 < connection.pttl("pace:billy:company") < 5000


class TestWithoutRedis:
    def test_each_process_keeps_the_pace_and_a_hold_by_itself(self, shared):
        pace = shared()
        assert pace.reserve(MOST) == 0 and 5 < pace.reserve(MOST) <= 10
        pace.hold(25)
        assert 20 < pace.reserve(MOST) <= 25

    def test_redis_is_left_alone_for_a_while_then_asked_again(self, shared, clock, monkeypatch):
        pace, asked = shared(), []
        real = Redis.evalsha
        monkeypatch.setattr(Redis, "evalsha", lambda *given: asked.append(1) or real(*given))
        take(pace, 3)
        assert len(asked) == 1
        clock.now += 60
        take(pace, 3)
        assert len(asked) == 2


class TestOfAnAdaptor:
    @pytest.fixture
    def limited(self, app, config, monkeypatch):
        monkeypatch.setattr(pacing, "_own", {})
        app.extensions["invoiceapp.config"] = dataclasses.replace(config, billy_requests_per_second=10)

    def test_adaptors_of_one_company_share_it_and_others_do_not(self, limited):
        adaptors = [
            Adaptor(id=name, source_kind="billy", organization={"id": company} if company else None)
            for name, company in (("a", "one"), ("b", "one"), ("c", "two"), ("d", None))
        ]
        queues = [id(pacing.of(adaptor)._own) for adaptor in adaptors]
        assert queues[0] == queues[1] and len(set(queues)) == 3

    def test_nobody_waits_where_there_is_no_limit(self, app):
        assert pacing.of(Adaptor(id="a", source_kind="billy")) is UNLIMITED
