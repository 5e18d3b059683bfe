"""Sign-ins that are alive, and what went wrong when somebody tried."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, ForeignKey, Index, Integer, String, event, inspect, update
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from .base import Base, Identified
from .people import User
from .types import UtcDateTime, enum_column, utcnow


class SignInKind(StrEnum):
    """How a person showed who they are."""

    PASSWORD = "password"  # noqa: S105 - a word
    PASSWORD_CODE = "password_code"  # noqa: S105 - and the code of an app
    PASSWORD_RECOVERY = "password_recovery"  # noqa: S105 - and a recovery code
    PASSWORD_PASSKEY = "password_passkey"  # noqa: S105 - and a passkey
    PASSKEY = "passkey"
    OIDC = "oidc"


class Ending(StrEnum):
    """Why a session is over."""

    SIGNED_OUT = "signed_out"
    REPLACED = "replaced"
    """The same browser signed in anew"""
    ENDED_ELSEWHERE = "ended_elsewhere"
    """By the person, from another of their sessions"""
    CREDENTIALS = "credentials"
    """The password, the e-mail address or the second factors were changed"""
    DEACTIVATED = "deactivated"


class SignInSession(Identified, Base):
    """One browser that is signed in. Its cookie carries the token, this row only the token's SHA-256."""

    __tablename__ = "sign_in_session"
    __table_args__ = (Index("ix_sign_in_session_user_id_ip", "user_id", "ip"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Right to a minute"""
    ip: Mapped[str] = mapped_column(String(64))
    """The network of the person: an IPv4 address or the first 64 bits of an IPv6 address"""
    user_agent: Mapped[str] = mapped_column(String(300))
    kind: Mapped[SignInKind] = mapped_column(enum_column(SignInKind))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[Ending | None] = mapped_column(enum_column(Ending))


class SignInFailure(Base):
    """Failed tries that belong together, such as those at one account or from one address."""

    __tablename__ = "sign_in_failure"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A keyed hash: the table names neither accounts nor addresses"""
    failures: Mapped[int] = mapped_column(Integer)
    """Since ``started_at``"""
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@event.listens_for(User, "after_update")
def _end_sessions(_mapper: Mapper[User], connection: Connection, user: User) -> None:
    """Whoever changes it: nobody stays signed in to a deactivated account, or with a password of before.

    Flask-Security gives a new uniquifier with every new password.
    """
    state: Any = inspect(user)
    if state.attrs.active.history.has_changes() and not user.active:
        ending = Ending.DEACTIVATED
    elif state.attrs.fs_uniquifier.history.has_changes():
        ending = Ending.CREDENTIALS
    else:
        return
    connection.execute(
        update(SignInSession)
        .where(SignInSession.user_id == user.id, SignInSession.ended_at.is_(None))
        .values(ended_at=utcnow(), ended_by=ending)
    )
