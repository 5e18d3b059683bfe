"""The accounting system's list of a period, read some days at a time and kept in the archive until all of it is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from invoiceapp.services.export import archive
from invoiceapp.services.proof.canonical import canonical
from invoiceapp.sources.base import DocumentQuery, NotFound, Source, SourceDocument, SourceError

from .books import Listed, Noted, Taken, Unreadable, from_rows, to_rows

#: Days that are read together.
DAYS = 7
#: Days before and after the period in which the ends of its number series look for neighbours.
AROUND = timedelta(days=45)
#: Documents that the list has not, and that are asked about one by one; of more nothing is known.
MOST_ASKED = 300


def read_days(source: Source, first: date, last: date, proof_id: str) -> str:
    """Keep the approved documents dated in these days; the name of the file. Raises ``SourceError``, ``ServiceError``."""
    skipped = len(source.skipped)
    documents = [_listed(one) for one in source.documents(DocumentQuery(first_date=first, last_date=last))]
    unreadable = [Unreadable(one, error.text.da, error.text.en) for one, error in source.skipped[skipped:]]
    return _keep(proof_id, {"documents": to_rows(documents), "unreadable": to_rows(unreadable)})


def read_numbers(source: Source, first: date, last: date, proof_id: str) -> str:
    """Keep the numbers of the period and of the days around it. Raises as ``read_days``."""
    taken = [
        Taken(one.id, one.type.value, one.number, one.issue_date, one.state.value)
        for one in source.taken_numbers(first - AROUND, last + AROUND)
    ]
    return _keep(proof_id, {"taken": to_rows(taken)})


def together(names: Iterable[str]) -> tuple[list[Listed], list[Unreadable], list[Taken]]:
    """What was kept, each document once. Raises ``ArchiveCorrupt``."""
    documents: dict[str, Listed] = {}
    unreadable: list[Unreadable] = []
    taken: dict[str, Taken] = {}
    for name in names:
        part: dict[str, Any] = json.loads(archive.load(name))
        documents |= {one.id: one for one in from_rows(Listed, part.get("documents", ()))}
        unreadable += from_rows(Unreadable, part.get("unreadable", ()))
        taken |= {one.id: one for one in from_rows(Taken, part.get("taken", ()))}
    # A record that was moved to another day while it was read may be there in both ways.
    broken = [one for one in unreadable if one.id not in documents]
    return list(documents.values()), broken, list(taken.values())


def standings(source: Source, ours: Sequence[Noted], listed: Iterable[str], taken: Iterable[Taken]) -> list[Noted]:
    """The same, with what the accounting system says of those that its list has not. Raises ``SourceError``."""
    known, states = set(listed), {one.id: one.state for one in taken}
    asked = 0
    found = []
    for one in ours:
        standing = None
        if one.source_id in known:
            found.append(one)
            continue
        if one.source_id in states:
            standing = states[one.source_id]
        elif asked < MOST_ASKED:
            asked += 1
            standing = _standing(source, one.source_id)
        found.append(replace(one, standing=standing))
    return found


def _standing(source: Source, source_id: str) -> str | None:
    try:
        standing = source.standing(source_id)
    except NotFound:
        return "gone"
    except SourceError:
        # One that cannot be asked about is told as such; the list itself was read.
        return None
    return standing.state.value if standing else "gone"


def _listed(one: SourceDocument) -> Listed:
    return Listed(one.id, one.type.value, one.number, one.issue_date, one.customer_name, one.currency, one.net, one.vat)


def _keep(proof_id: str, part: dict[str, Any]) -> str:
    # No other proof has the same file, so that this one's may go when it is made.
    return archive.store(canonical({"proof": proof_id, **part}))
