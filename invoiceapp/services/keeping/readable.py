"""Documents with their files and evidence as static pages: a zip or a folder that opens from disk, with no program.

Written document by document, so that a company of any size fits into memory.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import ColumnElement, extract, func, select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.spreadsheets import DIALECTS, Cell, written
from invoiceapp.models import Document, Subscription, db, utcnow
from invoiceapp.services.database import reading
from invoiceapp.services.errors import Conflict, ServiceError

from . import words
from .record import Record, day, moment, of_document
from .static_pages import Pages

#: Documents that are read together.
CHUNK = 50
_PAGES = Pages("keeping/export")
#: In words, with the stable name that programs may look for.
_COLUMNS = (
    "Fakturatype / Type (type)", "Nummer / Number (number)", "Dato / Date (issue_date)", "Kunde / Customer (customer)",
    "Kundenummer / Customer number (customer_number)", "Valuta / Currency (currency)", "Uden moms / Without VAT (net)",
    "Moms / VAT (vat)", "I alt / Total (gross)", "Ordrenummer / Order number (order_number)", "Status (status)",
    "Mappe / Folder (folder)",
)  # fmt: skip
_CSV = DIALECTS["danish-excel"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which documents."""

    subscription_id: str
    adaptor_id: str | None = None
    first: date | None = None
    last: date | None = None
    only_of: frozenset[str] | None = None
    """Ids of the adaptors that the person may see; None for all"""

    def conditions(self) -> list[ColumnElement[bool]]:
        """For queries of ``Document``."""
        wanted = [Document.subscription_id == self.subscription_id]
        if self.adaptor_id:
            wanted.append(Document.adaptor_id == self.adaptor_id)
        if self.only_of is not None:
            wanted.append(Document.adaptor_id.in_(self.only_of))
        if self.first:
            wanted.append(Document.issue_date >= self.first)
        if self.last:
            wanted.append(Document.issue_date <= self.last)
        return wanted


@dataclass(slots=True)
class Written:
    """What was written."""

    documents: int = 0
    files: int = 0
    missing: int = 0
    """Files that the archive does not have any more"""


class _Target(Protocol):
    def write(self, path: str, content: bytes) -> None: ...


class _Sums:
    """Writes to the target, and notes the checksum of each file on disk."""

    def __init__(self, target: _Target, notes: Path) -> None:
        self._target, self._notes = target, notes.open("wb")

    def write(self, path: str, content: bytes) -> None:
        self._target.write(path, content)
        self._notes.write(f"{hashlib.sha256(content).hexdigest()}  {path}\n".encode())

    def close(self) -> None:
        self._notes.close()


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, path: str, content: bytes) -> None:
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


class _Zip:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def write(self, path: str, content: bytes) -> None:
        self._file.writestr(path, content)


def count(choice: Choice) -> int:
    """How many documents it would hold."""
    return db.session.scalar(select(func.count()).select_from(Document).where(*choice.conditions())) or 0


def write(target: Path, choice: Choice) -> Written:
    """Write the export: a zip, whole or not at all, where ``target`` ends in ``.zip``, else an empty or new folder.

    Raises ``ServiceError``, ``OSError``.
    """
    if target.suffix.lower() != ".zip":
        if target.exists() and any(target.iterdir()):
            raise Conflict(Text("Mappen er ikke tom.", "The folder is not empty."))
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            return _write(_Folder(target), choice, Path(scratch))
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        draft = Path(scratch) / "export.zip"
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as file:
            done = _write(_Zip(file), choice, Path(scratch))
        with draft.open("rb") as whole:
            os.fsync(whole.fileno())
        draft.replace(target)
    return done


def _write(target: _Target, choice: Choice, scratch: Path) -> Written:
    with reading() as session:
        subscription = session.get(Subscription, choice.subscription_id)
        if subscription is None:
            raise ServiceError(Text("Abonnementet findes ikke.", "There is no such subscription."))
        name, months = subscription.name, _months(choice)
    done, notes, table = Written(), scratch / "sums", scratch / "table"
    out = _Sums(target, notes)
    try:
        with table.open("wb") as csv:
            csv.write((_CSV.start + written([_COLUMNS], _CSV)).encode())
            for month in months:
                _write_month(out, choice, month, csv, done)
        for path in ("style.css", "README.txt"):
            out.write(path, _PAGES.source(path))
        out.write("documents.csv", table.read_bytes())
        index = _PAGES.render(
            "index.html", root="", name=name, written=moment(utcnow()), documents=done.documents, months=[(month, number, f"months/{month}.html") for month, number in months.items()],
            first=day(choice.first) if choice.first else None, last=day(choice.last) if choice.last else None,
        )  # fmt: skip
        out.write("index.html", index)
    finally:
        out.close()
    target.write("manifest.sha256", notes.read_bytes())
    return done


def _months(choice: Choice) -> dict[str, int]:
    """``2026-11`` and how many documents, oldest first."""
    year, month = extract("year", Document.issue_date), extract("month", Document.issue_date)
    query = select(year, month, func.count()).where(*choice.conditions()).group_by(year, month).order_by(year, month)
    return {f"{int(one[0]):04d}-{int(one[1]):02d}": int(one[2]) for one in db.session.execute(query)}


def _write_month(out: _Sums, choice: Choice, month: str, csv: Any, done: Written) -> None:
    rows: list[dict[str, Any]] = []
    for record in _records(choice, month):
        for path, content in record.files.items():
            out.write(f"{record.folder}/{path}", content)
            done.files += 1
        out.write(
            f"{record.folder}/index.html", _PAGES.render("document.html", root="../../../", month=month, **record.page)
        )
        csv.write(written([_cells(record)], _CSV).encode("utf-8", "replace"))
        rows.append({**record.line, "url": f"../{record.folder}/index.html"})
        done.documents += 1
        done.missing += record.missing
    out.write(
        f"months/{month}.html", _PAGES.render("month.html", root="../", home="../index.html", month=month, rows=rows)
    )


def _records(choice: Choice, month: str) -> Iterator[Record]:
    """The month's documents, oldest first; each chunk is a transaction of its own."""
    first = date.fromisoformat(f"{month}-01")
    last = first.replace(day=monthrange(first.year, first.month)[1])
    in_month = (Document.issue_date >= first, Document.issue_date <= last)
    after = ""
    while True:
        with reading():
            ids = db.session.scalars(
                select(Document.id)
                .where(*choice.conditions(), *in_month, Document.id > after)
                .order_by(Document.id)
                .limit(CHUNK)
            ).all()
            found = [of_document(db.session.get_one(Document, one), month) for one in ids]
        if not found:
            return
        yield from found
        after = ids[-1]


def _cells(record: Record) -> tuple[Cell, ...]:
    line = record.line
    return (
        line["kind"], line["number"], line["issued"], line["customer"], line["customer_number"], line["currency"], line["net"],
        line["vat"], line["gross_amount"], line["order_number"], words.both(words.STATES, line["state"]), record.folder,
    )  # fmt: skip
