"""Documents that others wrote: the official examples, compared with what XPath finds in them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.domain.invoice import DocumentType, Invoice, PaymentMeansCode
from invoiceapp.domain.parties import Party
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.ubl.reading import read_oioubl, read_peppol

FIXTURES = Path(__file__).resolve().parents[5] / "shared" / "fixtures"
PEPPOL = sorted((FIXTURES / "peppol-bis-3" / "examples").glob("*.xml"))
OIOUBL = sorted(path for path in (FIXTURES / "oioubl-2.1").glob("*.xml") if "ApplicationResponse" not in path.name)
CATEGORIES = {"StandardRated": "S", "ZeroRated": "Z", "ReverseCharge": "AE"}

pytestmark = pytest.mark.skipif(not PEPPOL or not OIOUBL, reason="the official examples are not beside the repository")


class Xml:
    """Values by XPath of local names; the first one, or None."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element

    def all(self, path: str) -> list[Xml]:
        steps = "/".join(f"*[local-name()='{name}']" for name in path.split("/"))
        return [Xml(found) for found in self.element.xpath(steps)]

    def __call__(self, path: str) -> str | None:
        found = self.all(path)
        return found[0].element.text.strip() if found else None

    def number(self, path: str) -> Decimal:
        return Decimal(self(path) or 0)


def told_lines(xml: Xml, category: str) -> list[tuple[Any, ...]]:
    found = []
    for line in (*xml.all("InvoiceLine"), *xml.all("CreditNoteLine")):
        quantity = next(name for name in ("InvoicedQuantity", "CreditedQuantity") if line(name))
        code = line(f"{category}/ID") or ""
        found.append(
            (
                line("ID"), line.number(quantity), line.all(quantity)[0].element.get("unitCode"),
                line.number("LineExtensionAmount"), line.number("Price/PriceAmount"),
                CATEGORIES.get(code, code), line.number(f"{category}/Percent"),
                line("Item/Name"), line("Item/Description"), line("Item/SellersItemIdentification/ID"),
                line("AccountingCost"), line("OrderLineReference/LineID"), line("Note"),
            )
        )  # fmt: skip
    return found


def read_lines(invoice: Invoice) -> list[tuple[Any, ...]]:
    return [
        (
            line.id, line.quantity, line.unit, line.net_amount, line.price, line.vat.category, line.vat.percent,
            line.item.name, line.item.description, line.item.sellers_id, line.accounting_cost, line.order_line, line.note,
        )
        for line in invoice.lines
    ]  # fmt: skip


def told_vat(xml: Xml) -> list[tuple[Any, ...]]:
    return [
        (
            CATEGORIES.get(group("TaxCategory/ID") or "", group("TaxCategory/ID")),
            group.number("TaxCategory/Percent"), group.number("TaxableAmount"), group.number("TaxAmount"),
        )
        for group in xml.all("TaxTotal/TaxSubtotal")
    ]  # fmt: skip


def read_vat(invoice: Invoice) -> list[tuple[Any, ...]]:
    return [(item.vat.category, item.vat.percent, item.taxable_amount, item.tax_amount) for item in invoice.vat]


def told_party(xml: Xml) -> tuple[Any, ...]:
    street = " ".join(filter(None, (xml("PostalAddress/StreetName"), xml("PostalAddress/BuildingNumber"))))
    return (
        xml("PartyLegalEntity/RegistrationName") or xml("PartyName/Name"),
        (xml("EndpointID") or "").removeprefix("DK"),
        (xml("PartyLegalEntity/CompanyID") or "").removeprefix("DK"),
        xml("PartyTaxScheme/CompanyID"),
        street, xml("PostalAddress/CityName"), xml("PostalAddress/PostalZone"), xml("PostalAddress/Country/IdentificationCode"),
        xml("Contact/Name"), xml("Contact/Telephone"), xml("Contact/ElectronicMail"),
    )  # fmt: skip


def read_party(party: Party) -> tuple[Any, ...]:
    address, contact = party.address, party.contact
    return (
        party.name, party.endpoint.value if party.endpoint else "", party.legal_id or "", party.vat_id,
        address.street, address.city, address.postal_code, address.country, contact.name, contact.phone, contact.email,
    )  # fmt: skip


def same_in_both(read: Callable[[bytes], Invoice], path: Path, category: str) -> tuple[Invoice, Xml]:
    xml, invoice = Xml(etree.fromstring(path.read_bytes())), read(path.read_bytes())
    assert read_lines(invoice) == told_lines(xml, category)
    assert read_vat(invoice) == told_vat(xml)
    for side, party in (("AccountingSupplierParty", invoice.seller), ("AccountingCustomerParty", invoice.buyer)):
        assert read_party(party) == told_party(xml.all(f"{side}/Party")[0])
    assert (invoice.number, invoice.issue_date.isoformat(), invoice.currency) == (
        xml("ID"), xml("IssueDate"), xml("DocumentCurrencyCode"),
    )  # fmt: skip
    assert (invoice.note, invoice.payment_terms) == (xml("Note"), xml("PaymentTerms/Note"))
    assert len(invoice.payment) == len(xml.all("PaymentMeans"))
    assert invoice.type is (DocumentType.CREDIT_NOTE if xml.all("CreditNoteLine") else DocumentType.INVOICE)
    return invoice, xml


