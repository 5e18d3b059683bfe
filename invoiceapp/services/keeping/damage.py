"""What the verification of the archive means for those whose documents are in it, in words.

Whatever names files (``named``) belongs to somebody, and they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, union_all

from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    ArchiveCheck,
    Damage,
    DamagedFile,
    Document,
    IncomingMessage,
    MonthEndProof,
    Rendition,
    db,
)
from invoiceapp.models.reach import Lookup

from . import named

_SHOWN, _BATCH = 5, 500
Ids = Sequence[str]


@dataclass(frozen=True, slots=True)
class Hurt:
    """That files are not as they should be."""

    text: Text
    advice: Text
    """Whose turn it is, and what to do"""
    since: datetime
    """When the first of them was found"""


@dataclass(frozen=True, slots=True)
class _Part:
    """Things of one kind that name damaged files."""

    number: int
    one: Text
    many: Text
    damages: frozenset[Damage]
    since: datetime

    @property
    def text(self) -> Text:
        word = self.one if self.number == 1 else self.many
        return Text(f"{self.number} {word.da}", f"{self.number} {word.en}")


def of_adaptors(adaptor_ids: Ids) -> Hurt | None:
    """What is known of the files of their documents and proofs, and of their tenants' messages and look-ups.

    None: nothing is wrong that we know of.
    """
    # Nearly always there is none at all, and then nobody looks through anything.
    if db.session.scalar(select(DamagedFile.sha256).limit(1)) is None:
        return None
    documents, *others = (part(adaptor_ids) for part in _PARTS)
    parts = [part for part in (documents, *others) if part]
    if not parts:
        return None
    is_locked = frozenset[Damage]().union(*(part.damages for part in parts)) == {Damage.LOCKED}
    first, rest = ([parts[0]], parts[1:]) if documents else (parts, [])
    text = _sentence(first, is_locked, _numbers(adaptor_ids) if documents else "")
    if rest:
        also = _together(rest)
        text = Text(f"{text.da} Det gælder også {also.da}.", f"{text.en} The same goes for {also.en}.")
    return Hurt(text, _ADVICE_LOCKED if is_locked else _ADVICE, min(part.since for part in parts))


def _sentence(parts: Sequence[_Part], is_locked: bool, numbers: str) -> Text:
    what, which = _together(parts), f": {numbers}." if numbers else "."
    have = "has" if sum(part.number for part in parts) == 1 else "have"
    how = (
        Text("som ikke kan låses op", "that cannot be opened") if is_locked
        else Text("som mangler eller er ændret", "that are missing or changed")
    )  # fmt: skip
    return Text(
        f"{what.da} har filer i arkivet, {how.da}{which}", f"{what.en} {have} files in the archive {how.en}{which}"
    )


def _together(parts: Sequence[_Part]) -> Text:
    *most, last = (part.text for part in parts)
    if not most:
        return last
    return Text(
        f"{', '.join(one.da for one in most)} og {last.da}", f"{', '.join(one.en for one in most)} and {last.en}"
    )


def _names(model: type[Any]) -> list[Any]:
    """The columns of ``model`` that name files."""
    return [getattr(model, column) for table, column in named.COLUMNS if table == model.__tablename__]


def _is_damaged(model: type[Any]) -> ColumnElement[bool]:
    """That a row of ``model`` names the damaged file; told by one column at a time, so that indexes are used."""
    return or_(*(one == DamagedFile.sha256 for one in _names(model)))


def _select(row_id: Any, model: type[Any]) -> Select[Any]:
    return (
        select(row_id.label("id"), DamagedFile.damage, DamagedFile.found_at)
        .select_from(DamagedFile)
        .join(model, _is_damaged(model))
        # Said once more, so that SQLite begins with the few files.
        .where(or_(*(one.in_(select(DamagedFile.sha256).correlate(None)) for one in _names(model))))
    )


def _counted(rows: Any, one: Text, many: Text) -> _Part | None:
    found = rows.subquery()
    query = select(
        func.count(found.c.id.distinct()),
        func.min(found.c.damage),
        func.max(found.c.damage),
        func.min(found.c.found_at),
    )
    number, least, most, since = db.session.execute(query).one()
    return _Part(number, one, many, frozenset({least, most}), since) if number else None


def _of_documents(adaptor_ids: Ids) -> Any:
    # Not a bare column: SQLite would begin with all documents of the adaptors instead of the few files.
    is_theirs = Document.adaptor_id.concat("").in_(adaptor_ids)
    pdfs = _select(Document.id, Document).where(is_theirs)
    renditions = _select(Rendition.document_id, Rendition).join(Document, Document.id == Rendition.document_id)
    return union_all(pdfs, renditions.where(is_theirs))


def _documents(adaptor_ids: Ids) -> _Part | None:
    return _counted(_of_documents(adaptor_ids), Text("dokument", "document"), Text("dokumenter", "documents"))


def _numbers(adaptor_ids: Ids) -> str:
    """Of the first documents."""
    ids = select(_of_documents(adaptor_ids).subquery().c.id)
    query = select(Document.number).where(Document.id.in_(ids)).order_by(Document.id).limit(_SHOWN + 1)
    found = [number or "–" for number in db.session.scalars(query)]
    return ", ".join(found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")


def _tenants(adaptor_ids: Ids) -> Select[Any]:
    return select(Adaptor.subscription_id).where(Adaptor.id.in_(adaptor_ids))


def _messages(adaptor_ids: Ids) -> _Part | None:
    rows = _select(IncomingMessage.id, IncomingMessage).where(
        IncomingMessage.subscription_id.concat("").in_(_tenants(adaptor_ids))
    )
    return _counted(
        rows, Text("modtaget meddelelse", "received message"), Text("modtagne meddelelser", "received messages")
    )


def _proofs(adaptor_ids: Ids) -> _Part | None:
    rows = _select(MonthEndProof.id, MonthEndProof).where(MonthEndProof.adaptor_id.in_(adaptor_ids))
    return _counted(rows, Text("månedsbevis", "month-end proof"), Text("månedsbeviser", "month-end proofs"))


def _lookups(adaptor_ids: Ids) -> _Part | None:
    number, damages, since = 0, set[Damage](), list[datetime]()
    for lookups in _names_of_lookups(adaptor_ids):
        names = set().union(*lookups)
        found = db.session.execute(select(DamagedFile).where(DamagedFile.sha256.in_(names))).scalars().all()
        damaged = {one.sha256 for one in found}
        number += sum(not damaged.isdisjoint(one) for one in lookups)
        damages |= {one.damage for one in found}
        since += [one.found_at for one in found]
    if not number:
        return None
    return _Part(number, Text("opslag", "look-up"), Text("opslag", "look-ups"), frozenset(damages), min(since))


def _names_of_lookups(adaptor_ids: Ids) -> Iterator[list[set[str]]]:
    """Of batches of them, the files that each names: they stand in JSON, where no index finds them."""
    query = select(Lookup.id, Lookup.exchanges).where(Lookup.subscription_id.in_(_tenants(adaptor_ids)))
    after = ""
    while rows := db.session.execute(query.where(Lookup.id > after).order_by(Lookup.id).limit(_BATCH)).all():
        yield [{one["sha256"] for one in exchanges if one.get("sha256")} for _id, exchanges in rows]
        after = rows[-1].id


#: Documents first.
_PARTS: tuple[Callable[[Ids], _Part | None], ...] = (_documents, _messages, _lookups, _proofs)

#: Whose turn it is.
_ADVICE = Text(
    "Intet ændret bliver sendt. Den, der driver serveren, skal hente filerne fra en sikkerhedskopi (flask archive verify).",
    "Nothing changed is sent. Whoever runs the server must bring the files back from a backup (flask archive verify).",
)
_ADVICE_LOCKED = Text(
    "Filerne er der, men er låst med en nøgle, som serveren ikke har. Den, der driver serveren, skal tilføje nøglen igen "
    "(ENCRYPTION_KEYS).",
    "The files are there, but sealed with a key that the server does not have. Whoever runs the server must add the key again "
    "(ENCRYPTION_KEYS).",
)
SOUND = Text("Nattens stikprøve er i orden", "Last night's sample is sound")


def last_sample() -> datetime | None:
    """When a night's sample was done last."""
    return db.session.scalar(select(func.max(ArchiveCheck.finished_at)))
