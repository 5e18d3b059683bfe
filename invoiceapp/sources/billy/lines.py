"""Billy's lines -> priced lines of the model, in both tax modes.

Billy never says whether ``line.amount`` is net or gross, or before or after the
discount, so lines are computed from quantity, price and discount, and the
header's totals decide whether we understood them (docs/decisions/0006).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Finding, Text, Turn, fatal, warning
from invoiceapp.domain.identifiers import digits, is_valid_gtin
from invoiceapp.domain.invoice import AllowanceCharge, Classification, Item, Line
from invoiceapp.domain.money import CENT, HUNDRED, LARGEST_AMOUNT, ZERO, divide, multiply, round2, to_decimal, total
from invoiceapp.domain.settings import Settings
from invoiceapp.domain.tax import VatClass
from invoiceapp.sources.base import UnusableBundle

from .texts import clean
from .units import unit_code
from .vat import VatMapper

#: UNCL 7143 code and version of UNSPSC; DK-R-003 knows two versions, W-INV184 of OIOUBL only this one.
_UNSPSC = ("TST", "19.05.01")

PRICE_DECIMALS = 6
#: Beyond this a quantity or price holds floating-point noise only.
_NUMBER_DECIMALS = 20


def _price_decimals(quantity: Decimal) -> int:
    """Enough that quantity x price comes back to the rounded line amount (PEPPOL-EN16931-R120)."""
    return max(PRICE_DECIMALS, quantity.adjusted() + 4)


@dataclass(frozen=True, slots=True)
class RawLine:
    """One Billy line with its numbers read; amounts in the invoice's tax mode."""

    quantity: Decimal
    unit_price: Decimal
    discount_mode: str | None
    discount_value: Decimal
    discount_text: str | None
    vat: VatClass
    item: Item
    unit: str


def _number(record: Mapping[str, Any], name: str, default: Decimal) -> Decimal:
    value = record.get(name)
    if value is None:
        return default
    number = to_decimal(value)
    if number is None or abs(number) > LARGEST_AMOUNT:
        raise UnusableBundle(
            Text(
                f"Linjens felt »{name}« i Billy er ikke et tal, vi kan bruge.",
                f"The line's field “{name}” in Billy is not a number we can use.",
            ),
            f"invoiceLine.{name}",
        )
    return divide(number, Decimal(1), _NUMBER_DECIMALS)


def _item(record: Mapping[str, Any], product: Mapping[str, Any] | None, findings: list[Finding], position: int) -> Item:
    description = clean(record.get("description"))
    name = clean(product.get("name")) if product else None
    if product is None and record.get("productId"):
        findings.append(
            warning(
                "BILLY-PRODUCT",
                f"Linje {position}: Produktet findes ikke længere i Billy; linjens tekst bruges som varenavn.",
                f"Line {position}: the product no longer exists in Billy; the line's text is used as the item name.",
                turn=Turn.SOURCE,
                term="BT-153",
                fix="source.invoice",
            )
        )
    if name is None:
        name, description = description, None
    if name is None:
        findings.append(
            fatal(
                "BR-25",
                f"Linje {position} har hverken produktnavn eller tekst. Skriv en tekst på linjen i Billy.",
                f"Line {position} has neither a product name nor a text. Write a text on the line in Billy.",
                turn=Turn.SOURCE,
                term="BT-153",
                fix="source.invoice",
            )
        )
        name = "?"
    return Item(name, description, clean(product.get("productNo")) if product else None)


class _Catalogue:
    """Public numbers of items, as the settings ask for them."""

    def __init__(self, settings: Settings) -> None:
        self._with_gtin = settings.general.product_number_is_gtin
        code = settings.customer.unspsc
        self._classifications = (Classification(code, *_UNSPSC),) if code else ()
        self._wrong: dict[str, Finding] = {}

    def numbered(self, item: Item) -> Item:
        """The item with GTIN (BT-157) and UNSPSC (BT-158)."""
        return replace(item, standard_id=self._gtin(item.sellers_id), classifications=self._classifications)

    def _gtin(self, number: str | None) -> str | None:
        if not self._with_gtin or number is None:
            return None
        bare = digits(number)
        if is_valid_gtin(bare):
            return bare
        self._wrong.setdefault(number, _no_gtin(number))
        return None

    @property
    def findings(self) -> list[Finding]:
        """What was wrong, each number once."""
        return list(self._wrong.values())


