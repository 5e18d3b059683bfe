"""What OIOUBL 2.1 asks otherwise than EN 16931, or beside it (F-LIB, F-INV, and F-CRN for credit notes)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, cvr_from
from invoiceapp.domain.invoice import AllowanceCharge, Invoice, Line
from invoiceapp.domain.money import CENT, HUNDRED, ZERO, divide, multiply, round2
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.validation.codelists import codes

from .checks import Problem, both, is_blank, rules, twin
from .identifiers import endpoints, form_rule, has_endpoint, source_of
from .parties import SIDES, WHOSE, countries
from .references import is_reversed
from .totals import allowance_sum, line_sum, vat_sum

_SCHEMES = frozenset({GLN, CVR, SE, P_NUMBER})
#: Address schemes whose form OIOUBL tests under a rule of its own.
_FORM_RULES = {GLN: "F-LIB181", CVR: "F-LIB180"}
#: F-LIB228, F-INV340, F-LIB402
_TOLERANCE = Decimal("1.00")
_LARGEST_ROUNDING = Decimal("10.00")


@rules(*both("F-INV009"))
def number(invoice: Invoice) -> Iterator[Problem]:
    """The document has a number."""
    if is_blank(invoice.number):
        yield Problem(twin("F-INV009", invoice))


@rules(*both("F-INV031", "F-INV044"))
def endpoints_present(invoice: Invoice) -> Iterator[Problem]:
    """Both parties have an electronic address."""
    if not has_endpoint(invoice.seller):
        yield Problem(twin("F-INV031", invoice))
    if not has_endpoint(invoice.buyer):
        yield Problem(twin("F-INV044", invoice), buyer=invoice.buyer.name)


@rules("F-LIB179", "F-LIB180", "F-LIB181", "PEPPOL-COMMON-R052", "PEPPOL-COMMON-R053")
def endpoint_forms(invoice: Invoice) -> Iterator[Problem]:
    """Addresses are Danish, and of their scheme's form."""
    for whose, endpoint, term, fix in endpoints(invoice):
        if endpoint.scheme not in _SCHEMES:
            yield Problem("F-LIB179", cause=term, term=term, value=str(endpoint), whose=whose)
            continue
        rule = form_rule(endpoint)
        if rule is not None:
            own = _FORM_RULES.get(endpoint.scheme, rule)
            yield Problem(own, cause=term, term=term, fix=fix, value=endpoint.value, whose=whose)


@rules(*both("F-INV034"))
def seller_is_registered(invoice: Invoice) -> Iterator[Problem]:
    """The seller has a company registration or a VAT number; a Danish one is told of DK-R-002."""
    seller = invoice.seller
    if not (seller.is_danish or seller.legal_id or seller.vat_id):
        yield Problem(twin("F-INV034", invoice))


@rules("F-LIB187", "F-LIB193")
def blank_numbers(invoice: Invoice) -> Iterator[Problem]:
    """No company or VAT number is blank."""
    for side, group, legal_term, vat_term, _ in SIDES:
        party = getattr(invoice, side)
        if party.vat_id and is_blank(party.vat_id):
            yield Problem("F-LIB193", cause=side, term=vat_term, fix=f"{group}.vatNumber", whose=WHOSE[side])
        if party.legal_scheme != CVR and party.legal_id and is_blank(party.legal_id):
            yield Problem("F-LIB187", cause=side, term=legal_term, fix=source_of(side), whose=WHOSE[side])


@rules("F-LIB190", "F-LIB196")
def danish_numbers(invoice: Invoice) -> Iterator[Problem]:
    """CVR and SE numbers have eight digits."""
    for side, group, legal_term, vat_term, _ in SIDES:
        party = getattr(invoice, side)
        if party.legal_scheme == CVR and party.legal_id and not re.fullmatch(r"[0-9]{8}", party.legal_id):
            yield Problem(
                "F-LIB190", cause=side, term=legal_term, fix=source_of(side), value=party.legal_id, whose=WHOSE[side]
            )
        vat_id = party.vat_id or ""
        if vat_id.startswith("DK") and not re.fullmatch(r"DK[0-9]{8}", vat_id):
            yield Problem(
                "F-LIB196", cause=side, term=vat_term, fix=f"{group}.vatNumber", value=vat_id, whose=WHOSE[side]
            )


