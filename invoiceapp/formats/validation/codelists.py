"""Public code lists (``codelists.toml``): which codes receivers of e-invoices know."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path


@cache
def codes(name: str) -> frozenset[str]:
    """The codes of one list, e.g. ``units`` or ``oioubl_units``. Raises ``KeyError`` for a list that is not there."""
    return _lists()[name]


@cache
def _lists() -> dict[str, frozenset[str]]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: frozenset(listed.split()) for name, listed in tomllib.loads(text).items()}
