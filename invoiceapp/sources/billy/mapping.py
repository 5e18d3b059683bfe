"""Billy's records -> the EN 16931 model. Pure: the same bundle and settings give the same invoice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Finding, Severity, Text, Turn, fatal, has_fatal
from invoiceapp.domain.invoice import (
    Attachment,
    DocumentReference,
    DocumentType,
    Invoice,
    Line,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import LARGEST_AMOUNT, ZERO, danish, fixed2, multiply, round2, to_decimal, total
from invoiceapp.domain.parties import Party
from invoiceapp.domain.settings import Settings
from invoiceapp.domain.tax import VatCategory
from invoiceapp.domain.totals import BookedTotals, Reconciled, reconcile
from invoiceapp.sources.base import Conversion, UnusableBundle

from . import parties
from .delivery import delivery, invoicing_period
from .lines import RawLine, Reading, best_reading, read_lines
from .order_numbers import order_number
from .payment import Bill, half_an_account, payment_means, payment_terms
from .texts import clean, clean_lines
from .vat import VatMapper

Record = Mapping[str, Any]

#: The krone's central rate to the euro is 7.46 (±2.25 %); a rate far below one is the inverse.
_EUR_IN_DKK = (Decimal("7"), Decimal("8"))


@dataclass(frozen=True, slots=True)
class _Records:
    """The parts of a bundle, checked for shape only."""

    organization: Record
    account: Record
    contact: Record
    person: Record | None
    products: dict[str, Record]
    tax_rates: dict[str, Record]
    invoice: Record
    lines: list[Record]
    credited: Record | None


def _unusable(da: str, en: str, detail: str = "") -> UnusableBundle:
    return UnusableBundle(Text(da, en), detail)


def _part(bundle: Record, name: str, required: bool = False) -> Any:
    value = bundle.get(name)
    if isinstance(value, Mapping):
        return value
    if value is None and not required:
        return None
    raise _unusable(f"Data fra Billy mangler »{name}«.", f"The records from Billy lack “{name}”.", name)


def _records_by_id(bundle: Record, name: str) -> dict[str, Record]:
    value = bundle.get(name) or []
    if not isinstance(value, list) or not all(isinstance(record, Mapping) for record in value):
        raise _unusable(f"»{name}« fra Billy er ikke en liste.", f"“{name}” from Billy is not a list.", name)
    return {str(record.get("id")): record for record in value}


def _open_bundle(bundle: object) -> _Records:
    if not isinstance(bundle, Mapping):
        raise _unusable("Data fra Billy er ikke et objekt.", "The records from Billy are not an object.")
    invoice = _part(bundle, "invoice", required=True)
    lines = invoice.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        raise _unusable(
            "Fakturaens linjer mangler i data fra Billy.",
            "The invoice's lines are missing from Billy's records.",
            "lines",
        )
    return _Records(
        organization=_part(bundle, "organization", required=True),
        account=_part(bundle, "account") or {},
        contact=_part(bundle, "contact", required=True),
        person=_part(bundle, "contactPerson"),
        products=_records_by_id(bundle, "products"),
        tax_rates=_records_by_id(bundle, "taxRates"),
        invoice=invoice,
        lines=lines,
        credited=_part(bundle, "creditedInvoice"),
    )


def _date(record: Record, name: str) -> date | None:
    value = clean(record.get(name))
    if value is None:
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError as error:
        raise _unusable(f"Datoen »{name}« kan ikke læses.", f"The date “{name}” cannot be read.", str(value)) from error


def _amount(invoice: Record, name: str) -> Decimal:
    number = to_decimal(invoice.get(name))
    if number is None or abs(number) > LARGEST_AMOUNT:
        raise _unusable(
            f"Dokumentets beløb »{name}« mangler i data fra Billy eller er ikke et tal, vi kan bruge.",
            f"The document's amount “{name}” is missing from Billy's records or is not a number we can use.",
            name,
        )
    return number


@dataclass(frozen=True, slots=True)
class _Header:
    type: DocumentType
    number: str
    issue_date: date
    due_date: date | None
    currency: str
    booked: BookedTotals
    flipped: bool


def _check_state(invoice: Record) -> None:
    if invoice.get("state") == "voided":
        raise _unusable("Dokumentet er annulleret i Billy.", "The document is voided in Billy.", "voided")
    if invoice.get("state") != "approved" or clean(invoice.get("invoiceNo")) is None:
        raise _unusable(
            "Dokumentet er en kladde i Billy. Godkend det først.",
            "The document is a draft in Billy. Approve it first.",
            "draft",
        )


def _header(invoice: Record, findings: list[Finding]) -> _Header:
    _check_state(invoice)
    issue_date = _date(invoice, "entryDate")
    currency = clean(invoice.get("currencyId"))
    net, vat = _amount(invoice, "amount"), _amount(invoice, "tax")
    if issue_date is None or currency is None:
        raise _unusable(
            "Dokumentets dato eller valuta mangler i data fra Billy.",
            "The document's date or currency is missing from Billy's records.",
        )
    try:
        kind = DocumentType(str(invoice.get("type") or "invoice"))
    except ValueError as error:
        raise _unusable("Ukendt dokumenttype.", "Unknown document type.", str(invoice.get("type"))) from error
    booked = BookedTotals(round2(net), round2(vat))
    flipped = booked.gross < ZERO
    if flipped:
        booked = BookedTotals(-booked.net, -booked.vat)
        if kind is DocumentType.INVOICE:
            # DK-BR-001: a negative invoice is a credit note.
            kind = DocumentType.CREDIT_NOTE
            findings.append(_became_credit_note())
    number = clean(invoice.get("invoiceNo")) or ""
    return _Header(kind, number, issue_date, _date(invoice, "dueDate"), currency.upper(), booked, flipped)


def _became_credit_note() -> Finding:
    return Finding(
        "DK-BR-001",
        Severity.INFO,
        Text(
            "Fakturaens total er negativ; den sendes derfor som kreditnota.",
            "The invoice's total is negative, so it is sent as a credit note.",
        ),
        Turn.HERE,
        term="BT-3",
    )


def _readings(invoice: Record, lines: list[RawLine], header: _Header) -> list[Reading]:
    inclusive = invoice.get("taxMode") == "incl"
    readings = [Reading(inclusive, flipped=header.flipped)]
    if any(line.discount_mode == "percent" and abs(line.discount_value) <= 1 for line in lines):
        readings.append(Reading(inclusive, percent_is_fraction=True, flipped=header.flipped))
    if header.type is DocumentType.INVOICE:
        return readings
    # A credit note may have a positive header over negative lines, and the other way round.
    return readings + [replace(reading, flipped=not reading.flipped) for reading in readings]


def _reconciled(priced: list[Line], header: _Header, settings: Settings, findings: list[Finding]) -> Reconciled:
    result = reconcile(priced, header.booked)
    if has_fatal(findings):
        return result  # the totals of lines that could not be read would only be a second complaint
    if _is_apart(result, header.booked, settings.general.rounding_limit):
        findings.append(_does_not_add_up(header, total(line.net_amount for line in priced), result))
    elif result.totals.rounding != ZERO:
        findings.append(_rounded(result.totals.rounding))
    return result


def _is_apart(result: Reconciled, booked: BookedTotals, limit: Decimal) -> bool:
    """Whether net, VAT or gross is further from the books than a rounding amount may be.

    All three are asked: a tax rate that was changed after the booking moves money between net and VAT and leaves
    the gross alone. Where the two differences cancel out, no rounding amount would tell of them, however small.
    """
    net, vat = result.totals.net - booked.net, result.totals.vat - booked.vat
    gross = net + vat
    return max(abs(net), abs(vat), abs(gross)) > limit or (gross == ZERO and net != ZERO)


def _does_not_add_up(header: _Header, line_sum: Decimal, result: Reconciled) -> Finding:
    booked, found = header.booked, result.totals
    return fatal(
        "IA-TOTAL",
        f"Linjerne giver {danish(line_sum)} + moms {danish(found.vat)}, men Billys total er {danish(booked.net)} + moms "
        f"{danish(booked.vat)} {header.currency}. Åbn fakturaen i Billy, og kontroller linjer, rabatter og momssatser.",
        f"The lines give {fixed2(line_sum)} + VAT {fixed2(found.vat)}, but Billy's total is {fixed2(booked.net)} + VAT "
        f"{fixed2(booked.vat)} {header.currency}. Open the invoice in Billy and check lines, discounts and VAT rates.",
        turn=Turn.SOURCE,
        term="BT-109",
        fix="source.invoice",
    )


def _rounded(rounding: Decimal) -> Finding:
    return Finding(
        "IA-ROUNDING",
        Severity.INFO,
        Text(
            f"En forskel på {danish(rounding)} mellem linjer og total er vist som øreafrunding.",
            f"A difference of {fixed2(rounding)} between lines and total is shown as a rounding amount.",
        ),
        Turn.HERE,
        term="BT-114",
    )


def _accounting_currency(organization: Record) -> str:
    return (clean(organization.get("baseCurrencyId")) or "DKK").upper()


def _vat_in_tax_currency(
    records: _Records, header: _Header, vat: Decimal, findings: list[Finding]
) -> VatInTaxCurrency | None:
    """VAT in the books' currency, which Danish law wants on invoices in another one."""
    home = _accounting_currency(records.organization)
    if header.currency == home or vat == ZERO:
        return None
    rate = to_decimal(records.invoice.get("exchangeRate"))
    if header.currency == "EUR" and home == "DKK" and rate and _EUR_IN_DKK[0] <= 1 / rate <= _EUR_IN_DKK[1]:
        rate = 1 / rate
    if rate is None or rate <= ZERO:
        findings.append(
            fatal(
                "BILLY-EXCHANGE-RATE",
                f"Fakturaen er i {header.currency}, men har ingen valutakurs i Billy, så momsen kan ikke vises i {home}.",
                f"The invoice is in {header.currency} but has no exchange rate in Billy, so its VAT cannot be shown in {home}.",
                turn=Turn.SOURCE,
                term="BT-111",
                fix="source.invoice",
            )
        )
        return None
    return VatInTaxCurrency(home, round2(multiply(vat, rate)), rate)