@rules("F-LIB022")
def payee(invoice: Invoice) -> Iterator[Problem]:
    """A payee has a name or a CVR number."""
    paid = invoice.payee
    if paid is not None and not paid.name and paid.legal_id and cvr_from(paid.legal_id) is None:
        yield Problem("F-LIB022", term="BT-59", fix="supplier.payeeName", whose=WHOSE["payee"])


@rules("F-LIB184", "F-LIB185", "F-LIB287")
def other_numbers(invoice: Invoice) -> Iterator[Problem]:
    """Other GLN and P numbers of the parties have their form."""
    for side, group, _, _, term in SIDES:
        party = getattr(invoice, side)
        for found in party.identifiers:
            rule = {CVR: "F-LIB184", GLN: "F-LIB185", P_NUMBER: "F-LIB287"}.get(found.scheme)
            if rule is not None and form_rule(found) is not None:
                fix = f"{group}.gln" if found.scheme == GLN else source_of(side)
                yield Problem(rule, cause=side, term=term, fix=fix, value=found.value, whose=WHOSE[side])


@rules("F-LIB301")
def known_countries(invoice: Invoice) -> Iterator[Problem]:
    """Countries stand in OIOUBL's list."""
    for term, fix, country in countries(invoice):
        # No rule looks at the place of delivery in credit notes.
        if country not in codes("oioubl_countries") and not (term == "BT-80" and invoice.is_credit_note):
            yield Problem("F-LIB301", cause=term, term=term, fix=fix, value=country)


@rules("F-LIB266", "F-LIB298", *both("F-INV016", "F-INV018"))
def currencies(invoice: Invoice) -> Iterator[Problem]:
    """Currencies stand in OIOUBL's list; that of the books is DKK or EUR."""
    if invoice.currency not in codes("oioubl_currencies"):
        yield Problem("F-LIB298", value=invoice.currency)
    books = invoice.vat_in_tax_currency
    if books is None:
        return
    if books.currency not in ("DKK", "EUR"):
        yield Problem(twin("F-INV016", invoice), value=books.currency)
    if not any(group.vat.category is VatCategory.STANDARD for group in invoice.vat):
        yield Problem(twin("F-INV018", invoice), value=books.currency)
    if books.amount * invoice.totals.vat < ZERO:
        yield Problem("F-LIB266", value=books.amount, vat=invoice.totals.vat)


@rules("F-LIB087")
def exchange_rate(invoice: Invoice) -> Iterator[Problem]:
    """The rate to the books' currency is above zero, also with four decimals."""
    books = invoice.vat_in_tax_currency
    if books is None:
        return
    if divide(books.rate, Decimal(1), 4) <= ZERO:
        yield Problem("F-LIB087", value=str(books.rate))


@rules("F-LIB080")
def period(invoice: Invoice) -> Iterator[Problem]:
    """The invoicing period ends after it begins."""
    if invoice.period is not None and is_reversed(invoice.period):
        yield Problem("F-LIB080", start=str(invoice.period.start), end=str(invoice.period.end))


@rules(*both("F-INV024", "F-INV051"))
def references(invoice: Invoice) -> Iterator[Problem]:
    """The order number and the person reference are not blank."""
    if invoice.order_reference and is_blank(invoice.order_reference):
        yield Problem(twin("F-INV024", invoice))
    if invoice.buyer.contact.id and is_blank(invoice.buyer.contact.id):
        yield Problem(twin("F-INV051", invoice))


@rules("BR-52")
def attachment_ids(invoice: Invoice) -> Iterator[Problem]:
    """Files have an id: the schema demands it."""
    if any(not item.id for item in invoice.attachments):
        yield Problem("BR-52")


