"""OIOUBL 2.1: the same model in the Danish dialect of UBL 2.1.

What differs from Peppol, and is easily got wrong: VAT on every line,
``TaxExclusiveAmount`` = total VAT (F-INV127), factors instead of percentages,
textual VAT categories, CVR with ``DK``, a buyer contact with an id (F-INV051),
discounts inside the net price (F-INV340 compares price x quantity).
"""

from __future__ import annotations

import uuid
from decimal import Decimal

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant, is_valid_iban
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Delivery,
    Invoice,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import HUNDRED, ZERO, divide, fixed2, multiply, plain, round2
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.domain.totals import vat_amount
from invoiceapp.formats.base import Parameters

from .common import billing_reference, embedded, item_names
from .profiles import Profile
from .xml import amount, document, group, leaf, price

_AGENCY = "320"
#: F-LIB309: OIOUBL knows no "exempt"; the reason goes into the note.
_CATEGORIES = {
    VatCategory.STANDARD: "StandardRated",
    VatCategory.REVERSE_CHARGE: "ReverseCharge",
}
_ZERO_RATED = "ZeroRated"
_VAT_SCHEME = group(
    "TaxScheme",
    leaf("ID", "63", schemeID="urn:oioubl:id:taxschemeid-1.5", schemeAgencyID=_AGENCY),
    leaf("Name", "Moms"),
)
_ENDPOINT_SCHEMES = {GLN: "GLN", CVR: "DK:CVR", SE: "DK:SE", P_NUMBER: "DK:P"}
_NAMESPACE = uuid.UUID("6f8a5b0e-5f0c-5b1c-9d0e-0c1d0a6f7e21")


def write(invoice: Invoice, parameters: Parameters, *, profile: Profile) -> bytes:
    """The invoice or credit note as UTF-8 XML."""
    root = "CreditNote" if invoice.is_credit_note else "Invoice"
    return document(root, _head(invoice, profile), _references(invoice), _body(invoice), _lines(invoice))


def document_uuid(invoice: Invoice) -> str:
    """F-LIB006: 36 characters; the same record always gives the same UUID."""
    return str(uuid.uuid5(_NAMESPACE, invoice.source_id))


def _head(invoice: Invoice, profile: Profile) -> str:
    other = invoice.vat_in_tax_currency
    type_code = leaf(
        "InvoiceTypeCode",
        None if invoice.is_credit_note else invoice.type.code,
        listID="urn:oioubl:codelist:invoicetypecode-1.1",
        listAgencyID=_AGENCY,
    )
    return "".join(
        (
            leaf("UBLVersionID", profile.ubl_version),
            leaf("CustomizationID", profile.customization_id),
            leaf("ProfileID", profile.process_id, schemeID="urn:oioubl:id:profileid-1.6", schemeAgencyID=_AGENCY),
            leaf("ID", invoice.number),
            leaf("CopyIndicator", "false"),
            leaf("UUID", document_uuid(invoice)),
            leaf("IssueDate", invoice.issue_date.isoformat()),
            type_code,
            leaf("Note", _note(invoice)),
            leaf("DocumentCurrencyCode", invoice.currency),
            leaf("TaxCurrencyCode", other.currency if other else None),
            leaf("AccountingCost", invoice.accounting_cost),
        )
    )


def _note(invoice: Invoice) -> str | None:
    """One note (W-LIB011), with the exemption reasons that have no element of their own."""
    reasons = dict.fromkeys(
        item.vat.exemption_reason for item in invoice.vat if item.vat.exemption_reason and not item.tax_amount
    )
    return " / ".join(text for text in (invoice.note, *reasons) if text) or None


def _references(invoice: Invoice) -> str:
    return "".join(
        (
            group(
                "OrderReference",
                leaf("ID", invoice.order_reference),
                leaf("SalesOrderID", invoice.sales_order_reference),
            )
            if invoice.order_reference
            else "",
            *(billing_reference(reference) for reference in invoice.preceding),
            group("ContractDocumentReference", leaf("ID", invoice.contract_reference)),
            *(_attachment(item) for item in invoice.attachments),
        )
    )


def _attachment(item: Attachment) -> str:
    return group(
        "AdditionalDocumentReference",
        leaf("ID", item.id),
        leaf("DocumentType", item.description or "Faktura"),  # F-LIB092
        embedded(item),
    )


