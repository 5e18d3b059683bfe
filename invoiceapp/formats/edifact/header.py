"""The header of an INVOIC: BGM to SG15."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from invoiceapp.domain.invoice import AllowanceCharge, Invoice, Period
from invoiceapp.domain.tax import VatClass

from .codes import NO_REASON_CODE, PERCENT_LENGTH, RATE_LENGTH, amount, fik_on_slip, means_code, number
from .parties import parties
from .profiles import Profile
from .syntax import Segment, segment

#: D.96A has room for ten FTX in a header: here is how they are shared.
NOTE_TEXTS, TERMS_TEXTS, LEGAL_TEXTS, REASON_TEXTS = 6, 1, 1, 2
TEXT_WIDTH, TEXT_PARTS = 70, 5
MOST_DAYS = 999


def dated(qualifier: str, day: date | None) -> Iterator[Segment]:
    """A date where there is one."""
    if day:
        yield segment("DTM", (qualifier, day.strftime("%Y%m%d"), "102"))


def period(item: Period | None) -> Iterator[Segment]:
    """Begin and end of a period (BG-14, BG-26)."""
    if item:
        yield from dated("167", item.start)
        yield from dated("168", item.end)


def texts(qualifier: str, text: str | None, most: int, profile: Profile) -> Iterator[Segment]:
    """Free text in as many FTX as it takes, at most ``most``."""
    parts = profile.pieces(text, TEXT_WIDTH, TEXT_PARTS * most)
    for at in range(0, len(parts), TEXT_PARTS):
        yield segment("FTX", qualifier, "", "", parts[at : at + TEXT_PARTS])


def _free_text(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    yield from texts("AAI", invoice.note, NOTE_TEXTS, profile)
    yield from texts("AAB", invoice.payment_terms, TERMS_TEXTS, profile)
    yield from texts("REG", invoice.seller.legal_form, LEGAL_TEXTS, profile)
    reasons = dict.fromkeys(group.vat.exemption_reason for group in invoice.vat if group.vat.exemption_reason)
    for reason in list(reasons)[:REASON_TEXTS]:
        yield from texts("TXD", reason, 1, profile)


def delivery_note(invoice: Invoice, profile: Profile) -> str | None:
    """What is named as the delivery note (DQ)."""
    return {
        "given": invoice.despatch_reference,
        "order": invoice.order_reference,
        "invoice": invoice.number,
        "none": None,
    }[profile.delivery_note]


def payment_reference(invoice: Invoice, profile: Profile) -> str | None:
    """BT-83 in a form that the partner's character set carries; where there is none it is still the invoice's own."""
    reference = invoice.payment[0].payment_id if profile.payment and invoice.payment else None
    # Only UNOC has "#".
    return fik_on_slip(reference) if reference and not profile.keeps(reference) else reference


def references(invoice: Invoice, profile: Profile) -> list[tuple[str, str | None, str]]:
    """References with their qualifier (1153) and business term; also those that are empty."""
    return [
        ("ON", invoice.order_reference, "BT-13"),
        ("DQ", delivery_note(invoice, profile), "BT-16"),
        ("CT", invoice.contract_reference, "BT-12"),
        ("VN", invoice.sales_order_reference, "BT-14"),
        ("CR", invoice.buyer_reference, "BT-10"),
        ("AEP", invoice.project_reference, "BT-11"),
        ("ADE", invoice.accounting_cost, "BT-19"),
        ("PQ", payment_reference(invoice, profile), "BT-83"),
    ]


def _references(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    for qualifier, value, _ in references(invoice, profile):
        # By a changed payment reference the money would not be found; better none.
        if profile.clean(value) and (qualifier != "PQ" or profile.keeps(value)):
            yield segment("RFF", (qualifier, profile.clean(value)))
    for preceding in invoice.preceding:
        yield segment("RFF", ("IV", profile.clean(preceding.number)))
        yield from dated("171", preceding.issue_date)


def tax(vat: VatClass, profile: Profile) -> Segment:
    """Category and rate of a VAT."""
    return segment(
        "TAX", "7", "VAT", "", "", ("", "", "", number(vat.percent, PERCENT_LENGTH)), profile.vat_category(vat.category)
    )


def _currencies(invoice: Invoice, profile: Profile) -> Segment:
    other = invoice.vat_in_tax_currency
    own = ("2", invoice.currency, "4")
    # The directory of 1996 has no code for a currency of VAT (18 came later), and 11 is what is paid in: a receiver
    # would pay kroner. Without EANCOM's 10E the rate is left out; the VAT itself (BT-111) stands in MOA, as law demands.
    if other is None or not profile.tax_currency_code:
        return segment("CUX", own)
    # Reference currency x rate = target currency.
    return segment("CUX", own, ("3", other.currency, profile.tax_currency_code), number(other.rate, RATE_LENGTH))


def _terms(invoice: Invoice) -> Iterator[Segment]:
    if invoice.due_date is None:
        return
    days = (invoice.due_date - invoice.issue_date).days
    if 0 < days <= MOST_DAYS:
        yield segment("PAT", "1", "", ("5", "3", "D", str(days)))
    else:
        yield segment("PAT", "3")
    yield from dated("13", invoice.due_date)


def allowance_charge(item: AllowanceCharge, profile: Profile) -> Iterator[Segment]:
    """An allowance or charge of the document (SG15) or of a line (SG38)."""
    coded = item.reason_code or ""
    # EN 16931 takes allowance codes from UNCL 5189 and charge codes from UNCL 7161.
    allowance_code, service = ("", coded) if item.is_charge else (coded, "")
    yield segment(
        "ALC", "C" if item.is_charge else "A", ("", allowance_code), "", "",
        (service or NO_REASON_CODE, "", "", *profile.pieces(item.reason, 35, 2)),
    )  # fmt: skip
    if item.percent is not None:
        yield segment("PCD", ("3", number(item.percent, PERCENT_LENGTH)))
    yield segment("MOA", ("8", amount(item.amount)))
    if item.base is not None:
        yield segment("MOA", ("25", amount(item.base)))
    if item.vat:
        yield tax(item.vat, profile)


def header(invoice: Invoice, profile: Profile) -> Iterator[Segment]:
    """All segments before the first line."""
    # 1225: 9 is an original.
    yield segment("BGM", invoice.type.code, profile.clean(invoice.number), "9")
    yield from dated("137", invoice.issue_date)
    yield from dated("35", invoice.delivery.date if invoice.delivery else None)
    yield from period(invoice.period)
    if profile.payment and invoice.payment:
        yield segment("PAI", ("", "", means_code(invoice.payment[0].code).value))
    yield from _free_text(invoice, profile)
    yield from _references(invoice, profile)
    yield from parties(invoice, profile)
    if profile.header_tax and len(invoice.vat) == 1:
        yield tax(invoice.vat[0].vat, profile)
    yield _currencies(invoice, profile)
    yield from _terms(invoice)
    for item in invoice.allowances_charges:
        yield from allowance_charge(item, profile)
