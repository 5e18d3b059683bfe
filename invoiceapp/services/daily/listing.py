"""All documents of one or more adaptors: filtered, sorted, read by key, so that page 10 000 costs what page 1 costs.

What a list shows lies in its address: ``View.read`` and ``View.to_args`` are each other's reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, collate, func, or_, select, tuple_, union_all
from sqlalchemy.orm import contains_eager

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Customer, Delivery, Document, ProblemDocument, Stage, Tally, db
from invoiceapp.services.export.queries import Row
from invoiceapp.services.export.selection import why_listed

PAGE = 50
#: Documents that are read at a time where all of them are wanted.
CHUNK = 500
S = DeliveryState
#: Groups of statuses, by the names that addresses use.
GROUPS: dict[str, frozenset[str]] = {
    "person": frozenset({S.BLOCKED, S.FAILED, S.REJECTED, S.OUTCOME_UNKNOWN, Stage.UNUSABLE}),
    "progress": frozenset({Stage.QUEUED, S.PENDING}),
    "arrived": frozenset({S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED}),
}
#: Every value of ``Document.status``.
STATUSES = frozenset(state.value for state in S) - {S.LEASED, S.SENDING, S.SUPERSEDED} | {
    stage.value for stage in Stage if stage is not Stage.CONVERTED
}
#: Customers whose name matches, beyond which the documents are looked through in the list's order.
_MANY_CUSTOMERS = 40
#: Documents that begin with a text, beyond which the same is done.
_MANY_DOCUMENTS = 5_000
#: Parts that one statement puts together; SQLite takes 500.
_MOST_PARTS = 100
#: Longest text in an address that is looked for.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents. Every value comes from the address and goes back into it; what makes no sense is left out."""

    status: str = ""
    """A group (``GROUPS``) or a status; empty for all"""
    text: str = ""
    """Beginning of a number or an order number, or part of a customer's name"""
    customer_id: str = ""
    first_day: date | None = None
    """Of issue"""
    last_day: date | None = None
    format: str = ""
    gateway_id: str = ""
    run_id: str = ""
    """Only documents that this run queued"""
    problem_id: str = ""
    """Only documents that this problem stops"""
    with_released: bool = False
    """Of a problem also those that it stopped and that are on their way or have arrived; not in any address"""
    number: str = ""
    """The whole number, in any case; not in any address"""
    changed_since: datetime | None = None
    """Only those whose status changed then or later; not in any address"""

    @property
    def statuses(self) -> frozenset[str]:
        """Those that it lets through; empty for all."""
        return GROUPS.get(self.status) or (frozenset({self.status}) & STATUSES)

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Filter:
        """Out of an address."""
        values = {own: _clean(args.get(name, "")) for own, name in _NAMES.items()}
        status = values["status"] if values["status"] in STATUSES | GROUPS.keys() else ""
        days = {name: _day(values[name]) for name in ("first_day", "last_day")}
        return cls(**values | {"status": status} | days)  # type: ignore[arg-type]

    def to_args(self) -> dict[str, str]:
        """The reverse of ``read``, without what is empty."""
        return {name: str(getattr(self, own)) for own, name in _NAMES.items() if getattr(self, own)}

    @property
    def is_empty(self) -> bool:
        """Whether it lets everything through."""
        return self == Filter()


_NAMES = {
    "status": "status", "text": "q", "customer_id": "customer", "first_day": "from", "last_day": "to", "format": "format",
    "gateway_id": "gateway", "run_id": "run", "problem_id": "problem",
}  # fmt: skip


def _storable(text: str) -> str:
    """What both databases take: no NUL, and nothing that has no UTF-8."""
    return text.replace("\0", "").encode(errors="ignore").decode()


def _clean(text: str) -> str:
    return _storable(text).strip()[:_LONGEST].strip()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


SORTS: dict[str, Any] = {
    "date": Document.issue_date, "number": Document.number_key, "customer": Document.customer_name, "amount": Document.amount_key,
    "changed": Document.status_at,
}  # fmt: skip
_NEWEST_FIRST = "-date"


