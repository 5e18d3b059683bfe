"""The books of a running stand-in, and what may be done to them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

from invoiceapp.domain.money import ZERO, to_decimal

from . import pdf
from .bookkeeping import Plan, Sale, book
from .catalogue import EXCHANGE_RATES, PRODUCT_BY_NUMBER, TAX_RATES, tax_rate_for, tax_rate_id
from .company import Company
from .customers import contact_id
from .ordinary import plan_for, sellable
from .records import Record, record_id

Clock = Callable[[], datetime]


class BookingRefused(Exception):
    """A record that Billy would not take: the message, and one per attribute."""

    def __init__(self, message: str, attributes: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.attributes = dict(attributes or {})


class Store:
    """A company's records, copied so that changes stay here. Safe to use from several threads."""

    def __init__(self, company: Company, clock: Clock = datetime.now) -> None:
        self.organization = dict(company.organization)
        self.user = dict(company.user)
        self.tables = copy.deepcopy(company.tables)
        self._clock = clock
        self._lock = threading.RLock()
        self._random = Random("nordlys-live")  # noqa: S311 - a demo, not a secret

    def records(self, plural: str) -> list[Record]:
        """All records of a resource, in order of creation."""
        with self._lock:
            return list(self.tables[plural].values())

    def get(self, plural: str, key: str) -> Record | None:
        """One record, or None."""
        return self.tables[plural].get(key)

    def children(self, plural: str, foreign_key: str, value: str) -> list[Record]:
        """The records whose ``foreign_key`` is ``value``."""
        return [record for record in self.records(plural) if record[foreign_key] == value]

    def file_content(self, plural: str, key: str) -> bytes:
        """The PDF of an invoice (``invoices``) or an attached file (``files``)."""
        record = self.tables[plural][key]
        if plural == "files":
            return pdf.render(["Timeseddel", record["fileName"], record["createdTime"]])
        lines = self.children("invoiceLines", "invoiceId", key)
        return pdf.invoice_pdf(self.organization, self.tables, record, lines)

    def book(self, payload: Mapping[str, Any]) -> tuple[Record, list[Record]]:
        """Book the ``invoice`` of a POST body, as a draft or approved. Raises ``BookingRefused``."""
        contact = self.get("contacts", str(payload.get("contactId")))
        if contact is None:
            raise BookingRefused("The invoice has no contact.", {"contactId": "A contact is required."})
        state = payload.get("state", "draft")
        if state not in ("draft", "approved"):
            raise BookingRefused("An invoice is created as a draft or approved.", {"state": "Invalid state."})
        currency = payload.get("currencyId") or "DKK"
        if currency not in EXCHANGE_RATES:
            raise BookingRefused("Unknown currency.", {"currencyId": "Unknown currency."})
        sales = tuple(self._sale(line, contact) for line in payload.get("lines") or [])
        with self._lock:
            return self._enter(
                Plan(
                    key=self._new_key(),
                    customer=contact["contactNo"],
                    sales=sales,
                    type="creditNote" if payload.get("type") == "creditNote" else "invoice",
                    tax_mode="incl" if payload.get("taxMode") == "incl" else "excl",
                    currency=currency,
                    state=state,
                    order_no=payload.get("orderNo"),
                    message=payload.get("contactMessage"),
                    overrides={"creditedInvoiceId": payload.get("creditedInvoiceId")},
                )
            )

    def book_random(self) -> Record:
        """Book an everyday invoice to an everyday customer, approved now."""
        with self._lock:
            customer = self._random.choice(sellable(self.records("contacts")))
            invoice, _ = self._enter(plan_for(self._new_key(), customer, self._random))
        return invoice

    def void(self, key: str) -> Record | None:
        """Void an invoice: the due date goes, the balance stays as Billy leaves it. None for an unknown id."""
        with self._lock:
            invoice = self.get("invoices", key)
            if invoice is None:
                return None
            voided = invoice | {"state": "voided", "dueDate": None, "isPaid": False}
            self.tables["invoices"][key] = voided
        return voided

    def deliver(self, payload: Mapping[str, Any]) -> Record:
        """Billy's own e-invoice delivery: taken at once and logged as received. Raises ``BookingRefused``."""
        invoice = self.get("invoices", str(payload.get("invoiceId")))
        if invoice is None or invoice["state"] != "approved":
            raise BookingRefused("Only an approved invoice can be delivered.", {"invoiceId": "Not approved."})
        with self._lock:
            number = len(self.tables["invoiceDeliveries"])
            delivery = {**payload, "id": record_id("invoiceDelivery", number)}
            log = {
                "id": record_id("invoiceLog", number),
                "organizationId": invoice["organizationId"],
                "invoiceId": invoice["id"],
                "type": "received",
                "message": "Delivered to the recipient inbox.",
                "messageKey": "delivery.received",
                "eventTime": self._clock().isoformat(timespec="seconds") + "Z",
            }
            self.tables["invoiceDeliveries"][delivery["id"]] = delivery
            self.tables["invoiceLogs"][log["id"]] = log
        return delivery

    def _new_key(self) -> str:
        return f"live-{len(self.tables['invoices']) + 1}"

    def _enter(self, plan: Plan) -> tuple[Record, list[Record]]:
        """Give a plan the next number, unless it is a draft, and enter it in the books. Needs the lock."""
        now = self._clock().replace(microsecond=0)
        number = None
        if plan.state == "approved":
            number = str(self.organization["nextInvoiceNo"])
            self.organization["nextInvoiceNo"] += 1
        invoice, lines = book(plan, number, now if number else None, now.date(), self._attention(plan))
        self.tables["invoices"][invoice["id"]] = invoice
        self.tables["invoiceLines"] |= {line["id"]: line for line in lines}
        return invoice, lines

    def _attention(self, plan: Plan) -> str | None:
        persons = self.children("contactPersons", "contactId", contact_id(plan.customer))
        return persons[0]["id"] if persons else None

    def _sale(self, line: Mapping[str, Any], contact: Record) -> Sale:
        product = self.get("products", str(line.get("productId")))
        price, quantity = to_decimal(line.get("unitPrice")), to_decimal(line.get("quantity", 1))
        if product is None:
            raise BookingRefused("A line has no product.", {"productId": "A product is required."})
        if price is None or quantity is None:
            raise BookingRefused("A line has no price.", {"unitPrice": "A number is required."})
        ruled = tax_rate_for(PRODUCT_BY_NUMBER[product["productNo"]], contact["countryId"])
        chosen = {tax_rate_id(key): key for key in TAX_RATES}.get(str(line.get("taxRateId")), ruled)
        mode = line.get("discountMode")
        value: Decimal = to_decimal(line.get("discountValue")) or ZERO
        return Sale(
            product["productNo"],
            quantity,
            price,
            chosen,
            description=line.get("description"),
            discount_mode=mode if mode in ("percent", "cash") else None,
            discount_value=value if mode in ("percent", "cash") else None,
        )
