"""What a UBL dialect carries of an invoice: the list of everything that is lost or changed on the way through the XML.

``read(write(x)) == carried(x)``. The shorter the list, the better the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from invoiceapp.domain.identifiers import is_valid_iban
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Classification,
    Invoice,
    Item,
    Line,
    PaymentMeans,
    PaymentMeansCode,
)
from invoiceapp.domain.money import ZERO, divide
from invoiceapp.domain.parties import Party
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.domain.totals import net_price
from invoiceapp.formats.ubl.oioubl import document_uuid


def by_peppol(invoice: Invoice) -> Invoice:
    """Peppol BIS Billing 3: nearly everything."""
    seller, buyer, other = invoice.seller, invoice.buyer, invoice.vat_in_tax_currency
    domestic = seller.is_danish and buyer.is_danish
    return replace(
        invoice,
        # The record in the accounting system; a document is known by seller and number.
        source_id=f"{seller.endpoint}:{invoice.number}",
        # A contact has no id.
        seller=replace(seller, contact=replace(seller.contact, id=None)),
        # UBL-SR-16: one number beside the electronic address; no legal form.
        buyer=replace(
            buyer, contact=replace(buyer.contact, id=None), identifiers=buyer.identifiers[:1], legal_form=None
        ),
        # BT-9 of a credit note stands in the payment means.
        due_date=invoice.due_date if invoice.payment or not invoice.is_credit_note else None,
        # DK-R-005: between Danes 30 is 58.
        payment=tuple(_without_30(means) if domestic else means for means in invoice.payment),
        # The rate is only what two rounded amounts say.
        vat_in_tax_currency=replace(other, rate=divide(other.amount, invoice.totals.vat, 6)) if other else None,
    )


def _without_30(means: PaymentMeans) -> PaymentMeans:
    return replace(means, code=PaymentMeansCode.SEPA) if means.code is PaymentMeansCode.CREDIT_TRANSFER else means


def by_oioubl(invoice: Invoice) -> Invoice:
    """OIOUBL 2.1."""
    # The seller's contact has no id, the buyer's is the person reference (BT-10) as well.
    seller = replace(_party(invoice.seller), contact=replace(invoice.seller.contact, id=None))
    buyer = replace(_party(invoice.buyer), legal_form=None)
    written = replace(
        invoice,
        # F-LIB006
        source_id=document_uuid(invoice),
        seller=seller,
        buyer=buyer,
        buyer_reference=buyer.contact.id,
        note=_note(invoice),
        lines=tuple(_line(line) for line in invoice.lines),
        vat=_merged(invoice),
        allowances_charges=tuple(_allowance(item) for item in invoice.allowances_charges),
        # F-LIB092: an attachment has a description.
        attachments=tuple(replace(item, description=item.description or "Faktura") for item in invoice.attachments),
        # A document without a way to pay says so.
        payment=tuple(_means(means) for means in invoice.payment) or (PaymentMeans(PaymentMeansCode.UNDEFINED),),
    )
    # Nobody pays a credit note.
    return replace(written, payment=(), due_date=None, payment_terms=None) if invoice.is_credit_note else written


def _class(vat: VatClass) -> VatClass:
    """F-LIB309: StandardRated, ReverseCharge, and ZeroRated for all the rest; reasons have no element."""
    kept = vat.category in (VatCategory.STANDARD, VatCategory.REVERSE_CHARGE)
    return VatClass(vat.category if kept else VatCategory.ZERO_RATED, vat.percent)


def _note(invoice: Invoice) -> str | None:
    """The note says the reasons for not charging VAT."""
    reasons = (item.vat.exemption_reason for item in invoice.vat if item.tax_amount == ZERO)
    return " / ".join(filter(None, (invoice.note, *dict.fromkeys(reasons)))) or None


def _merged(invoice: Invoice) -> tuple[VatBreakdown, ...]:
    """F-LIB315: each category once."""
    classes = list(dict.fromkeys(_class(item.vat) for item in invoice.vat))
    return tuple(
        VatBreakdown(
            vat,
            sum((item.taxable_amount for item in invoice.vat if _class(item.vat) == vat), ZERO),
            sum((item.tax_amount for item in invoice.vat if _class(item.vat) == vat), ZERO),
        )
        for vat in classes
    )


def _party(party: Party) -> Party:
    """Without a registration there is only one name (F-LIB187); a company abroad is registered by its VAT number at need."""
    if party.legal_id is None and party.vat_id is None:
        return replace(party, trading_name=None, legal_form=None)
    trading_name = party.trading_name if party.trading_name != party.name else None
    return replace(party, trading_name=trading_name, legal_id=party.legal_id or party.vat_id)


def _allowance(item: AllowanceCharge) -> AllowanceCharge:
    return replace(item, vat=_class(item.vat) if item.vat else None)


def _line(line: Line) -> Line:
    """F-INV340: line allowances and charges are inside the price."""
    return replace(line, price=net_price(line), vat=_class(line.vat), item=_item(line.item), allowances_charges=())


def _item(item: Item) -> Item:
    """W-INV184: no list but UNSPSC."""
    kept: tuple[Classification, ...] = tuple(found for found in item.classifications if found.list_id == "TST")
    return replace(item, classifications=kept)


def _means(means: PaymentMeans) -> PaymentMeans:
    """No name of the account; texts to it of 20 characters (F-LIB111 …); no code 30, and 31 only with a BIC (F-LIB100, F-LIB109)."""
    code = means.code
    if code in (PaymentMeansCode.CREDIT_TRANSFER, PaymentMeansCode.DEBIT_TRANSFER):
        code = PaymentMeansCode.DEBIT_TRANSFER if means.branch else PaymentMeansCode.SEPA
        if not is_valid_iban(means.account or ""):
            code = PaymentMeansCode.BANK_ACCOUNT
    with_slip = code in (PaymentMeansCode.FIK, PaymentMeansCode.GIRO)
    payment_id = means.payment_id if with_slip or not means.payment_id else means.payment_id[:20].strip()
    if code in _DEBITS and not means.payer_account:
        payment_id = None  # it stands at the payer's account
    return replace(means, code=code, account_name=None, payment_id=payment_id)


_DEBITS = (PaymentMeansCode.DIRECT_DEBIT, PaymentMeansCode.SEPA_DIRECT_DEBIT)

CARRIED: dict[str, Callable[[Invoice], Invoice]] = {"peppol-bis-3": by_peppol, "oioubl-2.1": by_oioubl}
