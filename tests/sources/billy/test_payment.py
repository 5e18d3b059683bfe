"""What is written where the user chose no way to pay, and the terms."""

from __future__ import annotations

from decimal import Decimal

import pytest

from invoiceapp.domain.invoice import PaymentMeans, PaymentMeansCode
from invoiceapp.domain.settings import Settings, SupplierSettings
from invoiceapp.sources.billy.payment import Bill, payment_means, payment_terms

ACCOUNT = {
    "name": "Bank", "bankRoutingNo": "0040", "bankAccountNo": "0440116243", "bankSwift": "POLRDKKK",
    "bankIban": "DK50 0040 0440 1162 43",
}  # fmt: skip
FIK = SupplierSettings(fik_creditor="81234567")
IBAN = "DK5000400440116243"


def means(settings=None, account=ACCOUNT, *, number="1042", danish=True, credit=False):
    findings = []
    chosen = Settings(supplier=settings or SupplierSettings())
    found = payment_means(Bill(number, danish, credit, chosen, account), findings)
    assert findings == []
    return found


def test_danes_pay_to_the_danish_account():
    assert means() == (PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, "1042", "0440116243", "0040", "Bank"),)


def test_danes_pay_by_fik_where_the_supplier_has_it():
    assert means(FIK) == (PaymentMeans(PaymentMeansCode.FIK, "71#000000000010421", "81234567"),)


@pytest.mark.parametrize("more", [{"danish": False}, {"credit": True}, {"number": "ABC"}, {"number": "1" * 15}])
def test_fik_is_only_for_danish_invoices_with_a_number_that_fits(more):
    assert means(FIK, **more)[0].code is not PaymentMeansCode.FIK


def test_foreigners_pay_by_iban_and_bic():
    assert means(danish=False) == (PaymentMeans(PaymentMeansCode.CREDIT_TRANSFER, "1042", IBAN, "POLRDKKK", "Bank"),)


def test_danes_pay_by_sepa_where_only_an_iban_is_known():
    assert means(account={"bankIban": IBAN})[0].code is PaymentMeansCode.SEPA


def test_a_wrong_iban_is_left_out():
    assert means(account={"bankIban": "DK5100400440116243"}, danish=False) == ()


@pytest.mark.parametrize(
    "account",
    [{}, {"bankRoutingNo": "40", "bankAccountNo": "1"}, {"bankRoutingNo": "0040", "bankAccountNo": "12345678901"},
     {"bankRoutingNo": None, "bankAccountNo": "1"}, {"bankRoutingNo": ["0040"], "bankAccountNo": {}}],
)  # fmt: skip
def test_nothing_is_written_where_nothing_usable_is_known(account):
    assert means(account=account) == ()


def test_the_settings_go_before_billys_account():
    chosen = SupplierSettings(bank_registration="9999", bank_account="123", name="Nyt navn")
    assert means(chosen) == (PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, "1042", "123", "9999", "Nyt navn"),)
    assert (
        means(SupplierSettings(iban="DE89370400440532013000", bic="X"), danish=False)[0].account
        == "DE89370400440532013000"
    )


@pytest.mark.parametrize(
    ("invoice", "fixed", "terms"),
    [
        ({"paymentTermsMode": "net", "paymentTermsDays": 14}, None, "Netto 14 dage"),
        ({"paymentTermsMode": "net", "paymentTermsDays": Decimal("8.0")}, None, "Netto 8 dage"),
        ({"paymentTermsMode": "net", "paymentTermsDays": "30"}, None, "Netto 30 dage"),
        ({"paymentTermsMode": "net", "paymentTermsDays": 14}, "Kontant", "Kontant"),
        ({"paymentTermsMode": None, "paymentTermsDays": 14}, None, None),
        ({"paymentTermsMode": "net", "paymentTermsDays": None}, None, None),
        ({"paymentTermsMode": "net", "paymentTermsDays": True}, None, None),
        ({"paymentTermsMode": "net", "paymentTermsDays": "snart"}, None, None),
        ({}, None, None),
    ],
)  # fmt: skip
def test_terms_are_the_users_words_or_billys_days(invoice, fixed, terms):
    assert payment_terms(invoice, fixed) == terms
