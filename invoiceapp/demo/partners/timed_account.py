"""The account of the demo company at a provider: states advance with time, buyers answer, and a restart forgets nothing.

What happens to a document follows from when it came and who receives it, so that only the document itself is kept.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from invoiceapp.domain.identifiers import Participant

from .buyer_responses import Response, write_response
from .buyers import Conduct
from .provider_account import ProviderAccount, State, StoredDocument
from .sent_invoice import OIOUBL_SCHEMES, SentInvoice, read_invoice

_RESPONSES = uuid.UUID("5b0a7c3e-6a43-5d0e-9a44-0d1f6c1b7e02")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens to a document."""

    after: int
    """Seconds since it came"""
    word: str
    message: str = ""
    response: Response | None = None
    """What comes back with it"""


_BEGIN = (Step(0, "Created"), Step(2, "TransmissionStarted"))
_PASSED_ON = (*_BEGIN, Step(6, "Sent"))
_RECEIVED = (*_PASSED_ON, Step(12, "Received"))
#: Seconds until a person answers: before anybody asks about a delivery for the first time (``services/export/outcomes``).
_ANSWERED = 18
_UNREADABLE = "Dokumentet kunne ikke indlæses"


def course(conduct: Conduct, invoice: SentInvoice) -> tuple[Step, ...]:
    """What happens to a document, in order."""
    match conduct:
        case Conduct.NOT_FOUND:
            return (*_BEGIN, Step(4, "EndpointNotFound", "No endpoint was found for the receiver"))
        case Conduct.CANNOT_READ:
            refusal = Response("TechnicalReject", "RE", _UNREADABLE)
            # Sproom spells the word so.
            return (*_PASSED_ON, Step(12, "ApplicationReponseTechnicalReject", _UNREADABLE, refusal))
        case Conduct.ACCEPTS:
            return (*_RECEIVED, Step(_ANSWERED, "Approved", response=Response("BusinessAccept", "AP")))
        case Conduct.REJECTS:
            reason = f"Ordrenummer {invoice.order} findes ikke hos os" if invoice.order else "Ordrenummer mangler"
            word = "ApplicationReponseBusinessReject" if invoice.is_oioubl else "Rejected"
            return (*_RECEIVED, Step(_ANSWERED, word, reason, Response("BusinessReject", "RE", reason, "REF")))
        case Conduct.SILENT:
            return _RECEIVED


def _now() -> datetime:
    return datetime.now(UTC)


class TimedAccount(ProviderAccount):
    """Keeps what it was sent in ``folder``."""

    def __init__(
        self, folder: Path, is_registered: Callable[[Participant], bool], conduct: Mapping[Participant, Conduct],
        now: Callable[[], datetime] = _now,
    ) -> None:  # fmt: skip
        super().__init__(tuple(step.word for step in _RECEIVED))
        self._folder, self._is_registered, self._conduct, self._now = folder, is_registered, conduct, now
        self._courses: dict[str, tuple[SentInvoice, tuple[Step, ...]]] = {}
        self._news: list[tuple[str, State]] = []
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.json"):
            self._restore(path)
        self.news()

    def keep(self, content: bytes, *, key: str | None = None, **facts: str) -> StoredDocument:
        """On disk, too. Raises ``Unreadable``."""
        found = StoredDocument(str(uuid.uuid4()), content, facts | _told(read_invoice(content)), self._now(), key)
        path = self._folder / found.id
        path.with_suffix(".xml").write_bytes(content)
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps({"key": key, "facts": found.facts, "at": found.created_at.isoformat()}), "utf-8")
        draft.rename(path.with_suffix(".json"))
        self._begin(found)
        return found

    def _restore(self, path: Path) -> None:
        stored, content = json.loads(path.read_text("utf-8")), path.with_suffix(".xml").read_bytes()
        at = datetime.fromisoformat(stored["at"])
        self._begin(StoredDocument(path.stem, content, stored["facts"], at, stored["key"]))

    def _begin(self, document: StoredDocument) -> None:
        invoice = read_invoice(document.content)
        with self._lock:
            self._documents[document.id] = document
            self._courses[document.id] = invoice, course(self._conduct_of(invoice.buyer.participant), invoice)
            self._go_on(document)

    def _conduct_of(self, receiver: Participant) -> Conduct:
        return self._conduct.get(receiver, Conduct.SILENT) if self._is_registered(receiver) else Conduct.NOT_FOUND

    def reaches(self, address: str) -> bool:
        """Whether it is registered; that its access point is gone shows only when something is sent."""
        scheme, _, value = address.rpartition(":")
        return self._is_registered(Participant.of(OIOUBL_SCHEMES.get(scheme, scheme), value))

    def looked_at(self, document: StoredDocument) -> None:
        """Nothing: time goes on by itself."""

    def get(self, document_id: str) -> StoredDocument | None:
        """As it is now."""
        self._all_go_on()
        return super().get(document_id)

    def newest_first(self) -> list[StoredDocument]:
        """As they are now."""
        self._all_go_on()
        return super().newest_first()

    def news(self) -> list[tuple[str, State]]:
        """States, each with its document's id, that came since the last call."""
        self._all_go_on()
        with self._lock:
            found, self._news = self._news, []
        return found

    def _all_go_on(self) -> None:
        with self._lock:
            for document in self._documents.values():
                self._go_on(document)

    def _go_on(self, document: StoredDocument) -> None:
        """Bring a document up to now."""
        invoice, steps = self._courses[document.id]
        for step in steps[len(document.states) :]:
            at = document.created_at + timedelta(seconds=step.after)
            if at > self._now():
                return
            if step.response is not None:
                number = str(uuid.uuid5(_RESPONSES, document.id))
                content = write_response(step.response, invoice, number, at)
                document.responses.append(StoredDocument(number, content, {}, at, states=[State("Received", at)]))
            document.states.append(State(step.word, at, step.message))
            self._news.append((document.id, document.state))


def _told(invoice: SentInvoice) -> dict[str, str]:
    """For people."""
    return {
        "number": invoice.number,
        "receiver": f"{invoice.buyer.name} ({invoice.buyer.participant})",
        "format": "OIOUBL" if invoice.is_oioubl else "Peppol BIS",
    }
