"""Payment means (BG-16) and terms from Billy's bank account and the user's settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from invoiceapp.domain.findings import Finding, Text, Turn, fatal, warning
from invoiceapp.domain.identifiers import digits, fik71_reference, is_valid_iban, luhn_digit
from invoiceapp.domain.invoice import PaymentMeans, PaymentMeansCode
from invoiceapp.domain.settings import Settings, SupplierSettings, fields_of

from .texts import clean

#: Ways that use the supplier's bank account, and so complain of half an account.
_BY_ACCOUNT = ("auto", "bank", "iban")
#: Ways to collect money: a credit note is not paid.
_NOT_IN_CREDIT_NOTES = frozenset(
    ["fik-71", "fik-73", "fik-75", "giro-01", "giro-04", "giro-15", "direct-debit", "sepa-direct-debit", "card"]
)
#: Ways that only Danish banks know.
_WITHIN_DENMARK = frozenset(
    ["fik-71", "fik-73", "fik-75", "giro-01", "giro-04", "giro-15", "direct-debit", "nemkonto"]
)  # fmt: skip
_LONG_REFERENCE = 16
_PAGES = {"supplier": Text("Leverandør", "Supplier"), "customer": Text("Kunde", "Customer")}


@dataclass(frozen=True, slots=True)
class Bill:
    """What a way to pay is found for."""

    number: str
    buyer_is_danish: bool
    is_credit_note: bool
    settings: Settings
    account: Mapping[str, Any]
    """Billy's bank account"""

    @property
    def account_name(self) -> str | None:
        """BT-85."""
        return self.settings.supplier.name or clean(self.account.get("name"))


class _Lacking(Exception):
    """The chosen way to pay cannot be written; ``clause`` ends the sentence that begins with its name."""

    def __init__(self, fix: str, clause: Text) -> None:
        super().__init__(clause.en)
        self.fix = fix
        self.clause = clause


def _label(fix: str) -> Text:
    group, _, name = fix.partition(".")
    return next(field.label for field in fields_of(group) if field.name == name)


def _needed(value: str | None, fix: str) -> str:
    """A setting that must be there; raises ``_Lacking``."""
    if value:
        return value
    label = _label(fix)
    raise _Lacking(fix, Text(f"mangler »{label.da}«", f"lacks “{label.en}”"))


def _overridden(settings: SupplierSettings) -> bool:
    """Whether the user wrote an account of their own. It replaces Billy's as a whole: halves of two are never paired."""
    return bool(settings.iban or settings.bank_registration or settings.bank_account)


def half_an_account(settings: SupplierSettings) -> Finding | None:
    """The complaint about a registration number without an account number, or the other way round."""
    if settings.payment_method not in _BY_ACCOUNT or bool(settings.bank_registration) == bool(settings.bank_account):
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


def _by_danish_account(bill: Bill) -> PaymentMeans:
    found = _danish_account(bill.settings.supplier, bill.account)
    branch, number = found or (None, None)
    number = _needed(number, "supplier.bankAccount")
    return PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, bill.number, number, branch, bill.account_name)


def _by_iban(bill: Bill) -> PaymentMeans:
    """58 for Danes and 30 for foreigners: DK-R-005 forbids 30 between Danes."""
    settings = bill.settings.supplier
    iban = _needed(_iban(settings, bill.account), "supplier.iban")
    bic = settings.bic or (None if settings.iban else clean(bill.account.get("bankSwift")))
    code = PaymentMeansCode.SEPA if bill.buyer_is_danish else PaymentMeansCode.CREDIT_TRANSFER
    return PaymentMeans(code, bill.number, iban, bic, bill.account_name)


def _long_reference(number: str) -> str | None:
    """The 16 digits that stand for an invoice number in FIK 75 and giro 04 and 15, the last one a check digit."""
    bare = re.sub(r"[^0-9]", "", number)
    if not bare or len(bare) >= _LONG_REFERENCE:
        return None
    body = bare.rjust(_LONG_REFERENCE - 1, "0")
    return body + str(luhn_digit(body))


def _without_reference(_: str) -> str:
    return ""


def _by_slip(
    bill: Bill, code: PaymentMeansCode, kind: str, field: str, reference_of: Callable[[str], str | None]
) -> PaymentMeans:
    """A Danish payment slip (DK-R-008 … DK-R-011): kind and reference to the creditor or giro account."""
    settings = bill.settings.supplier
    creditor = settings.fik_creditor if code is PaymentMeansCode.FIK else settings.giro_account
    creditor = _needed(creditor, field)
    reference = reference_of(bill.number)
    if reference is None:
        length = 14 if kind == "71" else _LONG_REFERENCE - 1
        raise _Lacking(
            "supplier.paymentMethod",
            Text(
                f"kræver et fakturanummer med 1-{length} cifre, men det er »{bill.number}«",
                f"needs an invoice number with 1-{length} digits, but it is “{bill.number}”",
            ),
        )
    return PaymentMeans(code, f"{kind}#{reference}", creditor)


def _by_direct_debit(bill: Bill) -> PaymentMeans:
    customer = bill.settings.customer
    return PaymentMeans(
        PaymentMeansCode.DIRECT_DEBIT,
        bill.number,
        mandate=_needed(customer.mandate, "customer.mandate"),
        payer_account=_needed(customer.payer_account, "customer.payerAccount"),
    )


