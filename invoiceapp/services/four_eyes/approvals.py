"""Four eyes: what waits for a second person, who may be that, and what their word lets go or stops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import joinedload, selectinload

from invoiceapp.domain.delivery import NEEDS_PERSON
from invoiceapp.domain.findings import Text
from invoiceapp.domain.four_eyes import UNKNOWN, Kind
from invoiceapp.domain.permissions import ADMINISTRATORS, Level, Person, Role
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalState,
    ApprovalWait,
    Document,
    Membership,
    Problem,
    Stage,
    User,
    cut,
    db,
    utcnow,
)
from invoiceapp.services.configuration import releasing
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.four_eyes import authors, letting_go
from invoiceapp.services.four_eyes import words as approval_words
from invoiceapp.services.people import access

A = ApprovalState
#: Where a document is while it waits; a decision has it converted again, to say so.
_STOPPED = [state.value for state in NEEDS_PERSON] + [Stage.QUEUED.value]
#: Waiting ones on the page, and decided ones of one page of the history.
SHOWN, PAGE = 200, 50
_LONGEST_NOTE = 500

_NEEDS_NOTE = Text(
    "Skriv, hvorfor I afviser. Det vises på dokumenterne.", "Write why you refuse. It is shown with the documents."
)
_MOVED_ON = Text(
    "En anden har besluttet noget andet i mellemtiden. Se siden igen.",
    "Somebody else has decided otherwise meanwhile. Look at the page again.",
)


class NoRight(ServiceError):
    """The person may see what waits, and not decide."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "Kun ejere, administratorer og medlemmer, der må administrere adaptoren, kan godkende og afvise.",
                "Only owners, administrators and members who may manage the adaptor can approve and refuse.",
            )
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """One value that stops documents."""

    row: Approval
    title: Text
    asked: Text
    documents: int
    money: tuple[tuple[Decimal, str], ...]
    """Sum and currency"""
    approvers: tuple[User, ...]
    """Who could approve it; empty where there is no second person"""
    problem_id: str | None
    """The open problem that lists the documents"""
    document_id: str
    """The first of them"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision did."""

    decided: int = 0
    released: int = 0
    """Documents that are built again, or sent again"""


# --- who ----------------------------------------------------------------------------------------------------------------


def may_decide(adaptor: Adaptor, member: Membership) -> bool:
    """Owners, administrators who see the adaptor, and members who manage it."""
    if not access.is_active(member) or member.role is Role.AUDITOR or not member.user.active:
        return False
    person = Person(member.user_id, member.role, frozenset(group.id for group in member.groups))
    standing = access.standing(adaptor, person)
    return standing is not None and (member.role in ADMINISTRATORS or standing.level is Level.MANAGER)


def approvers(adaptors: Iterable[Adaptor]) -> dict[str, list[User]]:
    """By adaptor, all who may decide, whoever has asked. In as many statements for one adaptor as for all of a subscription."""
    adaptors = list(adaptors)
    query = (
        select(Membership)
        .where(Membership.subscription_id.in_({adaptor.subscription_id for adaptor in adaptors}))
        .options(joinedload(Membership.user), selectinload(Membership.groups))
        .order_by(Membership.id)
    )
    members = db.session.scalars(query).unique().all()
    return {
        adaptor.id: [
            member.user
            for member in members
            if member.subscription_id == adaptor.subscription_id and may_decide(adaptor, member)
        ]
        for adaptor in adaptors
    }


# --- what waits, and what was decided -----------------------------------------------------------------------------------


