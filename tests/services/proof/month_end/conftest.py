"""Books of a few documents that a test writes by hand, read through a source that has nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Job, MonthEndProof, db
from invoiceapp.services import background
from invoiceapp.services.configuration import sources
from invoiceapp.services.proof.month_end import making, paper
from invoiceapp.sources.base import (
    BookState,
    DocumentQuery,
    Organization,
    SourceChanged,
    SourceDocument,
    Standing,
    TakenNumber,
)

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


@dataclass
class Accounts:
    """A source; ``rows`` may be changed between two readings."""

    rows: list[tuple[SourceDocument, BookState]] = field(default_factory=list)
    broken: list[tuple[str, date]] = field(default_factory=list)
    skipped: list[tuple[str, SourceChanged]] = field(default_factory=list)
    asked: int = 0

    def has(self, number: str, source_id: str, *, state: BookState = BookState.APPROVED, **columns: Any) -> None:
        """Put a document into the books."""
        values = {"type": DocumentType.INVOICE, "issue_date": date(2026, 11, 2), "currency": "DKK", "net": Decimal("100.00"),
                  "vat": Decimal("25.00"), "order_number": None, "bundle": {}, "approved_at": None, "customer_id": "c",
                  "customer_name": "Kommune Eksempel", **columns}  # fmt: skip
        self.rows.append((SourceDocument(id=source_id, number=number, **values), state))

    def check(self) -> Organization:
        return Organization("org", "Eksempel ApS", "12345674", "DK", "DKK")

    def documents(self, query: DocumentQuery) -> Iterator[SourceDocument]:
        self.asked += 1
        assert query.first_date and query.last_date
        for one, day in self.broken:
            if query.first_date <= day <= query.last_date:
                self.skipped.append((one, SourceChanged(Text("Går ikke at læse.", "Cannot be read."))))
        for one, state in self.rows:
            if state is BookState.APPROVED and query.first_date <= one.issue_date <= query.last_date:
                yield one

    def taken_numbers(self, first: date, last: date) -> Iterator[TakenNumber]:
        for one, state in self.rows:
            if first <= one.issue_date <= last:
                yield TakenNumber(one.id, one.number, one.type, one.issue_date, state)

    def standing(self, document_id: str) -> Standing | None:
        return next((Standing(state) for one, state in self.rows if one.id == document_id), None)

    def __enter__(self) -> Accounts:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """The books that the adaptor reads. Nobody waits, and no PDF is drawn."""
    books = Accounts()
    monkeypatch.setattr(sources, "open_source", lambda _adaptor: books)
    monkeypatch.setattr(making, "SETTLE", timedelta(0))
    monkeypatch.setattr(making, "today", lambda: LAST)
    monkeypatch.setattr(paper, "draw", lambda result, prints, language: paper.html(result, prints, language).encode())
    monkeypatch.setattr(making.signing, "sign_pdf", lambda pdf, reason: pdf + reason.encode())
    return books


@pytest.fixture
def prove(accounts: Accounts, adaptor: Adaptor, work: Callable[[str], Job]) -> Callable[..., MonthEndProof]:
    """``prove(first, last, language="da")``: a proof, made as a worker makes it."""

    def make(first: date = FIRST, last: date = LAST, language: str = "da") -> MonthEndProof:
        proof_id = making.ask(adaptor, first, last, actor="ejer@example.com", language=language)
        work(proof_id)
        return db.session.get_one(MonthEndProof, proof_id, populate_existing=True)

    return make


@pytest.fixture
def work() -> Callable[[str], Job]:
    """``work(proof_id)``: do all slices of the proof's job."""

    def do(proof_id: str) -> Job:
        job_id = db.session.get_one(MonthEndProof, proof_id).job_id
        assert job_id
        while background.execute(job_id, {making.KIND: making.run}):
            pass
        return db.session.get_one(Job, job_id, populate_existing=True)

    return do
