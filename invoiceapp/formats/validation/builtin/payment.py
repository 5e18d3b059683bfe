"""How to pay (BG-16), as EN 16931, Peppol and its Danish rules ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from invoiceapp.domain.findings import Severity
from invoiceapp.domain.identifiers import is_valid_fik71, is_valid_iban
from invoiceapp.domain.invoice import Invoice, PaymentMeans, PaymentMeansCode

from .checks import Problem, is_blank, rules
from .parties import between_danes

_TRANSFERS = (PaymentMeansCode.CREDIT_TRANSFER, PaymentMeansCode.SEPA)
_DEBITS = (PaymentMeansCode.DIRECT_DEBIT, PaymentMeansCode.SEPA_DIRECT_DEBIT)
_BANK = (PaymentMeansCode.DEBIT_TRANSFER, PaymentMeansCode.BANK_ACCOUNT)


def _code(means: PaymentMeans, domestic: bool) -> PaymentMeansCode:
    """The code that is written: between Danes the writer replaces 30, and 31 without a bank."""
    if not domestic or means.code not in (PaymentMeansCode.CREDIT_TRANSFER, PaymentMeansCode.DEBIT_TRANSFER):
        return means.code
    if means.code is PaymentMeansCode.DEBIT_TRANSFER and means.branch:
        return means.code
    is_danish_account = re.fullmatch(r"[0-9]{4}", means.branch or "")
    return PaymentMeansCode.BANK_ACCOUNT if is_danish_account else PaymentMeansCode.SEPA


def written(invoice: Invoice) -> list[tuple[PaymentMeans, PaymentMeansCode]]:
    """The ways to pay that a document carries, with their codes: the first, and those of its code and reference."""
    domestic = between_danes(invoice)
    coded = [(means, _code(means, domestic)) for means in invoice.payment]
    return [
        (means, code)
        for means, code in coded
        if code is coded[0][1] and means.payment_id in (coded[0][0].payment_id, None)
    ]


@rules("BR-61")
def account(invoice: Invoice) -> Iterator[Problem]:
    """A transfer has an account."""
    if any(code in _TRANSFERS and not means.account for means, code in written(invoice)):
        yield Problem("BR-61")


@rules("PEPPOL-EN16931-R061")
def mandate(invoice: Invoice) -> Iterator[Problem]:
    """A direct debit has an agreement."""
    if any(code in _DEBITS and not means.mandate for means, code in written(invoice)):
        yield Problem("PEPPOL-EN16931-R061")


@rules("UBL-SR-54", "UBL-SR-55")
def one_card(invoice: Invoice) -> Iterator[Problem]:
    """A document has one card, and one direct-debit agreement."""
    means = [found for found, _ in written(invoice)]
    if sum(bool(found.card_number) for found in means) > 1:
        yield Problem("UBL-SR-54")
    if sum(bool(found.mandate or found.payer_account) for found in means) > 1:
        yield Problem("UBL-SR-55")


def kind_and_reference(means: PaymentMeans) -> tuple[str, str]:
    """``71`` and the digits of a FIK or giro payment reference."""
    kind, _, reference = (means.payment_id or "").partition("#")
    return kind, reference


def _dk_006(means: PaymentMeans, code: PaymentMeansCode) -> bool:
    return code in _BANK and (is_blank(means.account) or is_blank(means.branch))


def _dk_007(means: PaymentMeans, code: PaymentMeansCode) -> bool:
    return code is PaymentMeansCode.DIRECT_DEBIT and (is_blank(means.mandate) or is_blank(means.payer_account))


def _dk_008(means: PaymentMeans, code: PaymentMeansCode) -> bool:
    if code is not PaymentMeansCode.GIRO:
        return False
    is_kind = (means.payment_id or "")[:3] in ("01#", "04#", "15#")
    return not is_kind or not re.fullmatch(r"[0-9]{7,8}", means.account or "")


def _dk_009(means: PaymentMeans, code: PaymentMeansCode) -> bool:
    reference = means.payment_id or ""
    return code is PaymentMeansCode.GIRO and reference[:3] in ("04#", "15#") and len(reference) != 19


def _dk_010(means: PaymentMeans, code: PaymentMeansCode) -> bool:
    if code is not PaymentMeansCode.FIK:
        return False
    return (means.payment_id or "")[:3] not in ("71#", "73#", "75#") or len(means.account or "") != 8


def _dk_011(means: PaymentMeans, code: PaymentMeansCode) -> bool:
    reference = means.payment_id or ""
    return code is PaymentMeansCode.FIK and reference[:3] in ("71#", "75#") and len(reference) not in (18, 19)


#: Without DK-R-005: the writer replaces codes that it does not allow.
_DANISH = {
    "DK-R-006": _dk_006,
    "DK-R-007": _dk_007,
    "DK-R-008": _dk_008,
    "DK-R-009": _dk_009,
    "DK-R-010": _dk_010,
    "DK-R-011": _dk_011,
}


@rules(*_DANISH)
def danish(invoice: Invoice) -> Iterator[Problem]:
    """What Peppol asks of invoices between Danes."""
    if invoice.is_credit_note or not between_danes(invoice):
        return
    for means, code in written(invoice):
        for rule, is_broken in _DANISH.items():
            if is_broken(means, code):
                yield Problem(rule, account=means.account, branch=means.branch, reference=means.payment_id)


def _is_wrong_reference(means: PaymentMeans) -> bool:
    kind, reference = kind_and_reference(means)
    if means.code is PaymentMeansCode.FIK and kind == "71" and len(reference) == 15:
        return not is_valid_fik71(reference)
    return kind in ("04", "15", "71", "75") and not re.fullmatch(r"[0-9]*", reference)


def wrong_numbers(payment: Iterable[PaymentMeans]) -> Iterator[Problem]:
    """Payment references and IBANs whose digits banks refuse."""
    for means in payment:
        if means.code in (PaymentMeansCode.FIK, PaymentMeansCode.GIRO) and _is_wrong_reference(means):
            yield Problem("IA-FIK", value=means.payment_id)
        if means.code is PaymentMeansCode.SEPA and means.account and not is_valid_iban(means.account):
            yield Problem("IA-IBAN", severity=Severity.WARNING, value=means.account)


@rules("IA-FIK", "IA-IBAN")
def numbers(invoice: Invoice) -> Iterator[Problem]:
    """Payment references and IBANs have the right digits."""
    yield from wrong_numbers(means for means, _ in written(invoice))
