"""What Redis knows: who serves which kind of work, and how much waits. Raises ``RedisError``."""

from __future__ import annotations

from collections import Counter

from rq import worker_registration

from invoiceapp.current import bell_connection
from invoiceapp.services.bell import Kind, queue


def workers() -> dict[Kind, int]:
    """Workers that have been heard of within the last minutes, by the kinds of work that they serve."""
    connection = bell_connection()
    pipeline = connection.pipeline(transaction=False)
    for key in worker_registration.get_keys(connection=connection):
        pipeline.hget(key, "queues")
    # Of one that died only its name is left for a while.
    serving = Counter(name for found in pipeline.execute() if found for name in found.decode().split(","))
    return {kind: serving[kind.value] for kind in Kind}


def waiting() -> dict[Kind, int]:
    """Jobs that wait, by kind."""
    return {kind: queue(kind).count for kind in Kind}


def failed() -> dict[Kind, int]:
    """Jobs of the last week that ended by a fault in the program, by kind."""
    return {kind: queue(kind).failed_job_registry.count for kind in Kind}
