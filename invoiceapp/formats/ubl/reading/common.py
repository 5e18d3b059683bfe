"""Groups that every UBL dialect writes the same way, read back."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from invoiceapp.domain.identifiers import CVR, Participant, cvr_from
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Classification,
    Delivery,
    DocumentReference,
    DocumentType,
    Invoice,
    Item,
    Line,
    PaymentMeansCode,
    Period,
)
from invoiceapp.domain.money import ZERO, multiply
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatClass

from .nodes import Node

ReadParticipant = Callable[[Node, str], Participant | None]

_EMBEDDED = "Attachment/EmbeddedDocumentBinaryObject"
_MEANS = {item.value: item for item in PaymentMeansCode}


def invoice(root: Node, kind: DocumentType, seller: Party, **own: Any) -> Invoice:
    """The invoice: what the dialects write alike, and the dialect's ``own`` fields.

    There is no record of an accounting system behind a document, so ``source_id``
    is its UUID, else seller and number, which together name an invoice in law.
    """
    number, issue_date = root.needed_text("ID"), root.date("IssueDate")
    if issue_date is None:
        raise root.missing("IssueDate")
    return Invoice(
        source_id=root.text("UUID") or f"{seller.endpoint or seller.legal_id or seller.name}:{number}",
        type=kind,
        number=number,
        issue_date=issue_date,
        seller=seller,
        # BT-9 has no element of its own in a credit note, nor in OIOUBL.
        due_date=root.date("DueDate") or root.date("PaymentMeans/PaymentDueDate"),
        note=" / ".join(root.texts("Note")) or None,
        order_reference=_order(root),
        sales_order_reference=root.text("OrderReference/SalesOrderID"),
        despatch_reference=root.text("DespatchDocumentReference/ID"),
        contract_reference=root.text("ContractDocumentReference/ID"),
        project_reference=_project(root),
        accounting_cost=root.text("AccountingCost"),
        period=period(root),
        preceding=tuple(_preceding(node) for node in root.nodes("BillingReference/InvoiceDocumentReference")),
        payment_terms=root.text("PaymentTerms/Note"),
        attachments=tuple(
            _attachment(node) for node in root.nodes("AdditionalDocumentReference") if node.text(_EMBEDDED)
        ),
        **own,
    )


def _order(root: Node) -> str | None:
    """``NA`` stands where UBL wants an order number and there is none (BT-14, F-INV142)."""
    order = root.text("OrderReference/ID")
    return order if order != "NA" else None


def _project(root: Node) -> str | None:
    """A credit note has no ProjectReference; type code 50 stands for it (BT-11)."""
    documents = root.nodes("AdditionalDocumentReference")
    coded = (node.text("ID") for node in documents if node.text("DocumentTypeCode") == "50")
    return root.text("ProjectReference/ID") or next(coded, None)


def _preceding(node: Node) -> DocumentReference:
    return DocumentReference(node.needed_text("ID"), node.date("IssueDate"))


def _attachment(node: Node) -> Attachment:
    encoded = node.needed_text(_EMBEDDED)
    try:
        content = b64decode("".join(encoded.split()), validate=True)
    except ValueError as error:
        raise node.wrong(_EMBEDDED, encoded) from error
    id_ = node.needed_text("ID")
    return Attachment(
        id=id_,
        filename=node.attribute(_EMBEDDED, "filename") or id_,
        media_type=node.attribute(_EMBEDDED, "mimeCode") or "application/octet-stream",
        content=content,
        description=node.text("DocumentDescription") or node.text("DocumentType"),
    )


def period(node: Node) -> Period | None:
    """BG-14, BG-26."""
    start, end = node.date("InvoicePeriod/StartDate"), node.date("InvoicePeriod/EndDate")
    return Period(start, end) if start or end else None


def joined(node: Node, *paths: str, separator: str = ", ") -> str | None:
    """The values that are there, as one."""
    return separator.join(text for path in paths for text in node.texts(path)) or None


def address(node: Node | None) -> Address:
    """What the model has no field for follows the street and its second line."""
    if node is None:
        return Address()
    return Address(
        street=joined(node, "StreetName", "BuildingNumber", separator=" "),
        additional=joined(node, "AdditionalStreetName", "Postbox", "AddressLine/Line"),
        city=node.text("CityName"),
        postal_code=node.text("PostalZone"),
        subdivision=node.text("CountrySubentity"),
        country=node.text("Country/IdentificationCode"),
    )


def contact(party: Node, id_: str | None = None) -> Contact:
    """BG-6, BG-9."""
    return Contact(
        id=id_,
        name=party.text("Contact/Name"),
        phone=party.text("Contact/Telephone"),
        email=party.text("Contact/ElectronicMail"),
    )


def delivery(root: Node, participant: ReadParticipant) -> Delivery | None:
    """BG-13; the first one, where a foreign document has several."""
    node = root.node("Delivery")
    if node is None:
        return None
    place = address(node.node("DeliveryLocation/Address"))
    found = Delivery(
        date=node.date("ActualDeliveryDate"),
        address=place if place != Address() else None,
        name=node.text("DeliveryParty/PartyName/Name"),
        location=participant(node, "DeliveryLocation/ID"),
    )
    return found if found != Delivery() else None


def cvr(value: str | None) -> str | None:
    """The 8 digits of a CVR number, however it is written."""
    return cvr_from(value) or value


def legal_id(entity: Node, scheme: str | None) -> str | None:
    """Company number (BT-30, BT-47, BT-61)."""
    value = entity.text("PartyLegalEntity/CompanyID")
    return cvr(value) if scheme == CVR else value


def means_code(node: Node) -> PaymentMeansCode:
    """BT-81; a way to pay that Danish invoices do not use is an undefined one."""
    return _MEANS.get(node.needed_text("PaymentMeansCode"), PaymentMeansCode.UNDEFINED)


def allowance(node: Node, currency: str, vat: VatClass | None, scale: Decimal) -> AllowanceCharge:
    """Allowance or charge; the dialect's multiplier x ``scale`` is the percentage."""
    indicator = node.needed_text("ChargeIndicator")
    if indicator not in ("true", "false", "1", "0"):
        raise node.wrong("ChargeIndicator", indicator)
    factor, code = node.number("MultiplierFactorNumeric"), node.text("AllowanceChargeReasonCode")
    return AllowanceCharge(
        is_charge=indicator in ("true", "1"),
        amount=node.needed_amount("Amount", currency),
        reason=node.text("AllowanceChargeReason") or code or "",
        vat=vat,
        percent=multiply(factor, scale) if factor is not None else None,
        base=node.amount("BaseAmount", currency),
        reason_code=code,
    )


