"""Installs, compares and removes editions in ``RULES_DIR``: wholly or not at all."""

from __future__ import annotations

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
    edition = _dated(edition, request, today)
    there = _there(rules_dir, edition)
    if there is not None and _is_same(there, content):
        return _again(there, edition, request)
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
    if request.valid_to and request.valid_to < start:
        raise PackRefused(
            Text(
                f"Reglerne kan ikke gælde til {request.valid_to}, før de gælder fra {start}.",
                f"The rules cannot end on {request.valid_to}, before they start on {start}.",
            )
        )
    return replace(edition, valid_from=start, valid_to=request.valid_to)


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


def _again(there: Edition, edition: Edition, request: Request) -> Added:
    """The same content once more: keep what is known of it, take new dates, give a hand-made folder its manifest."""
    kept = edition
    if there.files is not None:
        kept = replace(
            there,
            valid_from=request.valid_from or there.valid_from,
            valid_to=request.valid_to or there.valid_to,
            source={**there.source, **({"note": request.note} if request.note else {})},
        )
    with _told():
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
def _told() -> Iterator[None]:
    """Turn what the disk refuses into words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise PackRefused(
            Text(
                f"Reglerne kan ikke skrives i {error.filename}: {reason}. Intet er ændret.",
                f"The rules cannot be written to {error.filename}: {reason}. Nothing has changed.",
            )
        ) from error


@contextmanager
def _draft(rules_dir: Path) -> Iterator[Path]:
    """A folder beside the editions, on the same disk, that nobody reads; gone in the end."""
    with _told():
        rules_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=rules_dir, prefix=".adding-"))
        folder.chmod(0o755)  # the web process may run as another user than the operator
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, content: dict[str, bytes], manifest: bytes) -> None:
    with _told():
        for name, data in {**content, MANIFEST: manifest}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_file(path, data)


def _write_file(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put(draft: Path, folder: Path) -> None:
    """Give the finished folder its name; what had the name is moved away first and back where that fails."""
    with _told():
        folder.parent.mkdir(exist_ok=True)
        if not folder.exists():
            draft.rename(folder)
            return
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".old-"))
        try:
            folder.rename(old / folder.name)
            try:
                draft.rename(folder)
            except OSError:
                (old / folder.name).rename(folder)
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def verify(edition: Edition) -> list[str]:
    """What is wrong with an installed edition, in English lines: changed or missing files, sheets that do not work."""
    found = packs.damage(edition)
    if found:
        return found
    return [f"{item.sheet}.xslt: {item.error}" for item in trial.run(edition.pack, edition.folder) if item.error]


def remove(edition: Edition) -> None:
    """Take an edition away. Raises ``PackRefused`` where the disk refuses."""
    with _told():
        away = Path(tempfile.mkdtemp(dir=edition.folder.parent, prefix=".old-"))
        try:
            # Renamed first, so that no worker finds half of an edition.
            edition.folder.rename(away / edition.folder.name)
        finally:
            shutil.rmtree(away, ignore_errors=True)
