"""The wake-up bell. The database is the truth; Redis only tells workers that there is something to do.

Losing a ring costs delay, never work: the clock's tick rings again for every
row that is due. At most one ring of a kind waits: kinds of work take turns, and
however often the clock rings, a person's run waits behind one job of each kind.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from invoiceapp import tracing
from invoiceapp.current import bell_connection

log = logging.getLogger(__name__)

TASKS = "invoiceapp.jobs.tasks"


class Kind(StrEnum):
    """The queues. A worker takes turns between those that it serves (``jobs/worker.py``)."""

    TICK = "tick"
    FETCH = "fetch"
    CONVERT = "convert"
    DELIVER = "deliver"
    NOTIFY = "notify"
    WORK = "work"
    """What people wait for, and what is done at night"""


#: Tasks that wait elsewhere than in ``Kind.WORK``.
_KINDS = {
    "start_runs": Kind.FETCH, "execute_run": Kind.FETCH,
    "convert": Kind.CONVERT,
    "deliver": Kind.DELIVER, "probe": Kind.DELIVER, "collect": Kind.DELIVER, "poll": Kind.DELIVER,
    "notice": Kind.NOTIFY, "compose": Kind.NOTIFY, "send_mail": Kind.NOTIFY, "call_webhooks": Kind.NOTIFY,
}  # fmt: skip
#: Seconds one job may take; batches are far smaller, see ``jobs/tasks.py``.
JOB_TIMEOUT = 900
_WEEK = 7 * 24 * 3600
#: Seconds that a ring keeps others of its kind from the queue; so long is the delay where its job was lost.
WAITS = 30
#: The same for work that goes on slice by slice, each ringing for the next: it waits behind slices of everybody else, and
#: a second ring meanwhile would be a second turn in every round to its end.
WAITS_BETWEEN_SLICES = 300
_SLICED = frozenset({"execute_run", "work"})


def kind_of(task: str) -> Kind:
    """The queue in which a task of ``jobs/tasks.py`` waits."""
    return _KINDS.get(task, Kind.WORK)


def queue(kind: Kind, connection: Redis | None = None) -> Queue:
    """The RQ queue; JSON, so that somebody who can write to Redis cannot run code through pickle.

    Without ``connection`` the one that gives up soon; a worker, which waits for jobs, brings its own.
    """
    connection = connection or bell_connection()
    return Queue(kind.value, connection=connection, serializer=JSONSerializer, default_timeout=JOB_TIMEOUT)


def ring(task: str, *ids: str) -> bool:
    """Ask a worker to run ``jobs.tasks.<task>``; False where Redis cannot be reached.

    A ring like one that waits adds nothing: whoever hears that one looks at what is there by then.
    """
    waits = WAITS_BETWEEN_SLICES if task in _SLICED else WAITS
    key = _waiting(task, ids)
    try:
        if bell_connection().set(key, "", nx=True, ex=waits):
            queue(kind_of(task)).enqueue(
                f"{TASKS}.{task}", *ids, result_ttl=60, failure_ttl=_WEEK, meta=tracing.carried()
            )
    except RedisError as error:
        log.warning("the queue cannot be reached; the clock will find the work: %s", type(error).__name__)
        with suppress(RedisError):
            # Else the clock's ring would be taken for one more like a job that was never made.
            bell_connection().delete(key)
        return False
    return True


def heard(task: str, ids: Iterable[object]) -> None:
    """A worker begins: from now on a ring is one more job, for what this one may have looked past."""
    try:
        bell_connection().delete(_waiting(task, ids))
    except RedisError as error:
        log.warning("the queue cannot be reached; %s is not rung for a while: %s", task, type(error).__name__)


def _waiting(task: str, ids: Iterable[object]) -> str:
    return ":".join(("rung", task, *map(str, ids)))
