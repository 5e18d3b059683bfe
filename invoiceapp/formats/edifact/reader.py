"""An INVOIC D.96A as the EN 16931 model.

What EDIFACT does not carry stays empty: attachments, exemption reasons,
classifications, trading names, further ways to pay, and the source's record id.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import (
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    PaymentMeans,
    PaymentMeansCode,
    Totals,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import ZERO, total
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatBreakdown

from .codes import fik_from_slip
from .directory import Node
from .envelope import Envelope, message, unwrap
from .line_reader import allowance_charge, line
from .syntax import Segment, parse, unreadable
from .values import day, free_text, joined, money, number, period, reference, vat_class

_TYPES = {item.code: item for item in DocumentType}
_PAYABLE = ("77", "9", "86")


def read(content: bytes) -> Invoice:
    """The invoice or credit note. Raises ``Unreadable``."""
    envelope = unwrap(parse(content))
    return _invoice(message(envelope), envelope)


def _type(bgm: Segment) -> DocumentType:
    if bgm.get(0) not in _TYPES or not bgm.get(1):
        raise unreadable(
            "BGM skal have typen 380 (faktura) eller 381 (kreditnota) og et nummer.",
            "BGM must have type 380 (invoice) or 381 (credit note) and a number.",
            bgm.position,
        )
    return _TYPES[bgm.get(0)]


def _address(nad: Segment) -> Address:
    street = nad.all(4)
    return Address(
        street=(street[0] or None) if street else None,
        additional=joined(street[1:]),
        city=nad.get(5) or None,
        postal_code=nad.get(7) or None,
        country=nad.get(8) or None,
    )


def _contact(node: Node) -> Contact:
    groups = node.all("SG5")
    if not groups:
        return Contact()
    numbers = {child.segment.get(0, 1): child.segment.get(0) for child in groups[0].all("COM")}
    return Contact(None, groups[0].segment.get(1, 1) or None, numbers.get("TE"), numbers.get("EM"))


def _endpoint(nad: Segment, mailbox: tuple[str, ...]) -> Participant | None:
    """The party's own GLN, else that of the mailbox (UNB)."""
    if nad.get(1) and nad.get(1, 2) == "9":
        return Participant(GLN, nad.get(1))
    return Participant(GLN, mailbox[0]) if len(mailbox) > 1 and mailbox[1] == "14" and mailbox[0] else None


def _party(root: Node, qualifier: str, mailbox: tuple[str, ...]) -> Party:
    nodes = root.all("SG2", qualifier)
    if not nodes:
        raise unreadable(f"NAD+{qualifier} mangler.", f"NAD+{qualifier} is missing.")
    nad = nodes[0].segment
    address = _address(nad)
    legal_id = reference(nodes[0], "SG3", "XA")
    is_cvr = legal_id is not None and address.country == "DK"
    return Party(
        name=joined(nad.all(3)) or "",
        endpoint=_endpoint(nad, mailbox),
        legal_id=legal_id,
        legal_scheme=CVR if is_cvr else None,
        vat_id=reference(nodes[0], "SG3", "VA") or reference(nodes[0], "SG3", "GN"),
        address=address,
        contact=_contact(nodes[0]),
    )


def _delivery(root: Node) -> Delivery | None:
    date = day(root.first("DTM", "35"))
    nad = root.first("SG2", "DP")
    if nad is None:
        return Delivery(date) if date else None
    address = _address(nad)
    return Delivery(
        date,
        address if address != Address() else None,
        joined(nad.all(3)),
        Participant(GLN, nad.get(1)) if nad.get(1) else None,
    )


def _payee(root: Node) -> Payee | None:
    nodes = root.all("SG2", "PE")
    if not nodes:
        return None
    return Payee(joined(nodes[0].segment.all(3)) or "", reference(nodes[0], "SG3", "XA"))


def _means_code(pai: Segment | None) -> PaymentMeansCode:
    code = pai.get(0, 2) if pai else ""
    return PaymentMeansCode(code) if code in set(PaymentMeansCode) else PaymentMeansCode.UNDEFINED


