"""GETs with patience: tries, pauses, deadlines and limits, and errors that hold neither request nor token."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3

from invoiceapp.domain.findings import Text
from invoiceapp.sources.base import SourceChanged, SourceUnavailable

_CHUNK = 65_536
_FIRST_PAUSE = 0.5

CHANGED = Text(
    "Billy svarede på en måde, som programmet ikke kender, så læsningen er stoppet, og intet er gættet. "
    "Prøv igen om lidt. Sker det igen, så giv besked til den, der driver denne installation.",
    "Billy answered in a way that this program does not know, so reading stopped and nothing was guessed. "
    "Try again in a while. If it happens again, tell whoever runs this installation.",
)
_UNAVAILABLE = Text(
    "Billy svarer ikke lige nu. Du skal ikke gøre noget; vi prøver igen ved næste kørsel.",
    "Billy does not answer right now. You need not do anything; the next run tries again.",
)
_BUSY = Text(
    "Billy beder os vente, fordi der har været mange opslag. Du skal ikke gøre noget; vi prøver igen senere.",
    "Billy asks us to wait because of many requests. You need not do anything; we will try again later.",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    retry_after: float | None
    body: bytes


class _NoAnswer(Exception):
    """No complete answer came; the message may go to the log."""


class _TooLarge(Exception):
    """The answer is larger than anything we asked for."""


def _seconds(retry_after: str | None) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, number or date (RFC 9110 10.2.3)."""
    if not retry_after:
        return None
    if re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return float(retry_after)
    with suppress(ValueError):
        moment = parsedate_to_datetime(retry_after)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None


def _read_body(response: requests.Response, limit: int, deadline: float) -> bytes:
    """The body, or ``_TooLarge`` above ``limit`` bytes, or ``_NoAnswer`` after ``deadline``."""
    body = bytearray()
    # read1 returns what has arrived, so that a trickle of single bytes cannot outlive the deadline.
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > limit:
            raise _TooLarge(f"more than {limit} bytes")
        if time.monotonic() > deadline:
            raise _NoAnswer("too slow")
    return bytes(body)


class Connection:
    """To one server; use it in one thread.

    ``timeout`` is (seconds to connect, seconds for a whole answer); one answer
    can take at most twice the second, where it stalls just before the end.
    A GET is tried ``tries`` times on 408, 429, 5xx and lost connections, with
    pauses of at most ``longest_wait`` seconds; a longer ``Retry-After`` is left
    to the caller in ``SourceUnavailable.retry_after``.
    """

    def __init__(
        self, timeout: tuple[float, float], sleep: Callable[[float], None], tries: int, longest_wait: float
    ) -> None:
        self._timeout = timeout
        self._sleep = sleep
        self._tries = tries
        self._longest_wait = longest_wait
        self._session = requests.Session()
        self._session.trust_env = False
        # Uncompressed, because a compressed trickle would be read past the deadline.
        self._session.headers.update({"User-Agent": "invoiceapp", "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Give connections back."""
        self._session.close()

    def get(self, url: str, params: Mapping[str, str], headers: Mapping[str, str], limit: int, name: str) -> Answer:
        """The answer to a GET of at most ``limit`` bytes, after as many tries as it takes.

        ``name`` stands for it in errors. Raises ``SourceUnavailable``, and ``SourceChanged`` for more bytes.
        """
        for attempt in range(1, self._tries + 1):
            text, retry_after = _UNAVAILABLE, None
            try:
                answer = self._fetch(url, params, headers, limit)
            except _NoAnswer as error:
                reason = str(error)
            except _TooLarge as error:
                raise SourceChanged(CHANGED, f"{name}: {error}") from None
            else:
                if answer.status not in (408, 429) and answer.status < 500:
                    return answer
                reason, retry_after = f"HTTP {answer.status}", answer.retry_after
                text = _BUSY if answer.status == 429 else _UNAVAILABLE
            pause = max(retry_after or 0, _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
            if attempt == self._tries or pause > self._longest_wait:
                break
            self._sleep(pause)
        # Outside the handlers, because the errors of requests hold the request and so the token.
        raise SourceUnavailable(text, f"{name}: {reason}", retry_after)

    def _fetch(self, url: str, params: Mapping[str, str], headers: Mapping[str, str], limit: int) -> Answer:
        """One try of one GET."""
        deadline = time.monotonic() + self._timeout[1]
        try:
            with self._session.get(
                url, params=params, headers=headers, stream=True, allow_redirects=False, timeout=self._timeout
            ) as response:
                body = _read_body(response, limit, deadline)
                return Answer(response.status_code, _seconds(response.headers.get("Retry-After")), body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _NoAnswer(type(error).__name__) from None
