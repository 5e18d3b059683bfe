"""Subscriptions, users and who belongs where."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from flask_security import RoleMixin, UserMixin
from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship

from invoiceapp.domain.permissions import Role

from .base import Base, Identified
from .passkey import Passkey
from .types import Json, UtcDateTime, enum_column


class Subscription(Identified, Base):
    """The tenant: one accounting office or company."""

    __tablename__ = "subscription"

    name: Mapped[str] = mapped_column(String(200))
    is_demo: Mapped[bool] = mapped_column(Boolean, default=False)
    needs_second_factor: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether owners and administrators must sign in with a second factor"""
    four_eyes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """What waits for a second person (``domain.four_eyes.Rules``); empty where it was never switched on"""


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
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the person was proved to read mails at ``email``"""
    tf_primary_method: Mapped[str | None] = mapped_column(String(20))
    """``authenticator`` where sign-in asks for a code"""
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    """Encrypted (``services/secrets.py``)"""
    tf_phone_number: ClassVar[str | None] = None  # type: ignore[misc]
    tf_last_counter: Mapped[int | None] = mapped_column(BigInteger)
    """Of the newest code that was used: it and older ones are used up"""
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(Json)
    """SHA-256 of each that is left"""
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(  # type: ignore[assignment]
        String(64), unique=True
    )

    #: Roles belong to memberships; Flask-Security's global ones are not used.
    roles: ClassVar[list[RoleMixin]] = []  # type: ignore[misc]

    memberships: Mapped[list[Membership]] = relationship(back_populates="user", lazy="selectin")
    webauthn: Mapped[list[Passkey]] = relationship(  # type: ignore[assignment]
        back_populates="user", cascade="all, delete-orphan", order_by="Passkey.id"
    )


class Membership(Identified, Base):
    """A user's role in a subscription."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("subscription_id", "user_id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"), index=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))
    last_day: Mapped[date | None] = mapped_column(Date)
    """In Copenhagen; after it the person has no access. An auditor always has one"""
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """No access until an owner or administrator lifts it; nothing of the person's is lost"""

    user: Mapped[User] = relationship(back_populates="memberships")
    subscription: Mapped[Subscription] = relationship(lazy="joined")
    groups: Mapped[list[Group]] = relationship(secondary="group_member", lazy="selectin", order_by="Group.name")


class Group(Identified, Base):
    """People of a subscription that something is shared with by one name, such as "Bogholderiet"."""

    __tablename__ = "user_group"
    __table_args__ = (UniqueConstraint("subscription_id", "name"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    name: Mapped[str] = mapped_column(String(100))

    members: Mapped[list[Membership]] = relationship(
        secondary="group_member", back_populates="groups", order_by="Membership.id"
    )


class GroupMember(Base):
    """Who is in a group."""

    __tablename__ = "group_member"

    group_id: Mapped[str] = mapped_column(ForeignKey("user_group.id"), primary_key=True)
    membership_id: Mapped[str] = mapped_column(ForeignKey("membership.id"), primary_key=True, index=True)


class Invitation(Identified, Base):
    """An offer to become a member: for one e-mail, one role, once, and for 72 hours."""

    __tablename__ = "invitation"
    __table_args__ = (Index("ix_invitation_open", "subscription_id", "email"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    email: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(enum_column(Role))
    group_ids: Mapped[list[str]] = mapped_column(Json, default=list)
    """Groups that the person comes into"""
    last_day: Mapped[date | None] = mapped_column(Date)
    """Of the membership, as ``Membership.last_day``"""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256; the token itself is only in the link"""
    invited_by_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_by_id: Mapped[str | None] = mapped_column(ForeignKey("user_account.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    subscription: Mapped[Subscription] = relationship(lazy="joined")
    invited_by: Mapped[User] = relationship(foreign_keys=invited_by_id)


def _for_all() -> list[dict[str, Any]]:
    return [{"to": "everybody", "level": "operator"}, {"to": "admins", "level": "manager"}]


class Shared:
    """What is shared with members of its subscription: adaptors, gateways, templates of settings."""

    @declared_attr
    def creator_id(cls) -> Mapped[str | None]:
        """Who made it, and manages it as long as they are a member"""
        return mapped_column(ForeignKey("user_account.id"))

    grants: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=_for_all)
    """``[{"to": Grantee, "level": Level, "id": of a user or group}]``; in one column, so that a change is one old → new"""
    is_locked: Mapped[bool] = mapped_column(Boolean, default=False)
    """Those it is shared with may use it, but not edit it"""
