"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, overload

from sqlalchemy import ColumnElement, DateTime, Dialect, Enum, Numeric, String, Text, TypeDecorator, bindparam
from sqlalchemy.types import TypeEngine

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_LENGTH = 26

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits, so that ids sort by age and cannot be guessed.

    Within one millisecond each is larger than the one before by a random step:
    lines of a timeline stay in the order in which this process wrote them.
    """
    global _last
    with _lock:
        number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
        if number >> 80 <= _last >> 80:
            number = _last + 1 + int.from_bytes(os.urandom(8))
        _last = number
    digits = []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, 32)
        digits.append(_CROCKFORD[digit])
    return "".join(reversed(digits))


def id_at(moment: datetime) -> str:
    """Smaller than every id that was made later."""
    digits, number = "", int(moment.timestamp() * 1000)
    for _ in range(10):
        number, digit = divmod(number, 32)
        digits = _CROCKFORD[digit] + digits
    return digits


def utcnow() -> datetime:
    """Now, timezone-aware. The one clock of models and services, so that tests can move it."""
    return datetime.now(UTC)


def when_asked() -> ColumnElement[datetime]:
    """The moment at which a statement is executed, for one that is made once."""
    return bindparam(None, callable_=utcnow, type_=UtcDateTime(), unique=True)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware in Python, UTC in the database (SQLite forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime is not a moment")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def enum_column(kind: type[StrEnum], length: int = 20) -> Enum:
    """An enumeration, stored by its values as text: new members need no migration."""
    return Enum(kind, native_enum=False, length=length, values_callable=lambda e: [m.value for m in e])


class Amount(TypeDecorator[Decimal]):
    """Money: NUMERIC on PostgreSQL, text on SQLite, whose NUMERIC goes through binary floats."""

    impl = Numeric(20, 4)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(Numeric(20, 4))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return format(value, "f") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


@overload
def cut(text: str, length: int) -> str: ...
@overload
def cut(text: None, length: int) -> None: ...
@overload
def cut(text: str | None, length: int) -> str | None: ...
def cut(text: str | None, length: int) -> str | None:
    """The first ``length`` characters; None stays None. PostgreSQL refuses a text that is longer than its column."""
    return text[:length] if text is not None else None


#: Made once: ``json`` makes an encoder or decoder for every call with options, and a document has a thousand texts.
_as_it_is = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_with_decimals = json.JSONDecoder(parse_float=Decimal).decode


def dump_json(value: Any) -> str:
    """JSON in which ``Decimal`` stays the number that it was; ``json.dumps`` would want a float.

    The text can always be encoded, whatever somebody pasted into the source.
    """
    try:
        text = _as_it_is(value)
        text.encode()
    except (TypeError, UnicodeEncodeError):
        return _piecewise(value)
    return text


def _piecewise(value: Any) -> str:
    """What the encoder cannot do, in a fifth of its speed."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(str(k))}:{_piecewise(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_piecewise(item) for item in value) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """A JSON string. Half of a surrogate pair becomes an escape, because no encoding can carry it."""
    quoted = _as_it_is(text)
    try:
        quoted.encode()
    except UnicodeEncodeError:
        return json.dumps(text)
    return quoted


def load_json(text: str | bytes) -> Any:
    """The reverse of ``dump_json``: every fraction a ``Decimal``."""
    return _with_decimals(text if isinstance(text, str) else text.decode())


class Json(TypeDecorator[Any]):
    """A JSON value as text, Decimals kept exact. Never queried into, so plain text serves both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dump_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else load_json(value)
