"""The customers of an adaptor as lists show them: filtered, in an order, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import selectinload

from invoiceapp.domain.findings import Text
from invoiceapp.models import Customer, ExportRule, db

PAGE = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows; comes from the URL."""

    text: str = ""
    show: str = "all"
    """``all``, ``active``, ``inactive``"""
    after: str = ""
    """Keyset cursor: ``<name>\x1f<id>`` of the last row of the page before"""


@dataclass(frozen=True, slots=True)
class Page:
    """Customers and the cursor of the next page ("" at the end)."""

    customers: list[Customer]
    next: str
    matching: int


def _matching(adaptor_id: str, wanted: Filter) -> Select[Any]:
    query = (
        select(Customer)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
    )
    if wanted.show == "active":
        query = query.where(ExportRule.active)
    elif wanted.show == "inactive":
        query = query.where(or_(ExportRule.id.is_(None), ExportRule.active.is_(False)))
    if wanted.text:
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        columns = (Customer.name, Customer.registration_no, Customer.gln, Customer.number)
        query = query.where(or_(*(column.ilike(f"%{escaped}%", escape="\\") for column in columns)))
    return query


def page(adaptor_id: str, wanted: Filter, size: int = PAGE) -> Page:
    """Customers by name, with their rules."""
    matching = _matching(adaptor_id, wanted)
    count = db.session.scalar(select(func.count()).select_from(matching.with_only_columns(Customer.id).subquery())) or 0
    name, _, last_id = wanted.after.partition("\x1f")
    if last_id:
        matching = matching.where(or_(Customer.name > name, and_(Customer.name == name, Customer.id > last_id)))
    rows = list(
        db.session.scalars(
            matching.options(selectinload(Customer.rule)).order_by(Customer.name, Customer.id).limit(size + 1)
        )
    )
    last = rows[size - 1] if len(rows) > size else None
    return Page(rows[:size], f"{last.name}\x1f{last.id}" if last else "", count)


def matching_ids(adaptor_id: str, wanted: Filter) -> list[str]:
    """Ids of all customers that match, for "all matching"."""
    return list(db.session.scalars(_matching(adaptor_id, wanted).with_only_columns(Customer.id)))


def counts(adaptor_id: str) -> dict[str, int]:
    """``customers`` and ``active``."""
    customers = db.session.scalar(
        select(func.count()).where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
    )
    active = db.session.scalar(select(func.count()).where(ExportRule.adaptor_id == adaptor_id, ExportRule.active))
    return {"customers": customers or 0, "active": active or 0}


def hints(customer: Customer) -> list[Text]:
    """What the source does not say and most formats need; the customer's own settings count."""
    override = (customer.rule.settings if customer.rule else {}).get("customer") or {}
    found = []
    if not (customer.gln or customer.registration_no or override.get("endpoint")):
        found.append(Text("Mangler EAN eller CVR", "No EAN or CVR"))
    if not (customer.country or override.get("country")):
        found.append(Text("Mangler land", "No country"))
    return found
