"""Who has typed a sensitive value, or asked for a sending: noticed where it is saved, so that the same person never approves it.

Only a digest of each value is kept, and only of what was new in the save. Of a sending it is the document's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import event, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import PassiveFlag, Session, attributes

from invoiceapp.domain import four_eyes
from invoiceapp.models import (
    Adaptor,
    Approval,
    ApprovalWait,
    Event,
    ExportRule,
    Gateway,
    Match,
    User,
    ValueAuthor,
    db,
    utcnow,
)
from invoiceapp.services import audit

from . import destinations

#: Settings and choices in which accounts and addresses stand.
_TYPED: dict[type[Any], tuple[str, ...]] = {
    Adaptor: ("settings",),
    ExportRule: ("settings",),
    Match: ("pinned", "accepted"),
}
#: Lines of the timeline by which a person has a document sent.
_ASKS = frozenset({"sent_again", "sent_now", "tried_again", "send_anyway", "sent_for_real", "rebuilt"})


@event.listens_for(db.session, "after_flush")
def _flushed(session: Session, _context: Any) -> None:
    found: dict[str, set[str]] = {}
    sendings: dict[str, set[str]] = {}
    if _acting() is None:
        return
    for row in (*session.new, *session.dirty):
        if type(row) in _TYPED or isinstance(row, Gateway):
            found.setdefault(row.subscription_id, set()).update(_atoms(row, row in session.new))
        elif isinstance(row, Event) and row.kind in _ASKS and row.document_id and not row.data.get("approved"):
            sendings.setdefault(row.subscription_id, set()).add(row.document_id)
    for subscription_id, atoms in found.items():
        note(subscription_id, atoms)
    for subscription_id, document_ids in sendings.items():
        asked_for(subscription_id, document_ids)


def _acting() -> str | None:
    context = audit.current()
    return context.who().user_id if context is not None else None


def _atoms(row: Any, is_new: bool) -> Iterator[str]:
    if isinstance(row, Gateway):
        yield from _leads_to(row, is_new)
        return
    for column in _TYPED[type(row)]:
        history = attributes.get_history(row, column, PassiveFlag.PASSIVE_NO_INITIALIZE)
        before = set(four_eyes.atoms_of(list(history.deleted or ())))
        yield from set(four_eyes.atoms_of(list(history.added or ()))) - before
    if (
        isinstance(row, ExportRule)
        and row.active
        and (is_new or _changed(row, "active") or _changed(row, "approved_at"))
    ):
        yield four_eyes.customer_atom(row.customer_id)


def _leads_to(row: Gateway, is_new: bool) -> Iterable[str]:
    """Where the gateway leads now, if it led elsewhere before: who changes a folder has not chosen the host."""
    after = destinations.fact_of("", row).atoms
    before: dict[str, Any] = {}
    for column in ("config", "environment", "account"):
        history = attributes.get_history(row, column, PassiveFlag.PASSIVE_NO_INITIALIZE)
        if history.added and not history.deleted:
            # Nobody has read what stood there.
            return after
        if history.deleted:
            before[column] = history.deleted[0]
    return after if is_new else after - destinations.fact_of("", row, before).atoms


def _changed(row: Any, column: str) -> bool:
    return bool(attributes.get_history(row, column, PassiveFlag.PASSIVE_NO_INITIALIZE).added)


def note(subscription_id: str, atoms: Iterable[str]) -> None:
    """Say that whoever acts has typed these (``Fact.atoms``); nothing in routine work. Inside the caller's transaction."""
    _keep(subscription_id, keys(atoms))


def asked_for(subscription_id: str, document_ids: Iterable[str]) -> None:
    """Say that whoever acts has these documents sent. Inside the caller's transaction.

    Not of what waits for a second person already: somebody else has made it wait, and a look at it must not bar the only
    one who may approve.
    """
    ids = set(document_ids)
    if _acting() is None or not ids:
        return
    waits = select(ApprovalWait.document_id).where(ApprovalWait.document_id.in_(ids))
    _keep(subscription_id, ids - set(db.session.connection().scalars(waits)))


def _keep(subscription_id: str, atoms: Iterable[str]) -> None:
    user_id = _acting()
    rows = [
        {"subscription_id": subscription_id, "atom": key, "user_id": user_id, "at": utcnow()} for key in sorted(atoms)
    ]
    if user_id is None or not rows:
        return
    connection = db.session.connection()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(ValueAuthor.__table__).on_conflict_do_nothing(), rows)


def keys(atoms: Iterable[str]) -> set[str]:
    """As ``ValueAuthor.atom`` has them: nobody reads an account out of that table."""
    return {four_eyes.digest(atom) for atom in atoms}


def asking(row: Approval) -> list[User]:
    """Who has typed the value, or had a document sent that waits for it, the first first."""
    return of(row.subscription_id, row.atoms, row.id)


def of(subscription_id: str, atoms: Iterable[str], approval_id: str | None = None) -> list[User]:
    """Who has typed one of them, or had a document sent that waits for the approval, the first first."""
    waiting = select(ApprovalWait.document_id).where(ApprovalWait.approval_id == approval_id)
    query = (
        select(User, ValueAuthor.at)
        .join(ValueAuthor, ValueAuthor.user_id == User.id)
        .where(
            ValueAuthor.subscription_id == subscription_id,
            or_(ValueAuthor.atom.in_(keys(atoms)), ValueAuthor.atom.in_(waiting)),
        )
        .order_by(ValueAuthor.at)
    )
    return list(dict.fromkeys(db.session.scalars(query)))
