"""An invoice out of the dictionary of business terms that the ``factur-x`` library reads from CII.

Where a document of somebody else repeats what our model has once, the first counts.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Classification,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    Period,
    Totals,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import ZERO, divide, to_decimal
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.base import Unreadable

from .terms import Terms

_CREDIT_NOTES = ("381", "261", "296", "308", "396", "420", "458", "532")


def invoice_of(terms: Terms) -> Invoice:
    """The invoice; its ``source_id`` is the number, because CII carries no other. Raises ``Unreadable``."""
    classes = {_class(item).key: _class(item, with_reason=True) for item in _many(terms, "BG-23")}
    number = _needed(terms, "BT-1")
    return Invoice(
        source_id=number,
        type=DocumentType.CREDIT_NOTE if _text(terms, "BT-3") in _CREDIT_NOTES else DocumentType.INVOICE,
        number=number,
        issue_date=_needed_date(terms, "BT-2"),
        currency=_needed(terms, "BT-5"),
        seller=_party(terms.get("BG-4") or {}),
        buyer=_party(terms.get("BG-7") or {}),
        lines=tuple(_line(item, classes) for item in _many(terms, "BG-25")),
        vat=tuple(_breakdown(item) for item in _many(terms, "BG-23")),
        totals=_totals(terms),
        due_date=_date(terms, "BT-9"),
        note=next((_text(item, "BT-22") for item in _many(terms, "BG-1")), None),
        buyer_reference=_text(terms, "BT-10"),
        order_reference=_text(terms, "BT-13"),
        sales_order_reference=_text(terms, "BT-14"),
        despatch_reference=_text(terms, "BT-16"),
        contract_reference=_text(terms, "BT-12"),
        project_reference=_text(terms, "BT-11"),
        accounting_cost=_text(terms, "BT-19"),
        period=_period(terms, "BT-73", "BT-74"),
        preceding=tuple(
            DocumentReference(_needed(item, "BT-25"), _date(item, "BT-26")) for item in _many(terms, "BG-3")
        ),
        payee=_payee(terms.get("BG-10") or {}),
        delivery=_delivery(terms),
        payment=_payment(terms),
        payment_terms=_text(terms, "BT-20"),
        allowances_charges=_allowances_charges(terms, "BG-20", "BG-21", classes),
        vat_in_tax_currency=_vat_in_tax_currency(terms),
        attachments=tuple(_attachment(item) for item in _many(terms, "BG-24") if item.get("BT-125")),
    )


def _missing(name: str) -> Unreadable:
    return Unreadable(
        Text(
            f"Filen mangler {name} eller har en værdi, vi ikke kan læse.",
            f"The file has no {name}, or an unreadable one.",
        )
    )


def _first(terms: Terms, name: str) -> Any:
    value = terms.get(name)
    return value[0] if isinstance(value, list) and value else value


def _text(terms: Terms, name: str) -> str | None:
    value = _first(terms, name)
    return value if isinstance(value, str) and value else None


def _needed(terms: Terms, name: str) -> str:
    value = _text(terms, name)
    if value is None:
        raise _missing(name)
    return value


def _date(terms: Terms, name: str) -> datetime.date | None:
    value = _first(terms, name)
    return value if isinstance(value, datetime.date) else None


def _needed_date(terms: Terms, name: str) -> datetime.date:
    value = _date(terms, name)
    if value is None:
        raise _missing(name)
    return value


def _number(terms: Terms, name: str) -> Decimal | None:
    value = _text(terms, name)
    if value is None:
        return None
    number = to_decimal(value)
    if number is None:
        raise _missing(name)
    return number


def _needed_number(terms: Terms, name: str) -> Decimal:
    number = _number(terms, name)
    if number is None:
        raise _missing(name)
    return number


def _many(terms: Terms, name: str) -> list[Terms]:
    value = terms.get(name)
    return value if isinstance(value, list) else []


def _address(party: Terms) -> Address:
    return Address(
        street=_text(party, "addr_l1"),
        additional=_text(party, "addr_l2"),
        city=_text(party, "city"),
        postal_code=_text(party, "postcode"),
        subdivision=_text(party, "country_subdivision"),
        country=_text(party, "country_code"),
    )


def _identifiers(party: Terms) -> tuple[Participant, ...]:
    """Numbers of a party that say of which list they are."""
    found = party.get("identifiers") or {}
    return tuple(Participant(scheme, value) for scheme, value in found.items() if scheme)


def _party(party: Terms) -> Party:
    address, scheme = _text(party, "einvoicing_addr"), _text(party, "einvoicing_addr_schemeid")
    contact = next(iter(_many(party, "contacts")), {})
    return Party(
        name=_text(party, "name") or "",
        endpoint=Participant(scheme, address) if address and scheme else None,
        trading_name=_text(party, "biz_name"),
        legal_id=_text(party, "legal_identifier"),
        legal_scheme=_text(party, "legal_identifier_schemeid"),
        vat_id=_text(party, "vat_identifier"),
        address=_address(party),
        contact=Contact(name=_text(contact, "name"), phone=_text(contact, "phone"), email=_text(contact, "email")),
        identifiers=_identifiers(party),
        legal_form=_text(party, "legal_info"),
    )


def _payee(party: Terms) -> Payee | None:
    return Payee(_text(party, "name") or "", _text(party, "legal_identifier")) if party else None


def _delivery(terms: Terms) -> Delivery | None:
    party = terms.get("BG-13") or {}
    address = _address(party)
    delivery = Delivery(
        date=_date(terms, "BT-72"),
        address=address if address != Address() else None,
        name=_text(party, "name"),
        location=next(iter(_identifiers(party)), None),
    )
    return delivery if delivery != Delivery() else None


def _payment(terms: Terms) -> tuple[PaymentMeans, ...]:
    code = _text(terms, "BT-81")
    if code is None:
        return ()
    known = {item.value: item for item in PaymentMeansCode}
    means = PaymentMeans(
        # A way to pay that Danish invoices do not know is still told by its account.
        code=known.get(code, PaymentMeansCode.UNDEFINED),
        payment_id=_text(terms, "BT-83"),
        account=_text(terms, "BT-84"),
        branch=_text(terms, "BT-86"),
        account_name=_text(terms, "BT-85"),
        card_number=_text(terms, "BT-87"),
        mandate=_text(terms, "BT-89"),
        payer_account=_text(terms, "BT-91"),
    )
    return (means,)


def _totals(terms: Terms) -> Totals:
    return Totals(
        lines=_needed_number(terms, "BT-106"),
        allowances=_number(terms, "BT-107") or ZERO,
        charges=_number(terms, "BT-108") or ZERO,
        net=_needed_number(terms, "BT-109"),
        vat=_number(terms, "BT-110") or ZERO,
        gross=_needed_number(terms, "BT-112"),
        prepaid=_number(terms, "BT-113") or ZERO,
        rounding=_number(terms, "BT-114") or ZERO,
        payable=_needed_number(terms, "BT-115"),
    )


def _vat_in_tax_currency(terms: Terms) -> VatInTaxCurrency | None:
    currency, amount = _text(terms, "BT-6"), _number(terms, "BT-111")
    if currency is None or amount is None:
        return None
    # EN 16931 carries both amounts and no rate.
    vat = _number(terms, "BT-110") or ZERO
    return VatInTaxCurrency(currency, amount, rate=divide(amount, vat, 6) if vat else ZERO)


def _category(value: str | None) -> VatCategory:
    try:
        return VatCategory(value or "")
    except ValueError as error:
        raise _missing("BT-118") from error


def _class(item: Terms, *, with_reason: bool = False) -> VatClass:
    return VatClass(
        _category(_text(item, "BT-118")),
        _number(item, "BT-119") or ZERO,
        _text(item, "BT-120") if with_reason else None,
        _text(item, "BT-121") if with_reason else None,
    )


def _known(category: str | None, percent: Decimal | None, classes: dict[tuple[str, Decimal], VatClass]) -> VatClass:
    """A line's class with the reason that stands in the breakdown, where alone EN 16931 has it (BT-120)."""
    bare = VatClass(_category(category), percent or ZERO)
    return classes.get(bare.key, bare)


