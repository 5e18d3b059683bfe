"""What needs a person, kept: a problem opens with the first document that it stops, and is resolved with the last.

Causes are looked for anew whenever documents have moved (``dirty``), and compared with what is known. So nothing in the
delivery machine must remember to tell, and a worker that dies in between loses nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from invoiceapp.models import Adaptor, Document, Problem, ProblemDocument, Stage, cut, db, new_id, utcnow
from invoiceapp.services.database import reading, transaction
from invoiceapp.services.errors import text_dict

from . import causes, listing, tallies
from .causes import Found

log = logging.getLogger(__name__)

DOCUMENT, ADAPTOR = "document", "adaptor"
#: A cause that comes back so soon was not mended: the same problem goes on.
REOPENED_WITHIN = timedelta(minutes=15)
PAGE = 50
_CHUNK = 500


def dirty() -> list[str]:
    """Adaptors whose documents have moved since their causes were looked for."""
    return tallies.moved()


def refresh(adaptor_id: str) -> None:
    """Look for causes, and open, count and resolve problems accordingly. Safe to call twice and at the same time."""
    with reading():
        seen = tallies.news(adaptor_id)
        changes = _compared(adaptor_id, DOCUMENT, causes.of_adaptor(adaptor_id))
    try:
        with transaction():
            gone = tallies.take(adaptor_id, seen)
            changes.write()
            # Last, as it holds the adaptor, which conversions wait for.
            tallies.fold(adaptor_id, gone)
    except (tallies.TakenMeanwhile, IntegrityError):
        # IntegrityError: the other one has opened the same problem (uq_problem_open).
        log.info("the problems of adaptor %s were looked for by somebody else; what moved since stays news", adaptor_id)


def sync(adaptor_id: str, level: str, found: Iterable[Found]) -> None:
    """Make what is open of this level be ``found``. Inside the caller's transaction, which keeps others from doing the same."""
    _compared(adaptor_id, level, found).write()
    db.session.expire_all()


@dataclass(slots=True)
class _Changes:
    """What differs between what is known and what was found; nothing for what stays as it is."""

    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    """Columns of open problems, each with its id; not all have the same columns"""
    joined: list[dict[str, str]] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    """Documents by problem"""

    def write(self) -> None:
        """Inside the caller's transaction."""
        if self.new:
            db.session.execute(insert(Problem), self.new)
        if self.changed:
            db.session.execute(update(Problem), self.changed)
        for problem_id, ids in self.left.items():
            for start in range(0, len(ids), _CHUNK):
                db.session.execute(
                    delete(ProblemDocument)
                    .where(
                        ProblemDocument.problem_id == problem_id,
                        ProblemDocument.document_id.in_(ids[start : start + _CHUNK]),
                    )
                    .execution_options(synchronize_session=False)
                )
        if self.joined:
            db.session.execute(insert(ProblemDocument), self.joined)


def _compared(adaptor_id: str, level: str, found: Iterable[Found]) -> _Changes:
    """Reads only: two statements however many problems there are."""
    now = utcnow()
    ours = (
        Problem.adaptor_id == adaptor_id,
        Problem.level == level,
        or_(Problem.resolved_at.is_(None), Problem.resolved_at > now - REOPENED_WITHIN),
    )
    # The newest of a key last, and one that is open after those that are not.
    columns = Problem.__table__.columns
    rows = db.session.execute(
        select(*columns).where(*ours).order_by(Problem.resolved_at.is_(None), Problem.resolved_at, Problem.id)
    )
    known = {row.key: row._asdict() for row in rows}
    members = _members(ours)
    subscription_id = db.session.get_one(Adaptor, adaptor_id).subscription_id
    wanted = {one.key: one for one in found}
    changes = _Changes()
    for key, one in wanted.items():
        values = _described(one)
        row = known.get(key)
        if row is None:
            id_ = new_id()
            owner = {
                "id": id_,
                "subscription_id": subscription_id,
                "adaptor_id": adaptor_id,
                "level": level,
                "key": key,
            }
            changes.new.append(owner | values)
        else:
            id_ = row["id"]
            _note_difference(changes, row, values)
        _compare_documents(changes, id_, members[id_], one)
    changes.changed += [
        {"id": row["id"], "resolved_at": now}
        for key, row in known.items()
        if key not in wanted and row["resolved_at"] is None and not _is_undecided(members[row["id"]])
    ]
    return changes


