"""OIOUBL 2.1 (and 2.02) -> the model.

What differs from Peppol: ``oioubl.py`` of the writers. Line allowances and the
discounts of a price are read over, because the line amount is price x quantity
without them (F-INV340); so are deliveries of single lines.
"""

from __future__ import annotations

from decimal import Decimal

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant
from invoiceapp.domain.invoice import (
    DocumentType,
    Invoice,
    Line,
    PaymentMeans,
    PaymentMeansCode,
    Totals,
    VatInTaxCurrency,
)
from invoiceapp.domain.money import HUNDRED, ZERO, divide, total
from invoiceapp.domain.parties import Contact, Party, Payee
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass

from . import common
from .nodes import Node, open_document, unreadable

_GTIN = "GTIN"
_SCHEMES = {"GLN": GLN, "DK:CVR": CVR, "DK:SE": SE, "DK:P": P_NUMBER}
#: F-LIB309; besides these the list has the letters of EN 16931.
_CATEGORIES = {
    "StandardRated": VatCategory.STANDARD,
    "ZeroRated": VatCategory.ZERO_RATED,
    "ReverseCharge": VatCategory.REVERSE_CHARGE,
    **{category.value: category for category in VatCategory},
}
#: F-LIB198: VAT among the taxes and duties of Danish law
_VAT = "63"
#: The writers' stand-in for a buyer without a person reference (F-INV051)
_NOBODY = "n/a"
_WITH_KIND = frozenset({PaymentMeansCode.FIK, PaymentMeansCode.GIRO})
_DIRECT_DEBITS = frozenset({PaymentMeansCode.DIRECT_DEBIT, PaymentMeansCode.SEPA_DIRECT_DEBIT})
_RATE_DECIMALS = 6


def read_oioubl(content: bytes) -> Invoice:
    """The invoice or credit note that the bytes carry; amounts as written, right or wrong. Raises ``Unreadable``.

    ``source_id`` is the document's UUID, else seller and number. The person
    reference of the buyer is the buyer reference (BT-10), too.
    """
    root, kind = open_document(content)
    if not (root.text("CustomizationID") or "").startswith("OIOUBL"):
        raise unreadable("Det er ikke OIOUBL.", "It is not OIOUBL.")
    currency = root.needed_text("DocumentCurrencyCode")
    root.needed("TaxTotal")
    subtotals = root.nodes("TaxTotal/TaxSubtotal")
    vat = tuple(_breakdown(node, currency) for node in subtotals)
    totals = _totals(root, currency)
    buyer = _party(root.needed("AccountingCustomerParty/Party"))
    return common.invoice(
        root,
        kind,
        _party(root.needed("AccountingSupplierParty/Party")),
        currency=currency,
        buyer=buyer,
        buyer_reference=buyer.contact.id,
        lines=tuple(_line(node, kind, currency) for node in common.line_nodes(root, kind)),
        vat=vat,
        totals=totals,
        payee=_payee(root.node("PayeeParty")),
        delivery=common.delivery(root, _participant),
        payment=tuple(_means(node) for node in root.nodes("PaymentMeans")),
        allowances_charges=tuple(
            common.allowance(node, currency, _class(node.needed("TaxCategory")), HUNDRED)
            for node in root.nodes("AllowanceCharge")
        ),
        vat_in_tax_currency=_vat_in_tax_currency(root, subtotals, totals.vat),
    )


def _participant(node: Node, path: str) -> Participant | None:
    """A number by its EAS scheme; a scheme that EAS has no name for keeps its own."""
    value, scheme = node.text(path), node.attribute(path, "schemeID")
    return Participant.of(_SCHEMES.get(scheme, scheme), value) if value and scheme else None


def _party(node: Node) -> Party:
    """Names, numbers and address; the registered name goes before the one the party goes by."""
    names = [name for name in (node.text("PartyLegalEntity/RegistrationName"), node.text("PartyName/Name")) if name]
    if not names:
        raise node.missing("PartyLegalEntity/RegistrationName")
    scheme = _SCHEMES.get(node.attribute("PartyLegalEntity/CompanyID", "schemeID") or "")
    legal_id = common.legal_id(node, scheme)
    legal = Participant(CVR, legal_id) if scheme == CVR and legal_id else None
    numbers = (_participant(item, "ID") for item in node.nodes("PartyIdentification"))
    return Party(
        name=names[0],
        endpoint=_participant(node, "EndpointID"),
        trading_name=names[-1] if names[-1] != names[0] else None,
        legal_id=legal_id,
        legal_scheme=scheme if legal_id else None,
        vat_id=node.text("PartyTaxScheme/CompanyID"),
        address=common.address(node.node("PostalAddress")),
        contact=_contact(node),
        identifiers=tuple(number for number in numbers if number is not None and number != legal),
        legal_form=node.text("PartyLegalEntity/CompanyLegalForm"),
    )


