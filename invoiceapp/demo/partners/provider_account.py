"""What the stand-in of an access-point provider knows: the documents that it was sent, and how they fare."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class State:
    """One state of a document."""

    word: str
    """The provider's own"""
    at: datetime
    message: str = ""


@dataclass(slots=True)
class StoredDocument:
    """One document and its history."""

    id: str
    content: bytes = field(repr=False)
    facts: dict[str, str]
    """What came with it: addresses, channel, …"""
    created_at: datetime
    key: str | None = None
    """Ours, where the provider knows one"""
    states: list[State] = field(default_factory=list)
    """Oldest first, never empty"""
    responses: list[StoredDocument] = field(default_factory=list)
    """Business responses that came back about it"""

    @property
    def state(self) -> State:
        """The newest."""
        return self.states[-1]


class ProviderAccount:
    """One customer's documents at a provider. May be used by several threads.

    A new document is in the first state of ``course``; each look at it (``looked_at``) moves it to the next, until the last.
    """

    def __init__(self, course: tuple[str, ...]) -> None:
        self.course = course
        self.unreachable: set[str] = set()
        """Addresses (``GLN:5790000000000``) that nobody has"""
        self._documents: dict[str, StoredDocument] = {}
        self._lock = threading.RLock()

    def keep(self, content: bytes, *, key: str | None = None, **facts: str) -> StoredDocument:
        """Store a document; whoever knows keys asks ``with_key`` before."""
        now = datetime.now(UTC)
        with self._lock:
            found = StoredDocument(str(uuid.uuid4()), content, facts, now, key, [State(self.course[0], now)])
            self._documents[found.id] = found
        return found

    def get(self, document_id: str) -> StoredDocument | None:
        """By the provider's id; also a response."""
        with self._lock:
            return next((one for one in [*self._documents.values(), *self.received()] if one.id == document_id), None)

    def with_key(self, key: str) -> StoredDocument | None:
        """By our key."""
        with self._lock:
            return next((one for one in self._documents.values() if one.key == key), None)

    def newest_first(self) -> list[StoredDocument]:
        """All but responses."""
        with self._lock:
            return sorted(self._documents.values(), key=lambda one: one.created_at, reverse=True)

    def reaches(self, address: str) -> bool:
        """Whether somebody has an address, as the provider writes it."""
        return address not in self.unreachable

    def received(self) -> list[StoredDocument]:
        """The responses, newest first."""
        with self._lock:
            found = [one for document in self._documents.values() for one in document.responses]
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    def looked_at(self, document: StoredDocument) -> None:
        """Somebody asked about it: time goes on."""
        with self._lock:
            if document.state.word in self.course[:-1]:
                self.move(document.id, self.course[self.course.index(document.state.word) + 1])

    def move(self, document_id: str, word: str, message: str = "") -> None:
        """Another state, whatever the course says. Raises ``KeyError``."""
        with self._lock:
            found = self.get(document_id)
            if found is None:
                raise KeyError(document_id)
            found.states.append(State(word, datetime.now(UTC), message))

    def answer(self, document_id: str, content: bytes, word: str, **facts: str) -> StoredDocument:
        """A business response comes back about a document; ``word``: its state. Raises ``KeyError``."""
        now = datetime.now(UTC)
        with self._lock:
            found = StoredDocument(str(uuid.uuid4()), content, facts, now, None, [State(word, now)])
            self._documents[document_id].responses.append(found)
        return found
