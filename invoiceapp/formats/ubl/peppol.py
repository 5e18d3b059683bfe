"""Peppol BIS Billing 3: the EN 16931 model in UBL 2.1, element by element in schema order."""

from __future__ import annotations

from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Delivery,
    Invoice,
    Line,
    PaymentMeans,
    Period,
)
from invoiceapp.domain.money import plain
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.formats.base import Parameters

from .common import billing_reference, embedded, item_names
from .profiles import Profile
from .xml import amount, document, group, leaf, price

_VAT_SCHEME = group("TaxScheme", leaf("ID", "VAT"))


def write(invoice: Invoice, parameters: Parameters, *, profile: Profile) -> bytes:
    """The invoice or credit note as UTF-8 XML."""
    if invoice.is_credit_note:
        return document("CreditNote", *_credit_note(invoice, profile))
    return document("Invoice", *_invoice(invoice, profile))


def _invoice(invoice: Invoice, profile: Profile) -> tuple[str, ...]:
    return (
        leaf("CustomizationID", profile.customization_id),
        leaf("ProfileID", profile.process_id),
        leaf("ID", invoice.number),
        leaf("IssueDate", invoice.issue_date.isoformat()),
        leaf("DueDate", invoice.due_date.isoformat() if invoice.due_date else None),
        leaf("InvoiceTypeCode", invoice.type.code),
        _common_head(invoice),
        _order_reference(invoice),
        *(billing_reference(reference) for reference in invoice.preceding),
        group("ContractDocumentReference", leaf("ID", invoice.contract_reference)),
        *(_attachment(item) for item in invoice.attachments),
        group("ProjectReference", leaf("ID", invoice.project_reference)),
        _common_body(invoice),
        *(_line("InvoiceLine", "InvoicedQuantity", line, invoice.currency) for line in invoice.lines),
    )


def _credit_note(invoice: Invoice, profile: Profile) -> tuple[str, ...]:
    return (
        leaf("CustomizationID", profile.customization_id),
        leaf("ProfileID", profile.process_id),
        leaf("ID", invoice.number),
        leaf("IssueDate", invoice.issue_date.isoformat()),
        leaf("CreditNoteTypeCode", invoice.type.code),
        _common_head(invoice),
        _order_reference(invoice),
        *(billing_reference(reference) for reference in invoice.preceding),
        group("ContractDocumentReference", leaf("ID", invoice.contract_reference)),
        # UBL 2.1 has no ProjectReference in a credit note; type code 50 stands for it (BT-11).
        group("AdditionalDocumentReference", leaf("ID", invoice.project_reference), leaf("DocumentTypeCode", "50"))
        if invoice.project_reference
        else "",
        *(_attachment(item) for item in invoice.attachments),
        _common_body(invoice),
        *(_line("CreditNoteLine", "CreditedQuantity", line, invoice.currency) for line in invoice.lines),
    )


def _common_head(invoice: Invoice) -> str:
    tax_currency = invoice.vat_in_tax_currency
    return "".join(
        (
            leaf("Note", invoice.note),
            leaf("DocumentCurrencyCode", invoice.currency),
            leaf("TaxCurrencyCode", tax_currency.currency if tax_currency else None),
            leaf("AccountingCost", invoice.accounting_cost),
            leaf("BuyerReference", invoice.buyer_reference),
            _period(invoice.period),
        )
    )


def _common_body(invoice: Invoice) -> str:
    return "".join(
        (
            group("AccountingSupplierParty", _party(invoice.seller)),
            group("AccountingCustomerParty", _party(invoice.buyer)),
            _delivery(invoice.delivery),
            *(_payment_means(means, invoice) for means in invoice.payment),
            group("PaymentTerms", leaf("Note", invoice.payment_terms)),
            *(_allowance_charge(item, invoice.currency) for item in invoice.allowances_charges),
            _tax_total(invoice),
            _totals(invoice),
        )
    )


def _period(period: Period | None) -> str:
    if period is None:
        return ""
    return group(
        "InvoicePeriod",
        leaf("StartDate", period.start.isoformat() if period.start else None),
        leaf("EndDate", period.end.isoformat() if period.end else None),
    )


def _order_reference(invoice: Invoice) -> str:
    # UBL wants an ID in OrderReference; NA is what Peppol prescribes where only BT-14 is known.
    order = invoice.order_reference or ("NA" if invoice.sales_order_reference else None)
    return group("OrderReference", leaf("ID", order), leaf("SalesOrderID", invoice.sales_order_reference))


def _attachment(item: Attachment) -> str:
    return group(
        "AdditionalDocumentReference",
        leaf("ID", item.id),
        leaf("DocumentDescription", item.description),
        embedded(item),
    )


def _party(party: Party) -> str:
    endpoint = party.endpoint
    return group(
        "Party",
        leaf("EndpointID", endpoint.value, schemeID=endpoint.scheme) if endpoint else "",
        group("PartyName", leaf("Name", party.trading_name)),
        _address("PostalAddress", party.address),
        group("PartyTaxScheme", leaf("CompanyID", party.vat_id), _VAT_SCHEME) if party.vat_id else "",
        group(
            "PartyLegalEntity",
            leaf("RegistrationName", party.name),
            leaf("CompanyID", party.legal_id, schemeID=party.legal_scheme),
        ),
        _contact(party.contact),
    )


