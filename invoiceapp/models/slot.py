"""Places at partners' machines, so that all workers together open no more connections than they may."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .types import UtcDateTime


class HostSlot(Base):
    """One connection that may be open to a machine; taken until ``until``."""

    __tablename__ = "host_slot"

    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    """Counted from 1"""
    token: Mapped[str | None] = mapped_column(String(40))
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
