from __future__ import annotations

import copy
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.domain.invoice import Attachment, DocumentReference, DocumentType
from invoiceapp.domain.settings import Settings, settings_from
from invoiceapp.sources.base import Conversion, UnusableBundle
from invoiceapp.sources.billy.mapping import convert

Bundle = dict[str, Any]


@pytest.fixture(scope="module")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


@pytest.fixture
def hard_case(company: Company):
    """The bundle of a hard case by name, to be changed freely."""
    return lambda name: copy.deepcopy(company.bundle(company.hard_cases[name]))


def rules(result: Conversion) -> list[str]:
    return [f"{finding.rule}:{finding.severity.value}" for finding in result.findings]


def categories(result: Conversion) -> str:
    return "".join(sorted({line.vat.category.value for line in result.invoice.lines})) if result.invoice else ""


GUESSED = "IA-VAT-GUESSED:warning"

#: Name: findings, VAT categories of the lines, type. Documents without categories do not become an invoice.
OUTCOMES = {
    "inclusive_cents": ([], "S"),
    "exclusive_cents": ([], "S"),
    "two_tiny_lines": ([], "S"),
    "inclusive_many_lines": ([], "S"),
    "mixed_rates": ([GUESSED], "ES"),
    "exempt": ([GUESSED], "E"),
    "four_decimals": ([], "S"),
    "percent_discount": ([GUESSED], "ES"),
    "cash_discount": ([], "S"),
    "inclusive_discount": ([], "S"),
    "unreconciled_total": (["IA-TOTAL:fatal"], ""),
    "one_oere_off": ([], "S"),
    "no_lines": (["BR-16:fatal"], ""),
    "lines_300": ([], "S"),
    "zero_quantity": ([], "S"),
    "negative_line": ([], "S"),
    "negative_total": (["DK-BR-001:info"], "S"),
    "zero_total": ([], "S"),
    "unknown_tax_rate": (["BILLY-TAX-RATE:fatal"], ""),
    "missing_product": (["BILLY-PRODUCT:warning", "BR-25:fatal"], ""),
    "null_product": ([], "S"),
    "odd_unit": ([], "S"),
    "emoji": ([], "S"),
    "control_characters": ([], "S"),
    "long_texts": ([], "S"),
    "markup": ([], "S"),
    "long_name": ([], "S"),
    "missing_ean": ([], "S"),
    "bad_gln": ([], "S"),
    "short_gln": ([], "S"),
    "no_country": ([], "S"),
    "city_by_id": ([], "S"),
    "archived_customer": ([], "S"),
    "same_cvr_east": ([], "S"),
    "same_cvr_west": ([], "S"),
    "no_order_number": ([], "S"),
    "no_contact_person": ([], "S"),
    "person": ([], "S"),
    "foreign_currency_eur": ([], "S"),
    "foreign_currency_sek": ([], "K"),
    "foreign_currency_usd": ([GUESSED], "G"),
    "foreign_currency_nok": ([GUESSED], "G"),
    "intra_community": ([], "K"),
    "reverse_charge": ([], "AE"),
    "export": ([GUESSED], "G"),
    "credited_original": ([], "S"),
    "credit_with_reference": ([], "S"),
    "credit_without_reference": ([], "S"),
    "credit_original_missing": ([], "S"),
    "null_approved_time": ([], "S"),
    "duplicate_number_first": ([], "S"),
    "duplicate_number": ([], "S"),
    "no_pdf": ([], "S"),
    "late_fee": ([], "S"),
}
UNUSABLE = {"voided": "annulleret", "draft": "kladde", "draft_without_lines": "kladde"}
CREDIT_NOTES = {"negative_total", "credit_with_reference", "credit_without_reference", "credit_original_missing"}


def test_every_hard_case_has_an_expected_outcome(company):
    assert set(OUTCOMES) | set(UNUSABLE) == set(company.hard_cases)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_hard_case_comes_out_as_expected(hard_case, name):
    bundle = hard_case(name)
    result = convert(bundle, Settings())
    expected, letters = OUTCOMES[name]
    assert rules(result) == expected
    assert categories(result) == letters
    if result.invoice is not None:
        assert result.invoice.totals.payable == abs(bundle["invoice"]["grossAmount"])
        assert result.invoice.totals.rounding == 0
        assert result.invoice.is_credit_note is (name in CREDIT_NOTES)


