"""Subscriptions, users and who belongs where."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from flask_security import RoleMixin, UserMixin
from sqlalchemy import Boolean, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, Identified
from .types import UtcDateTime, enum_column


class Role(StrEnum):
    """What a person may do in a subscription."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class Subscription(Identified, Base):
    """The tenant: one accounting office or company."""

    __tablename__ = "subscription"

    name: Mapped[str] = mapped_column(String(200))
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)


class User(UserMixin, Identified, Base):  # type: ignore[misc]
    """A person who can sign in. Columns that Flask-Security reads keep its names."""

    __tablename__ = "user_account"

    email: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    language: Mapped[str | None] = mapped_column(String(5))
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # type: ignore[assignment]
    current_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # type: ignore[assignment]
    last_login_ip: Mapped[str | None] = mapped_column(String(64))
    current_login_ip: Mapped[str | None] = mapped_column(String(64))
    login_count: Mapped[int | None] = mapped_column(Integer)  # type: ignore[assignment]

    #: Roles belong to memberships; Flask-Security's global ones are not used.
    roles: ClassVar[list[RoleMixin]] = []  # type: ignore[misc]

    memberships: Mapped[list[Membership]] = relationship(back_populates="user", lazy="selectin")


class Membership(Identified, Base):
    """A user's role in a subscription."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("subscription_id", "user_id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"), index=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))

    user: Mapped[User] = relationship(back_populates="memberships")
    subscription: Mapped[Subscription] = relationship(lazy="joined")
