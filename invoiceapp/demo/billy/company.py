"""The demo company's books, built the same way every time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from invoiceapp.domain.money import ZERO

from . import catalogue, customers, hard_cases, ordinary
from .bookkeeping import Plan, book, invoice_id
from .customers import contact_id
from .records import Record, Tables, by_id, dumps, loads, record_id

#: The books cover this many days before the anchor.
DAYS = 120
FIRST_NUMBER = 1001
_PAID_AFTER_DAYS = 45
_OFFICE_OPENS, _OFFICE_HOURS = 7, 11
_NO_PDF_EVERY, _ATTACHMENT_EVERY = 10, 40
#: What Billy itself has sent: by position, so that the first documents are untouched. Seven is in none of the above.
_MAILED_EVERY, _EINVOICED_EVERY, _OFFSET = 15, 45, 7
_MAIL_STATES = ("sent", "opened", "viewed")


@dataclass(frozen=True, slots=True)
class Company:
    """One company's books as Billy keeps them."""

    anchor: date
    """Everything lies before the start of this day"""
    organization: Record
    user: Record
    tables: Tables
    """``invoices``, ``invoiceLines``, ``contacts``, ``contactPersons``, ``products`` … in order of creation"""
    hard_cases: dict[str, str]
    """Name of a difficult document to its invoice id; see ``hard_cases.py`` for the names"""

    def bundle(self, invoice_id: str) -> dict[str, Any]:
        """Every record that conversion of one document needs, with numbers as ``parse_float=Decimal`` reads them.

        Keys: ``organization``, ``account``, ``contact``, ``contactPerson``, ``products``, ``taxRates``, ``invoice``
        (with ``lines``) and ``creditedInvoice``; what does not exist is None or left out of its list.
        Raises ``KeyError`` for an unknown id.
        """
        tables = self.tables
        invoice = tables["invoices"][invoice_id]
        lines = [line for line in tables["invoiceLines"].values() if line["invoiceId"] == invoice_id]
        products = dict.fromkeys(line["productId"] for line in lines)
        result: dict[str, Any] = loads(
            dumps(
                {
                    "organization": self.organization,
                    "account": tables["accounts"].get(invoice["bankAccountId"]),
                    "contact": tables["contacts"][invoice["contactId"]],
                    "contactPerson": tables["contactPersons"].get(invoice["attContactPersonId"]),
                    "products": [tables["products"][key] for key in products if key in tables["products"]],
                    "taxRates": list(tables["taxRates"].values()),
                    "invoice": invoice | {"lines": lines},
                    "creditedInvoice": tables["invoices"].get(invoice["creditedInvoiceId"]),
                }
            )
        )
        return result