@pytest.mark.parametrize("name", UNUSABLE)
def test_drafts_and_voided_documents_are_refused(hard_case, name):
    with pytest.raises(UnusableBundle) as refused:
        convert(hard_case(name), Settings())
    assert UNUSABLE[name] in refused.value.text.da


def test_every_document_of_the_company_keeps_its_gross_amount(company):
    for key, record in company.tables["invoices"].items():
        if record["state"] != "approved":
            continue
        invoice = convert(company.bundle(key), Settings()).invoice
        if invoice is not None:
            assert invoice.totals.payable == abs(record["grossAmount"]), key
            assert abs(invoice.totals.rounding) <= Decimal("0.50")


def test_both_sums_are_told_where_they_do_not_meet(hard_case):
    finding = convert(hard_case("unreconciled_total"), Settings()).findings[0]
    assert "3.084,50" in finding.text.da
    assert "3.096,84" in finding.text.da
    assert "3084.50" in finding.text.en
    assert finding.fix == "source.invoice"


def one_line(bundle: Bundle, price: str, rate: str, mode: str, net: str, vat: str) -> Bundle:
    """A bundle that is one line of one rate, with a header of its own."""
    line = bundle["invoice"]["lines"][0] | {
        "quantity": 1, "unitPrice": Decimal(price), "discountMode": None, "discountValue": None
    }  # fmt: skip
    record = next(item for item in bundle["taxRates"] if item["id"] == line["taxRateId"])
    record["rate"] = Decimal(rate)
    bundle["invoice"] |= {"taxMode": mode, "amount": Decimal(net), "tax": Decimal(vat), "lines": [line]}
    return bundle


@pytest.mark.parametrize(
    ("price", "rate", "mode", "net", "vat", "told"),
    [
        ("1250", "0.25", "incl", "1000", "250", []),
        ("1250", "0.12", "incl", "1000", "250", ["IA-TOTAL:fatal"]),
        ("1250", "0", "incl", "1000", "250", ["IA-TOTAL:fatal", GUESSED]),
        ("1000", "0.25", "excl", "1010", "240", ["IA-TOTAL:fatal"]),
        ("1000", "0.25", "excl", "1000", "250.99", []),  # BR-S-09 tolerates it, so the booked VAT is told
        ("1000", "0.25", "excl", "1000.30", "250", ["IA-ROUNDING:info"]),
        ("1000", "0", "excl", "999.80", "0.20", ["IA-TOTAL:fatal", GUESSED]),  # no rounding amount would show it
        ("1000", "0", "excl", "1000", "0.20", ["IA-ROUNDING:info", GUESSED]),
    ],
)  # fmt: skip
def test_net_and_vat_are_the_booked_ones_or_the_document_stops(hard_case, price, rate, mode, net, vat, told):
    result = convert(one_line(hard_case("late_fee"), price, rate, mode, net, vat), Settings())
    assert sorted(rules(result)) == told


def test_a_changed_tax_rate_is_told_with_both_divisions(hard_case):
    bundle = one_line(hard_case("late_fee"), "1250", "0.12", "incl", "1000", "250")
    (finding,) = convert(bundle, Settings()).findings
    assert "1.116,07 + moms 133,93" in finding.text.da
    assert "1.000,00 + moms 250,00" in finding.text.da
    assert "VAT rates" in finding.text.en


def test_a_higher_limit_shows_the_difference_as_rounding(hard_case):
    result = convert(hard_case("unreconciled_total"), settings_from({"general": {"roundingLimit": "20"}}))
    assert result.invoice is not None
    assert rules(result) == ["IA-ROUNDING:info"]
    assert result.invoice.totals.rounding == Decimal("12.34")


