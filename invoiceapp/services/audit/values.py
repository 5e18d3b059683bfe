"""What of a value may stand in the audit log: on one line, bounded, and never a secret."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from enum import Enum
from typing import Any

from invoiceapp.models.types import dump_json

#: Stands for a secret: that there is one, never which.
HIDDEN = "(hidden)"
#: Stands for an old value that nobody had read.
UNKNOWN = "(unknown)"
#: Parts of names whose values are never written, whatever table they are in.
_SECRET = re.compile(r"secret|passw|token|hash|codes|key|otp|credential|uniquifier|cookie", re.IGNORECASE)
#: Names that only look like it: it says where secrets come from.
_HARMLESS = frozenset({"secret_references"})
_CIPHERTEXT = re.compile(r"v\d+\.[\w.:=+/-]{16,}")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: Controls, directions of writing, line ends of other alphabets, and halves of surrogate pairs.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_LONGEST, _MOST, _DEEPEST, _LARGEST = 1000, 500, 6, 40_000
_SAFE_INTEGER = 2**53


def clean(text: object, length: int) -> str:
    """Text for one line of a log: cut, and what cannot be seen is escaped as ``\\u202e``."""
    shown = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text)[:length])
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def is_secret(name: str) -> bool:
    """Whether a value of this name is never written."""
    return name not in _HARMLESS and bool(_SECRET.search(name))


def narrowed(before: Any, after: Any) -> tuple[Any, Any]:
    """Of two dictionaries, what differs; other values whole."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return before, after
    pairs = {
        key: narrowed(before.get(key), after.get(key))
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
    }
    old = {key: pair[0] for key, pair in pairs.items() if key in before}
    return old, {key: pair[1] for key, pair in pairs.items() if key in after}


def shown(name: str, value: Any) -> Any:
    """A column's value as it is written."""
    if is_secret(name):
        return _hidden(value)
    return _origin(value) if name == "url" else _plain(value, 0)


def bounded(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """The values, or only their names where they are too long together."""
    if values is None or len(dump_json(values)) <= _LARGEST:
        return values
    return {clean(name, 60): "(too long)" for name in list(values)[:100]}


def _hidden(value: Any) -> Any:
    if value in (None, "", {}, []):
        return None
    if isinstance(value, dict) and all(_FIELD_NAME.fullmatch(str(key)) for key in value):
        return {str(key): _hidden(one) for key, one in value.items()}
    return HIDDEN


def _origin(value: Any) -> Any:
    """Of an address, scheme and host: the rest of a webhook's may be its secret."""
    found = re.match(r"[a-z]{2,10}://(?:[^/?#@\s]*@)?([^/?#\s]{1,255})", str(value or ""))
    return clean(f"{str(value).partition('://')[0]}://{found[1]}", 300) if found else _hidden(value)


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < _SAFE_INTEGER:
        return value
    if isinstance(value, bytes):
        return HIDDEN
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict | list | tuple):
        return _contents(value, depth)
    text = str(value)
    return HIDDEN if _CIPHERTEXT.fullmatch(text[:20_000]) else clean(text, _LONGEST)


def _contents(value: Any, depth: int) -> Any:
    if depth == _DEEPEST:
        return "…"
    if isinstance(value, dict):
        first = list(value.items())[:_MOST]
        return {clean(key, 100): _hidden(one) if is_secret(str(key)) else _plain(one, depth + 1) for key, one in first}
    return [_plain(one, depth + 1) for one in value[:_MOST]]
