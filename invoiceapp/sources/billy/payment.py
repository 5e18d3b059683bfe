"""Payment means (BG-16) and terms from Billy's bank account and the user's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.findings import Finding, Turn, fatal
from invoiceapp.domain.identifiers import digits, fik71_reference, is_valid_iban
from invoiceapp.domain.invoice import PaymentMeans, PaymentMeansCode
from invoiceapp.domain.settings import SupplierSettings

from .texts import clean


def _overridden(settings: SupplierSettings) -> bool:
    """Whether the user wrote an account of their own. It replaces Billy's as a whole: halves of two are never paired."""
    return bool(settings.iban or settings.bank_registration or settings.bank_account)


def half_an_account(settings: SupplierSettings) -> Finding | None:
    """The complaint about a registration number without an account number, or the other way round."""
    if bool(settings.bank_registration) == bool(settings.bank_account):
        return None
    return fatal(
        "IA-BANK",
        "Under Leverandør er kun det ene af registreringsnummer og kontonummer udfyldt. Udfyld begge, eller ryd begge.",
        "Under Supplier only one of registration number and account number is filled in. Fill in both, or clear both.",
        turn=Turn.HERE,
        term="BT-84",
        fix="supplier.bankAccount" if settings.bank_registration else "supplier.bankRegistration",
    )


def _iban(settings: SupplierSettings, account: Mapping[str, Any]) -> str | None:
    text = settings.iban if _overridden(settings) else clean(account.get("bankIban"))
    bare = digits(text).upper() if text else ""
    return bare if is_valid_iban(bare) else None


def _danish_account(settings: SupplierSettings, account: Mapping[str, Any]) -> tuple[str, str] | None:
    """Registration number (4 digits) and account number (at most 10 digits, F-LIB119…)."""
    if _overridden(settings):
        pair = (settings.bank_registration, settings.bank_account)
        return (pair[0], pair[1]) if pair[0] and pair[1] else None
    branch = re.sub(r"\D", "", str(account.get("bankRoutingNo") or ""))
    number = re.sub(r"\D", "", str(account.get("bankAccountNo") or ""))
    if re.fullmatch(r"\d{4}", branch) and re.fullmatch(r"\d{1,10}", number):
        return branch, number
    return None


def payment_means(
    number: str, buyer_is_danish: bool, is_credit_note: bool, settings: SupplierSettings, account: Mapping[str, Any]
) -> tuple[PaymentMeans, ...]:
    """The one way to pay that suits the buyer best; nothing where nothing is known.

    FIK for Danes when the supplier has a creditor number; then the Danish
    account; IBAN for foreigners (DK-R-005 forbids code 30 between Danes). A
    credit note is not paid, so it carries no FIK reference.
    """
    name = settings.name or clean(account.get("name"))
    reference = fik71_reference(number)
    if settings.fik_creditor and buyer_is_danish and reference and not is_credit_note:
        return (PaymentMeans(PaymentMeansCode.FIK, f"71#{reference}", settings.fik_creditor),)
    iban = _iban(settings, account)
    danish = _danish_account(settings, account)
    if danish and (buyer_is_danish or not iban):
        branch, account_no = danish
        return (PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, number, account_no, branch, name),)
    if iban:
        bic = settings.bic or (None if settings.iban else clean(account.get("bankSwift")))
        code = PaymentMeansCode.SEPA if buyer_is_danish else PaymentMeansCode.CREDIT_TRANSFER
        return (PaymentMeans(code, number, iban, bic, name),)
    return ()


def payment_terms(invoice: Mapping[str, Any], fixed: str | None) -> str | None:
    """What the user wrote, else Billy's net days in words."""
    if fixed:
        return fixed
    days = clean(invoice.get("paymentTermsDays"))
    if invoice.get("paymentTermsMode") == "net" and days and re.fullmatch(r"-?[0-9]{1,4}", days):
        return f"Netto {days} dage"
    return None