@rules("F-LIB098")
def media_types(invoice: Invoice) -> Iterator[Problem]:
    """Files have a type that OIOUBL carries."""
    for item in invoice.attachments:
        if item.media_type not in codes("oioubl_media_types"):
            yield Problem("F-LIB098", cause=item.media_type, value=item.media_type, file=item.filename)


def _standard_rates(invoice: Invoice) -> Iterator[Decimal]:
    """The rates of the breakdown that OIOUBL calls StandardRated."""
    return (group.vat.percent for group in invoice.vat if group.vat.category is VatCategory.STANDARD)


@rules("F-LIB315", "F-LIB381")
def breakdown(invoice: Invoice) -> Iterator[Problem]:
    """One rate above zero, and VAT where there is one."""
    rates = set(_standard_rates(invoice))
    if len(rates) > 1:
        yield Problem("F-LIB315", value=" %, ".join(str(rate) for rate in sorted(rates)))
    for group in invoice.vat:
        base, tax = round2(group.taxable_amount), round2(group.tax_amount)
        due = multiply(base, group.vat.percent) / HUNDRED
        if group.vat.category is VatCategory.STANDARD and base > ZERO and tax == ZERO and due >= CENT / 2:
            yield Problem("F-LIB381", stated=base, rate=group.vat.percent)


#: F-LIB309: OIOUBL's names of the categories, as the writer gives them.
def _name(category: VatCategory) -> str:
    if category is VatCategory.STANDARD:
        return "StandardRated"
    return "ReverseCharge" if category is VatCategory.REVERSE_CHARGE else "ZeroRated"


@rules("F-LIB402", "F-LIB404")
def lines_and_breakdown(invoice: Invoice) -> Iterator[Problem]:
    """Lines and breakdown name the same categories, and agree on their amounts."""
    of_lines: dict[str, Decimal] = {}
    for line in invoice.lines:
        name = _name(line.vat.category)
        of_lines[name] = of_lines.get(name, ZERO) + round2(line.net_amount)
    of_groups: dict[str, Decimal] = {}
    for group in invoice.vat:
        name = _name(group.vat.category)
        of_groups[name] = of_groups.get(name, ZERO) + round2(group.taxable_amount)
    if of_lines.keys() != of_groups.keys():
        yield Problem("F-LIB404")
    for item in invoice.allowances_charges:
        if item.vat is not None and _name(item.vat.category) in of_lines:
            of_lines[_name(item.vat.category)] += round2(item.signed)
    for name, stated in of_groups.items():
        expected = of_lines.get(name)
        if expected is not None and abs(stated - expected) > _TOLERANCE:
            yield Problem("F-LIB402", stated=stated, expected=expected)


@rules("F-LIB385", *both("F-INV126", "F-INV128", "F-INV129", "F-INV130", "F-INV133"))
def sums(invoice: Invoice) -> Iterator[Problem]:
    """Each total is what OIOUBL computes of the amounts before it."""
    said, vat = invoice.totals, vat_sum(invoice)
    lines, rounding = round2(said.lines), round2(said.rounding)
    gross = lines + vat + round2(said.charges) - round2(said.allowances) + rounding
    if invoice.vat and round2(said.vat) != vat:
        yield Problem("F-LIB385", stated=said.vat, expected=vat)
    for rule, stated, expected in (
        ("F-INV126", lines, line_sum(invoice)),
        ("F-INV128", round2(said.gross + said.rounding), gross),
        ("F-INV129", round2(said.allowances), allowance_sum(invoice, charges=False)),
        ("F-INV130", round2(said.charges), allowance_sum(invoice, charges=True)),
        ("F-INV133", round2(said.payable), gross - round2(said.prepaid)),
    ):
        if stated != expected:
            yield Problem(twin(rule, invoice), stated=stated, expected=expected)


