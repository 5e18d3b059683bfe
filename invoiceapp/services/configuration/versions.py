"""Two people who edit the same thing: the second one is told, and nothing is overwritten in silence."""

from __future__ import annotations

import hashlib
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.models import dump_json
from invoiceapp.services.errors import Conflict


class ChangedMeanwhile(Conflict):
    """What the form shows is no longer what is stored."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "En anden har ændret dette, efter at du åbnede siden. Intet er gemt. Dine værdier står i felterne; se, hvad der "
                "er gemt nu, og gem igen, hvis dine skal gælde.",
                "Somebody else has changed this since you opened the page. Nothing was saved. Your values stand in the fields; "
                "look at what is stored now, and save again if yours shall hold.",
            )
        )


def version(value: Any) -> str:
    """A short fingerprint of what a form shows (JSON values), for its hidden field ``version``."""
    return hashlib.sha256(dump_json(_sorted(value)).encode()).hexdigest()[:20]


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


def require(shown: str | None, current: Any) -> None:
    """Raises ``ChangedMeanwhile`` unless ``current`` is what the form showed.

    Asked inside the transaction that saves, after the row was read for update.
    None is for callers without a form.
    """
    if shown is not None and shown != version(current):
        raise ChangedMeanwhile
