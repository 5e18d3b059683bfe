"""Built-in rules on numbers: receivers look things up by them, so none is cut or changed without a word."""

from __future__ import annotations

from collections.abc import Iterator

from invoiceapp.domain.findings import Finding, Severity, Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.validation import book

from . import header
from .charset import SETS
from .profiles import Profile

REFERENCE_LENGTH = 35

_OWN_NUMBER = Text("Fakturanummeret", "The invoice number")
_CREDITED = Text("Nummeret på den krediterede faktura", "The number of the credited invoice")


def _document_numbers(invoice: Invoice) -> list[tuple[str, str, Text]]:
    """By which the books of both sides know documents: two of them must never become one."""
    own = [(invoice.number, "BT-1", _OWN_NUMBER)]
    return own + [(preceding.number, "BT-25", _CREDITED) for preceding in invoice.preceding]


def _other_numbers(invoice: Invoice, profile: Profile) -> list[tuple[str | None, str]]:
    """With their business terms; also those that are empty."""
    seller, buyer, payee = invoice.seller, invoice.buyer, invoice.payee
    found = [(value, term) for _, value, term in header.references(invoice, profile)]
    found += [(seller.vat_id, "BT-31"), (buyer.vat_id, "BT-48"), (payee.legal_id if payee else None, "BT-61")]
    if profile.company_qualifier:
        found += [(seller.legal_id, "BT-30"), (buyer.legal_id, "BT-47")]
    found += [
        (value, term)
        for line in invoice.lines
        for value, term in (
            (line.item.standard_id, "BT-157"),
            (line.item.sellers_id, "BT-155"),
            (line.item.buyers_id, "BT-156"),
            (line.order_line, "BT-132"),
            (line.accounting_cost, "BT-133"),
        )
    ]
    if profile.payment and invoice.payment:
        found.append((invoice.payment[0].account, "BT-84"))
    return list(dict.fromkeys(found))


def lengths(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """Numbers that are longer than their element, and may not be cut."""
    found = [(number, term) for number, term, _ in _document_numbers(invoice)]
    for value, term in dict.fromkeys([*_other_numbers(invoice, profile), *found]):
        length = len(profile.clean(value))
        if length > REFERENCE_LENGTH:
            yield book.finding("EDI-REFERENCE-LENGTH", value=value, length=length, limit=REFERENCE_LENGTH, term=term)


def document_numbers(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """Numbers of documents that the character set would change."""
    for value, term, what in dict.fromkeys(_document_numbers(invoice)):
        written = profile.clean(value)
        if not written or not profile.keeps(value):
            yield book.finding(
                "EDI-NUMBER", what=what, value=value, written=written, set=profile.character_set, term=term
            )


def _becomes(written: str) -> Text:
    if not written:
        return Text("udelades", "is left out")
    shown = written[:REFERENCE_LENGTH]
    return Text(f"bliver til »{shown}«", f"becomes “{shown}”")


def other_numbers(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """Other numbers that the character set changes: the receiver may not find what they name."""
    for value, term in _other_numbers(invoice, profile):
        # ``document_numbers`` tells of the invoice's own, wherever it stands.
        if profile.keeps(value) or value == invoice.number:
            continue
        if term == "BT-83":
            yield book.finding(
                "EDI-PAYMENT-REFERENCE", Severity.WARNING, value=value, set=profile.character_set, term=term
            )
        else:
            yield book.finding(
                "EDI-REFERENCE-CHANGED", Severity.WARNING, value=value, becomes=_becomes(profile.clean(value)),
                set=profile.character_set, term=term,
            )  # fmt: skip


def recipient_reference(invoice: Invoice, profile: Profile) -> Iterator[Finding]:
    """The recipient's password (0022) in the characters of the set. It is not repeated in the finding."""
    if not SETS[profile.character_set].issuperset(profile.recipient_reference):
        yield book.finding("EDI-RECIPIENT-REFERENCE", set=profile.character_set)