def _spread(everyday: list[Plan], difficult: list[Plan]) -> list[Plan]:
    """The difficult documents at even distances between the everyday ones, each list in its order."""
    mixed: list[Plan] = []
    distance = len(everyday) // (len(difficult) + 1)
    for position, plan in enumerate(everyday, start=1):
        mixed.append(plan)
        if position % distance == 0 and position // distance <= len(difficult):
            mixed.append(difficult[position // distance - 1])
    return mixed


def _approval_times(anchor: date, number: int) -> list[datetime]:
    """``number`` strictly rising times in office hours over the last ``DAYS`` days, the last on the day before."""
    end = datetime.combine(anchor, datetime.min.time())
    moments = (end - timedelta(days=DAYS) * (number - i) / number for i in range(number))
    midnights = ((moment, datetime.combine(moment.date(), datetime.min.time())) for moment in moments)
    return [
        midnight + timedelta(hours=_OFFICE_OPENS) + (moment - midnight) * _OFFICE_HOURS // 24
        for moment, midnight in midnights
    ]


def _settle(invoice: Record, anchor: date) -> None:
    """Old invoices are paid."""
    due = date.fromisoformat(invoice["entryDate"]) < anchor - timedelta(days=_PAID_AFTER_DAYS)
    if due and invoice["type"] == "invoice" and invoice["state"] == "approved":
        invoice |= {"balance": ZERO, "isPaid": True}


def _attach(invoice: Record) -> tuple[Record, Record]:
    """A time sheet on an invoice: the attachment and its file."""
    file = {
        "id": record_id("file", invoice["id"]),
        "createdTime": invoice["createdTime"],
        "fileName": f"timeseddel-{invoice['invoiceNo']}.pdf",
        "fileType": "application/pdf",
        "isImage": False,
        "isPdf": True,
        "imageWidth": None,
        "imageHeight": None,
    }
    attachment = {
        "id": record_id("attachment", invoice["id"]),
        "organizationId": catalogue.ORGANIZATION_ID,
        "createdTime": invoice["createdTime"],
        "ownerReference": f"invoice:{invoice['id']}",
        "fileId": file["id"],
        "priority": 0,
    }
    invoice["attachmentIds"] = [attachment["id"]]
    return attachment, file


def _sent_by_billy(invoice: Record, position: int) -> list[Record]:
    """Mark an approved invoice as e-mailed by Billy, or log that Billy sent it as an e-invoice: its log."""
    if invoice["state"] != "approved" or invoice["approvedTime"] is None or position <= _EINVOICED_EVERY // 2:
        return []
    if position % _MAILED_EVERY == _OFFSET:
        invoice["sentState"] = _MAIL_STATES[position // _MAILED_EVERY % len(_MAIL_STATES)]
    if position % _EINVOICED_EVERY != _OFFSET + 1:
        return []
    sent = datetime.fromisoformat(invoice["approvedTime"]) + timedelta(minutes=20)
    return [
        {
            "id": record_id("invoiceLog", invoice["id"], kind),
            "organizationId": catalogue.ORGANIZATION_ID,
            "invoiceId": invoice["id"],
            "type": kind,
            "message": message,
            "messageKey": f"delivery.{kind}",
            "eventTime": (sent + timedelta(minutes=minutes)).isoformat(timespec="seconds") + "Z",
        }
        for minutes, kind, message in (
            (0, "received", "Delivered to the recipient inbox."),
            (45, "signedoff", "Accepted by the recipient."),
        )
    ]


def _documents(plans: list[Plan], anchor: date, persons: list[Record]) -> Tables:
    """Everything that hangs on the booked plans: invoices, lines, attachments, files and Billy's own sendings."""
    attention = {person["contactId"]: person["id"] for person in persons}
    invoices, all_lines, attached = [], [], []
    logs: list[Record] = []
    numbers = count(FIRST_NUMBER)
    for position, (plan, approved_at) in enumerate(zip(plans, _approval_times(anchor, len(plans)), strict=True), 1):
        is_draft = plan.state == "draft"
        invoice, lines = book(
            plan,
            None if is_draft else str(next(numbers)),
            None if is_draft else approved_at,
            approved_at.date(),
            attention.get(contact_id(plan.customer)),
        )
        _settle(invoice, anchor)
        if position % _NO_PDF_EVERY == 0:
            invoice["downloadUrl"] = None
        if position % _ATTACHMENT_EVERY == 0:
            attached.append(_attach(invoice))
        logs += _sent_by_billy(invoice, position)
        invoices.append(invoice)
        all_lines += lines
    return {
        "invoices": by_id(invoices),
        "invoiceLines": by_id(all_lines),
        "attachments": by_id([attachment for attachment, _ in attached]),
        "files": by_id([file for _, file in attached]),
        "invoiceLogs": by_id(logs),
    }


def demo_company(anchor: date) -> Company:
    """The books of the invented "Nordlys Kontor & Service ApS" as they stand at the start of ``anchor``.

    The same anchor gives the same bytes; another anchor moves the dates and keeps ids, numbers and amounts.
    """
    contacts, persons = customers.contacts(), customers.contact_persons()
    difficult = hard_cases.plans()
    tables = _documents(_spread(ordinary.plans(contacts), difficult), anchor, persons) | {
        "contacts": by_id(contacts),
        "contactPersons": by_id(persons),
        "products": by_id(catalogue.products()),
        "productPrices": by_id(catalogue.product_prices()),
        "accounts": by_id(catalogue.accounts()),
        "taxRates": by_id(catalogue.tax_rates()),
        "salesTaxRulesets": by_id(catalogue.sales_tax_rulesets()),
        "currencies": by_id(catalogue.currencies()),
        "countries": by_id(catalogue.countries()),
        "cities": by_id(customers.cities()),
        "zipcodes": by_id(customers.zipcodes()),
        "invoiceDeliveries": {},
    }
    return Company(
        anchor=anchor,
        organization=catalogue.organization() | {"nextInvoiceNo": FIRST_NUMBER + len(tables["invoices"])},
        user=catalogue.user(),
        tables=tables,
        hard_cases={plan.key: invoice_id(plan.key) for plan in difficult},
    )
