"""The wake-up bell. The database is the truth; Redis only tells workers that there is something to do.

Losing a ring costs delay, never work: the clock's tick rings again for every
row that is due.
"""

from __future__ import annotations

import logging

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from invoiceapp.current import bell_connection

log = logging.getLogger(__name__)

QUEUE = "work"
TICK_QUEUE = "tick"
TASKS = "invoiceapp.jobs.tasks"
#: Seconds one job may take; batches are far smaller, see ``jobs/tasks.py``.
JOB_TIMEOUT = 900
#: Tasks without that limit: a run may read a large company for hours, and renews a lease of its own.
UNLIMITED = frozenset({"execute_run"})
_FOR_EVER = -1
_WEEK = 7 * 24 * 3600


def queue(name: str = QUEUE, connection: Redis | None = None) -> Queue:
    """The RQ queue; JSON, so that somebody who can write to Redis cannot run code through pickle.

    Without ``connection`` the one that gives up soon; a worker, which waits for jobs, brings its own.
    """
    connection = connection or bell_connection()
    return Queue(name, connection=connection, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT)


def ring(task: str, *ids: str) -> bool:
    """Ask a worker to run ``jobs.tasks.<task>``; False where Redis cannot be reached."""
    limit = _FOR_EVER if task in UNLIMITED else JOB_TIMEOUT
    try:
        queue().enqueue(f"{TASKS}.{task}", *ids, job_timeout=limit, result_ttl=60, failure_ttl=_WEEK)
    except RedisError as error:
        log.warning("the queue cannot be reached; the clock will find the work: %s", type(error).__name__)
        return False
    return True
