"""Backups: one consistent moment of all tables, and the archive, in one sealed file.

Inside the seal a gzip of lines. A line that begins with ``{`` says what follows, one with ``[`` is a row::

    {"backup": 1, "product": …, "revision": …, "taken_at": …, "has_archive": …}
    {"table": "adaptor", "columns": […]}
    […]
    {"rows": 3, "sha256": …}
    {"file": "<sha256>", "size": 1234}           and as many bytes
    {"manifest": {"tables": {name: {"rows", "sha256"}}, "files": …, "bytes": …, "missing": …, "damaged": […]}}
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy import Connection

from invoiceapp.domain.findings import Text
from invoiceapp.models import db, utcnow
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive

from . import dump, named
from .sealing import SealedReader, SealedWriter, damaged

#: Of the lines described above.
LAYOUT = 1
_LEVEL = 4
_BLOCK = 256 * 1024


@dataclass(slots=True)
class Contents:
    """What a backup holds."""

    product: str
    revision: str
    taken_at: datetime
    has_archive: bool
    key_id: str = ""
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """``{"rows", "sha256"}`` by name"""
    files: int = 0
    bytes: int = 0
    missing: int = 0
    """Files that rows refer to and that the archive did not have"""
    damaged: list[str] = field(default_factory=list)
    """Files that were no longer what they are named by; left out"""

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table["rows"] for table in self.tables.values())

    def manifest(self) -> dict[str, Any]:
        """As it stands at the end of the file."""
        counted = {"files": self.files, "bytes": self.bytes, "missing": self.missing, "damaged": self.damaged}
        return {"tables": self.tables, **counted}


def product_version() -> str:
    """Of this program."""
    try:
        return version("invoiceapp")
    except PackageNotFoundError:
        return "0.1.0"


def write(path: Path, *, with_archive: bool = True) -> Contents:
    """Write a backup to ``path``, whole or not at all; an older file of that name is replaced.

    Raises ``ServiceError`` where the database has no tables, ``ArchiveUnavailable``, ``OSError``.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            contents = _write(file, with_archive)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return contents


@contextmanager
def snapshot() -> Iterator[Connection]:
    """A transaction that sees one moment, however long it takes, and that nobody's writes wait for."""
    options: dict[str, Any] = {"reads_only": True}
    if db.engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with db.engine.connect().execution_options(**options) as connection:
        yield connection


def _revision(connection: Connection) -> str:
    if not sa.inspect(connection).has_table(dump.VERSIONS):
        raise ServiceError(
            Text(
                "Databasen er ikke sat op. Kør »flask db upgrade« først.",
                "The database is not set up. Run “flask db upgrade” first.",
            )
        )
    return str(connection.execute(sa.text(f"SELECT version_num FROM {dump.VERSIONS}")).scalar_one())  # noqa: S608 # nosec B608


def _write(file: IO[bytes], with_archive: bool) -> Contents:
    sealed = SealedWriter(file)
    with gzip.GzipFile(fileobj=sealed, mode="wb", compresslevel=_LEVEL, mtime=0) as out:
        with snapshot() as connection:
            contents = Contents(product_version(), _revision(connection), utcnow(), with_archive)
            head = {
                "backup": LAYOUT, "product": contents.product, "revision": contents.revision,
                "taken_at": contents.taken_at.isoformat(), "has_archive": with_archive,
            }  # fmt: skip
            out.write(_line(head))
            for table in dump.tables(connection):
                contents.tables[table.name] = _write_table(out, connection, table)
            if with_archive:
                contents.missing = _count_missing(connection)
        # After the rows: a file is stored before the row that refers to it.
        if with_archive:
            _write_archive(out, contents)
        out.write(_line({"manifest": contents.manifest()}))
    sealed.finish()
    return contents


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"


def _write_table(out: gzip.GzipFile, connection: Connection, table: dump.Table) -> dict[str, Any]:
    out.write(_line({"table": table.name, "columns": list(table.columns)}))
    count, digest = 0, hashlib.sha256()
    for row in dump.rows(connection, table):
        line = dump.line(row)
        digest.update(line)
        out.write(line)
        count += 1
    end = {"rows": count, "sha256": digest.hexdigest()}
    out.write(_line(end))
    return end


