"""VAT categories, rates, numbers, and the breakdown (BG-23).

Each category has its own ten rules in EN 16931, numbered alike: 01 breakdown,
02 … 04 VAT numbers, 05 … 07 rates (of lines, allowances, charges), 08 taxable
amount, 09 VAT, 10 reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.money import HUNDRED, ZERO, multiply, round2, total
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, is_blank, rules
from .parties import WHOSE

FAMILIES = {
    VatCategory.STANDARD: "BR-S",
    VatCategory.ZERO_RATED: "BR-Z",
    VatCategory.EXEMPT: "BR-E",
    VatCategory.REVERSE_CHARGE: "BR-AE",
    VatCategory.INTRA_COMMUNITY: "BR-IC",
    VatCategory.EXPORT: "BR-G",
    VatCategory.OUTSIDE_SCOPE: "BR-O",
}
#: Categories whose breakdown must not give a reason: VAT is charged, or the rate is really zero.
_WITHOUT_REASON = (VatCategory.STANDARD, VatCategory.ZERO_RATED)
#: BR-S-08, BR-S-09, BR-CO-17: less than one unit of the currency is rounding.
_TOLERANCE = Decimal(1)


def _family(*numbers: str, without: tuple[str, ...] = ()) -> tuple[str, ...]:
    found = (f"{family}-{number}" for family in FAMILIES.values() for number in numbers)
    return tuple(rule for rule in found if rule not in without)


def used_classes(invoice: Invoice) -> Iterator[tuple[VatClass, str]]:
    """Every VAT class of the document and the last digit of its rules: 5 a line, 6 an allowance, 7 a charge."""
    for line in invoice.lines:
        yield line.vat, "5"
    for item in invoice.allowances_charges:
        if item.vat is not None:
            yield item.vat, "7" if item.is_charge else "6"


def _is_wrong_percent(vat: VatClass) -> bool:
    return vat.percent <= ZERO if vat.category is VatCategory.STANDARD else vat.percent != ZERO


@rules(*_family("05", "06", "07"))
def rates(invoice: Invoice) -> Iterator[Problem]:
    """Standard-rated VAT is above zero, every other category is zero."""
    seen = dict.fromkeys((vat.category, vat.percent, digit) for vat, digit in used_classes(invoice))
    for category, percent, digit in seen:
        if _is_wrong_percent(VatClass(category, percent)):
            yield Problem(f"{FAMILIES[category]}-0{digit}", value=percent)
    in_use = {category for category, _, _ in seen}
    for group in invoice.vat:
        if group.vat.category not in in_use and _is_wrong_percent(group.vat):
            yield Problem(f"{FAMILIES[group.vat.category]}-05", value=group.vat.percent)


@rules(*_family("02", without=("BR-O-02",)), "BR-O-11")
def numbers(invoice: Invoice) -> Iterator[Problem]:
    """VAT needs the seller's number; reverse charge and sales to the EU need the buyer's."""
    categories = {vat.category for vat, _ in used_classes(invoice)} | {group.vat.category for group in invoice.vat}
    if VatCategory.OUTSIDE_SCOPE in categories:
        if len(categories) > 1:
            yield Problem("BR-O-11")
        return
    if is_blank(invoice.seller.vat_id):
        for category in sorted(categories):
            yield Problem(f"{FAMILIES[category]}-02", cause="seller", fix="supplier.vatNumber")
    yield from _buyers_number(invoice, categories)


def _buyers_number(invoice: Invoice, categories: set[VatCategory]) -> Iterator[Problem]:
    buyer = invoice.buyer
    if VatCategory.INTRA_COMMUNITY in categories and is_blank(buyer.vat_id):
        yield Problem("BR-IC-02", cause="buyer", term="BT-48", fix="customer.vatNumber")
    elif VatCategory.REVERSE_CHARGE in categories and is_blank(buyer.vat_id) and is_blank(buyer.legal_id):
        yield Problem("BR-AE-02", cause="buyer", term="BT-48", fix="customer.vatNumber")


@rules("BR-O-02")
def no_numbers(invoice: Invoice) -> Iterator[Problem]:
    """Outside the scope of VAT no VAT number may stand in the document."""
    if any(vat.category is VatCategory.OUTSIDE_SCOPE for vat, _ in used_classes(invoice)):
        for side, party, term, fix in (
            ("seller", invoice.seller, "BT-31", "supplier.vatNumber"),
            ("buyer", invoice.buyer, "BT-48", "customer.vatNumber"),
        ):
            if party.vat_id:
                yield Problem("BR-O-02", cause=term, term=term, fix=fix, value=party.vat_id, whose=WHOSE[side])


@rules("BR-CO-18", *_family("01"))
def groups(invoice: Invoice) -> Iterator[Problem]:
    """The breakdown has each category of the document once; standard rate once a rate."""
    if not invoice.vat:
        yield Problem("BR-CO-18")
        return
    in_use = {vat.category for vat, _ in used_classes(invoice)}
    counted = [group.vat.category for group in invoice.vat]
    for category, family in FAMILIES.items():
        count = counted.count(category)
        if category is VatCategory.STANDARD:
            is_wrong = (category in in_use) != (count > 0)
        else:
            is_wrong = count > 1 or (count == 0 and category in in_use)
        if is_wrong:
            yield Problem(f"{family}-01", count=str(count))


def _base(invoice: Invoice, vat: VatClass) -> Decimal | None:
    """What lines, allowances and charges of a group add up to; None where there are none of its rate."""
    by_rate = vat.category is VatCategory.STANDARD
    amounts = [
        amount
        for used, amount in (
            *((line.vat, round2(line.net_amount)) for line in invoice.lines),
            *((item.vat, round2(item.signed)) for item in invoice.allowances_charges if item.vat is not None),
        )
        if used.category is vat.category and (not by_rate or used.percent == vat.percent)
    ]
    return None if by_rate and not amounts else total(amounts)


def _is_wrong_base(invoice: Invoice, group: VatBreakdown) -> Problem | None:
    base, stated = _base(invoice, group.vat), round2(group.taxable_amount)
    if group.vat.category is VatCategory.STANDARD:
        is_wrong = base is None or abs(base - stated) >= _TOLERANCE
    else:
        is_wrong = base != stated
    if not is_wrong:
        return None
    return Problem(f"{FAMILIES[group.vat.category]}-08", stated=stated, expected=ZERO if base is None else base)


@rules("BR-CO-17", *_family("08"), *_family("09", without=("BR-S-09",)))
def amounts(invoice: Invoice) -> Iterator[Problem]:
    """Taxable amounts are the sums of what they tax, and VAT is their rate of them."""
    for group in invoice.vat:
        problem = _is_wrong_base(invoice, group)
        if problem is not None:
            yield problem
        tax = round2(group.tax_amount)
        if group.vat.category is VatCategory.STANDARD:
            due = round2(multiply(abs(round2(group.taxable_amount)), group.vat.percent) / HUNDRED)
            # By absolute values: the official rule does not see a wrong sign, and totals would show it.
            if abs(abs(tax) - due) >= _TOLERANCE:
                yield Problem("BR-CO-17", stated=tax, expected=due, rate=group.vat.percent)
        elif tax != ZERO:
            yield Problem(f"{FAMILIES[group.vat.category]}-09", stated=tax)


def _has_reason(vat: VatClass) -> bool:
    return bool(vat.exemption_code or vat.exemption_reason)


@rules(*_family("10"))
def reasons(invoice: Invoice) -> Iterator[Problem]:
    """Sales without VAT say why, but neither taxed nor zero-rated ones."""
    for group in invoice.vat:
        category = group.vat.category
        if _has_reason(group.vat) is (category in _WITHOUT_REASON):
            yield Problem(f"{FAMILIES[category]}-10", value=group.vat.exemption_reason or group.vat.exemption_code)


_REASON_CATEGORIES = {
    "VATEX-EU-G": ("PEPPOL-EN16931-P0104", VatCategory.EXPORT),
    "VATEX-EU-O": ("PEPPOL-EN16931-P0105", VatCategory.OUTSIDE_SCOPE),
    "VATEX-EU-IC": ("PEPPOL-EN16931-P0106", VatCategory.INTRA_COMMUNITY),
    "VATEX-EU-AE": ("PEPPOL-EN16931-P0107", VatCategory.REVERSE_CHARGE),
    "VATEX-EU-D": ("PEPPOL-EN16931-P0108", VatCategory.EXEMPT),
    "VATEX-EU-F": ("PEPPOL-EN16931-P0109", VatCategory.EXEMPT),
    "VATEX-EU-I": ("PEPPOL-EN16931-P0110", VatCategory.EXEMPT),
    "VATEX-EU-J": ("PEPPOL-EN16931-P0111", VatCategory.EXEMPT),
}


@rules("BR-CL-22")
def reason_codes(invoice: Invoice) -> Iterator[Problem]:
    """Exemption codes stand in the VATEX list."""
    for group in invoice.vat:
        code = group.vat.exemption_code
        if code and not is_blank(code) and code.strip().upper() not in codes("exemptions"):
            yield Problem("BR-CL-22", cause=code, value=code)


@rules(*(rule for rule, _ in _REASON_CATEGORIES.values()))
def reason_code_categories(invoice: Invoice) -> Iterator[Problem]:
    """Exemption codes that belong to one category stand with it."""
    for group in invoice.vat:
        rule, category = _REASON_CATEGORIES.get((group.vat.exemption_code or "").upper(), (None, None))
        if rule is not None and group.vat.category is not category:
            yield Problem(rule, value=group.vat.exemption_code, category=group.vat.category.value)