def _body(invoice: Invoice) -> str:
    exchange = _exchange_rate(invoice)
    allowances = "".join(_allowance_charge(item, invoice.currency) for item in invoice.allowances_charges)
    return "".join(
        (
            group("AccountingSupplierParty", _seller(invoice.seller)),
            group("AccountingCustomerParty", _buyer(invoice.buyer)),
            _delivery(invoice.delivery),
            "" if invoice.is_credit_note else _payment(invoice),
            # The schema has the two in opposite orders in an invoice and a credit note.
            exchange + allowances if invoice.is_credit_note else allowances + exchange,
            _tax_total(invoice),
            _totals(invoice),
        )
    )


def _identifier(name: str, participant: Participant) -> str:
    scheme = _ENDPOINT_SCHEMES.get(participant.scheme, "ZZZ")
    value = f"DK{participant.value}" if participant.scheme == CVR else participant.value  # F-LIB180
    return leaf(name, value, schemeID=scheme, schemeAgencyID="9" if participant.scheme == GLN else None)


def _company_id(party: Party) -> str:
    """Legal registration; ``ZZZ`` for companies that are not Danish (F-LIB189)."""
    if party.legal_scheme == CVR and party.legal_id:
        return leaf("CompanyID", f"DK{party.legal_id}", schemeID="DK:CVR")
    return leaf("CompanyID", party.legal_id or party.vat_id, schemeID="ZZZ")


def _legal_entity(party: Party) -> str:
    """Nothing for a buyer without registration, such as a school that only has its EAN number (F-LIB187)."""
    company_id = _company_id(party)
    return group("PartyLegalEntity", leaf("RegistrationName", party.name), company_id) if company_id else ""


def _party(party: Party, contact: str) -> str:
    identification = (
        _identifier("ID", Participant(CVR, party.legal_id)) if party.legal_scheme == CVR and party.legal_id else ""
    )
    vat_id = party.vat_id
    tax_scheme = leaf("CompanyID", vat_id, schemeID="DK:SE" if vat_id and vat_id.startswith("DK") else "ZZZ")
    return group(
        "Party",
        _identifier("EndpointID", party.endpoint) if party.endpoint else "",
        group("PartyIdentification", identification),
        group("PartyName", leaf("Name", party.name)),
        _address("PostalAddress", party.address),
        group("PartyTaxScheme", tax_scheme, _VAT_SCHEME) if vat_id else "",
        _legal_entity(party),
        contact,
    )


def _seller(party: Party) -> str:
    return _party(party, _contact(party.contact, None))


def _buyer(party: Party) -> str:
    # F-INV046, F-INV051: exactly one contact, with an id.
    return _party(party, _contact(party.contact, party.contact.id or "n/a"))


def _contact(contact: Contact, id_: str | None) -> str:
    return group(
        "Contact",
        leaf("ID", id_),
        leaf("Name", contact.name),
        leaf("Telephone", contact.phone),
        leaf("ElectronicMail", contact.email),
    )


def _address(name: str, address: Address) -> str:
    # F-LIB025. StructuredLax: Billy has street and number in one field, which StructuredDK forbids.
    return group(
        name,
        leaf(
            "AddressFormatCode",
            "StructuredLax",
            listID="urn:oioubl:codelist:addressformatcode-1.1",
            listAgencyID=_AGENCY,
        ),
        leaf("StreetName", address.street),
        leaf("AdditionalStreetName", address.additional),
        leaf("CityName", address.city),
        leaf("PostalZone", address.postal_code),
        group("Country", leaf("IdentificationCode", address.country)),
    )


def _delivery(delivery: Delivery | None) -> str:
    if delivery is None:
        return ""
    return group("Delivery", leaf("ActualDeliveryDate", delivery.date.isoformat() if delivery.date else None))


def _payment(invoice: Invoice) -> str:
    means = invoice.payment[0] if invoice.payment else PaymentMeans(PaymentMeansCode.UNDEFINED)
    due = invoice.due_date.isoformat() if invoice.due_date else None
    return group("PaymentMeans", leaf("ID", "1"), *_payment_means(means, due)) + group(
        "PaymentTerms",
        leaf("ID", "1"),
        leaf("PaymentMeansID", "1"),
        leaf("Note", invoice.payment_terms),
        amount("Amount", invoice.totals.payable, invoice.currency),  # F-INV134
    )