def _count_missing(connection: Connection) -> int:
    with named.gathered(connection) as names:
        return sum(is_named and not is_there for _, is_named, is_there in named.joined(names, archive.names()))


def _write_archive(out: gzip.GzipFile, contents: Contents) -> None:
    """Every file in clear under the backup's own seal: it comes back into whatever kind of archive there is then."""
    for name in archive.names():
        try:
            content = archive.load(name)
        except archive.ArchiveMissing:
            # Deleted by retention since the names were read.
            continue
        except (archive.ArchiveChanged, archive.ArchiveLocked):
            contents.damaged.append(name)
            continue
        out.write(_line({"file": name, "size": len(content)}))
        out.write(content)
        contents.files += 1
        contents.bytes += len(content)


class Reader:
    """An opened backup: its ``contents`` as its head has them, then ``tables``, then ``files``, once and in this order.

    Everything that is read is compared with what the file says of it. Raises ``BackupUnreadable``.
    """

    def __init__(self, file: IO[bytes]) -> None:
        sealed = SealedReader(file)
        self._lines = gzip.GzipFile(fileobj=sealed, mode="rb")
        head = self._control()
        if head.get("backup") != LAYOUT:
            raise ServiceError(
                Text(
                    "Sikkerhedskopien er skrevet af en nyere udgave af programmet. Brug den udgave, eller en nyere.",
                    "The backup was written by a newer edition of the program. Use that edition, or a newer one.",
                )
            )
        self.contents = Contents(
            head["product"],
            head["revision"],
            datetime.fromisoformat(head["taken_at"]),
            head["has_archive"],
            sealed.key_id,
        )
        self._after_tables: dict[str, Any] = {}

    def _next(self) -> bytes:
        try:
            return self._lines.readline()
        except (EOFError, OSError, gzip.BadGzipFile) as error:
            raise damaged() from error

    def _control(self) -> dict[str, Any]:
        line = self._next()
        if not line.startswith(b"{"):
            raise damaged()
        found: dict[str, Any] = json.loads(line)
        return found

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[list[Any]]]]:
        """Name, columns and rows of each table; the rows are read before the next table, all of them."""
        while "table" in (head := self._control()):
            rows = self._rows(head["table"])
            yield head["table"], head["columns"], rows
            for _ in rows:
                """Left by the caller; what they hold is compared all the same."""
        self._after_tables = head

    def _rows(self, table: str) -> Iterator[list[Any]]:
        count, digest = 0, hashlib.sha256()
        while (line := self._next()).startswith(b"["):
            digest.update(line)
            count += 1
            yield json.loads(line)
        end = {"rows": count, "sha256": digest.hexdigest()}
        if not line or json.loads(line) != end:
            raise damaged()
        self.contents.tables[table] = end

    def files(self) -> Iterator[tuple[str, bytes]]:
        """SHA-256 and content of each file; at the end the manifest is compared with what was read."""
        head = self._after_tables
        while "file" in head:
            content = self._lines.read(head["size"])
            if hashlib.sha256(content).hexdigest() != head["file"]:
                raise damaged()
            self.contents.files += 1
            self.contents.bytes += len(content)
            yield head["file"], content
            head = self._control()
        self._compare(head)

    def _compare(self, head: dict[str, Any]) -> None:
        manifest = head.get("manifest", {})
        self.contents.missing, self.contents.damaged = manifest.get("missing", 0), manifest.get("damaged", [])
        # Reading to the end is what finds a cut.
        if manifest != self.contents.manifest() or self._next():
            raise damaged()


def verify(path: Path) -> Contents:
    """Read all of a backup, compare it with its own manifest, and say what it holds. Raises ``BackupUnreadable``, ``OSError``."""
    with path.open("rb") as file:
        reader = Reader(file)
        for _name, _columns, _rows in reader.tables():
            """Reading compares."""
        for _sha256, _content in reader.files():
            """Reading compares."""
    return reader.contents
