"""What is to be delivered: documents made straight into the outbox, and a part that a real run reads from the stand-in Billy."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert, select

from invoiceapp.demo.billy.company import Company, demo_company
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
from invoiceapp.services.configuration import customer_reading, gateways, rules, sources
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive

from .partners import HOST, NAMES

FORMAT = "peppol-bis-3"
#: Every so many documents of a customer the next one takes the last one back.
CREDIT_EVERY = 5
BATCH = 250
#: Invoices of the demo company whose copies Billy has.
ORDINARY = ("1001", "1002", "1003")


@dataclass(frozen=True, slots=True)
class Ground:
    """Who sends, and through what."""

    subscription_id: str
    adaptor_id: str
    gateways: Mapping[str, str]
    """Partner to gateway id"""


def prepare(ports: Mapping[str, int], host_key: str) -> Ground:
    """An empty database's tables, a subscription with its adaptor, and a gateway to each partner."""
    db.create_all()
    with transaction() as session:
        subscription = Subscription(name="Uvejr ApS")
        session.add(subscription)
        session.flush()
        adaptor = Adaptor(
            subscription_id=subscription.id, name="Billy", source_kind="billy", source_config={}, settings={}
        )
        session.add(adaptor)
        session.flush()
        session.add(Watch(adaptor_id=adaptor.id, subscription_id=subscription.id, alarms_at=utcnow()))
        owner, works = subscription.id, adaptor.id
    made = {name: gateways.save(owner, *_settings(name, ports[name], host_key)).id for name in NAMES}
    return Ground(owner, works, made)


def _settings(name: str, port: int, host_key: str) -> tuple[str, str, dict[str, str]]:
    """Kind, name, and what a person would fill in."""
    if name == "sftp":
        login = {"username": "demo", "password": "demo", "host_key": host_key, "folder": "."}
        return "sftp", name, {"host": HOST, "port": str(port), "connections": "20", **login}
    if name == "mail":
        people = {"sender": "faktura@firma.example", "recipient": "bogholderi@kunde.example"}
        return "email", name, {"host": HOST, "port": str(port), "security": "none", "auth": "none", **people}
    url = f"http://{HOST}:{port}/ind"
    asking = {"status_url": url + "/{key}"} if name == "http-asked" else {}
    recognises = "yes" if name == "http-keyed" else "no"
    fixed = {"method": "POST", "body": "raw", "auth": "none", "connections": "20"}
    return "http", name, {"url": url, "recognises": recognises, **fixed, **asking}


def fill(
    ground: Ground, documents: int, seconds: float, chance: random.Random, number_from: int = 0
) -> list[dict[str, str]]:
    """Pending deliveries that come due spread over ``seconds``; number, partner and SHA-256 of each.

    Numbers count on from ``number_from``, so that it can be called again.
    """
    customers = _customers(ground)
    plan: list[dict[str, str]] = []
    last: dict[str, str] = {}
    begin = utcnow() - timedelta(seconds=1)
    for first in range(0, documents, BATCH):
        rows: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []
        for number in range(first, min(first + BATCH, documents)):
            partner = chance.choice(NAMES)
            customer = chance.choice(customers[partner])
            due = begin + timedelta(seconds=seconds * number / documents)
            rows.append(_rows(ground, partner, customer, number_from + number, due, last))
            plan.append({"number": rows[-1][0]["number"], "partner": partner, "sha256": rows[-1][1]["sha256"]})
        with transaction() as session:
            for model, values in zip((Document, Rendition, Delivery), zip(*rows, strict=True), strict=True):
                session.execute(insert(model), list(values))
    return plan


