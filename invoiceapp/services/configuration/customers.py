"""The customers of an adaptor as lists show them: filtered, in an order, page by page in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.orm import selectinload

from invoiceapp.domain.findings import Text
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Readiness, db, utcnow
from invoiceapp.services.database import transaction

PAGE = 50
#: What a list may be narrowed to; "all" is all that are not archived.
SHOWN = ("all", "active", "inactive", "ready", "needs", "new")
#: Columns by which lists are read, the last one unique. A "-" before the name turns the order round.
_ORDERS: dict[str, tuple[Any, ...]] = {
    "name": (Customer.name, Customer.id),
    "volume": (Customer.recent_documents, Customer.id),
    "readiness": (Customer.readiness, Customer.name, Customer.id),
    "country": (func.coalesce(Customer.country, ""), Customer.name, Customer.id),
}
SORTS = tuple(sign + name for name in _ORDERS for sign in ("", "-"))
RECENT = timedelta(days=365)
_LONGEST_TEXT = 200
_ID = re.compile(r"[0-9A-Z]{26}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether a text from outside can be an id at all; PostgreSQL takes no NUL, even in a question."""
    return _ID.fullmatch(text) is not None


def _known(text: str, is_known: bool) -> str:
    return text if is_known else ""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows."""

    text: str = ""
    show: str = "all"
    """One of ``SHOWN``"""
    country: str = ""
    format: str = ""
    gateway: str = ""
    """Its id"""

    @classmethod
    def read(cls, values: Mapping[str, str], prefix: str = "") -> Filter:
        """From an address or a form; what cannot be is as if it were not there."""
        q, show, country, fmt, gateway = (
            values.get(prefix + name, "") for name in ("q", "show", "country", "format", "gateway")
        )
        return cls(
            q.replace("\0", "").strip()[:_LONGEST_TEXT],
            show if show in SHOWN else "all",
            _known(country, _COUNTRY.fullmatch(country) is not None),
            _known(fmt, fmt in formats()),
            _known(gateway, is_id(gateway)),
        )

    def parameters(self) -> dict[str, str]:
        """What ``read`` takes; only what narrows. For addresses, hidden fields and jobs."""
        show = "" if self.show == "all" else self.show
        values = {
            "q": self.text, "show": show, "country": self.country, "format": self.format, "gateway": self.gateway,
        }  # fmt: skip
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """Customers, and the ids from which the neighbouring pages go on ("" where there is none)."""

    customers: list[Customer]
    previous: str
    """For ``before``"""
    next: str
    """For ``after``"""
    matching: int


def _has_own(name: str) -> ColumnElement[bool]:
    """Whether the customer's settings have a value of its own. A look into stored JSON: good enough for a list.

    (A supplier value of the same name, beside any customer value, is taken for one.)
    """
    return func.coalesce(type_coerce(ExportRule.settings, String), "").like(f'%"customer":{{%"{name}":%')


def _is_empty(column: Any) -> ColumnElement[bool]:
    return func.coalesce(column, "") == ""


def needs_something() -> ColumnElement[bool]:
    """Known problems, or before anybody has looked, what ``hints`` says. For queries that join the rule."""
    no_number = and_(_is_empty(Customer.gln), _is_empty(Customer.registration_no), ~_has_own("endpoint"))
    no_country = and_(_is_empty(Customer.country), ~_has_own("country"))
    return or_(
        Customer.readiness == Readiness.NEEDS,
        and_(Customer.readiness == Readiness.UNCHECKED, or_(no_number, no_country)),
    )


def _narrowed(show: str) -> ColumnElement[bool] | None:
    if show == "active":
        return ExportRule.active.is_(True)
    if show == "inactive":
        return or_(ExportRule.id.is_(None), ExportRule.active.is_(False))
    if show == "ready":
        return Customer.readiness == Readiness.READY
    if show == "needs":
        return needs_something()
    return Customer.is_new.is_(True) if show == "new" else None


def _spellings(text: str) -> set[str]:
    """SQLite folds the case of A to Z only: Æ, Ø and Å are tried in every way that names are written."""
    return {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize(), text.title()}


def _contains(text: str) -> ColumnElement[bool]:
    def found(column: Any, spelling: str) -> ColumnElement[bool]:
        escaped = spelling.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        is_found: ColumnElement[bool] = column.ilike(f"%{escaped}%", escape="\\")
        return is_found

    columns = (Customer.name, Customer.number, Customer.registration_no, Customer.gln, Customer.city)
    return or_(*(found(column, spelling) for column in columns for spelling in _spellings(text)))


def matching(adaptor_id: str, wanted: Filter) -> Select[Any]:
    """The customers that a filter shows, joined with their rules."""
    query = (
        select(Customer)
        .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
        .where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
    )
    if wanted.text:
        query = query.where(_contains(wanted.text))
    if wanted.country:
        query = query.where(Customer.country == wanted.country)
    if wanted.format:
        query = query.where(ExportRule.format == wanted.format)
    if wanted.gateway:
        query = query.where(ExportRule.gateway_id == wanted.gateway)
    narrowed = _narrowed(wanted.show)
    return query if narrowed is None else query.where(narrowed)


def count(adaptor_id: str, wanted: Filter) -> int:
    """How many customers match."""
    query = matching(adaptor_id, wanted).with_only_columns(func.count(Customer.id), maintain_column_froms=True)
    return db.session.scalar(query) or 0


def _position(adaptor_id: str, columns: tuple[Any, ...], customer_id: str) -> tuple[Any, ...] | None:
    """Where a customer stands in an order; None for what is no customer of the adaptor."""
    if not is_id(customer_id):
        return None
    query = select(*columns).where(Customer.id == customer_id, Customer.adaptor_id == adaptor_id)
    row = db.session.execute(query).first()
    return tuple(row) if row else None


def _rows(
    query: Select[Any], sort: str, position: tuple[Any, ...] | None, backwards: bool, most: int
) -> list[Customer]:
    """The customers behind (or ``backwards`` before) a position, nearest first."""
    columns = _ORDERS[sort.removeprefix("-")]
    descending = sort.startswith("-") != backwards
    if position is not None:
        key, bound = tuple_(*columns), tuple_(*(literal(v, c.type) for v, c in zip(position, columns, strict=True)))
        query = query.where(key < bound if descending else key > bound)
    ordered = query.order_by(*(column.desc() if descending else column for column in columns))
    return list(db.session.scalars(ordered.options(selectinload(Customer.rule)).limit(most)))


def page(
    adaptor_id: str, wanted: Filter, *, sort: str = "name", after: str = "", before: str = "", size: int = 0
) -> Page:
    """One page, with the rules: behind the customer ``after``, or before the customer ``before``.

    An order or a customer that does not exist is as if it were not there: the first page by name.
    """
    size, sort = size or PAGE, sort if sort in SORTS else "name"
    backwards = bool(before) and not after
    position = _position(adaptor_id, _ORDERS[sort.removeprefix("-")], before if backwards else after)
    backwards = backwards and position is not None
    query, total = matching(adaptor_id, wanted), count(adaptor_id, wanted)
    rows = _rows(query, sort, position, backwards, size + 1)
    if not rows and position is not None:
        # Whoever stood here is gone, or no longer matches.
        position, backwards, rows = None, False, _rows(query, sort, None, False, size + 1)
    has_more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
        return Page(rows, rows[0].id if has_more else "", rows[-1].id, total)
    return Page(rows, rows[0].id if position is not None else "", rows[-1].id if has_more else "", total)


def counts(adaptor_id: str) -> dict[str, int]:
    """``customers`` and ``active``; archived ones are neither."""
    listed = (
        select(func.count())
        .select_from(Customer)
        .where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False))
    )
    active = listed.join(ExportRule, ExportRule.customer_id == Customer.id).where(ExportRule.active)
    return {"customers": db.session.scalar(listed) or 0, "active": db.session.scalar(active) or 0}


def count_new(adaptor_id: str) -> int:
    """Customers that wait for a decision."""
    return count(adaptor_id, Filter(show="new"))


def countries(adaptor_id: str) -> list[str]:
    """The countries that the adaptor's customers have."""
    found = (
        select(Customer.country).where(Customer.adaptor_id == adaptor_id, Customer.is_archived.is_(False)).distinct()
    )
    return sorted(country for country in db.session.scalars(found) if country)


def count_recent(adaptor_id: str) -> None:
    """Bring ``Customer.recent_documents`` up to date; only rows that change are written."""
    first = utcnow().date() - RECENT
    counted = (
        select(func.count())
        .where(Document.customer_id == Customer.id, Document.issue_date >= first)
        .correlate(Customer)
        .scalar_subquery()
    )
    with transaction() as session:
        # Whoever writes many customers of an adaptor holds its row first, so that no two of them wait for each other.
        session.execute(select(Adaptor.id).where(Adaptor.id == adaptor_id).with_for_update(key_share=True))
        session.execute(
            update(Customer)
            .where(Customer.adaptor_id == adaptor_id, Customer.recent_documents != counted)
            .values(recent_documents=counted)
            .execution_options(synchronize_session=False)
        )


def hints(customer: Customer) -> list[Text]:
    """What the source does not say and most formats need; the customer's own settings count."""
    override = (customer.rule.settings if customer.rule else {}).get("customer") or {}
    found = []
    if not (customer.gln or customer.registration_no or override.get("endpoint")):
        found.append(Text("Mangler EAN eller CVR", "No EAN or CVR"))
    if not (customer.country or override.get("country")):
        found.append(Text("Mangler land", "No country"))
    return found
