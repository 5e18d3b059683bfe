"""Generated records of Billy's: the header is computed the way the books do it, so that most documents convert.

Arithmetic in fractions, apart from the product's own (``domain/money.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from .values import (
    CVRS,
    GLNS,
    GTINS,
    NORWEGIAN_NUMBERS,
    SWEDISH_NUMBERS,
    bics,
    dates,
    emails,
    maybe,
    phones,
    references,
    texts,
)

Record = dict[str, Any]

_UNITS = ("stk.", "timer", "kg", "m²", "fastpris", "dusin", None)

#: Rates as Billy has them, by id; names decide what a rate of zero means (``sources/billy/vat.py``).
_RATES: Mapping[str, tuple[str, str]] = {
    "rate25": ("Salgsmoms", "0.25"),
    "rate12": ("Svensk moms", "0.12"),
    "rate0": ("Momsfri", "0"),
    "rateGoods": ("EU-varesalg", "0"),
    "rateServices": ("EU-ydelser, omvendt betalingspligt", "0"),
}
#: Which rates go together, by kind of customer.
_SALES = {
    "dk": (("rate25",), ("rate25",), ("rate25", "rate0"), ("rate0",), ("rate25", "rateServices")),
    "eu": (("rateGoods",), ("rateServices",), ("rate25", "rateGoods")),
    "abroad": (("rate0",), ("rate25", "rate0")),
}


def setting(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Most settings of most adaptors are not set."""
    return st.none() | st.none() | strategy


_GLN, _CVR = st.sampled_from(GLNS), st.sampled_from(CVRS)

#: Every setting by group and name; the self-test compares them with what ``domain/settings.py`` declares.
SETTINGS: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "general": {
        "documentTypes": setting(st.sampled_from(("both", "invoices", "credit-notes"))),
        "alreadyMailed": setting(st.sampled_from(("skip", "warn", "send"))),
        "alreadyEinvoiced": setting(st.sampled_from(("skip", "warn", "send"))),
        "alreadyElsewhere": setting(st.sampled_from(("skip", "warn", "send"))),
        "holdMinutes": setting(st.integers(0, 10_080)),
        "approveFirst": setting(st.booleans()),
        "embedPdf": setting(st.booleans()),
        "note": setting(texts),
        "paymentTerms": setting(texts),
        "attachmentBudget": setting(st.integers(1, 30)),
        "invoicingPeriod": setting(st.sampled_from(("none", "month", "previous-month"))),
        "deliveryDate": setting(st.sampled_from(("none", "issue-date"))),
        "productNumberIsGtin": setting(st.booleans()),
        "roundingLimit": setting(st.sampled_from(("0.50", "1"))),
    },
    "supplier": {
        "endpoint": setting(_GLN.map(lambda value: {"scheme": "0088", "value": value})),
        "name": setting(texts),
        "street": setting(texts),
        "postalCode": setting(st.just("8000")),
        "city": setting(texts),
        "vatNumber": setting(_CVR.map("DK{}".format)),
        "contactName": setting(texts),
        "phone": setting(phones),
        "email": setting(emails),
        "gln": setting(_GLN),
        "legalForm": setting(texts),
        "paymentMethod": setting(
            st.sampled_from(
                ("auto", "bank", "iban", "fik-71", "fik-73", "fik-75", "giro-01", "giro-04", "giro-15", "direct-debit",
                 "sepa-direct-debit", "card", "nemkonto", "none")
            )
        ),
        # What a way to pay needs is always there, so that each can be chosen.
        "bankRegistration": st.just("0040"),
        "bankAccount": st.just("0440116243"),
        "iban": st.just("DK5000400440116243"),
        "bic": setting(bics),
        "fikCreditor": st.just("81234567"),
        "giroAccount": st.just("1234567"),
        "payeeName": setting(texts.map("{} Factoring".format)),
        "payeeCvr": st.just("34567891"),
    },
    "customer": {
        "endpoint": setting(_GLN.map(lambda value: {"scheme": "0088", "value": value})),
        "buyerReference": st.just("REF-7") | texts,
        # A required number that is missing stops a document: most of these are there to convert.
        "orderNumberPolicy": setting(st.sampled_from(("optional", "not-applicable"))),
        "orderNumberPattern": setting(st.sampled_from(("####", "[??] @", "PO: [######]"))),
        "orderNumber": setting(references),
        "accountingCost": setting(references),
        "contractReference": setting(references),
        "projectReference": setting(references),
        "unspsc": setting(st.just("43211503")),
        "name": setting(texts),
        "street": setting(texts),
        "postalCode": setting(st.just("0900")),
        "city": setting(texts),
        "country": st.none(),
        "vatNumber": st.none(),
        "contactName": setting(texts),
        "email": setting(emails),
        "gln": setting(_GLN),
        "deliveryName": setting(texts),
        "deliveryGln": setting(_GLN),
        "deliveryStreet": setting(texts),
        "deliveryPostalCode": setting(st.just("5000")),
        "deliveryCity": setting(texts),
        "deliveryCountry": setting(st.sampled_from(("DK", "SE"))),
        "mandate": st.just("AFT-17"),
        "payerAccount": st.just("DK5000400440116243"),
        "cardNumber": st.just("1234"),
        "cardNetwork": st.just("VISA"),
    },
    "gateway": {
        "fileName": setting(st.sampled_from(("{type}-{number}", "{date}_{customer}_{key8}"))),
        "receiverEmail": setting(emails),
    },
}  # fmt: skip