def _breakdown(item: Terms) -> VatBreakdown:
    return VatBreakdown(_class(item, with_reason=True), _needed_number(item, "BT-116"), _needed_number(item, "BT-117"))


def _allowances_charges(
    terms: Terms, allowances: str, charges: str, classes: dict[tuple[str, Decimal], VatClass]
) -> tuple[AllowanceCharge, ...]:
    """Allowances first, as the library writes them."""
    return tuple(
        AllowanceCharge(
            is_charge=is_charge,
            amount=_needed_number(item, "amount"),
            reason=_text(item, "reason") or "",
            vat=_known(_text(item, "vat_category_code"), _number(item, "vat_rate"), classes)
            if item.get("vat_category_code")
            else None,
            percent=_number(item, "rate"),
            base=_number(item, "base_amount"),
            reason_code=_text(item, "reason_code"),
        )
        for name, is_charge in ((allowances, False), (charges, True))
        for item in _many(terms, name)
    )


def _attachment(item: Terms) -> Attachment:
    return Attachment(
        id=_needed(item, "BT-122"),
        filename=_text(item, "BT-125-2") or "",
        media_type=_text(item, "BT-125-1") or "application/octet-stream",
        content=bytes(item["BT-125"]),
        description=_text(item, "BT-123"),
    )


def _period(terms: Terms, start: str, end: str) -> Period | None:
    period = Period(_date(terms, start), _date(terms, end))
    return period if period != Period() else None


def _line(item: Terms, classes: dict[tuple[str, Decimal], VatClass]) -> Line:
    base_quantity = _number(item, "BT-149")
    return Line(
        id=_needed(item, "BT-126"),
        quantity=_needed_number(item, "BT-129"),
        unit=_text(item, "BT-130") or "C62",
        net_amount=_needed_number(item, "BT-131"),
        price=_needed_number(item, "BT-146"),
        vat=_known(_text(item, "BT-151"), _number(item, "BT-152"), classes),
        item=_item(item),
        note=next((_text(note, "BT-127") for note in _many(item, "BT-127-00")), None),
        order_line=_text(item, "BT-132"),
        accounting_cost=_text(item, "BT-133"),
        allowances_charges=_allowances_charges(item, "BG-27", "BG-28", {}),
        period=_period(item, "BT-134", "BT-135"),
        base_quantity=base_quantity if base_quantity is not None else Decimal(1),
    )


def _item(item: Terms) -> Item:
    return Item(
        name=_text(item, "BT-153") or "",
        description=_text(item, "BT-154"),
        sellers_id=_text(item, "BT-155"),
        standard_id=_text(item, "BT-157"),
        buyers_id=_text(item, "BT-156"),
        classifications=tuple(
            Classification(code, list_id, version)
            for list_id, versions in (item.get("BT-158") or {}).items()
            for version, code in versions.items()
        ),
    )
