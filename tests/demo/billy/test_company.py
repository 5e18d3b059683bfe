from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.demo.billy.records import dumps
from invoiceapp.domain.identifiers import is_valid_cvr, is_valid_gln, is_valid_iban

ANCHOR = date(2026, 11, 22)

#: Invoices whose header is wrong on purpose, by how much net is off.
WRONG_HEADERS = {"unreconciled_total": Decimal("12.34"), "one_oere_off": Decimal("0.01")}


def invoice_of(company: Company, name: str) -> dict:
    return company.bundle(company.hard_cases[name])["invoice"]


def half_up(value: Fraction) -> Decimal:
    """Two decimals, half away from zero, in whole numbers: independent of the code under test."""
    cents = (abs(value) * 100 + Fraction(1, 2)) // 1
    return Decimal(int(cents) if value >= 0 else -int(cents)) / 100


def recomputed(company: Company, invoice: dict) -> tuple[Decimal, Decimal]:
    rates = {rate["id"]: Fraction(rate["rate"]) for rate in company.tables["taxRates"].values()}
    total = tax = Fraction(0)
    for line in invoice["lines"]:
        full = Fraction(half_up(Fraction(line["quantity"]) * Fraction(line["unitPrice"])))
        if line["discountMode"] == "percent":
            full -= Fraction(half_up(full * Fraction(line["discountValue"]) / 100))
        elif line["discountMode"] == "cash":
            full -= Fraction(line["discountValue"])
        # The rate of the line that names an unknown one was 25 % when it was booked.
        rate = rates.get(line["taxRateId"], Fraction(1, 4))
        total += full
        tax += full * rate / (1 + rate) if invoice["taxMode"] == "incl" else full * rate
    rounded = half_up(tax)
    net = half_up(total) - (rounded if invoice["taxMode"] == "incl" else 0)
    return net, rounded


def test_the_same_anchor_gives_the_same_bytes(company):
    again = demo_company(ANCHOR)
    assert dumps(again.tables) == dumps(company.tables)
    assert again.hard_cases == company.hard_cases


def test_another_anchor_moves_dates_and_keeps_ids_and_amounts(company):
    later = demo_company(ANCHOR + timedelta(days=1))
    assert list(later.tables["invoices"]) == list(company.tables["invoices"])
    pairs = list(zip(later.tables["invoices"].values(), company.tables["invoices"].values(), strict=True))
    assert all(a["grossAmount"] == b["grossAmount"] and a["invoiceNo"] == b["invoiceNo"] for a, b in pairs)
    assert pairs[0][0]["entryDate"] > pairs[0][1]["entryDate"]


def test_there_are_enough_customers_products_and_documents(company):
    customers = [c for c in company.tables["contacts"].values() if c["isCustomer"]]
    assert len(customers) >= 60
    assert len(company.tables["products"]) >= 25
    assert len(company.tables["invoices"]) >= 400


def test_ids_are_22_alphanumeric_characters_and_unique(company):
    for plural in ("invoices", "invoiceLines", "contacts", "contactPersons", "products", "accounts", "taxRates"):
        for key, record in company.tables[plural].items():
            assert record["id"] == key
            assert len(key) == 22
            assert key.isascii() and key.isalnum()
    lines = [line["id"] for line in company.tables["invoiceLines"].values()]
    assert len(set(lines)) == len(lines)


def test_the_companys_own_numbers_have_right_check_digits(company):
    account = company.tables["accounts"][company.organization["defaultInvoiceBankAccountId"]]
    assert is_valid_cvr(company.organization["registrationNo"])
    assert is_valid_iban(account["bankIban"])
    assert account["bankIban"].endswith(account["bankRoutingNo"] + account["bankAccountNo"])


def test_everyday_customers_have_valid_and_different_numbers(company):
    everyday = [c for c in company.tables["contacts"].values() if not c["contactNo"].startswith("X")]
    glns = [c["ean"] for c in everyday if c["ean"]]
    cvrs = [c["registrationNo"] for c in everyday if c["countryId"] == "DK" and c["type"] == "company"]
    assert len(glns) >= 30
    assert all(is_valid_gln(gln) for gln in glns)
    assert all(is_valid_cvr(cvr) for cvr in cvrs)
    assert len(set(glns)) == len(glns)
    assert len(set(cvrs)) == len(cvrs)


