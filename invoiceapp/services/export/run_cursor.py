"""How far a run has come: what one slice leaves to the next, and the last one tells."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Run
from invoiceapp.services.errors import text_dict
from invoiceapp.sources.base import Bookmark, DocumentQuery

from .run_queries import query_from_json

log = logging.getLogger(__name__)

#: Records that are tried again in every run; each costs a request.
MOST_RETRIES = 300
#: Records that a run names because they could not be read, and documents because the settings leave them out; of more it
#: gives the number.
MOST_NAMED = 200


@dataclass(slots=True)
class Named:
    """Entries for ``Run.problems``: the first ``MOST_NAMED``, and how many there are."""

    first: list[dict[str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, entries: Iterable[dict[str, str]]) -> None:
        """Those that are not there yet; one without an id (``?``) always is another one."""
        known = {one["id"] for one in self.first} - {"?"}
        for entry in entries:
            if entry["id"] not in known:
                self.count += 1
                if len(self.first) < MOST_NAMED:
                    self.first.append(entry)

    def told(self, da: str, en: str) -> list[dict[str, str]]:
        """The entries; ``da`` and ``en`` follow the number of those that are not named."""
        more = self.count - len(self.first)
        return (
            [*self.first, text_dict(Text(f"Yderligere {more} {da}", f"{more} more {en}"), id="…")]
            if more
            else self.first
        )


@dataclass(slots=True)
class Cursor:
    """One run between two slices; JSON in ``Run.cursor``, written with every chunk.

    It does not grow with the run: usually some hundred bytes, and never more than ``MOST_RETRIES`` ids in each of
    three lists, ``MOST_NAMED`` entries in each of two, and the numbers that a person asked for, below half a megabyte
    together. Which documents were read is not here but in ``Document.read_run_id``.
    """

    company: str | None = None
    """The id of the company whose list it is"""
    since: str | None = None
    """Of the query of a run that reads what is new: the adaptor's may change before the next slice, the list must not"""
    first_date: str | None = None
    """The same of the start date"""
    newest: str | None = None
    """The newest approval time read so far, as the source writes times"""
    customers_read: bool = False
    bookmark: Bookmark | None = None
    """Where the source's list goes on"""
    to_try: list[str] | None = None
    """Ids that earlier runs could not read, to be tried again; None until the list has been read to its end"""
    failed: list[str] = field(default_factory=list)
    """Ids of the documents that could not be read, to be tried again; oldest approval first, the newest ``MOST_RETRIES``"""
    failed_again: list[str] = field(default_factory=list)
    """The same of those that earlier runs could not read either, so older ones"""
    has_unread: bool = False
    """Whether any document could not be read"""
    numbers: list[str] = field(default_factory=list)
    """Of the numbers that were asked for, those that were read"""
    unread: Named = field(default_factory=Named)
    """Customers and documents that the source could not read"""
    left_out: Named = field(default_factory=Named)
    """What a person asked for and the settings leave out"""

    @classmethod
    def of(cls, run: Run, adaptor: Adaptor) -> Cursor:
        """Where ``run`` stopped, or its beginning. In the caller's transaction."""
        if run.cursor is not None:
            named = {name: Named(**run.cursor[name]) for name in ("unread", "left_out")}
            return cls(**{**run.cursor, **named})
        begun = cls(company=(adaptor.organization or {}).get("id"), newest=adaptor.watermark)
        if run.moves_watermark:
            begun.since = adaptor.watermark
            if adaptor.start_date and not adaptor.watermark:
                begun.first_date = adaptor.start_date.isoformat()
        return begun

    def to_json(self) -> dict[str, Any]:
        """The reverse of ``of``."""
        return asdict(self)

    def query(self, run: Run) -> DocumentQuery:
        """What the run reads, the same in every slice."""
        begun = {"first_date": self.first_date} if self.first_date else {}
        return query_from_json({**run.query, **begun}, datetime.fromisoformat(self.since) if self.since else None)

    def fail(self, ids: Sequence[str]) -> None:
        """Note documents that could not be read. So many of them are a change in the source, and need a person."""
        self.failed = list(dict.fromkeys([*self.failed, *ids]))
        if len(self.failed) > MOST_RETRIES:
            log.error("more than %d records could not be read, too many to be tried again", MOST_RETRIES)
            self.failed = self.failed[-MOST_RETRIES:]

    def to_retry(self) -> list[str]:
        """What the next run tries again: the newest ``MOST_RETRIES``."""
        return [*self.failed, *self.failed_again][:MOST_RETRIES]

    def problems(self, asked: Sequence[str]) -> list[dict[str, str]]:
        """What the run tells in the end: of the numbers that were ``asked`` for, what could not be read, what was left out."""
        return [
            *self._missing(asked),
            *self.unread.told("poster kunne heller ikke læses.", "records could not be read either."),
            *self.left_out.told("dokumenter er udeladt på samme måde.", "documents are left out in the same way."),
        ]

    def skipped(self, asked: Sequence[str]) -> int:
        """How many ``problems`` there are, named or not."""
        return len(self._missing(asked)) + self.unread.count + self.left_out.count

    def _missing(self, asked: Sequence[str]) -> list[dict[str, str]]:
        """An entry for each number that was asked for and not read."""
        missing = (number for number in dict.fromkeys(asked) if number not in self.numbers)
        return [text_dict(_not_found(number, self.has_unread), id=number) for number in missing]


def _not_found(number: str, has_unread: bool) -> Text:
    if has_unread:
        # A record that cannot be read may be the very one: its number is not known.
        return Text(
            f"{number} blev ikke fundet blandt de dokumenter, der kunne læses.",
            f"{number} was not found among the documents that could be read.",
        )
    return Text(
        f"{number} findes ikke i regnskabet. Kun godkendte fakturaer og kreditnotaer læses.",
        f"{number} does not exist in the accounts. Only approved invoices and credit notes are read.",
    )
