"""Makes invoice and line records from what was sold, by Billy's arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from . import amounts, catalogue
from .customers import contact_id
from .records import Record, record_id

PAYMENT_DAYS = 14


@dataclass(frozen=True, slots=True)
class Sale:
    """One line to be booked; ``price`` is in document currency, with VAT where the document's prices are."""

    product: str | None
    """Product number; None is a line without product"""
    quantity: Decimal
    price: Decimal
    rate: str = "standard"
    """Key of ``catalogue.TAX_RATES``"""
    description: str | None = None
    discount_mode: str | None = None
    discount_value: Decimal | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Properties that the finished line record gets instead"""


@dataclass(frozen=True, slots=True)
class Plan:
    """One document to be booked."""

    key: str
    """Unique name, from which the record id derives"""
    customer: str
    """``contactNo``"""
    sales: tuple[Sale, ...]
    type: str = "invoice"
    tax_mode: str = "excl"
    currency: str = "DKK"
    state: str = "approved"
    order_no: str | None = None
    message: str | None = None
    credits: str | None = None
    """Key of the plan that a credit note credits"""
    header_error: Decimal = Decimal(0)
    """Added to the header's net and gross, so that they do not match the lines"""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Properties that the finished invoice record gets instead"""


def invoice_id(key: str) -> str:
    """Record id of a plan's document."""
    return record_id("invoice", key)


def line_record(document_id: str, priority: int, tax_mode: str, sale: Sale) -> Record:
    """An ``invoiceLine``; ``amount`` is after discount and includes VAT where ``tax_mode`` is ``incl``."""
    amount = amounts.line_amount(sale.quantity, sale.price, sale.discount_mode, sale.discount_value)
    _, _, rate = catalogue.TAX_RATES[sale.rate]
    return {
        "id": record_id("invoiceLine", document_id, priority),
        "invoiceId": document_id,
        "productId": record_id("product", sale.product) if sale.product else None,
        "description": sale.description,
        "quantity": sale.quantity,
        "unitPrice": sale.price,
        "amount": amount,
        "tax": amounts.line_tax(amount, rate, tax_mode),
        "taxRateId": catalogue.tax_rate_id(sale.rate),
        "discountText": "Rabat" if sale.discount_mode else None,
        "discountMode": sale.discount_mode,
        "discountValue": sale.discount_value,
        "priority": priority,
    } | dict(sale.overrides)


def _line_description(sales: tuple[Sale, ...]) -> str:
    product = catalogue.PRODUCT_BY_NUMBER.get(sales[0].product or "") if sales else None
    name = product.name if product else ""
    return f"{name} m.fl." if len(sales) > 1 else name


def _pdf_name(plan: Plan, number: str | None) -> str | None:
    if number is None:
        return None
    return f"{'creditnote' if plan.type == 'creditNote' else 'invoice'}-{number}.pdf"


def invoice_record(
    plan: Plan,
    lines: list[Record],
    number: str | None,
    approved_at: datetime | None,
    entry_date: date,
    attention: str | None = None,
) -> Record:
    """An ``invoice``. ``downloadUrl`` holds the PDF's file name only; the API makes an address of it."""
    net, tax = amounts.document_totals([(line["amount"], line["tax"]) for line in lines], plan.tax_mode)
    net += plan.header_error
    created = (approved_at or datetime.combine(entry_date, datetime.min.time())) - timedelta(minutes=2)
    return {
        "id": invoice_id(plan.key),
        "organizationId": catalogue.ORGANIZATION_ID,
        "type": plan.type,
        "createdTime": created.isoformat(timespec="seconds"),
        "approvedTime": approved_at.isoformat(timespec="seconds") if approved_at else None,
        "contactId": contact_id(plan.customer),
        "attContactPersonId": attention,
        "entryDate": entry_date.isoformat(),
        "paymentTermsMode": "net",
        "paymentTermsDays": PAYMENT_DAYS,
        "dueDate": (entry_date + timedelta(days=PAYMENT_DAYS)).isoformat(),
        "state": plan.state,
        "sentState": "unsent",
        "externalId": None,
        "quoteId": None,
        "invoiceNo": number,
        "taxMode": plan.tax_mode,
        "amount": net,
        "tax": tax,
        "grossAmount": net + tax,
        "currencyId": plan.currency,
        "exchangeRate": catalogue.EXCHANGE_RATES[plan.currency],
        "balance": net + tax,
        "isPaid": False,
        "creditedInvoiceId": invoice_id(plan.credits) if plan.credits else None,
        "contactMessage": plan.message,
        "lineDescription": _line_description(plan.sales),
        "bankAccountId": catalogue.BANK_ACCOUNT_ID,
        "recurringInvoiceId": None,
        "templateId": None,
        "downloadUrl": _pdf_name(plan, number),
        "orderNo": plan.order_no,
        "paymentMethods": [],
        "attachmentIds": [],
    } | dict(plan.overrides)


def book(
    plan: Plan, number: str | None, approved_at: datetime | None, entry_date: date, attention: str | None = None
) -> tuple[Record, list[Record]]:
    """The invoice and its lines; a draft has neither number nor approval time.

    ``attention`` is the id of the contact person whom the document is addressed to.
    """
    document_id = invoice_id(plan.key)
    lines = [line_record(document_id, i, plan.tax_mode, sale) for i, sale in enumerate(plan.sales, start=1)]
    return invoice_record(plan, lines, number, approved_at, entry_date, attention), lines
