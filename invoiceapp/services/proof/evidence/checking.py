"""Whether a pack is as it was made: what holds and what does not, in words. Needs no database where the certificate is given.

The file may come from anybody. Nothing of it is unpacked: names, counts and sizes are judged first, and contents are only
read through.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.domain.findings import Text
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.signing import SignatureInvalid, Signed

from . import safe_zip, timeline_check
from .contents import CERTIFICATE, DELIVERIES, FORMAT, MANIFEST, SIGNATURE, TIMELINE, Entry
from .safe_zip import Limits, Unsafe

#: Names that a message lists; the counts are exact.
_MOST_NAMED = 5
_LARGEST_SIGNATURE = 64 * 1024
_CHUNK = 1024 * 1024
#: A document's folder is ``documents/…``.
_FOLDER_PARTS = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    """Stable, for programs"""
    holds: bool
    text: Text


@dataclass(slots=True)
class Verdict:
    """What was found of a pack."""

    checks: list[Check] = field(default_factory=list)
    signed: Signed | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was found that does not hold."""
        return bool(self.checks) and all(one.holds for one in self.checks)

    @property
    def made(self) -> dict[str, str]:
        """What the manifest says of itself: ``at``, ``by`` and ``product``; empty where it cannot be read."""
        names = {"at": "made_at", "by": "made_by", "product": "product"}
        return {name: _plain(self.manifest.get(key)) for name, key in names.items()} if self.manifest else {}

    @property
    def made_at(self) -> datetime | None:
        """``made`` as a time; None where it is none."""
        try:
            found = datetime.fromisoformat(self.made.get("at", ""))
        except ValueError:
            return None
        return found if found.tzinfo and 2000 < found.year < 2200 else None

    @property
    def documents(self) -> list[dict[str, str]]:
        """The manifest's documents: ``id`` and ``number``."""
        return [{name: _plain(one[name]) for name in ("id", "number")} for one in self.manifest.get("documents", ())]

    def add(self, name: str, holds: bool, text: Text) -> None:
        """One more."""
        self.checks.append(Check(name, holds, text))


def check(file: IO[bytes], certificate: bytes | None = None, limits: Limits | None = None) -> Verdict:
    """Judge a pack. ``certificate`` (PEM) of whoever is to have signed it; None: this installation must have.

    Where the signature does not hold nothing more is read: what the manifest says is then anybody's word.
    """
    verdict, limits = Verdict(), limits or Limits()
    try:
        with safe_zip.opened(file, limits) as pack:
            _judge(pack, certificate, limits, verdict)
    except Unsafe as error:
        verdict.add("zip", False, error.text)
    return verdict


def _plain(value: Any) -> str:
    """As a line that can be shown and encoded, whoever wrote it."""
    return str(value)[:200].encode("utf-8", "replace").decode()


def _judge(pack: zipfile.ZipFile, certificate: bytes | None, limits: Limits, verdict: Verdict) -> None:
    manifest = safe_zip.read(pack, MANIFEST, limits.json)
    signature = safe_zip.read(pack, SIGNATURE, _LARGEST_SIGNATURE)
    verdict.add("zip", True, Text("Filen er en hel zip-fil.", "The file is a whole zip."))
    if manifest is None:
        verdict.add("manifest", False, Text(
            f"{MANIFEST} mangler, så filen er ikke en bevispakke, eller den er ødelagt.",
            f"{MANIFEST} is missing, so the file is no evidence pack, or it is damaged.",
        ))  # fmt: skip
        return
    _judge_signature(pack, manifest, signature, certificate, verdict)
    entries = _entries(manifest, verdict) if verdict.signed else None
    if entries is None:
        return
    is_whole = _judge_files(pack, entries, verdict)
    _judge_missing(verdict)
    if is_whole:
        _judge_sendings(pack, entries, limits, verdict)


