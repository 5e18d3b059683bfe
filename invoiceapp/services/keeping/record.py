"""One document as the readable export shows it: facts, parties, files, deliveries with their evidence, timeline."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_decimal
from sqlalchemy import select

from invoiceapp.formats.pdf.writer import unit_name
from invoiceapp.gateways.base import registry as transports
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Customer,
    Delivery,
    Document,
    Event,
    Gateway,
    Receipt,
    Rendition,
    db,
    dump_json,
)
from invoiceapp.services.export import archive, comparison
from invoiceapp.services.export.queries import format_label
from invoiceapp.sources.base import registry as sources

from . import names, words

Fact = tuple[str, str, Any]


@dataclass(slots=True)
class Record:
    """What is written of one document."""

    folder: str
    line: dict[str, Any]
    """For lists and the spreadsheet"""
    page: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    missing: int = 0


def of_document(document: Document, month: str) -> Record:
    """Inside a transaction. ``month`` as ``2026-11``."""
    adaptor = db.session.get_one(Adaptor, document.adaptor_id)
    customer = db.session.get(Customer, document.customer_id) if document.customer_id else None
    record = Record(f"documents/{month}/{names.folder(document.number, document.id)}", line_of(document, customer))
    record.line["folder"] = record.folder
    deliveries = _rows(Delivery, Delivery.document_id == document.id)
    receipts = _rows(Receipt, Receipt.delivery_id.in_([one.id for one in deliveries])) if deliveries else []
    record.page = page_of(document, adaptor, customer, deliveries, receipts)
    record.page["files"] = _files(record, document, receipts)
    return record


def page_of(
    document: Document, adaptor: Adaptor, customer: Customer | None, deliveries: Sequence[Delivery], receipts: Sequence[Receipt]
) -> dict[str, Any]:  # fmt: skip
    """What ``document.html`` shows of a document besides its files."""
    return {
        "kind": words.TYPES[document.type], "number": document.number, "document": _facts(document, adaptor),
        "lines": _lines(document), "seller": _seller(adaptor), "buyer": _buyer(document, customer),
        "deliveries": [_delivery(one, receipts) for one in deliveries],
        "events": [_event(one) for one in _rows(Event, Event.document_id == document.id)],
    }  # fmt: skip


def _rows(model: Any, condition: Any) -> list[Any]:
    return list(db.session.scalars(select(model).where(condition).order_by(model.id)))


def moment(value: datetime | None) -> str:
    """``9. nov. 2026 kl. 10.12``, Danish time; empty for None."""
    if value is None:
        return ""
    return format_datetime(value, "d. MMM yyyy 'kl.' HH.mm", tzinfo=get_timezone("Europe/Copenhagen"), locale="da_DK")


def _moment(text: str | None) -> str:
    """As the source wrote it, which may be anything."""
    try:
        if len(text or "") == len("2026-11-09"):
            return day(date.fromisoformat(str(text)))
        return moment(datetime.fromisoformat(text)) if text else ""
    except ValueError:
        return str(text)


def day(value: date) -> str:
    """``9. nov. 2026``."""
    return format_date(value, "d. MMM yyyy", locale="da_DK")


def money(value: Decimal, currency: str) -> str:
    """``27.033,49 DKK``."""
    return f"{format_decimal(value, '#,##0.00', locale='da_DK')} {currency}"


def line_of(document: Document, customer: Customer | None) -> dict[str, Any]:
    """One row of a list of documents."""
    return {
        "kind": words.TYPES[document.type], "number": document.number, "date": day(document.issue_date),
        "issued": document.issue_date, "customer": document.customer_name,
        "customer_number": (customer.number if customer else None) or "", "currency": document.currency, "net": document.net,
        "vat": document.vat, "gross_amount": document.gross, "gross": money(document.gross, document.currency),
        "order_number": document.order_number or "", "state": document.status,
        "status": words.both(words.STATES, document.status),
    }  # fmt: skip


def _facts(document: Document, adaptor: Adaptor) -> list[Fact]:
    return [
        ("Dato", "Date", day(document.issue_date)),
        ("Godkendt", "Approved", _moment(document.approved_at)),
        ("Beløb uden moms", "Amount without VAT", money(document.net, document.currency)),
        ("Moms", "VAT", money(document.vat, document.currency)),
        ("I alt", "Total", money(document.gross, document.currency)),
        ("Ordrenummer", "Order number", document.order_number),
        ("Status", "Status", words.both(words.STATES, document.status)),
        ("Kilde", "Source", f"{adaptor.name} ({_label(sources(), adaptor.source_kind)}), {document.source_id}"),
    ]


def _lines(document: Document) -> list[dict[str, str]]:
    """As they were fetched; none where they cannot be read any more."""
    found = comparison.as_stored(document)
    return [
        {
            "name": one.item.name, "quantity": f"{_number(one.quantity)} {unit_name(one.unit)}", "price": _number(one.price),
            "net": money(one.net_amount, found.currency),
        }
        for one in found.lines
    ] if found else []  # fmt: skip


def _number(value: Decimal) -> str:
    return format_decimal(value, "#,##0.00####", locale="da_DK")


def _seller(adaptor: Adaptor) -> list[Fact]:
    company = adaptor.organization or {}
    return [
        ("Navn", "Name", company.get("name")),
        ("CVR-nummer", "Registration number", company.get("registration_no")),
    ]


def _buyer(document: Document, customer: Customer | None) -> list[Fact]:
    facts: list[Fact] = [("Navn", "Name", document.customer_name)]
    if customer is None:
        return facts
    return [
        *facts,
        ("Kundenummer", "Customer number", customer.number),
        ("CVR-nummer", "Registration number", customer.registration_no),
        ("GLN", "GLN", customer.gln),
        ("By", "City", customer.city),
        ("Land", "Country", customer.country),
        ("E-mail", "E-mail", customer.email),
    ]


def _files(record: Record, document: Document, receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
    """Links of the page; the bytes go into the record."""
    wanted = [
        (
            one.sha256,
            one.filename,
            ", ".join([in_words(one.format), *(f"{rule['name']} {rule['version']}" for rule in one.rule_sets)]),
        )
        for one in _rows(Rendition, Rendition.document_id == document.id)
    ]
    if document.pdf_sha256:
        wanted.append((document.pdf_sha256, f"{document.number}.pdf", "PDF"))
    wanted += [
        (one.evidence["sha256"], f"receipt-{one.kind}.txt", f"Kvittering / Receipt {one.kind}")
        for one in receipts
        if one.kind != "person" and is_message(one, {sha256 for sha256, *_more in wanted})
    ]
    shown = []
    for position, (sha256, wanted_name, about) in enumerate(wanted, start=1):
        name = names.file(position, wanted_name)
        is_missing = not _take(record, name, sha256)
        shown.append({"name": name, "about": f"{about}, SHA-256 {sha256}", "is_missing": is_missing})
    record.files["source.json"] = dump_json(document.bundle).encode()
    shown.append({"name": "source.json", "about": f"SHA-256 {document.bundle_sha256}", "is_missing": False})
    return shown


def is_message(receipt: Receipt, sent: Collection[str]) -> bool:
    """Whether it names a message of the partner's, and not the bytes that we sent."""
    sha256 = receipt.evidence.get("sha256")
    return (
        isinstance(sha256, str)
        and len(sha256) == len("0" * 64)
        and sha256 not in sent
        and "verdict" in receipt.evidence
    )


