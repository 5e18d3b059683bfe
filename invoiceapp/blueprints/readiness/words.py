"""The board in words."""

from __future__ import annotations

from datetime import date, timedelta

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.formatting import day, number
from invoiceapp.models import Job
from invoiceapp.services.configuration.preflight import DAYS
from invoiceapp.services.configuration.readiness import TOPICS, Board
from invoiceapp.services.export.validators import today


def turns() -> list[tuple[str, str]]:
    """Whose turn it may be, for the filter and the causes."""
    return [
        ("source", _("Your turn, in the accounting system")),
        ("here", _("Your turn, here")),
        ("receiver", _("The receiver's turn")),
        ("operator", _("The turn of whoever runs this installation")),
    ]


def headline(board: Board, *, may_be_sent: bool) -> str:
    """``If you switched on today: 212 documents would go``, or that they pass where the start date keeps them here."""
    count = board.totals.go
    if not may_be_sent:
        return str(
            _("Of the documents of the last %(days)s days, %(count)s would pass.", days=DAYS, count=number(count))
        )
    return str(
        ngettext(
            "If you switched on today: %(count)s document would go",
            "If you switched on today: %(count)s documents would go",
            count,
            count=number(count),
        )
    )


def kept_back(start_date: date | None, looked_at: tuple[date, date]) -> str | None:
    """That the adaptor's start date keeps the documents here; None where all of them are dated from it on."""
    first, last = looked_at
    if start_date is None or start_date <= first:
        return None
    if start_date < last:
        return str(_("Those of them dated before %(date)s are not sent.", date=day(start_date)))
    return str(_("They are not sent: only documents dated from %(date)s on are.", date=day(start_date)))


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
    if topic == "format":
        return str(
            ngettext(
                "%(count)s has a format that the receiver cannot get",
                "%(count)s have a format that the receiver cannot get", count, count=shown,
            )
        )  # fmt: skip
    return str(ngettext("%(count)s has another problem", "%(count)s have other problems", count, count=shown))


def period(job: Job | None) -> tuple[date, date] | None:
    """First and last day of the documents that a check has looked at."""
    stored = (job.result if job else None) or {}
    if "since" not in stored or "until" not in stored:
        return None
    return date.fromisoformat(stored["since"]), date.fromisoformat(stored["until"])


def looked_at(job: Job | None) -> tuple[date, date]:
    """The period of a check, or of the one that would begin now."""
    return period(job) or (today() - timedelta(days=DAYS), today())


def days() -> int:
    """How far back documents are judged."""
    return DAYS
