"""The number under which a seller's document leaves: one document each, whichever adaptor or gateway it comes by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from invoiceapp.domain.invoice import DocumentType

from .adaptor import Environment
from .base import Base
from .types import UtcDateTime, enum_column, utcnow


class SentNumber(Base):
    """Which document may leave under a number (``services/delivery/numbers.py``, docs/decisions/0033)."""

    __tablename__ = "sent_number"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    environment: Mapped[Environment] = mapped_column(enum_column(Environment), primary_key=True)
    """What went to a test gateway has reached nobody, and keeps no number from leaving for real"""
    seller: Mapped[str] = mapped_column(String(120), primary_key=True)
    """``seller_of``"""
    type: Mapped[DocumentType] = mapped_column(enum_column(DocumentType, 30), primary_key=True)
    number: Mapped[str] = mapped_column(String(200), primary_key=True)
    """``normal_number``"""
    document_id: Mapped[str] = mapped_column(ForeignKey("document.id"), index=True)
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


def seller_of(source_kind: str, organization: Mapping[str, Any] | None, adaptor_id: str) -> str:
    """The company whose books an adaptor reads: connected twice, they are one seller.

    Its id in the source, else its registration number, else the adaptor itself.
    """
    found = organization or {}
    if found.get("id"):
        return f"{source_kind}:{found['id']}"[:120]
    digits = re.sub(r"\D", "", str(found.get("registration_no") or ""))
    return f"registration:{digits}"[:120] if digits else f"adaptor:{adaptor_id}"


def sent_as(seller: str, number: str) -> str:
    """``Document.sent_as`` of a seller and a ``normal_number``, which has no line end."""
    return f"{seller}\n{number}"


def seller_in(sent_as: str | None) -> str:
    """The seller in it; empty where there is none."""
    return (sent_as or "").rpartition("\n")[0]


def normal_number(number: str) -> str:
    """One number however it is typed: without blanks, in small letters. Zeros in front are part of it."""
    return "".join(unicodedata.normalize("NFKC", number).split()).casefold()[:200]
