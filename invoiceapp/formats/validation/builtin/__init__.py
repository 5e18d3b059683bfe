"""Built-in rules: pure checks on the model, with the official ids, for what Billy's data or our settings can break.

They run before a document is written, so that the user reads "the customer has
no country" instead of a Schematron message, and so that a missing rule pack
does not mean a missing check. A rule that the writers make impossible has no
check; docs/validation.md lists what official packs and these rules see differently.
"""

from __future__ import annotations

from collections.abc import Callable

from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Parameters
from invoiceapp.formats.validation import book

from . import (
    allowances,
    attachments,
    delivery,
    identifiers,
    lines,
    oioubl,
    oioubl_payment,
    parties,
    payment,
    references,
    texts,
    totals,
    vat,
)
from .checks import AnyCheck, Check, LineCheck, declared, judge

READABLE: tuple[Check, ...] = (
    parties.names, parties.buyers_country, lines.present, lines.few_enough, references.currencies, vat.rates, vat.numbers,
    texts.characters,
)  # fmt: skip
READABLE_LINES: tuple[LineCheck, ...] = (texts.line_characters,)

EN16931: tuple[Check, ...] = (
    *READABLE,
    references.number, parties.sellers_country, parties.known_countries, parties.seller_is_identified,
    parties.vat_number_prefixes, parties.payee, parties.delivery_country, identifiers.number_schemes,
    identifiers.legal_schemes, references.preceding, references.period, lines.distinct,
    attachments.media_types, vat.no_numbers, vat.groups, vat.amounts, vat.reasons, vat.reason_codes,
    delivery.of_goods_to_the_eu, totals.sums, allowances.on_document, allowances.reason_codes, payment.account,
    payment.one_card, payment.numbers,
)  # fmt: skip
EN16931_LINES: tuple[LineCheck, ...] = (
    *READABLE_LINES,
    lines.names, lines.unit, lines.price, lines.period, lines.classifications, allowances.on_line,
)  # fmt: skip

#: Peppol tells these in its own words.
_OTHERWISE_IN_PEPPOL = frozenset([attachments.media_types])
PEPPOL: tuple[Check, ...] = (
    *(check for check in EN16931 if check not in _OTHERWISE_IN_PEPPOL),
    parties.danish_seller, parties.danish_registration, parties.danish_buyer, identifiers.endpoints_present, identifiers.endpoint_forms,
    identifiers.number_forms, references.reference, references.tax_currency, attachments.attachments,
    vat.reason_code_categories, allowances.percentages, allowances.danish_duties, payment.mandate, payment.danish,
    totals.danish_credit_note, texts.blanks,
)  # fmt: skip
PEPPOL_LINES: tuple[LineCheck, ...] = (
    *EN16931_LINES, lines.amount, lines.period_within, lines.unspsc, texts.line_blanks,
)  # fmt: skip

OIOUBL: tuple[Check, ...] = (
    *(check for check in READABLE if check is not references.currencies),
    oioubl.number, parties.danish_seller, oioubl.endpoints_present, oioubl.endpoint_forms, oioubl.seller_is_registered,
    oioubl.danish_numbers, oioubl.blank_numbers, oioubl.other_numbers, oioubl.attachment_ids, oioubl.known_countries, oioubl.payee, oioubl.currencies,
    oioubl.exchange_rate, oioubl.period, oioubl.references, references.preceding,
    oioubl.media_types, lines.distinct, oioubl.breakdown, oioubl.lines_and_breakdown, oioubl.sums, oioubl.limits,
    oioubl.amounts_above_zero, oioubl.allowances, oioubl_payment.payment, oioubl_payment.numbers,
)  # fmt: skip
OIOUBL_LINES: tuple[LineCheck, ...] = (*READABLE_LINES, oioubl.line_texts, oioubl.unit, oioubl.line_amount)

_ALL: tuple[AnyCheck, ...] = (
    *EN16931, identifiers.endpoint_schemes, *PEPPOL, *OIOUBL, *EN16931_LINES, *PEPPOL_LINES, *OIOUBL_LINES,
)  # fmt: skip
#: Every rule that any check may report.
RULES: frozenset[str] = frozenset().union(*(declared(check) for check in _ALL))


Checker = Callable[[Invoice, Parameters], list[Finding]]
_TOO_MANY = "IA-TOO-MANY-LINES"


def at_most(limit: int, checker: Checker) -> Checker:
    """The checker for a format that takes fewer lines than the built-in rules do."""

    def check(invoice: Invoice, parameters: Parameters) -> list[Finding]:
        found = checker(invoice, parameters)
        if len(invoice.lines) <= limit:
            return found
        others = [finding for finding in found if finding.rule != _TOO_MANY]
        return [*others, book.finding(_TOO_MANY, count=len(invoice.lines), limit=limit)]

    return check


def check_readable(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What even a person could not use: for formats without electronic addresses."""
    return judge(invoice, READABLE, READABLE_LINES)


def check_en16931(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What no receiver of an EN 16931 invoice would take, in whatever syntax."""
    return judge(invoice, (*EN16931, identifiers.endpoint_schemes), EN16931_LINES)


def check_peppol(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What Peppol BIS Billing 3 receivers would refuse."""
    return judge(invoice, PEPPOL, PEPPOL_LINES)


def check_oioubl(invoice: Invoice, parameters: Parameters) -> list[Finding]:
    """What OIOUBL 2.1 receivers would refuse."""
    return judge(invoice, OIOUBL, OIOUBL_LINES)
