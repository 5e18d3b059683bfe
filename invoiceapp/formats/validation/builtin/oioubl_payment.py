"""How to pay, as OIOUBL asks of invoices; credit notes carry no payment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from invoiceapp.domain.invoice import Invoice, PaymentMeans, PaymentMeansCode

from .checks import Problem, is_blank, rules
from .payment import kind_and_reference, wrong_numbers

_Broken = Callable[[PaymentMeans], Iterator[str]]


def _bank(means: PaymentMeans) -> Iterator[str]:
    account, branch = means.account or "", means.branch or ""
    if is_blank(account):
        yield "F-LIB126"
    elif len(account) > 10:
        yield "F-LIB131"
    if is_blank(branch):
        yield "F-LIB127"
    elif len(branch) > 4:
        yield "F-LIB132"
    elif not branch.strip("0") or not re.fullmatch(r"[0-9]+", branch):
        yield "F-LIB311"


def _transfer(means: PaymentMeans) -> Iterator[str]:
    """The writer makes 42 of a Danish account, and 58, 31 or 1 of all else."""
    return _bank(means) if re.fullmatch(r"[0-9]{4}", means.branch or "") else iter(())


def _giro(means: PaymentMeans) -> Iterator[str]:
    kind, reference = kind_and_reference(means)
    if kind not in ("01", "04", "15"):
        yield "F-LIB147" if kind else "F-LIB144"
    elif kind != "01" and not reference:
        yield "F-LIB145"
    if kind != "01" and len(reference) > 16:
        yield "F-LIB149"
    if is_blank(means.account):
        yield "F-LIB320"
    elif not re.fullmatch(r"[0-9]{7,8}", means.account or ""):
        yield "F-LIB321"


_FIK_LENGTHS = {"71": (15, "F-LIB156"), "75": (16, "F-LIB157")}


def _fik(means: PaymentMeans) -> Iterator[str]:
    kind, reference = kind_and_reference(means)
    if kind not in ("71", "73", "75"):
        yield "F-LIB155" if kind else "F-LIB152"
    length, rule = _FIK_LENGTHS.get(kind, (0, ""))
    if length and not reference:
        yield "F-LIB153"
    elif length and len(reference) != length:
        yield rule
    if len(means.account or "") != 8:
        yield "F-LIB305"


def _sepa(means: PaymentMeans) -> Iterator[str]:
    if is_blank(means.account):
        yield "F-LIB377"


_BY_CODE: dict[PaymentMeansCode, _Broken] = {
    PaymentMeansCode.CREDIT_TRANSFER: _transfer,
    PaymentMeansCode.DEBIT_TRANSFER: _transfer,
    PaymentMeansCode.BANK_ACCOUNT: _bank,
    PaymentMeansCode.GIRO: _giro,
    PaymentMeansCode.FIK: _fik,
    PaymentMeansCode.SEPA: _sepa,
}


@rules(
    "F-LIB126", "F-LIB127", "F-LIB131", "F-LIB132", "F-LIB144", "F-LIB145", "F-LIB147", "F-LIB149",
    "F-LIB152", "F-LIB153", "F-LIB155", "F-LIB156", "F-LIB157", "F-LIB305", "F-LIB311", "F-LIB320", "F-LIB321",
    "F-LIB377",
)  # fmt: skip
def payment(invoice: Invoice) -> Iterator[Problem]:
    """Each way to pay has the parts that OIOUBL demands of it."""
    if invoice.is_credit_note:
        return
    for means in invoice.payment:
        broken = _BY_CODE.get(means.code)
        for rule in broken(means) if broken else ():
            yield Problem(rule, account=means.account, branch=means.branch, reference=means.payment_id)


@rules("IA-FIK", "IA-IBAN")
def numbers(invoice: Invoice) -> Iterator[Problem]:
    """Payment references and IBANs have the right digits."""
    if not invoice.is_credit_note:
        yield from wrong_numbers(invoice.payment)
