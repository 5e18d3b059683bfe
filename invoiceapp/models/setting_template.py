"""A named set of settings, to be given to customers or to all customers of an adaptor."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .people import Shared
from .types import Json


class SettingTemplate(Identified, Shared, Base):
    """``settings`` has the stored form of a customer's, and in the group ``rule`` the choice of format and gateway."""

    __tablename__ = "setting_template"
    __table_args__ = (UniqueConstraint("subscription_id", "name"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    adaptor_id: Mapped[str | None] = mapped_column(ForeignKey("adaptor.id"))
    """Where its values were taken from; only there are those of the company right"""
    name: Mapped[str] = mapped_column(String(200))
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
