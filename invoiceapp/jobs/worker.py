"""The worker process: ``python -m invoiceapp.jobs.worker``.

One process, one job at a time, no fork per job: a fork would compile the rules
again for every batch (495 ms instead of 38 ms a job, docs/decisions/0003), and
the delivery machine does not need RQ's isolation, because a worker that dies
loses nothing. ``app.py`` and the Procfile's supervisor restart it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, cast

from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from invoiceapp import create_app, logs
from invoiceapp.current import redis_connection
from invoiceapp.models import db
from invoiceapp.services.bell import QUEUE, TASKS, TICK_QUEUE, heard, queue
from invoiceapp.services.export import validators

from . import tasks
from .waiting import wait_for_redis

log = logging.getLogger(__name__)

#: A run that reads longer than this many seconds is shown as abandoned in Redis; it carries on all the same.
_LONGEST = 6 * 3600


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
        heard(str(self.func_name).rpartition(".")[2], self.args)
        return super().perform()

    # Ours have no callbacks; RQ would import whatever is named.
    success_callback = failure_callback = stopped_callback = property(lambda _job: None)


class AppWorker(SimpleWorker):
    """Gives each job a clean database session, and one without a time limit a long life in Redis."""

    job_class = OurJob

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Seconds after which others may think this worker dead. RQ's seven minutes are too short for a long run."""
        return _LONGEST if job.timeout == -1 else int(super().get_heartbeat_ttl(job, working_time))

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> bool:
        """Run one job; whatever it left open is closed."""
        try:
            return bool(super().perform_job(job, *args, **kwargs))
        finally:
            db.session.remove()


def main() -> None:
    """Wait for Redis, compile the rules, then work until stopped."""
    logs.configure()
    app = create_app(pages=False)
    with app.app_context():
        connection = redis_connection()
        wait_for_redis(connection)
        validators.warm()
        log.info("worker %s is ready", os.getpid())
        worker = AppWorker(
            [queue(TICK_QUEUE, connection), queue(QUEUE, connection)],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=90,
            maintenance_interval=60,
            job_monitoring_interval=15,
        )
        worker.work(with_scheduler=False, logging_level="WARNING")


if __name__ == "__main__":
    main()
