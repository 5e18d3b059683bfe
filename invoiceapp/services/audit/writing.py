"""How entries get into the audit log: who acts, what waits to be written, and the chain of hashes.

Everything of a transaction is written at its end, together with it: the chain is held for that moment only, and as the
last of all locks, so that nobody waits for each other in a circle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, event, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, SessionTransaction

from invoiceapp.models import AuditChain, AuditEntry, User, db, new_id, utcnow
from invoiceapp.models.audit import INSTALLATION, NO_HASH
from invoiceapp.services.audit.values import bounded, clean, shown

_PENDING = "audit.pending"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: ``name`` is the e-mail of a person or of a token's owner, or the command's name."""

    kind: str
    name: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Acting:
    """On whose behalf this context works. ``who`` and ``where`` are asked when something is written: a sign-in changes both."""

    who: Callable[[], Actor]
    where: Callable[[], str | None]
    """The subscription's id; None for the installation"""
    ip: str | None = None
    request_id: str | None = None


SYSTEM = Actor("system", "system")
_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)


@dataclass(slots=True)
class Draft:
    """An entry before it has its place in a chain. Values are safe already."""

    chain: str
    actor: Actor
    ip: str | None
    request_id: str | None
    act: str
    kind: str | None = None
    id: str | None = None
    name: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    outcome: str = "done"
    settings_of: tuple[str, str | None] | None = field(default=None, compare=False)
    """Adaptor and customer whose settings it is about: their history tells the same (``audit_rows``)"""


@contextmanager
def acting(
    actor: str, *, kind: str = "person", user_id: str | None = None, ip: str | None = None,
    request_id: str | None = None, subscription_id: str | None = None,
) -> Iterator[None]:  # fmt: skip
    """What happens inside is done by ``actor``: changes of audited rows are written. ``kind`` as ``AuditEntry.actor_kind``."""
    one = Actor(kind, actor, user_id)
    token = begin(Acting(lambda: one, lambda: subscription_id, ip, request_id))
    try:
        yield
    finally:
        end(token)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """The same request from the same place, by somebody who becomes known in it: their e-mail."""
    context = current()
    if context is None:
        yield
        return
    one = Actor("person", name)
    token = begin(replace(context, who=lambda: one))
    try:
        yield
    finally:
        end(token)


def begin(context: Acting) -> Token[Acting | None]:
    """As ``acting``, for those who cannot use ``with``; give the answer to ``end``."""
    return _acting.set(context)


def end(token: Token[Acting | None]) -> None:
    """Back to who acted before."""
    _acting.reset(token)


def current() -> Acting | None:
    """Who acts; None in routine work, which documents' own events tell of."""
    return _acting.get()


def note(
    act: str, *, subscription_id: str | None = None, of: str | None = None, name: str = "",
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
    outcome: str = "done", actor: Actor | None = None,
) -> None:  # fmt: skip
    """Write an act with the caller's transaction, which must be committed.

    ``of`` is kind and id of its object (``user/01J…``), ``name`` its name. Without ``subscription_id`` it goes to the
    chain of whoever acts, else to the installation's. Values of secret names are hidden, texts are cut and escaped.
    """
    context = current()
    kind, _, row_id = (of or "").partition("/")
    draft = draft_of(
        context, act, subscription_id or (context.where() if context else None), kind or None, row_id or None, name,
        None if before is None else {key: shown(key, value) for key, value in before.items()},
        None if after is None else {key: shown(key, value) for key, value in after.items()},
    )  # fmt: skip
    draft.outcome, draft.actor = outcome, actor or draft.actor
    pending(db.session()).append(draft)


def note_of_person(act: str, user: User) -> None:
    """``note`` what was done to a person, to each of their subscriptions."""
    places: list[str | None] = [row.subscription_id for row in user.memberships]
    for place in places or [None]:
        note(act, subscription_id=place, of=f"user/{user.id}", name=user.email)


def draft_of(
    context: Acting | None, act: str, subscription_id: str | None, kind: str | None, row_id: str | None, name: str,
    before: dict[str, Any] | None = None, after: dict[str, Any] | None = None,
) -> Draft:  # fmt: skip
    """An entry by whoever acts."""
    return Draft(
        subscription_id or INSTALLATION, context.who() if context else SYSTEM, context.ip if context else None,
        context.request_id if context else None, act, kind, row_id, name, bounded(before), bounded(after),
    )  # fmt: skip


