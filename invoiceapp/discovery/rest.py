"""One question to a register that answers in JSON, and the reading of what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import HttpClient

from .asking import Asking
from .base import CouldNotAsk, Exchange

#: A municipality has thousands of participants, each with a profile for every kind of document.
LARGEST_ANSWER = 10_000_000
_ABSENT = 404

T = TypeVar("T")


class Misfit(ValueError):
    """Something in an answer that is not where or what it should be."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Of all names in ``data`` the first letter is lower-case."""

    data: Any
    exchange: Exchange
    register: str

    def read(self, parse: Callable[[Any], T]) -> T:
        """What ``parse`` makes of ``data``. Raises ``CouldNotAsk`` where it raises ``Misfit``."""
        try:
            return parse(self.data)
        except Misfit as error:
            raise _not_understood(self.register, str(error), self.exchange) from None


def get(http: HttpClient, url: str, deadline: Deadline, register: str) -> Reply:
    """Ask once. ``register``: its name in sentences. A 404 proves nothing: an address that has moved answers so, too.

    Raises ``CouldNotAsk`` for everything that is no whole answer in JSON.
    """
    asking = Asking(http, deadline)
    try:
        answer = asking.get(url, LARGEST_ANSWER)
    except CouldNotAsk as error:
        error.exchanges = tuple(asking.exchanges)
        raise
    exchange = asking.exchanges[-1]
    if answer.status == _ABSENT:
        raise _not_understood(register, "HTTP 404", exchange)
    try:
        data = json.loads(answer.body, object_pairs_hook=_lowered)
    except (ValueError, RecursionError) as error:
        raise _not_understood(register, f"no JSON: {type(error).__name__}", exchange) from None
    return Reply(data, exchange, register)


def as_object(value: object) -> dict[str, Any]:
    """Raises ``Misfit`` for anything but an object."""
    if not isinstance(value, dict):
        raise Misfit(f"an object was expected, not {type(value).__name__}")
    return value


def as_list(value: object) -> list[Any]:
    """A list; null is an empty one. Raises ``Misfit`` for anything else."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Misfit(f"a list was expected, not {type(value).__name__}")
    return value


def as_text(value: object) -> str:
    """Raises ``Misfit`` for anything but a text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise Misfit(f"a text was expected, not {type(value).__name__}")
    return value.strip()


def text_or_none(value: object) -> str | None:
    """A text with something in it, or None: for what may be missing."""
    return value.strip() or None if isinstance(value, str) else None


def _lowered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name[:1].lower() + name[1:]: value for name, value in pairs}


def _not_understood(register: str, detail: str, exchange: Exchange) -> CouldNotAsk:
    text = Text(
        f"{register} svarer på en måde, vi ikke kender, så vi ved ikke, om modtageren er registreret. Bliver det ved, "
        "så giv besked til den, der driver programmet.",
        f"{register} answers in a way that we do not know, so we do not know whether the receiver is registered. If it "
        "goes on, tell whoever runs this program.",
    )
    error = CouldNotAsk(text, detail)
    error.exchanges = (exchange,)
    return error
