"""What needs a person, one row a cause however many documents it stops: the list of today, and what notifications tell."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, utcnow

_OPEN_SQL = text("resolved_at IS NULL")
_NAMES_SQL = text("document_id IS NOT NULL")


class Problem(Identified, Base):
    """One cause, from the first document that it stopped until the last is released; then it is history."""

    __tablename__ = "problem"
    __table_args__ = (
        Index("uq_problem_open", "adaptor_id", "key", unique=True, sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
        Index("ix_problem_newest", "adaptor_id", "resolved_at", "id"),
        Index("ix_problem_subscription", "subscription_id", "id"),
        Index("ix_problem_document_id", "document_id", sqlite_where=_NAMES_SQL, postgresql_where=_NAMES_SQL),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    level: Mapped[str] = mapped_column(String(20), default="document")
    """``document``, or ``adaptor`` for what is wrong with the source, a gateway, a run or the time"""
    key: Mapped[str] = mapped_column(String(64))
    """Hash of what makes it the same problem"""
    rule: Mapped[str] = mapped_column(String(80))
    """Official rule id, or ours"""
    text: Mapped[dict[str, str]] = mapped_column(Json)
    """``{"da", "en"}``, of the newest document"""
    turn: Mapped[str] = mapped_column(String(20))
    """Whose turn it is (``domain.findings.Turn``)"""
    fix: Mapped[str | None] = mapped_column(String(200))
    """The field that mends it (``Finding.fix``)"""
    status: Mapped[str] = mapped_column(String(20), default="")
    """Of its documents, as ``Document.status``; empty for ``adaptor``"""
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customer.id"))
    """The newest document's"""
    customer_name: Mapped[str | None] = mapped_column(String(500))
    """Where the cure is this customer's alone"""
    gateway_id: Mapped[str | None] = mapped_column(ForeignKey("gateway.id"))
    """The gateway that is to be looked at, where it is one"""
    document_id: Mapped[str | None] = mapped_column(ForeignKey("document.id"))
    """The newest"""
    numbers: Mapped[list[str]] = mapped_column(Json, default=list)
    """Of the newest documents, a few"""
    documents: Mapped[int] = mapped_column(Integer, default=0)
    """That it still stops; of a resolved one, that it stopped last"""
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    """When ``documents`` changed last"""
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to act."""
        return self.resolved_at is None


class ProblemDocument(Base):
    """A document that a problem stops or has stopped. One that another cause stops now is that problem's alone, while open."""

    __tablename__ = "problem_document"

    problem_id: Mapped[str] = mapped_column(ForeignKey("problem.id"), primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"), primary_key=True, index=True)
