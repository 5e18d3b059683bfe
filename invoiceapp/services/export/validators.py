"""The one validator of this process, which compiles what is asked for; and the day whose rules judge."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from invoiceapp.current import config
from invoiceapp.formats.base import registry
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.models import utcnow

_DENMARK = ZoneInfo("Europe/Copenhagen")


def today() -> date:
    """The day in Denmark, where rules change at midnight, whatever clock the server keeps."""
    return utcnow().astimezone(_DENMARK).date()


@cache
def _validator(rules_dir: Path) -> Validator:
    return Validator(rules_dir, today=today)


def validator() -> Validator:
    """Compiled rules; a process pays for compiling once, and again when an edition takes over."""
    return _validator(config().rules_dir)


def warm() -> None:
    """Compile every format's rules now. A worker does not: its first document waits for its own rules only."""
    validator().warm(list(registry().values()))
