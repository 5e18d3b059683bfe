"""Attempts and receipts in words."""

from __future__ import annotations

from flask_babel import gettext as _

from invoiceapp.languages import say
from invoiceapp.models import Attempt, Receipt, dump_json


def outcome(attempt: Attempt) -> str:
    """How an attempt ended, with the error where there was one."""
    words = {
        None: _("No outcome recorded"),
        "accepted": _("Accepted"),
        "refused": _("Our credentials or settings were refused"),
        "rejected": _("Rejected"),
        "unavailable": _("Not reached"),
        "unknown": _("No answer"),
    }
    outcome_words = words.get(attempt.outcome, str(attempt.outcome))
    return f"{outcome_words}: {say(attempt.error)}" if attempt.error else outcome_words


def evidence_of(receipt: Receipt) -> list[tuple[str, str]]:
    """The wire's facts under the names that the transport gave them."""
    return [
        (name.replace("_", " "), value if isinstance(value, str) else dump_json(value))
        for name, value in receipt.evidence.items()
    ]
