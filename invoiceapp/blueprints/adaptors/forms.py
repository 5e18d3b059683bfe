"""Choices of the general page."""

from __future__ import annotations

from flask_babel import gettext as _

from invoiceapp.services.configuration.adaptors import INTERVALS


def _every(minutes: int) -> str:
    if minutes == 60:
        return str(_("Every hour"))
    if minutes == 24 * 60:
        return str(_("Once a day"))
    return str(_("Every %(minutes)s minutes", minutes=minutes))


def intervals(current: int | None) -> list[tuple[str, str]]:
    """Choices of the schedule: minutes and words, an unusual current one among them."""
    offered = sorted({*INTERVALS, *([current] if current else [])})
    return [("", str(_("Only by hand"))), *((str(minutes), _every(minutes)) for minutes in offered)]
