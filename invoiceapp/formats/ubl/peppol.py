"""Peppol BIS Billing 3: the EN 16931 model in UBL 2.1, element by element in schema order."""

from __future__ import annotations

from decimal import Decimal

from invoiceapp.domain.identifiers import CVR, Participant, cvr_from
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Classification,
    Delivery,
    Invoice,
    Line,
    PaymentMeans,
    PaymentMeansCode,
)
from invoiceapp.domain.money import plain
from invoiceapp.domain.parties import Address, Contact, Party, Payee
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass

from .common import (
    bar_code,
    billing_reference,
    card_account,
    delivery,
    document_reference,
    embedded,
    has_registration_number,
    item_names,
    order_reference,
    period,
    project_as_document,
)
from .profiles import Ids
from .xml import amount, document, group, leaf, price

_VAT_SCHEME = group("TaxScheme", leaf("ID", "VAT"))
_ONE = Decimal(1)


def write(invoice: Invoice, ids: Ids) -> bytes:
    """The invoice or credit note as UTF-8 XML."""
    if invoice.is_credit_note:
        return document("CreditNote", *_credit_note(invoice, ids))
    return document("Invoice", *_invoice(invoice, ids))


def _invoice(invoice: Invoice, ids: Ids) -> tuple[str, ...]:
    return (
        leaf("CustomizationID", ids.customization.id),
        leaf("ProfileID", ids.process.id),
        leaf("ID", invoice.number),
        leaf("IssueDate", invoice.issue_date.isoformat()),
        leaf("DueDate", invoice.due_date.isoformat() if invoice.due_date else None),
        leaf("InvoiceTypeCode", invoice.type.code),
        _common_head(invoice),
        _references(invoice),
        *(_attachment(item) for item in invoice.attachments),
        group("ProjectReference", leaf("ID", invoice.project_reference)),
        _common_body(invoice),
        *(_line("InvoiceLine", "InvoicedQuantity", line, invoice.currency) for line in invoice.lines),
    )


def _credit_note(invoice: Invoice, ids: Ids) -> tuple[str, ...]:
    return (
        leaf("CustomizationID", ids.customization.id),
        leaf("ProfileID", ids.process.id),
        leaf("ID", invoice.number),
        leaf("IssueDate", invoice.issue_date.isoformat()),
        leaf("CreditNoteTypeCode", invoice.type.code),
        _common_head(invoice),
        _references(invoice),
        project_as_document(invoice.project_reference),
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
            period(invoice.period),
        )
    )


def _common_body(invoice: Invoice) -> str:
    return "".join(
        (
            group("AccountingSupplierParty", _seller(invoice.seller)),
            group("AccountingCustomerParty", _buyer(invoice.buyer)),
            _payee(invoice.payee),
            _delivery(invoice.delivery),
            *_payment(invoice),
            group("PaymentTerms", leaf("Note", invoice.payment_terms)),
            *(_allowance_charge(item, invoice.currency) for item in invoice.allowances_charges),
            _tax_total(invoice),
            _totals(invoice),
        )
    )


def _references(invoice: Invoice) -> str:
    return "".join(
        (
            order_reference(invoice),
            *(billing_reference(reference) for reference in invoice.preceding),
            document_reference("DespatchDocumentReference", invoice.despatch_reference),
            document_reference("ContractDocumentReference", invoice.contract_reference),
        )
    )


def _attachment(item: Attachment) -> str:
    return group(
        "AdditionalDocumentReference",
        leaf("ID", item.id),
        leaf("DocumentDescription", item.description),
        embedded(item),
    )


def _seller(party: Party) -> str:
    return _party(party, party.identifiers, party.legal_form)


def _buyer(party: Party) -> str:
    # UBL-SR-16: one number beside the electronic address.
    return _party(party, party.identifiers[:1], None)


def _identification(number: Participant) -> str:
    # DK-R-013: with scheme. BR-CL-10: of ISO 6523 only, not those that only electronic addresses have.
    if not number.scheme.startswith("0"):
        return ""
    return group("PartyIdentification", leaf("ID", number.value, schemeID=number.scheme))


def _party(party: Party, identifiers: tuple[Participant, ...], legal_form: str | None) -> str:
    endpoint = party.endpoint
    return group(
        "Party",
        leaf("EndpointID", endpoint.value, schemeID=endpoint.scheme) if endpoint else "",
        *(_identification(number) for number in identifiers),
        group("PartyName", leaf("Name", party.trading_name)),
        _address("PostalAddress", party.address),
        group("PartyTaxScheme", leaf("CompanyID", party.vat_id), _VAT_SCHEME) if party.vat_id else "",
        group(
            "PartyLegalEntity",
            leaf("RegistrationName", party.name),
            leaf("CompanyID", party.legal_id, schemeID=party.legal_scheme),
            leaf("CompanyLegalForm", legal_form),
        ),
        _contact(party.contact),
    )


