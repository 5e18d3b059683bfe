"""The one validator of this process, which compiles what is asked for; and the day whose rules judge."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from invoiceapp.current import config
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
    """Compiles rules when a document first asks for them: a process pays once, and again when an edition takes over."""
    return _validator(config().rules_dir)
