"""Generated invoices that reconcile: ``invoices()`` as the model has them, ``bundles()`` as Billy keeps them.

Totals always come out of ``domain/totals.py``. Amounts are made valid by
construction, never by throwing draws away, so that thousands take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from invoiceapp.domain.identifiers import GLN, Participant, fik71_reference, luhn_digit
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
    VatInTaxCurrency,
)
from invoiceapp.domain.money import HUNDRED, ZERO, divide, multiply, round2, total
from invoiceapp.domain.parties import Party, Payee
from invoiceapp.domain.tax import DEFAULT_EXEMPTION, VatCategory, VatClass
from invoiceapp.domain.totals import document_totals, vat_breakdown

from .generated_books import bundles
from .values import (
    CVRS,
    EU_ABROAD,
    GLNS,
    GTINS,
    OUTSIDE_EU,
    addresses,
    bics,
    danish_parties,
    dates,
    foreign_parties,
    ibans,
    maybe,
    references,
    texts,
)

__all__ = ["bundles", "invoices"]

OIOUBL = "oioubl-2.1"

S, Z, E, AE, K, G, O = (VatCategory(code) for code in ("S", "Z", "E", "AE", "K", "G", "O"))  # noqa: E741
#: Categories that one document may hold, and the buyers that may have them.
_DANISH_SALES = ((S,), (S,), (S,), (S, E), (S, Z), (S, Z, E, AE), (E,), (Z,), (AE,), (S, AE), (O,))
_EU_SALES = ((K,), (AE,), (K, S), (K, E), (AE, S, Z))
_EXPORTS = ((G,), (G, S), (G, E), (O,))
_REASONS = {
    E: ((None, "Momsfritaget"), ("VATEX-EU-132-1I", "Undervisning, ML § 13"), ("VATEX-EU-135-1", None)),
    **{category: (DEFAULT_EXEMPTION[category], (DEFAULT_EXEMPTION[category][0], None)) for category in (AE, K, G, O)},
    Z: ((None, None),),
}
_RATES = (Decimal(25), Decimal(25), Decimal(25), Decimal(12), Decimal("8.25"))
_BY_IBAN = frozenset({PaymentMeansCode.SEPA, PaymentMeansCode.CREDIT_TRANSFER})
_BANK = _BY_IBAN | {PaymentMeansCode.BANK_ACCOUNT, PaymentMeansCode.DEBIT_TRANSFER}
#: Kroner for one unit of the currency
_EXCHANGE_RATES = {"EUR": "7.4602", "SEK": "0.6543", "NOK": "0.6412", "USD": "6.8271", "GBP": "8.7155"}


def cents(low: int, high: int) -> st.SearchStrategy[Decimal]:
    """Amounts with two decimals between ``low`` and ``high`` cents."""
    return st.integers(low, high).map(lambda number: Decimal(number).scaleb(-2))


quantities = st.one_of(
    st.integers(1, 500).map(Decimal),
    st.integers(1, 100_000).map(lambda number: Decimal(number).scaleb(-3)),
    st.sampled_from((Decimal(1), Decimal("0.001"), Decimal("0.333333"), Decimal(1_000_000), Decimal("2.5"))),
)
prices = st.one_of(
    cents(0, 1_000_000),
    st.tuples(st.integers(1, 10**7), st.integers(3, 6)).map(lambda pair: Decimal(pair[0]).scaleb(-pair[1])),
    st.sampled_from((Decimal("0.01"), Decimal("99999.99"), Decimal("0.000001"), Decimal("33.333333"))),
)
percents = st.sampled_from((Decimal(5), Decimal(10), Decimal("12.5"), Decimal("33.33"), Decimal(100)))
units = st.sampled_from(("EA", "HUR", "DAY", "KGM", "MTR", "MTK", "SET", "LS", "KWH"))
classifications = st.lists(
    st.sampled_from((Classification("43211503", "TST", "26.08.01"), Classification("86776", "SRV"))), max_size=2, unique=True
).map(tuple)  # fmt: skip


def _allowance(
    gross: Decimal, is_charge: bool, percent: Decimal | None, share: int, text: str, code: str | None
) -> AllowanceCharge:
    """Of a positive base, and never more than it, so that the sign of what is left stays."""
    if percent is not None:
        amount = round2(multiply(gross, percent) / HUNDRED)  # PEPPOL-EN16931-R040
        return AllowanceCharge(is_charge, amount, text, percent=percent, base=gross, reason_code=code)
    return AllowanceCharge(is_charge, round2(gross * share / 100), text, reason_code=code)


@st.composite
def _allowances_of(draw: st.DrawFn, gross: Decimal) -> tuple[AllowanceCharge, ...]:
    if gross < Decimal("0.05"):
        return ()
    found = []
    for is_charge, codes in ((False, ("95", "100", None)), (True, ("FC", "ABL", None))):
        if draw(st.integers(0, 3)) == 0:
            percent, share, code = draw(maybe(percents)), draw(st.integers(20, 90)), draw(st.sampled_from(codes))
            found.append(_allowance(gross, is_charge, percent, share, draw(texts), code))
    return tuple(item for item in found if item.amount)  # F-LIB225: an amount of zero is none


items = st.builds(
    Item,
    name=texts,
    description=maybe(texts),
    sellers_id=maybe(references),
    standard_id=maybe(st.sampled_from(GTINS)),
    buyers_id=maybe(references),
    classifications=st.just(()) | classifications,
)


@st.composite
def _lines(draw: st.DrawFn, position: int, classes: Sequence[VatClass], period: Period | None) -> Line:
    """One line; the first lines use every VAT class once."""
    vat = classes[position] if position < len(classes) else draw(st.sampled_from(classes))
    sign = draw(st.sampled_from((1, 1, 1, 1, -1)))
    quantity, price = sign * draw(quantities), draw(prices)
    base_quantity = draw(st.sampled_from((Decimal(1),) * 6 + (Decimal(10), Decimal(1000))))
    gross = round2(divide(multiply(quantity, price), base_quantity, 12))
    plain = draw(st.booleans())
    allowances = () if plain else draw(_allowances_of(abs(gross)))
    line = Line(
        id=str(position + 1),
        quantity=quantity,
        unit=draw(units),
        net_amount=gross + total(item.signed for item in allowances),
        price=price,
        vat=vat,
        item=Item(draw(texts)) if plain else draw(items),
        allowances_charges=allowances,
        base_quantity=base_quantity,
    )
    if plain:
        return line
    return replace(
        line,
        note=draw(maybe(texts)),
        order_line=draw(maybe(references)),
        accounting_cost=draw(maybe(references)),
        period=draw(maybe(st.just(period))) if period else None,  # PEPPOL-EN16931-R110
    )


def _positive(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Lines as they are where they sum up to something to pay (DK-BR-001), else with all returns turned into sales."""
    if total(line.net_amount * (1 + line.vat.percent / HUNDRED) for line in lines) >= ZERO:
        return tuple(lines)
    turned = []
    for line in lines:
        extra = total(item.signed for item in line.allowances_charges)
        turned.append(replace(line, quantity=abs(line.quantity), net_amount=abs(line.net_amount - extra) + extra))
    return tuple(turned)


