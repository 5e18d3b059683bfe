"""Parameters of the address and bodies. What cannot be read is refused: a filter that is ignored would answer too much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from flask import request

from invoiceapp.domain.findings import Text
from invoiceapp.services.daily.listing import GROUPS, STATUSES, Filter, View

from .errors import BadParameter

T = TypeVar("T")
DEFAULT_LIMIT, MOST = 50, 200
#: Of ``GET /documents``.
NAMES = ("adaptor", "status", "customer", "number", "from", "to", "changed_since", "after", "limit")
_LONGEST = 200


def _bad(name: str) -> BadParameter:
    return BadParameter(Text(f"Parameteren {name} kan ikke læses.", f"The parameter {name} cannot be read."))


def _read(args: Mapping[str, str], name: str, read: Callable[[str], T]) -> T | None:
    if not args.get(name):
        return None
    try:
        return read(args[name])
    except ValueError as error:
        raise _bad(name) from error


def _status(text: str) -> str:
    if text not in STATUSES | GROUPS.keys():
        raise ValueError(text)
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= limit <= MOST:
        raise ValueError(text)
    return limit


def _text(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(text)
    return text


def view(args: Mapping[str, str]) -> tuple[View, int]:
    """Which documents, in which order, from where, and how many. Raises ``BadParameter``.

    With ``changed_since`` those that changed first come first, so that a reader can go on where they stopped.
    """
    unknown = sorted(set(args) - set(NAMES))
    if unknown:
        raise _bad(unknown[0][:_LONGEST])
    since = _read(args, "changed_since", _moment)
    wanted = Filter(
        status=_read(args, "status", _status) or "", customer_id=_read(args, "customer", _text) or "",
        number=_read(args, "number", _text) or "", first_day=_read(args, "from", date.fromisoformat),
        last_day=_read(args, "to", date.fromisoformat), changed_since=since,
    )  # fmt: skip
    sort, after = "changed" if since else "-date", args.get("after", "")
    read = View.read({"sort": sort, "after": after})
    if read.after != after:
        raise _bad("after")
    return View(wanted, sort, after), _read(args, "limit", _limit) or DEFAULT_LIMIT


def body() -> dict[str, Any]:
    """The JSON object that was sent. Raises ``BadParameter``, and 415 for anything but JSON."""
    found = request.get_json()
    if not isinstance(found, dict):
        raise BadParameter(Text("Indholdet skal være et JSON-objekt.", "The body must be a JSON object."))
    return found


def text_of(found: Mapping[str, Any], name: str, longest: int) -> str:
    """A text of the body; empty where it is left out. Raises ``BadParameter``."""
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise _bad(name)
    return value.strip()
