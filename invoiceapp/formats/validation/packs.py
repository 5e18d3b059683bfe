"""Official rule packs on disk: ``RULES_DIR/<pack>/<version>/`` with the sheets and a ``manifest.json``.

Several editions of a pack lie side by side; the day decides which one judges.
A folder without a manifest was put there by hand: it is valid on every day.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from invoiceapp.domain.findings import Text

from .unpack import is_inside

MANIFEST = "manifest.json"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.\-]{0,39}")


@dataclass(frozen=True, slots=True)
class Pack:
    """One publisher's rules: which sheets we use, by the file name that they have in an edition's folder."""

    id: str
    label: Text
    sheets: tuple[str, ...]
    """Without file name suffix. Releases use .xsl or .xslt; installed they are .xslt."""
    publisher: Text

    @property
    def files(self) -> tuple[str, ...]:
        """The sheets as they lie in an edition's folder."""
        return tuple(f"{sheet}.xslt" for sheet in self.sheets)


PEPPOL_CEN, PEPPOL_BIS = "CEN-EN16931-UBL", "PEPPOL-EN16931-UBL"
OIOUBL_INVOICE, OIOUBL_CREDIT_NOTE = "OIOUBL_Invoice_Schematron", "OIOUBL_CreditNote_Schematron"

PACKS = {
    pack.id: pack
    for pack in (
        Pack(
            "peppol",
            Text("Peppol BIS Billing 3", "Peppol BIS Billing 3"),
            (PEPPOL_CEN, PEPPOL_BIS),
            Text("OpenPeppol", "OpenPeppol"),
        ),
        Pack(
            "oioubl",
            Text("OIOUBL 2.1 (NemHandel)", "OIOUBL 2.1 (NemHandel)"),
            (OIOUBL_INVOICE, OIOUBL_CREDIT_NOTE),
            Text("Erhvervsstyrelsen", "The Danish Business Authority"),
        ),
    )
}

