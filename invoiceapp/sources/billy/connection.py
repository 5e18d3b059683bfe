"""GETs with patience: tries, pauses, deadlines and limits, and errors that hold neither request nor token."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Mapping
from functools import cache
from urllib.parse import urlencode

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.http import Answer, HttpClient
from invoiceapp.outbound.tls import client_context
from invoiceapp.sources.base import CredentialsRefused, SourceChanged, SourceUnavailable
from invoiceapp.sources.pace import UNLIMITED, Pace

_FIRST_PAUSE = 0.5
#: Without compression, because a compressed trickle would be read past the deadline.
_HEADERS = {"User-Agent": "invoiceapp", "Accept-Encoding": "identity"}

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

_BLOCKED = Text(
    "Adressen på Billy ligger i et lukket netværk, så vi spørger den ikke. Ret adressen under Kilde. Er det meningen, skal den, "
    "der driver serveren, tillade den med OUTBOUND_NETWORKS eller OUTBOUND_PORTS.",
    "The address of Billy lies in a closed network, so we do not ask it. Correct the address under Source. If that is intended, "
    "whoever runs the server must allow it by OUTBOUND_NETWORKS or OUTBOUND_PORTS.",
)
_OUR_GUARD = frozenset({Reason.BLOCKED_ADDRESS, Reason.BLOCKED_PORT})


@cache
def _public_roots() -> ssl.SSLContext:
    """One for all connections: to read the roots takes longer than to convert a document."""
    return client_context()


class Connection:
    """To one server; use it in one thread.

    ``timeout`` is seconds for a whole answer. A GET is tried ``tries`` times on 408, 429, 5xx and lost connections, with
    pauses of at most ``longest_wait`` seconds; a longer ``Retry-After`` is left to the caller in
    ``SourceUnavailable.retry_after``. Each try waits for its turn in ``pace``, which all who ask for the company share.
    """

    def __init__(
        self, guard: Guard, timeout: float, sleep: Callable[[float], None], tries: int, longest_wait: float,
        pace: Pace = UNLIMITED,
    ) -> None:  # fmt: skip
        self._guard = guard
        self._timeout = timeout
        self._sleep = sleep
        self._tries = tries
        self._longest_wait = longest_wait
        self._pace = pace
        self._client: HttpClient | None = None

    def close(self) -> None:
        """Give connections back."""
        if self._client:
            self._client.close()

    def get(self, url: str, params: Mapping[str, str], headers: Mapping[str, str], limit: int, name: str) -> Answer:
        """The answer to a GET of at most ``limit`` bytes, after as many tries as it takes.

        ``name`` stands for it in errors. Raises ``SourceUnavailable``, ``SourceChanged`` for more bytes, and
        ``CredentialsRefused`` for an address that our guard does not let through.
        """
        address = f"{url}?{urlencode(params)}" if params else url
        for attempt in range(1, self._tries + 1):
            self._wait_for_turn(name)
            answer, failed = self._fetch(address, headers, limit)
            if answer and answer.status not in (408, 429) and answer.status < 500:
                return answer
            # Not in a handler, because errors below hold the request and so the token.
            if failed in _OUR_GUARD:
                raise CredentialsRefused(_BLOCKED, f"{name}: {failed}")
            if failed is Reason.TOO_LARGE:
                raise SourceChanged(CHANGED, f"{name}: more than {limit} bytes")
            retry_after = answer.retry_after if answer else None
            pause = max(retry_after or 0, _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
            if answer and answer.status == 429:
                self._pace.hold(pause)
            if attempt == self._tries or pause > self._longest_wait:
                break
            self._sleep(pause)
        text = _BUSY if answer and answer.status == 429 else _UNAVAILABLE
        raise SourceUnavailable(text, f"{name}: {f'HTTP {answer.status}' if answer else failed}", retry_after)

    def _wait_for_turn(self, name: str) -> None:
        """Raises ``SourceUnavailable`` where Billy has asked somebody else of us to wait for long."""
        wait = self._pace.reserve(self._longest_wait)
        if wait > self._longest_wait:
            raise SourceUnavailable(_BUSY, f"{name}: not asked, Billy wants us to wait", wait)
        if wait:
            self._sleep(wait)

    def _fetch(self, url: str, headers: Mapping[str, str], limit: int) -> tuple[Answer | None, Reason | None]:
        """One try: an answer, or why there is none."""
        self._client = self._client or HttpClient(self._guard, _public_roots(), keeps=True)
        deadline = Deadline(self._timeout, self._timeout)
        try:
            return self._client.request("GET", url, deadline, headers={**_HEADERS, **headers}, most=limit), None
        except OutboundError as error:
            return None, error.reason
