"""Every process waits for Redis at its start: RQ's own programs exit at once when it is not there yet."""

from __future__ import annotations

import logging
import time

from redis import Redis
from redis.exceptions import RedisError

from invoiceapp.services import stopping

log = logging.getLogger(__name__)


def wait_for_redis(connection: Redis, pause: float = 1.0) -> None:
    """Return when Redis answers, or when this process is asked to stop; says once a minute that it waits."""
    tries = 0
    while not stopping.asked():
        try:
            connection.ping()
        except RedisError as error:
            if tries % 60 == 0:
                log.warning("waiting for Redis (%s)", type(error).__name__)
            tries += 1
            time.sleep(pause)
        else:
            return
