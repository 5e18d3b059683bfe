"""OIOUBL 2.1: the same model in the Danish dialect of UBL 2.1.

What differs from Peppol, and is easily got wrong: VAT on every line,
``TaxExclusiveAmount`` = total VAT (F-INV127), factors instead of percentages,
textual VAT categories, CVR with ``DK``, a buyer contact with an id (F-INV051),
discounts inside the net price (F-INV340 compares price x quantity).
"""

from __future__ import annotations

import uuid
from decimal import Decimal

from invoiceapp.domain.invoice import AllowanceCharge, Attachment, Classification, Invoice, Line, VatInTaxCurrency
from invoiceapp.domain.money import HUNDRED, ZERO, divide, fixed2, plain
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.domain.totals import net_price, vat_amount

from .common import (
    bar_code,
    billing_reference,
    document_reference,
    embedded,
    item_names,
    order_reference,
    period,
    project_as_document,
)
from .oioubl_party import AGENCY, VAT_SCHEME, buyer, delivery, payee, seller
from .oioubl_payment import payment
from .profiles import Ids
from .xml import amount, document, group, leaf, price

#: F-LIB309: OIOUBL knows no "exempt"; the reason goes into the note.
_CATEGORIES = {
    VatCategory.STANDARD: "StandardRated",
    VatCategory.REVERSE_CHARGE: "ReverseCharge",
}
_ZERO_RATED = "ZeroRated"
#: UNCL 7143: what OIOUBL calls UNSPSC
_UNSPSC = "TST"
_NAMESPACE = uuid.UUID("6f8a5b0e-5f0c-5b1c-9d0e-0c1d0a6f7e21")


def write(invoice: Invoice, ids: Ids) -> bytes:
    """The invoice or credit note as UTF-8 XML; for OIOUBL 2.01 and 2.02 with the elements of UBL 2.0 only."""
    root = "CreditNote" if invoice.is_credit_note else "Invoice"
    return document(root, _head(invoice, ids), _references(invoice, ids), _body(invoice, ids), *_lines(invoice, ids))


def document_uuid(invoice: Invoice) -> str:
    """F-LIB006: 36 characters; the same record always gives the same UUID."""
    return str(uuid.uuid5(_NAMESPACE, invoice.source_id))


def _head(invoice: Invoice, ids: Ids) -> str:
    other = invoice.vat_in_tax_currency
    type_code = leaf(
        "InvoiceTypeCode",
        None if invoice.is_credit_note else invoice.type.code,
        listID="urn:oioubl:codelist:invoicetypecode-1.1",
        listAgencyID=AGENCY,
    )
    return "".join(
        (
            leaf("UBLVersionID", ids.customization.ubl_version),
            leaf("CustomizationID", ids.customization.id),
            leaf("ProfileID", ids.process.id, schemeID="urn:oioubl:id:profileid-1.6", schemeAgencyID=AGENCY),
            leaf("ID", invoice.number),
            leaf("CopyIndicator", "false"),
            leaf("UUID", document_uuid(invoice)),
            leaf("IssueDate", invoice.issue_date.isoformat()),
            type_code,
            leaf("Note", _note(invoice)),
            leaf("DocumentCurrencyCode", invoice.currency),
            leaf("TaxCurrencyCode", other.currency if other else None),
            leaf("AccountingCost", invoice.accounting_cost),
            period(invoice.period),
        )
    )


def _note(invoice: Invoice) -> str | None:
    """One note (W-LIB011), with the exemption reasons that have no element of their own."""
    reasons = dict.fromkeys(
        item.vat.exemption_reason for item in invoice.vat if item.vat.exemption_reason and not item.tax_amount
    )
    return " / ".join(text for text in (invoice.note, *reasons) if text) or None


def _references(invoice: Invoice, ids: Ids) -> str:
    # F-INV142: a line that refers to an order wants one in the head.
    order_lines = any(line.order_line for line in invoice.lines)
    # Only the invoice of UBL 2.1 has a ProjectReference.
    as_document = invoice.is_credit_note or ids.is_ubl_2_0
    return "".join(
        (
            order_reference(invoice, needed=order_lines),
            *(billing_reference(reference) for reference in invoice.preceding),
            document_reference("DespatchDocumentReference", invoice.despatch_reference),
            document_reference("ContractDocumentReference", invoice.contract_reference),
            project_as_document(invoice.project_reference) if as_document else "",
            *(_attachment(item) for item in invoice.attachments),
            "" if as_document else document_reference("ProjectReference", invoice.project_reference),
        )
    )


