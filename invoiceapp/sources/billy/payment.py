"""Payment means (BG-16) and terms from Billy's bank account and the user's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.identifiers import digits, fik71_reference, is_valid_iban
from invoiceapp.domain.invoice import PaymentMeans, PaymentMeansCode
from invoiceapp.domain.settings import SupplierSettings

from .texts import clean


def _iban(settings: SupplierSettings, account: Mapping[str, Any]) -> str | None:
    text = settings.iban or clean(account.get("bankIban"))
    bare = digits(text).upper() if text else ""
    return bare if is_valid_iban(bare) else None


def _danish_account(settings: SupplierSettings, account: Mapping[str, Any]) -> tuple[str, str] | None:
    """Registration number (4 digits) and account number (at most 10 digits, F-LIB119…)."""
    branch = settings.bank_registration or re.sub(r"[^0-9]", "", clean(account.get("bankRoutingNo")) or "")
    number = settings.bank_account or re.sub(r"[^0-9]", "", clean(account.get("bankAccountNo")) or "")
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
        bic = settings.bic or clean(account.get("bankSwift"))
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