def _payee(payee: Payee | None) -> str:
    if payee is None:
        return ""
    scheme = CVR if cvr_from(payee.legal_id) == payee.legal_id else None
    return group(
        "PayeeParty",
        group("PartyName", leaf("Name", payee.name)),
        group("PartyLegalEntity", leaf("CompanyID", payee.legal_id, schemeID=scheme)),
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


def _delivery(value: Delivery | None) -> str:
    if value is None:
        return ""
    place = value.location
    return delivery(
        value,
        leaf("ID", place.value, schemeID=place.scheme) if place else "",
        _address("Address", value.address) if value.address else "",
    )


def _means_code(means: PaymentMeans, domestic: bool) -> PaymentMeansCode:
    """The code; between Danes 30 is not allowed (DK-R-005), nor 31 without a bank (DK-R-006)."""
    if not domestic or means.code not in (PaymentMeansCode.CREDIT_TRANSFER, PaymentMeansCode.DEBIT_TRANSFER):
        return means.code
    if means.code is PaymentMeansCode.DEBIT_TRANSFER and means.branch:
        return means.code
    return PaymentMeansCode.BANK_ACCOUNT if has_registration_number(means) else PaymentMeansCode.SEPA


def _payment(invoice: Invoice) -> list[str]:
    """The first way to pay, and those that go with it: a document has one code and one reference (UBL-SR-44, UBL-SR-47)."""
    if not invoice.payment:
        return []
    domestic = invoice.seller.is_danish and invoice.buyer.is_danish
    reference = invoice.payment[0].payment_id
    code = _means_code(invoice.payment[0], domestic)
    fitting = [
        means
        for means in invoice.payment
        if _means_code(means, domestic) is code and means.payment_id in (reference, None)
    ]
    # BT-9 has no element of its own in a credit note; UBL-SR-45: it stands there once.
    due = invoice.due_date.isoformat() if invoice.is_credit_note and invoice.due_date else None
    return [_payment_means(means, code, None if number else due) for number, means in enumerate(fitting)]


def _payment_means(means: PaymentMeans, code: PaymentMeansCode, due: str | None) -> str:
    return group(
        "PaymentMeans",
        leaf("PaymentMeansCode", code.value),
        leaf("PaymentDueDate", due),
        leaf("PaymentID", means.payment_id),
        card_account(means),
        _payee_account(means) if means.account else "",
        _mandate(means),
    )


def _payee_account(means: PaymentMeans) -> str:
    return group(
        "PayeeFinancialAccount",
        leaf("ID", means.account),
        leaf("Name", means.account_name),
        group("FinancialInstitutionBranch", leaf("ID", means.branch)),
    )


def _mandate(means: PaymentMeans) -> str:
    """The agreement to direct debit (DK-R-007, PEPPOL-EN16931-R061)."""
    if not (means.mandate or means.payer_account):
        return ""
    return group(
        "PaymentMandate", leaf("ID", means.mandate), group("PayerFinancialAccount", leaf("ID", means.payer_account))
    )


def _allowance_charge(item: AllowanceCharge, currency: str) -> str:
    return group(
        "AllowanceCharge",
        leaf("ChargeIndicator", "true" if item.is_charge else "false"),
        leaf("AllowanceChargeReasonCode", item.reason_code),
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
    # BR-CO-11, BR-CO-12: the sums stand wherever there is something to add up, also zeros.
    has_charges, has_allowances = (
        any(item.is_charge is is_charge for item in invoice.allowances_charges) for is_charge in (True, False)
    )
    return group(
        "LegalMonetaryTotal",
        amount("LineExtensionAmount", totals.lines, currency),
        amount("TaxExclusiveAmount", totals.net, currency),
        amount("TaxInclusiveAmount", totals.gross, currency),
        amount("AllowanceTotalAmount", totals.allowances, currency) if totals.allowances or has_allowances else "",
        amount("ChargeTotalAmount", totals.charges, currency) if totals.charges or has_charges else "",
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
        period(line.period) if line.period else "",
        group("OrderLineReference", leaf("LineID", line.order_line)) if line.order_line else "",
        *(_allowance_charge(allowance, currency) for allowance in line.allowances_charges),
        group(
            "Item",
            item_names(item),
            bar_code(item.standard_id, schemeID="0160") if item.standard_id else "",
            *map(_classification, item.classifications),
            _category("ClassifiedTaxCategory", line.vat),
        ),
        group("Price", price("PriceAmount", line.price, currency), _base_quantity(line)),
    )


def _classification(found: Classification) -> str:
    code = leaf("ItemClassificationCode", found.code, listID=found.list_id, listVersionID=found.version)
    return group("CommodityClassification", code)


def _base_quantity(line: Line) -> str:
    if line.base_quantity == _ONE:
        return ""
    return leaf("BaseQuantity", plain(line.base_quantity), unitCode=line.unit)  # PEPPOL-EN16931-R130: the line's unit
