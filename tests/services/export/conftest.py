"""Documents that wait for conversion, made of the demo company's own records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from flask import has_app_context
from sqlalchemy import select
from support.four_eyes import addressed, anna, like, owner, people, switch  # noqa: F401 - fixtures

from invoiceapp.demo.billy.company import Company
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Stage, db, dump_json, new_id
from invoiceapp.services.configuration import rules, sources
from invoiceapp.services.export import conversion
from invoiceapp.sources.base import Channel, Organization, SentItself, SourceError
from invoiceapp.sources.billy.source import BillySource

PDF = b"%PDF-1.7 from the source"
#: Ordinary, valid documents of the demo company, by position.
ORDINARY = ("1001", "1002", "1003", "1004", "1005")


def _require_apart() -> None:
    """No transaction may be open while the source is asked; a thread that asks ahead does not even know the app."""
    assert not has_app_context() or not db.session().in_transaction()


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
        _require_apart()
        return self.company

    def pdf(self, _source: BillySource, document_id: str) -> bytes | None:
        self.asked.append(document_id)
        _require_apart()
        if isinstance(self.answer, SourceError):
            raise self.answer
        return self.answer

    def already_sent(self, channels: frozenset[Channel]) -> list[SentItself]:
        self.asked_about.append(channels)
        _require_apart()
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
        conversion.sources, "opener", lambda adaptor: partial(sources.source_class(adaptor), {"token": "t"})
    )
    return found


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """``meanwhile(act)``: what somebody does once, after the next conversion has read the settings."""

    def arrange(act: Callable[[], object]) -> None:
        real, acts = conversion.Ahead.source, [act]

        def source(ahead: conversion.Ahead, adaptor: Adaptor) -> object:
            while acts:
                acts.pop()()
                db.session.commit()
            return real(ahead, adaptor)

        monkeypatch.setattr(conversion.Ahead, "source", source)

    return arrange


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


@pytest.fixture
def activated(connected: Adaptor, gateway: Any) -> Adaptor:
    """The connected adaptor with every customer activated."""
    ids = list(db.session.scalars(select(Customer.id).where(Customer.adaptor_id == connected.id)))
    rules.activate(connected.id, ids, "peppol-bis-3", gateway.id)
    return connected


@pytest.fixture
def copied(adaptor: Adaptor) -> Callable[..., Document]:
    """``copied(document, **columns)``: the same records once more, queued in ``adaptor_id`` (else the first) for its own customer."""
    adaptor_id = adaptor.id

    def make(document: Document, adaptor_id: str = adaptor_id, **columns: Any) -> Document:
        old = db.session.get_one(Document, document.id, populate_existing=True)
        customer = db.session.get_one(Customer, old.customer_id)
        if adaptor_id != old.adaptor_id:
            rule = customer.rule
            customer = Customer(
                id=new_id(), subscription_id=old.subscription_id, adaptor_id=adaptor_id, source_id=customer.source_id,
                name=customer.name, raw=customer.raw, country=customer.country,
            )  # fmt: skip
            db.session.add(customer)
            db.session.flush()
            db.session.add(
                ExportRule(
                    subscription_id=old.subscription_id, adaptor_id=adaptor_id, customer_id=customer.id,
                    format=rule.format, gateway_id=rule.gateway_id, settings=dict(rule.settings),
                )
            )  # fmt: skip
        same = (
            "subscription_id", "type", "number", "issue_date", "customer_source_id", "customer_name", "currency", "net", "vat",
            "bundle", "bundle_sha256", "source_id",
        )  # fmt: skip
        values = {name: getattr(old, name) for name in same} | columns
        new = Document(adaptor_id=adaptor_id, customer_id=customer.id, stage=Stage.QUEUED, **values)
        db.session.add(new)
        db.session.commit()
        return new

    return make


@pytest.fixture
def second(adaptor: Adaptor) -> Callable[..., str]:
    """``second(**columns)``: another adaptor of the same books; its id."""

    def make(**columns: Any) -> str:
        first = db.session.scalars(select(Adaptor).order_by(Adaptor.id)).first()
        same = ("subscription_id", "source_kind", "source_config", "organization", "settings")
        values = {name: getattr(first, name) for name in same} | columns
        row = Adaptor(id=new_id(), name="Billy to", **values)
        db.session.add(row)
        db.session.commit()
        return row.id

    return make
