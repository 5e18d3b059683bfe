"""How fast all workers together ask for one company: a queue of turns in Redis, on every machine the same.

Whoever asks takes the next turn and waits for it. After a pause a second's worth of turns may be taken at once. Where a
source says when to come back, no turn comes before. Redis decides by its own clock; while it is away each process
keeps the same queue for itself, so that the source is asked a little faster, not without end.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from invoiceapp.current import bell_connection, config
from invoiceapp.models import Adaptor
from invoiceapp.sources.pace import UNLIMITED, Pace

log = logging.getLogger(__name__)

#: Seconds after which everybody tries again, whatever a source said.
LONGEST_HOLD = 3600.0
#: Seconds for which a Redis that did not answer is not asked again.
_REST = 30.0
#: Seconds' worth of turns that may be taken at once after a pause.
_BURST = 1.0

# Milliseconds. Lua's own way to write large numbers would round them. Where the clock of Redis has stepped back, what was
# written by the later time lies too far ahead: such a hold is forgotten, and the queue is never longer than the longest wait.
_NOW = f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = tonumber(redis.call('HGET', KEYS[1], 'held') or 0)
if held - now > {LONGEST_HOLD * 1000:.0f} then held = 0 end
"""
_RESERVE = f"""{_NOW}
local interval, burst, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if held - now > most then return math.ceil(held - now) end
local next = tonumber(redis.call('HGET', KEYS[1], 'next') or 0)
local turn = math.max(math.min(next, now + most), now - burst, held)
redis.call('HSET', KEYS[1], 'next', string.format('%.3f', turn + interval))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(turn - now, 0) + burst + interval))
return math.ceil(math.max(turn - now, 0))
"""
_HOLD = f"""{_NOW}
held = math.max(held, now + tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'held', string.format('%.0f', held))
redis.call('PEXPIRE', KEYS[1], math.ceil(held - now) + 60000)
"""


@dataclass(slots=True)
class OwnPace:
    """The queue of one process."""

    interval: float
    next: float = 0
    held: float = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, most: float) -> float:
        """See ``Pace``."""
        with self.lock:
            now = time.monotonic()
            if self.held - now > most:
                return self.held - now
            turn = max(self.next, now - _BURST, self.held)
            self.next = turn + self.interval
            return min(max(turn - now, 0), most)

    def hold(self, seconds: float) -> None:
        """See ``Pace``."""
        with self.lock:
            self.held = max(self.held, time.monotonic() + seconds)


class SharedPace:
    """The queue of everybody, at ``key`` in Redis; ``own`` serves while Redis is away."""

    def __init__(self, redis: Redis, key: str, own: OwnPace) -> None:
        self._key, self._own = key, own
        self._reserve, self._hold = redis.register_script(_RESERVE), redis.register_script(_HOLD)
        self._away_until = 0.0

    def reserve(self, most: float) -> float:
        """See ``Pace``."""
        wait = self._ask(self._reserve, self._own.interval * 1000, _BURST * 1000, most * 1000)
        return self._own.reserve(most) if wait is None else wait / 1000

    def hold(self, seconds: float) -> None:
        """See ``Pace``."""
        seconds = min(seconds, LONGEST_HOLD)
        # Should Redis go away meanwhile, this process still knows.
        self._own.hold(seconds)
        self._ask(self._hold, seconds * 1000)

    def _ask(self, script: Script, *arguments: float) -> float | None:
        """None where Redis does not answer; it is left alone for a while then, because each try may take seconds."""
        if time.monotonic() < self._away_until:
            return None
        try:
            return float(script(keys=[self._key], args=list(arguments)) or 0)
        except RedisError as error:
            log.warning("Redis cannot be reached; this process keeps the pace alone: %s", type(error).__name__)
            self._away_until = time.monotonic() + _REST
            return None


_own: dict[str, OwnPace] = {}


def of(adaptor: Adaptor) -> Pace:
    """How fast the company that ``adaptor`` reads may be asked. To be called where there is an app; used in any thread."""
    rate = config().billy_requests_per_second
    if not rate:
        return UNLIMITED
    company = (adaptor.organization or {}).get("id") or adaptor.id
    key = f"pace:{adaptor.source_kind}:{company}"
    return SharedPace(bell_connection(), key, _own.setdefault(key, OwnPace(1 / rate)))
