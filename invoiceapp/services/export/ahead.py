"""Asks the source about the next documents of a batch while the present one is converted.

A few threads do it, each with a source of its own; they do HTTP only, and know neither database nor app. What they hear is
kept with the document, errors too, and said again when its turn comes: a conversion cannot tell who asked. What was not
asked ahead, or too long ago, is asked then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

from invoiceapp import logs
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import sources
from invoiceapp.services.errors import ServiceError
from invoiceapp.sources.base import Channel, SentItself, Source

T = TypeVar("T")

#: At a time of one adaptor; with three questions of 50 ms for a document they keep up with a worker that converts one in 10 ms.
THREADS = 16
#: How many documents are asked about before their turn, and so at a time of all adaptors together.
MOST_AHEAD = 16
#: Bytes of PDFs that wait for their turn; while one is under way it counts as much as the largest of the batch so far.
MOST_BYTES = 32_000_000
#: Seconds after which an answer that waited is asked for anew.
FRESH = 10.0


class Asked(Protocol):
    """Who answers a conversion: a source, or what it said before."""

    @property
    def label(self) -> Text:
        """What people call the source."""

    def already_sent(self, document_id: str, channels: frozenset[Channel]) -> list[SentItself]:
        """See ``Source``."""

    def pdf(self, document_id: str) -> bytes | None:
        """See ``Source``."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a conversion will ask: ``ask`` runs in a thread, and must touch nothing but what it is given."""

    document_id: str
    adaptor: Adaptor
    ask: Callable[[Asked], object]


class Answers:
    """What a source said about one document, word for word and error for error; what is not known yet it is asked."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.size = 0
        """Bytes of PDF"""
        self.at = time.monotonic()
        self._said: dict[Hashable, tuple[Any, Exception | None]] = {}

    @property
    def label(self) -> Text:
        """See ``Asked``."""
        return self.source.label

    def already_sent(self, document_id: str, channels: frozenset[Channel]) -> list[SentItself]:
        """See ``Asked``."""
        return self._say(
            ("already_sent", document_id, channels), lambda: self.source.already_sent(document_id, channels)
        )

    def pdf(self, document_id: str) -> bytes | None:
        """See ``Asked``."""
        content = self._say(("pdf", document_id), lambda: self.source.pdf(document_id))
        self.size = len(content or b"")
        return content

    def _say(self, question: Hashable, ask: Callable[[], T]) -> T:
        if question not in self._said:
            try:
                self._said[question] = ask(), None
            except Exception as error:
                self._said[question] = None, error
        answer: T
        answer, failed = self._said[question]
        if failed is not None:
            raise failed
        return answer


class _Books:
    """The source of one adaptor, opened as often as threads ask it at once; whose books it opens is asked once.

    It has threads of its own, begun as they are needed: one that is slow takes none from the others.
    """

    def __init__(self, adaptor: Adaptor) -> None:
        """Raises ``ServiceError`` where its secrets cannot be read."""
        self._open = sources.opener(adaptor)
        self._company = adaptor.organization
        self._free: deque[Source] = deque()
        self._opened: list[Source] = []
        self._ids = {**logs.ids(), "adaptor": adaptor.id}
        self._threads = ThreadPoolExecutor(THREADS, "ahead")
        # Before anything else that the threads are given, so that what waits for it finds it begun.
        self._checked = self._threads.submit(self._check)

    @cached_property
    def own(self) -> Source:
        """The one of the thread that converts."""
        return self.take()

    def require(self) -> None:
        """Wait until it is known whose books these are. Raises ``CompanyChanged``, ``SourceError``."""
        self._checked.result()

    def take(self) -> Source:
        """One that nobody else uses until it is given back."""
        with suppress(IndexError):
            return self._free.pop()
        self._opened.append(self._open())
        return self._opened[-1]

    def give_back(self, source: Source) -> None:
        """Others may use it; its connections stay open."""
        self._free.append(source)

    def begin(self, question: Question) -> Future[Answers]:
        """Ask in a thread. Its result raises as ``require``; what the source itself says stands in the answers."""
        return self._threads.submit(self._ask, question)

    def stop(self) -> None:
        """Ask no more; what is under way goes on."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for what is under way, and close every connection."""
        self._threads.shutdown(cancel_futures=True)
        for source in self._opened:
            source.close()

    def _ask(self, question: Question) -> Answers:
        # The context as a whole would bring the app along.
        with logs.bound(**self._ids, document=question.document_id):
            return self._answers_to(question)

    def _answers_to(self, question: Question) -> Answers:
        self.require()
        source = self.take()
        try:
            answers = Answers(source)
            with suppress(Exception):
                question.ask(answers)
            answers.at = time.monotonic()
            return answers
        finally:
            self.give_back(source)

    def _check(self) -> None:
        source = self.take()
        try:
            with logs.bound(**self._ids):
                sources.require_company(source, self._company)
        finally:
            self.give_back(source)


class Ahead:
    """Answers for the documents of a batch, in its order. A context manager; at its end no thread is left."""

    def __init__(self) -> None:
        self._books: dict[str, _Books] = {}
        self._questions: deque[Question] = deque()
        self._asked: dict[str, Future[Answers]] = {}
        self._present: Future[Answers] | None = None
        self._most, self._largest = MOST_AHEAD, 0

    def expect(self, questions: Iterable[Question]) -> None:
        """What the documents of the batch will ask, in its order, as far as it can be told."""
        self._questions += questions

    def turn_of(self, document_id: str) -> None:
        """A conversion begins: what was heard for the one before is forgotten, and more is asked."""
        if self._questions and self._questions[0].document_id == document_id:
            self._begin(self._questions.popleft())
        self._present = self._asked.pop(document_id, None)
        while self._questions and self._has_room():
            self._begin(self._questions.popleft())

    def source(self, adaptor: Adaptor) -> Asked:
        """Who answers the document whose turn it is. Raises ``CompanyChanged``, ``SourceError``, ``ServiceError``."""
        books = self._books_of(adaptor)
        books.require()
        heard = self._present.result() if self._present else None
        if heard is None:
            return Answers(books.own)
        if time.monotonic() - heard.at > FRESH:
            # Conversions take long at the moment: nothing is won by asking far ahead of them.
            self._most = max(self._most // 2, 1)
            return Answers(books.own)
        heard.source = books.own
        return heard

    def _books_of(self, adaptor: Adaptor) -> _Books:
        if adaptor.id not in self._books:
            self._books[adaptor.id] = _Books(adaptor)
        return self._books[adaptor.id]

    def _begin(self, question: Question) -> None:
        # What cannot be opened is said when its turn comes.
        with suppress(ServiceError):
            books = self._books_of(question.adaptor)
            self._asked[question.document_id] = books.begin(question)

    def _has_room(self) -> bool:
        sizes = [one.result().size for one in self._asked.values() if one.done() and not one.exception()]
        self._largest = max(self._largest, *sizes, 0)
        bytes_held = sum(sizes) + (len(self._asked) - len(sizes) + 1) * self._largest
        return len(self._asked) < self._most and bytes_held <= MOST_BYTES

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        """What is being asked is waited for, as for the document in hand; the rest is not asked any more."""
        for books in self._books.values():
            books.stop()
        for books in self._books.values():
            books.close()
