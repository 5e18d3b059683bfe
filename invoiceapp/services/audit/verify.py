"""Whether chains are as they were written, in the database or in an export (docs/audit.md).

A chain proves that nothing in it was changed, taken out or put in since its head was noted. Whoever has the database
and this code can build a whole new chain: that shows only where an earlier head is known from elsewhere.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, TextIO

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.models import AuditChain, AuditEntry, db, utcnow
from invoiceapp.models.audit import NO_HASH
from invoiceapp.services.audit.writing import HASHED, digest_of, record
from invoiceapp.services.database import reading
from invoiceapp.services.errors import ServiceError

log = logging.getLogger(__name__)

#: Of an export's first lines: one for each chain.
FORMAT = "audit-1"
#: The act of an entry that says which entries before it were deleted when their time was over.
RELEASED = "audit.released"
_BATCH = 1000
_NAMES = {*HASHED, "hash"}


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a chain, as its own row, or an export's first line, has it."""

    chain: str
    seq: int
    hash: str
    kept_from: int = 1


@dataclass(slots=True)
class Verdict:
    """What was found of a chain; ``problem`` is None where everything fits."""

    chain: str
    first: int = 0
    last: int = 0
    hash: str = NO_HASH
    problem: Text | None = None
    at: int = 0
    """The entry at which it does not fit"""
    released: int = 0
    """Entries up to this one were deleted, and an entry says so"""
    is_known: bool | None = None
    """Whether the hash that somebody had noted is one of the chain's; None: none was given"""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return self.problem is None and self.is_known is not False

    @property
    def count(self) -> int:
        """Entries that were looked at."""
        return self.last - self.first + 1 if self.first else 0


def heads(chain: str | None = None) -> list[Head]:
    """Of one chain or of all. In the caller's transaction, if there is one."""
    query = select(AuditChain.chain, AuditChain.seq, AuditChain.hash, AuditChain.kept_from).order_by(AuditChain.chain)
    rows = db.session.execute(query.where(AuditChain.chain == chain) if chain else query)
    return [Head(*row) for row in rows]


def records(chain: str, last: int, first: int = 1) -> Iterator[dict[str, Any]]:
    """Entries as they are exported, with their hashes, oldest first; read in pieces."""
    table = AuditEntry.__table__
    while True:
        query = select(table).where(table.c.chain == chain, table.c.seq.between(first, last)).order_by(table.c.seq)
        rows = db.session.execute(query.limit(_BATCH)).mappings().all()
        for row in rows:
            yield {**record(dict(row)), "hash": row["hash"]}
        if len(rows) < _BATCH:
            return
        first = rows[-1]["seq"] + 1


def verify(chain: str, head: str | None = None, newest: int | None = None) -> Verdict:
    """Compute a chain anew. ``head``: a hash noted earlier; ``newest``: look at no more than so many entries."""
    with reading():
        found = next(iter(heads(chain)), Head(chain, 0, NO_HASH))
        first = max(1, found.seq - newest + 1) if newest else 1
        return check(found, records(chain, found.seq, first), head, is_part=first > 1)


def verify_all(chain: str | None = None, head: str | None = None) -> list[Verdict]:
    """One chain or all; ``head`` may be any one's."""
    with reading():
        found = heads(chain)
    return _together([verify(one.chain, head) for one in found])


def _together(verdicts: list[Verdict]) -> list[Verdict]:
    """A noted hash is one chain's; where that is found, the others need not have it."""
    if any(one.is_known for one in verdicts):
        for one in verdicts:
            one.is_known = one.is_known or None
    return verdicts