def _contact(party: Node) -> Contact:
    id_ = party.text("Contact/ID")
    return common.contact(party, id_ if id_ != _NOBODY else None)


def _payee(node: Node | None) -> Payee | None:
    if node is None:
        return None
    scheme = _SCHEMES.get(node.attribute("PartyLegalEntity/CompanyID", "schemeID") or "")
    return Payee(node.needed_text("PartyName/Name"), common.legal_id(node, scheme))


def _means(node: Node) -> PaymentMeans:
    code = common.means_code(node)
    instruction = node.text("InstructionID")
    payment_id = node.text("PayeeFinancialAccount/PaymentNote") or node.text("PayerFinancialAccount/PaymentNote")
    if code in _WITH_KIND:
        # 01 and 73 have a text, the others a number (F-LIB145 … F-LIB157).
        payment_id = f"{node.needed_text('PaymentID')}#{instruction or node.text('InstructionNote') or ''}"
    branch = "PayeeFinancialAccount/FinancialInstitutionBranch"
    return PaymentMeans(
        code=code,
        payment_id=payment_id,
        account=node.text("PayeeFinancialAccount/ID") or node.text("CreditAccount/AccountID"),
        branch=node.text(f"{branch}/ID") or node.text(f"{branch}/FinancialInstitution/ID"),
        account_name=node.text("PayeeFinancialAccount/Name"),
        card_number=node.text("CardAccount/PrimaryAccountNumberID"),
        card_network=node.text("CardAccount/NetworkID"),
        mandate=instruction if code in _DIRECT_DEBITS else None,
        payer_account=node.text("PayerFinancialAccount/ID"),
    )


def _class(node: Node) -> VatClass:
    """The class of a category element. Raises ``Unreadable`` for duties, which the model has no place for."""
    scheme, code = node.text("TaxScheme/ID"), node.needed_text("ID")
    if scheme not in (_VAT, None):
        raise node.wrong("TaxScheme/ID", scheme)
    if code not in _CATEGORIES:
        raise node.wrong("ID", code)
    return VatClass(_CATEGORIES[code], node.number("Percent") or ZERO)


def _breakdown(node: Node, currency: str) -> VatBreakdown:
    return VatBreakdown(
        vat=_class(node.needed("TaxCategory")),
        taxable_amount=node.needed_amount("TaxableAmount", currency),
        tax_amount=node.needed_amount("TaxAmount", currency),
    )


def _vat_in_tax_currency(root: Node, subtotals: list[Node], vat: Decimal) -> VatInTaxCurrency | None:
    """The VAT that the groups tell in the other currency, and the rate, else what the two amounts say."""
    currency = root.text("TaxCurrencyCode")
    if currency is None or vat == ZERO:
        return None
    told = [node.amount("TransactionCurrencyTaxAmount", currency) for node in subtotals]
    amount = total(item for item in told if item is not None)
    rate = root.number("TaxExchangeRate/CalculationRate")
    return VatInTaxCurrency(currency, amount, rate if rate else divide(amount, vat, _RATE_DECIMALS))


def _totals(root: Node, currency: str) -> Totals:
    """Net and gross as EN 16931 has them: here TaxExclusiveAmount is the VAT (F-INV127) and gross is rounded (F-INV128)."""
    node = root.needed("LegalMonetaryTotal")
    lines = node.needed_amount("LineExtensionAmount", currency)
    allowances = node.amount("AllowanceTotalAmount", currency) or ZERO
    charges = node.amount("ChargeTotalAmount", currency) or ZERO
    rounding = node.amount("PayableRoundingAmount", currency) or ZERO
    return Totals(
        lines=lines,
        allowances=allowances,
        charges=charges,
        net=lines - allowances + charges,
        vat=root.needed_amount("TaxTotal/TaxAmount", currency),
        gross=node.needed_amount("TaxInclusiveAmount", currency) - rounding,
        prepaid=node.amount("PrepaidAmount", currency) or ZERO,
        rounding=rounding,
        payable=node.needed_amount("PayableAmount", currency),
    )


def _line(node: Node, kind: DocumentType, currency: str) -> Line:
    vat = _class(node.needed("TaxTotal/TaxSubtotal/TaxCategory"))
    return common.line(node, kind, currency, vat, _GTIN)
