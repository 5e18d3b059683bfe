"""The audit log: who did what, in chains of hashes, one for each subscription and one for the installation.

Triggers keep entries as they were written. They guard against mistakes and injected statements, not against whoever
may change the schema: for that, heads are noted elsewhere (docs/audit.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, Index, String, UniqueConstraint, event
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .types import ID_LENGTH, Json, UtcDateTime, new_id

#: The chain of what belongs to no subscription: sign-ins of unknown people, commands.
INSTALLATION = "installation"
#: What the first entry of a chain has for the hash of the one before.
NO_HASH = "0" * 64


class AuditEntry(Base):
    """One change or act. ``hash`` covers all other columns, and ``previous`` is the hash of the entry before."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        UniqueConstraint("chain", "seq"),
        Index("ix_audit_entry_at", "chain", "at"),
        Index("ix_audit_entry_actor", "chain", "actor", "seq"),
        Index("ix_audit_entry_act", "chain", "act", "seq"),
        Index("ix_audit_entry_object", "chain", "object_id", "seq"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    chain: Mapped[str] = mapped_column(String(ID_LENGTH))
    """A subscription's id or ``INSTALLATION``; no foreign key: what was done stays when its object is gone"""
    seq: Mapped[int] = mapped_column(BigInteger)
    """1, 2, 3 … without gaps"""
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_kind: Mapped[str] = mapped_column(String(20))
    """``person``, ``token``, ``command``, ``visitor`` (nobody has signed in) or ``system``"""
    actor: Mapped[str] = mapped_column(String(255))
    """The person's e-mail as it was then, or the command's name"""
    user_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    ip: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """The same for everything that one request did"""
    act: Mapped[str] = mapped_column(String(100))
    """``created``, ``changed``, ``deleted`` of rows; else an endpoint or a name such as ``sign_in.failed``"""
    object_kind: Mapped[str | None] = mapped_column(String(40))
    object_id: Mapped[str | None] = mapped_column(String(64))
    object_name: Mapped[str] = mapped_column(String(200), default="")
    outcome: Mapped[str] = mapped_column(String(20), default="done")
    """``done``, ``refused`` or ``failed``"""
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Of a change, the columns that changed; of an act, its outcome. Never a secret"""
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditChain(Base):
    """The newest entry of a chain. Its row is held while one is added, so that a chain has neither gaps nor forks."""

    __tablename__ = "audit_chain"

    chain: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
    hash: Mapped[str] = mapped_column(String(64), default=NO_HASH)
    kept_from: Mapped[int] = mapped_column(BigInteger, default=1)
    """Entries before it may be deleted; only ``audit_release.release`` moves it, with an entry that says so"""


_REFUSED = "the audit log is append-only"
_TAKEN = (
    "EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id) "
    "OR NEW.seq <= coalesce((SELECT max(seq) FROM audit_entry WHERE chain = NEW.chain), 0)"
)
_KEPT = "OLD.seq >= coalesce((SELECT kept_from FROM audit_chain WHERE chain = OLD.chain), 0)"
_BACK = "NEW.chain <> OLD.chain OR NEW.seq < OLD.seq OR NEW.kept_from < OLD.kept_from OR NEW.kept_from > NEW.seq"
#: Trigger: table, moment, condition under which it refuses. The first also stops SQLite's INSERT OR REPLACE.
_TRIGGERS = {
    "audit_entry_appended": ("audit_entry", "INSERT", _TAKEN),
    "audit_entry_unchanged": ("audit_entry", "UPDATE", ""),
    "audit_entry_kept": ("audit_entry", "DELETE", _KEPT),
    "audit_chain_forward": ("audit_chain", "UPDATE", f"OLD.seq > 0 AND ({_BACK})"),
    "audit_chain_kept": ("audit_chain", "DELETE", ""),
}


def triggers(dialect: str) -> list[str]:
    """The statements that make them, for ``sqlite`` or ``postgresql``."""
    if dialect == "sqlite":
        return [_sqlite(name) for name in _TRIGGERS]
    return [statement for name in _TRIGGERS for statement in _postgresql(name)] + [_NO_TRUNCATE]


def _sqlite(name: str) -> str:
    table, moment, condition = _TRIGGERS[name]
    when = f"WHEN {condition}" if condition else ""
    return (
        f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {moment} ON {table} FOR EACH ROW {when} "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    )


def _postgresql(name: str) -> list[str]:
    table, moment, condition = _TRIGGERS[name]
    refuse = f"RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = 'integrity_constraint_violation';"
    body = f"IF {condition} THEN {refuse} END IF;" if condition else refuse
    row = "OLD" if moment == "DELETE" else "NEW"
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN {row}; END $$",
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {moment} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


_NO_TRUNCATE = (
    "CREATE OR REPLACE TRIGGER audit_entry_whole BEFORE TRUNCATE ON audit_entry "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_unchanged()"
)


def _escaped(statement: str) -> DDL:
    # DDL() formats its text with %.
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]


for _dialect in ("sqlite", "postgresql"):
    for _statement in triggers(_dialect):
        event.listen(Base.metadata, "after_create", _escaped(_statement).execute_if(dialect=_dialect))
