"""What settings say of file names and of the address that mails go to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.file_names import FileName
from invoiceapp.models import Adaptor, Customer, Document

from .settings import resolve_one


def template(common: Mapping[str, Any], override: Mapping[str, Any]) -> str | None:
    """The customer's template for file names; None leaves it to the gateway."""
    value = resolve_one("gateway", "fileName", common, override).value
    return str(value) if value else None


def file_name(document: Document, order: str | None, customer_number: str | None, template: str | None) -> FileName:
    """How the files of one document are called; ``order`` is the order number that the e-invoice carries."""
    values = {
        "type": document.type.value,
        "number": document.number,
        "date": document.issue_date.isoformat(),
        "customer": document.customer_name,
        "customer-number": customer_number,
        "order": order,
    }
    return FileName(template, {name: value[:100] for name, value in values.items() if value})


def receiver_email(customer: Customer | None, adaptor: Adaptor) -> str | None:
    """Where a mail goes, as the settings are now: a corrected address holds for the next attempt."""
    if customer is None:
        return None
    override = customer.rule.settings if customer.rule else {}
    chosen = resolve_one("gateway", "receiverEmail", adaptor.settings, override).value
    return str(chosen) if chosen else customer.email