def test_the_difficult_customers_are_difficult(company):
    by_number = {c["contactNo"]: c for c in company.tables["contacts"].values()}
    assert by_number["X01"]["ean"] == ""
    assert len(by_number["X02"]["ean"]) == 13 and not is_valid_gln(by_number["X02"]["ean"])
    assert len(by_number["X03"]["ean"]) == 12
    assert by_number["X04"]["countryId"] is None
    assert by_number["X05"]["cityText"] is None
    assert company.tables["cities"][by_number["X05"]["cityId"]]["name"] == "Sundhøj"
    assert by_number["X06"]["isArchived"]
    assert len(by_number["X08"]["name"]) == 200
    assert set("\"&'<") <= set(by_number["X09"]["name"])
    assert by_number["X10"]["registrationNo"] in by_number["X11"]["registrationNo"]
    assert {c["countryId"] for c in by_number.values()} >= {"DK", "SE", "DE", "NL", "NO", "GB", "US", None}


def test_approval_times_rise_and_end_on_the_day_before_the_anchor(company):
    times = [i["approvedTime"] for i in company.tables["invoices"].values() if i["approvedTime"]]
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    midnight = datetime.combine(ANCHOR, datetime.min.time())
    newest, oldest = datetime.fromisoformat(times[-1]), datetime.fromisoformat(times[0])
    assert timedelta(0) < midnight - newest < timedelta(days=1)
    assert timedelta(days=115) < midnight - oldest <= timedelta(days=120)
    for invoice in company.tables["invoices"].values():
        assert (invoice["approvedTime"] or invoice["entryDate"]).startswith(invoice["entryDate"])


def test_every_header_follows_from_its_lines_but_for_the_two_that_must_not(company):
    wrong = {company.hard_cases[name]: off for name, off in WRONG_HEADERS.items()}
    for key in company.tables["invoices"]:
        invoice = company.bundle(key)["invoice"]
        net, tax = recomputed(company, invoice)
        assert invoice["amount"] == net + wrong.get(key, 0), key
        assert invoice["tax"] == tax, key
        assert invoice["grossAmount"] == invoice["amount"] + invoice["tax"]


@pytest.mark.parametrize(
    ("name", "net", "tax"),
    [
        ("inclusive_cents", "87.98", "22.00"),
        ("exclusive_cents", "150.02", "37.51"),
        ("two_tiny_lines", "0.04", "0.01"),
        ("percent_discount", "11300", "2700"),
        ("cash_discount", "5499.50", "1374.88"),
        ("no_lines", "0", "0"),
        ("zero_total", "0", "0"),
        ("negative_total", "-709.05", "-177.26"),
    ],
)
def test_known_totals_come_out(company, name, net, tax):
    invoice = invoice_of(company, name)
    assert (invoice["amount"], invoice["tax"]) == (Decimal(net), Decimal(tax))


def test_hard_cases_are_what_their_names_say(company):
    assert len(invoice_of(company, "lines_300")["lines"]) == 300
    assert any(line["quantity"] == 0 for line in invoice_of(company, "zero_quantity")["lines"])
    assert any(line["quantity"] < 0 for line in invoice_of(company, "negative_line")["lines"])
    assert len(invoice_of(company, "long_texts")["contactMessage"]) == 2000
    assert len(invoice_of(company, "long_texts")["lines"][0]["description"]) == 300
    assert invoice_of(company, "voided")["state"] == "voided"
    assert invoice_of(company, "voided")["dueDate"] is None
    assert invoice_of(company, "draft")["invoiceNo"] is None
    assert invoice_of(company, "null_approved_time")["approvedTime"] is None
    assert invoice_of(company, "null_approved_time")["state"] == "approved"
    assert invoice_of(company, "no_order_number")["orderNo"] is None
    assert invoice_of(company, "null_product")["lines"][0]["productId"] is None
    assert invoice_of(company, "late_fee")["balance"] == invoice_of(company, "late_fee")["grossAmount"] + 100
    assert invoice_of(company, "four_decimals")["lines"][0]["unitPrice"] == Decimal("0.0645")


def test_unknown_references_are_unknown(company):
    unknown_rate = company.bundle(company.hard_cases["unknown_tax_rate"])
    assert unknown_rate["invoice"]["lines"][0]["taxRateId"] not in {rate["id"] for rate in unknown_rate["taxRates"]}
    missing = company.bundle(company.hard_cases["missing_product"])
    assert len(missing["products"]) == len(missing["invoice"]["lines"]) - 1


def test_a_number_occurs_twice_only_where_it_is_meant_to(company):
    counted = Counter(i["invoiceNo"] for i in company.tables["invoices"].values() if i["invoiceNo"])
    twice = invoice_of(company, "duplicate_number")["invoiceNo"]
    assert {number for number, times in counted.items() if times > 1} == {twice}


