"""Everything of one document for a pack: rows as JSON and as a page, and the files of the archive that belong to it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.validation.catalogue import NAMES
from invoiceapp.models import Adaptor, Customer, Document, Event, Gateway, Receipt, Rendition, StatusChange, db
from invoiceapp.services.database import reading
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import archive, queries
from invoiceapp.services.keeping import names, record, words
from invoiceapp.services.proof.canonical import canonical

from . import directory
from .contents import DELIVERIES, TIMELINE, WHAT

#: Receipts in which the partner's own message stands as text: name in the evidence, and whether it is Base64.
_INSIDE = {"mdn": True, "receipt": False}
#: ``Receipt.kind`` of what transports and networks say; any other is the buyer's, or their system's, own response.
_TRANSPORT = frozenset({"wire", "found", "mdn", "status", "person"})
GONE = Text("Dokumentet findes ikke længere.", "The document is no longer there.")


class DocumentGone(ServiceError):
    """It was deleted."""


@dataclass(slots=True)
class File:
    """One file of a document; ``sha256`` of the archive where it is not at hand yet."""

    path: str
    what: str
    about: str
    content: bytes | None = None
    sha256: str = ""


@dataclass(slots=True)
class Gathered:
    """One document; ``load`` brings the files of the archive."""

    id: str
    folder: str
    identity: dict[str, Any]
    """For the manifest"""
    line: dict[str, Any]
    """For the list on the first page"""
    page: dict[str, Any]
    files: list[File] = field(default_factory=list)

    def load(self) -> None:
        """Read what the archive has; what it lost keeps ``content`` None. Outside of transactions: the archive may be remote.

        Raises ``archive.ArchiveUnavailable``.
        """
        for file in self.files:
            if file.content is None:
                try:
                    file.content = archive.load(file.sha256)
                except archive.ArchiveCorrupt:
                    self.identity["missing"].append(file.path)


def of_document(document_id: str) -> Gathered:
    """The document as it is now. Raises ``DocumentGone``."""
    with reading() as session:
        document = session.get(Document, document_id)
        if document is None:
            raise DocumentGone(GONE)
        return _Gathering(document).all()


class _Gathering:
    """Inside one transaction."""

    def __init__(self, document: Document) -> None:
        self.document, self.story = document, queries.story(document)
        self.adaptor = db.session.get_one(Adaptor, document.adaptor_id)
        self.customer = db.session.get(Customer, document.customer_id) if document.customer_id else None
        self.deliveries = list(reversed(self.story.deliveries))
        self.receipts = [one for delivery in self.deliveries for one in self.story.receipts.get(delivery.id, [])]
        self.renditions = sorted(self.story.renditions.values(), key=lambda one: one.id)
        self.history = self._history()
        self.paths: dict[str, str] = {}
        """Path of each rendition's file, by its id"""

    def all(self) -> Gathered:
        document = self.document
        identity = self._identity()
        files = [*self._made(), *self._receipts()]
        said = directory.of(document.subscription_id, self.customer, self.renditions, self._chosen_at())
        files += [
            *(self._archived("directory", n, f"{one.register}-{one.outcome}.txt", one.sha256, "directory_answer", one.about)
              for n, one in enumerate(said.answers, start=1)),
            *self._facts(identity, said.to_dict()),
        ]  # fmt: skip
        page = record.page_of(document, self.adaptor, self.customer, self.deliveries, self.receipts)
        page |= {
            "files": [],
            "history": [_shown(one) for one in self.history],
            "directory": said.lines(),
            "judged": self._verdicts(),
        }
        line = record.line_of(document, self.customer)
        return Gathered(document.id, identity["folder"], {**identity, "missing": []}, line, page, files)

    def _identity(self) -> dict[str, Any]:
        one = self.document
        company = self.adaptor.organization or {}
        return {
            "id": one.id, "folder": f"documents/{names.folder(one.number, one.id)}", "type": one.type.value,
            "number": one.number, "issue_date": one.issue_date, "currency": one.currency, "net": str(one.net),
            "vat": str(one.vat), "gross": str(one.gross), "customer": one.customer_name,
            "customer_number": self.customer.number if self.customer else None, "seller": company.get("name"),
            "seller_registration_no": company.get("registration_no"), "status": one.status, "status_at": one.status_at,
            "source": {"kind": self.adaptor.source_kind, "id": one.source_id, "revision": one.bundle_sha256},
        }  # fmt: skip

    def _archived(self, folder: str, number: int, name: str, sha256: str, what: str, about: str) -> File:
        return File(f"{folder}/{names.file(number, name)}", what, about, sha256=sha256)

    def _made(self) -> Iterable[File]:
        """Renditions and the PDF."""
        for number, one in enumerate(self.renditions, start=1):
            file = self._archived(
                "renditions", number, one.filename, one.sha256, "rendition", record.in_words(one.format)
            )
            self.paths[one.id] = file.path
            yield file
        if self.document.pdf_sha256:
            about = "tegnet her / drawn here" if self.document.pdf_is_own else "fra regnskabet / from the accounts"
            yield self._archived("pdf", 1, f"{self.document.number}.pdf", self.document.pdf_sha256, "pdf", about)

    def _receipts(self) -> Iterable[File]:
        """What partners sent: their messages from the archive, and those that stand in a receipt."""
        sent = {one.sha256 for one in self.renditions}
        for number, one in enumerate(self.receipts, start=1):
            what = "receipt" if one.kind in _TRANSPORT else "response"
            if one.kind != "person" and record.is_message(one, sent):
                sha256 = one.evidence["sha256"]
                yield self._archived(f"{what}s", number, f"{one.kind}.txt", sha256, what, one.reference)
            for name, is_base64 in _INSIDE.items():
                content = _inside(one, name, is_base64=is_base64)
                if content is not None:
                    path = f"{what}s/{names.file(number, f'{one.kind}-{name}.txt')}"
                    yield File(path, what, one.reference, content)

    def _facts(self, identity: dict[str, Any], said: dict[str, Any]) -> list[File]:
        parts: list[tuple[str, str, Any, str]] = [
            ("document.json", "document", identity, ""),
            ("source.json", "source", self.document.bundle, f"revision {self.document.bundle_sha256}"),
            ("validation.json", "validation", [self._judged(one) for one in self.renditions], ""),
            ("directory.json", "directory", said, ""),
            (DELIVERIES, "deliveries", [self._delivery(one) for one in self.deliveries], ""),
            (TIMELINE, "timeline", [_event(one) for one in self.story.events], ""),
            ("history.json", "history", [_change(one) for one in self.history], ""),
        ]
        return [File(path, what, about, canonical(value)) for path, what, value, about in parts]

    def _judged(self, one: Rendition) -> dict[str, Any]:
        return {
            "rendition": self.paths[one.id], "sha256": one.sha256, "format": one.format, "findings": one.findings,
            "rule_sets": [{**rules, "title": _title(rules.get("name", ""))} for rules in one.rule_sets],
            "not_installed": one.missing_rule_sets,
        }  # fmt: skip

    def _verdicts(self) -> list[dict[str, Any]]:
        """For the page: each rendition's rules, and what they found, in words."""
        return [
            {
                "file": self.paths[one.id],
                "rules": [f"{_title(rules.get('name', ''))} {rules.get('version', '')}" for rules in one.rule_sets],
                "findings": [
                    {"rule": found.get("rule", ""), **found.get("text", {"da": "", "en": ""})} for found in one.findings
                ],
            }
            for one in self.renditions
        ]

    def _delivery(self, one: Any) -> dict[str, Any]:
        rendition = self.story.renditions.get(one.rendition_id or "")
        made = None
        if rendition is not None:
            made = {
                "file": self.paths[rendition.id], "sha256": rendition.sha256, "size": rendition.size,
                "media_type": rendition.media_type, "sender": rendition.sender, "receiver": rendition.receiver,
            }  # fmt: skip
        return {
            "id": one.id, "gateway": db.session.get_one(Gateway, one.gateway_id).name, "transport": one.transport,
            "environment": one.environment.value, "format": one.format, "state": one.state.value, "key": one.idem_key,
            "remote_reference": one.remote_ref, "created_at": one.created_at, "first_sent_at": one.first_sent_at,
            "finished_at": one.finished_at, "supersedes": one.supersedes_id, "error": one.error, "findings": one.findings,
            "rendition": made,
            "attempts": [
                {
                    "number": each.number, "at": each.created_at, "ended_at": each.finished_at, "outcome": each.outcome,
                    "wire_ids": each.wire_ids, "error": each.error,
                }
                for each in self.story.attempts.get(one.id, [])
            ],
            "receipts": [
                {"kind": each.kind, "at": each.created_at, "reference": each.reference, "evidence": each.evidence}
                for each in self.story.receipts.get(one.id, [])
            ],
        }  # fmt: skip

    def _history(self) -> Sequence[StatusChange]:
        query = select(StatusChange).where(StatusChange.document_id == self.document.id).order_by(StatusChange.id)
        return db.session.scalars(query).all()

    def _chosen_at(self) -> list[Any]:
        """For each delivery, until when registers may have been asked for it; None: until now."""
        found = []
        for one in self.deliveries:
            attempts = self.story.attempts.get(one.id, [])
            found.append(attempts[-1].finished_at if attempts else one.created_at)
        return found