@st.composite
def settings(draw: st.DrawFn) -> Record:
    """Settings in their JSON form that go together."""
    chosen: Record = {
        group: {name: value for name, strategy in fields.items() if (value := draw(strategy)) is not None}
        for group, fields in SETTINGS.items()
    }
    supplier = chosen["supplier"]
    if "payeeName" not in supplier:
        del supplier["payeeCvr"]
    if draw(st.booleans()):
        # Then it is Billy's account; half of one is refused.
        for name in ("bankRegistration", "bankAccount", "iban"):
            del supplier[name]
    return chosen


def round_cents(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _line_amount(line: Record) -> Fraction:
    amount = Fraction(round_cents(Fraction(line["quantity"]) * Fraction(line["unitPrice"])))
    if line["discountMode"] == "percent":
        return amount - Fraction(round_cents(amount * Fraction(line["discountValue"]) / 100))
    return amount - Fraction(line["discountValue"] or 0)


def booked(lines: list[Record], inclusive: bool, by_line: bool) -> tuple[Decimal, Decimal]:
    """Net and VAT of the header: VAT is rounded once over all lines, or line by line."""
    total, taxes = Fraction(0), []
    for line in lines:
        amount, rate = _line_amount(line), Fraction(_RATES[line["taxRateId"]][1])
        total += amount
        taxes.append(amount * rate / (1 + rate) if inclusive else amount * rate)
    vat = sum(map(round_cents, taxes), Decimal(0)) if by_line else round_cents(sum(taxes, Fraction(0)))
    return (round_cents(total) - vat if inclusive else round_cents(total)), vat


@st.composite
def _lines(draw: st.DrawFn, rates: tuple[str, ...], position: int) -> Record:
    quantity = draw(
        st.integers(1, 500).map(Decimal)
        | st.integers(1, 50_000).map(lambda number: Decimal(number).scaleb(-3))
        | st.sampled_from((Decimal(1), Decimal("0.25"), Decimal(100_000)))
    )
    price = draw(
        st.integers(1, 500_000).map(lambda number: Decimal(number).scaleb(-2))
        | st.integers(1, 100_000).map(lambda number: Decimal(number).scaleb(-4))
    )
    mode = draw(st.sampled_from((None, None, None, "percent", "cash")))
    value = None
    if mode == "percent":
        value = draw(st.sampled_from((Decimal(5), Decimal("12.5"), Decimal("33.3"), Decimal(100))))
    elif mode == "cash":
        full = round_cents(Fraction(quantity) * Fraction(price))
        value = round_cents(Fraction(full) * draw(st.integers(1, 100)) / 100)
    elif draw(st.integers(0, 5)) == 0:
        quantity = -quantity
    return {
        "id": f"line{position}", "productId": draw(st.sampled_from((None, "prod0", "prod1"))), "description": draw(texts),
        "quantity": quantity, "unitPrice": price, "taxRateId": draw(st.sampled_from(rates)), "discountText": draw(maybe(texts)),
        "discountMode": mode, "discountValue": value, "priority": position,
    }  # fmt: skip


def _organization(has_vat: bool) -> Record:
    return {
        "id": "org", "name": "Værkstedet ApS", "registrationNo": "12345674", "street": "Lillestræde 4", "zipcode": "5000",
        "city": "Odense C", "countryId": "DK", "phone": "66112233", "email": "bog@vaerkstedet.example", "baseCurrencyId": "DKK",
        "hasVat": has_vat,
    }  # fmt: skip


_ACCOUNT = {
    "id": "acc", "name": "Driftskonto", "bankRoutingNo": "0040", "bankAccountNo": "0440116243", "bankSwift": "POLRDKKK",
    "bankIban": "DK5000400440116243",
}  # fmt: skip


@st.composite
def _contacts(draw: st.DrawFn, market: str) -> Record:
    known: Record = {
        "id": "con",
        "type": "company",
        "name": draw(texts),
        "street": draw(maybe(texts)),
        "cityText": draw(maybe(texts)),
    }
    if market == "dk":
        number = draw(_CVR)
        numbers = ({"ean": draw(_GLN)}, {"registrationNo": number}, {"registrationNo": number, "ean": draw(_GLN)})
        return known | {"countryId": "DK", "zipcodeText": "5000"} | draw(st.sampled_from(numbers))
    if market == "eu":
        swedish = draw(st.sampled_from(SWEDISH_NUMBERS))
        choices = (("SE", f"SE{swedish}01"), ("DE", "DE123456788"), ("FR", "FR23334175221"))
    else:
        choices = (("NO", draw(st.sampled_from(NORWEGIAN_NUMBERS))), ("GB", "GB980780684"))
    country, registration = draw(st.sampled_from(choices))
    return known | {"countryId": country, "registrationNo": registration}


@st.composite
def bundles(draw: st.DrawFn) -> Record:
    """One approved invoice or credit note with its records and settings, as ``convert(bundle, settings_from(bundle["settings"]))`` wants it."""
    market = draw(st.sampled_from(("dk", "dk", "dk", "eu", "abroad")))
    rates = draw(st.sampled_from(_SALES[market]))
    has_vat = draw(st.sampled_from((True,) * 9 + (False,)))
    if not has_vat:
        rates = ("rate0",)
    count = draw(st.sampled_from((1, 1, 2, 3, 5, 10, 30)))
    lines = [draw(_lines(rates, position)) for position in range(1, count + 1)]
    kind, inclusive = draw(st.sampled_from(("invoice", "creditNote"))), draw(st.booleans())
    net, vat = booked(lines, inclusive, by_line=draw(st.booleans()))
    issued = draw(dates)
    return {
        "organization": _organization(has_vat),
        "account": draw(st.sampled_from((*(_ACCOUNT,) * 9, None))),
        "contact": draw(_contacts(market)),
        "contactPerson": draw(maybe(st.fixed_dictionaries({"id": st.just("per"), "name": texts, "email": emails}))),
        "products": [
            {"id": f"prod{index}", "name": draw(texts), "productNo": draw(st.sampled_from((None, "R-1", *GTINS))),
             "unit": draw(st.sampled_from(_UNITS))}
            for index in range(2)
        ],
        "taxRates": [{"id": key, "name": name, "rate": Decimal(rate)} for key, (name, rate) in _RATES.items()],
        "invoice": {
            "id": "inv", "type": kind, "state": "approved", "invoiceNo": str(draw(st.integers(1, 999_999))),
            "entryDate": issued.isoformat(), "dueDate": draw(st.sampled_from((None, issued.isoformat()))),
            "paymentTermsMode": "net", "paymentTermsDays": draw(st.sampled_from((None, 0, 14))),
            "currencyId": draw(st.sampled_from(("DKK", "DKK", "EUR", "SEK", "USD"))), "exchangeRate": draw(st.sampled_from((Decimal("7.4602"), Decimal("0.6543")))),
            "taxMode": "incl" if inclusive else "excl", "amount": net, "tax": vat, "grossAmount": net + vat,
            "orderNo": draw(maybe(references)), "contactMessage": draw(maybe(texts)), "lines": lines,
        },
        "creditedInvoice": draw(st.none() | st.just({"invoiceNo": "1999", "entryDate": "2024-01-02"})) if kind == "creditNote" else None,
        "settings": draw(settings()),
    }  # fmt: skip
