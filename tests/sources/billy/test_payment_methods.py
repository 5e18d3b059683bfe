"""Every way to pay that a user can choose, for both document types and for Danes and foreigners."""

from __future__ import annotations

import dataclasses

import pytest

from invoiceapp.domain.invoice import PaymentMeans, PaymentMeansCode
from invoiceapp.domain.settings import CustomerSettings, Settings, SupplierSettings, fields_of
from invoiceapp.sources.billy.payment import Bill, payment_means

IBAN, PAYER = "DK5000400440116243", "DE89370400440532013000"
ACCOUNT = {
    "name": "Bank", "bankRoutingNo": "0040", "bankAccountNo": "0440116243", "bankSwift": "POLRDKKK", "bankIban": IBAN,
}  # fmt: skip
COMPLETE = Settings(
    supplier=SupplierSettings(fik_creditor="81234567", giro_account="1234567"),
    customer=CustomerSettings(
        mandate="PBS-1", payer_account="DE89 3704 0044 0532 0130 00", card_number="1234", card_network="VISA"
    ),
)
Code = PaymentMeansCode

DANISH_ACCOUNT = PaymentMeans(Code.BANK_ACCOUNT, "1042", "0440116243", "0040", "Bank")
#: Method: what a Danish buyer's invoice carries.
INVOICES = {
    "bank": DANISH_ACCOUNT,
    "iban": PaymentMeans(Code.SEPA, "1042", IBAN, "POLRDKKK", "Bank"),
    "fik-71": PaymentMeans(Code.FIK, "71#000000000010421", "81234567"),
    "fik-73": PaymentMeans(Code.FIK, "73#", "81234567"),
    "fik-75": PaymentMeans(Code.FIK, "75#0000000000010421", "81234567"),
    "giro-01": PaymentMeans(Code.GIRO, "01#", "1234567"),
    "giro-04": PaymentMeans(Code.GIRO, "04#0000000000010421", "1234567"),
    "giro-15": PaymentMeans(Code.GIRO, "15#0000000000010421", "1234567"),
    "direct-debit": PaymentMeans(
        Code.DIRECT_DEBIT, "1042", mandate="PBS-1", payer_account="DE89 3704 0044 0532 0130 00"
    ),
    "sepa-direct-debit": PaymentMeans(Code.SEPA_DIRECT_DEBIT, "1042", mandate="PBS-1", payer_account=PAYER),
    "card": PaymentMeans(Code.CARD, card_number="1234", card_network="VISA"),
    "nemkonto": PaymentMeans(Code.NEMKONTO),
    "none": PaymentMeans(Code.UNDEFINED),
}
FOREIGN = INVOICES | {"iban": PaymentMeans(Code.CREDIT_TRANSFER, "1042", IBAN, "POLRDKKK", "Bank")}
IN_CREDIT_NOTES = ("bank", "iban", "nemkonto", "none")
WITHIN_DENMARK = ("fik-71", "fik-73", "fik-75", "giro-01", "giro-04", "giro-15", "direct-debit", "nemkonto")


def settings(method, base=COMPLETE, **supplier):
    return dataclasses.replace(
        base, supplier=dataclasses.replace(base.supplier, payment_method=method, **supplier)
    )  # fmt: skip


def means(method, base=COMPLETE, account=ACCOUNT, *, number="1042", danish=True, credit=False, **supplier):
    findings = []
    found = payment_means(Bill(number, danish, credit, settings(method, base, **supplier), account), findings)
    return found, findings


def test_every_choice_of_the_form_has_a_row_here():
    declared = next(field for field in fields_of("supplier") if field.name == "paymentMethod")
    assert {value for value, _ in declared.choices} == {"auto", *INVOICES}


@pytest.mark.parametrize("method", INVOICES)
@pytest.mark.parametrize("danish", [True, False])
def test_an_invoice_carries_what_was_chosen(method, danish):
    found, findings = means(method, danish=danish)
    assert found == ((INVOICES if danish else FOREIGN)[method],)
    assert [finding.rule for finding in findings] == (
        [] if danish or method not in WITHIN_DENMARK else ["IA-PAYMENT-ABROAD"]
    )
    assert not any(finding.is_fatal for finding in findings)


@pytest.mark.parametrize("method", INVOICES)
@pytest.mark.parametrize("danish", [True, False])
def test_a_credit_note_collects_no_money(method, danish):
    found, _ = means(method, danish=danish, credit=True)
    assert found == (((INVOICES if danish else FOREIGN)[method],) if method in IN_CREDIT_NOTES else ())


@pytest.mark.parametrize("method", [method for method in INVOICES if method not in IN_CREDIT_NOTES])
def test_a_credit_note_needs_nothing_that_it_does_not_carry(method):
    assert means(method, Settings(), {}, credit=True) == ((), [])


