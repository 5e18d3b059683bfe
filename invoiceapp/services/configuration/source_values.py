"""What the source says of supplier and customer, as the settings pages show it beside empty fields.

Taken from the newest document by the very mapping that makes the e-invoice, so
that the page promises nothing else than what is sent.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from invoiceapp.domain.identifiers import CVR, GLN, Participant, cvr_from
from invoiceapp.domain.invoice import Invoice, PaymentMeans
from invoiceapp.domain.parties import Party
from invoiceapp.domain.settings import Settings, SupplierSettings
from invoiceapp.models import Adaptor, Customer, Document, Gateway, db
from invoiceapp.sources.base import UnusableBundle

from .sources import source_class


def _newest(adaptor: Adaptor, customer_id: str | None = None) -> Document | None:
    query = select(Document).options(undefer(Document.bundle)).where(Document.adaptor_id == adaptor.id)
    if customer_id is not None:
        query = query.where(Document.customer_id == customer_id)
    return db.session.scalar(query.order_by(Document.issue_date.desc(), Document.id.desc()).limit(1))


def _converted(adaptor: Adaptor, document: Document | None, payment_method: str = "auto") -> Invoice | None:
    if document is None:
        return None
    settings = Settings(supplier=SupplierSettings(payment_method=payment_method))
    try:
        return source_class(adaptor).convert(document.bundle, settings).invoice
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
        "gln": party.gln,
    }


def _means(adaptor: Adaptor, document: Document | None, method: str) -> PaymentMeans | None:
    """What an invoice would carry if the user chose this way to pay; None where the books lack it."""
    invoice = _converted(adaptor, document, method)
    return next(iter(invoice.payment), None) if invoice else None


def _bank(adaptor: Adaptor, document: Document | None) -> dict[str, Any]:
    danish, iban = _means(adaptor, document, "bank"), _means(adaptor, document, "iban")
    values: dict[str, Any] = {}
    if danish is not None:
        values |= {"bankRegistration": danish.branch, "bankAccount": danish.account}
    if iban is not None:
        values |= {"iban": iban.account, "bic": iban.branch}
    return values


def of_supplier(adaptor: Adaptor) -> dict[str, Any]:
    """Values of the supplier group by field name; only what is known."""
    document = _newest(adaptor)
    invoice = _converted(adaptor, document)
    if invoice is None:
        name = (adaptor.organization or {}).get("name")
        return {"name": name} if name else {}
    values = {**_party(invoice.seller), "phone": invoice.seller.contact.phone, **_bank(adaptor, document)}
    return {name: value for name, value in values.items() if value}


def _endpoint(customer: Customer) -> Participant | None:
    if customer.gln:
        return Participant(GLN, customer.gln)
    cvr = cvr_from(customer.registration_no) if customer.country == "DK" else None
    return Participant(CVR, cvr) if cvr else None


def of_customer(adaptor: Adaptor, customer: Customer) -> dict[str, Any]:
    """Values of the customer group by field name; only what is known."""
    invoice = _converted(adaptor, _newest(adaptor, customer.id))
    if invoice is None:
        values: dict[str, Any] = {
            "endpoint": _endpoint(customer), "name": customer.name, "city": customer.city, "country": customer.country,
            "gln": customer.gln,
        }  # fmt: skip
    else:
        address = invoice.delivery.address if invoice.delivery else None
        values = {
            **_party(invoice.buyer),
            "country": invoice.buyer.address.country,
            "buyerReference": invoice.buyer_reference,
            "deliveryCountry": address.country if address else None,
        }
    return {name: value for name, value in values.items() if value}


def of_gateway(customer: Customer, gateway: Gateway | None) -> dict[str, Any]:
    """Values of the gateway group by field name: what the gateway itself does, and the customer's address in the books."""
    name = (gateway.config if gateway else {}).get("filename")
    return {field: value for field, value in (("fileName", name), ("receiverEmail", customer.email)) if value}
