from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import event, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import Document, Stage, db
from invoiceapp.services.daily import listing, listing_csv
from invoiceapp.services.daily.listing import Filter, View
from invoiceapp.services.daily.listing_csv import COLUMNS, Words


def words(is_danish: bool = True) -> Words:
    return Words(
        {name: name.upper() for name in COLUMNS}, {"creditNote": "Kreditnota"}, {"delivered": "Modtaget hos kunden"},
        {"delivered": "Modtaget"}, lambda name: f"<{name}>", is_danish,
    )  # fmt: skip


def written(adaptor_ids: list[str], view: View, said: Words) -> list[list[str]]:
    file = "".join(listing_csv.lines(adaptor_ids, view, said))
    assert file.startswith("\ufeff") and file.endswith("\r\n")
    return list(csv.reader(io.StringIO(file[1:], newline=""), delimiter=";"))


@pytest.fixture
def delivered(make_customer, make_document, make_delivery):
    document = make_document(
        make_customer("Kommune Eksempel"), "1001", net=Decimal("1000.50"), vat=Decimal("250.13"),
        issue_date=date(2026, 11, 2), type=DocumentType.CREDIT_NOTE, customer_order="PO 1", supplier_order="SO 2",
    )  # fmt: skip
    make_delivery(document, DeliveryState.DELIVERED, first_sent_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    return document


@pytest.mark.parametrize(
    ("is_danish", "day", "sent", "net"),
    [(True, "02-11-2026", "02-07-2026 00:30", "-1000,50"), (False, "2026-11-02", "2026-07-02 00:30", "-1000.50")],
)
def test_a_document_is_one_line_in_the_readers_form(adaptor, delivered, is_danish, day, sent, net):
    changed_at = db.session.scalar(select(Document.status_at))
    head, line = written([adaptor.id], View(), words(is_danish))
    assert head == [name.upper() for name in COLUMNS]
    mark = "," if is_danish else "."
    found = dict(zip(COLUMNS, line, strict=True))
    received = found.pop("received")
    assert received.endswith(f":{changed_at:%M}")
    assert found == {
        "sender": "Eksempel ApS", "receiver": "Kommune Eksempel", "number": "1001", "type": "Kreditnota", "date": day,
        "net": net, "vat": f"-250{mark}13", "total": f"-1250{mark}63", "currency": "DKK", "customer_order": "PO 1",
        "supplier_order": "SO 2", "format": "<peppol-bis-3>", "gateway": "SFTP", "status": "Modtaget hos kunden",
        "stage": "Modtaget", "sent": sent,
    }  # fmt: skip


def test_a_name_that_a_spreadsheet_would_calculate_stays_text(adaptor, make_customer, make_document):
    make_document(make_customer("=1+1"), "+45", stage=Stage.LISTED, customer_order="@x")
    line = dict(zip(COLUMNS, written([adaptor.id], View(), words())[1], strict=True))
    assert (line["receiver"], line["number"], line["customer_order"]) == ("'=1+1", "'+45", "'@x")
    assert (line["gateway"], line["sent"], line["received"], line["status"]) == ("", "", "", "listed")


def test_all_that_match_are_written_in_the_lists_order_some_at_a_time(
    adaptor, make_customer, make_document, monkeypatch
):
    monkeypatch.setattr(listing, "CHUNK", 4)
    customer = make_customer()
    for number in range(11):
        make_document(customer, f"A{number}", stage=Stage.LISTED, net=Decimal(number))
    make_document(customer, "B", stage=Stage.LISTED)
    asked: list[str] = []
    kept: list[int] = []
    adaptor_id = adaptor.id
    event.listen(db.engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    parts = []
    # Wherever the reader is, the file has it all.
    for part in listing_csv.lines([adaptor_id], View(Filter(text="a"), "-amount", after="50000~x"), words()):
        parts.append(part)
        kept.append(len(db.session.identity_map))
    rows = list(csv.reader(io.StringIO("".join(parts[1:])), delimiter=";"))
    assert [row[2] for row in rows] == [f"A{number}" for number in reversed(range(11))]
    assert [part.count("\r\n") for part in parts] == [1, 4, 4, 3] and max(kept[1:]) == 0
