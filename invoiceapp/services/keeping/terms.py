"""For how long documents are kept: until five years after the end of their financial year, or longer by choice."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Retention, db
from invoiceapp.services import audit
from invoiceapp.services.configuration.sources import LAST_MONTH
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

#: Bogføringsloven (the Danish bookkeeping act): five years from the end of the financial year that the material is about.
LAWFUL_YEARS = 5
MOST_YEARS = 30
DECEMBER = 12


@dataclass(frozen=True, slots=True)
class Terms:
    """As they are for one subscription."""

    months: tuple[int, ...]
    """With which the financial years of its companies end, in the order of the calendar"""
    years: int
    chosen: int | None
    """The month that a person chose for companies whose accounting system does not say"""

    def last_day_due(self, today: date) -> date:
        """Documents dated up to it may go: the financial year that they are about ended more than ``years`` ago.

        Where financial years differ it is the earliest day, so that nothing goes before its time.
        """
        return min(self._last_day_due(today, month) for month in self.months)

    def _last_day_due(self, today: date, month: int) -> date:
        end = _month_end(today.year - self.years, month)
        return end if self.ends(end) < today else _month_end(end.year - 1, month)

    def ends(self, year_end: date) -> date:
        """The last day on which documents of the financial year that ended on ``year_end`` are kept."""
        return _month_end(year_end.year + self.years, year_end.month)

    def next_day(self, until: date) -> date:
        """The first day on which documents dated later than ``until`` may go; it is a day of ``last_day_due``."""
        return self.ends(_month_end(until.year + 1, until.month)) + timedelta(days=1)


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def of(subscription_id: str) -> Terms:
    """What the accounting system says of each company; where it does not, what a person chose, else the calendar year."""
    row = db.session.get(Retention, subscription_id)
    years, chosen = (row.years, row.last_month) if row else (LAWFUL_YEARS, None)
    companies = db.session.scalars(select(Adaptor.organization).where(Adaptor.subscription_id == subscription_id)).all()
    unsaid = chosen or DECEMBER
    months = {(company or {}).get(LAST_MONTH) or unsaid for company in companies} or {unsaid}
    return Terms(tuple(sorted(months)), years, chosen)


def row_of(subscription_id: str) -> Retention:
    """The row, made where it is missing. Inside the caller's transaction."""
    row = db.session.get(Retention, subscription_id, with_for_update=True)
    if row is None:
        row = Retention(subscription_id=subscription_id, years=LAWFUL_YEARS)
        db.session.add(row)
    return row


def save(subscription_id: str, years: int | None, last_month: int | None) -> None:
    """Keep what a person chose; no month: December, where the accounting system does not say. Raises ``InvalidInput``."""
    errors = {}
    if years is None or not 1 <= years <= MOST_YEARS:
        errors["years"] = Text(f"Skriv et antal år fra {LAWFUL_YEARS} til {MOST_YEARS}.", f"Write a number of years from {LAWFUL_YEARS} to {MOST_YEARS}.")  # fmt: skip
    elif years < LAWFUL_YEARS:
        errors["years"] = Text(
            f"Bogføringsloven kræver mindst {LAWFUL_YEARS} år fra regnskabsårets udløb, så en kortere tid kan ikke vælges.",
            f"The Danish bookkeeping act asks for at least {LAWFUL_YEARS} years from the end of the financial year, so that a "
            "shorter time cannot be chosen.",
        )
    if last_month is not None and not 1 <= last_month <= DECEMBER:
        errors["last_month"] = Text("Vælg en måned.", "Choose a month.")
    if errors or years is None:
        raise InvalidInput(errors)
    with transaction():
        row = row_of(subscription_id)
        before = {"years": row.years, "last_month": row.last_month}
        row.years, row.last_month = years, last_month
        audit.note(
            "retention.terms", subscription_id=subscription_id, of=f"subscription/{subscription_id}",
            before=before, after={"years": years, "last_month": last_month},
        )  # fmt: skip