#: Method, the field that is emptied, and the words that name both.
MISSING = [
    ("bank", "supplier.bankAccount", "Kontonummer"),
    ("iban", "supplier.iban", "IBAN"),
    ("fik-71", "supplier.fikCreditor", "FIK-kreditornummer"),
    ("fik-73", "supplier.fikCreditor", "FIK-kreditornummer"),
    ("fik-75", "supplier.fikCreditor", "FIK-kreditornummer"),
    ("giro-01", "supplier.giroAccount", "Girokonto"),
    ("giro-04", "supplier.giroAccount", "Girokonto"),
    ("giro-15", "supplier.giroAccount", "Girokonto"),
    ("direct-debit", "customer.mandate", "Betalingsaftale"),
    ("direct-debit", "customer.payerAccount", "Kontoen, der trækkes fra"),
    ("sepa-direct-debit", "customer.mandate", "Betalingsaftale"),
    ("sepa-direct-debit", "customer.payerAccount", "Kontoen, der trækkes fra"),
    ("card", "customer.cardNumber", "Kortets sidste cifre"),
    ("card", "customer.cardNetwork", "Korttype"),
]
PYTHON_NAMES = {
    "fikCreditor": "fik_creditor", "giroAccount": "giro_account", "payerAccount": "payer_account",
    "cardNumber": "card_number", "cardNetwork": "card_network", "mandate": "mandate",
}  # fmt: skip


@pytest.mark.parametrize(("method", "fix", "label"), MISSING)
@pytest.mark.parametrize("danish", [True, False])
def test_a_choice_that_lacks_something_stops_the_document_and_names_it(method, fix, label, danish):
    group, _, name = fix.partition(".")
    base, account = COMPLETE, {}
    if name in PYTHON_NAMES:
        emptied = dataclasses.replace(getattr(COMPLETE, group), **{PYTHON_NAMES[name]: None})
        base, account = dataclasses.replace(COMPLETE, **{group: emptied}), ACCOUNT
    found, findings = means(method, base, account, danish=danish)
    assert found == ()
    (finding,) = [finding for finding in findings if finding.is_fatal]
    assert (finding.rule, finding.fix) == ("IA-PAYMENT", fix)
    choice = dict(next(field for field in fields_of("supplier") if field.name == "paymentMethod").choices)[method]
    assert f"»{choice.da}«" in finding.text.da
    assert f"“{choice.en}”" in finding.text.en
    assert label in finding.text.da


@pytest.mark.parametrize("payer", ["0040 0440116243", "DE88370400440532013000"])
def test_sepa_direct_debit_needs_a_real_iban_of_the_payer(payer):
    base = dataclasses.replace(COMPLETE, customer=dataclasses.replace(COMPLETE.customer, payer_account=payer))
    found, (finding,) = means("sepa-direct-debit", base)
    assert found == ()
    assert (finding.rule, finding.fix, finding.is_fatal) == ("IA-PAYMENT", "customer.payerAccount", True)


@pytest.mark.parametrize(
    ("method", "number", "fits"),
    [
        ("fik-71", "1" * 14, True), ("fik-71", "1" * 15, False), ("fik-71", "ABC", False),
        ("fik-75", "1" * 15, True), ("fik-75", "1" * 16, False), ("fik-75", "ABC", False),
        ("giro-04", "1" * 15, True), ("giro-04", "1" * 16, False),
        ("giro-15", "1" * 15, True), ("giro-15", "ABC", False),
        ("fik-73", "ABC", True), ("giro-01", "1" * 40, True),
    ],
)  # fmt: skip
def test_a_number_that_makes_no_reference_stops_the_document(method, number, fits):
    found, findings = means(method, number=number)
    assert bool(found) is fits
    assert [(finding.rule, finding.fix) for finding in findings] == (
        [] if fits else [("IA-PAYMENT", "supplier.paymentMethod")]
    )
    assert all(number in finding.text.da and number in finding.text.en for finding in findings)


@pytest.mark.parametrize(
    ("method", "reference"),
    [("fik-71", "71#000001234567897"), ("fik-75", "75#0000001234567897"), ("giro-04", "04#0000001234567897")],
)
def test_references_end_in_a_check_digit_whatever_stands_between_the_digits(method, reference):
    (found,), _ = means(method, number="F-12345.6789")
    assert found.payment_id == reference


def test_a_chosen_account_never_falls_back_on_billys_other_one():
    found, (finding,) = means("iban", account=ACCOUNT, bank_registration="9999", bank_account="42")
    assert (found, finding.fix) == ((), "supplier.iban")
    found, (finding,) = means("bank", account=ACCOUNT, iban=IBAN)
    assert (found, finding.fix) == ((), "supplier.bankAccount")


def test_the_users_own_account_is_used_by_the_chosen_method():
    (found,), _ = means("bank", bank_registration="9999", bank_account="42")
    assert (found.branch, found.account) == ("9999", "42")
    (found,), _ = means("iban", iban=PAYER, bic="COBADEFFXXX")
    assert (found.account, found.branch) == (PAYER, "COBADEFFXXX")
