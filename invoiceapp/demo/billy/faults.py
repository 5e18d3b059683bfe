"""Switches that make the stand-in misbehave the way a real service does, or might."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from invoiceapp.domain.money import HUNDRED, round2

from . import numbers
from .records import Record, record_id

_AMOUNTS = ("amount", "tax", "grossAmount", "balance")


@dataclass(slots=True)
class Faults:
    """What goes wrong; everything is off at first and may be changed between requests."""

    rate_limit_every: int = 0
    """Every n-th request is answered by 429"""
    retry_after: int = 1
    """Seconds in the ``Retry-After`` of a 429 or 503"""
    bad_gateway_every: int = 0
    """Every n-th request is answered by 502"""
    down: bool = False
    """Every request is answered by 503"""
    html_body: bool = False
    """Status 200 with a page of HTML"""
    half_page: bool = False
    """The JSON breaks off in the middle"""
    slow_seconds: float = 0.0
    """Wait before every answer"""
    refuse_token: bool = False
    """The token has been withdrawn"""
    other_company: bool = False
    """The token opens another company's books"""
    changed_total: bool = False
    """``meta.paging.total`` grows from page to page"""
    duplicates: bool = False
    """Each page begins with the last record of the page before"""
    net_line_amounts: bool = False
    """``line.amount`` excludes VAT even where prices include it"""
    discount_fractions: bool = False
    """A percent discount is written 0.25 for 25 %"""
    negative_credit_notes: bool = False
    """Credit notes have negative amounts and quantities"""
    no_gross_amount: bool = False
    """``grossAmount`` is left out"""
    null_approved_time: bool = False
    """``approvedTime`` is null on everything"""

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set switches by name. Raises ``ValueError`` for an unknown name or a wrong type, and changes nothing."""
        current, checked = self.as_dict(), {}
        for name, value in changes.items():
            kind: Callable[[Any], Any] = type(current.get(name))
            if name not in current or isinstance(value, bool) != (kind is bool):
                raise ValueError(name)
            try:
                checked[name] = kind(value)
            except TypeError as error:
                raise ValueError(name) from error
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """The switches by name."""
        return asdict(self)

    def invoice(self, record: Record) -> Record:
        """An invoice as it goes over the wire."""
        record = dict(record)
        if self.negative_credit_notes and record["type"] == "creditNote":
            record |= {name: -record[name] for name in _AMOUNTS}
        if self.no_gross_amount:
            del record["grossAmount"]
        if self.null_approved_time:
            record["approvedTime"] = None
        return record

    def line(self, record: Record, invoice: Record) -> Record:
        """A line of ``invoice`` as it goes over the wire."""
        record = dict(record)
        if self.net_line_amounts and invoice["taxMode"] == "incl":
            record["amount"] = round2(record["amount"] - record["tax"])
        if self.discount_fractions and record["discountMode"] == "percent":
            record["discountValue"] /= HUNDRED
        if self.negative_credit_notes and invoice["type"] == "creditNote":
            record |= {name: -record[name] for name in ("quantity", "amount", "tax")}
        return record

    def organization(self, record: Record) -> Record:
        """The organization as it goes over the wire."""
        if not self.other_company:
            return record
        return record | {
            "id": record_id("organization", "other"),
            "name": "Sydlys Handel ApS",
            "registrationNo": numbers.cvr(999),
        }

    def refuses(self, count: int) -> tuple[int, str] | None:
        """Status and text with which the ``count``-th request is turned away, or None."""
        if self.down:
            return 503, "Service Unavailable"
        if self.rate_limit_every and count % self.rate_limit_every == 0:
            return 429, "Too Many Requests"
        if self.bad_gateway_every and count % self.bad_gateway_every == 0:
            return 502, "Bad Gateway"
        return None
