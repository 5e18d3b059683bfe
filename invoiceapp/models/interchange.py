"""Numbered interchanges: what EDIFACT and envelopes count from one sender to one receiver."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified


class InterchangeSequence(Identified, Base):
    """The last number that was given from a sender to a receiver."""

    __tablename__ = "interchange_sequence"
    __table_args__ = (UniqueConstraint("subscription_id", "sender", "receiver"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    sender: Mapped[str] = mapped_column(String(80))
    receiver: Mapped[str] = mapped_column(String(80))
    last: Mapped[int] = mapped_column(Integer, default=0)


class NumberedInterchange(Identified, Base):
    """The number that one content of a document got, so that writing it again gives the same bytes.

    ``created_at`` is the interchange's time of preparation.
    """

    __tablename__ = "numbered_interchange"
    __table_args__ = (
        UniqueConstraint("document_id", "fingerprint"),
        UniqueConstraint("subscription_id", "sender", "receiver", "number"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"))
    sender: Mapped[str] = mapped_column(String(80))
    receiver: Mapped[str] = mapped_column(String(80))
    number: Mapped[int] = mapped_column(Integer)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the content as written without a number"""
    instance_id: Mapped[str] = mapped_column(String(36))
