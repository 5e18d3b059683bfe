"""Companies, each with an adaptor and a gateway of its own, and as many documents of theirs as are wanted, in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import insert

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Rendition,
    Stage,
    Subscription,
    Watch,
    db,
    new_id,
    number_key,
    utcnow,
)
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive

FORMAT = "peppol-bis-3"
_PIECE = 5_000


@dataclass(frozen=True, slots=True)
class Company:
    """Ids of what one company has."""

    subscription_id: str
    adaptor_id: str
    gateway_id: str
    customer_id: str
    transport: str

    @property
    def owned(self) -> dict[str, str]:
        return {"subscription_id": self.subscription_id, "adaptor_id": self.adaptor_id}


def make_companies(count: int, kind: str, config: dict[str, Any], name: str = "gateway") -> list[Company]:
    """``count`` companies whose one customer is served by a gateway of this ``kind``, which has no secrets."""
    made = [Company(new_id(), new_id(), new_id(), new_id(), kind) for _ in range(count)]
    with transaction() as session:
        session.execute(insert(Subscription), [{"id": one.subscription_id, "name": "Firma ApS"} for one in made])
        session.execute(insert(Adaptor), [
            {
                "id": one.adaptor_id, "subscription_id": one.subscription_id, "name": "Billy", "source_kind": "billy",
                "source_config": {}, "settings": {},
            } for one in made
        ])  # fmt: skip
        session.execute(insert(Watch), [{**one.owned, "alarms_at": utcnow()} for one in made])
        session.execute(insert(Gateway), [
            {
                "id": one.gateway_id, "subscription_id": one.subscription_id, "name": name, "kind": kind, "config": config,
                "secrets": {}, "expiries_at": utcnow(),
            } for one in made
        ])  # fmt: skip
        session.execute(insert(Customer), [
            {**one.owned, "id": one.customer_id, "source_id": "customer", "name": "Kunde A/S", "country": "DK", "raw": {}}
            for one in made
        ])  # fmt: skip
        session.execute(insert(ExportRule), [
            {
                **one.owned, "customer_id": one.customer_id, "active": True, "format": FORMAT, "gateway_id": one.gateway_id,
                "settings": {},
            } for one in made
        ])  # fmt: skip
    return made


def add_queued(company: Company, count: int) -> None:
    """Documents that wait for their conversion, with nothing in them to convert."""
    _add(_documents(company, count, Stage.QUEUED, ""), [], [])


def add_pending(company: Company, count: int, first: str = "") -> list[str]:
    """Deliveries that are due, all of the same bytes; the documents' numbers, which begin with ``first``."""
    content = f"<Invoice>{company.adaptor_id}</Invoice>".encode()
    sha256 = archive.store(content)
    documents = _documents(company, count, Stage.CONVERTED, first)
    renditions, deliveries = [], []
    for row in documents:
        rendition = {
            "id": new_id(), "subscription_id": company.subscription_id, "document_id": row["id"], "format": FORMAT,
            "sha256": sha256, "size": len(content), "media_type": "application/xml", "filename": f"{row['number']}.xml",
            "sender": "0184:12345674", "receiver": "0088:5798000000001",
        }  # fmt: skip
        renditions.append(rendition)
        deliveries.append({
            **company.owned, "id": new_id(), "document_id": row["id"], "gateway_id": company.gateway_id,
            "rendition_id": rendition["id"], "format": FORMAT, "transport": company.transport,
            "state": DeliveryState.PENDING, "next_at": utcnow(), "idem_key": row["id"].lower(), "findings": [],
        })  # fmt: skip
    _add(documents, renditions, deliveries)
    return [row["number"] for row in documents]


def _documents(company: Company, count: int, stage: Stage, first: str) -> list[dict[str, Any]]:
    same = {
        **company.owned, "customer_id": company.customer_id, "customer_source_id": "customer", "customer_name": "Kunde A/S",
        "type": DocumentType.INVOICE, "issue_date": date(2026, 11, 2), "currency": "DKK", "net": 100, "vat": 25,
        "amount_key": 1_250_000, "bundle": {}, "bundle_sha256": "0" * 64, "stage": stage, "status": stage.value,
    }  # fmt: skip
    found = []
    for place in range(count):
        number, key = f"{first}{place + 1}", new_id()
        found.append({**same, "id": key, "source_id": key, "number": number, "number_key": number_key(number)})
    return found


def _add(*tables: Sequence[dict[str, Any]]) -> None:
    for model, rows in zip((Document, Rendition, Delivery), tables, strict=True):
        for begin in range(0, len(rows), _PIECE):
            with transaction() as session:
                session.execute(insert(model), list(rows[begin : begin + _PIECE]))


def note_sizes() -> None:
    """As PostgreSQL does by itself within a minute: without it, nobody knows that the tables are not empty."""
    if db.engine.dialect.name == "postgresql":
        with db.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
