"""Accounts at an identity provider (OpenID Connect) that people sign in with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import UtcDateTime


class Identity(Identified, Base):
    """A provider's account that belongs to a person: ``subject`` never changes at ``issuer``, e-mail addresses do."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("issuer", "user_id"))

    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)
