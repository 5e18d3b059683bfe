"""How the archive was found to be."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base
from .types import UtcDateTime, enum_column, utcnow


class ArchiveCheck(Base):
    """One night's sample of the archive: the files whose names lie in a range. The next night goes on behind it."""

    __tablename__ = "archive_check"

    day: Mapped[date] = mapped_column(primary_key=True)
    """In Denmark"""
    position: Mapped[str] = mapped_column(String(64), default="")
    """The last name that was looked at, whether or not there was a file of that name"""
    until: Mapped[str] = mapped_column(String(64))
    """Where the night ends"""
    checked: Mapped[int] = mapped_column(Integer, default=0)
    """Files that were read"""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the archive could not be reached: not before this"""


class Damage(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    CHANGED = "changed"
    LOCKED = "locked"
    """sealed with a key that is not there"""


class DamagedFile(Base):
    """A file of the archive that is not as it should be; gone once it was found well again."""

    __tablename__ = "damaged_file"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    damage: Mapped[Damage] = mapped_column(enum_column(Damage))
    found_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
