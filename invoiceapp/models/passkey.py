"""Passkeys: keys of a computer, phone or security key that a person signs in with (WebAuthn)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from flask_security import WebAuthnMixin
from sqlalchemy import Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Identified
from .types import Json, UtcDateTime

if TYPE_CHECKING:
    from .people import User

#: ``Passkey.usage``: instead of a password, or after one.
FIRST, SECOND = "first", "secondary"


class Passkey(WebAuthnMixin, Identified, Base):  # type: ignore[misc]
    """One of a person's passkeys. Flask-Security's names."""

    __tablename__ = "passkey"
    __table_args__ = (
        UniqueConstraint("user_id", "name"),
        Index("ix_passkey_credential_id", "credential_id", unique=True),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"))
    name: Mapped[str] = mapped_column(String(64))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1024))
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(Integer, default=0)
    transports: Mapped[list[str] | None] = mapped_column(Json)
    extensions: Mapped[str | None] = mapped_column(Text)
    device_type: Mapped[str] = mapped_column(String(40))
    backup_state: Mapped[bool] = mapped_column(Boolean)
    usage: Mapped[str] = mapped_column(String(20))
    lastuse_datetime: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(back_populates="webauthn")