@dataclass(frozen=True, slots=True)
class View:
    """One look at the list: which documents, in which order, from where."""

    filter: Filter = field(default_factory=Filter)
    sort: str = _NEWEST_FIRST
    """A name of ``SORTS``, after ``-`` where the largest comes first"""
    after: str = ""
    """Keyset cursor: the rows after this one. As ``<value>~<id>``"""
    before: str = ""
    """The rows before this one, the nearest; at most one of the two is set"""

    @classmethod
    def read(cls, args: Mapping[str, str]) -> View:
        """Out of an address."""
        sort = args.get("sort", "")
        sort = sort if sort.removeprefix("-") in SORTS else _NEWEST_FIRST
        after, before = (text if _position(sort, text := args.get(name, "")) else "" for name in ("after", "before"))
        return cls(Filter.read(args), sort, after, "" if after else before)

    def to_args(self) -> dict[str, str]:
        """The reverse of ``read``."""
        sort = {} if self.sort == _NEWEST_FIRST else {"sort": self.sort}
        cursor = {name: text for name, text in (("after", self.after), ("before", self.before)) if text}
        return self.filter.to_args() | sort | cursor

    @property
    def key(self) -> Any:
        """The column that it is sorted by."""
        return SORTS[self.sort.removeprefix("-")]

    @property
    def is_descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")


def _moment(text: str) -> datetime:
    """Raises ``ValueError`` for what has no zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


#: Of sort keys that are no text.
_READERS: dict[str, Callable[[str], Any]] = {"date": date.fromisoformat, "amount": int, "changed": _moment}


def _position(sort: str, cursor: str) -> tuple[Any, str] | None:
    """What a cursor names; None for anything that is not one of ours."""
    text, _, last_id = cursor.rpartition("~")
    if not last_id or _storable(cursor) != cursor:
        return None
    name = sort.removeprefix("-")
    try:
        value: Any = _READERS.get(name, str)(text)
    except ValueError:
        return None
    return None if name == "amount" and abs(value) >= 2**63 else (value, last_id)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursors of the pages before and after ("" where there is none)."""

    rows: list[Row]
    before: str = ""
    after: str = ""


def page(adaptor_ids: Sequence[str], view: View, size: int = PAGE) -> Page:
    """One page of the documents of these adaptors, which must be the reader's."""
    found = _keys(adaptor_ids, view, size + 1)
    has_more = len(found) > size
    found = found[:size]
    if view.before:
        found.reverse()
    rows = rows_of([one.id for one in found])
    if not rows:
        return Page([])
    first, last = (f"{one.key}~{one.id}" for one in (found[0], found[-1]))
    if view.before:
        return Page(rows, first if has_more else "", last)
    return Page(rows, first if view.after else "", last if has_more else "")


def rows_of(document_ids: Sequence[str]) -> list[Row]:
    """The rows of these documents, in their order."""
    found = db.session.execute(
        select(Document, Delivery)
        .outerjoin(Delivery, Delivery.id == Document.delivery_id)
        .where(Document.id.in_(document_ids))
        .options(contains_eager(Delivery.document))
    ).all()
    reasons = why_listed(document for document, _delivery in found)
    rows = {document.id: Row(document, delivery, reasons.get(document.id)) for document, delivery in found}
    return [rows[one] for one in document_ids if one in rows]


def ids(adaptor_ids: Sequence[str], wanted: Filter, sort: str = _NEWEST_FIRST) -> Iterator[list[str]]:
    """Ids of everything that matches, in the order of ``View.sort``, some hundreds at a time, each read by itself."""
    view = View(wanted, sort)
    while found := _keys(adaptor_ids, view, CHUNK):
        yield [one.id for one in found]
        view = replace(view, after=f"{found[-1].key}~{found[-1].id}")