def _address(name: str, address: Address) -> str:
    return group(
        name,
        leaf("StreetName", address.street),
        leaf("AdditionalStreetName", address.additional),
        leaf("CityName", address.city),
        leaf("PostalZone", address.postal_code),
        leaf("CountrySubentity", address.subdivision),
        group("Country", leaf("IdentificationCode", address.country)),
    )


def _contact(contact: Contact) -> str:
    return group(
        "Contact",
        leaf("Name", contact.name),
        leaf("Telephone", contact.phone),
        leaf("ElectronicMail", contact.email),
    )


def _delivery(delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    return group(
        "Delivery",
        leaf("ActualDeliveryDate", delivery.date.isoformat() if delivery.date else None),
        group("DeliveryLocation", _address("Address", delivery.address)) if delivery.address else "",
    )


def _payment_means(means: PaymentMeans, invoice: Invoice) -> str:
    # BT-9 has no element of its own in a credit note.
    due = invoice.due_date.isoformat() if invoice.is_credit_note and invoice.due_date else None
    return group(
        "PaymentMeans",
        leaf("PaymentMeansCode", means.code.value),
        leaf("PaymentDueDate", due),
        leaf("PaymentID", means.payment_id),
        group(
            "PayeeFinancialAccount",
            leaf("ID", means.account),
            leaf("Name", means.account_name),
            group("FinancialInstitutionBranch", leaf("ID", means.branch)),
        ),
    )


def _allowance_charge(item: AllowanceCharge, currency: str) -> str:
    return group(
        "AllowanceCharge",
        leaf("ChargeIndicator", "true" if item.is_charge else "false"),
        leaf("AllowanceChargeReason", item.reason),
        # A percentage here, unlike OIOUBL's factor (PEPPOL-EN16931-R040).
        leaf("MultiplierFactorNumeric", plain(item.percent) if item.percent is not None else None),
        amount("Amount", item.amount, currency),
        amount("BaseAmount", item.base, currency) if item.base is not None else "",
        _category("TaxCategory", item.vat) if item.vat else "",
    )


def _category(name: str, vat: VatClass, *, with_reason: bool = False) -> str:
    # BR-O-05: no percentage where the sale is outside the scope of VAT.
    percent = None if vat.category is VatCategory.OUTSIDE_SCOPE else plain(vat.percent)
    return group(
        name,
        leaf("ID", vat.category.value),
        leaf("Percent", percent),
        leaf("TaxExemptionReasonCode", vat.exemption_code) if with_reason else "",
        leaf("TaxExemptionReason", vat.exemption_reason) if with_reason else "",
        _VAT_SCHEME,
    )


def _subtotal(item: VatBreakdown, currency: str) -> str:
    return group(
        "TaxSubtotal",
        amount("TaxableAmount", item.taxable_amount, currency),
        amount("TaxAmount", item.tax_amount, currency),
        _category("TaxCategory", item.vat, with_reason=True),
    )


def _tax_total(invoice: Invoice) -> str:
    own = group(
        "TaxTotal",
        amount("TaxAmount", invoice.totals.vat, invoice.currency),
        *(_subtotal(item, invoice.currency) for item in invoice.vat),
    )
    other = invoice.vat_in_tax_currency
    # PEPPOL-EN16931-R054: the second total has no subtotals.
    return own + (group("TaxTotal", amount("TaxAmount", other.amount, other.currency)) if other else "")


def _totals(invoice: Invoice) -> str:
    totals, currency = invoice.totals, invoice.currency
    return group(
        "LegalMonetaryTotal",
        amount("LineExtensionAmount", totals.lines, currency),
        amount("TaxExclusiveAmount", totals.net, currency),
        amount("TaxInclusiveAmount", totals.gross, currency),
        amount("AllowanceTotalAmount", totals.allowances, currency) if totals.allowances else "",
        amount("ChargeTotalAmount", totals.charges, currency) if totals.charges else "",
        amount("PrepaidAmount", totals.prepaid, currency) if totals.prepaid else "",
        amount("PayableRoundingAmount", totals.rounding, currency) if invoice.has_rounding else "",
        amount("PayableAmount", totals.payable, currency),
    )


def _line(name: str, quantity_name: str, line: Line, currency: str) -> str:
    item = line.item
    return group(
        name,
        leaf("ID", line.id),
        leaf("Note", line.note),
        leaf(quantity_name, plain(line.quantity), unitCode=line.unit),
        amount("LineExtensionAmount", line.net_amount, currency),
        leaf("AccountingCost", line.accounting_cost),
        group("OrderLineReference", leaf("LineID", line.order_line)),
        *(_allowance_charge(allowance, currency) for allowance in line.allowances_charges),
        group(
            "Item",
            item_names(item),
            group("StandardItemIdentification", leaf("ID", item.standard_id, schemeID="0160")),
            _category("ClassifiedTaxCategory", line.vat),
        ),
        group("Price", price("PriceAmount", line.price, currency)),
    )
