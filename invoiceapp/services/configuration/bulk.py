"""Activating and deactivating many customers: few at once, thousands as a job in the background."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Select, case, func, select, update

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Delivery, Document, ExportRule, Job, db
from invoiceapp.services import background
from invoiceapp.services.background import Progress
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict

from . import changes, customers, environments, preflight, releasing, rules
from .customers import Filter
from .rules import Outcome

#: The kind of job: one for both directions, because only jobs of the same kind shut each other out.
KIND = "bulk"
#: What becomes of the customers; a job has it as its parameter ``change``.
ACTIVATE, DEACTIVATE = "activate", "deactivate"
#: More customers than this are a job.
MOST_NOW = 500
#: Up to so many are checked again while the person waits; more are checked in the background.
MOST_CHECKED = 5


@dataclass(frozen=True, slots=True)
class Selection:
    """Customers by id, or all that a filter shows."""

    ids: tuple[str, ...] = ()
    everything: Filter | None = None

    def __bool__(self) -> bool:
        return bool(self.ids) or self.everything is not None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person should know before many customers are changed."""

    customers: int
    active: int
    needs: int
    """Of which something is missing, so that their documents would not leave"""
    unsent: int = 0
    """Documents that wait to be sent to them, and would not be if they were deactivated"""


@dataclass(frozen=True, slots=True)
class Started:
    """The work goes on in the background."""

    job_id: str


def _chosen(adaptor_id: str, selection: Selection) -> Select[Any]:
    query = customers.matching(adaptor_id, selection.everything or Filter())
    return query if selection.everything is not None else query.where(Customer.id.in_(selection.ids))


def summary(adaptor_id: str, selection: Selection) -> Summary:
    """How many are chosen, and how many of them are active already or need something. Raises ``ServiceError``."""
    rules.within_reach(selection.ids)
    query = _chosen(adaptor_id, selection).with_only_columns(
        func.count(Customer.id),
        func.sum(case((ExportRule.active, 1), else_=0)),
        func.sum(case((customers.needs_something(), 1), else_=0)),
        maintain_column_froms=True,
    )
    found, active, needs = db.session.execute(query).one()
    chosen = _chosen(adaptor_id, selection).with_only_columns(Customer.id)
    waiting = select(func.count(Delivery.id)).where(releasing.unsent(Document.customer_id.in_(chosen)))
    return Summary(found, active or 0, needs or 0, db.session.scalar(waiting) or 0)


def _ids(adaptor_id: str, selection: Selection, most: int) -> list[str]:
    """The chosen ids in order, up to ``most``; ids that are no customers of the adaptor too, so that they are counted."""
    if selection.everything is None:
        return sorted(set(selection.ids))[:most]
    query = _chosen(adaptor_id, selection).with_only_columns(Customer.id).order_by(Customer.id).limit(most)
    return list(db.session.scalars(query))


def activate(
    adaptor_id: str, selection: Selection, format_id: str, gateway_id: str, actor: str = "system"
) -> Outcome | Started:
    """Activate up to ``MOST_NOW`` customers; more of them as a job.

    Raises ``InvalidInput``, ``ServiceError``, and ``Conflict`` while such a job is going on.
    """
    rules.within_reach(selection.ids)
    with transaction():
        rules.require_fit(rules.held(adaptor_id), format_id, gateway_id)
    ids = _ids(adaptor_id, selection, MOST_NOW + 1)
    if len(ids) > MOST_NOW:
        return _start(adaptor_id, ACTIVATE, selection, actor, {"format": format_id, "gateway": gateway_id})
    with transaction():
        adaptor = rules.held(adaptor_id)
        rules.require_fit(adaptor, format_id, gateway_id)
        outcome = sum(
            (_activated(adaptor, piece, format_id, gateway_id, actor) for piece in rules.chunks(ids)), Outcome()
        )
    rules.settled(outcome, ids, actor)
    waiting = rules.waiting(adaptor_id, ids)
    db.session.commit()
    _check_again(adaptor_id, ids, actor)
    return replace(outcome, waiting=waiting)


def _activated(
    adaptor: Adaptor, customer_ids: Sequence[str], format_id: str, gateway_id: str, actor: str
) -> Outcome:  # fmt: skip
    """``rules.activate_chunk``, with what it moves in the history."""
    changes.record_moves(adaptor, customer_ids, format_id, gateway_id, actor)
    return rules.activate_chunk(adaptor, customer_ids, format_id, gateway_id)


def _kept(adaptor_id: str) -> Adaptor:
    """``rules.held``. Raises ``AdaptorDeleted``."""
    adaptor = rules.held(adaptor_id)
    environments.require_kept(adaptor)
    return adaptor


def deactivate(adaptor_id: str, selection: Selection, actor: str = "system") -> Outcome | Started:
    """Deactivate up to ``MOST_NOW`` customers; more of them as a job.

    Raises ``ServiceError``, and ``Conflict`` while such a job is going on.
    """
    rules.within_reach(selection.ids)
    ids = _ids(adaptor_id, selection, MOST_NOW + 1)
    if len(ids) > MOST_NOW:
        return _start(adaptor_id, DEACTIVATE, selection, actor, {})
    with transaction():
        adaptor = _kept(adaptor_id)
        outcome = sum((rules.deactivate_chunk(adaptor, piece) for piece in rules.chunks(ids)), Outcome())
    return rules.settled(outcome, ids, actor)


