"""Immutable values of the domain to JSON values and back, by their declared types.

Field names become camelCase, numbers and dates become texts, bytes become
base64. What is None is left out; lists are always there. The shape that comes
out is the one that ``invoice-1.schema.json`` promises, and a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.money import plain, to_decimal
from invoiceapp.domain.settings import camel
from invoiceapp.formats.base import Unreadable


def encode(value: Any) -> Any:
    """The JSON value of a domain value."""
    if dataclasses.is_dataclass(value):
        return {
            camel(field.name): encode(item)
            for field in dataclasses.fields(value)
            if (item := getattr(value, field.name)) is not None
        }
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    return value


def decode(kind: Any, value: Any, path: str = "$") -> Any:
    """The domain value of type ``kind`` in a JSON value; ``path`` names it in errors. Raises ``Unreadable``."""
    if isinstance(kind, types.UnionType):
        # Only ``X | None`` occurs in the domain.
        inner = next(item for item in typing.get_args(kind) if item is not type(None))
        return None if value is None else decode(inner, value, path)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _wrong(path)
        item_kind = typing.get_args(kind)[0]
        return tuple(decode(item_kind, item, f"{path}[{index}]") for index, item in enumerate(value))
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast("type[Any]", kind), value, path)
    return _scalar(kind, value, path)


def _wrong(path: str) -> Unreadable:
    return Unreadable(
        Text(
            f"Værdien {path} mangler eller har en forkert form. Sammenlign med skemaet for formatet.",
            f"The value {path} is missing or has a wrong form. Compare it with the schema of the format.",
        )
    )


def _record(kind: type[Any], value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(path)
    found, hints = {}, typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name = camel(field.name)
        if name in value:
            found[field.name] = decode(hints[field.name], value[name], f"{path}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _wrong(f"{path}.{name}")
    return kind(**found)


def _decimal(value: str) -> Decimal:
    number = to_decimal(value) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else None
    if number is None:
        raise ValueError(value)
    return number


def _date(value: str) -> date:
    # fromisoformat also takes 20261102 and 2026-W45-1.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError(value)
    return date.fromisoformat(value)


_FROM_TEXT: dict[Any, Callable[[str], Any]] = {
    str: str,
    Decimal: _decimal,
    date: _date,
    bytes: lambda value: b64decode(value, validate=True),
}


def _scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is bool and isinstance(value, bool):
        return value
    if kind is bool or not isinstance(value, str):
        raise _wrong(path)
    try:
        # An enumeration is called with its value.
        return _FROM_TEXT.get(kind, kind)(value)
    except ValueError as error:
        raise _wrong(path) from error
