"""The everyday sales of the demo company: varied, unproblematic and always the same."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from invoiceapp.domain.money import divide, multiply, round2

from .bookkeeping import Plan, Sale
from .catalogue import EXCHANGE_RATES, PRODUCTS, Product, tax_rate_for
from .records import Record

#: How many everyday documents the books hold.
COUNT = 430

#: What a customer group buys of a hundred documents, by first letter of the customer's key.
_SHARES = {"O": 52, "K": 20, "V": 22, "U": 4, "P": 2}
_CURRENCY_OF = {"SE": "SEK", "DE": "EUR", "NL": "EUR", "NO": "NOK", "GB": "GBP", "US": "USD"}
_CREDIT_EVERY = 23

_MESSAGES = (
    None,
    None,
    "Tak for ordren. Leveret som aftalt.",
    "Levering iht. rammeaftale.",
    "Ydelser udført i perioden iht. aftale.",
    "Spørgsmål til fakturaen besvares på faktura@nordlys.example.",
)
_DESCRIPTIONS = (None, None, None, "Leveret til receptionen", "Iht. tilbud", "Uge 38-41", "Afdeling B, 2. sal")


def _quantity(random: Random, product: Product) -> Decimal:
    if product.price < 1:
        return Decimal(random.randrange(500, 25_000))
    if product.unit in ("hours", "timer", "time", "kg", "m", "m2", "liter"):
        return Decimal(random.randrange(2, 80)) / 4
    return Decimal(random.choice((1, 1, 1, 2, 2, 3, 4, 5, 6, 10, 12, 20)))


def _price(product: Product, currency: str, tax_mode: str, rate: str) -> Decimal:
    """Catalogue price in document currency; with VAT, in whole øre, where prices are VAT-inclusive."""
    price = product.price
    if currency != "DKK":
        price = divide(price, EXCHANGE_RATES[currency], 4 if price < 1 else 2)
    if tax_mode == "incl" and rate == "standard":
        price = round2(multiply(price, Decimal("1.25")))
    return price


def _sale(random: Random, product: Product, country: str | None, currency: str, tax_mode: str) -> Sale:
    rate = tax_rate_for(product, country)
    discount = Decimal(random.choice((5, 10, 15))) if random.random() < 0.08 else None
    return Sale(
        product.number,
        _quantity(random, product),
        _price(product, currency, tax_mode, rate),
        rate,
        description=random.choice(_DESCRIPTIONS),
        discount_mode="percent" if discount else None,
        discount_value=discount,
    )


def _order_no(random: Random, group: str) -> str | None:
    """Public bodies and chains always state an order; companies sometimes, people never."""
    if group in ("O", "K"):
        return f"PO-{random.randrange(10_000, 99_999)}"
    return f"PO-{random.randrange(1000, 9999)}" if group in ("V", "U") and random.random() < 0.4 else None


def plan_for(key: str, customer: Record, random: Random) -> Plan:
    """An everyday invoice to a customer, drawn from ``random``."""
    group, country = customer["contactNo"][0], customer["countryId"]
    tax_mode = "incl" if group == "P" or (group == "V" and random.random() < 0.15) else "excl"
    currency = _CURRENCY_OF.get(country, "DKK") if group == "U" else "DKK"
    choice = [product for product in PRODUCTS if country == "DK" or product.kind != "exempt"]
    if group == "P":
        choice = [product for product in choice if product.price >= 1]
    products = random.sample(choice, random.choice((1, 1, 2, 2, 3, 3, 4, 6)))
    if group == "U":
        # One tax rate per foreign document, as a bookkeeper would split them.
        products = [product for product in products if product.kind == products[0].kind]
    return Plan(
        key=key,
        customer=customer["contactNo"],
        sales=tuple(_sale(random, product, country, currency, tax_mode) for product in products),
        tax_mode=tax_mode,
        currency=currency,
        order_no=_order_no(random, group),
        message=random.choice(_MESSAGES),
    )


def _credit_of(plan: Plan, key: str) -> Plan:
    return Plan(
        key=key,
        customer=plan.customer,
        sales=plan.sales,
        type="creditNote",
        tax_mode=plan.tax_mode,
        currency=plan.currency,
        order_no=plan.order_no,
        message="Kreditering af tidligere fremsendt faktura.",
        credits=plan.key,
    )


def sellable(contacts: list[Record]) -> list[Record]:
    """The contacts that everyday documents go to: all but the difficult ones."""
    return [contact for contact in contacts if contact["contactNo"][0] in _SHARES]


def plans(contacts: list[Record]) -> list[Plan]:
    """``COUNT`` documents, oldest first; every 23rd is a credit note of one shortly before."""
    random = Random("nordlys")  # noqa: S311 - the demo must look the same every time
    groups = {letter: [c for c in contacts if c["contactNo"][0] == letter] for letter in _SHARES}
    result: list[Plan] = []
    for number in range(1, COUNT + 1):
        key = f"ordinary-{number:04d}"
        if number % _CREDIT_EVERY == 0:
            result.append(_credit_of(result[-5], key))
            continue
        letter = random.choices(list(_SHARES), list(_SHARES.values()))[0]
        result.append(plan_for(key, random.choice(groups[letter]), random))
    return result
