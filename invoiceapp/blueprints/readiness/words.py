"""The board in words."""

from __future__ import annotations

from datetime import date

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.formatting import number
from invoiceapp.models import Job
from invoiceapp.services.configuration.preflight import DAYS
from invoiceapp.services.configuration.readiness import TOPICS, Board


def turns() -> list[tuple[str, str]]:
    """Whose turn it may be, for the filter and the causes."""
    return [
        ("source", _("Your turn, in the accounting system")),
        ("here", _("Your turn, here")),
        ("receiver", _("The receiver's turn")),
        ("operator", _("The turn of whoever runs this installation")),
    ]


def headline(board: Board) -> str:
    """``If you switched on today: 212 documents would go``."""
    count = board.totals.go
    return str(
        ngettext(
            "If you switched on today: %(count)s document would go",
            "If you switched on today: %(count)s documents would go",
            count,
            count=number(count),
        )
    )


def reasons(board: Board) -> list[str]:
    """``9 lack an EAN or CVR number``, ``3 have a VAT rate without a category`` …; most documents first."""
    known = [(board.by_topic.get(topic.name, 0), topic.name) for topic in TOPICS]
    found = [_lacking(name, count) for count, name in sorted(known, reverse=True) if count]
    if others := board.by_topic.get("", 0):
        found.append(_lacking("", others))
    return found


def _lacking(topic: str, count: int) -> str:
    shown = number(count)
    if topic == "address":
        return str(
            ngettext("%(count)s lacks an EAN or CVR number", "%(count)s lack an EAN or CVR number", count, count=shown)
        )
    if topic == "number":
        return str(
            ngettext("%(count)s has a wrong EAN number", "%(count)s have a wrong EAN number", count, count=shown)
        )
    if topic == "country":
        return str(
            ngettext(
                "%(count)s lacks the customer's country", "%(count)s lack the customer's country", count, count=shown
            )
        )
    if topic == "vat":
        return str(
            ngettext("%(count)s has an unmapped VAT rate", "%(count)s have an unmapped VAT rate", count, count=shown)
        )
    if topic == "reference":
        return str(
            ngettext(
                "%(count)s lacks an order number or reference", "%(count)s lack an order number or reference", count,
                count=shown,
            )
        )  # fmt: skip
    if topic == "order":
        return str(ngettext("%(count)s lacks an order number", "%(count)s lack an order number", count, count=shown))
    return str(ngettext("%(count)s has another problem", "%(count)s have other problems", count, count=shown))


def period(job: Job | None) -> tuple[date, date] | None:
    """First and last day of the documents that a check has looked at."""
    stored = (job.result if job else None) or {}
    if "since" not in stored or "until" not in stored:
        return None
    return date.fromisoformat(stored["since"]), date.fromisoformat(stored["until"])


def days() -> int:
    """How far back documents are judged."""
    return DAYS
