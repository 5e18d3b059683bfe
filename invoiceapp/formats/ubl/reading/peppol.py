"""Peppol BIS Billing 3 -> the model.

The model has no field for gross price and price discount (BT-147, BT-148),
item attributes, origin, tax point, linked (not embedded) documents, the
invoiced object and identifiers without a scheme; what carries them is read
without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType, Invoice, Line, PaymentMeans, Totals, VatInTaxCurrency
from invoiceapp.domain.money import ZERO, divide
from invoiceapp.domain.parties import Party, Payee
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass

from . import common
from .nodes import Node, open_document, unreadable

#: ICD code of GTIN (BT-157)
_GTIN = "0160"
#: MultiplierFactorNumeric is a percentage (PEPPOL-EN16931-R040).
_SCALE = Decimal(1)
#: A rate out of two rounded amounts is no more exact than this.
_RATE_DECIMALS = 6

Classes = Mapping[tuple[str, Decimal], VatClass]


def read_peppol(content: bytes) -> Invoice:
    """The invoice or credit note that the bytes carry; amounts as written, right or wrong. Raises ``Unreadable``.

    ``source_id`` is seller and number (``common.invoice``). Every type code is
    read as invoice or credit note, by the root element.
    """
    root, kind = open_document(content)
    if (root.text("CustomizationID") or "").startswith("OIOUBL"):
        raise unreadable("Det er OIOUBL, ikke Peppol BIS 3.", "It is OIOUBL, not Peppol BIS 3.")
    currency = root.needed_text("DocumentCurrencyCode")
    own, others = _tax_totals(root)
    vat = tuple(_breakdown(node, currency) for node in own.nodes("TaxSubtotal"))
    classes = {item.vat.key: item.vat for item in vat}
    totals = _totals(root.needed("LegalMonetaryTotal"), own.needed_amount("TaxAmount", currency), currency)
    return common.invoice(
        root,
        kind,
        _party(root.needed("AccountingSupplierParty/Party")),
        currency=currency,
        buyer=_party(root.needed("AccountingCustomerParty/Party")),
        buyer_reference=root.text("BuyerReference"),
        lines=tuple(_line(node, kind, currency, classes) for node in common.line_nodes(root, kind)),
        vat=vat,
        totals=totals,
        payee=_payee(root.node("PayeeParty")),
        delivery=common.delivery(root, _participant),
        payment=tuple(_means(node) for node in root.nodes("PaymentMeans")),
        allowances_charges=tuple(
            common.allowance(node, currency, _class(node.needed("TaxCategory"), classes), _SCALE)
            for node in root.nodes("AllowanceCharge")
        ),
        vat_in_tax_currency=_vat_in_tax_currency(root, others, totals.vat),
    )


def _participant(node: Node, path: str) -> Participant | None:
    """A number with its scheme; without one it addresses nobody."""
    value, scheme = node.text(path), node.attribute(path, "schemeID")
    return Participant.of(scheme, value) if value and scheme else None


def _party(node: Node) -> Party:
    scheme = node.attribute("PartyLegalEntity/CompanyID", "schemeID")
    numbers = (_participant(item, "ID") for item in node.nodes("PartyIdentification"))
    return Party(
        name=node.needed_text("PartyLegalEntity/RegistrationName"),
        endpoint=_participant(node, "EndpointID"),
        trading_name=node.text("PartyName/Name"),
        legal_id=common.legal_id(node, scheme),
        legal_scheme=scheme,
        vat_id=_vat_id(node),
        address=common.address(node.node("PostalAddress")),
        contact=common.contact(node),
        identifiers=tuple(number for number in numbers if number is not None),
        legal_form=node.text("PartyLegalEntity/CompanyLegalForm"),
    )


def _vat_id(party: Node) -> str | None:
    """BT-31, BT-48; the seller's other tax registration (BT-32) has no field."""
    schemes = party.nodes("PartyTaxScheme")
    return next((item.text("CompanyID") for item in schemes if item.text("TaxScheme/ID") == "VAT"), None)


