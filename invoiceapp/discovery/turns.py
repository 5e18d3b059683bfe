"""No host is asked more often than it may be, whichever thread of the process asks."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from ssl import SSLContext
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient


class Turns:
    """Turns at each host: one every so many seconds, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = dict[str, float]()

    def wait(self, host: str, per_second: float, deadline: Deadline) -> None:
        """Sleeps until it is our turn. Raises ``TimeoutError``, and takes no turn, where that is after the deadline."""
        with self._lock:
            now = monotonic()
            turn = max(now, self._next.get(host, 0.0))
            if deadline.step(most=turn - now) < turn - now:
                raise TimeoutError("our turn comes after the deadline")
            self._next[host] = turn + 1 / per_second
        sleep(turn - now)


_OF_THIS_PROCESS = Turns()


def host_of(url: str) -> str:
    """Host and port, as an address names them."""
    return urlsplit(url).netloc.lower()


class PoliteClient(HttpClient):
    """An HTTP client that waits for its turn at each host."""

    def __init__(
        self, guard: Guard, context: SSLContext | None, per_second: float, slower: Mapping[str, float] | None = None
    ) -> None:
        """``per_second``: questions to one host; ``slower``: by host, where it wants fewer."""
        super().__init__(guard, context, keeps=True)
        self._per_second, self._slower = per_second, dict(slower or {})

    def request(self, method: str, url: str, deadline: Deadline, **options: Any) -> Answer:
        """As ``HttpClient.request``; ``OutboundError`` (``TIMEOUT``) also where our turn would come after the deadline."""
        host = host_of(url)
        try:
            _OF_THIS_PROCESS.wait(host, min(self._per_second, self._slower.get(host, math.inf)), deadline)
        except TimeoutError as error:
            raise OutboundError(Reason.TIMEOUT, f"{host}: {error}") from None
        return super().request(method, url, deadline, **options)
