"""Four eyes: what waits for a second person, what was approved, and who has typed what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from invoiceapp.domain.four_eyes import Kind

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column, utcnow


class ApprovalState(StrEnum):
    """Only what is approved leaves."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    """was approved once"""


class Approval(Identified, Base):
    """One sensitive value of an adaptor, customer or document (``domain.four_eyes.Fact``)."""

    __tablename__ = "approval"
    __table_args__ = (
        UniqueConstraint("adaptor_id", "fingerprint"),
        Index("ix_approval_state", "subscription_id", "state", "id"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    kind: Mapped[Kind] = mapped_column(enum_column(Kind))
    scope: Mapped[str] = mapped_column(String(26))
    """Id of the adaptor, customer or document that it counts for"""
    subject: Mapped[str] = mapped_column(String(40), default="")
    fingerprint: Mapped[str] = mapped_column(String(64))
    shown: Mapped[str] = mapped_column(String(1000))
    """The value as people read it"""
    about: Mapped[str] = mapped_column(String(500), default="")
    """The customer's name, where it is one customer's"""
    known: Mapped[list[str]] = mapped_column(Json, default=list)
    """What was approved in its place when it was first seen, newest first; of an amount the limit and the normal one"""
    atoms: Mapped[list[str]] = mapped_column(Json, default=list)
    """By which ``ValueAuthor`` knows who has typed it"""
    state: Mapped[ApprovalState] = mapped_column(enum_column(ApprovalState), default=ApprovalState.WAITING)
    is_baseline: Mapped[bool] = mapped_column(Boolean, default=False)
    """Approved by having been in use when four eyes was switched on"""
    decided_by_id: Mapped[str | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    note: Mapped[str | None] = mapped_column(String(500))
    history: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """``[{"at": ISO 8601, "by": e-mail, "state", "note"}]``, oldest first"""

    decided_by: Mapped[Any] = relationship("User", lazy="joined")


class ApprovalWait(Base):
    """A document that an approval has stopped, until it is converted again. No foreign key: retention deletes documents."""

    __tablename__ = "approval_wait"

    approval_id: Mapped[str] = mapped_column(ForeignKey("approval.id"), primary_key=True)
    document_id: Mapped[str] = mapped_column(String(26), primary_key=True, index=True)


class ValueAuthor(Base):
    """Who has typed a value, or asked for something, that a second person may have to approve."""

    __tablename__ = "value_author"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    atom: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of one of ``Approval.atoms``, or the id of a document that the person has sent"""
    user_id: Mapped[str] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
