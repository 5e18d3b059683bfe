"""The one validator of this process, warmed once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from invoiceapp.current import config
from invoiceapp.formats.base import registry
from invoiceapp.formats.validation.validator import Validator


@cache
def _validator(rules_dir: Path) -> Validator:
    return Validator(rules_dir)


def validator() -> Validator:
    """Compiled rules; a process pays for compiling once."""
    return _validator(config().rules_dir)


def warm() -> None:
    """Compile every format's rules, so that no document waits for it."""
    validator().warm(list(registry().values()))