def line_nodes(root: Node, kind: DocumentType) -> list[Node]:
    """The lines, of which there is at least one (BR-16)."""
    name = "CreditNoteLine" if kind is DocumentType.CREDIT_NOTE else "InvoiceLine"
    return root.nodes(name) or [root.needed(name)]


def line(node: Node, kind: DocumentType, currency: str, vat: VatClass, gtin: str, **own: Any) -> Line:
    """BG-25; ``gtin`` is the dialect's name of the scheme of bar codes."""
    quantity = "CreditedQuantity" if kind is DocumentType.CREDIT_NOTE else "InvoicedQuantity"
    unit = node.attribute(quantity, "unitCode")
    base_quantity = node.number("Price/BaseQuantity")
    if unit is None:
        raise node.missing(f"{quantity}/@unitCode")
    if base_quantity is not None and base_quantity <= ZERO:
        raise node.wrong("Price/BaseQuantity", str(base_quantity))
    return Line(
        id=node.needed_text("ID"),
        quantity=node.needed_number(quantity),
        unit=unit,
        net_amount=node.needed_amount("LineExtensionAmount", currency),
        price=node.needed_amount("Price/PriceAmount", currency),
        vat=vat,
        item=_item(node.needed("Item"), gtin),
        note=" / ".join(node.texts("Note")) or None,
        order_line=node.text("OrderLineReference/LineID"),
        accounting_cost=node.text("AccountingCost"),
        period=period(node),
        base_quantity=base_quantity or Decimal(1),
        **own,
    )


def _item(node: Node, gtin: str) -> Item:
    standard = "StandardItemIdentification/ID"
    return Item(
        name=node.needed_text("Name"),
        description=joined(node, "Description"),
        sellers_id=node.text("SellersItemIdentification/ID"),
        standard_id=node.text(standard) if node.attribute(standard, "schemeID") == gtin else None,
        buyers_id=node.text("BuyersItemIdentification/ID"),
        classifications=tuple(
            found for found in map(_classification, node.nodes("CommodityClassification")) if found is not None
        ),
    )


def _classification(node: Node) -> Classification | None:
    code, list_id = node.text("ItemClassificationCode"), node.attribute("ItemClassificationCode", "listID")
    version = node.attribute("ItemClassificationCode", "listVersionID")
    if code is None or list_id is None:
        return None
    if list_id == "UNSPSC":
        # OIOUBL's name and way to write versions: 19.0501 is 19.05.01.
        shape = re.fullmatch(r"([0-9]{2}\.[0-9]{2})([0-9]{2})", version or "")
        return Classification(code, "TST", f"{shape[1]}.{shape[2]}" if shape else version)
    return Classification(code, list_id, version)