def _keys(adaptor_ids: Sequence[str], view: View, limit: int) -> list[Any]:
    """Sort key and id of the rows, nearest to the cursor first.

    Each source is read along an index and cut off; only what is left of them is sorted together.
    """
    if not adaptor_ids:
        return []
    backwards = view.is_descending is not bool(view.before)
    key, order = (
        view.key.label("key"),
        [column.desc() if backwards else column.asc() for column in (view.key, Document.id)],
    )
    conditions = [*_conditions(view.filter), *_beyond(view, backwards)]
    parts = [
        select(key, Document.id).where(*source, *conditions).order_by(*order).limit(limit)
        for source in _sources(adaptor_ids, view)
    ]
    if len(parts) == 1:
        return list(db.session.execute(parts[0]).all())
    # A document may come from two sources: its number and its customer match.
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery()
    order = [column.desc() if backwards else column.asc() for column in (merged.c.key, merged.c.id)]
    return list(db.session.execute(select(merged.c.key, merged.c.id).distinct().order_by(*order).limit(limit)).all())


def _beyond(view: View, backwards: bool) -> list[ColumnElement[bool]]:
    position = _position(view.sort, view.after or view.before)
    if position is None:
        return []
    columns, values = tuple_(view.key, Document.id), tuple_(*position)
    return [columns < values if backwards else columns > values]


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """What holds whichever source a row comes from."""
    found: list[ColumnElement[bool]] = []
    if wanted.statuses:
        found.append(Document.status.in_(sorted(wanted.statuses)))
    if wanted.first_day:
        found.append(Document.issue_date >= wanted.first_day)
    if wanted.last_day:
        found.append(Document.issue_date <= wanted.last_day)
    if wanted.number:
        found.append(_is_number(wanted.number))
    if wanted.changed_since:
        found.append(Document.status_at >= wanted.changed_since)
    named = {
        Document.customer_id: wanted.customer_id, Document.format: wanted.format, Document.gateway_id: wanted.gateway_id,
        Document.run_id: wanted.run_id,
    }  # fmt: skip
    found += [column == value for column, value in named.items() if value]
    if wanted.problem_id:
        found.append(
            Document.id.in_(select(ProblemDocument.document_id).where(ProblemDocument.problem_id == wanted.problem_id))
        )
        if not wanted.with_released:
            found.append(Document.status.in_(sorted(GROUPS["person"])))
    return found


Source = tuple[ColumnElement[bool], ...]


def _sources(adaptor_ids: Sequence[str], view: View) -> list[Source]:
    """Conditions of which at least one holds, each with an index of its own where there is one."""
    wanted, of_each = view.filter, [(Document.adaptor_id == one,) for one in adaptor_ids]
    is_by_date = view.sort.removeprefix("-") == "date"
    if wanted.number:
        subscription_id = _subscription_of(adaptor_ids)
        return [(Document.subscription_id == subscription_id, _among(adaptor_ids))]
    if wanted.text:
        rare, common = _matching(adaptor_ids, wanted.text)
        # Of what is common, the list's own order soon has enough.
        walked = [(*source, or_(*(and_(*one) for one in common))) for source in of_each] if common else []
        return [(*source, _among(adaptor_ids)) for source in rare] + walked
    if wanted.customer_id or wanted.run_id or wanted.problem_id or (wanted.gateway_id and is_by_date):
        return [(_among(adaptor_ids),)]
    if wanted.statuses and is_by_date and len(wanted.statuses) * len(adaptor_ids) <= _MOST_PARTS:
        return [(*source, Document.status == status) for source in of_each for status in sorted(wanted.statuses)]
    return list(of_each)


def _among(adaptor_ids: Sequence[str]) -> ColumnElement[bool]:
    """For sources that have a better index: as an expression, so that a database does not take the adaptor's instead."""
    return Document.adaptor_id.concat("").in_(adaptor_ids)


def _subscription_of(adaptor_ids: Sequence[str]) -> str | None:
    return db.session.scalar(select(Adaptor.subscription_id).where(Adaptor.id == adaptor_ids[0]))