def _customers(ground: Ground) -> dict[str, list[tuple[str, str, str]]]:
    """Partner to three customers: id, id in the source, name."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    owned = {"subscription_id": ground.subscription_id, "adaptor_id": ground.adaptor_id}
    with transaction() as session:
        for partner in NAMES:
            for number in range(3):
                row = Customer(
                    **owned,
                    source_id=new_id(),
                    name=f"Kunde {partner} {number}",
                    country="DK",
                    gln="5798000000001",
                    raw={},
                )
                session.add(row)
                session.flush()
                gateway = ground.gateways[partner]
                rule = ExportRule(
                    **owned, customer_id=row.id, active=True, format=FORMAT, gateway_id=gateway, settings={}
                )
                session.add(rule)
                found.setdefault(partner, []).append((row.id, row.source_id, row.name))
    return found


def _rows(
    ground: Ground, partner: str, customer: tuple[str, str, str], number: int, due: Any, last: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Document, rendition and delivery, as columns."""
    owned = {"subscription_id": ground.subscription_id, "adaptor_id": ground.adaptor_id}
    customer_id, source_id, name = customer
    credited = last.pop(customer_id, None) if number % CREDIT_EVERY == 0 else None
    text = str(100_000 + number)
    document: dict[str, Any] = {
        **owned, "id": new_id(), "customer_id": customer_id, "customer_source_id": source_id, "customer_name": name,
        "number": text, "number_key": number_key(text), "source_id": new_id(), "issue_date": utcnow().date(),
        "type": DocumentType.CREDIT_NOTE if credited else DocumentType.INVOICE, "currency": "DKK", "net": 100, "vat": 25,
        "amount_key": 1_250_000, "bundle": {}, "bundle_sha256": "0" * 64, "stage": Stage.CONVERTED, "status": "converted",
        "credits_source_id": credited,
    }  # fmt: skip
    if not credited:
        last[customer_id] = document["source_id"]
    content = f"<Invoice><ID>{text}</ID>{'x' * (number * 37 % 4_000)}</Invoice>".encode()
    sha256 = archive.store(content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    rendition = {
        "id": new_id(), "subscription_id": ground.subscription_id, "document_id": document["id"], "format": FORMAT,
        "sha256": sha256, "size": len(content), "media_type": "application/xml", "filename": f"{text}.xml",
        "sender": "0184:12345674", "receiver": "0088:5798000000001",
    }  # fmt: skip
    delivery = {
        **owned, "id": new_id(), "document_id": document["id"], "gateway_id": ground.gateways[partner],
        "rendition_id": rendition["id"], "format": FORMAT, "transport": "http" if partner.startswith("http") else
        {"mail": "email"}.get(partner, partner), "state": DeliveryState.PENDING, "next_at": due,
        "idem_key": os.urandom(16).hex(), "findings": [],
    }  # fmt: skip
    return document, rendition, delivery


def company(documents: int) -> Company:
    """Books with copies of three ordinary invoices, every fifth of them credited."""
    books = demo_company(date.today())
    ordinary = [row for row in books.tables["invoices"].values() if row["invoiceNo"] in ORDINARY]
    invoices: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    for number in range(documents):
        one = ordinary[number % len(ordinary)]
        credited = f"storm{number - len(ordinary):06}" if number % CREDIT_EVERY == 4 else None
        key = f"storm{number:06}"
        own = {"id": key, "invoiceNo": f"B{number:06}", "sentState": "unsent", "creditedInvoiceId": credited}
        invoices[key] = one | own | {"type": "creditNote" if credited else "invoice"}
        for line in (row for row in books.tables["invoiceLines"].values() if row["invoiceId"] == one["id"]):
            lines[f"{key}-{line['id']}"] = line | {"id": f"{key}-{line['id']}", "invoiceId": key}
    return replace(books, tables=books.tables | {"invoices": invoices, "invoiceLines": lines})


def connect(ground: Ground, url: str, books: Company) -> list[dict[str, str]]:
    """Read the customers from Billy and activate them, each for another partner; what a run must deliver."""
    sources.connect(ground.adaptor_id, {"token": "demo-token", "base_url": url})
    customer_reading.refresh_customers(ground.adaptor_id)
    wanted = sorted({row["contactId"] for row in books.tables["invoices"].values()})
    partner_of = dict(zip(wanted, ("http-keyed", "sftp", "http-asked"), strict=False))
    for source_id, partner in partner_of.items():
        found = select(Customer.id).where(Customer.adaptor_id == ground.adaptor_id, Customer.source_id == source_id)
        with transaction() as session:
            ids = list(session.scalars(found))
        rules.activate(ground.adaptor_id, ids, FORMAT, ground.gateways[partner])
    return [
        {"number": row["invoiceNo"], "partner": partner_of[row["contactId"]], "sha256": ""}
        for row in books.tables["invoices"].values()
    ]


def gateway_names() -> dict[str, str]:
    """Gateway id to partner."""
    return dict(db.session.execute(select(Gateway.id, Gateway.name)).all())