def _payment(root: Node) -> tuple[PaymentMeans, ...]:
    pai, payment_id = root.first("PAI"), fik_from_slip(reference(root, "SG1", "PQ") or "") or None
    accounts = [account.segment for party in root.all("SG2") for account in party.all("FII", "RB")]
    if not (pai or payment_id or accounts):
        return ()
    means = PaymentMeans(_means_code(pai), payment_id)
    if not accounts:
        return (means,)
    account = accounts[0]
    return (
        PaymentMeans(
            means.code,
            payment_id,
            account.get(1) or None,
            account.get(2) or account.get(2, 3) or None,
            joined(account.all(1)[1:3]),
        ),
    )


def _preceding(root: Node) -> tuple[DocumentReference, ...]:
    return tuple(
        DocumentReference(node.segment.get(0, 1), day(node.first("DTM", "171"))) for node in root.all("SG1", "IV")
    )


def _vat_in_tax_currency(root: Node) -> VatInTaxCurrency | None:
    cux = root.first("SG7")
    if cux is None or cux.get(1) != "3":
        return None
    currency = cux.get(1, 1)
    for node in root.all("SG48", "124"):
        if node.segment.get(0, 2) == currency and currency:
            return VatInTaxCurrency(currency, number(node.segment, 0, 1), number(cux, 2, 0))
    return None


def _breakdown(root: Node) -> tuple[VatBreakdown, ...]:
    return tuple(
        VatBreakdown(
            vat_class(group.segment), money(group.all("MOA"), "125") or ZERO, money(group.all("MOA"), "124") or ZERO
        )
        for group in root.all("SG50")
    )


def _or(found: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if found is None else found


def _totals(root: Node, lines: Decimal, extras: tuple[Decimal, Decimal], vat: Decimal) -> Totals:
    """Totals as stated; what a partner does not state follows from the rest."""
    stated = root.all("SG48")
    allowances, charges = extras
    net = _or(money(stated, "125"), lines + charges - allowances)
    tax = _or(money(stated, "124", "176"), vat)
    prepaid, rounding = _or(money(stated, "113"), ZERO), _or(money(stated, "165"), ZERO)
    gross = net + tax
    payable = _or(money(stated, *_PAYABLE), gross - prepaid + rounding)
    return Totals(_or(money(stated, "79"), lines), allowances, charges, net, tax, gross, prepaid, rounding, payable)


def _invoice(root: Node, envelope: Envelope) -> Invoice:
    bgm, issued = root.children[0].segment, day(root.first("DTM", "137"))
    if issued is None:
        raise unreadable("Fakturadatoen (DTM+137) mangler.", "The invoice date (DTM+137) is missing.")
    lines = tuple(line(node) for node in root.all("SG25"))
    extras = tuple(allowance_charge(node) for node in root.all("SG15"))
    vat = _breakdown(root)
    cux = root.first("SG7")
    terms = root.all("SG8")
    return Invoice(
        source_id="",
        type=_type(bgm),
        number=bgm.get(1),
        issue_date=issued,
        currency=cux.get(0, 1) if cux else "DKK",
        seller=replace(_party(root, "SU", envelope.opening.all(1)), legal_form=free_text(root, "REG")),
        buyer=_party(root, "BY", envelope.opening.all(2)),
        lines=lines,
        vat=vat,
        totals=_totals(
            root,
            total(item.net_amount for item in lines),
            (
                total(item.amount for item in extras if not item.is_charge),
                total(item.amount for item in extras if item.is_charge),
            ),
            total(group.tax_amount for group in vat),
        ),
        due_date=day(terms[0].first("DTM", "13")) if terms else None,
        note=free_text(root, "AAI"),
        buyer_reference=reference(root, "SG1", "CR"),
        order_reference=reference(root, "SG1", "ON"),
        sales_order_reference=reference(root, "SG1", "VN"),
        despatch_reference=reference(root, "SG1", "DQ"),
        contract_reference=reference(root, "SG1", "CT"),
        project_reference=reference(root, "SG1", "AEP"),
        accounting_cost=reference(root, "SG1", "ADE"),
        period=period(root),
        preceding=_preceding(root),
        payee=_payee(root),
        delivery=_delivery(root),
        payment=_payment(root),
        payment_terms=free_text(root, "AAB"),
        allowances_charges=extras,
        vat_in_tax_currency=_vat_in_tax_currency(root),
    )  # fmt: skip
