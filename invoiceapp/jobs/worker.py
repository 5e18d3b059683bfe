"""The worker process: ``python -m invoiceapp.jobs.worker [KIND ...]``; without kinds it serves all of ``bell.Kind``.

One process, one job at a time, no fork per job: a fork would compile the rules
again for every batch (495 ms instead of 38 ms a job, docs/decisions/0003), and
the delivery machine does not need RQ's isolation, because a worker that dies
loses nothing. ``app.py`` and the Procfile's supervisor restart it.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any, cast

from redis import Redis
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy

from invoiceapp import create_app, logs, tracing
from invoiceapp.current import redis_connection
from invoiceapp.models import db
from invoiceapp.services import stopping
from invoiceapp.services.bell import TASKS, Kind, heard, queue

from . import tasks
from .waiting import wait_for_redis

log = logging.getLogger(__name__)


class OurJob(Job):
    """A job that can be one of ``tasks`` and nothing else: whoever can write to Redis cannot have any function called."""

    @property
    def func(self) -> Callable[..., None]:
        """The task. Raises ``ValueError`` for anything else."""
        module, _dot, name = str(self.func_name).rpartition(".")
        task = vars(tasks).get(name)
        if module != TASKS or self.instance or getattr(task, "__module__", None) != TASKS or not callable(task):
            raise ValueError("this job is none of our tasks")
        return cast("Callable[..., None]", task)

    def perform(self) -> Any:
        """Run the task. Who rings while it runs is heard once more."""
        name = str(self.func_name).rpartition(".")[2]
        heard(name, self.args)
        with tracing.work(f"job {name}", self.meta, task=name):
            return super().perform()

    # Ours have no callbacks; RQ would import whatever is named.
    success_callback = failure_callback = stopped_callback = property(lambda _job: None)


class AppWorker(SimpleWorker):
    """Gives each job a clean database session."""

    job_class = OurJob

    @classmethod
    def serving(cls, kinds: Iterable[Kind], connection: Redis) -> AppWorker:
        """One for these kinds of work, and for the clock's tick, which any worker may do."""
        return cls(
            [queue(kind, connection) for kind in dict.fromkeys([Kind.TICK, *kinds])],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=90,
            maintenance_interval=60,
            job_monitoring_interval=15,
        )

    def take_turns(self, **options: Any) -> bool:
        """Work until stopped: one job of each kind that has any, over and over."""
        return bool(self.work(dequeue_strategy=DequeueStrategy.ROUND_ROBIN, logging_level="WARNING", **options))

    def request_stop(self, signum: Any, frame: Any) -> None:
        """On SIGTERM the batch in hand ends after its present document; a second signal ends at once."""
        stopping.ask()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        """Run one job; whatever it left open is closed."""
        try:
            return bool(super().perform_job(job, *args, **kwargs))
        finally:
            db.session.remove()


def _kinds() -> list[Kind]:
    parser = argparse.ArgumentParser(description="Does the work that the web and the clock ring for.")
    choices: list[Kind] = [kind for kind in Kind if kind is not Kind.TICK]
    parser.add_argument("kinds", nargs="*", type=Kind, metavar="KIND", help=f"of: {', '.join(choices)} (default: all)")
    return cast("list[Kind]", parser.parse_args().kinds) or choices


def main() -> None:
    """Wait for Redis, then work until stopped. Rules are compiled when a document first asks for them: nobody waits for others'."""
    kinds = _kinds()
    logs.configure()
    stopping.hear()
    app = create_app(pages=False, process="worker")
    with app.app_context():
        connection = redis_connection()
        wait_for_redis(connection)
        if stopping.asked():
            return
        log.info("worker %s is ready for: %s", os.getpid(), ", ".join(kinds))
        AppWorker.serving(kinds, connection).take_turns(with_scheduler=False)


if __name__ == "__main__":
    main()
