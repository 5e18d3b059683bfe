"""SG25: the lines of an INVOIC."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from invoiceapp.domain.invoice import AllowanceCharge, Item, Line
from invoiceapp.domain.totals import net_price

from .codes import BASIS_LENGTH, PRICE_LENGTH, QUANTITY_LENGTH, amount, number, unit_code
from .header import allowance_charge, period, tax, texts
from .profiles import Profile
from .syntax import Segment, segment

#: D.96A has room for ten IMD and five FTX on a line.
NAME_TEXTS, DESCRIPTION_TEXTS, NOTE_TEXTS = 4, 6, 5
ITEM_WIDTH, ITEM_PARTS = 35, 2


def told_discounts(line: Line, profile: Profile) -> tuple[AllowanceCharge, ...]:
    """The line's allowances and charges where the partner wants to see them; else they are in the price only."""
    return line.allowances_charges if profile.line_discounts == "alc" else ()


def _identification(item: Item, position: int, profile: Profile) -> Iterator[Segment]:
    gtin, own, buyers = (profile.clean(value) for value in (item.standard_id, item.sellers_id, item.buyers_id))
    yield segment("LIN", str(position), "", (gtin, profile.gtin_code) if gtin else "")
    numbers = [(value, code) for value, code in ((own, "SA"), (buyers, "IN")) if value]
    if numbers:
        # 4347: 1 is additional, 5 is the item's only identification.
        yield segment("PIA", "1" if gtin else "5", *numbers)


def _texts(form: str, text: str | None, most: int, profile: Profile) -> Iterator[Segment]:
    parts = profile.pieces(text, ITEM_WIDTH, ITEM_PARTS * most)
    for at in range(0, len(parts), ITEM_PARTS):
        yield segment("IMD", form, "", ("", "", "", *parts[at : at + ITEM_PARTS]))


def _price(qualifier: str, price: Decimal, line: Line) -> Segment:
    value = number(price, PRICE_LENGTH)
    if line.base_quantity == 1:
        return segment("PRI", (qualifier, value))
    return segment("PRI", (qualifier, value, "", "", number(line.base_quantity, BASIS_LENGTH), unit_code(line.unit)))


def line_segments(line: Line, position: int, profile: Profile) -> Iterator[Segment]:
    """One line; it is numbered by its place."""
    yield from _identification(line.item, position, profile)
    yield from _texts("F", line.item.name, NAME_TEXTS, profile)
    if profile.descriptions:
        yield from _texts("A", line.item.description, DESCRIPTION_TEXTS, profile)
    yield segment("QTY", ("47", number(line.quantity, QUANTITY_LENGTH), unit_code(line.unit)))
    yield from period(line.period)
    yield from texts("AAI", line.note, NOTE_TEXTS, profile)
    yield segment("MOA", ("203", amount(line.net_amount)))
    # AAA has the allowances in it, AAB is without (UNCL 5125).
    yield _price("AAA", net_price(line), line)
    in_segments = told_discounts(line, profile)
    if in_segments:
        yield _price("AAB", line.price, line)
    for qualifier, value in (("LI", line.order_line), ("ADE", line.accounting_cost)):
        if profile.clean(value):
            yield segment("RFF", (qualifier, profile.clean(value)))
    yield tax(line.vat, profile)
    for item in in_segments:
        yield from allowance_charge(item, profile)
