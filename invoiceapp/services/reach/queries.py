"""The matched customers as a page shows them: filtered, searched, page by page, with counters and the running check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import contains_eager

from invoiceapp.domain.findings import Finding
from invoiceapp.models import Adaptor, Customer, ExportRule, Job, JobState, Match, MatchState, db
from invoiceapp.services import background
from invoiceapp.services.configuration import customers

from . import accepting, gathering, matching, routes
from .routes import Route
from .ways import Way

PAGE = 50
#: What the list may be narrowed to, in the order of the page.
SHOWN = ("all", "new", "found", "changed", "vanished", "several", "not_found", "error", "accepted", "unchecked")
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list shows."""

    text: str = ""
    show: str = "all"
    """One of ``SHOWN``"""

    @classmethod
    def read(cls, values: Mapping[str, str], prefix: str = "") -> Filter:
        """From an address or a form; what cannot be is as if it were not there."""
        text, show = values.get(prefix + "q", ""), values.get(prefix + "show", "")
        return cls(text.replace("\0", "").strip()[:_LONGEST_TEXT], show if show in SHOWN else "all")

    def parameters(self) -> dict[str, str]:
        """What ``read`` takes; only what narrows."""
        values = {"q": self.text, "show": "" if self.show == "all" else self.show}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Row:
    """One customer and what is known of how it can be reached."""

    customer: Customer
    """With ``rule`` loaded"""
    match: Match | None
    """None: never checked"""
    ways: Sequence[Way]
    """Of the adaptor, now"""

    @property
    def state(self) -> MatchState:
        """Of the last check."""
        return self.match.state if self.match else MatchState.UNCHECKED

    @property
    def routes(self) -> list[Route]:
        """In order, the proposed one first; each with the gateway that carries it now."""
        return routes.today(self.match.routes, self.match.pinned, self.ways) if self.match else []

    @property
    def proposal(self) -> Route | None:
        """What accepting would take."""
        return accepting.proposal(self.match, self.ways) if self.match else None

    @property
    def accepted(self) -> Route | None:
        """With what it was activated."""
        return Route.from_dict(self.match.accepted) if self.match and self.match.accepted else None

    @property
    def pinned(self) -> Route | None:
        """What a person has chosen for good."""
        return Route.from_dict(self.match.pinned) if self.match and self.match.pinned else None

    @property
    def remarks(self) -> list[Finding]:
        """What a person should know."""
        return [Finding.from_dict(one) for one in self.match.remarks] if self.match else []


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the customer ids from which the neighbouring pages go on ("" where there is none)."""

    rows: list[Row]
    previous: str
    """For ``before``"""
    next: str
    """For ``after``"""
    matching: int


@dataclass(frozen=True, slots=True)
class Check:
    """The check of all customers that is going on, or the last one."""

    job: Job
    is_running: bool
    report: matching.Report

    @property
    def was_cancelled(self) -> bool:
        """A person stopped it; what was checked until then stands."""
        return self.job.state is JobState.CANCELLED


def _narrowed(show: str) -> ColumnElement[bool] | None:
    if show == "new":
        return and_(Match.is_new.is_(True), Match.state != MatchState.UNCHECKED)
    if show == "accepted":
        return Match.accepted_at.is_not(None)
    if show == "unchecked":
        return or_(Match.id.is_(None), Match.state == MatchState.UNCHECKED)
    return None if show == "all" else Match.state == MatchState(show)


def _matching(adaptor_id: str, wanted: Filter) -> Select[Any]:
    # The text search, the rule and who is archived are those of the list of customers.
    query = customers.matching(adaptor_id, customers.Filter(text=wanted.text))
    query = query.outerjoin(Match, Match.customer_id == Customer.id)
    narrowed = _narrowed(wanted.show)
    return query if narrowed is None else query.where(narrowed)


def page(adaptor_id: str, wanted: Filter, *, after: str = "", before: str = "", size: int = 0) -> Page:
    """One page by name: behind the customer ``after``, or before the customer ``before``.

    A customer that does not exist is as if it were not there: the first page.
    """
    size = size or PAGE
    backwards = bool(before) and not after
    position = _position(adaptor_id, before if backwards else after)
    backwards = backwards and position is not None
    ways = gathering.ways(db.session.get_one(Adaptor, adaptor_id))
    rows = _rows(adaptor_id, wanted, ways, position, size + 1, backwards=backwards)
    if not rows and position is not None:
        # Whoever stood here is gone, or no longer matches.
        position, backwards = None, False
        rows = _rows(adaptor_id, wanted, ways, None, size + 1)
    total = count(adaptor_id, wanted)
    has_more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
        return Page(rows, rows[0].customer.id if has_more else "", rows[-1].customer.id, total)
    first = rows[0].customer.id if position is not None else ""
    return Page(rows, first, rows[-1].customer.id if has_more else "", total)


def _position(adaptor_id: str, customer_id: str) -> tuple[str, str] | None:
    if not customers.is_id(customer_id):
        return None
    found = db.session.execute(
        select(Customer.name, Customer.id).where(Customer.id == customer_id, Customer.adaptor_id == adaptor_id)
    ).first()
    return (found[0], found[1]) if found else None


def _rows(
    adaptor_id: str, wanted: Filter, ways: Sequence[Way], position: tuple[str, str] | None, most: int,
    *, backwards: bool = False,
) -> list[Row]:  # fmt: skip
    """The rows behind (or ``backwards`` before) a position, nearest first."""
    query = _matching(adaptor_id, wanted)
    key = tuple_(Customer.name, Customer.id)
    if position is not None:
        bound = tuple_(*(literal(value) for value in position))
        query = query.where(key < bound if backwards else key > bound)
    order = (Customer.name.desc(), Customer.id.desc()) if backwards else (Customer.name, Customer.id)
    found = db.session.execute(
        query.add_columns(Match).options(contains_eager(Customer.rule)).order_by(*order).limit(most)
    )  # fmt: skip
    return [Row(customer, match, ways) for customer, match in found]


def count(adaptor_id: str, wanted: Filter) -> int:
    """How many customers match."""
    query = _matching(adaptor_id, wanted).with_only_columns(func.count(Customer.id), maintain_column_froms=True)
    return db.session.scalar(query) or 0


def ids(adaptor_id: str, wanted: Filter) -> list[str]:
    """All customers that match, for "accept all"."""
    query = _matching(adaptor_id, wanted).with_only_columns(Customer.id, maintain_column_froms=True)
    return list(db.session.scalars(query.order_by(Customer.id)))


def counts(adaptor_id: str) -> dict[str, int]:
    """How many customers each word of ``SHOWN`` shows; one statement."""
    shown = [(show, _narrowed(show)) for show in SHOWN]
    columns = [
        func.count() if condition is None else func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
        for _, condition in shown
    ]
    row = db.session.execute(
        _matching(adaptor_id, Filter()).with_only_columns(*columns, maintain_column_froms=True)
    ).one()  # fmt: skip
    return {show: int(found) for (show, _), found in zip(shown, row, strict=True)}


def one(customer_id: str) -> Row:
    """One customer."""
    customer = db.session.get_one(Customer, customer_id, populate_existing=True)
    ways = gathering.ways(db.session.get_one(Adaptor, customer.adaptor_id))
    return Row(customer, gathering.matches([customer_id]).get(customer_id), ways)


def check(adaptor_id: str) -> Check | None:
    """The check that goes on, or the last one there was; progress is ``job.done`` of ``job.total``."""
    job = background.active(adaptor_id, matching.KIND) or background.latest(adaptor_id, matching.KIND)
    if job is None:
        return None
    return Check(job, job.finished_at is None, matching.report_of(job.result))


def is_offered(adaptor_id: str) -> bool:
    """Whether the page makes sense: there is a network gateway that the adaptor may use."""
    return gathering.network_gateway(db.session.get_one(Adaptor, adaptor_id)) is not None


def is_by_network(rule: ExportRule | None, adaptor: Adaptor) -> bool:
    """Whether the customer's documents go where its match says."""
    network = gathering.network_gateway(adaptor)
    return rule is not None and network is not None and rule.gateway_id == network.id
