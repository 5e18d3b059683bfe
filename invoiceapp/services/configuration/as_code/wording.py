"""What applying a file changes, in lines for people and in values for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Subject:
    """What a change is about."""

    gateway: str | None = None
    adaptor: str | None = None
    customer: str | None = None
    """Its id in the source"""
    customer_name: str | None = None
    subscription: str | None = None

    def __str__(self) -> str:
        if self.subscription is not None:
            return f"subscription {self.subscription}"
        if self.gateway is not None:
            return f"gateway {self.gateway}"
        customer = f': customer {self.customer} "{self.customer_name}"' if self.customer is not None else ""
        return f"adaptor {self.adaptor}{customer}"

    def to_dict(self) -> dict[str, Any]:
        """For scripts; only what there is."""
        customer = {"id": self.customer, "name": self.customer_name} if self.customer is not None else None
        shown = {
            "subscription": self.subscription, "gateway": self.gateway, "adaptor": self.adaptor, "customer": customer
        }  # fmt: skip
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Change:
    """One value that becomes another one, or (``field`` "") something that is new. Never holds a secret."""

    subject: Subject
    field: str
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        if not self.field:
            return printable(f"{self.subject}: {self.after}")
        if self.field.startswith("secrets.") and self.before is None:
            return printable(f"{self.subject}: {self.field}: {self.after}")
        return printable(f"{self.subject}: {self.field}: {_shown(self.before)} → {_shown(self.after)}")

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        values = {"before": _plain(self.before), "after": _plain(self.after)}
        return {**self.subject.to_dict(), "field": self.field, **values}


def printable(text: str) -> str:
    """In one line and without signs that move a terminal's cursor: names come from wherever."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        parts = [str(part) for part in value.values() if part not in (None, "")]
        text = ":".join(parts) if "scheme" in value else ", ".join(parts)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return str(value) if isinstance(value, Decimal | date) else value