def test_a_credit_note_names_what_it_credits(hard_case):
    bundle = hard_case("credit_with_reference")
    invoice = convert(bundle, Settings()).invoice
    credited = bundle["creditedInvoice"]
    assert invoice.preceding == (DocumentReference(credited["invoiceNo"], date.fromisoformat(credited["entryDate"])),)
    assert convert(hard_case("credit_original_missing"), Settings()).invoice.preceding == ()


def test_a_credit_note_with_negative_amounts_is_the_same_document(hard_case):
    bundle = hard_case("credit_with_reference")
    negative = copy.deepcopy(bundle)
    for name in ("amount", "tax", "grossAmount"):
        negative["invoice"][name] = -negative["invoice"][name]
    mixed = copy.deepcopy(bundle)
    for line in (*negative["invoice"]["lines"], *mixed["invoice"]["lines"]):
        line["quantity"] = -line["quantity"]
    expected = convert(bundle, Settings())
    assert convert(negative, Settings()) == expected
    assert convert(mixed, Settings()) == expected


def test_a_positive_invoice_over_negative_lines_is_not_guessed_at(hard_case):
    bundle = hard_case("late_fee")
    for line in bundle["invoice"]["lines"]:
        line["quantity"] = -line["quantity"]
    assert rules(convert(bundle, Settings())) == ["IA-TOTAL:fatal"]


def test_foreign_currency_shows_the_vat_in_kroner_whichever_way_the_rate_is_written(hard_case):
    bundle = hard_case("foreign_currency_eur")
    shown = convert(bundle, Settings()).invoice.vat_in_tax_currency
    assert (shown.currency, shown.rate) == ("DKK", Decimal("7.4602"))
    assert shown.amount == Decimal("895.00")
    bundle["invoice"]["exchangeRate"] = 1 / Decimal("7.4602")
    assert convert(bundle, Settings()).invoice.vat_in_tax_currency.amount == shown.amount


@pytest.mark.parametrize("rate", [None, 0, -7, "x", True])
def test_foreign_currency_without_a_usable_rate_stops_the_document(hard_case, rate):
    bundle = hard_case("foreign_currency_eur")
    bundle["invoice"]["exchangeRate"] = rate
    assert rules(convert(bundle, Settings())) == ["BILLY-EXCHANGE-RATE:fatal"]


def test_goods_to_another_eu_country_tell_date_and_country_of_delivery(hard_case):
    invoice = convert(hard_case("intra_community"), Settings()).invoice
    assert invoice.delivery.date == invoice.issue_date
    assert invoice.delivery.address.country == "DE"


def test_settings_fill_in_what_billy_does_not_know(hard_case):
    chosen = settings_from(
        {
            "general": {"note": "Fast\ntekst".replace("\n", " "), "paymentTerms": "Løbende måned"},
            "supplier": {"fikCreditor": "81234567"},
            "customer": {
                "buyerReference": "REF",
                "orderNumber": "PO-9",
                "accountingCost": "K1",
                "contractReference": "C1",
            },
        }
    )
    invoice = convert(hard_case("no_order_number"), chosen).invoice
    assert (invoice.buyer_reference, invoice.order_reference) == ("REF", "PO-9")
    assert (invoice.accounting_cost, invoice.contract_reference) == ("K1", "C1")
    assert (invoice.note, invoice.payment_terms) == ("Fast tekst", "Løbende måned")
    assert invoice.payment[0].code == "93"


def test_the_invoices_own_order_number_goes_before_the_fixed_one(hard_case):
    chosen = settings_from({"customer": {"orderNumber": "PO-9"}})
    assert convert(hard_case("late_fee"), chosen).invoice.order_reference == "PO-77810"


def test_an_attachment_travels_only_where_the_settings_say_so(hard_case):
    pdf = (Attachment("1", "1.pdf", "application/pdf", b"%PDF"),)
    assert convert(hard_case("late_fee"), Settings(), pdf).invoice.attachments == ()
    chosen = settings_from({"general": {"embedPdf": True}})
    assert convert(hard_case("late_fee"), chosen, pdf).invoice.attachments == pdf


