"""Where in the list the reader is: the addresses that its links and headings lead to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from invoiceapp.formatting import TIMEZONE
from invoiceapp.services.daily.listing import View

#: In which direction a heading sorts first.
_FIRST_ORDER = {"date": "-date", "number": "number", "customer": "customer", "amount": "-amount"}
_CURSORS = frozenset({"after", "before"})


@dataclass(frozen=True, slots=True)
class Place:
    """A look at the list of some adaptors."""

    view: View
    adaptor: str
    """For ``adaptor=``; empty where it needs no name"""

    def url(self, endpoint: str = "main.dashboard", **changed: str) -> str:
        """This list's address with some parameters changed; "" drops one. Another list begins at its beginning."""
        kept = {"adaptor": self.adaptor, **self.view.to_args()}
        if changed.keys() - _CURSORS:
            kept = {name: value for name, value in kept.items() if name not in _CURSORS}
        values: dict[str, Any] = {name: value for name, value in (kept | changed).items() if value}
        return url_for(endpoint, **values)

    def only(self, **wanted: str) -> str:
        """The address of another filter, in the order of now."""
        sort = View(sort=self.view.sort).to_args()
        values: dict[str, Any] = {"adaptor": self.adaptor or None, **sort, **wanted}
        return url_for("main.dashboard", **values)

    def column(self, name: str, label: str, **look: str) -> dict[str, str]:
        """A heading that puts the list in order, and turns the order round."""
        heading = {"label": label, "id": f"sort-{name}", **look}
        if self.view.sort.removeprefix("-") != name:
            return {**heading, "sort_url": self.url(sort=_FIRST_ORDER[name])}
        is_descending = self.view.is_descending
        heading["sorted"] = "descending" if is_descending else "ascending"
        return {**heading, "sort_url": self.url(sort=name if is_descending else f"-{name}")}

    @property
    def periods(self) -> list[dict[str, Any]]:
        """Periods that are one press away: ``label``, ``url`` and whether it ``is_chosen``."""
        wanted = self.view.filter
        return [
            {
                "label": label,
                "url": self.url(**{"from": first.isoformat(), "to": last.isoformat() if last else ""}),
                "is_chosen": (wanted.first_day, wanted.last_day) == (first, last),
            }
            for label, first, last in _periods(datetime.now(TIMEZONE).date())
        ]


def _periods(today: date) -> list[tuple[str, date, date | None]]:
    first = today.replace(day=1)
    last = first - timedelta(days=1)
    return [
        (_("This month"), first, None),
        (_("Last month"), last.replace(day=1), last),
        (_("Last 30 days"), today - timedelta(days=30), None),
    ]


def orders() -> list[tuple[str, str]]:
    """The orders of the list: value and words. On a phone there are no headings to press."""
    return [
        ("-date", _("Newest first")), ("date", _("Oldest first")), ("number", _("Number")),
        ("-number", _("Number, from the end")), ("customer", _("Receiver")), ("-customer", _("Receiver, from the end")),
        ("-amount", _("Largest amount")), ("amount", _("Smallest amount")),
    ]  # fmt: skip