def _judge_signature(
    pack: zipfile.ZipFile, manifest: bytes, signature: bytes | None, certificate: bytes | None, verdict: Verdict
) -> None:
    if signature is None:
        text = Text("Underskriften (manifest.p7s) mangler.", "The signature (manifest.p7s) is missing.")
        verdict.add("signature", False, text)
        return
    try:
        verdict.signed = signing.verify(manifest, signature, certificate)
    except SQLAlchemyError:
        verdict.add("signature", False, Text(
            "Underskriften kan ikke kontrolleres uden databasen. Angiv underskriverens certifikat.",
            "The signature cannot be verified without the database. Give the signer's certificate.",
        ))  # fmt: skip
        return
    except SignatureInvalid:
        verdict.add("signature", False, _whose(pack, manifest, signature))
        return
    signer = verdict.signed
    verdict.add("signature", True, Text(
        f"Underskriften holder. Den er lavet med certifikatet »{signer.name}«, SHA-256 {signer.fingerprint}"
        + (", som er denne installations." if signer.is_ours else ", som er det, du har angivet."),
        f"The signature holds. It was made with the certificate “{signer.name}”, SHA-256 {signer.fingerprint}"
        + (", which is this installation's." if signer.is_ours else ", which is the one that you gave."),
    ))  # fmt: skip


def _whose(pack: zipfile.ZipFile, manifest: bytes, signature: bytes) -> Text:
    """Why the signature does not count: changed since, or by somebody else, whose own certificate lies in the pack."""
    own = safe_zip.read(pack, CERTIFICATE, _LARGEST_SIGNATURE)
    try:
        other = signing.verify(manifest, signature, own) if own else None
    except SignatureInvalid:
        other = None
    if other is None:
        return Text(
            "Underskriften passer ikke til manifestet: pakken er ændret, eller underskriften er ikke herfra.",
            "The signature does not fit the manifest: the pack was changed, or the signature is not from here.",
        )
    return Text(
        f"Pakken er underskrevet af en anden: »{other.name}«, SHA-256 {other.fingerprint}. Stoler du på dem, så få deres certifikat fra "
        "dem selv, og angiv det.",
        f"The pack was signed by somebody else: “{other.name}”, SHA-256 {other.fingerprint}. If you trust them, get their certificate "
        "from themselves, and give it.",
    )


def _entries(manifest: bytes, verdict: Verdict) -> dict[str, Entry] | None:
    """The manifest's files by path; None where it cannot be read, or names something twice."""
    try:
        read = json.loads(manifest)
        if not isinstance(read, dict) or read["format"] != FORMAT:
            raise ValueError("another format")
        entries = [
            Entry(str(one["path"]), int(one["size"]), str(one["sha256"]), str(one["what"]), one["document"])
            for one in read["files"]
        ]
        documents = [
            (str(one["folder"]), str(one["id"]), str(one["number"]), list(one["missing"])) for one in read["documents"]
        ]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        text = Text("Manifestet kan ikke læses.", "The manifest cannot be read.")
        verdict.add("manifest", False, text)
        return None
    found = {one.path: one for one in entries}
    if len(found) < len(entries) or len({folder for folder, *_more in documents}) < len(documents):
        verdict.add("manifest", False, Text(
            "Manifestet nævner en fil eller et dokument to gange.", "The manifest names a file or a document twice."
        ))  # fmt: skip
        return None
    verdict.manifest = read
    verdict.add("manifest", True, Text(
        f"Manifestet nævner {_many(documents, 'dokument', 'dokumenter')} og {_many(entries, 'fil', 'filer')}.",
        f"The manifest names {_many(documents, 'document', 'documents')} and {_many(entries, 'file', 'files')}.",
    ))  # fmt: skip
    return found


