"""Documents that wait for conversion, made of the demo company's own records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Customer, Document, ExportRule, Stage, db, dump_json
from invoiceapp.services.configuration import sources
from invoiceapp.services.export import conversion
from invoiceapp.sources.base import Channel, Organization, SentItself, SourceError
from invoiceapp.sources.billy.source import BillySource

PDF = b"%PDF-1.7 from the source"
#: Ordinary, valid documents of the demo company, by position.
ORDINARY = ("1001", "1002", "1003", "1004", "1005")


@dataclass
class Shelf:
    """What the source answers to requests for PDFs and for its own sendings, and which it got."""

    answer: bytes | SourceError | None = PDF
    asked: list[str] = field(default_factory=list)
    sent: list[SentItself] | SourceError = field(default_factory=list)
    company: Organization = field(default_factory=lambda: Organization("org", "Eksempel ApS", "12345674", "DK", "DKK"))
    checked: int = 0
    asked_about: list[frozenset[Channel]] = field(default_factory=list)

    def check(self) -> Organization:
        self.checked += 1
        assert not db.session().in_transaction(), "no transaction may be open while the source is asked"
        return self.company

    def pdf(self, _source: BillySource, document_id: str) -> bytes | None:
        self.asked.append(document_id)
        assert not db.session().in_transaction(), "no transaction may be open while the source is asked"
        if isinstance(self.answer, SourceError):
            raise self.answer
        return self.answer

    def already_sent(self, channels: frozenset[Channel]) -> list[SentItself]:
        self.asked_about.append(channels)
        assert not db.session().in_transaction(), "no transaction may be open while the source is asked"
        if isinstance(self.sent, SourceError):
            raise self.sent
        return [one for one in self.sent if one.channel in channels]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The source without its network."""
    found = Shelf()
    monkeypatch.setattr(BillySource, "pdf", lambda source, document_id: found.pdf(source, document_id))
    monkeypatch.setattr(BillySource, "already_sent", lambda _source, _id, channels: found.already_sent(channels))
    monkeypatch.setattr(BillySource, "check", lambda _source: found.check())
    monkeypatch.setattr(
        conversion.sources, "open_source", lambda adaptor: sources.source_class(adaptor)({"token": "t"})
    )
    return found


@pytest.fixture
def queued(
    company: Company, adaptor: Any, make_customer: Any, make_document: Any, shelf: Shelf
) -> Callable[..., Document]:
    """``queued(number, edit=None)``: a document of the demo company that waits for conversion.

    ``edit`` may change its records. Its customer is activated for Peppol.
    """

    def make(
        number: str = ORDINARY[0], edit: Callable[[dict[str, Any]], None] | None = None, **columns: Any
    ) -> Document:
        invoice = next(one for one in company.tables["invoices"].values() if one["invoiceNo"] == number)
        bundle = company.bundle(invoice["id"])
        if edit is not None:
            edit(bundle)
        source_id = invoice["contactId"]
        customer = db.session.query(Customer).filter_by(source_id=source_id).one_or_none()
        customer = customer or make_customer(bundle["contact"]["name"], source_id=source_id, gln=None)
        document: Document = make_document(
            customer, number, bundle=bundle, bundle_sha256=str(abs(hash(dump_json(bundle)))), stage=Stage.QUEUED,
            source_id=invoice["id"], type=DocumentType.INVOICE, issue_date=date.fromisoformat(invoice["entryDate"]),
            net=Decimal(invoice["amount"]), vat=Decimal(invoice["tax"]), **columns,
        )  # fmt: skip
        return document

    return make


@pytest.fixture
def rule_of() -> Callable[[Document], ExportRule]:
    """The export rule of a document's customer."""

    def find(document: Document) -> ExportRule:
        return db.session.query(ExportRule).filter_by(customer_id=document.customer_id).one()

    return find