def _is_number(number: str) -> ColumnElement[bool]:
    """In the form for which this database can use its index."""
    if db.session.get_bind().dialect.name != "sqlite":
        return func.lower(Document.number) == number.lower()
    return collate(Document.number, "NOCASE") == number


def _matching(adaptor_ids: Sequence[str], text: str) -> tuple[list[Source], list[Source]]:
    """Where a text is found: conditions that few documents meet, each with an index, and conditions that many meet."""
    subscription_id = _subscription_of(adaptor_ids)
    numbered: list[Source] = [
        (Document.subscription_id == subscription_id, beginning)
        for column in (Document.number, Document.customer_order, Document.supplier_order)
        for beginning in _beginnings(column, text)
    ]
    named = select(Customer.id).where(Customer.adaptor_id.in_(adaptor_ids), _contains(Customer.name, text))
    customers = db.session.scalars(named.limit(_MANY_CUSTOMERS + 1)).all()
    rare: list[Source] = [(Document.customer_id.is_(None), _contains(Document.customer_name, text))]
    common: list[Source] = []
    if len(customers) > _MANY_CUSTOMERS:
        common.append((Document.customer_id.in_(named),))
    else:
        rare += [(Document.customer_id == one,) for one in customers]
    for source in numbered:
        (common if _is_met_by_many(source) else rare).append(source)
    return rare, common


def _is_met_by_many(source: Source) -> bool:
    some = select(Document.id).where(*source).limit(_MANY_DOCUMENTS + 1).subquery()
    return int(db.session.scalar(select(func.count()).select_from(some)) or 0) > _MANY_DOCUMENTS


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _beginnings(column: Any, text: str) -> list[ColumnElement[bool]]:
    """Whether a column begins with ``text``, in the form for which this database can use its index."""
    if db.session.get_bind().dialect.name != "sqlite":
        return [func.lower(column).like(f"{_escaped(text.lower())}%", escape="\\")]
    folded = collate(column, "NOCASE")
    return [(folded >= one) & (folded < one + "\U0010ffff") for one in _forms(text)]


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    return or_(*(column.ilike(f"%{_escaped(one)}%", escape="\\") for one in _forms(text)))


def _forms(text: str) -> list[str]:
    """SQLite knows the case of A to Z only: the usual ones of other letters."""
    return [text] if text.isascii() else sorted({text, text.upper(), text.lower(), text.title()})


def counts(adaptor_ids: Sequence[str], first_day: date | None = None, last_day: date | None = None) -> dict[str, int]:
    """Documents by status, by group (``GROUPS``) and in ``total``, issued in the period; exact at every moment."""
    query = select(Tally.status, func.sum(Tally.documents)).where(Tally.adaptor_id.in_(adaptor_ids))
    if first_day:
        query = query.where(Tally.day >= first_day)
    if last_day:
        query = query.where(Tally.day <= last_day)
    found = dict.fromkeys(STATUSES, 0) | dict(db.session.execute(query.group_by(Tally.status)).all())
    groups = {name: sum(found[status] for status in statuses) for name, statuses in GROUPS.items()}
    return found | groups | {"total": sum(found.values())}


def count(adaptor_ids: Sequence[str], wanted: Filter) -> int:
    """How many match."""
    if replace(wanted, status="", first_day=None, last_day=None).is_empty:
        found = counts(adaptor_ids, wanted.first_day, wanted.last_day)
        return found[wanted.status or "total"]
    if not adaptor_ids:
        return 0
    conditions = [Document.adaptor_id.in_(adaptor_ids), *_conditions(wanted)]
    if not wanted.text:
        return int(db.session.scalar(select(func.count()).select_from(Document).where(*conditions)) or 0)
    rare, common = _matching(adaptor_ids, wanted.text)
    matching = or_(*(and_(*source) for source in rare + common))
    return int(db.session.scalar(select(func.count()).select_from(Document).where(matching, *conditions)) or 0)