@rules("F-LIB013", "F-LIB016", "F-LIB374", "F-LIB375", *both("F-INV338"))
def limits(invoice: Invoice) -> Iterator[Problem]:
    """Nothing to pay is negative, and rounding is small."""
    said = invoice.totals
    if round2(said.payable) < ZERO:
        yield Problem("F-LIB016", value=said.payable)
    elif round2(said.gross + said.rounding) < ZERO:
        yield Problem("F-LIB375" if invoice.is_credit_note else "F-LIB016", value=said.gross + said.rounding)
    if round2(said.prepaid) < ZERO:
        yield Problem("F-LIB374" if invoice.is_credit_note else "F-LIB013", value=said.prepaid)
    if abs(round2(said.rounding)) > _LARGEST_ROUNDING:
        yield Problem(twin("F-INV338", invoice), value=said.rounding)


@rules("F-LIB019")
def amounts_above_zero(invoice: Invoice) -> Iterator[Problem]:
    """Allowances and charges on an invoice are above zero."""
    if invoice.is_credit_note:
        return
    for item in invoice.allowances_charges:
        # The writer leaves out those of zero.
        if (item.amount != ZERO and round2(item.amount) <= ZERO) or (
            item.base is not None and round2(item.base) <= ZERO
        ):
            yield Problem("F-LIB019", value=item.amount, reason=item.reason)


@rules("F-LIB226", "F-LIB227", "F-LIB228", "F-LIB248")
def allowances(invoice: Invoice) -> Iterator[Problem]:
    """Allowances and charges have a VAT category, and a factor that makes their amount."""
    for item in invoice.allowances_charges:
        if item.vat is None:
            yield Problem("F-LIB226", value=item.amount, reason=item.reason)
        if item.percent is not None:
            yield from _factor(item, item.percent)


def _factor(item: AllowanceCharge, percent: Decimal) -> Iterator[Problem]:
    if item.base is None:
        yield Problem("F-LIB248", value=percent, reason=item.reason)
        return
    if percent < ZERO:
        yield Problem("F-LIB227", value=percent, reason=item.reason)
    expected = multiply(round2(item.base), percent) / HUNDRED
    if abs(round2(item.amount) - expected) > _TOLERANCE:
        yield Problem("F-LIB228", stated=item.amount, expected=expected, reason=item.reason)


@rules(*both("F-INV140", "F-INV163", "F-INV167"), "F-INV153", "F-LIB177")
def line_texts(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line has an id, its item a name, and no number of it is blank."""
    item = line.item
    if is_blank(line.id):
        yield Problem(twin("F-INV140", invoice))
    if is_blank(item.name):
        yield Problem(twin("F-INV163", invoice))
    if item.sellers_id and is_blank(item.sellers_id):
        yield Problem(twin("F-INV167", invoice))
    if line.order_line and not invoice.is_credit_note and is_blank(line.order_line):
        yield Problem("F-INV153")
    if any(text and is_blank(text) for text in (item.buyers_id, item.standard_id)):
        yield Problem("F-LIB177")


@rules("F-LIB318")
def unit(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """The unit stands in UN/ECE 66411:2001."""
    if line.unit not in codes("oioubl_units"):
        yield Problem("F-LIB318", cause=line.unit, value=line.unit)


@rules("F-LIB019", *both("F-INV147", "F-INV340"))
def line_amount(line: Line, invoice: Invoice) -> Iterator[Problem]:
    """A line has a quantity, and its amount is quantity x price."""
    if line.quantity == ZERO:
        yield Problem(twin("F-INV147", invoice))
        return
    if line.base_quantity <= ZERO:
        yield Problem("F-LIB019", value=line.base_quantity, cause="quantity", reason=line.item.name)
        return
    # The writer makes the price fit where the line has discounts of its own.
    expected = divide(multiply(line.quantity, line.price), line.base_quantity, 12)
    if not line.allowances_charges and abs(round2(line.net_amount) - expected) > _TOLERANCE:
        yield Problem(twin("F-INV340", invoice), stated=line.net_amount, expected=expected)