def keep_off(adaptor_id: str, selection: Selection) -> int:
    """Decide that new customers are not activated; how many were new. Raises ``ServiceError``."""
    rules.within_reach(selection.ids)
    with transaction() as session:
        _kept(adaptor_id)
        chosen = _chosen(adaptor_id, selection).with_only_columns(Customer.id)
        result: Any = session.execute(
            update(Customer).where(Customer.id.in_(chosen), Customer.is_new).values(is_new=False),
            execution_options={"synchronize_session": False},
        )
    return int(result.rowcount)


def _check_again(adaptor_id: str, ids: Sequence[str], actor: str) -> None:
    if len(ids) > MOST_CHECKED:
        preflight.refresh(adaptor_id, actor)
        return
    known = select(Customer.id).where(Customer.adaptor_id == adaptor_id, Customer.id.in_(ids))
    for customer_id in db.session.scalars(known).all():
        preflight.refresh_customer(customer_id)


def active_job(adaptor_id: str) -> Job | None:
    """The job that changes many of the adaptor's customers now."""
    return background.active(adaptor_id, KIND)


def _start(adaptor_id: str, change: str, selection: Selection, actor: str, chosen: Mapping[str, str]) -> Started:
    parameters: dict[str, Any] = {**chosen, "change": change}
    if selection.everything is None:
        parameters["ids"] = sorted(set(selection.ids))
    else:
        # Customers that are read from the source while the job goes on were not what the person saw.
        last = _chosen(adaptor_id, selection).with_only_columns(func.max(Customer.id), maintain_column_froms=True)
        parameters |= {"filter": asdict(selection.everything), "last": db.session.scalar(last)}
    try:
        return Started(background.start(adaptor_id, KIND, actor=actor, parameters=parameters))
    except Conflict as error:
        raise Conflict(
            Text(
                "Der arbejdes allerede med mange kunder på én gang. Vent, til det er færdigt, og prøv så igen.",
                "Many customers are being changed already. Wait until that has ended, and try again then.",
            )
        ) from error


def _remaining(progress: Progress) -> Select[Any]:
    """The customers behind the cursor that the job's filter shows."""
    query = customers.matching(progress.adaptor_id, Filter(**progress.parameters["filter"]))
    return query.where(Customer.id > (progress.cursor or ""), Customer.id <= progress.parameters["last"])


def _next_ids(progress: Progress) -> list[str]:
    if "ids" in progress.parameters:
        ids: list[str] = progress.parameters["ids"]
        start = bisect_right(ids, progress.cursor or "")
        return ids[start : start + rules.CHUNK]
    query = _remaining(progress).with_only_columns(Customer.id).order_by(Customer.id).limit(rules.CHUNK)
    return list(db.session.scalars(query))


def _total(progress: Progress) -> int:
    if "ids" in progress.parameters:
        return len(progress.parameters["ids"])
    query = _remaining(progress).with_only_columns(func.count(Customer.id), maintain_column_froms=True)
    return db.session.scalar(query) or 0


def _change(progress: Progress, ids: Sequence[str]) -> Outcome:
    adaptor = _kept(progress.adaptor_id)
    if progress.parameters["change"] == DEACTIVATE:
        return rules.deactivate_chunk(adaptor, ids)
    format_id, gateway_id = progress.parameters["format"], progress.parameters["gateway"]
    rules.require_fit(adaptor, format_id, gateway_id)
    outcome = _activated(adaptor, ids, format_id, gateway_id, progress.actor)
    return replace(outcome, waiting=rules.waiting(adaptor.id, ids))


def outcome_of(result: Mapping[str, Any]) -> Outcome:
    """What a job has done so far."""
    return Outcome(**result)


def _step(progress: Progress) -> bool:
    """One chunk in one transaction, with the note where to go on; whether there may be more."""
    with transaction():
        if progress.total is None:
            progress.total = _total(progress)
        ids = _next_ids(progress)
        if not ids:
            return False
        outcome = _change(progress, ids)
        progress.result = asdict(outcome_of(progress.result) + outcome)
        progress.step(len(ids), ids[-1])
    # A worker that dies here loses the count only: the last look before sending (services/export/standing.py) stops them too.
    if stopped := rules.settled(outcome, ids, progress.actor).stopped:
        progress.result = asdict(outcome_of(progress.result) + Outcome(stopped=stopped))
        with transaction():
            progress.step(0, progress.cursor)
    return len(ids) == rules.CHUNK


def run(progress: Progress) -> bool:
    """A slice of a job, the handler of ``KIND``; True while there is more. Raises ``ServiceError``, ``LeaseLost``."""
    ends = time.monotonic() + background.SLICE
    while _step(progress):
        if time.monotonic() >= ends:
            return True
    if progress.parameters["change"] == ACTIVATE:
        preflight.refresh(progress.adaptor_id, progress.actor)
    return False
