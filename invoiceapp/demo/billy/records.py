"""What every part of the stand-in shares: records, their ids and their JSON."""

from __future__ import annotations

import hashlib
import json
import string
from decimal import Decimal
from typing import Any

#: One Billy record: property name to JSON value, numbers as ``int`` or ``Decimal``.
Record = dict[str, Any]

#: Records by id, by plural resource name (``invoices``, ``contacts`` …).
Tables = dict[str, dict[str, Record]]

_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH = 22


def record_id(*parts: object) -> str:
    """22 alphanumeric characters, always the same for the same parts."""
    number = int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest())
    return "".join(_ALPHABET[number // len(_ALPHABET) ** i % len(_ALPHABET)] for i in range(_ID_LENGTH))


def json_number(value: object) -> int | float:
    """A ``Decimal`` as Billy writes numbers: JSON integers and floats, never strings."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return int(value) if value == value.to_integral_value() else float(value)


def dumps(value: object) -> str:
    """JSON text of records."""
    return json.dumps(value, default=json_number, ensure_ascii=False)


def loads(text: str | bytes) -> Any:
    """JSON with decimals kept exact. Raises ``ValueError`` where it is no JSON."""
    return json.loads(text, parse_float=Decimal)


def by_id(records: list[Record]) -> dict[str, Record]:
    """Records in their order, by id."""
    return {record["id"]: record for record in records}
