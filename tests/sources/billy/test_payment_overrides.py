"""What the user writes replaces Billy's account as a whole."""

from __future__ import annotations

import pytest

from invoiceapp.domain.fields import FieldInvalid, parse
from invoiceapp.domain.invoice import PaymentMeansCode
from invoiceapp.domain.settings import Settings, SupplierSettings, fields_of
from invoiceapp.sources.billy.payment import Bill, half_an_account, payment_means

IBAN, OTHER = "DK5000400440116243", "DE89370400440532013000"
BILLY = {
    "bankRoutingNo": "1234",
    "bankAccountNo": "0001234567",
    "bankIban": IBAN,
    "bankSwift": "ABCDDKKK",
    "name": "Bank",
}


def means(settings: SupplierSettings, danish: bool = True):
    return payment_means(Bill("1042", danish, False, Settings(supplier=settings), BILLY), [])


def test_an_iban_replaces_billys_danish_account_for_danes_too():
    [found] = means(SupplierSettings(iban=OTHER))
    assert (found.code, found.account, found.branch) == (PaymentMeansCode.SEPA, OTHER, None)


def test_a_danish_account_replaces_billys_iban_for_foreigners_too():
    [found] = means(SupplierSettings(bank_registration="9999", bank_account="42"), danish=False)
    assert (found.account, found.branch) == ("42", "9999")


@pytest.mark.parametrize("half", [{"bank_account": "42"}, {"bank_registration": "9999"}])
def test_half_an_account_is_never_paired_with_billys_other_half(half):
    settings = SupplierSettings(**half)
    assert means(settings) == ()
    finding = half_an_account(settings)
    assert finding is not None
    assert finding.is_fatal


def test_a_whole_account_or_none_is_fine():
    assert half_an_account(SupplierSettings()) is None
    assert half_an_account(SupplierSettings(bank_registration="9999", bank_account="42")) is None


@pytest.mark.parametrize("method", ["fik-73", "card", "none"])
def test_half_an_account_is_nobodys_problem_where_the_user_chose_another_way(method):
    assert half_an_account(SupplierSettings(bank_account="42", payment_method=method)) is None


@pytest.mark.parametrize("method", ["auto", "bank", "iban"])
def test_half_an_account_is_told_once(method):
    settings = SupplierSettings(bank_account="42", payment_method=method)
    findings = []
    assert half_an_account(settings) is not None
    assert payment_means(Bill("1042", True, False, Settings(supplier=settings), BILLY), findings) == ()
    assert findings == []


def test_a_mistyped_iban_is_refused_when_it_is_entered():
    field = next(field for field in fields_of("supplier") if field.name == "iban")
    assert parse(field, "dk50 0040 0440 1162 43") == IBAN
    with pytest.raises(FieldInvalid):
        parse(field, "DK5100400440116243")
