"""One document for each thing that goes wrong in real books.

Names are the keys of ``Company.hard_cases``. Amounts are DKK unless a currency is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from .bookkeeping import Plan, Sale
from .records import record_id

_PUBLIC, _COMPANY = "O01", "V01"

#: Records that the books refer to and do not hold.
MISSING_PRODUCT_ID = record_id("product", "deleted")
UNKNOWN_TAX_RATE_ID = record_id("taxRate", "deleted")
_MISSING_INVOICE = "never-existed"

_LATE_FEE = Decimal(100)
_LOREM = "Arbejdet er udført efter aftale med driftsafdelingen, se punkt 4 i rammeaftalen om løbende vedligehold. "


def _sale(product: str | None, quantity: str, price: str, rate: str = "standard", **more: Any) -> Sale:
    return Sale(product, Decimal(quantity), Decimal(price), rate, **more)


def _plan(key: str, *sales: Sale, customer: str = _PUBLIC, order_no: str | None = "PO-77810", **more: Any) -> Plan:
    return Plan(key, customer, sales, order_no=order_no, **more)


_PAPER = _sale("1001", "10", "39.95")
_SUPPORT = _sale("2003", "3", "895")


def _amounts() -> Iterator[Plan]:
    """Sums that do not add up at first sight, and two that never do."""
    yield _plan("inclusive_cents", _sale("1002", "3", "33.33"), _sale("1003", "1", "9.99"), tax_mode="incl")
    yield _plan(
        "exclusive_cents", _sale("1002", "3", "33.33"), _sale("1003", "1", "0.05"), _sale("1009", "2.5", "19.99")
    )
    yield _plan("two_tiny_lines", _sale("1001", "1", "0.02"), _sale("1003", "1", "0.02"))
    yield _plan("inclusive_many_lines", *(_sale("1003", "1", "9.99") for _ in range(12)), tax_mode="incl")
    yield _plan("mixed_rates", _SUPPORT, _sale("3001", "2", "1295", "exempt"))
    yield _plan("exempt", _sale("3002", "1", "850", "exempt"))
    yield _plan("four_decimals", _sale("2006", "1234", "0.0645"), _sale("2007", "17", "0.3875"))
    yield _plan(
        "percent_discount",
        _sale("2004", "10", "1200", discount_mode="percent", discount_value=Decimal(10)),
        _sale("3002", "1", "500", "exempt"),
    )
    yield _plan("cash_discount", _sale("1006", "2", "2895", discount_mode="cash", discount_value=Decimal("290.50")))
    yield _plan(
        "inclusive_discount",
        _sale("1008", "3", "561.88", discount_mode="percent", discount_value=Decimal("12.5")),
        tax_mode="incl",
    )
    yield _plan("unreconciled_total", _PAPER, _SUPPORT, header_error=Decimal("12.34"))
    yield _plan("one_oere_off", _PAPER, _SUPPORT, header_error=Decimal("0.01"))


def _lines() -> Iterator[Plan]:
    """Too few, too many and odd lines."""
    yield _plan("no_lines")
    yield _plan("lines_300", *(_sale("1003", str(n % 7 + 1), "28.75", description=f"Kasse {n}") for n in range(1, 301)))
    yield _plan("zero_quantity", _PAPER, _sale("1004", "0", "749"))
    yield _plan("negative_line", _SUPPORT, _sale("1004", "-1", "749"), _sale("2010", "1", "-100"))
    yield _plan("negative_total", _sale("1001", "1", "39.95"), _sale("1004", "-1", "749"))
    yield _plan("zero_total", _sale("2010", "1", "350"), _sale("2010", "-1", "350"))
    yield _plan("unknown_tax_rate", _sale("1001", "10", "39.95", overrides={"taxRateId": UNKNOWN_TAX_RATE_ID}))
    yield _plan("missing_product", _sale("1001", "1", "99", overrides={"productId": MISSING_PRODUCT_ID}), _PAPER)
    yield _plan("null_product", _sale(None, "1", "250", description="Diverse småting"))
    yield _plan("odd_unit", _sale("9001", "1", "1000"))


def _texts() -> Iterator[Plan]:
    """What people type into text fields."""
    yield _plan(
        "emoji",
        _sale("1009", "5", "129", description="Kaffe ☕ til morgenmøder 🎉"),
        message="Tak for jer! 💙",
        customer="X07",
    )
    yield _plan(
        "control_characters",
        _sale("1001", "10", "39.95", description="Linje 1\nLinje 2\r\n\tindrykket\u00a0og\u200bskjult\x0b slut"),
        message="Hej\tmed\n\njer",
    )
    yield _plan("long_texts", _sale("2001", "8", "348", description=(_LOREM * 4)[:300]), message=(_LOREM * 20)[:2000])
    yield _plan("markup", _sale("1001", "1", "39.95", description="<b>fed</b> & \"citat\" 'æ' ]]>"), customer="X09")
    yield _plan("long_name", _PAPER, customer="X08")


def _receivers() -> Iterator[Plan]:
    """Customers that cannot be reached, or not as they stand."""
    yield _plan("missing_ean", _PAPER, customer="X01")
    yield _plan("bad_gln", _PAPER, customer="X02")
    yield _plan("short_gln", _PAPER, customer="X03")
    yield _plan("no_country", _PAPER, customer="X04")
    yield _plan("city_by_id", _PAPER, customer="X05")
    yield _plan("archived_customer", _SUPPORT, customer="X06")
    yield _plan("same_cvr_east", _PAPER, customer="X10")
    yield _plan("same_cvr_west", _PAPER, customer="X11")
    yield _plan("no_order_number", _PAPER, order_no=None)
    yield _plan("no_contact_person", _SUPPORT, overrides={"attContactPersonId": None})
    yield _plan("person", _sale("1008", "1", "561.88"), customer="P01", tax_mode="incl", order_no=None)


def _borders() -> Iterator[Plan]:
    """Other countries and currencies."""
    yield _plan("foreign_currency_eur", _sale("2003", "4", "119.97"), customer=_COMPANY, currency="EUR")
    yield _plan("foreign_currency_sek", _sale("1007", "2", "5864.65", "eu_goods"), customer="U01", currency="SEK")
    yield _plan("foreign_currency_usd", _sale("2004", "6", "178.36", "export"), customer="U09", currency="USD")
    yield _plan("foreign_currency_nok", _sale("1006", "1", "4527.68", "export"), customer="U06", currency="NOK")
    yield _plan("intra_community", _sale("1007", "3", "535.51", "eu_goods"), customer="U03", currency="EUR")
    yield _plan("reverse_charge", _sale("2004", "12", "154.15", "eu_services"), customer="U05", currency="EUR")
    yield _plan("export", _sale("1006", "4", "340.94", "export"), customer="U08", currency="GBP")


def _states() -> Iterator[Plan]:
    """Documents that are not simply approved, and credit notes."""
    yield _plan("credited_original", _PAPER, _SUPPORT)
    yield _plan("credit_with_reference", _PAPER, type="creditNote", credits="credited_original")
    yield _plan("credit_without_reference", _SUPPORT, type="creditNote", message="Bonus for 3. kvartal")
    yield _plan("credit_original_missing", _PAPER, type="creditNote", credits=_MISSING_INVOICE)
    yield _plan("voided", _SUPPORT, state="voided", overrides={"dueDate": None})
    yield _plan("draft", _PAPER, state="draft")
    yield _plan("draft_without_lines", state="draft")
    yield _plan("null_approved_time", _PAPER, overrides={"approvedTime": None})
    yield _plan("duplicate_number_first", _PAPER, overrides={"invoiceNo": "1099-A"})
    yield _plan("duplicate_number", _SUPPORT, overrides={"invoiceNo": "1099-A"})
    yield _plan("no_pdf", _PAPER, overrides={"downloadUrl": None})
    yield _plan(
        "late_fee",
        _sale("1001", "10", "40"),
        # A late fee is a record of its own: it raises what is due, not the document's totals.
        overrides={"balance": Decimal(500) + _LATE_FEE},
        message="Der er pålagt rykkergebyr på 100,00 kr., jf. rykker 1.",
    )


def plans() -> list[Plan]:
    """All hard cases; a credit note comes after what it credits."""
    return [*_amounts(), *_lines(), *_texts(), *_receivers(), *_borders(), *_states()]
