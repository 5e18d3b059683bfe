from __future__ import annotations

from decimal import Decimal

import pytest

from invoiceapp.domain.settings import VatChoice
from invoiceapp.domain.tax import VatCategory, VatClass
from invoiceapp.sources.billy.vat import VatMapper, classify

STANDARD, ZERO = Decimal("0.25"), Decimal(0)


def mapped(
    rate: object,
    name: object = "Sats",
    country: str | None = "DK",
    has_vat: bool = True,
    choice: VatChoice | None = None,
) -> tuple[VatClass, list[str]]:
    mapper = VatMapper(
        {"r": {"id": "r", "name": name, "rate": rate}}, {"r": choice} if choice else {}, country, has_vat
    )
    found = mapper.of("r")
    return found, [f"{finding.rule}:{finding.severity.value}" for finding in mapper.findings]


@pytest.mark.parametrize(
    ("rate", "name", "country", "has_vat", "category", "findings"),
    [
        (STANDARD, "Salgsmoms", "DK", True, "S", []),
        (STANDARD, "Salgsmoms", "DE", True, "S", []),
        (STANDARD, "Salgsmoms", None, True, "S", []),
        (ZERO, "Momsfri", "DK", True, "E", ["IA-VAT-GUESSED:warning"]),
        (ZERO, "Momsfri", None, True, "E", ["IA-VAT-GUESSED:warning"]),
        (ZERO, "Omvendt betalingspligt", "DK", True, "AE", []),
        (ZERO, "Eksport", "US", True, "G", ["IA-VAT-GUESSED:warning"]),
        (ZERO, "EU-ydelse", "DE", True, "AE", []),
        (ZERO, "EU reverse charge", "DE", True, "AE", []),
        (ZERO, "EU-varesalg", "SE", True, "K", []),
        (ZERO, "EU goods", "GR", True, "K", []),
        (ZERO, "EU-salg", "DE", True, "E", ["IA-VAT-UNMAPPED:fatal"]),
        (ZERO, "Momsfri", "DK", False, "O", []),
        (ZERO, "Eksport", "US", False, "O", []),
        # A company without VAT registration that charges VAT is told so by BR-S-02, not turned into "outside scope".
        (STANDARD, "Salgsmoms", "DK", False, "S", []),
    ],
)
def test_rate_name_and_country_decide_the_category(rate, name, country, has_vat, category, findings):
    vat, told = mapped(rate, name, country, has_vat)
    assert vat.category.value == category
    assert told == findings


@pytest.mark.parametrize("rate", [None, "x", -1, Decimal("1.01"), 25, True, []])
def test_a_rate_that_is_no_fraction_is_fatal(rate):
    assert mapped(rate)[1] == ["BILLY-TAX-RATE:fatal"]


def test_a_rate_that_does_not_exist_is_told_once_for_all_lines():
    mapper = VatMapper({}, {}, "DK", True)
    assert mapper.of("gone") == mapper.of("gone")
    assert [(finding.rule, finding.location) for finding in mapper.findings] == [("BILLY-TAX-RATE", "taxRateId gone")]


WITH_REASON = [category for category in VatCategory if category not in (VatCategory.STANDARD, VatCategory.ZERO_RATED)]


@pytest.mark.parametrize("category", WITH_REASON)
def test_the_users_choice_is_final_and_silent(category):
    vat, told = mapped(ZERO, "EU-salg", "DE", choice=VatChoice(category, "Grund", "VATEX-EU-132"))
    assert vat == VatClass(category, Decimal(0), "Grund", "VATEX-EU-132")
    assert told == []


@pytest.mark.parametrize("code", ["VATEX-EU-132-1B", "VATEX-EU-135-1", "VATEX-EU-F"])
def test_an_exemption_code_alone_is_passed_on_without_words_of_ours(code):
    vat, told = mapped(ZERO, choice=VatChoice(VatCategory.EXEMPT, exemption_code=code))
    assert (vat.exemption_code, vat.exemption_reason, told) == (code, None, [])


@pytest.mark.parametrize("category", [VatCategory.STANDARD, VatCategory.ZERO_RATED])
def test_rated_sales_never_carry_a_reason(category):
    """BR-S-10, BR-Z-10."""
    vat, told = mapped(ZERO, choice=VatChoice(category, "Grund", "VATEX-EU-132"))
    assert vat == VatClass(category, Decimal(0))
    assert told == []


@pytest.mark.parametrize(
    ("category", "code", "has_reason"),
    [("S", None, False), ("Z", None, False), ("E", None, True), ("AE", "VATEX-EU-AE", True), ("K", "VATEX-EU-IC", True),
     ("G", "VATEX-EU-G", True), ("O", "VATEX-EU-O", True)],
)  # fmt: skip
def test_categories_have_their_exemption_where_the_user_gave_none(category, code, has_reason):
    vat = classify(VatCategory(category), ZERO)
    assert vat.exemption_code == code
    assert bool(vat.exemption_reason) is has_reason


def test_a_fraction_becomes_a_percentage():
    assert classify(VatCategory.STANDARD, Decimal("0.125")).percent == Decimal("12.5")