@st.composite
def _classes(draw: st.DrawFn, categories: Sequence[VatCategory], one_rate: bool) -> tuple[VatClass, ...]:
    found = []
    for category in categories:
        if category is S:
            rates = {draw(st.sampled_from(_RATES))} | (set() if one_rate else {draw(st.sampled_from(_RATES))})
            found += [VatClass(S, rate) for rate in sorted(rates, reverse=True)]
        else:
            code, reason = draw(st.sampled_from(_REASONS[category]))
            found.append(VatClass(category, ZERO, reason, code))
    return tuple(found)


def _periods(issued: date) -> st.SearchStrategy[Period | None]:
    month = timedelta(days=30)
    return st.sampled_from((None, None, Period(issued - month, issued), Period(issued, None), Period(None, issued)))


def _payment_means(number: str, buyer_is_danish: bool, is_credit_note: bool) -> st.SearchStrategy[PaymentMeans]:
    """Every way to pay that the buyer may have (DK-R-005 … DK-R-011)."""
    code, reference = PaymentMeansCode, fik71_reference(number) or "0" * 15
    body = number.rjust(15, "0")[-15:] if number.isdigit() else "1" * 15
    long_reference = body + str(luhn_digit(body))
    means = [
        st.just(PaymentMeans(code.UNDEFINED)),
        st.builds(PaymentMeans, st.sampled_from((code.BANK_ACCOUNT, code.DEBIT_TRANSFER)), maybe(references),
                  st.sampled_from(("0440116243", "1")), st.just("0040"), maybe(texts)),
        st.builds(PaymentMeans, st.just(code.SEPA), maybe(references), ibans, maybe(bics), maybe(texts)),
        st.builds(PaymentMeans, st.just(code.SEPA_DIRECT_DEBIT), payment_id=maybe(references), mandate=references, payer_account=maybe(ibans)),
        st.builds(PaymentMeans, st.just(code.DIRECT_DEBIT), payment_id=maybe(references), mandate=references,
                  payer_account=st.just("0440116243")),
        st.builds(PaymentMeans, st.just(code.CARD), card_number=st.sampled_from(("1234", "512345")),
                  card_network=st.sampled_from(("VISA", "DK"))),
        st.just(PaymentMeans(code.NEMKONTO)),
        st.builds(PaymentMeans, st.just(code.FIK), st.sampled_from((f"71#{reference}", "73#", f"75#{long_reference}")), st.just("81234567")),
        st.builds(PaymentMeans, st.just(code.GIRO), st.sampled_from(("01#", f"04#{long_reference}", f"15#{long_reference}")),
                  st.sampled_from(("1234567", "12345678"))),
    ]  # fmt: skip
    if is_credit_note or not buyer_is_danish:
        means.append(
            st.builds(PaymentMeans, st.just(code.CREDIT_TRANSFER), maybe(references), ibans, maybe(bics), maybe(texts))
        )
    return st.one_of(means)


