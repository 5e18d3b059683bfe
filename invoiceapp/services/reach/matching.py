"""The check of all customers of an adaptor: a job in slices, which a person can watch and stop, and a crash only interrupts."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import timedelta
from operator import add
from typing import Any

from sqlalchemy import func, select

from invoiceapp.models import Adaptor, Customer, MatchState, db
from invoiceapp.services import background
from invoiceapp.services.background import Progress
from invoiceapp.services.configuration import rules
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import events

from . import checking, gathering, nights
from .checking import Examined, Kept, Scene

#: The kind of job.
KIND = "match"
#: Customers of one step: what a person who stops the job waits for, and what a crash repeats. Eight are asked at a time,
#: and where everything hangs for ``Discovery.DEADLINE`` a step must still end within the lease of a job.
CHUNK = 20
#: In a nightly check, how old an answer may be: it was asked for in the same night.
_NIGHTLY = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found, while it goes on and after it."""

    checked: int = 0
    found: int = 0
    several: int = 0
    not_found: int = 0
    errors: int = 0
    new: int = 0
    """Of them: found for the first time"""
    changed: int = 0
    """Found by another way than before, or than what was accepted"""
    vanished: int = 0
    """Registered no more since the check before"""

    def __add__(self, other: Report) -> Report:
        return Report(*map(add, astuple(self), astuple(other)))

    @property
    def tells(self) -> bool:
        """Whether a person should look."""
        return bool(self.new or self.changed or self.vanished)


def report_of(result: Mapping[str, Any]) -> Report:
    """Of ``Job.result``."""
    return Report(**{name: value for name, value in result.items() if name in Report.__dataclass_fields__})


def start(adaptor_id: str, actor: str, customer_ids: Sequence[str] = (), *, nightly: bool = False) -> str:
    """Check all customers, or some, in the background; the job's id. Raises ``Conflict`` while one goes on, ``ServiceError``."""
    rules.within_reach(customer_ids)
    with transaction() as session:
        if gathering.network_gateway(session.get_one(Adaptor, adaptor_id)) is None:
            raise ServiceError(checking.NO_NETWORK)
    parameters: dict[str, Any] = {"nightly": nightly}
    if customer_ids:
        parameters["ids"] = sorted(set(customer_ids))
    return background.start(adaptor_id, KIND, actor=actor, parameters=parameters)


def cancel(job_id: str, adaptor_id: str) -> bool:
    """Stop it after the current step; what was found until then stays. False where it has ended already."""
    return background.cancel(job_id, adaptor_id)


def run(progress: Progress) -> bool:
    """A slice of a job, the handler of ``KIND``; True while there is more. Raises ``ServiceError``, ``LeaseLost``."""
    ends = time.monotonic() + background.SLICE
    while _step(progress):
        if time.monotonic() >= ends:
            return True
    _end(progress)
    return False


def _step(progress: Progress) -> bool:
    """One chunk: read, ask with no transaction open, write with the note where to go on. Whether there may be more."""
    with transaction() as session:
        adaptor = session.get_one(Adaptor, progress.adaptor_id, populate_existing=True)
        if progress.total is None:
            progress.total = _total(progress)
        ids = _next_ids(progress)
        if not ids:
            return False
        scene = checking.scene(adaptor, gathering.customers(adaptor.id, ids))
    examined = checking.examine(scene, _NIGHTLY if progress.parameters.get("nightly") else checking.BY_HAND)
    kept = _write(progress, scene, examined, ids)
    checking.release(progress.adaptor_id, kept)
    return len(ids) == CHUNK


def _write(progress: Progress, scene: Scene, examined: Sequence[Examined], ids: Sequence[str]) -> list[Kept]:
    with transaction():
        kept = checking.keep(rules.held(progress.adaptor_id), scene, examined)
        counted = sum(map(_counted, kept), report_of(progress.result))
        progress.result = asdict(counted)
        progress.step(len(ids), ids[-1])
    return kept


def _counted(kept: Kept) -> Report:
    state, is_found = kept.state, kept.state in (MatchState.FOUND, MatchState.CHANGED)
    return Report(
        checked=1, found=int(is_found), several=int(state is MatchState.SEVERAL),
        not_found=int(state in (MatchState.NOT_FOUND, MatchState.VANISHED)), errors=int(state is MatchState.ERROR),
        new=int(is_found and kept.opens), changed=int(is_found and kept.is_change and not kept.opens),
        vanished=int(state is MatchState.VANISHED and kept.is_change),
    )  # fmt: skip


def _customers(progress: Progress) -> Any:
    return select(Customer.id).where(
        Customer.adaptor_id == progress.adaptor_id,
        Customer.is_archived.is_(False),
        Customer.id > (progress.cursor or ""),
    )


def _next_ids(progress: Progress) -> list[str]:
    if "ids" in progress.parameters:
        wanted: list[str] = progress.parameters["ids"]
        first = bisect_right(wanted, progress.cursor or "")
        return wanted[first : first + CHUNK]
    return list(db.session.scalars(_customers(progress).order_by(Customer.id).limit(CHUNK)))


def _total(progress: Progress) -> int:
    if "ids" in progress.parameters:
        return len(progress.parameters["ids"])
    return db.session.scalar(select(func.count()).select_from(_customers(progress).subquery())) or 0


def _end(progress: Progress) -> None:
    """Say in the timeline what is to be looked at, and see to it that the nightly check begins."""
    report = report_of(progress.result)
    with transaction() as session:
        adaptor = session.get_one(Adaptor, progress.adaptor_id, populate_existing=True)
        nights.plan(adaptor)
        if report.tells:
            events.record(
                "customers_matched", subscription_id=adaptor.subscription_id, actor=progress.actor, adaptor=adaptor.id,
                job=progress.job_id, nightly=bool(progress.parameters.get("nightly")), **asdict(report),
            )  # fmt: skip
