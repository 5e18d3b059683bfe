"""Writing a pack: document by document onto the disk, then the list, the manifest and its signature.

The same documents at the same moment are the same bytes, but for the signature: files in a fixed order, with fixed times.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.models import Document, Subscription, db, utcnow
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.database import reading
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.keeping import record
from invoiceapp.services.keeping.backup import product_version
from invoiceapp.services.keeping.static_pages import Pages
from invoiceapp.services.proof import signing
from invoiceapp.services.proof.canonical import canonical

from . import gathering
from .contents import CERTIFICATE, FORMAT, MANIFEST, SIGNATURE, Entry
from .gathering import Gathered

_PAGES = Pages("evidence/pack", "keeping/export")
#: The earliest that a zip can say.
_ALWAYS = (1980, 1, 1, 0, 0, 0)
_ZIP, _ENTRIES, _LINES = "pack.zip", "entries.jsonl", "lines.jsonl"
_SEVERAL = Text(
    "Dokumenterne hører til flere abonnementer. Lav en pakke for hvert.",
    "The documents belong to several subscriptions. Make a pack for each.",
)
_NONE = Text("Vælg mindst ét dokument.", "Choose at least one document.")


@dataclass(frozen=True, slots=True)
class Made:
    """By whom a pack is made, and when."""

    by: str
    at: datetime


class Draft:
    """A pack that is being written into a folder, which may be closed and opened again between two documents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            self._zip = opened.enter_context(zipfile.ZipFile(folder / _ZIP, "a", zipfile.ZIP_DEFLATED, compresslevel=6))
            self._entries = opened.enter_context((folder / _ENTRIES).open("ab"))
            self._lines = opened.enter_context((folder / _LINES).open("ab"))
            self._opened = opened.pop_all()

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_error: object) -> None:
        self._opened.close()

    def add(self, document_id: str) -> None:
        """One document. No transaction may be open. Raises ``ServiceError``."""
        found = gathering.of_document(document_id)
        found.load()
        for file in found.files:
            if file.content is not None:
                self._write(f"{found.folder}/{file.path}", file.content, file.what, found.id)
        self._write(f"{found.folder}/index.html", _page_of(found), "page", found.id)
        line = {**found.line, "url": f"{found.folder}/index.html", "issued": None, "net": None, "vat": None}
        self._lines.write(canonical({"identity": found.identity, "line": line}) + b"\n")

    def finish(self, made: Made) -> Path:
        """Write what is about all documents, and sign; the zip's path. Raises ``ServiceError``."""
        rows = sorted(_read(self._folder / _LINES, self._lines), key=_order)
        certificate, signer = signing.certificate_pem(), signing.fingerprint()
        about = _about([row["identity"]["id"] for row in rows], made)
        index = _PAGES.render(
            "index.html", rows=[row["line"] for row in rows], made_at=record.moment(made.at), made_by=made.by,
            fingerprint=signer, name=about["subscription"]["name"], product=about["product"], root="",
        )  # fmt: skip
        for path, content, what in (
            ("index.html", index, "page"), ("style.css", _PAGES.source("style.css"), "style"),
            (CERTIFICATE, certificate, "certificate"),
        ):  # fmt: skip
            self._write(path, content, what)
        entries = [Entry(**one) for one in _read(self._folder / _ENTRIES, self._entries)]
        files = [one.to_dict() for one in sorted(entries, key=lambda one: one.path)]
        manifest = canonical(
            {**about, "signer": signer, "documents": [row["identity"] for row in rows], "files": files}
        )
        self._put(MANIFEST, manifest)
        self._put(SIGNATURE, signing.sign(manifest))
        self._opened.close()
        with (self._folder / _ZIP).open("rb") as whole:
            os.fsync(whole.fileno())
        return self._folder / _ZIP

    def _write(self, path: str, content: bytes, what: str, document_id: str | None = None) -> None:
        self._put(path, content)
        self._entries.write(canonical(asdict(Entry.of(path, content, what, document_id))) + b"\n")

    def _put(self, path: str, content: bytes) -> None:
        info = zipfile.ZipInfo(path, _ALWAYS)
        info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
        self._zip.writestr(info, content)


def write(target: Path, document_ids: Iterable[str], by: str, at: datetime | None = None) -> None:
    """Write a pack to ``target``, whole or not at all. Raises ``ServiceError``, ``OSError``."""
    ids = sorted(set(document_ids))
    if not ids:
        raise ServiceError(_NONE)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".evidence-") as scratch:
        with Draft(Path(scratch)) as draft:
            for one in ids:
                draft.add(one)
            finished = draft.finish(Made(by, at or utcnow()))
        finished.replace(target)


def _page_of(found: Gathered) -> bytes:
    page = {**found.page, "files": gathering.links(found.files)}
    return _PAGES.render("evidence.html", root="../../", **page)


def _read(path: Path, written: Any) -> Iterator[dict[str, Any]]:
    written.flush()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _order(row: dict[str, Any]) -> tuple[str, str, str]:
    identity = row["identity"]
    return identity["issue_date"], identity["number"], identity["id"]


def _about(ids: Sequence[str], made: Made) -> dict[str, Any]:
    """The head of the manifest."""
    with reading() as session:
        owners = set[str]()
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            owners |= set(session.scalars(db.select(Document.subscription_id).where(Document.id.in_(part))))
        if len(owners) != 1:
            raise ServiceError(_SEVERAL if owners else gathering.GONE)
        owner = session.get_one(Subscription, owners.pop())
        head = next(iter(audit_verify.heads(owner.id)), None)
        return {
            "format": FORMAT, "made_at": made.at, "made_by": made.by, "product": f"invoiceapp {product_version()}",
            "subscription": {"id": owner.id, "name": owner.name},
            "audit": None if head is None else {"chain": head.chain, "entries": head.seq, "head": head.hash},
        }  # fmt: skip