@st.composite
def _payment(draw: st.DrawFn, means: st.SearchStrategy[PaymentMeans]) -> tuple[PaymentMeans, ...]:
    """At most one way to pay; of bank accounts there may be two (UBL-SR-44, UBL-SR-47)."""
    chosen = draw(maybe(means))
    if chosen is None:
        return ()
    if chosen.code in _BANK and draw(st.integers(0, 3)) == 0:
        return chosen, replace(chosen, account="FI2112345600000785" if chosen.code in _BY_IBAN else "12345")
    return (chosen,)


#: Never the seller itself (BR-17).
payees = st.builds(Payee, texts.map("{} Factoring".format), maybe(st.just("34567891")))
attachments = st.builds(
    Attachment,
    id=references,
    filename=st.sampled_from(("faktura.pdf", "bilag & æøå.pdf")),
    media_type=st.sampled_from(("application/pdf", "image/png", "text/csv")),
    content=st.binary(min_size=1, max_size=40),
    description=maybe(texts),
)


def _buyers(categories: Sequence[VatCategory], only_danish: bool) -> st.SearchStrategy[Party]:
    if K in categories:
        return foreign_parties(EU_ABROAD)
    if G in categories:
        return foreign_parties(OUTSIDE_EU)
    danes = danish_parties()
    return danes if only_danish else st.one_of(danes, danes, foreign_parties(("FR", "SE", "GB", "US")))


@st.composite
def _parties(draw: st.DrawFn, categories: Sequence[VatCategory], only_danish: bool) -> tuple[Party, Party]:
    seller, buyer = draw(danish_parties(seller=True)), draw(_buyers(categories, only_danish))
    if O in categories:
        # BR-O-02: no VAT numbers at all.
        return replace(seller, vat_id=None), replace(buyer, vat_id=None)
    if AE in categories and not (buyer.vat_id or buyer.legal_id):
        # BR-AE-02
        return seller, replace(buyer, legal_id=CVRS[0], legal_scheme="0184") if buyer.is_danish else replace(
            buyer, legal_id="1"
        )
    return seller, buyer