def _members(ours: Iterable[Any]) -> defaultdict[str, dict[str, str]]:
    """The documents of these problems with their status, by problem."""
    query = (
        select(ProblemDocument.problem_id, Document.id, Document.status)
        .join(Problem, Problem.id == ProblemDocument.problem_id)
        .join(Document, Document.id == ProblemDocument.document_id)
        .where(*ours)
    )
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for problem_id, document_id, status in db.session.execute(query):
        found[problem_id][document_id] = status
    return found


def _described(one: Found) -> dict[str, Any]:
    return {
        "rule": one.rule[:80], "text": text_dict(one.text), "turn": one.turn, "fix": cut(one.fix, 200), "status": one.status,
        "documents": len(one.document_ids), "numbers": list(one.numbers),
        "document_id": one.document_ids[0] if one.document_ids else None, "customer_id": one.customer_id,
        "customer_name": cut(one.customer_name, 500), "gateway_id": one.gateway_id,
    }  # fmt: skip


def _note_difference(changes: _Changes, row: Mapping[str, Any], values: dict[str, Any]) -> None:
    different = {name: value for name, value in ({"resolved_at": None} | values).items() if row[name] != value}
    if "documents" in different or "resolved_at" in different:
        different["changed_at"] = utcnow()
    if different:
        changes.changed.append({"id": row["id"], **different})


def _compare_documents(changes: _Changes, id_: str, known: Mapping[str, str], found: Found) -> None:
    """What is on its way or has arrived stays with the problem until that is resolved; what another cause stops does not."""
    stopped = found.document_ids
    changes.joined += [{"problem_id": id_, "document_id": one} for one in stopped if one not in known]
    gone = known.keys() - set(stopped)
    if left := sorted(one for one in gone if not found.holds_released or known[one] in listing.GROUPS["person"]):
        changes.left[id_] = left


def _is_undecided(members: Mapping[str, str]) -> bool:
    """Whether it is being tried again right now with one of them: mostly the same cause stops it again in a moment."""
    return Stage.QUEUED.value in members.values()


def of_adaptors(adaptor_ids: Sequence[str], limit: int | None = None, after: str = "") -> list[Problem]:
    """Open ones: those of the adaptor itself first, then by documents, most first. ``after``: a ``cursor``."""
    query = (
        select(Problem)
        .where(*_open(adaptor_ids), *_beyond(after))
        .order_by(Problem.level, Problem.documents.desc(), Problem.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def count(adaptor_ids: Sequence[str]) -> int:
    """How many are open."""
    return int(db.session.scalar(select(func.count()).select_from(Problem).where(*_open(adaptor_ids))) or 0)


def cursor(problem: Problem) -> str:
    """For ``of_adaptors``: the ones after this one."""
    return f"{problem.level}~{problem.documents}~{problem.id}"


def _open(adaptor_ids: Sequence[str]) -> tuple[Any, ...]:
    return Problem.adaptor_id.in_(adaptor_ids), Problem.resolved_at.is_(None)


def _beyond(after: str) -> list[Any]:
    """Nothing for what is no cursor of ours."""
    level, _, rest = after.partition("~")
    documents, _, id_ = rest.partition("~")
    if level not in (ADAPTOR, DOCUMENT) or not (documents.isascii() and documents.isdigit()) or not id_.isalnum():
        return []
    number = min(int(documents[:9]), 2**31 - 1)
    same_number = and_(Problem.documents == number, Problem.id > id_)
    return [or_(Problem.level > level, and_(Problem.level == level, or_(Problem.documents < number, same_number)))]