def pending(session: Session) -> list[Draft]:
    """What this session's transaction writes at its end."""
    found: list[Draft] = session.info.setdefault(_PENDING, [])
    return found


@event.listens_for(db.session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():
        return
    if current() is not None:
        session.flush()
    drafts = session.info.pop(_PENDING, None)
    if drafts:
        append(session.connection(), _without_doubles(drafts))


def _without_doubles(drafts: list[Draft]) -> list[Draft]:
    """Settings that their history tells of in the same transaction are not told again as a column of their row."""
    told = {draft.settings_of for draft in drafts if draft.kind in ("settings", "customer_settings")}
    kept = []
    for draft in drafts:
        if draft.kind not in ("settings", "customer_settings") and draft.settings_of and draft.settings_of in told:
            for values in (draft.before, draft.after):
                (values or {}).pop("settings", None)
            if not draft.before and not draft.after:
                continue
        kept.append(draft)
    return kept


#: How much waited to be written when a savepoint was made.
_marks: WeakKeyDictionary[SessionTransaction, int] = WeakKeyDictionary()


@event.listens_for(db.session, "after_transaction_create")
def _mark(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        _marks[transaction] = len(session.info.get(_PENDING, ()))


@event.listens_for(db.session, "after_soft_rollback")
def _forget(session: Session, transaction: SessionTransaction) -> None:
    """What did not happen is not told."""
    if transaction in _marks:
        del pending(session)[_marks[transaction] :]


@event.listens_for(db.session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_PENDING, None)


def append(connection: Connection, drafts: list[Draft]) -> None:
    """Give the entries their places: two statements and the rows, for each chain. In the caller's transaction."""
    for chain in sorted({draft.chain for draft in drafts}):
        _append(connection, chain, [draft for draft in drafts if draft.chain == chain])


def _append(connection: Connection, chain: str, drafts: list[Draft]) -> None:
    seq, previous = _held(connection, chain, len(drafts))
    now, rows = utcnow(), []
    for number, draft in enumerate(drafts, seq - len(drafts) + 1):
        row = _row(chain, number, now, previous, draft)
        previous = row["hash"] = digest(row)
        rows.append(row)
    connection.execute(insert(AuditEntry), rows)
    connection.execute(update(AuditChain).where(AuditChain.chain == chain).values(hash=previous))


def _held(connection: Connection, chain: str, more: int) -> tuple[int, str]:
    """Hold the chain and move it on: the number of the last of ``more`` new entries, and the hash before them."""
    move = (
        update(AuditChain).where(AuditChain.chain == chain).values(seq=AuditChain.seq + more)
        .returning(AuditChain.seq, AuditChain.hash)
    )  # fmt: skip
    found = connection.execute(move).one_or_none()
    if found is None:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        first = dialect.insert(AuditChain).values(chain=chain, seq=0, hash=NO_HASH, kept_from=1)
        connection.execute(first.on_conflict_do_nothing())
        found = connection.execute(move).one()
    return found[0], found[1]


def _row(chain: str, seq: int, now: datetime, previous: str, draft: Draft) -> dict[str, Any]:
    return {
        "id": new_id(), "chain": chain, "seq": seq, "at": now, "actor_kind": clean(draft.actor.kind, 20),
        "actor": clean(draft.actor.name, 255), "user_id": draft.actor.user_id,
        "ip": clean(draft.ip, 64) if draft.ip else None, "request_id": draft.request_id, "act": clean(draft.act, 100),
        "object_kind": clean(draft.kind, 40) if draft.kind else None,
        "object_id": clean(draft.id, 64) if draft.id else None, "object_name": clean(draft.name, 200),
        "outcome": clean(draft.outcome, 20), "before": draft.before, "after": draft.after, "previous": previous,
    }  # fmt: skip


#: What a hash covers.
HASHED = tuple(column.name for column in AuditEntry.__table__.columns if column.name != "hash")


def record(row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's columns as they are hashed and exported: times as UTC with microseconds."""
    at: datetime = row["at"]
    return {name: row[name] for name in HASHED} | {"at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def digest_of(found: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of a ``record`` in canonical JSON: names sorted, no blanks, everything but ASCII as ``\\u00e6``."""
    canonical = json.dumps({name: found.get(name) for name in HASHED}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def digest(row: Mapping[str, Any]) -> str:
    """The hash of a row of the table."""
    return digest_of(record(row))