@st.composite
def _deliveries(draw: st.DrawFn, issued: date, country: str, needed: bool) -> Delivery | None:
    """BR-IC-11 and BR-IC-12 need date and country."""
    if not needed and draw(st.booleans()):
        return None
    return Delivery(
        date=issued,
        address=draw(addresses(country)) if needed else draw(maybe(addresses(country))),
        name=draw(maybe(texts)),
        location=draw(maybe(st.sampled_from(GLNS).map(lambda value: Participant(GLN, value)))),
    )


@st.composite
def _document_allowances(draw: st.DrawFn, lines: Sequence[Line]) -> tuple[AllowanceCharge, ...]:
    """Of one VAT group, whose base they never turn negative."""
    group = draw(st.sampled_from(vat_breakdown(lines)))
    allowances = draw(_allowances_of(group.taxable_amount))
    return tuple(replace(item, vat=group.vat) for item in allowances)


@st.composite
def invoices(draw: st.DrawFn, format_id: str = "peppol-bis-3") -> Invoice:
    """An invoice or credit note of a Danish seller that the official rules of ``format_id`` like.

    For ``oioubl-2.1`` both parties have Danish addresses and there is one
    standard rate; for all other formats the whole of EN 16931 is drawn from.
    """
    danish = format_id == OIOUBL
    categories = draw(st.sampled_from(_DANISH_SALES if danish else _DANISH_SALES + _EU_SALES + _EXPORTS))
    kind, number, issued = draw(st.sampled_from(DocumentType)), draw(references), draw(dates)
    seller, buyer = draw(_parties(categories, danish))
    order, period = draw(maybe(references)), draw(_periods(issued))
    classes = draw(_classes(categories, danish))
    count = max(len(classes), draw(st.sampled_from((1, 1, 2, 2, 3, 4, 6, 10, 30))))
    lines = _positive([draw(_lines(position, classes, period)) for position in range(count)])
    extra = draw(st.just(()) | _document_allowances(lines))
    vat = vat_breakdown(lines, extra)
    gross = document_totals(lines, vat, extra).gross
    rounding = draw(st.sampled_from((ZERO, ZERO, ZERO, Decimal("-0.25"), Decimal("0.50"))))
    payable = gross + rounding if gross + rounding >= ZERO else gross
    totals = document_totals(lines, vat, extra, payable=payable)
    currency = draw(st.sampled_from(("DKK", "DKK", *_EXCHANGE_RATES)))
    means = _payment_means(number, buyer.is_danish, kind is DocumentType.CREDIT_NOTE)
    return Invoice(
        source_id=f"org:{number}",
        type=kind,
        number=number,
        issue_date=issued,
        currency=currency,
        seller=seller,
        buyer=buyer,
        lines=lines,
        vat=vat,
        totals=totals,
        due_date=draw(st.sampled_from((None, issued, issued + timedelta(days=14)))),
        note=draw(maybe(texts)),
        buyer_reference=draw(maybe(texts)) if order else draw(texts),  # PEPPOL-EN16931-R003
        order_reference=order,
        sales_order_reference=draw(maybe(references)),
        despatch_reference=draw(maybe(references)),
        contract_reference=draw(maybe(references)),
        project_reference=draw(maybe(references)),
        accounting_cost=draw(maybe(references)),
        period=period,
        preceding=tuple(draw(st.lists(st.builds(DocumentReference, references, maybe(dates)), max_size=2))),
        payee=draw(maybe(payees)),
        delivery=draw(_deliveries(issued, buyer.address.country or "DK", K in categories)),
        payment=draw(_payment(means)),
        payment_terms=draw(maybe(texts)),
        allowances_charges=extra,
        vat_in_tax_currency=_in_kroner(currency, totals.vat),
        attachments=tuple(draw(st.lists(attachments, max_size=2))),
    )


def _in_kroner(currency: str, vat: Decimal) -> VatInTaxCurrency | None:
    if currency not in _EXCHANGE_RATES or vat == ZERO:
        return None
    rate = Decimal(_EXCHANGE_RATES[currency])
    return VatInTaxCurrency("DKK", round2(multiply(vat, rate)), rate)