def _attachment(item: Attachment) -> str:
    return group(
        "AdditionalDocumentReference",
        leaf("ID", item.id),
        leaf("DocumentType", item.description or "Faktura"),  # F-LIB092
        embedded(item),
    )


def _body(invoice: Invoice, ids: Ids) -> str:
    exchange = _exchange_rate(invoice)
    # F-LIB019: none of zero
    allowances = "".join(
        _allowance_charge(item, invoice.currency) for item in invoice.allowances_charges if item.amount != ZERO
    )
    return "".join(
        (
            group("AccountingSupplierParty", seller(invoice.seller, ids)),
            group("AccountingCustomerParty", buyer(invoice.buyer)),
            payee(invoice.payee),
            _delivery(invoice, ids),
            "" if invoice.is_credit_note else payment(invoice, ids) + _prepaid(invoice),
            # The schema has the two in opposite orders in an invoice and a credit note.
            exchange + allowances if invoice.is_credit_note else allowances + exchange,
            _tax_total(invoice),
            _totals(invoice),
        )
    )


def _delivery(invoice: Invoice, ids: Ids) -> str:
    """Not in a credit note of UBL 2.0, which has no such element."""
    if invoice.delivery is None or (invoice.is_credit_note and ids.is_ubl_2_0):
        return ""
    return delivery(invoice.delivery)


def _prepaid(invoice: Invoice) -> str:
    """F-INV131: PrepaidAmount is the sum of these."""
    if invoice.totals.prepaid == ZERO:
        return ""
    return group("PrepaidPayment", amount("PaidAmount", invoice.totals.prepaid, invoice.currency))


def _exchange_rate(invoice: Invoice) -> str:
    other = invoice.vat_in_tax_currency
    if other is None:
        return ""
    rate = format(divide(other.rate, Decimal(1), 4), "f")  # F-LIB086 … F-LIB090: exactly four decimals
    return group(
        "TaxExchangeRate",
        leaf("SourceCurrencyCode", invoice.currency),
        leaf("SourceCurrencyBaseRate", "1.0000"),
        leaf("TargetCurrencyCode", other.currency),
        leaf("TargetCurrencyBaseRate", rate),
        leaf("CalculationRate", rate),
        leaf("MathematicOperatorCode", "multiply"),
        leaf("Date", invoice.issue_date.isoformat()),
    )


def _allowance_charge(item: AllowanceCharge, currency: str) -> str:
    factor = plain(item.percent / HUNDRED) if item.percent is not None else None
    return group(
        "AllowanceCharge",
        leaf("ChargeIndicator", "true" if item.is_charge else "false"),
        leaf("AllowanceChargeReasonCode", item.reason_code),
        leaf("AllowanceChargeReason", item.reason),
        leaf("MultiplierFactorNumeric", factor),
        amount("Amount", item.amount, currency),
        amount("BaseAmount", item.base, currency) if item.base is not None else "",
        _category(item.vat) if item.vat else "",
    )


def _category(vat: VatClass) -> str:
    return group(
        "TaxCategory",
        leaf(
            "ID",
            _CATEGORIES.get(vat.category, _ZERO_RATED),
            schemeID="urn:oioubl:id:taxcategoryid-1.4",
            schemeAgencyID=AGENCY,
        ),
        leaf("Percent", fixed2(vat.percent)),
        VAT_SCHEME,
    )


def _subtotal(base: Decimal, tax: Decimal, vat: VatClass, currency: str, other: VatInTaxCurrency | None = None) -> str:
    # F-LIB373: only standard-rated VAT is told in the other currency.
    told = other if vat.category is VatCategory.STANDARD else None
    return group(
        "TaxSubtotal",
        amount("TaxableAmount", base, currency),
        amount("TaxAmount", tax, currency),
        # F-LIB315: there is one standard-rated group, so its VAT is all the VAT.
        amount("TransactionCurrencyTaxAmount", told.amount, told.currency) if told else "",
        _category(vat),
    )