@pytest.mark.parametrize("path", PEPPOL, ids=lambda path: path.stem)
def test_a_peppol_example_is_read_as_it_is_written(path):
    invoice, xml = same_in_both(read_peppol, path, "Item/ClassifiedTaxCategory")
    told = xml.all("LegalMonetaryTotal")[0]
    totals = invoice.totals
    assert (totals.lines, totals.net, totals.gross, totals.payable) == (
        told.number("LineExtensionAmount"), told.number("TaxExclusiveAmount"),
        told.number("TaxInclusiveAmount"), told.number("PayableAmount"),
    )  # fmt: skip
    assert (totals.allowances, totals.charges, totals.prepaid, totals.rounding) == (
        told.number("AllowanceTotalAmount"), told.number("ChargeTotalAmount"),
        told.number("PrepaidAmount"), told.number("PayableRoundingAmount"),
    )  # fmt: skip
    assert totals.vat == xml.number("TaxTotal/TaxAmount")
    assert len(invoice.allowances_charges) == len(xml.all("AllowanceCharge"))
    assert invoice.source_id == f"{invoice.seller.endpoint}:{invoice.number}"


@pytest.mark.parametrize("path", OIOUBL, ids=lambda path: path.stem)
def test_an_oioubl_example_is_read_as_it_is_written(path):
    invoice, xml = same_in_both(read_oioubl, path, "TaxTotal/TaxSubtotal/TaxCategory")
    told = xml.all("LegalMonetaryTotal")[0]
    totals = invoice.totals
    # TaxExclusiveAmount is the VAT in OIOUBL (F-INV127).
    assert (totals.lines, totals.vat, totals.gross, totals.payable) == (
        told.number("LineExtensionAmount"), told.number("TaxExclusiveAmount"),
        told.number("TaxInclusiveAmount"), told.number("PayableAmount"),
    )  # fmt: skip
    assert totals.net == totals.gross - totals.vat
    person = xml("AccountingCustomerParty/Party/Contact/ID")
    assert invoice.buyer_reference == invoice.buyer.contact.id == person
    assert invoice.source_id == (xml("UUID") or f"{invoice.seller.endpoint}:{invoice.number}")


def test_everything_of_the_richest_peppol_example_is_read():
    invoice = read_peppol((FIXTURES / "peppol-bis-3" / "examples" / "Allowance-example.xml").read_bytes())
    charge, allowance = invoice.allowances_charges
    assert (charge.is_charge, charge.percent, charge.base, charge.reason_code) == (True, 20, 1000, "CG")
    assert (allowance.is_charge, allowance.percent, allowance.amount) == (False, None, 200)
    assert invoice.vat_in_tax_currency is not None
    assert (invoice.vat_in_tax_currency.currency, invoice.vat_in_tax_currency.amount) == ("SEK", Decimal("9324.00"))
    assert [line.base_quantity for line in invoice.lines] == [1, 2, 1]
    assert [len(line.allowances_charges) for line in invoice.lines] == [2, 0, 2]
    assert invoice.lines[1].vat.exemption_reason == "Reason for tax exempt"
    assert invoice.lines[1].period is not None
    assert invoice.period is not None
    assert invoice.delivery is not None
    assert (invoice.delivery.name, str(invoice.delivery.location)) == ("Delivery party Name", "0088:7300010000001")
    assert invoice.seller.legal_form == "AdditionalLegalInformation"
    assert invoice.attachments == ()  # the two documents are only named


def test_danish_schemes_become_those_of_the_network():
    invoice = read_oioubl((FIXTURES / "oioubl-2.1" / "OIOUBL_Invoice_v2p2.xml").read_bytes())
    assert invoice.seller.endpoint == Participant(CVR, "16356706")
    assert invoice.buyer.endpoint == Participant(GLN, "5798009811578")
    assert invoice.seller.identifiers == ()  # the CVR number is the legal one
    (means,) = invoice.payment
    assert (means.code, means.account, means.branch, means.payment_id) == (
        PaymentMeansCode.BANK_ACCOUNT, "1234567890", "1234", "A00095678",
    )  # fmt: skip
    assert str(invoice.due_date) == "2005-11-25"


def test_one_dialect_is_not_read_as_the_other():
    with pytest.raises(Unreadable, match="OIOUBL"):
        read_peppol(OIOUBL[0].read_bytes())
    with pytest.raises(Unreadable, match="OIOUBL"):
        read_oioubl(PEPPOL[0].read_bytes())


def test_an_application_response_is_no_invoice():
    response = (FIXTURES / "oioubl-2.1" / "OIOUBL_ApplicationResponse_v2p2.xml").read_bytes()
    with pytest.raises(Unreadable) as refused:
        read_oioubl(response)
    assert "hverken" in refused.value.text.da