def _take(record: Record, name: str, sha256: str) -> bool:
    try:
        record.files[name] = archive.load(sha256)
    except archive.ArchiveCorrupt:
        record.missing += 1
        return False
    return True


def _delivery(delivery: Delivery, receipts: Sequence[Receipt]) -> dict[str, Any]:
    attempts = _rows(Attempt, Attempt.delivery_id == delivery.id)
    gateway = db.session.get_one(Gateway, delivery.gateway_id)
    facts: list[Fact] = [
        ("Status", "Status", words.both(words.STATES, delivery.state.value)),
        ("Format", "Format", in_words(delivery.format)),
        ("Sendt med", "Sent by", _label(transports(), delivery.transport)),
        ("Test", "Test", "ja / yes" if delivery.environment.value == "test" else None),
        ("Modtagerens reference", "The receiver's reference", delivery.remote_ref),
        ("Nøgle", "Key", delivery.idem_key),
    ]
    for one in attempts:
        ids = (f"{words.both(words.WIRE_IDS, name)}: {value}" for name, value in one.wire_ids.items())
        told = " · ".join(filter(None, (moment(one.created_at), words.both(words.OUTCOMES, one.outcome or ""), *ids)))
        facts.append((f"Forsøg {one.number}", f"Attempt {one.number}", told))
    return {
        "gateway": gateway.name,
        "facts": facts,
        "receipts": [
            {
                "kind": words.both(words.RECEIPTS, one.kind), "at": moment(one.created_at),
                "facts": _receipt(one),
                "text": json.dumps({"reference": one.reference, **one.evidence}, ensure_ascii=False, indent=2, default=str),
            }
            for one in receipts if one.delivery_id == delivery.id
        ],
    }  # fmt: skip


def in_words(format_id: str) -> str:
    """A format's name in both languages."""
    return words.bilingual(format_label(format_id))


def _label(kinds: Mapping[str, Any], kind: str) -> str:
    """Of a source or a transport; the kind itself where this installation does not have it any more."""
    return words.bilingual(kinds[kind].label) if kind in kinds else kind


def _receipt(receipt: Receipt) -> list[Fact]:
    evidence = receipt.evidence
    said = f"{evidence['da']} / {evidence['en']}" if "da" in evidence and "en" in evidence else ""
    return [
        ("Betyder", "Means", words.both(words.VERDICTS, str(evidence.get("verdict", "")))),
        ("Svar", "Answer", said),
        ("Reference", "Reference", receipt.reference),
        ("Bemærkning", "Note", evidence.get("note")),
    ]


def _event(event: Event) -> dict[str, str]:
    data = event.data
    text = f"{data['da']} / {data['en']}" if "da" in data and "en" in data else str(data.get("note") or "")
    kind = words.both(words.EVENTS, event.kind)
    return {"at": moment(event.created_at), "kind": kind, "text": text, "actor": event.actor}