def test_credit_notes_know_what_they_credit(company):
    credit = company.bundle(company.hard_cases["credit_with_reference"])
    assert credit["creditedInvoice"]["id"] == company.hard_cases["credited_original"]
    assert credit["invoice"]["approvedTime"] > credit["creditedInvoice"]["approvedTime"]
    assert company.bundle(company.hard_cases["credit_without_reference"])["invoice"]["creditedInvoiceId"] is None
    assert company.bundle(company.hard_cases["credit_original_missing"])["creditedInvoice"] is None


@pytest.mark.parametrize(
    ("name", "currency", "rate", "country"),
    [
        ("foreign_currency_eur", "EUR", "Salgsmoms", "DK"),
        ("foreign_currency_sek", "SEK", "EU-varesalg", "SE"),
        ("foreign_currency_usd", "USD", "Eksport", "US"),
        ("foreign_currency_nok", "NOK", "Eksport", "NO"),
        ("intra_community", "EUR", "EU-varesalg", "DE"),
        ("reverse_charge", "EUR", "EU-ydelse omvendt betalingspligt", "NL"),
        ("export", "GBP", "Eksport", "GB"),
    ],
)
def test_sales_abroad_have_their_currency_and_tax_rate(company, name, currency, rate, country):
    bundle = company.bundle(company.hard_cases[name])
    names = {record["id"]: record["name"] for record in bundle["taxRates"]}
    assert bundle["invoice"]["currencyId"] == currency
    assert bundle["invoice"]["exchangeRate"] == company.tables["currencies"][currency]["exchangeRate"]
    assert {names[line["taxRateId"]] for line in bundle["invoice"]["lines"]} == {rate}
    assert bundle["contact"]["countryId"] == country


def test_most_documents_are_everyday_ones_to_customers_that_can_be_reached(company):
    hard = set(company.hard_cases.values())
    reachable = {c["id"] for c in company.tables["contacts"].values() if c["ean"] or c["registrationNo"]}
    everyday = [i for k, i in company.tables["invoices"].items() if k not in hard and i["contactId"] in reachable]
    assert len(everyday) > 0.85 * len(company.tables["invoices"])
    assert all(i["state"] == "approved" and i["grossAmount"] > 0 and i["invoiceNo"] for i in everyday)


def test_bundles_of_approved_documents_hold_what_conversion_needs(company):
    for key, record in company.tables["invoices"].items():
        if record["state"] != "approved":
            continue
        bundle = company.bundle(key)
        assert bundle["organization"]["registrationNo"]
        assert bundle["account"]["bankIban"]
        assert bundle["contact"]["id"] == record["contactId"]
        assert bundle["contactPerson"] is None or bundle["contactPerson"]["contactId"] == record["contactId"]
        products = {product["id"] for product in bundle["products"]}
        wanted = {line["productId"] for line in bundle["invoice"]["lines"]} - {None}
        assert wanted <= products or key == company.hard_cases["missing_product"]


def test_a_bundle_is_a_copy_with_numbers_as_json_has_them(company):
    bundle = company.bundle(company.hard_cases["inclusive_cents"])
    bundle["contact"]["name"] = "changed"
    assert company.tables["contacts"][bundle["contact"]["id"]]["name"] != "changed"
    assert type(bundle["invoice"]["amount"]) is Decimal
    assert type(bundle["invoice"]["lines"][0]["quantity"]) is int


def test_texts_with_emoji_and_control_characters_are_there(company):
    assert "☕" in invoice_of(company, "emoji")["lines"][0]["description"]
    assert {"\n", "\t", "\x0b"} <= set(invoice_of(company, "control_characters")["lines"][0]["description"])


def test_half_up_of_the_test_itself_agrees_with_decimal():
    for text in ("0.005", "-0.005", "1.004999", "2.675"):
        assert half_up(Fraction(text)) == Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_billy_itself_has_sent_a_few_by_mail_and_a_few_as_e_invoices(company):
    invoices = list(company.tables["invoices"].values())
    mailed = [one for one in invoices if one["sentState"] != "unsent"]
    logs = list(company.tables["invoiceLogs"].values())
    assert {one["sentState"] for one in mailed} == {"sent", "opened", "viewed"} and 20 < len(mailed) < 40
    logged = {log["invoiceId"] for log in logs}
    assert {log["type"] for log in logs} == {"received", "signedoff"} and 5 < len(logged) < 15
    assert logged.isdisjoint(one["id"] for one in mailed)
    assert all(company.tables["invoices"][key]["state"] == "approved" for key in logged)
    assert not logged.intersection(one["id"] for one in invoices[:20]), "the first ones leave as they are"