def check(
    head: Head, found: Iterable[Mapping[str, Any]], known: str | None = None, *, is_part: bool = False
) -> Verdict:
    """Compare entries, oldest first, with each other and with their head.

    With ``is_part`` the first may be any: what came before it is not looked at.
    """
    verdict = Verdict(head.chain)
    beginning: tuple[int, str] | None = None
    released: dict[int, str] = {}
    hashes_known = known is not None and known == NO_HASH
    previous = NO_HASH
    for entry in found:
        seq = entry["seq"]
        if beginning is None:
            verdict.first, beginning = seq, (seq - 1, entry["previous"])
            verdict.last, previous = seq - 1, entry["previous"]
        verdict.problem = _problem(head, entry, verdict.last, previous)
        if verdict.problem:
            verdict.at = seq if isinstance(seq, int) else verdict.last + 1
            return verdict
        verdict.last, previous = seq, entry["hash"]
        hashes_known = hashes_known or known in (previous, entry["previous"])
        if entry["act"] == RELEASED and entry["after"]:
            released[entry["after"].get("up_to", 0)] = str(entry["after"].get("head", ""))
    verdict.hash, verdict.is_known = previous, hashes_known if known is not None else None
    verdict.problem = _ending(head, verdict)
    if verdict.problem is None and beginning and beginning != (0, NO_HASH) and not is_part:
        if released.get(beginning[0]) == beginning[1]:
            verdict.released = beginning[0]
        else:
            verdict.problem, verdict.at = _NO_BEGINNING, verdict.first
    return verdict


_NO_BEGINNING = Text(
    "Begyndelsen mangler, og ingen linje fortæller, at den er slettet efter fristen.",
    "The beginning is missing, and no entry says that it was deleted when its time was over.",
)


def _problem(head: Head, entry: Mapping[str, Any], last: int, previous: str) -> Text | None:
    if entry["seq"] != last + 1:
        return Text(
            f"Linje {last + 1} mangler; {entry['seq']} følger efter {last}.",
            f"Entry {last + 1} is missing; {entry['seq']} follows {last}.",
        )
    if entry["chain"] != head.chain or entry["previous"] != previous:
        return Text(
            "Linjen bygger ikke på den foregående; noget er fjernet, sat ind eller lavet om.",
            "The entry is not built on the one before; something was taken out, put in or changed.",
        )
    if set(entry) != _NAMES or digest_of(entry) != entry["hash"]:
        return Text("Linjens indhold er ændret.", "The entry's content was changed.")
    return None


def _ending(head: Head, verdict: Verdict) -> Text | None:
    if (verdict.last, verdict.hash) == (head.seq, head.hash):
        return None
    if verdict.last < head.seq:
        return Text(
            f"De nyeste linjer mangler: kæden slutter ved {verdict.last} og skulle slutte ved {head.seq}.",
            f"The newest entries are missing: the chain ends at {verdict.last} and should end at {head.seq}.",
        )
    return Text("Kædens hoved passer ikke til den sidste linje.", "The chain's head does not fit its last entry.")


class NotAnExport(ServiceError):
    """A file that is no export of the audit log."""


def export(chain: str | None = None) -> Iterator[str]:
    """JSON lines: for each chain its head, then its entries, oldest first."""
    for head in heads(chain):
        first = {
            "format": FORMAT, "chain": head.chain, "seq": head.seq, "hash": head.hash, "kept_from": head.kept_from,
        }  # fmt: skip
        yield json.dumps(first) + "\n"
        for entry in records(head.chain, head.seq, 1):
            yield json.dumps(entry, ensure_ascii=False) + "\n"


def verify_file(file: TextIO, known: str | None = None) -> list[Verdict]:
    """Check an export without any database. Raises ``NotAnExport``."""
    try:
        verdicts = list(_of_each(file, known))
        if not verdicts:
            raise ValueError("empty")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAnExport(
            Text(
                "Filen er ikke en eksport af revisionssporet, eller den er beskadiget.",
                "The file is not an export of the audit log, or it is damaged.",
            )
        ) from error
    return _together(verdicts)


def _of_each(file: TextIO, known: str | None) -> Iterator[Verdict]:
    number = 0

    def chain_of(line: dict[str, Any]) -> int:
        nonlocal number
        number += "format" in line
        return number

    # A group that a check left early is skipped by the next one.
    for _, lines in groupby((json.loads(line) for line in file if line.strip()), chain_of):
        first = next(lines)
        if first.get("format") != FORMAT:
            raise ValueError("no head")
        yield check(Head(first["chain"], first["seq"], first["hash"], first["kept_from"]), lines, known)  # noqa: B031


_logged: list[date] = []


def log_heads() -> None:
    """Once a day, write the heads to the log, which is kept elsewhere than the database: what they prove then needs no trust in it."""
    today = utcnow().date()
    if _logged == [today]:
        return
    with reading():
        found = heads()
    _logged[:] = [today]
    for head in found:
        log.info("audit head: chain %s, entry %d, hash %s", head.chain, head.seq, head.hash)