def _judge_files(pack: zipfile.ZipFile, entries: Mapping[str, Entry], verdict: Verdict) -> bool:
    there = set(pack.namelist()) - {MANIFEST, SIGNATURE}
    missing, extra = sorted(entries.keys() - there), sorted(there - entries.keys())
    changed = [path for path in sorted(entries.keys() & there) if not _is_same(pack, entries[path])]
    for name, found, da, en in (
        ("missing", missing, "mangler i pakken", "missing from the pack"),
        ("extra", extra, "er lagt til og hører ikke til pakken", "added, and no part of the pack"),
        ("changed", changed, "er ændret", "changed"),
    ):
        if found:
            counted = Text(_many(found, "fil", "filer"), _many(found, "file", "files"))
            verdict.add(
                name, False, Text(f"{counted.da} {da}: {_named(found)}.", f"{counted.en} {en}: {_named(found)}.")
            )
    if not (missing or extra or changed):
        verdict.add("files", True, Text(
            "Alle filer er uændrede; ingen mangler, og ingen er lagt til.",
            "All files are unchanged; none is missing, and none was added.",
        ))  # fmt: skip
    return not (missing or changed)


def _many(found: Sequence[object], one: str, many: str) -> str:
    return f"{len(found)} {one if len(found) == 1 else many}"


def _named(paths: Sequence[str]) -> str:
    shown = ", ".join(ascii(path[:120])[1:-1] for path in paths[:_MOST_NAMED])
    return f"{shown} …" if len(paths) > _MOST_NAMED else shown


def _is_same(pack: zipfile.ZipFile, entry: Entry) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        with pack.open(entry.path) as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
        return False
    return size == entry.size and digest.hexdigest() == entry.sha256


def _judge_missing(verdict: Verdict) -> None:
    """What the archive had lost already when the pack was made; the manifest says so itself."""
    lost = [
        f"{one['number']}: {path}" for one in verdict.manifest["documents"] for path in one["missing"]
    ]  # fmt: skip
    if lost:
        verdict.add("archive", False, Text(
            f"{_many(lost, 'fil', 'filer')} manglede i arkivet, allerede da pakken blev lavet: {_named(lost)}.",
            f"Missing from the archive already ({_many(lost, 'file', 'files')}) when the pack was made: {_named(lost)}.",
        ))  # fmt: skip


def _judge_sendings(pack: zipfile.ZipFile, entries: Mapping[str, Entry], limits: Limits, verdict: Verdict) -> None:
    """Each e-invoice against what deliveries, timeline and receipts say was sent."""
    wrong, sendings, folders = list[str](), 0, _by_folder(entries)
    for document in verdict.manifest["documents"]:
        folder, number = str(document["folder"]), str(document["number"])
        found = [_json(pack, f"{folder}/{name}", limits) for name in (DELIVERIES, TIMELINE)]
        count, problems = timeline_check.compare(
            folder, found[0], found[1], folders.get(folder, {}), document["missing"]
        )
        sendings += count
        wrong += [f"{number}: {problem}" for problem in problems]
    if wrong:
        verdict.add("sendings", False, Text(
            f"Det, der ligger i pakken, er ikke det, som forløbet siger blev sendt: {_named(wrong)}.",
            f"What lies in the pack is not what the timeline says was sent: {_named(wrong)}.",
        ))  # fmt: skip
        return
    verdict.add("sendings", True, Text(
        f"Hver e-faktura er den, som forløbet siger blev sendt ({sendings} {'afsendelse' if sendings == 1 else 'afsendelser'}).",
        f"Each e-invoice is the one that the timeline says was sent ({sendings} {'sending' if sendings == 1 else 'sendings'}).",
    ))  # fmt: skip


def _by_folder(entries: Mapping[str, Entry]) -> dict[str, dict[str, str]]:
    """For each document's folder the SHA-256 of its files, by path in the pack."""
    found = dict[str, dict[str, str]]()
    for path, one in entries.items():
        found.setdefault("/".join(path.split("/")[:_FOLDER_PARTS]), {})[path] = one.sha256
    return found


def _json(pack: zipfile.ZipFile, path: str, limits: Limits) -> Iterable[Any]:
    try:
        read = json.loads(safe_zip.read(pack, path, limits.json) or b"null")
    except (ValueError, RecursionError):
        return []
    return read if isinstance(read, list) else []
