"""How customers can be reached: look-ups as evidence, one match a customer, and receivers of this installation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column, utcnow


class Lookup(Identified, Base):
    """One answer of a register, kept as evidence; the same answer again only confirms it."""

    __tablename__ = "lookup"
    __table_args__ = (Index("ix_lookup_newest", "subscription_id", "register", "question", "id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    place: Mapped[str] = mapped_column(String(64), default="")
    """Fingerprint of where it was asked (``discovery.base.Settings``): answers of a test network count only there"""
    register: Mapped[str] = mapped_column(String(40))
    question: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(20))
    """``registered``, ``not_registered`` or ``could_not_ask``"""
    answer: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """``{"found": [Registered.to_dict()], "company_name"}``; of an endpoint also ``"endpoint"``; of ``could_not_ask`` da, en, detail"""
    exchanges: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """``[{"asked", "at": ISO 8601, "outcome", "sha256"}]``; the bytes lie in the archive"""
    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    """When the same was said last"""
    times: Mapped[int] = mapped_column(Integer, default=1)


class MatchState(StrEnum):
    """What the last check of a customer found, against the one before."""

    UNCHECKED = "unchecked"
    FOUND = "found"
    CHANGED = "changed"
    """another route than the accepted one is right now"""
    VANISHED = "vanished"
    """was found before, and is provably not registered any more"""
    NOT_FOUND = "not_found"
    SEVERAL = "several"
    """more than one address fits: a person chooses"""
    ERROR = "error"
    """a register could not be asked; nothing is known"""


class Match(Identified, Base):
    """How one customer can be reached, as last looked up, and what a person made of it."""

    __tablename__ = "match"
    __table_args__ = (Index("ix_match_state", "adaptor_id", "state", "customer_id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), unique=True)
    state: Mapped[MatchState] = mapped_column(enum_column(MatchState), default=MatchState.UNCHECKED)
    is_new: Mapped[bool] = mapped_column(Boolean, default=True)
    """Nobody has accepted or dismissed it since it was found or changed"""
    participant: Mapped[str | None] = mapped_column(String(100))
    """Of the first route"""
    registered_name: Mapped[str | None] = mapped_column(String(500))
    confidence: Mapped[int] = mapped_column(Integer, default=0)
    """0 to 100: how sure it is that this is the customer"""
    routes: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """In order, ``services.reach.routes.Route.to_dict``"""
    remarks: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """Findings, such as a wrong or a better GLN"""
    pinned: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """A route that a person has chosen; it is checked, and never replaced"""
    accepted: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The route with which it was activated"""
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    accepted_by: Mapped[str | None] = mapped_column(String(255))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a check last found something else than the one before"""


class Receiver(Identified, Base):
    """A subscription's word to the others of this installation that it takes e-invoices, and how."""

    __tablename__ = "receiver"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    participants: Mapped[list[str]] = mapped_column(Json, default=list)
    """``0184:…``, ``0088:…``"""
    formats: Mapped[list[str]] = mapped_column(Json, default=list)
    """Format ids, preferred first"""
    email: Mapped[str] = mapped_column(String(255))
    """Where they are taken"""
    is_listed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the others may find it"""
