"""A problem with a document: what is wrong, whose turn it is, and where to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """``FATAL`` keeps a document, or all of a gateway's, from leaving."""

    FATAL = "fatal"
    WARNING = "warning"
    INFO = "info"


class Turn(StrEnum):
    """Who can mend it."""

    SOURCE = "source"
    """the user, in the accounting system"""
    HERE = "here"
    """the user, in this product"""
    RECEIVER = "receiver"
    """the buyer or their system"""
    OPERATOR = "operator"
    """whoever runs this installation"""


@dataclass(frozen=True, slots=True)
class Text:
    """One message in the two languages of the product."""

    da: str
    en: str

    def in_language(self, language: str) -> str:
        """Danish unless English is asked for."""
        return self.en if language.startswith("en") else self.da


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    ``rule`` is the official id where there is one (BR-*, PEPPOL-*, DK-R-*, F-*),
    else our own (``BILLY-*``, ``IA-*``). ``fix`` names the field to mend, as
    ``customer.endpoint``, ``vat``, ``source.invoice``; pages turn it into a link.
    """

    rule: str
    severity: Severity
    text: Text
    turn: Turn
    term: str | None = None
    location: str | None = None
    fix: str | None = None

    @property
    def is_fatal(self) -> bool:
        """Whether the document must stay."""
        return self.severity is Severity.FATAL

    def to_dict(self) -> dict[str, Any]:
        """JSON form, as stored and as the command line prints it."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "text": {"da": self.text.da, "en": self.text.en},
            "turn": self.turn.value,
            "term": self.term,
            "location": self.location,
            "fix": self.fix,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Finding:
        """The reverse of ``to_dict``."""
        return cls(
            rule=data["rule"],
            severity=Severity(data["severity"]),
            text=Text(data["text"]["da"], data["text"]["en"]),
            turn=Turn(data["turn"]),
            term=data.get("term"),
            location=data.get("location"),
            fix=data.get("fix"),
        )


def fatal(
    rule: str,
    da: str,
    en: str,
    *,
    turn: Turn,
    term: str | None = None,
    fix: str | None = None,
    location: str | None = None,
) -> Finding:
    """A finding that keeps the document from leaving."""
    return Finding(rule, Severity.FATAL, Text(da, en), turn, term, location, fix)


def warning(
    rule: str,
    da: str,
    en: str,
    *,
    turn: Turn,
    term: str | None = None,
    fix: str | None = None,
    location: str | None = None,
) -> Finding:
    """A finding that the user should see, though the document may leave."""
    return Finding(rule, Severity.WARNING, Text(da, en), turn, term, location, fix)


def has_fatal(findings: Iterable[Finding]) -> bool:
    """Whether any finding keeps the document from leaving."""
    return any(finding.is_fatal for finding in findings)
