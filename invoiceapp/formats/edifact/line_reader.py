"""Lines, allowances and charges of an INVOIC as the EN 16931 model."""

from __future__ import annotations

from decimal import Decimal

from invoiceapp.domain.invoice import AllowanceCharge, Item, Line
from invoiceapp.domain.money import ZERO

from .codes import NO_REASON_CODE, PIECE, PIECE_HERE
from .directory import Node
from .syntax import Segment, unreadable
from .values import free_text, joined, money, number, period, reference, vat_class


def allowance_charge(node: Node) -> AllowanceCharge:
    """One ALC with its percentage, amounts and VAT. Raises ``Unreadable``."""
    alc, amounts = node.segment, node.all("MOA")
    is_charge = alc.get(0) == "C"
    amount = money(amounts, "8", "23", "204")
    if alc.get(0) not in ("A", "C") or amount is None:
        raise unreadable(
            "ALC skal være A eller C og have et beløb.", "ALC must be A or C and have an amount.", alc.position
        )
    code = alc.get(4) if is_charge else alc.get(1, 1)
    percent, taxes = node.first("PCD"), node.all("SG-TAX")
    return AllowanceCharge(
        is_charge,
        amount,
        joined(alc.all(4)[3:5]) or "",
        vat_class(taxes[0].segment) if taxes else None,
        number(percent, 0, 1) if percent else None,
        money(amounts, "25"),
        code if code and code != NO_REASON_CODE else None,
    )


def _description(node: Node, form: str) -> str | None:
    return joined(tuple(part for child in node.all("IMD", form) for part in child.segment.all(2)[3:5]))


def _own_number(node: Node, code: str) -> str | None:
    for child in node.all("PIA"):
        for element in range(1, len(child.segment.elements)):
            if child.segment.get(element, 1) == code:
                return child.segment.get(element) or None
    return None


def _quantity(node: Node) -> Segment:
    for qualifier in ("47", "46"):
        found = node.first("QTY", qualifier)
        if found:
            return found
    raise unreadable("Linjen mangler antal (QTY).", "The line has no quantity (QTY).", node.segment.position)


def _price(node: Node, net: Decimal, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """Price and the number of units that it is for; AAB is the price before the line's own allowances."""
    found = (node.first("SG28", "AAB") if node.all("SG38") else None) or node.first("SG28", "AAA")
    if found is None:
        return (abs(net / quantity) if quantity else ZERO), Decimal(1)
    return number(found, 0, 1), number(found, 0, 4) if found.get(0, 4) else Decimal(1)


def line(node: Node) -> Line:
    """One LIN with all that belongs to it. Raises ``Unreadable``."""
    lin, ordered = node.segment, _quantity(node)
    net = money(node.all("SG26"), "203")
    if net is None:
        raise unreadable("Linjen mangler beløb (MOA+203).", "The line has no amount (MOA+203).", lin.position)
    quantity, unit = number(ordered, 0, 1), ordered.get(0, 2)
    price, basis = _price(node, net, quantity)
    return Line(
        id=lin.get(0),
        quantity=quantity,
        unit=PIECE_HERE if unit in ("", PIECE) else unit,
        net_amount=net,
        price=price,
        vat=vat_class(node.first("SG33")),
        item=Item(
            name=_description(node, "F") or "",
            description=_description(node, "A"),
            sellers_id=_own_number(node, "SA"),
            standard_id=lin.get(2) or None,
            buyers_id=_own_number(node, "IN"),
        ),
        note=free_text(node, "AAI"),
        order_line=reference(node, "SG29", "LI"),
        accounting_cost=reference(node, "SG29", "ADE"),
        allowances_charges=tuple(allowance_charge(child) for child in node.all("SG38")),
        period=period(node),
        base_quantity=basis,
    )
