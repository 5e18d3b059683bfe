"""Installs, compares and removes editions in ``RULES_DIR``: wholly or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from invoiceapp.domain.findings import Text

from . import packs, releases, trial, unpack
from .packs import MANIFEST, Edition
from .unpack import PackRefused

#: In ``RULES_DIR``; held while a command changes something there, and never removed.
LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator asked to be added."""

    path: Path
    pack: str | None = None
    version: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    note: str | None = None
    replace: bool = False
    no_end: bool = False
    """Take an end away that was given earlier"""


class Outcome(StrEnum):
    """What adding came to."""

    ADDED = "added"
    REPLACED = "replaced"
    SAME = "already there"


@dataclass(frozen=True, slots=True)
class Added:
    """An edition that is now installed."""

    edition: Edition
    outcome: Outcome
    stopped_by: tuple[str, ...] = ()
    """Fatal rules that our sample document breaks under it: a reason to try it on real documents first"""


def add(request: Request, rules_dir: Path, now: datetime, today: date) -> Added:
    """Install an edition out of a release. Raises ``PackRefused``; then nothing has changed."""
    edition, content = _read(request, now)
    with _locked(rules_dir):
        return _add(edition, content, request, rules_dir, today)


def _add(edition: Edition, content: dict[str, bytes], request: Request, rules_dir: Path, today: date) -> Added:
    there = _there(rules_dir, edition)
    if there is not None and _is_same(there, content):
        return _again(there, edition, request, today)
    edition = _dated(edition, request, today)
    if there is not None and not request.replace:
        raise PackRefused(
            Text(
                f"{edition.pack} {edition.version} er installeret med et andet indhold. Brug --replace for at erstatte det.",
                f"{edition.pack} {edition.version} is installed with other content. Use --replace to put this in its place.",
            )
        )
    with _draft(rules_dir) as draft:
        _write(draft, content, packs.manifest_of(edition))
        stopped_by = _try(edition.pack, draft)
        _put(draft, edition.folder_in(rules_dir))
    outcome = Outcome.ADDED if there is None else Outcome.REPLACED
    return Added(replace(edition, folder=edition.folder_in(rules_dir)), outcome, stopped_by)


def _read(request: Request, now: datetime) -> tuple[Edition, dict[str, bytes]]:
    with unpack.opened(request.path) as release:
        candidate = releases.find(release, request.path.resolve().name, request.pack, request.version)
        content = releases.collect(release, candidate)
        source = {"name": request.path.name, "sha256": release.sha256}
    version = candidate.version or ""
    if not packs.is_version(version):
        raise PackRefused(
            Text(
                f"»{version}« kan ikke være navnet på en version: brug tal, bogstaver, punktum og bindestreg.",
                f"“{version}” cannot be the name of a version: use digits, letters, dots and hyphens.",
            )
        )
    if request.note:
        source["note"] = request.note
    files = {name: packs.sha256_of(data) for name, data in sorted(content.items())}
    return Edition(candidate.pack, version, Path(), added_at=now, source=source, files=files), content


def _dated(edition: Edition, request: Request, today: date) -> Edition:
    start = request.valid_from or packs.KNOWN_STARTS.get((edition.pack, edition.version)) or today
    return _in_order(replace(edition, valid_from=start, valid_to=request.valid_to))


def _in_order(edition: Edition) -> Edition:
    start, end = edition.valid_from, edition.valid_to
    if start and end and end < start:
        raise PackRefused(
            Text(
                f"Reglerne kan ikke gælde til {end}, før de gælder fra {start}. Ret datoen, eller fjern den med --no-end.",
                f"The rules cannot end on {end}, before they start on {start}. Change it, or take it away with --no-end.",
            )
        )
    return edition


def _there(rules_dir: Path, edition: Edition) -> Edition | None:
    found = packs.installed(rules_dir, edition.pack)
    return next((item for item in found if item.version == edition.version), None)


def _is_same(there: Edition, content: dict[str, bytes]) -> bool:
    """Whether every file is there unchanged; a folder that was filled by hand may hold more."""
    if there.problem or (there.files is not None and set(there.files) != set(content)):
        return False
    try:
        return all((there.folder / name).read_bytes() == data for name, data in content.items())
    except OSError:
        return False


