"""Keys with which a person's programs use the API."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column


class TokenScope(StrEnum):
    """The most that a key may do, whatever its person may."""

    READ = "read"
    """see"""
    OPERATE = "operate"
    """run, export, send again, handle"""


class ApiToken(Identified, Base):
    """A key of one person for one subscription; of its secret only the SHA-256 is kept."""

    __tablename__ = "api_token"
    __table_args__ = (Index("ix_api_token_subscription_id_user_id", "subscription_id", "user_id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[TokenScope] = mapped_column(enum_column(TokenScope))
    adaptor_ids: Mapped[list[str] | None] = mapped_column(Json)
    """The only adaptors that it may be used for; None: all that its person may see"""
    public_id: Mapped[str] = mapped_column(String(12), unique=True)
    """By which it is looked up; stands in lists and logs"""
    secret_hash: Mapped[str] = mapped_column(String(64))
    credentials_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the person's uniquifier when it was made: a new password has another one"""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Right to a minute"""
    last_used_ip: Mapped[str | None] = mapped_column(String(64))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[str | None] = mapped_column(String(255))

    user: Mapped[Any] = relationship("User", lazy="raise_on_sql")
    subscription: Mapped[Any] = relationship("Subscription", lazy="raise_on_sql")