def waiting(adaptors: Sequence[Adaptor]) -> list[Waiting]:
    """What stops documents now, the oldest ``SHOWN`` first: also what was refused or withdrawn."""
    by_id = {adaptor.id: adaptor for adaptor in adaptors}
    stopped = (
        select(
            ApprovalWait.approval_id,
            Document.currency,
            func.count(),
            func.sum(Document.amount_key),
            func.min(Document.id),
        )
        .join(Document, Document.id == ApprovalWait.document_id)
        .join(Approval, Approval.id == ApprovalWait.approval_id)
        .where(
            Approval.adaptor_id.in_(by_id),
            Approval.state != A.APPROVED,
            Document.status.in_(_STOPPED),
        )
        .group_by(ApprovalWait.approval_id, Document.currency)
        .order_by(Document.currency)
    )
    found: dict[str, list[tuple[int, Decimal, str, str]]] = {}
    for approval_id, currency, count, amount, first in db.session.execute(stopped):
        found.setdefault(approval_id, []).append((count, Decimal(int(amount)) / 10_000, currency, first))
    rows = db.session.scalars(
        select(Approval).where(Approval.id.in_(sorted(found)[:SHOWN])).order_by(Approval.id)
    ).all()
    fixes = {approval_words.fix(row): row.id for row in rows}
    told = select(Problem.fix, Problem.id).where(
        Problem.adaptor_id.in_(by_id), Problem.fix.in_(fixes), Problem.resolved_at.is_(None)
    )
    listed = {fixes[fix or ""]: problem_id for fix, problem_id in db.session.execute(told)}
    deciding = approvers(by_id[adaptor_id] for adaptor_id in sorted({row.adaptor_id for row in rows}))
    return [_waiting(row, deciding[row.adaptor_id], found[row.id], listed.get(row.id)) for row in rows]


def _waiting(
    row: Approval, deciding: Sequence[User], stopped: Sequence[tuple[int, Decimal, str, str]], problem_id: str | None
) -> Waiting:
    asking = authors.asking(row)
    second = tuple(user for user in deciding if user not in asking)
    return Waiting(
        row, approval_words.title(row), approval_words.asked_by(row, asking), sum(count for count, *_ in stopped),
        tuple((amount, currency) for _, amount, currency, _ in stopped), second, problem_id, min(one[-1] for one in stopped),
    )  # fmt: skip


def count(adaptor_ids: Sequence[str]) -> int:
    """How many values wait for a decision, and stop documents."""
    query = (
        select(func.count(ApprovalWait.approval_id.distinct()))
        .join(Document, Document.id == ApprovalWait.document_id)
        .join(Approval, Approval.id == ApprovalWait.approval_id)
        .where(Approval.adaptor_id.in_(adaptor_ids), Approval.state == A.WAITING, Document.status.in_(_STOPPED))
    )
    return db.session.scalar(query) or 0


def decided(adaptor_ids: Sequence[str], page: int = 1) -> tuple[list[Approval], bool]:
    """What people decided, the newest decision first, each with all that was decided about it; whether more follow."""
    query = (
        select(Approval)
        .where(
            Approval.adaptor_id.in_(adaptor_ids),
            Approval.is_baseline.is_(False),
            (Approval.state != A.WAITING) | Approval.decided_at.is_not(None),
        )
        .order_by(Approval.decided_at.desc(), Approval.id)
        .offset((page - 1) * PAGE)
        .limit(PAGE + 1)
    )
    rows = list(db.session.scalars(query))
    return rows[:PAGE], len(rows) > PAGE


def in_use(adaptor_ids: Sequence[str]) -> tuple[list[Approval], int]:
    """What counts as approved because it was in use when four eyes was switched on: the first, and how many there are."""
    baseline = (Approval.adaptor_id.in_(adaptor_ids), Approval.is_baseline.is_(True))
    total = db.session.scalar(select(func.count()).select_from(Approval).where(*baseline)) or 0
    query = select(Approval).where(*baseline).order_by(Approval.kind, Approval.about, Approval.id).limit(SHOWN)
    return list(db.session.scalars(query)) if total else [], total


# --- decisions ----------------------------------------------------------------------------------------------------------


