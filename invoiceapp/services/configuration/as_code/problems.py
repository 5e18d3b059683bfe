"""What is wrong with a configuration file: all of it at once, each with its place."""

from __future__ import annotations

from dataclasses import dataclass, field

from invoiceapp.domain.findings import Text
from invoiceapp.services.errors import ServiceError

#: More would scroll the first ones away.
MOST_LISTED = 200


def join(place: str, name: str) -> str:
    """The place of a key."""
    return f"{place}.{name}" if place else name


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps a file from being used."""

    line: int
    """In the file, from 1; 0 where it is about none"""
    place: str
    """Such as ``adaptors[0].customers[3].settings.customer.country``; "" for the whole file"""
    text: Text
    who: str = ""
    """The place in names: adaptor Billy, customer 0123"""

    def __str__(self) -> str:
        names = f" ({self.who})" if self.who else ""
        parts = (f"line {self.line}" if self.line else "", f"{self.place}{names}", self.text.en)
        return ": ".join(part for part in parts if part)


class ConfigurationInvalid(ServiceError):
    """A file that cannot be used. Nothing was changed; ``problems`` are in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
        count = len(self.problems)
        super().__init__(
            Text(
                f"Filen kan ikke bruges, og intet er ændret ({count} fejl).",
                f"The file cannot be used, and nothing was changed ({count} {'problem' if count == 1 else 'problems'}).",
            )
        )


@dataclass(slots=True)
class Problems:
    """Collects problems while everything else is looked at."""

    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, place: str, text: Text, who: str = "") -> None:
        """Note one."""
        self.found.append(Problem(line, place, text, who))

    def settle(self) -> None:
        """Raises ``ConfigurationInvalid`` where there is any."""
        if self.found:
            raise ConfigurationInvalid(self.found)