def test_companies_without_vat_sell_outside_its_scope_and_show_no_vat_numbers(hard_case):
    bundle = hard_case("exempt")
    bundle["organization"]["hasVat"] = False
    result = convert(bundle, Settings())
    assert categories(result) == "O"
    assert (result.invoice.seller.vat_id, result.invoice.buyer.vat_id) == (None, None)


def test_numbers_written_as_json_numbers_are_not_lost(hard_case):
    bundle = hard_case("late_fee")
    bundle["invoice"] |= {"invoiceNo": 1042, "orderNo": 4500012345, "paymentTermsDays": Decimal("14.0")}
    bundle["contact"] |= {"zipcodeText": 8000, "ean": 5798000000001, "registrationNo": 10150817}
    bundle["organization"]["registrationNo"] = 12345674
    invoice = convert(bundle, Settings()).invoice
    assert (invoice.number, invoice.order_reference, invoice.payment_terms) == ("1042", "4500012345", "Netto 14 dage")
    assert (invoice.buyer.address.postal_code, invoice.buyer.legal_id) == ("8000", "10150817")
    assert (str(invoice.buyer.endpoint), str(invoice.seller.endpoint)) == ("0088:5798000000001", "0184:12345674")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("invoice",), None),
        (("invoice",), []),
        (("organization",), None),
        (("contact",), "x"),
        (("account",), []),
        (("products",), "x"),
        (("taxRates",), [1]),
        (("creditedInvoice",), 7),
        (("invoice", "lines"), None),
        (("invoice", "lines"), [None]),
        (("invoice", "entryDate"), None),
        (("invoice", "entryDate"), "2026-13-45"),
        (("invoice", "dueDate"), "snart"),
        (("invoice", "currencyId"), " "),
        (("invoice", "amount"), None),
        (("invoice", "amount"), "1,5"),
        (("invoice", "tax"), Decimal("1e90")),
        (("invoice", "type"), "receipt"),
        (("invoice", "invoiceNo"), " \t"),
        (("invoice", "state"), "booked"),
        (("invoice", "lines", 0, "quantity"), "mange"),
        (("invoice", "lines", 0, "quantity"), Decimal("1e16")),
        (("invoice", "lines", 0, "unitPrice"), Decimal("NaN")),
        (("invoice", "lines", 0, "discountValue"), []),
    ],
)
def test_broken_records_are_refused_in_both_languages(hard_case, path, value):
    bundle = hard_case("late_fee")
    holder: Any = bundle
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    with pytest.raises(UnusableBundle) as refused:
        convert(bundle, Settings())
    assert refused.value.text.da and refused.value.text.en


def test_a_bundle_that_is_no_object_is_refused():
    with pytest.raises(UnusableBundle):
        convert([], Settings())  # type: ignore[arg-type]


# Generated books: the header is computed by Billy's stated rules, in fractions and whole cents.


