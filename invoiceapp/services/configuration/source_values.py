"""What the source says of supplier and customer, as the settings pages show it beside empty fields.

Taken from the newest document by the very mapping that makes the e-invoice, so
that the page promises nothing else than what is sent.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from invoiceapp.domain.identifiers import CVR, GLN, Participant, cvr_from
from invoiceapp.domain.invoice import Invoice, PaymentMeansCode
from invoiceapp.domain.parties import Party
from invoiceapp.domain.settings import Settings
from invoiceapp.models import Adaptor, Customer, Document, db
from invoiceapp.sources.base import UnusableBundle

from .sources import source_class


def _newest(adaptor: Adaptor, customer_id: str | None = None) -> Invoice | None:
    query = select(Document).options(undefer(Document.bundle)).where(Document.adaptor_id == adaptor.id)
    if customer_id is not None:
        query = query.where(Document.customer_id == customer_id)
    document = db.session.scalar(query.order_by(Document.issue_date.desc(), Document.id.desc()).limit(1))
    if document is None:
        return None
    try:
        return source_class(adaptor).convert(document.bundle, Settings()).invoice
    except UnusableBundle:
        return None


def _party(party: Party) -> dict[str, Any]:
    return {
        "endpoint": party.endpoint,
        "name": party.name,
        "street": party.address.street,
        "postalCode": party.address.postal_code,
        "city": party.address.city,
        "vatNumber": party.vat_id,
        "contactName": party.contact.name,
        "email": party.contact.email,
    }


def _bank(invoice: Invoice) -> dict[str, Any]:
    means = next(iter(invoice.payment), None)
    if means is None:
        return {}
    if means.code is PaymentMeansCode.BANK_ACCOUNT:
        return {"bankRegistration": means.branch, "bankAccount": means.account}
    return {"iban": means.account, "bic": means.branch}


def of_supplier(adaptor: Adaptor) -> dict[str, Any]:
    """Values of the supplier group by field name; only what is known."""
    invoice = _newest(adaptor)
    if invoice is None:
        name = (adaptor.organization or {}).get("name")
        return {"name": name} if name else {}
    values = {**_party(invoice.seller), "phone": invoice.seller.contact.phone, **_bank(invoice)}
    return {name: value for name, value in values.items() if value}


def _endpoint(customer: Customer) -> Participant | None:
    if customer.gln:
        return Participant(GLN, customer.gln)
    cvr = cvr_from(customer.registration_no) if customer.country == "DK" else None
    return Participant(CVR, cvr) if cvr else None


def of_customer(adaptor: Adaptor, customer: Customer) -> dict[str, Any]:
    """Values of the customer group by field name; only what is known."""
    invoice = _newest(adaptor, customer.id)
    if invoice is None:
        values: dict[str, Any] = {
            "endpoint": _endpoint(customer), "name": customer.name, "city": customer.city, "country": customer.country
        }  # fmt: skip
    else:
        values = {
            **_party(invoice.buyer),
            "country": invoice.buyer.address.country,
            "buyerReference": invoice.buyer_reference,
        }
    return {name: value for name, value in values.items() if value}
