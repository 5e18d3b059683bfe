"""Peppol BIS Billing 3: what is easily got wrong, one test for each trap, named after its rule.

What the rules themselves say of documents is asked in ``test_variants``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from lxml import etree

from invoiceapp.domain.identifiers import GLN, P_NUMBER, Participant
from invoiceapp.domain.invoice import (
    Classification,
    Delivery,
    DocumentType,
    Item,
    PaymentMeans,
    Period,
)
from invoiceapp.domain.parties import Address, Contact, Party
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.ubl import FORMATS

from .samples import (
    ACCOUNT,
    BIC,
    CARD,
    CREDIT_NOTE,
    DEBIT,
    DISCOUNT,
    FACTORING,
    FIK_71,
    FREIGHT,
    IBAN,
    PEPPOL,
    STANDARD,
    Code,
    class_of,
    found,
    in_euro,
    line_of,
    names,
    priced,
    texts,
    written,
)  # fmt: skip


def test_UBL_CR_001_peppol_has_no_version_no_uuid_and_no_copy_indicator(invoice):
    root = written(PEPPOL, invoice)
    assert not {"UBLVersionID", "UUID", "CopyIndicator"} & set(names(root))


def test_PEPPOL_EN16931_R004_and_R007_name_customization_and_process(invoice):
    root = written(PEPPOL, invoice)
    assert texts(root, "CustomizationID") == [
        "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
    ]
    assert texts(root, "ProfileID") == ["urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("kind", DocumentType)
def test_PEPPOL_EN16931_R008_nothing_that_is_empty_is_written(make_invoice, fmt, kind):
    bare = make_invoice(
        type=kind, delivery=Delivery(), period=Period(), payment=(PaymentMeans(Code.UNDEFINED),), order_reference=None,
        buyer=Party("Skolen", Participant(GLN, "5798009811578"), address=Address(country="DK"), contact=Contact()),
        lines=(line_of(STANDARD, period=Period()),),
    )  # fmt: skip
    for element in written(fmt, bare).iter():
        assert len(element) or (element.text or "").strip(), element.tag
        assert all(element.attrib.values())


def test_PEPPOL_EN16931_R051_every_amount_is_in_the_currency_but_the_second_total(invoice):
    root = written(PEPPOL, in_euro(invoice))
    other = [element for element in root.iter() if element.get("currencyID") not in (None, "EUR")]
    assert [(etree.QName(element).localname, element.get("currencyID")) for element in other] == [("TaxAmount", "DKK")]


def test_PEPPOL_EN16931_R054_the_second_total_has_no_groups(invoice):
    first, second = found(written(PEPPOL, in_euro(invoice)), "TaxTotal")
    assert len(found(first, "TaxSubtotal")) == 1
    assert names(second) == ["TaxAmount"]


def test_PEPPOL_EN16931_R005_without_another_currency_there_is_no_tax_currency(invoice):
    assert found(written(PEPPOL, invoice), "TaxCurrencyCode") == []


def test_PEPPOL_EN16931_R040_a_percentage_is_a_percentage(invoice):
    item = found(written(PEPPOL, priced(invoice, DISCOUNT)), "AllowanceCharge")[0]
    assert (texts(item, "MultiplierFactorNumeric"), texts(item, "BaseAmount")) == (["5"], ["1000.00"])


def test_PEPPOL_EN16931_R041_and_R042_without_percentage_there_is_no_base(invoice):
    item = found(written(PEPPOL, priced(invoice, FREIGHT)), "AllowanceCharge")[0]
    assert not {"MultiplierFactorNumeric", "BaseAmount"} & set(names(item))


@pytest.mark.parametrize("fmt", FORMATS)
def test_PEPPOL_EN16931_R043_indicators_are_true_or_false(invoice, fmt):
    root = written(fmt, priced(invoice, DISCOUNT, FREIGHT))
    assert texts(root, "AllowanceCharge/ChargeIndicator") == ["false", "true"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_PEPPOL_EN16931_CL002_reason_codes_stand_before_the_reason(invoice, fmt):
    item = found(written(fmt, priced(invoice, DISCOUNT)), "AllowanceCharge")[0]
    assert names(item)[:3] == ["ChargeIndicator", "AllowanceChargeReasonCode", "AllowanceChargeReason"]
    assert texts(item, "AllowanceChargeReasonCode") == ["95"]


def test_PEPPOL_EN16931_R061_direct_debit_names_the_mandate(invoice):
    root = written(PEPPOL, replace(invoice, payment=(DEBIT,)))
    assert texts(root, "PaymentMeans/PaymentMandate/ID") == ["AFT-1"]


@pytest.mark.parametrize("fmt", FORMATS)
def test_PEPPOL_EN16931_R130_the_base_quantity_has_the_unit_of_the_line(make_invoice, fmt):
    line = line_of(STANDARD, base_quantity=Decimal(100), quantity=Decimal(400), unit="KGM")
    base = found(written(fmt, make_invoice(lines=(line,))), "InvoiceLine/Price/BaseQuantity")[0]
    assert (base.text, base.get("unitCode")) == ("100", "KGM")


def test_PEPPOL_EN16931_R121_one_is_no_base_quantity_worth_telling(invoice):
    assert found(written(PEPPOL, invoice), "InvoiceLine/Price/BaseQuantity") == []


def test_BR_27_a_negative_line_has_a_negative_quantity(make_invoice):
    line = line_of(STANDARD, quantity=Decimal(-1), net_amount=Decimal("-100.00"))
    root = written(PEPPOL, make_invoice(lines=(line_of(STANDARD), line)))
    assert texts(root, "InvoiceLine/InvoicedQuantity") == ["4", "-1"]
    assert texts(root, "InvoiceLine/Price/PriceAmount") == ["100.00", "100.00"]


def test_BR_64_a_bar_code_names_its_scheme(make_invoice):
    root = written(PEPPOL, make_invoice(lines=(line_of(STANDARD, item=Item("Vare", standard_id="5701234567899")),)))
    assert found(root, "InvoiceLine/Item/StandardItemIdentification/ID")[0].get("schemeID") == "0160"


def test_BR_CO_09_the_vat_number_has_its_country(invoice):
    assert texts(written(PEPPOL, invoice), "AccountingSupplierParty/Party/PartyTaxScheme/CompanyID") == ["DK12345674"]


def test_BR_DEC_amounts_have_two_decimals_and_prices_as_many_as_they_have(make_invoice):
    root = written(PEPPOL, make_invoice(lines=(line_of(STANDARD, price=Decimal("100.00123")),)))
    assert texts(root, "InvoiceLine/Price/PriceAmount") == ["100.00123"]
    assert texts(root, "InvoiceLine/LineExtensionAmount") == ["400.00"]


def test_BR_O_05_outside_the_scope_of_vat_there_is_no_percentage(make_invoice):
    root = written(PEPPOL, make_invoice(lines=(line_of(class_of(VatCategory.OUTSIDE_SCOPE)),)))
    assert names(found(root, "InvoiceLine/Item/ClassifiedTaxCategory")[0]) == ["ID", "TaxScheme"]


def test_BR_Z_10_zero_rated_has_no_reason(make_invoice):
    root = written(PEPPOL, make_invoice(lines=(line_of(class_of(VatCategory.ZERO_RATED)),)))
    assert names(found(root, "TaxTotal/TaxSubtotal/TaxCategory")[0]) == ["ID", "Percent", "TaxScheme"]


def test_BR_E_10_a_reason_stands_in_the_breakdown_and_not_on_the_line(make_invoice):
    root = written(PEPPOL, make_invoice(lines=(line_of(class_of(VatCategory.EXEMPT)),)))
    assert texts(root, "TaxTotal/TaxSubtotal/TaxCategory/TaxExemptionReason") == ["Momsfritaget"]
    assert found(root, "InvoiceLine/Item/ClassifiedTaxCategory/TaxExemptionReason") == []


def test_BR_IC_12_the_country_that_goods_go_to_is_told(invoice):
    root = written(PEPPOL, replace(invoice, delivery=Delivery(date(2026, 10, 30), Address(country="DE"))))
    assert texts(root, "Delivery/DeliveryLocation/Address/Country/IdentificationCode") == ["DE"]


def test_BT_9_of_a_credit_note_is_the_date_of_its_payment(invoice):
    root = written(PEPPOL, replace(invoice, type=CREDIT_NOTE))
    assert found(root, "DueDate") == []
    assert texts(root, "PaymentMeans/PaymentDueDate") == ["2026-11-16"]


def test_UBL_SR_45_the_date_stands_once(invoice):
    second = replace(ACCOUNT, account="0001234567")
    root = written(PEPPOL, replace(invoice, type=CREDIT_NOTE, payment=(ACCOUNT, second)))
    assert len(found(root, "PaymentMeans")) == 2
    assert len(found(root, "PaymentMeans/PaymentDueDate")) == 1


def test_UBL_SR_44_and_47_only_ways_to_pay_with_one_code_and_one_reference_go_together(invoice):
    others = (replace(ACCOUNT, payment_id="other"), FIK_71, replace(ACCOUNT, payment_id=None, account="0001234567"))
    root = written(PEPPOL, replace(invoice, payment=(ACCOUNT, *others)))
    assert texts(root, "PaymentMeans/PaymentMeansCode") == ["42", "42"]
    assert texts(root, "PaymentMeans/PaymentID") == ["2042"]
    assert texts(root, "PaymentMeans/PayeeFinancialAccount/ID") == ["0440116243", "0001234567"]


def test_UBL_SR_16_the_buyer_has_one_more_number_the_seller_all(invoice):
    numbers = (Participant(GLN, "5798009811578"), Participant(P_NUMBER, "1012345678"))
    root = written(
        PEPPOL,
        replace(
            invoice,
            seller=replace(invoice.seller, identifiers=numbers),
            buyer=replace(invoice.buyer, identifiers=numbers),
        ),
    )
    assert len(found(root, "AccountingSupplierParty/Party/PartyIdentification")) == 2
    assert texts(root, "AccountingCustomerParty/Party/PartyIdentification/ID") == ["5798009811578"]


def test_BR_CL_10_numbers_of_lists_that_iso_6523_does_not_have_are_left_out(invoice):
    seller = replace(invoice.seller, identifiers=(Participant("9930", "DE123456789"), Participant("EM", "a@b.example")))
    root = written(PEPPOL, replace(invoice, seller=seller))
    assert found(root, "AccountingSupplierParty/Party/PartyIdentification") == []


def test_BT_11_of_a_credit_note_is_document_type_50(invoice):
    root = written(PEPPOL, replace(invoice, type=CREDIT_NOTE, project_reference="P-1"))
    assert texts(root, "AdditionalDocumentReference/DocumentTypeCode") == ["50"]


def test_BT_14_alone_stands_beside_NA(invoice):
    for fmt in FORMATS:
        root = written(fmt, replace(invoice, order_reference=None, sales_order_reference="S-1"))
        assert texts(root, "OrderReference/ID") == ["NA"]
        assert texts(root, "OrderReference/SalesOrderID") == ["S-1"]


def test_BT_33_is_of_the_seller_only(invoice):
    parties = {
        "seller": replace(invoice.seller, legal_form="Kapital 40.000 kr."),
        "buyer": replace(invoice.buyer, legal_form="I/S"),
    }
    for fmt in FORMATS:
        root = written(fmt, replace(invoice, **parties))
        assert [element.text for element in root.iter("{*}CompanyLegalForm")] == ["Kapital 40.000 kr."]


def test_DK_R_003_a_classification_names_list_and_version(make_invoice):
    unspsc = Item("Vare", classifications=(Classification("43211503", "TST", "26.08.01"), Classification("8471", "HS")))
    root = written(PEPPOL, make_invoice(lines=(line_of(STANDARD, item=unspsc),)))
    codes = found(root, "InvoiceLine/Item/CommodityClassification/ItemClassificationCode")
    assert [dict(code.attrib) for code in codes] == [{"listID": "TST", "listVersionID": "26.08.01"}, {"listID": "HS"}]


@pytest.mark.parametrize(
    ("means", "code"),
    [
        (PaymentMeans(Code.CREDIT_TRANSFER, "2042", IBAN, BIC), "58"),
        (PaymentMeans(Code.CREDIT_TRANSFER, "2042", "0440116243", "0040"), "42"),
        (PaymentMeans(Code.DEBIT_TRANSFER, "2042", IBAN), "58"),
        (PaymentMeans(Code.DEBIT_TRANSFER, "2042", "0440116243", "0040"), "31"),
    ],
)
def test_DK_R_005_and_006_between_danes_a_transfer_has_a_code_that_is_allowed(invoice, means, code):
    assert texts(written(PEPPOL, replace(invoice, payment=(means,))), "PaymentMeans/PaymentMeansCode") == [code]


def test_DK_R_005_does_not_look_at_buyers_abroad(invoice):
    buyer = replace(invoice.buyer, address=Address(country="SE"))
    means = PaymentMeans(Code.CREDIT_TRANSFER, "2042", IBAN)
    root = written(PEPPOL, replace(invoice, buyer=buyer, payment=(means,)))
    assert texts(root, "PaymentMeans/PaymentMeansCode") == ["30"]


def test_DK_R_007_direct_debit_names_the_account_that_pays(invoice):
    root = written(PEPPOL, replace(invoice, payment=(DEBIT,)))
    assert texts(root, "PaymentMeans/PaymentMandate/PayerFinancialAccount/ID") == ["0001234567"]


def test_DK_R_008_to_011_slips_write_kind_and_number_in_one(invoice):
    for payment_id in ("71#000000000020420", "75#0000000000020420", "73#"):
        root = written(PEPPOL, replace(invoice, payment=(replace(FIK_71, payment_id=payment_id),)))
        assert texts(root, "PaymentMeans/PaymentID") == [payment_id]
        assert texts(root, "PaymentMeans/PayeeFinancialAccount/ID") == ["81234567"]


def test_DK_R_013_numbers_of_parties_name_their_scheme(invoice):
    numbers = (Participant(GLN, "5798009811578"),)
    root = written(PEPPOL, replace(invoice, seller=replace(invoice.seller, identifiers=numbers)))
    assert found(root, "AccountingSupplierParty/Party/PartyIdentification/ID")[0].get("schemeID") == "0088"


def test_DK_R_014_and_017_company_numbers_are_of_0184(invoice):
    root = written(PEPPOL, replace(invoice, payee=FACTORING))
    for path in ("AccountingSupplierParty/Party", "AccountingCustomerParty/Party", "PayeeParty"):
        assert found(root, f"{path}/PartyLegalEntity/CompanyID")[0].get("schemeID") == "0184"


def test_BG_18_a_card_has_a_network_even_where_it_is_unknown(invoice):
    for fmt in FORMATS:
        root = written(fmt, replace(invoice, payment=(replace(CARD, card_network=None),)))
        assert texts(root, "PaymentMeans/CardAccount/NetworkID") == ["NA"]