def cents(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def booked(lines: list[dict[str, Any]], rates: dict[str, Decimal], inclusive: bool) -> tuple[Decimal, Decimal]:
    total, tax = Fraction(0), Fraction(0)
    for line in lines:
        amount = Fraction(cents(Fraction(line["quantity"]) * Fraction(line["unitPrice"])))
        if line["discountMode"] == "percent":
            amount -= Fraction(cents(amount * Fraction(line["percent"]) / 100))
        elif line["discountMode"] == "cash":
            amount -= Fraction(line["discountValue"])
        rate = Fraction(rates[line["taxRateId"]])
        total += amount
        tax += amount * rate / (1 + rate) if inclusive else amount * rate
    vat = cents(tax)
    return (cents(total) - vat if inclusive else cents(total)), vat


quantities = st.one_of(
    st.integers(1, 500).map(Decimal), st.decimals("0.01", 200, places=2), st.decimals("0.001", 50, places=3)
)
prices = st.one_of(st.decimals("0.01", 5000, places=2), st.decimals("0.0001", 10, places=4))


@st.composite
def bundle_lines(draw: st.DrawFn, fractions: bool) -> dict[str, Any]:
    quantity, price = draw(quantities), draw(prices)
    mode = draw(st.sampled_from([None, None, "percent", "cash"]))
    line: dict[str, Any] = {
        "productId": None, "description": "Vare", "quantity": quantity, "unitPrice": price,
        "taxRateId": draw(st.sampled_from(["s", "s", "s", "e"])), "discountMode": mode, "discountValue": None,
    }  # fmt: skip
    if mode == "percent":
        line["percent"] = draw(st.decimals(2, 90, places=1))
        line["discountValue"] = line["percent"] / 100 if fractions else line["percent"]
    elif mode == "cash":
        full = cents(Fraction(quantity) * Fraction(price))
        line["discountValue"] = draw(st.decimals(0, full, places=2))
    elif draw(st.integers(0, 5)) == 0:
        line["quantity"] = -quantity
    return line


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    inclusive, fractions = draw(st.booleans()), draw(st.booleans())
    lines = draw(st.lists(bundle_lines(fractions), min_size=1, max_size=30))
    rates = {"s": draw(st.sampled_from([Decimal("0.25"), Decimal("0.25"), Decimal("0.12")])), "e": Decimal(0)}
    net, vat = booked(lines, rates, inclusive)
    kind = draw(st.sampled_from(["invoice", "creditNote"]))
    sign = -1 if kind == "creditNote" and draw(st.booleans()) else 1
    for priority, line in enumerate(lines):
        line["priority"] = priority
        line["quantity"] *= sign
        if line["discountMode"] == "cash":
            line["discountValue"] *= sign
    return {
        "organization": {"id": "o", "name": "Sælger ApS", "registrationNo": "12345674", "countryId": "DK", "baseCurrencyId": "DKK"},
        "contact": {"id": "c", "name": "Køber", "countryId": "DK", "ean": "5798000000001"},
        "account": None,
        "products": [],
        "taxRates": [{"id": key, "name": key, "rate": rate} for key, rate in rates.items()],
        "invoice": {
            "id": "i", "state": "approved", "type": kind, "invoiceNo": "1", "entryDate": "2026-11-02",
            "currencyId": draw(st.sampled_from(["DKK", "DKK", "EUR", "SEK"])), "exchangeRate": Decimal("7.46"),
            "taxMode": "incl" if inclusive else "excl", "amount": sign * net, "tax": sign * vat, "lines": lines,
        },
    }  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bundles())
def test_books_kept_by_billys_rules_always_convert_to_the_booked_gross(bundle):
    header = bundle["invoice"]
    result = convert(bundle, Settings())
    assert result.invoice is not None, [finding.text.en for finding in result.findings]
    totals = result.invoice.totals
    assert totals.payable == abs(header["amount"] + header["tax"])
    assert abs(totals.rounding) <= Decimal("0.50")
    for line in result.invoice.lines:
        assert line.price >= 0
        allowance = sum((item.signed for item in line.allowances_charges), Decimal(0))
        assert all(item.amount >= 0 for item in line.allowances_charges)
        assert abs(line.quantity * line.price + allowance - line.net_amount) <= Decimal("0.02")  # PEPPOL-EN16931-R120
    gross = header["amount"] + header["tax"]
    negative_invoice = header["type"] == "invoice" and gross < 0
    assert (result.invoice.type is DocumentType.CREDIT_NOTE) == (header["type"] == "creditNote" or negative_invoice)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bundles(), st.decimals(-20, 20, places=2), st.decimals(-20, 20, places=2))
def test_a_header_that_the_lines_do_not_give_is_never_passed_over(bundle, net_off, vat_off):
    header = bundle["invoice"]
    header["amount"] += net_off
    header["tax"] += vat_off
    result = convert(bundle, Settings())
    if result.invoice is None:
        assert "IA-TOTAL:fatal" in rules(result)
        return
    sign = -1 if header["amount"] + header["tax"] < 0 else 1
    net_apart = result.invoice.totals.net - sign * header["amount"]
    vat_apart = result.invoice.totals.vat - sign * header["tax"]
    assert max(abs(net_apart), abs(vat_apart)) <= Decimal("0.50")
    assert ("IA-ROUNDING:info" in rules(result)) == (net_apart != 0 or vat_apart != 0)