def _again(there: Edition, edition: Edition, request: Request, today: date) -> Added:
    """The same content once more: keep what is known of it, take new dates, give a hand-made folder its manifest."""
    if there.files is None:
        kept = _dated(edition, request, today)
    else:
        kept = replace(
            there,
            valid_from=request.valid_from or there.valid_from,
            valid_to=None if request.no_end else request.valid_to or there.valid_to,
            source={**there.source, **({"note": request.note} if request.note else {})},
        )
        _in_order(kept)
    with _told(there.folder):
        _write_file(there.folder / f".{MANIFEST}", packs.manifest_of(kept))
        os.replace(there.folder / f".{MANIFEST}", there.folder / MANIFEST)
    return Added(replace(kept, folder=there.folder), Outcome.SAME)


def _try(pack: str, folder: Path) -> tuple[str, ...]:
    tried = trial.run(pack, folder)
    for item in tried:
        if item.error:
            raise PackRefused(
                Text(
                    f"{item.sheet} virker ikke og er ikke installeret: {item.error}",
                    f"{item.sheet} does not work and was not installed: {item.error}",
                )
            )
    return tuple(dict.fromkeys(rule for item in tried for rule in item.stopped_by))


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into words."""
    try:
        yield
    except OSError as error:
        # A full disk is noticed while writing, where the error names no file.
        where, reason = error.filename or place, error.strerror or str(error)
        raise PackRefused(
            Text(
                f"Reglerne kan ikke skrives i {where}: {reason}. Intet er ændret.",
                f"The rules cannot be written to {where}: {reason}. Nothing has changed.",
            )
        ) from error


@contextmanager
def _locked(rules_dir: Path) -> Iterator[None]:
    """Only one command changes ``RULES_DIR`` at a time. Raises ``PackRefused`` for the second."""
    with _told(rules_dir):
        _make_folder(rules_dir)
        lock = (rules_dir / LOCK).open("ab")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PackRefused(
                Text(
                    "En anden kommando er ved at ændre reglerne; prøv igen om et øjeblik.",
                    "Another command is changing the rules; try again in a minute.",
                )
            ) from error
        yield


def _make_folder(folder: Path) -> None:
    """One that every user of this machine may read: the web process may run as another one than the operator."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


@contextmanager
def _draft(rules_dir: Path) -> Iterator[Path]:
    """A folder beside the editions, on the same disk, that nobody reads; gone in the end."""
    with _told(rules_dir):
        folder = Path(tempfile.mkdtemp(dir=rules_dir, prefix=".adding-"))
        folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, content: dict[str, bytes], manifest: bytes) -> None:
    with _told(folder):
        for name, data in {**content, MANIFEST: manifest}.items():
            _write_file(folder / name, data)


def _write_file(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)


def _put(draft: Path, folder: Path) -> None:
    """Give the finished folder its name; what had the name is moved away first and back where that fails."""
    with _told(folder):
        _make_folder(folder.parent)
        if not folder.exists():
            draft.rename(folder)
            return
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".old-"))
        try:
            folder.rename(old / folder.name)
            draft.rename(folder)
        except BaseException:
            _move_back(old, folder)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _move_back(old: Path, folder: Path) -> None:
    """Never deletes: the copy in ``old`` may be the last one."""
    kept = old / folder.name
    try:
        if kept.exists():
            kept.rename(folder)
        old.rmdir()
    except OSError as error:
        raise PackRefused(
            Text(
                f"{folder} kunne ikke erstattes, og det, der lå der, er nu i {kept}: flyt det tilbage.",
                f"{folder} could not be replaced, and what was there is now in {kept}: move it back.",
            )
        ) from error


def verify(edition: Edition) -> list[str]:
    """What is wrong with an installed edition, in English lines: changed or missing files, sheets that do not work."""
    found = packs.damage(edition)
    if found:
        return found
    return [f"{item.sheet}.xslt: {item.error}" for item in trial.run(edition.pack, edition.folder) if item.error]


def remove(edition: Edition) -> None:
    """Take an edition away. Raises ``PackRefused`` where the disk refuses."""
    pack_folder = edition.folder.parent
    with _locked(pack_folder.parent), _told(edition.folder):
        away = Path(tempfile.mkdtemp(dir=pack_folder, prefix=".old-"))
        try:
            # Renamed first, so that no worker finds half of an edition.
            edition.folder.rename(away / edition.folder.name)
        finally:
            shutil.rmtree(away, ignore_errors=True)
