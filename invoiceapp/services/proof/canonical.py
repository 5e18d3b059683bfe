"""JSON in one form, so that the same facts are the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from invoiceapp.models import dump_json


def canonical(value: Any) -> bytes:
    """Names in order, no blanks, UTF-8; dates and times as ISO 8601, times in UTC as kept."""
    return dump_json(_ordered(value)).encode()


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _ordered(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
