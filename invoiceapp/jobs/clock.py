"""The clock process: ``python -m invoiceapp.jobs.clock``.

rq-scheduler can lose a periodic entry when it is killed between two Redis
commands, exits when Redis goes away, and writes pickle (docs/decisions/0003).
This subclass declares the entries in code, puts missing ones back in every
loop, reconnects, and writes JSON. Two clocks may run: one holds the lock, and a
doubled tick does nothing.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq_scheduler import Scheduler

from invoiceapp import create_app, logs
from invoiceapp.current import redis_connection
from invoiceapp.services import stopping
from invoiceapp.services.bell import TASKS, Kind, queue

from .waiting import wait_for_redis

log = logging.getLogger(__name__)

#: Periodic entries: fixed id -> task and seconds between.
ENTRIES = {"clock-tick": (f"{TASKS}.tick", 5)}
LOOP_SECONDS = 1


class JsonJob(Job):
    """rq-scheduler has no serializer option; this gives its jobs JSON instead of pickle."""

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Job:
        """As ``Job.create``, in JSON."""
        kwargs.setdefault("serializer", JSONSerializer)
        return super().create(*args, **kwargs)

    @classmethod
    def fetch(cls, *args: Any, **kwargs: Any) -> Job:
        """As ``Job.fetch``, in JSON."""
        kwargs.setdefault("serializer", JSONSerializer)
        return super().fetch(*args, **kwargs)


class Clock(Scheduler):  # type: ignore[misc]
    """A scheduler whose entries are what ``ENTRIES`` says, whatever happened to Redis."""

    def reconcile(self) -> None:
        """Remove unknown entries, put missing ones back."""
        present = {job.id for job in self.get_jobs()}
        for job_id in present - ENTRIES.keys():
            self.cancel(job_id)
        for job_id, (task, seconds) in ENTRIES.items():
            if job_id not in present:
                self.schedule(
                    datetime.now(UTC),
                    task,
                    interval=seconds,
                    id=job_id,
                    queue_name=Kind.TICK.value,
                    result_ttl=60,
                    timeout=60,
                )

    def turn(self) -> None:
        """One loop: under the lock, reconcile and enqueue what is due."""
        if not self.acquire_lock():
            return
        try:
            self.reconcile()
            # While no worker runs, ticks must not pile up: one that waits is enough.
            if queue(Kind.TICK).is_empty():
                self.enqueue_jobs()
        finally:
            self.remove_lock()


def main() -> None:
    """Turn until asked to stop; a Redis that goes away only pauses the clock."""
    logs.configure()
    stopping.hear()
    app = create_app(pages=False, process="clock")
    with app.app_context():
        connection = redis_connection()
        wait_for_redis(connection)
        clock = Clock(connection=connection, interval=LOOP_SECONDS, job_class=JsonJob)
        log.info("clock is running")
        while not stopping.asked():
            try:
                clock.turn()
            except RedisError as error:
                log.warning("the clock lost Redis: %s", type(error).__name__)
                wait_for_redis(connection)
            time.sleep(LOOP_SECONDS)
        log.info("clock has stopped")


if __name__ == "__main__":
    main()