def _without_vat_ids(party: Party) -> Party:
    return replace(party, vat_id=None)


def _preceding(records: _Records) -> tuple[DocumentReference, ...]:
    credited = records.credited
    number = clean(credited.get("invoiceNo")) if credited else None
    if credited is None or number is None:
        return ()
    return (DocumentReference(number, _date(credited, "entryDate")),)


def _no_lines() -> Finding:
    return fatal(
        "BR-16",
        "Dokumentet har ingen linjer. Kreditér det i Billy, og lav et nyt med linjer.",
        "The document has no lines. Credit it in Billy and make a new one with lines.",
        turn=Turn.SOURCE,
        term="BG-25",
        fix="source.invoice",
    )


def _note(invoice: Record, settings: Settings) -> str | None:
    texts = (clean_lines(settings.general.note), clean_lines(invoice.get("contactMessage")))
    return " / ".join(text for text in texts if text) or None


def _parties(records: _Records, settings: Settings, lines: tuple[Line, ...]) -> tuple[Party, Party]:
    seller = parties.seller(records.organization, settings.supplier)
    buyer = parties.buyer(records.contact, records.person, settings.customer)
    if any(line.vat.category is VatCategory.OUTSIDE_SCOPE for line in lines):
        # BR-O-02: no VAT numbers where the sale is outside the scope of VAT.
        return _without_vat_ids(seller), _without_vat_ids(buyer)
    return seller, buyer