def approve(ids: Sequence[str], member: Membership, note: str = "") -> Outcome:
    """Let go what waits for these values. Twice is once. Raises ``ServiceError``; then none is approved."""

    def require(row: Approval) -> None:
        if any(str(user.id) == member.user_id for user in authors.asking(row)):
            what = approval_words.title(row)
            raise ServiceError(
                Text(
                    f"{what.da}: du har selv bedt om det, så en anden person skal godkende.",
                    f"{what.en}: you have asked for it yourself, so another person must approve.",
                )
            )

    return _decide(ids, member, A.APPROVED, (A.WAITING, A.REFUSED, A.WITHDRAWN), note, require)


def refuse(ids: Sequence[str], member: Membership, note: str) -> Outcome:
    """They stay, with the note. Raises ``ServiceError``, ``Conflict``."""
    if not note.strip():
        raise ServiceError(_NEEDS_NOTE)
    return _decide(ids, member, A.REFUSED, (A.WAITING, A.WITHDRAWN), note)


def take_up(ids: Sequence[str], member: Membership) -> Outcome:
    """What was refused waits for a decision again. Raises ``ServiceError``, ``Conflict``."""
    return _decide(ids, member, A.WAITING, (A.REFUSED,), "")


def withdraw(ids: Sequence[str], member: Membership, note: str = "") -> Outcome:
    """What has not been sent stops again; what was sent is sent. Raises ``ServiceError``, ``Conflict``."""
    done = _decide(ids, member, A.WITHDRAWN, (A.APPROVED,), note)
    # Killed here, each of them is stopped before its first byte all the same.
    for row in db.session.scalars(select(Approval).where(Approval.id.in_(ids)).order_by(Approval.id)).all():
        releasing.after_change(_concerned(row), member.user.email)
    return done


def _decide(
    ids: Sequence[str], member: Membership, new: ApprovalState, old: Sequence[ApprovalState], note: str,
    require: Callable[[Approval], None] = lambda row: None,
) -> Outcome:  # fmt: skip
    """Those that are decided so already stay as they are.

    What waits goes on in the same transaction: sent, or built again to be stopped with other words.
    """
    words = " ".join(note.split())[:_LONGEST_NOTE]
    actor = member.user.email
    with transaction() as session:
        releasing.hold(letting_go.stopped_by(ids))
        rows = session.scalars(
            select(Approval)
            .where(Approval.id.in_(ids), Approval.subscription_id == member.subscription_id)
            .order_by(Approval.fingerprint)
            .with_for_update(of=Approval)
            .execution_options(populate_existing=True)
        ).all()
        changing = [row for row in rows if row.state is not new]
        for row in changing:
            if not may_decide(session.get_one(Adaptor, row.adaptor_id), member):
                raise NoRight
            if row.state not in old:
                raise Conflict(_MOVED_ON)
            require(row)
            _set(row, new, member, words)
        session.flush()
        waiting = letting_go.stopped_by([row.id for row in rows])
        if new is A.APPROVED:
            moved = letting_go.go_on(waiting, actor)
        else:
            moved = letting_go.Moved(releasing.build_again(waiting))
    moved.ring()
    return Outcome(len(changing), moved.built + moved.sent if new is A.APPROVED else 0)


def _set(row: Approval, new: ApprovalState, member: Membership, note: str) -> None:
    now = utcnow()
    row.state, row.decided_by_id, row.decided_at, row.note = new, member.user_id, now, note or None
    line = {"at": now.isoformat(), "by": cut(member.user.email, 255), "state": new.value, "note": note}
    row.history, row.is_baseline = [*row.history, line], False


def _concerned(row: Approval) -> ColumnElement[bool]:
    """The documents that may hold the value."""
    if row.subject == UNKNOWN:
        return Document.id == row.scope
    column = {Kind.ACCOUNT: Document.adaptor_id, Kind.GATEWAY: Document.adaptor_id, Kind.AMOUNT: Document.id}
    return column.get(row.kind, Document.customer_id) == row.scope
