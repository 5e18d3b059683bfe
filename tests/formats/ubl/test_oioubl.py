from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from lxml import etree

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant
from invoiceapp.domain.invoice import AllowanceCharge, DocumentType, PaymentMeans, PaymentMeansCode
from invoiceapp.domain.tax import VatBreakdown, VatCategory, VatClass
from invoiceapp.domain.totals import net_price
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.ubl.oioubl import document_uuid, merged

OIOUBL = formats()["oioubl-2.1"]


def tree(content: bytes) -> etree._Element:
    return etree.fromstring(content)


def text(root: etree._Element, path: str) -> str | None:
    found = root.find("/".join(f"{{*}}{name}" for name in path.split("/")))
    return None if found is None else found.text


def test_totals_have_the_danish_meaning(invoice):
    root = tree(OIOUBL.write(invoice))
    assert text(root, "LegalMonetaryTotal/TaxExclusiveAmount") == "245.83"  # F-INV127: the VAT
    assert text(root, "LegalMonetaryTotal/TaxInclusiveAmount") == "1229.16"
    assert text(root, "LegalMonetaryTotal/PayableAmount") == "1229.16"


def test_every_line_tells_its_vat(invoice):
    root = tree(OIOUBL.write(invoice))
    lines = root.findall("{*}InvoiceLine")
    assert [text(line, "TaxTotal/TaxAmount") for line in lines] == ["225.00", "20.83"]
    assert [text(line, "TaxTotal/TaxSubtotal/TaxCategory/ID") for line in lines] == ["StandardRated"] * 2


@pytest.mark.parametrize(
    ("scheme", "value", "written", "name"),
    [
        (GLN, "5798009811578", "5798009811578", "GLN"),
        (CVR, "10150817", "DK10150817", "DK:CVR"),
        (SE, "DK10150817", "DK10150817", "DK:SE"),
        (P_NUMBER, "1012345678", "1012345678", "DK:P"),
    ],
)
def test_addresses_have_danish_scheme_names(invoice, scheme, value, written, name):
    buyer = replace(invoice.buyer, endpoint=Participant(scheme, value))
    endpoint = tree(OIOUBL.write(replace(invoice, buyer=buyer))).find(
        "{*}AccountingCustomerParty/{*}Party/{*}EndpointID"
    )
    assert endpoint is not None
    assert (endpoint.text, endpoint.get("schemeID")) == (written, name)


def test_a_buyer_without_registration_has_no_legal_entity(invoice, validator):
    buyer = replace(invoice.buyer, legal_id=None, legal_scheme=None)
    content = OIOUBL.write(replace(invoice, buyer=buyer))
    assert tree(content).find("{*}AccountingCustomerParty/{*}Party/{*}PartyLegalEntity") is None
    assert validator.validate(content, OIOUBL, DocumentType.INVOICE).findings == ()


def test_a_buyer_without_reference_still_has_the_contact_id_that_is_demanded(invoice):
    contact = replace(invoice.buyer.contact, id=None, name=None)
    root = tree(OIOUBL.write(replace(invoice, buyer=replace(invoice.buyer, contact=contact))))
    assert text(root, "AccountingCustomerParty/Party/Contact/ID") == "n/a"


@pytest.mark.parametrize(
    ("means", "code", "channel"),
    [
        (PaymentMeans(PaymentMeansCode.FIK, "71#000000000010421", "81234567"), "93", "DK:FIK"),
        (PaymentMeans(PaymentMeansCode.BANK_ACCOUNT, "2042", "123", "0040"), "42", "DK:BANK"),
        (PaymentMeans(PaymentMeansCode.SEPA, "2042", "DK5000400440116243"), "58", "IBAN"),
        (PaymentMeans(PaymentMeansCode.CREDIT_TRANSFER, "2042", "DK5000400440116243", "POLRDKKK"), "31", "IBAN"),
        (PaymentMeans(PaymentMeansCode.CREDIT_TRANSFER, "2042", "DK5000400440116243"), "58", "IBAN"),
    ],
)
def test_each_way_to_pay_has_its_channel_and_is_valid(invoice, validator, means, code, channel):
    content = OIOUBL.write(replace(invoice, payment=(means,)))
    assert text(tree(content), "PaymentMeans/PaymentMeansCode") == code
    assert text(tree(content), "PaymentMeans/PaymentChannelCode") == channel
    assert validator.validate(content, OIOUBL, DocumentType.INVOICE).findings == ()


def test_a_credit_note_asks_for_no_payment(invoice):
    root = tree(OIOUBL.write(replace(invoice, type=DocumentType.CREDIT_NOTE)))
    assert root.find("{*}PaymentMeans") is None
    assert root.find("{*}CreditNoteLine") is not None


def test_discounts_are_inside_the_price(invoice):
    line = replace(
        invoice.lines[0],
        net_amount=Decimal("810.00"),
        allowances_charges=(AllowanceCharge(False, Decimal(90), "Rabat"),),
    )
    assert net_price(line) == 405
    assert net_price(invoice.lines[0]) == 450


def test_the_uuid_belongs_to_the_record(invoice):
    assert UUID(document_uuid(invoice)).version == 5
    assert document_uuid(invoice) == document_uuid(replace(invoice, number="other"))
    assert document_uuid(invoice) != document_uuid(replace(invoice, source_id="org:other"))


def test_categories_with_one_danish_name_are_added_up():
    exempt, export = VatClass(VatCategory.EXEMPT, Decimal(0)), VatClass(VatCategory.EXPORT, Decimal(0))
    standard = VatClass(VatCategory.STANDARD, Decimal(25))
    groups = (
        VatBreakdown(exempt, Decimal(10), Decimal(0)), VatBreakdown(standard, Decimal(100), Decimal(25)),
        VatBreakdown(export, Decimal(5), Decimal(0)),
    )  # fmt: skip
    assert [(item.taxable_amount, item.tax_amount) for item in merged(groups)] == [(15, 0), (100, 25)]
