"""One pass over a subscription: what it has changed, what it wants to say, and the rows that it looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.models import Gateway

from .problems import Problems
from .wording import Change, Subject

ACTOR = "config"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that changes nothing and that whoever applies the file should know."""

    subject: Subject | None
    text: Text

    def __str__(self) -> str:
        return f"{self.subject}: {self.text.en}" if self.subject else self.text.en


@dataclass(slots=True)
class Work:
    """What was found and done so far, inside one transaction."""

    subscription_id: str
    problems: Problems
    prune: bool
    changes: list[Change] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    secrets: list[tuple[Subject, str, str]] = field(default_factory=list)
    """Of each secret that the file refers to: whose, which, and ``same``, ``differs`` or ``cannot be read``"""
    touched: set[str] = field(default_factory=set)
    """Adaptors whose rows were changed"""
    woken: bool = False
    """Whether an adaptor that rested is active again"""
    moved: bool = False
    """Whether an environment has become another one"""
    opened: set[str] = field(default_factory=set)
    """Gateways that are for tests now, so that test adaptors may use them"""
    gateways: dict[str, Gateway] = field(default_factory=dict)
    """All of the subscription, by name"""

    def say(self, subject: Subject, text: Text) -> None:
        """Note something about one thing."""
        self.notes.append(Note(subject, text))

    def change(self, subject: Subject, name: str, before: Any, after: Any) -> None:
        """Note a value that has become another one."""
        self.changes.append(Change(subject, name, before, after))

    def made(self, subject: Subject, what: str) -> None:
        """Note something new."""
        self.changes.append(Change(subject, "", None, what))

    def set(self, subject: Subject, row: Any, column: str, value: Any, name: str) -> bool:
        """Give a column its value; whether that was another one."""
        before = getattr(row, column)
        if before == value:
            return False
        setattr(row, column, value)
        self.change(subject, name, before, value)
        return True