#: From when an edition must be used, where its publisher has said so.
KNOWN_STARTS = {
    ("peppol", "2024.5"): date(2024, 8, 27),
    ("peppol", "2024.11"): date(2025, 2, 17),
    ("peppol", "2025.5"): date(2025, 8, 25),
    ("peppol", "2025.11"): date(2026, 2, 23),
    ("peppol", "2026.5"): date(2026, 8, 17),
    ("oioubl", "1.15.1"): date(2025, 5, 15),
    ("oioubl", "1.15.2"): date(2025, 5, 15),
    ("oioubl", "1.16.1"): date(2025, 11, 27),
    ("oioubl", "1.17.1"): date(2026, 5, 18),
    ("oioubl", "1.17.2"): date(2026, 5, 18),
}


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of a pack as it lies on disk."""

    pack: str
    version: str
    folder: Path
    valid_from: date | None = None
    """None: on every day before ``valid_to``"""
    valid_to: date | None = None
    """The last day"""
    added_at: datetime | None = None
    source: dict[str, Any] = field(default_factory=dict)
    """``{"name": file name, "sha256": …, "note": what the operator wrote}``"""
    files: dict[str, str] | None = None
    """SHA-256 by name; None for a folder without a manifest"""
    problem: str | None = None
    """Why this edition cannot be used; English, for the operator"""

    @property
    def known_start(self) -> date | None:
        """Since when it judges: by its manifest, else what is known of this version."""
        return self.valid_from or KNOWN_STARTS.get((self.pack, self.version))

    def folder_in(self, rules_dir: Path) -> Path:
        """Where it lies once it is installed."""
        return rules_dir / self.pack / self.version

    def covers(self, on: date) -> bool:
        """Whether it may judge documents of that day."""
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)

    def sheet(self, name: str) -> Path | None:
        """The file of a sheet, or None where this edition has none, or has one that was never added to it."""
        path = self.folder / f"{name}.xslt"
        if self.files is not None and path.name not in self.files:
            return None
        return path if path.is_file() else None

    def is_usable(self) -> bool:
        """Whether its manifest can be read, and what that lists and every document of the pack needs is there."""
        if self.problem is not None or not all((self.folder / name).is_file() for name in self.files or ()):
            return False
        return all(self.sheet(name) for name in required(PACKS[self.pack]))


def required(pack: Pack) -> tuple[str, ...]:
    """Sheets without which an edition is none. Older installations have Peppol without its CEN sheet."""
    return tuple(sheet for sheet in pack.sheets if sheet != PEPPOL_CEN)


def is_version(text: str) -> bool:
    """Whether it can be the name of an edition, and so of a folder."""
    return _VERSION.fullmatch(text) is not None


def natural(version: str) -> list[tuple[int, str]]:
    """A sort key in which 2026.11 follows 2026.5 and 1.17.0 follows 1.17.0-rc."""
    parts = re.split(r"[.\-]", version)
    # The end sorts after "-rc" and before a further number.
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts] + [(-1, "~")]


def sha256_of(content: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def installed(rules_dir: Path | None, pack: str | None = None) -> list[Edition]:
    """All editions, or those of one pack, oldest version first."""
    if rules_dir is None:
        return []
    found = []
    for name in (pack,) if pack else PACKS:
        for folder in _version_folders(rules_dir / name):
            found.append(_edition(name, folder))
    return sorted(found, key=lambda edition: (edition.pack, natural(edition.version)))


def _version_folders(folder: Path) -> list[Path]:
    # Names that begin with a dot are editions that are just being added or removed.
    return [p for p in folder.iterdir() if p.is_dir() and is_version(p.name)] if folder.is_dir() else []


def _edition(pack: str, folder: Path) -> Edition:
    plain = Edition(pack, folder.name, folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return Edition(
            pack,
            folder.name,
            folder,
            _day(manifest["validFrom"]),
            _day(manifest["validTo"]),
            datetime.fromisoformat(manifest["addedAt"]),
            _texts(manifest["source"]),
            _files(manifest["files"]),
        )
    except FileNotFoundError:
        return plain
    except OSError as error:
        problem = f"{MANIFEST} cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        problem = f"{MANIFEST} is damaged"
    return Edition(pack, folder.name, folder, problem=problem)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text is not None else None


def _texts(found: dict[str, Any]) -> dict[str, Any]:
    """Raises ``ValueError`` for what is no object of texts that can be shown."""
    for text in (*found.keys(), *found.values()):
        text.encode()
    return found


def _files(found: dict[str, Any]) -> dict[str, str]:
    """Raises ``ValueError`` for names that lie elsewhere."""
    if not all(name and is_inside(name) for name in _texts(found)):
        raise ValueError(found)
    return found


def manifest_of(edition: Edition) -> bytes:
    """``manifest.json``, for an edition that is being installed."""
    content = {
        "pack": edition.pack,
        "version": edition.version,
        "source": edition.source,
        "files": edition.files,
        "validFrom": edition.valid_from.isoformat() if edition.valid_from else None,
        "validTo": edition.valid_to.isoformat() if edition.valid_to else None,
        "addedAt": edition.added_at.isoformat(timespec="seconds") if edition.added_at else None,
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


def in_use(editions: Iterable[Edition], pack: str, on: date) -> Edition | None:
    """The newest usable edition of a pack that covers the day."""
    fitting = [item for item in editions if item.pack == pack and item.covers(on) and item.is_usable()]
    return max(fitting, key=lambda item: natural(item.version), default=None)


def coming(editions: Iterable[Edition], pack: str, on: date) -> list[Edition]:
    """Editions that start later and will take over, the next one first."""
    usable = [edition for edition in editions if edition.pack == pack and edition.is_usable()]
    later = [
        (takes_over(edition, usable), edition) for edition in usable if edition.valid_from and edition.valid_from > on
    ]
    found = [(day, natural(edition.version), edition) for day, edition in later if day]
    return [edition for _day, _version, edition in sorted(found, key=lambda item: item[:2])]


def takes_over(edition: Edition, editions: Iterable[Edition]) -> date | None:
    """The first day on which a dated edition judges; None where a newer one always goes before it."""
    usable = list(editions)
    ends = [item.valid_to + timedelta(days=1) for item in usable if item.valid_to and item.valid_to < date.max]
    start = edition.valid_from
    days = sorted(day for day in (start, *ends) if day and start and day >= start)
    return next((day for day in days if in_use(usable, edition.pack, day) == edition), None)


def damage(edition: Edition) -> list[str]:
    """What differs from the manifest, in English lines; nothing for an undamaged edition."""
    if edition.problem:
        return [edition.problem]
    listed = edition.files or {}
    missing = [f"{name}.xslt" for name in required(PACKS[edition.pack]) if edition.sheet(name) is None]
    lines = [f"{name} is missing" for name in missing if name not in listed]
    for name, digest in listed.items():
        try:
            content = (edition.folder / name).read_bytes()
        except OSError as error:
            lines.append(f"{name} cannot be read: {error.strerror}")
            continue
        if sha256_of(content) != digest:
            lines.append(f"{name} was changed after it was added")
    return lines


def signature(rules_dir: Path | None) -> tuple[tuple[str, int], ...]:
    """Changes whenever an edition is added, replaced or removed. Costs a few calls of stat."""
    if rules_dir is None:
        return ()
    marks = []
    for pack in PACKS.values():
        for folder in _version_folders(rules_dir / pack.id):
            for path in (folder, *(folder / name for name in (MANIFEST, *pack.files))):
                try:
                    marks.append((str(path), path.stat().st_mtime_ns))
                except OSError:
                    continue
    return tuple(sorted(marks))
