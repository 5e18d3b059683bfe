"""Documents with everything that an evidence pack can hold, and packs made to harm."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Attempt, Delivery, Document, IncomingMessage, Lookup, Receipt, Rendition, db, utcnow
from invoiceapp.services.export import archive, events

S = DeliveryState
NEVER_SENT = frozenset({S.BLOCKED, S.PENDING, S.LEASED})


def full_document(ready: Callable[..., Delivery], number: str = "1001", state: DeliveryState = S.DELIVERED) -> Document:
    """A document with a delivery in ``state`` and all that leads there: look-up, PDF, attempt, receipts, timeline."""
    sent_at = None if state in NEVER_SENT else utcnow()
    delivery = ready(number, state, next_at=None, first_sent_at=sent_at)
    document = delivery.document
    rendition = db.session.get_one(Rendition, delivery.rendition_id)
    rendition.rule_sets = [{"name": "peppol-ubl", "version": "2025.5", "sha256": "ab" * 32}]
    document.pdf_sha256, document.bundle = archive.store(b"%PDF"), {"invoice": {"id": "x", "note": "æøå"}}
    _look_up(document, rendition)
    events.of_document("fetched", document)
    events.of_delivery("converted", delivery, sha256=rendition.sha256, format=rendition.format)
    if sent_at is not None:
        _send(delivery, rendition)
    db.session.commit()
    return document


def _look_up(document: Document, rendition: Rendition) -> None:
    answer = archive.store(f"<ServiceGroup>{document.number}</ServiceGroup>".encode())
    exchange = {"asked": "GET http://smp.example/", "at": utcnow().isoformat(), "outcome": "200", "sha256": answer}
    db.session.add(
        Lookup(
            subscription_id=document.subscription_id, register="peppol-smp", question=f"{rendition.receiver} invoice",
            outcome="registered", answer={"found": []}, exchanges=[exchange], created_at=utcnow() - timedelta(hours=1),
        )
    )  # fmt: skip


def _send(delivery: Delivery, rendition: Rendition) -> None:
    attempt = Attempt(
        delivery_id=delivery.id, number=1, fence=1, wire_ids={"message_id": f"<{delivery.id}@example>"},
        outcome="accepted", finished_at=utcnow(),
    )  # fmt: skip
    db.session.add(attempt)
    events.of_delivery("sending", delivery, attempt=1)
    mdn = base64.b64encode(b"signed by the partner").decode()
    wire = {"sha256": rendition.sha256, "status": 200, "mdn": mdn}
    response = archive.store(f"<ApplicationResponse>{delivery.id}</ApplicationResponse>".encode())
    db.session.add(Receipt(delivery_id=delivery.id, kind="wire", reference="250 OK", evidence=wire))
    said = {"sha256": response, "verdict": "acknowledged", "da": "Godtaget", "en": "Accepted"}
    db.session.add(Receipt(delivery_id=delivery.id, kind="invoice-response", reference="r1", evidence=said))
    db.session.add(
        IncomingMessage(
            subscription_id=delivery.subscription_id, gateway_id=delivery.gateway_id, name=f"r-{delivery.id}.xml",
            sha256=response, size=1,
        )
    )  # fmt: skip
    events.of_delivery(delivery.state.value, delivery, actor="bo@example.com")


def contents(path: Path | io.BytesIO) -> dict[str, bytes]:
    """What a zip holds."""
    with zipfile.ZipFile(path) as file:
        return {one.filename: file.read(one) for one in file.infolist()}


def zipped(files: Mapping[str, bytes], change: Callable[[zipfile.ZipInfo], Any] = lambda _info: None) -> io.BytesIO:
    """A zip of these files, whose directory ``change`` may make strange."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in files.items():
            info = zipfile.ZipInfo(path)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            file.writestr(info, content)
    target.seek(0)
    return target


def readier(make_customer: Any, make_document: Any, make_delivery: Any) -> Callable[..., Delivery]:
    """What ``ready`` of the services' tests does, for tests of pages and commands."""
    customer = make_customer()

    def make(number: str, state: DeliveryState, **columns: Any) -> Delivery:
        document = make_document(customer, number)
        content = f"<Invoice>{number}</Invoice>".encode()
        rendition = Rendition(
            subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
            sha256=archive.store(content), size=len(content), media_type="application/xml",
            filename=f"invoice-{number}.xml", sender="0184:12345674", receiver="0088:5798000000001",
        )  # fmt: skip
        db.session.add(rendition)
        db.session.commit()
        delivery: Delivery = make_delivery(document, state, rendition_id=rendition.id, **columns)
        return delivery

    return make