def _invoice(
    records: _Records, header: _Header, settings: Settings, result: Reconciled, order: str | None,
    attachments: tuple[Attachment, ...], findings: list[Finding],
) -> Invoice:  # fmt: skip
    invoice, customer = records.invoice, settings.customer
    seller, buyer = _parties(records, settings, result.lines)
    is_credit_note = header.type is DocumentType.CREDIT_NOTE
    bill = Bill(header.number, buyer.is_danish, is_credit_note, settings, records.account)
    return Invoice(
        source_id=f"{clean(records.organization.get('id'))}:{clean(invoice.get('id'))}",
        type=header.type,
        number=header.number,
        issue_date=header.issue_date,
        due_date=header.due_date,
        currency=header.currency,
        seller=seller,
        buyer=buyer,
        lines=result.lines,
        vat=result.vat,
        totals=result.totals,
        note=_note(invoice, settings),
        buyer_reference=customer.buyer_reference or buyer.contact.name,
        order_reference=order,
        contract_reference=customer.contract_reference,
        project_reference=customer.project_reference,
        accounting_cost=customer.accounting_cost,
        preceding=_preceding(records),
        period=invoicing_period(header.issue_date, settings.general.invoicing_period),
        payee=parties.payee(seller, settings.supplier, findings),
        delivery=delivery(result.lines, header.issue_date, buyer.address.country, settings),
        payment=payment_means(bill, findings),
        payment_terms=payment_terms(invoice, settings.general.payment_terms),
        vat_in_tax_currency=_vat_in_tax_currency(records, header, result.totals.vat, findings),
        attachments=attachments if settings.general.embed_pdf else (),
    )


def convert(bundle: Record, settings: Settings, attachments: tuple[Attachment, ...] = ()) -> Conversion:
    """See ``Source.convert``."""
    records = _open_bundle(bundle)
    findings: list[Finding] = []
    header = _header(records.invoice, findings)
    order = order_number(records.invoice, records.products, settings.customer, findings)
    country = settings.customer.country or parties.country_of(records.contact)
    vat = VatMapper(records.tax_rates, settings.vat, country, parties.has_vat(records.organization))
    raw = read_lines(records.lines, records.products, vat, findings, settings)
    findings.extend(vat.findings)
    if (half := half_an_account(settings.supplier)) is not None:
        findings.append(half)
    if not raw:
        return Conversion(None, (*findings, _no_lines()))
    priced, _ = best_reading(raw, header.booked.net, _readings(records.invoice, raw, header))
    result = _reconciled(priced, header, settings, findings)
    invoice = _invoice(records, header, settings, result, order, attachments, findings)
    return Conversion(None if has_fatal(findings) else invoice, tuple(findings))