def merged(groups: tuple[VatBreakdown, ...]) -> list[VatBreakdown]:
    """Groups that OIOUBL calls by the same name, added up (F-LIB315: each category once)."""
    found: dict[tuple[str, Decimal], VatBreakdown] = {}
    for item in groups:
        key = (_CATEGORIES.get(item.vat.category, _ZERO_RATED), item.vat.percent)
        known = found.get(key)
        found[key] = (
            item
            if known is None
            else VatBreakdown(known.vat, known.taxable_amount + item.taxable_amount, known.tax_amount + item.tax_amount)
        )
    return list(found.values())


def _tax_total(invoice: Invoice) -> str:
    return group(
        "TaxTotal",
        amount("TaxAmount", invoice.totals.vat, invoice.currency),
        *(
            _subtotal(item.taxable_amount, item.tax_amount, item.vat, invoice.currency, invoice.vat_in_tax_currency)
            for item in merged(invoice.vat)
        ),
    )


def _totals(invoice: Invoice) -> str:
    totals, currency = invoice.totals, invoice.currency
    return group(
        "LegalMonetaryTotal",
        amount("LineExtensionAmount", totals.lines, currency),
        amount("TaxExclusiveAmount", totals.vat, currency),  # F-INV127: the VAT, not the net
        amount("TaxInclusiveAmount", totals.gross + totals.rounding, currency),  # F-INV128
        amount("AllowanceTotalAmount", totals.allowances, currency) if totals.allowances else "",
        amount("ChargeTotalAmount", totals.charges, currency) if totals.charges else "",
        amount("PrepaidAmount", totals.prepaid, currency) if totals.prepaid else "",
        amount("PayableRoundingAmount", totals.rounding, currency) if invoice.has_rounding else "",
        amount("PayableAmount", totals.payable, currency),
    )


def _lines(invoice: Invoice, ids: Ids) -> list[str]:
    write_line = _credit_note_line if invoice.is_credit_note else _invoice_line
    return [write_line(line, invoice.currency, ids) for line in invoice.lines]


def _invoice_line(line: Line, currency: str, ids: Ids) -> str:
    # The line of UBL 2.0 has no period.
    when = "" if line.period is None or ids.is_ubl_2_0 else period(line.period)
    return _line("InvoiceLine", "InvoicedQuantity", line, currency, when + _order_line(line))


def _credit_note_line(line: Line, currency: str, ids: Ids) -> str:
    # The line of UBL 2.0 has neither.
    references = "" if ids.is_ubl_2_0 else period(line.period) + _order_line(line)
    return _line("CreditNoteLine", "CreditedQuantity", line, currency, references)


def _order_line(line: Line) -> str:
    return group("OrderLineReference", leaf("LineID", line.order_line)) if line.order_line else ""


def _line(name: str, quantity_name: str, line: Line, currency: str, references: str) -> str:
    item, tax = line.item, vat_amount(line.net_amount, line.vat)
    return group(
        name,
        leaf("ID", line.id),
        leaf("Note", line.note),
        leaf(quantity_name, plain(line.quantity), unitCode=line.unit),
        amount("LineExtensionAmount", line.net_amount, currency),
        leaf("AccountingCost", line.accounting_cost),
        references,
        group("TaxTotal", amount("TaxAmount", tax, currency), _subtotal(line.net_amount, tax, line.vat, currency)),
        group(
            "Item",
            item_names(item),
            bar_code(item.standard_id, schemeID="GTIN", schemeAgencyID="9") if item.standard_id else "",
            *map(_classification, item.classifications),
        ),
        group(
            "Price",
            price("PriceAmount", net_price(line), currency),
            leaf("BaseQuantity", plain(line.base_quantity), unitCode=line.unit),
        ),
    )


def _classification(found: Classification) -> str:
    """UNSPSC, the only list that receivers know (W-INV184), whose versions OIOUBL writes with one dot: 19.0501."""
    if found.list_id != _UNSPSC:
        return ""
    year, dot, rest = (found.version or "").partition(".")
    version = f"{year}{dot}{rest.replace('.', '')}" or None
    code = leaf("ItemClassificationCode", found.code, listID="UNSPSC", listAgencyID="113", listVersionID=version)
    return group("CommodityClassification", code)