def _by_sepa_direct_debit(bill: Bill) -> PaymentMeans:
    customer = bill.settings.customer
    mandate = _needed(customer.mandate, "customer.mandate")
    payer = digits(_needed(customer.payer_account, "customer.payerAccount")).upper()
    if not is_valid_iban(payer):
        label = _label("customer.payerAccount")
        raise _Lacking(
            "customer.payerAccount",
            Text(f"kræver et gyldigt IBAN i »{label.da}«", f"needs a valid IBAN in “{label.en}”"),
        )
    return PaymentMeans(PaymentMeansCode.SEPA_DIRECT_DEBIT, bill.number, mandate=mandate, payer_account=payer)


def _by_card(bill: Bill) -> PaymentMeans:
    customer = bill.settings.customer
    return PaymentMeans(
        PaymentMeansCode.CARD,
        card_number=_needed(customer.card_number, "customer.cardNumber"),
        card_network=_needed(customer.card_network, "customer.cardNetwork"),
    )


def _by_code(_: Bill, code: PaymentMeansCode) -> PaymentMeans:
    return PaymentMeans(code)


_fik = partial(_by_slip, code=PaymentMeansCode.FIK, field="supplier.fikCreditor")
_giro = partial(_by_slip, code=PaymentMeansCode.GIRO, field="supplier.giroAccount")

#: By the choices of ``SupplierSettings.payment_method``. Each raises ``_Lacking``.
_METHODS: dict[str, Callable[[Bill], PaymentMeans]] = {
    "bank": _by_danish_account,
    "iban": _by_iban,
    "fik-71": partial(_fik, kind="71", reference_of=fik71_reference),
    "fik-73": partial(_fik, kind="73", reference_of=_without_reference),
    "fik-75": partial(_fik, kind="75", reference_of=_long_reference),
    "giro-01": partial(_giro, kind="01", reference_of=_without_reference),
    "giro-04": partial(_giro, kind="04", reference_of=_long_reference),
    "giro-15": partial(_giro, kind="15", reference_of=_long_reference),
    "direct-debit": _by_direct_debit,
    "sepa-direct-debit": _by_sepa_direct_debit,
    "card": _by_card,
    "nemkonto": partial(_by_code, code=PaymentMeansCode.NEMKONTO),
    "none": partial(_by_code, code=PaymentMeansCode.UNDEFINED),
}


def _automatic(bill: Bill) -> tuple[PaymentMeans, ...]:
    """What suits the buyer best; nothing where nothing is known.

    FIK for Danes when the supplier has a creditor number; then the Danish
    account; IBAN for foreigners.
    """
    supplier, danish = bill.settings.supplier, _danish_account(bill.settings.supplier, bill.account)
    iban = _iban(supplier, bill.account)
    with_fik = supplier.fik_creditor and bill.buyer_is_danish and not bill.is_credit_note
    if with_fik and fik71_reference(bill.number):
        return (_METHODS["fik-71"](bill),)
    if danish and (bill.buyer_is_danish or not iban):
        return (_by_danish_account(bill),)
    return (_by_iban(bill),) if iban else ()


def payment_means(bill: Bill, findings: list[Finding]) -> tuple[PaymentMeans, ...]:
    """The one way to pay. The user's choice is final: what it lacks is fatal, never a reason to take another."""
    method = bill.settings.supplier.payment_method
    if half_an_account(bill.settings.supplier) is not None:
        return ()  # told once, with the other settings
    if method == "auto":
        return _automatic(bill)
    if bill.is_credit_note and method in _NOT_IN_CREDIT_NOTES:
        return ()
    if method in _WITHIN_DENMARK and not bill.buyer_is_danish:
        findings.append(_abroad(method))
    try:
        return (_METHODS[method](bill),)
    except _Lacking as lacking:
        findings.append(_unpayable(method, lacking))
        return ()


def _method_name(method: str) -> Text:
    declared = next(field for field in fields_of("supplier") if field.name == "paymentMethod")
    return dict(declared.choices)[method]


def _unpayable(method: str, lacking: _Lacking) -> Finding:
    name, page = _method_name(method), _PAGES[lacking.fix.partition(".")[0]]
    return fatal(
        "IA-PAYMENT",
        f"Betalingsmåden »{name.da}« {lacking.clause.da}. Ret det under {page.da}, eller vælg en anden betalingsmåde.",
        f"The way to pay “{name.en}” {lacking.clause.en}. Mend it under {page.en}, or choose another way to pay.",
        turn=Turn.HERE,
        term="BG-16",
        fix=lacking.fix,
    )


def _abroad(method: str) -> Finding:
    name = _method_name(method)
    return warning(
        "IA-PAYMENT-ABROAD",
        f"Betalingsmåden »{name.da}« kan kun bruges i Danmark, men kunden er i udlandet. Vælg IBAN for denne kunde.",
        f"The way to pay “{name.en}” works in Denmark only, but the customer is abroad. Choose IBAN for this customer.",
        turn=Turn.HERE,
        term="BT-81",
        fix="supplier.paymentMethod",
    )


def payment_terms(invoice: Mapping[str, Any], fixed: str | None) -> str | None:
    """What the user wrote, else Billy's net days in words."""
    if fixed:
        return fixed
    days = clean(invoice.get("paymentTermsDays"))
    if invoice.get("paymentTermsMode") == "net" and days and re.fullmatch(r"-?[0-9]{1,4}", days):
        return f"Netto {days} dage"
    return None