def _no_gtin(number: str) -> Finding:
    return warning(
        "BILLY-GTIN",
        f"Varenummeret »{number}« er ikke en gyldig stregkode (GTIN/EAN) og er kun sendt som jeres eget varenummer. "
        "Ret det på produktet i Billy.",
        f"The product number “{number}” is not a valid bar code (GTIN/EAN) and is only sent as your own number. "
        "Correct it on the product in Billy.",
        turn=Turn.SOURCE,
        term="BT-157",
        fix="source.product",
    )


def read_lines(
    records: list[Mapping[str, Any]],
    products: Mapping[str, Mapping[str, Any]],
    vat: VatMapper,
    findings: list[Finding],
    settings: Settings,
) -> list[RawLine]:
    """Numbers, item and VAT class of each line, by priority. Raises ``UnusableBundle`` for broken numbers."""
    ordered = sorted(records, key=lambda r: to_decimal(r.get("priority")) or ZERO)
    lines, catalogue = [], _Catalogue(settings)
    for position, record in enumerate(ordered, start=1):
        product = products.get(str(record.get("productId")))
        lines.append(
            RawLine(
                quantity=_number(record, "quantity", Decimal(1)),
                unit_price=_number(record, "unitPrice", ZERO),
                discount_mode=record.get("discountMode") if record.get("discountMode") in ("percent", "cash") else None,
                discount_value=_number(record, "discountValue", ZERO),
                discount_text=clean(record.get("discountText")),
                vat=vat.of(record.get("taxRateId")),
                item=catalogue.numbered(_item(record, product, findings, position)),
                unit=unit_code(product.get("unit") if product else None),
            )
        )
    findings.extend(catalogue.findings)
    return lines


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand the lines."""

    inclusive: bool
    percent_is_fraction: bool = False
    """Billy's documents write 25 for 25 %, its old calculator 0.25 (reference: billy-api 8)"""
    flipped: bool = False
    """Signs turned, for credit notes with negative amounts"""


def _discount(line: RawLine, gross: Decimal, reading: Reading) -> tuple[Decimal, Decimal | None]:
    """Amount and percentage of the discount; a cash discount has no percentage."""
    if line.discount_mode == "percent":
        percent = line.discount_value * (HUNDRED if reading.percent_is_fraction else 1)
        return round2(multiply(gross, percent) / HUNDRED), percent
    if line.discount_mode == "cash":
        return round2(-line.discount_value if reading.flipped else line.discount_value), None
    return ZERO, None


def _allowance(
    full: Decimal, amount: Decimal, reason: str | None, percent: Decimal | None
) -> tuple[AllowanceCharge, ...]:
    """The discount; none where it is nothing once the VAT is taken out: receivers refuse or question one of 0.00."""
    if amount == ZERO:
        return ()
    base = None if percent is None else full
    return (AllowanceCharge(False, amount, reason or "Rabat", percent=percent, base=base),)


def price_line(line: RawLine, position: int, reading: Reading) -> Line:
    """The line as EN 16931 wants it: net amount, net price >= 0, discount as an allowance."""
    quantity = -line.quantity if reading.flipped else line.quantity
    gross = round2(multiply(quantity, line.unit_price))
    discount, percent = _discount(line, gross, reading)
    factor = 1 + line.vat.percent / HUNDRED if reading.inclusive else Decimal(1)
    net = round2(divide(gross - discount, factor, 12))
    unit_price = divide(line.unit_price, factor, _price_decimals(quantity)) if reading.inclusive else line.unit_price
    allowances: tuple[AllowanceCharge, ...] = ()
    if discount != ZERO:
        full = round2(multiply(quantity, unit_price))
        if ZERO < discount <= gross and unit_price >= ZERO:
            # In VAT-inclusive mode the percentage is of the gross price and would break PEPPOL-EN16931-R040.
            allowances = _allowance(full, full - net, line.discount_text, None if reading.inclusive else percent)
        elif quantity != ZERO:
            unit_price = divide(net, quantity, _price_decimals(quantity))
    if unit_price < ZERO:
        # BR-27: a price is never negative; the quantity carries the sign.
        unit_price, quantity = -unit_price, -quantity
    return Line(str(position), quantity, line.unit, net, unit_price, line.vat, line.item, allowances_charges=allowances)


def best_reading(lines: list[RawLine], booked_net: Decimal, readings: list[Reading]) -> tuple[list[Line], Reading]:
    """The first reading whose net sum is within a cent a line of the booked net; else the closest."""
    tolerance = CENT * max(len(lines), 1)
    results = []
    for reading in readings:
        priced = [price_line(line, position, reading) for position, line in enumerate(lines, start=1)]
        difference = abs(total(line.net_amount for line in priced) - booked_net)
        if difference <= tolerance:
            return priced, reading
        results.append((difference, priced, reading))
    _, priced, reading = min(results, key=lambda result: result[0])
    return priced, reading
