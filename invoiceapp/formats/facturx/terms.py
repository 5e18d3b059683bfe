"""The invoice as the dictionary of business terms that the ``factur-x`` library writes CII from.

Keys are the library's own: ``BT-1``, ``BG-25`` … for terms and groups, words
inside parties and allowances. Empty values are left out, because the library
would write empty elements or log that it drops them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from invoiceapp.domain.identifiers import CVR, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Delivery,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    Period,
)
from invoiceapp.domain.money import fixed2, plain
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.base import UNWRITABLE

Terms = dict[str, Any]

#: GS1, the list that GTINs belong to (ISO 6523).
GTIN_SCHEME = "0160"


def terms_of(invoice: Invoice) -> Terms:
    """A new dictionary each time, because the library changes the one it is given."""
    filled: Terms = _filled(
        {
            **_head(invoice),
            **_references(invoice),
            **_parties(invoice),
            **_payment(invoice.payment[0] if invoice.payment else None),
            **_totals(invoice),
            "BG-20": [_allowance_charge(item) for item in invoice.allowances_charges if not item.is_charge],
            "BG-21": [_allowance_charge(item) for item in invoice.allowances_charges if item.is_charge],
            "BG-23": [_breakdown(item) for item in invoice.vat],
            "BG-24": [_attachment(item) for item in invoice.attachments],
            "BG-25": [_line(line) for line in invoice.lines],
        }
    )
    return filled


def _filled(value: Any) -> Any:
    """Without empty texts, lists and groups, and without what XML cannot carry."""
    if isinstance(value, str):
        return UNWRITABLE.sub("", value)
    if isinstance(value, dict):
        kept = {key: _filled(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, "", [], {})}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return value


def _head(invoice: Invoice) -> Terms:
    period = invoice.period or Period()
    delivery = invoice.delivery or Delivery()
    return {
        "BT-1": invoice.number,
        "BT-2": invoice.issue_date,
        "BT-3": invoice.type.code,
        "BT-5": invoice.currency,
        "BT-9": invoice.due_date,
        "BT-20": invoice.payment_terms,
        "BT-72": delivery.date,
        "BT-73": period.start,
        "BT-74": period.end,
        "BG-1": [{"BT-22": invoice.note}] if invoice.note else [],
    }


def _references(invoice: Invoice) -> Terms:
    return {
        "BT-10": invoice.buyer_reference,
        "BT-11": invoice.project_reference,
        "BT-12": invoice.contract_reference,
        "BT-13": invoice.order_reference,
        "BT-14": invoice.sales_order_reference,
        "BT-16": invoice.despatch_reference,
        "BT-19": invoice.accounting_cost,
        "BG-3": [{"BT-25": item.number, "BT-26": item.issue_date} for item in invoice.preceding],
    }


def _parties(invoice: Invoice) -> Terms:
    return {
        "BG-4": {**_party(invoice.seller), "legal_info": invoice.seller.legal_form},
        "BG-7": _party(invoice.buyer),
        "BG-10": _payee(invoice.payee),
        "BG-13": _ship_to(invoice.delivery),
    }


def _party(party: Party) -> Terms:
    endpoint = party.endpoint
    return {
        "name": party.name,
        "biz_name": party.trading_name,
        "identifiers": _identifiers(party.identifiers),
        "legal_identifier": party.legal_id,
        "legal_identifier_schemeid": party.legal_scheme,
        "vat_identifier": party.vat_id,
        "einvoicing_addr": endpoint.value if endpoint else None,
        "einvoicing_addr_schemeid": endpoint.scheme if endpoint else None,
        "contacts": _contacts(party.contact),
        **_address(party.address),
    }


def _identifiers(numbers: Iterable[Participant]) -> Terms:
    """By scheme; the library takes one number of each, and the first is the one that the user meant."""
    found: Terms = {}
    for number in numbers:
        found.setdefault(number.scheme, number.value)
    return found


def _contacts(contact: Contact) -> list[Terms]:
    written = {"name": contact.name, "phone": contact.phone, "email": contact.email}
    return [written] if any(written.values()) else []


def _address(address: Address) -> Terms:
    return {
        "addr_l1": address.street,
        "addr_l2": address.additional,
        "city": address.city,
        "postcode": address.postal_code,
        "country_subdivision": address.subdivision,
        "country_code": address.country,
    }


def _payee(payee: Payee | None) -> Terms:
    if payee is None:
        return {}
    scheme = CVR if payee.legal_id else None
    return {"name": payee.name, "legal_identifier": payee.legal_id, "legal_identifier_schemeid": scheme}


def _ship_to(delivery: Delivery | None) -> Terms:
    if delivery is None:
        return {}
    return {
        "name": delivery.name,
        "identifiers": _identifiers([delivery.location] if delivery.location else []),
        **(_address(delivery.address) if delivery.address else {}),
    }


def _payment(means: PaymentMeans | None) -> Terms:
    if means is None:
        return {}
    return {
        "BT-81": means.code.value,
        "BT-83": means.payment_id,
        "BT-84": means.account,
        "BT-85": means.account_name,
        "BT-86": means.branch,
        "BT-87": means.card_number,
        "BT-89": means.mandate,
        "BT-91": means.payer_account,
    }


def _totals(invoice: Invoice) -> Terms:
    totals, other = invoice.totals, invoice.vat_in_tax_currency
    return {
        "BT-6": other.currency if other else None,
        "BT-106": fixed2(totals.lines),
        "BT-107": _unless_zero(totals.allowances),
        "BT-108": _unless_zero(totals.charges),
        "BT-109": fixed2(totals.net),
        "BT-110": fixed2(totals.vat),
        "BT-111": fixed2(other.amount) if other else None,
        "BT-112": fixed2(totals.gross),
        "BT-113": _unless_zero(totals.prepaid),
        "BT-114": _unless_zero(totals.rounding),
        "BT-115": fixed2(totals.payable),
    }


def _unless_zero(value: Decimal) -> str | None:
    return fixed2(value) if value else None


def _percent(vat: VatClass) -> str | None:
    # BR-O-05: no percentage where the sale is outside the scope of VAT.
    return None if vat.category is VatCategory.OUTSIDE_SCOPE else plain(vat.percent)


def _breakdown(item: VatBreakdown) -> Terms:
    return {
        "BT-116": fixed2(item.taxable_amount),
        "BT-117": fixed2(item.tax_amount),
        "BT-118": item.vat.category.value,
        "BT-119": _percent(item.vat),
        "BT-120": item.vat.exemption_reason,
        "BT-121": item.vat.exemption_code,
    }


def _allowance_charge(item: AllowanceCharge) -> Terms:
    return {
        "amount": fixed2(item.amount),
        "base_amount": fixed2(item.base) if item.base is not None else None,
        "rate": plain(item.percent) if item.percent is not None else None,
        "reason": item.reason,
        "reason_code": item.reason_code,
        "vat_category_code": item.vat.category.value if item.vat else None,
        "vat_rate": _percent(item.vat) if item.vat else None,
    }


def _attachment(item: Attachment) -> Terms:
    return {
        "BT-122": item.id,
        "BT-123": item.description,
        "BT-125": item.content or None,
        "BT-125-1": item.media_type,
        "BT-125-2": item.filename,
    }


def _price(value: Decimal) -> str:
    """As many decimals as it has, but at least two."""
    digits = plain(value)
    return digits if len(digits.partition(".")[2]) > 1 else fixed2(value)


def _line(line: Line) -> Terms:
    period = line.period or Period()
    return {
        "BT-126": line.id,
        "BT-127-00": [{"BT-127": line.note}] if line.note else [],
        "BT-129": plain(line.quantity),
        "BT-130": line.unit,
        "BT-131": fixed2(line.net_amount),
        "BT-132": line.order_line,
        "BT-133": line.accounting_cost,
        "BT-134": period.start,
        "BT-135": period.end,
        "BT-146": _price(line.price),
        # One unit is what is meant where it is left out.
        "BT-149": plain(line.base_quantity) if line.base_quantity != 1 else None,
        "BT-151": line.vat.category.value,
        "BT-152": _percent(line.vat),
        **_item(line.item),
        # Allowances and charges of a line have no VAT category of their own (BG-27, BG-28).
        "BG-27": [_allowance_charge(item) for item in line.allowances_charges if not item.is_charge],
        "BG-28": [_allowance_charge(item) for item in line.allowances_charges if item.is_charge],
    }


def _item(item: Item) -> Terms:
    kinds: dict[str, dict[str | None, str]] = {}
    for kind in item.classifications:
        kinds.setdefault(kind.list_id, {}).setdefault(kind.version, kind.code)
    return {
        "BT-153": item.name,
        "BT-154": item.description,
        "BT-155": item.sellers_id,
        "BT-156": item.buyers_id,
        "BT-157": item.standard_id,
        "BT-157-1": GTIN_SCHEME if item.standard_id else None,
        "BT-158": kinds,
    }
