"""How a setting is declared: a dataclass field that carries its form field."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text


def setting(da: str, en: str, type: FieldType = FieldType.TEXT, *, default: Any = None, **declared: Any) -> Any:
    """A dataclass field that carries its declaration; the name is filled in by ``fields_of``."""
    declaration = Field("", Text(da, en), type, default=default, **declared)
    return field(default=default, metadata={"declaration": declaration})
