"""How to pay, as OIOUBL writes it: each code has its own channel and its own places for the numbers (F-LIB100 …)."""

from __future__ import annotations

from collections.abc import Callable

from invoiceapp.domain.identifiers import is_valid_iban
from invoiceapp.domain.invoice import Invoice, PaymentMeans, PaymentMeansCode

from .common import card_account, has_registration_number
from .oioubl_party import AGENCY
from .profiles import Ids
from .xml import amount, group, leaf

#: Code, and what follows the due date, in schema order
Way = tuple[str, str]

_LONGEST_NOTE = 20  # F-LIB111, F-LIB133, F-LIB288
_LONGEST_AGREEMENT = 60  # F-LIB140


def payment(invoice: Invoice, ids: Ids) -> str:
    """Every way to pay, numbered from 1 (W-LIB241), and the terms (BT-20) that hold for all of them."""
    ways = invoice.payment or (PaymentMeans(PaymentMeansCode.UNDEFINED),)
    due = invoice.due_date.isoformat() if invoice.due_date else None
    numbers = [str(number) for number in range(1, len(ways) + 1)]
    terms = group(
        "PaymentTerms",
        leaf("ID", "1"),
        # In UBL 2.0 terms name one way to pay.
        *(leaf("PaymentMeansID", number) for number in (numbers[:1] if ids.is_ubl_2_0 else numbers)),
        leaf("Note", invoice.payment_terms),
        amount("Amount", invoice.totals.payable, invoice.currency),  # F-INV134
    )
    return "".join(_means(means, number, due) for means, number in zip(ways, numbers, strict=True)) + terms


def _means(means: PaymentMeans, number: str, due: str | None) -> str:
    code, rest = _WAYS[means.code](means)
    return group("PaymentMeans", leaf("ID", number), leaf("PaymentMeansCode", code), leaf("PaymentDueDate", due), rest)


def _channel(code: str) -> str:
    return leaf("PaymentChannelCode", code, listID="urn:oioubl:codelist:paymentchannelcode-1.1", listAgencyID=AGENCY)


def _note(means: PaymentMeans) -> str:
    return leaf("PaymentNote", means.payment_id[:_LONGEST_NOTE] if means.payment_id else None)


def _account(means: PaymentMeans, bank: str) -> str:
    return group(
        "PayeeFinancialAccount",
        leaf("ID", means.account),
        _note(means),
        group("FinancialInstitutionBranch", bank),
    )


def _card_kind(means: PaymentMeans, channel: str, account: str) -> str:
    """Payment slips: the kind, and its number or text; only 71, 75, 04 and 15 have a number (F-LIB145 … F-LIB157)."""
    kind, _, reference = (means.payment_id or "").partition("#")
    as_text = kind in ("73", "01")
    return "".join(
        (
            _channel(channel),
            leaf("InstructionID", None if as_text else reference),
            leaf("InstructionNote", reference if as_text else None),
            leaf("PaymentID", kind),
            account,
        )
    )


def _fik(means: PaymentMeans) -> Way:
    return "93", _card_kind(means, "DK:FIK", group("CreditAccount", leaf("AccountID", means.account)))


def _giro(means: PaymentMeans) -> Way:
    return "50", _card_kind(means, "DK:GIRO", group("PayeeFinancialAccount", leaf("ID", means.account)))


def _danish_account(means: PaymentMeans) -> Way:
    return "42", _channel("DK:BANK") + _account(means, leaf("ID", means.branch))


def _iban(means: PaymentMeans, code: str) -> Way:
    bic = None if has_registration_number(means) else means.branch
    return code, _channel("IBAN") + _account(means, group("FinancialInstitution", leaf("ID", bic)))


def _sepa(means: PaymentMeans) -> Way:
    return _iban(means, "58")


def _transfer(means: PaymentMeans) -> Way:
    """F-LIB100 has no code 30, and 31 is for IBAN with the bank's BIC (F-LIB109, F-LIB113)."""
    if has_registration_number(means):
        return _danish_account(means)
    if means.account and is_valid_iban(means.account):
        return _iban(means, "31" if means.branch else "58")
    return _undefined(means)


def _card(means: PaymentMeans) -> Way:
    """Nothing but the card (F-LIB342 … F-LIB370), so that without its number there is no code for it."""
    return ("48", card_account(means)) if means.card_number else ("1", "")


def _direct_debit(means: PaymentMeans) -> Way:
    """The agreement instead of a channel: they exclude one another (F-LIB134)."""
    agreement = leaf("InstructionID", means.mandate[:_LONGEST_AGREEMENT] if means.mandate else None)
    payer = group("PayerFinancialAccount", leaf("ID", means.payer_account), _note(means))
    return means.code.value, agreement + (payer if means.payer_account else "")


def _nemkonto(means: PaymentMeans) -> Way:
    return "97", _channel("DK:NEMKONTO")  # F-LIB158 … F-LIB165: nothing else


def _undefined(means: PaymentMeans) -> Way:
    return "1", _account(means, leaf("ID", means.branch)) if means.account else ""


_WAYS: dict[PaymentMeansCode, Callable[[PaymentMeans], Way]] = {
    PaymentMeansCode.UNDEFINED: _undefined,
    PaymentMeansCode.CREDIT_TRANSFER: _transfer,
    PaymentMeansCode.DEBIT_TRANSFER: _transfer,
    PaymentMeansCode.BANK_ACCOUNT: _danish_account,
    PaymentMeansCode.CARD: _card,
    PaymentMeansCode.DIRECT_DEBIT: _direct_debit,
    PaymentMeansCode.GIRO: _giro,
    PaymentMeansCode.SEPA: _sepa,
    PaymentMeansCode.SEPA_DIRECT_DEBIT: _direct_debit,
    PaymentMeansCode.FIK: _fik,
    PaymentMeansCode.NEMKONTO: _nemkonto,
}