def _inside(receipt: Receipt, name: str, *, is_base64: bool) -> bytes | None:
    text = receipt.evidence.get(name)
    if not isinstance(text, str) or not text:
        return None
    if not is_base64:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _title(name: str) -> str:
    known = NAMES.get(name)
    if known is None:
        return name
    return known.da if known.da == known.en else f"{known.da} / {known.en}"


def _event(one: Event) -> dict[str, Any]:
    known = words.EVENTS.get(one.kind)
    return {
        "at": one.created_at, "kind": one.kind, "da": known.da if known else one.kind,
        "en": known.en if known else one.kind, "actor": one.actor, "delivery": one.delivery_id, "data": one.data,
    }  # fmt: skip


def _change(one: StatusChange) -> dict[str, Any]:
    known = words.STATES.get(one.status)
    return {
        "at": one.at, "status": one.status, "da": known.da if known else one.status,
        "en": known.en if known else one.status, "delivery": one.delivery_id,
    }  # fmt: skip


def _shown(one: StatusChange) -> tuple[str, str]:
    return record.moment(one.at), words.both(words.STATES, one.status)


def links(files: Sequence[File]) -> list[dict[str, Any]]:
    """For the page: each file with what it is."""
    return [
        {
            "name": one.path, "about": " · ".join(filter(None, (f"{WHAT[one.what].da} / {WHAT[one.what].en}", one.about))),
            "is_missing": one.content is None,
        }
        for one in files
    ]  # fmt: skip