def _payee(node: Node | None) -> Payee | None:
    if node is None:
        return None
    scheme = node.attribute("PartyLegalEntity/CompanyID", "schemeID")
    return Payee(node.needed_text("PartyName/Name"), common.legal_id(node, scheme))


def _means(node: Node) -> PaymentMeans:
    return PaymentMeans(
        code=common.means_code(node),
        payment_id=node.text("PaymentID"),
        account=node.text("PayeeFinancialAccount/ID"),
        branch=node.text("PayeeFinancialAccount/FinancialInstitutionBranch/ID"),
        account_name=node.text("PayeeFinancialAccount/Name"),
        card_number=node.text("CardAccount/PrimaryAccountNumberID"),
        card_network=node.text("CardAccount/NetworkID"),
        mandate=node.text("PaymentMandate/ID"),
        payer_account=node.text("PaymentMandate/PayerFinancialAccount/ID"),
    )


def _class(node: Node, known: Classes | None = None) -> VatClass:
    """The class of a category element; reasons stand in the breakdown (BG-23) only."""
    code = node.needed_text("ID")
    try:
        category = VatCategory(code)
    except ValueError as error:
        raise node.wrong("ID", code) from error
    # BR-O-05: no percentage outside the scope of VAT.
    percent = ZERO if category is VatCategory.OUTSIDE_SCOPE else node.needed_number("Percent")
    found = VatClass(category, percent, node.text("TaxExemptionReason"), node.text("TaxExemptionReasonCode"))
    return (known or {}).get(found.key, found)


def _breakdown(node: Node, currency: str) -> VatBreakdown:
    return VatBreakdown(
        vat=_class(node.needed("TaxCategory")),
        taxable_amount=node.needed_amount("TaxableAmount", currency),
        tax_amount=node.needed_amount("TaxAmount", currency),
    )


def _tax_totals(root: Node) -> tuple[Node, list[Node]]:
    """The total with the breakdown (PEPPOL-EN16931-R053), wherever it stands, and the others."""
    found = [root.needed("TaxTotal"), *root.nodes("TaxTotal")[1:]]
    own = next((node for node in found if node.node("TaxSubtotal")), found[0])
    return own, [node for node in found if node is not own]


def _vat_in_tax_currency(root: Node, others: list[Node], vat: Decimal) -> VatInTaxCurrency | None:
    """The second total (BT-111). Peppol states no rate, so it is what the two amounts say; without VAT they say none."""
    currency = root.text("TaxCurrencyCode")
    if currency is None or vat == ZERO:
        return None
    if not others:
        raise root.missing("TaxTotal/TaxAmount")
    amount = others[0].needed_amount("TaxAmount", currency)
    return VatInTaxCurrency(currency, amount, divide(amount, vat, _RATE_DECIMALS))


def _totals(node: Node, vat: Decimal, currency: str) -> Totals:
    return Totals(
        lines=node.needed_amount("LineExtensionAmount", currency),
        allowances=node.amount("AllowanceTotalAmount", currency) or ZERO,
        charges=node.amount("ChargeTotalAmount", currency) or ZERO,
        net=node.needed_amount("TaxExclusiveAmount", currency),
        vat=vat,
        gross=node.needed_amount("TaxInclusiveAmount", currency),
        prepaid=node.amount("PrepaidAmount", currency) or ZERO,
        rounding=node.amount("PayableRoundingAmount", currency) or ZERO,
        payable=node.needed_amount("PayableAmount", currency),
    )


def _line(node: Node, kind: DocumentType, currency: str, classes: Classes) -> Line:
    vat = _class(node.needed("Item/ClassifiedTaxCategory"), classes)
    allowances = tuple(common.allowance(item, currency, None, _SCALE) for item in node.nodes("AllowanceCharge"))
    return common.line(node, kind, currency, vat, _GTIN, allowances_charges=allowances)
