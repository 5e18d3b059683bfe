"""With what this installation signs its proofs."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Identified
from .types import Json


class SigningKey(Identified, Base):
    """A key pair of the installation's own; the oldest signs, all are known again."""

    __tablename__ = "signing_key"

    certificate: Mapped[str] = mapped_column(Text)
    """PEM, signed by itself"""
    secrets: Mapped[dict[str, str]] = mapped_column(Json)
    """``{"key": …}``: PKCS#8 in PEM, encrypted"""