def _channel(code: str) -> str:
    return leaf("PaymentChannelCode", code, listID="urn:oioubl:codelist:paymentchannelcode-1.1", listAgencyID=_AGENCY)


def _payment_means(means: PaymentMeans, due: str | None) -> tuple[str, ...]:
    """Code, due date, channel and account by code (F-LIB100 … F-LIB165)."""
    due_date = leaf("PaymentDueDate", due)
    if means.code is PaymentMeansCode.FIK:
        kind, _, reference = (means.payment_id or "").partition("#")
        return (
            leaf("PaymentMeansCode", "93"),
            due_date,
            _channel("DK:FIK"),
            leaf("InstructionID", reference),
            leaf("PaymentID", kind),
            group("CreditAccount", leaf("AccountID", means.account)),
        )
    if means.code is PaymentMeansCode.BANK_ACCOUNT:
        return (leaf("PaymentMeansCode", "42"), due_date, _channel("DK:BANK"), _danish_account(means))
    if means.account and is_valid_iban(means.account):
        return _iban_means(means, due_date)
    return (leaf("PaymentMeansCode", means.code.value), due_date)


def _danish_account(means: PaymentMeans) -> str:
    return group(
        "PayeeFinancialAccount",
        leaf("ID", means.account),
        leaf("PaymentNote", means.payment_id[:20] if means.payment_id else None),
        group("FinancialInstitutionBranch", leaf("ID", means.branch)),
    )


def _iban_means(means: PaymentMeans, due_date: str) -> tuple[str, ...]:
    """58, or 31 with the bank's BIC, which F-LIB103 … demand of it; F-LIB100 has no code 30."""
    foreign = means.code is PaymentMeansCode.CREDIT_TRANSFER and means.branch is not None
    institution = group("FinancialInstitution", leaf("ID", means.branch)) if foreign else ""
    return (
        leaf("PaymentMeansCode", "31" if foreign else "58"),
        due_date,
        _channel("IBAN"),
        group("PayeeFinancialAccount", leaf("ID", means.account), group("FinancialInstitutionBranch", institution)),
    )


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
            schemeAgencyID=_AGENCY,
        ),
        leaf("Percent", fixed2(vat.percent)),
        _VAT_SCHEME,
    )


def _subtotal(base: Decimal, tax: Decimal, vat: VatClass, currency: str, other: VatInTaxCurrency | None = None) -> str:
    # F-LIB373: only standard-rated VAT is told in the other currency.
    told = other if vat.category is VatCategory.STANDARD else None
    return group(
        "TaxSubtotal",
        amount("TaxableAmount", base, currency),
        amount("TaxAmount", tax, currency),
        amount("TransactionCurrencyTaxAmount", round2(multiply(tax, told.rate)), told.currency) if told else "",
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


def _lines(invoice: Invoice) -> str:
    line_name, quantity_name = (
        ("CreditNoteLine", "CreditedQuantity") if invoice.is_credit_note else ("InvoiceLine", "InvoicedQuantity")
    )
    return "".join(_line(line_name, quantity_name, line, invoice.currency) for line in invoice.lines)


def net_price(line: Line) -> Decimal:
    """Price after line discounts: F-INV340 wants price x quantity = line amount."""
    if not line.allowances_charges or line.quantity == ZERO:
        return line.price
    return abs(divide(line.net_amount, line.quantity, max(6, line.quantity.adjusted() + 4)))


def _line(name: str, quantity_name: str, line: Line, currency: str) -> str:
    item, tax = line.item, vat_amount(line.net_amount, line.vat)
    return group(
        name,
        leaf("ID", line.id),
        leaf("Note", line.note),
        leaf(quantity_name, plain(line.quantity), unitCode=line.unit),
        amount("LineExtensionAmount", line.net_amount, currency),
        leaf("AccountingCost", line.accounting_cost),
        group("TaxTotal", amount("TaxAmount", tax, currency), _subtotal(line.net_amount, tax, line.vat, currency)),
        group(
            "Item",
            item_names(item),
            group("StandardItemIdentification", leaf("ID", item.standard_id, schemeID="GTIN", schemeAgencyID="9")),
        ),
        group("Price", price("PriceAmount", net_price(line), currency), leaf("BaseQuantity", "1", unitCode=line.unit)),
    )
