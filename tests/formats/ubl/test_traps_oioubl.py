"""OIOUBL: what is easily got wrong, one test for each trap, named after its rule.

What the rules themselves say of documents is asked in ``test_variants``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from lxml import etree

from invoiceapp.domain.identifiers import CVR, GLN, SE, Participant
from invoiceapp.domain.invoice import (
    AllowanceCharge,
    Attachment,
    Classification,
    Delivery,
    Invoice,
    Item,
    PaymentMeans,
    Period,
)
from invoiceapp.domain.parties import Address, Contact, Payee
from invoiceapp.domain.tax import VatCategory

from .samples import (
    ACCOUNT,
    BIC,
    CARD,
    CREDIT_NOTE,
    DEBIT,
    DISCOUNT,
    FACTORING,
    FIK_71,
    IBAN,
    INVOICE,
    OIOUBL,
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


def test_F_LIB001_and_F_LIB002_older_editions_are_of_ubl_2_0(invoice):
    for edition, version in (("OIOUBL-2.1", "2.1"), ("OIOUBL-2.02", "2.0"), ("OIOUBL-2.01", "2.0")):
        root = written(OIOUBL, invoice, customization=edition)
        assert (texts(root, "CustomizationID"), texts(root, "UBLVersionID")) == ([edition], [version])


def test_W_LIB003_the_profile_names_the_newest_list(invoice):
    for profile in ("urn:www.nesubl.eu:profiles:profile5:ver2.0", "Procurement-BilSim-1.0"):
        (element,) = found(written(OIOUBL, invoice, profile=profile), "ProfileID")
        assert (element.text, element.get("schemeID")) == (profile, "urn:oioubl:id:profileid-1.6")


def test_F_LIB006_the_uuid_has_36_characters(invoice):
    (uuid,) = texts(written(OIOUBL, invoice), "UUID")
    assert uuid is not None
    assert len(uuid) == 36
    assert UUID(uuid).version == 5


def test_F_INV011_an_invoice_has_a_type_code_of_its_list_and_a_credit_note_none(invoice):
    (code,) = found(written(OIOUBL, invoice), "InvoiceTypeCode")
    assert (code.text, code.get("listID")) == ("380", "urn:oioubl:codelist:invoicetypecode-1.1")
    assert not any("TypeCode" in name for name in names(written(OIOUBL, replace(invoice, type=CREDIT_NOTE))))


def test_W_LIB011_there_is_one_note_which_tells_why_there_is_no_vat(make_invoice):
    root = written(OIOUBL, make_invoice(note="Tak", lines=(line_of(class_of(VatCategory.EXEMPT)),)))
    assert texts(root, "Note") == ["Tak / Momsfritaget"]


def test_F_INV018_and_F_LIB373_only_standard_rated_vat_is_told_in_the_other_currency(make_invoice):
    lines = (line_of(STANDARD), line_of(class_of(VatCategory.EXEMPT), "2"))
    groups = found(written(OIOUBL, in_euro(make_invoice(lines=lines))), "TaxTotal/TaxSubtotal")
    assert [len(found(group, "TransactionCurrencyTaxAmount")) for group in groups] == [1, 0]


def test_F_LIB086_rates_have_exactly_four_decimals(invoice):
    root = written(OIOUBL, in_euro(invoice))
    assert texts(root, "TaxExchangeRate/CalculationRate") == ["7.4600"]
    assert texts(root, "TaxExchangeRate/SourceCurrencyBaseRate") == ["1.0000"]


def test_F_INV142_a_line_that_names_an_order_line_needs_an_order(make_invoice):
    lines = (line_of(STANDARD, order_line="3"),)
    assert texts(written(OIOUBL, make_invoice(order_reference=None, lines=lines)), "OrderReference/ID") == ["NA"]
    assert texts(written(OIOUBL, make_invoice(lines=lines)), "OrderReference/ID") == ["PO-1881"]


def test_F_LIB092_an_attachment_says_what_it_is(invoice):
    attachment = Attachment("2042", "f.pdf", "application/pdf", b"%PDF-1.7")
    root = written(OIOUBL, replace(invoice, attachments=(attachment,)))
    assert texts(root, "AdditionalDocumentReference/DocumentType") == ["Faktura"]


def test_F_LIB180_and_F_LIB181_addresses_have_danish_scheme_names(invoice):
    root = written(OIOUBL, invoice)
    (seller,) = found(root, "AccountingSupplierParty/Party/EndpointID")
    (buyer,) = found(root, "AccountingCustomerParty/Party/EndpointID")
    assert (seller.text, seller.get("schemeID")) == ("DK12345674", "DK:CVR")
    assert (buyer.text, buyer.get("schemeID"), buyer.get("schemeAgencyID")) == ("5798009811578", "GLN", "9")


def test_F_LIB183_every_number_of_a_party_is_told_once(invoice):
    numbers = (Participant(CVR, "12345674"), Participant(SE, "DK12345674"), Participant("0192", "123456785"))
    root = written(OIOUBL, replace(invoice, seller=replace(invoice.seller, identifiers=numbers)))
    ids = found(root, "AccountingSupplierParty/Party/PartyIdentification/ID")
    assert [(item.text, item.get("schemeID")) for item in ids] == [
        ("DK12345674", "DK:CVR"), ("DK12345674", "DK:SE"), ("123456785", "ZZZ"),
    ]  # fmt: skip


def test_F_LIB025_every_address_says_how_it_is_built(invoice):
    full = replace(invoice, delivery=Delivery(address=Address("Havnen 1", None, "Aarhus", "8000", "Jylland", "DK")))
    root = written(OIOUBL, full)
    formats = [element.text for element in root.iter("{*}AddressFormatCode")]
    assert formats == ["StructuredLax"] * 3
    assert texts(root, "Delivery/DeliveryLocation/Address/CountrySubentity") == ["Jylland"]


def test_F_LIB187_a_buyer_without_registration_has_no_legal_entity(invoice):
    root = written(OIOUBL, replace(invoice, buyer=replace(invoice.buyer, legal_id=None, legal_scheme=None)))
    assert found(root, "AccountingCustomerParty/Party/PartyLegalEntity") == []


def test_F_LIB189_companies_abroad_are_registered_elsewhere(invoice):
    buyer = replace(invoice.buyer, legal_id="556036-0793", legal_scheme="0007")
    (company,) = found(
        written(OIOUBL, replace(invoice, buyer=buyer)), "AccountingCustomerParty/Party/PartyLegalEntity/CompanyID"
    )
    assert (company.text, company.get("schemeID")) == ("556036-0793", "ZZZ")


def test_F_LIB195_the_vat_number_is_an_se_number(invoice):
    (number,) = found(written(OIOUBL, invoice), "AccountingSupplierParty/Party/PartyTaxScheme/CompanyID")
    assert (number.text, number.get("schemeID")) == ("DK12345674", "DK:SE")


def test_F_INV051_the_buyer_has_a_contact_with_an_id_in_any_case(invoice):
    root = written(OIOUBL, replace(invoice, buyer=replace(invoice.buyer, contact=Contact())))
    assert texts(root, "AccountingCustomerParty/Party/Contact/ID") == ["n/a"]


def test_F_INV319_a_payee_is_registered_with_dk(invoice):
    root = written(OIOUBL, replace(invoice, payee=FACTORING))
    assert texts(root, "PayeeParty/PartyIdentification/ID") == ["DK20121212"]
    assert texts(root, "PayeeParty/PartyLegalEntity/CompanyID") == ["DK20121212"]
    abroad = written(OIOUBL, replace(invoice, payee=Payee("Factor GmbH", "HRB 1234")))
    assert found(abroad, "PayeeParty/PartyLegalEntity/CompanyID")[0].get("schemeID") == "ZZZ"


def test_F_INV238_goods_are_delivered_to_a_location(invoice):
    place = Delivery(
        date(2026, 10, 30), Address("Havnen 1", country="DK"), "Lageret", Participant(GLN, "5798009811578")
    )
    (delivery,) = found(written(OIOUBL, replace(invoice, delivery=place)), "Delivery")
    assert names(delivery) == ["ActualDeliveryDate", "DeliveryLocation", "DeliveryParty"]
    assert found(delivery, "DeliveryLocation/ID")[0].get("schemeID") == "GLN"


def test_F_LIB227_a_percentage_is_a_factor(invoice):
    item = found(written(OIOUBL, priced(invoice, DISCOUNT)), "AllowanceCharge")[0]
    assert texts(item, "MultiplierFactorNumeric") == ["0.05"]


def test_F_LIB019_allowances_of_nothing_are_left_out(invoice):
    nothing = replace(DISCOUNT, amount=Decimal(0))
    assert found(written(OIOUBL, priced(invoice, nothing)), "AllowanceCharge") == []


def test_F_LIB226_an_allowance_has_one_category(invoice):
    root = written(OIOUBL, priced(invoice, DISCOUNT))
    assert texts(root, "AllowanceCharge/TaxCategory/ID") == ["StandardRated"]


def test_F_LIB198_vat_is_63_and_moms(invoice):
    root = written(OIOUBL, invoice)
    schemes = list(root.iter("{*}TaxScheme"))
    assert len(schemes) == 4
    assert {tuple(child.text for child in scheme) for scheme in schemes} == {("63", "Moms")}


@pytest.mark.parametrize(
    ("category", "name"),
    [
        (VatCategory.STANDARD, "StandardRated"), (VatCategory.ZERO_RATED, "ZeroRated"), (VatCategory.EXEMPT, "ZeroRated"),
        (VatCategory.REVERSE_CHARGE, "ReverseCharge"), (VatCategory.INTRA_COMMUNITY, "ZeroRated"),
        (VatCategory.EXPORT, "ZeroRated"), (VatCategory.OUTSIDE_SCOPE, "ZeroRated"),
    ],
)  # fmt: skip
def test_F_LIB309_and_F_LIB404_categories_have_danish_names_in_head_and_lines(make_invoice, category, name):
    root = written(OIOUBL, make_invoice(lines=(line_of(class_of(category)),)))
    assert texts(root, "TaxTotal/TaxSubtotal/TaxCategory/ID") == [name]
    assert texts(root, "InvoiceLine/TaxTotal/TaxSubtotal/TaxCategory/ID") == [name]


def test_F_LIB315_every_category_is_told_once(make_invoice):
    lines = tuple(line_of(class_of(category), category) for category in (VatCategory.EXEMPT, VatCategory.EXPORT))
    root = written(OIOUBL, make_invoice(lines=lines))
    assert texts(root, "TaxTotal/TaxSubtotal/TaxableAmount") == ["800.00"]


def test_F_INV127_tax_exclusive_amount_is_the_vat(invoice):
    assert texts(written(OIOUBL, invoice), "LegalMonetaryTotal/TaxExclusiveAmount") == ["245.83"]


def test_F_INV128_tax_inclusive_amount_is_rounded(invoice):
    root = written(OIOUBL, priced(invoice, rounding="-0.16"))
    assert texts(root, "LegalMonetaryTotal/TaxInclusiveAmount") == ["1229.00"]


def test_F_INV131_what_is_prepaid_stands_as_a_payment(invoice):
    root = written(OIOUBL, priced(invoice, prepaid="100"))
    assert texts(root, "PrepaidPayment/PaidAmount") == texts(root, "LegalMonetaryTotal/PrepaidAmount") == ["100.00"]


def test_F_INV338_no_rounding_is_not_told(invoice):
    assert found(written(OIOUBL, invoice), "LegalMonetaryTotal/PayableRoundingAmount") == []


def test_F_INV138_every_line_tells_its_vat(invoice):
    assert texts(written(OIOUBL, invoice), "InvoiceLine/TaxTotal/TaxAmount") == ["225.00", "20.83"]


def test_F_INV340_discounts_are_inside_the_price_of_the_base_quantity(make_invoice):
    line = line_of(
        STANDARD, quantity=Decimal(400), base_quantity=Decimal(100), net_amount=Decimal("360.00"),
        allowances_charges=(AllowanceCharge(False, Decimal(40), "Rabat"),),
    )  # fmt: skip
    root = written(OIOUBL, make_invoice(lines=(line,)))
    assert [Decimal(text or "") for text in texts(root, "InvoiceLine/Price/PriceAmount")] == [Decimal(90)]
    assert found(root, "InvoiceLine/AllowanceCharge") == []


def test_W_INV184_only_unspsc_is_written_with_its_danish_version(make_invoice):
    item = Item("Vare", classifications=(Classification("43211503", "TST", "19.05.01"), Classification("8471", "HS")))
    root = written(OIOUBL, make_invoice(lines=(line_of(STANDARD, item=item),)))
    (code,) = found(root, "InvoiceLine/Item/CommodityClassification/ItemClassificationCode")
    assert dict(code.attrib) == {"listID": "UNSPSC", "listAgencyID": "113", "listVersionID": "19.0501"}


@pytest.mark.parametrize(
    ("edition", "kind", "kept"),
    [
        ("OIOUBL-2.1", INVOICE, {"Delivery", "ProjectReference", "line period", "OrderLineReference", "CompanyLegalForm"}),
        ("OIOUBL-2.1", CREDIT_NOTE, {"Delivery", "AdditionalDocumentReference", "line period", "OrderLineReference", "CompanyLegalForm"}),
        ("OIOUBL-2.02", INVOICE, {"Delivery", "AdditionalDocumentReference", "OrderLineReference"}),
        ("OIOUBL-2.01", CREDIT_NOTE, {"AdditionalDocumentReference"}),
    ],
)  # fmt: skip
def test_F_LIB002_older_editions_have_only_what_ubl_2_0_had(make_invoice, edition, kind, kept):
    lines = (line_of(STANDARD, order_line="1", period=Period(date(2026, 10, 1))),)
    full = make_invoice(type=kind, lines=lines, project_reference="P-1", delivery=Delivery(date(2026, 10, 30)))
    full = replace(full, seller=replace(full.seller, legal_form="ApS"))
    root = written(OIOUBL, full, customization=edition)
    there = {etree.QName(element).localname for element in root.iter()} & {
        "Delivery", "ProjectReference", "AdditionalDocumentReference", "OrderLineReference", "CompanyLegalForm",
    }  # fmt: skip
    line = "CreditNoteLine" if kind is CREDIT_NOTE else "InvoiceLine"
    assert there | ({"line period"} if found(root, f"{line}/InvoicePeriod") else set()) == kept


# --- OIOUBL's payment table (F-LIB100 … F-LIB165) ---


def means_of(invoice: Invoice, means: PaymentMeans) -> list[tuple[str, str]]:
    """Every basic element in the payment, by its place, without the number and the date."""
    (payment,) = found(written(OIOUBL, replace(invoice, payment=(means,))), "PaymentMeans")
    leaves = [element for element in payment.iter() if not len(element)]
    parents = {element: etree.QName(element.getparent()).localname for element in leaves}
    pairs = [(f"{parents[element]}/{etree.QName(element).localname}", element.text or "") for element in leaves]
    return [
        (place.removeprefix("PaymentMeans/"), text)
        for place, text in pairs
        if place not in ("PaymentMeans/ID", "PaymentMeans/PaymentDueDate")
    ]


IBAN_58 = [("PaymentMeansCode", "58"), ("PaymentChannelCode", "IBAN"), ("PayeeFinancialAccount/ID", IBAN)]
BANK_42 = [
    ("PaymentMeansCode", "42"), ("PaymentChannelCode", "DK:BANK"), ("PayeeFinancialAccount/ID", "0440116243"),
    ("PayeeFinancialAccount/PaymentNote", "2042"), ("FinancialInstitutionBranch/ID", "0040"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        pytest.param(ACCOUNT, BANK_42, id="F_LIB119_to_133_danish_account"),
        pytest.param(PaymentMeans(Code.CREDIT_TRANSFER, "2042", "0440116243", "0040"), BANK_42, id="F_LIB100_no_code_30"),
        pytest.param(PaymentMeans(Code.SEPA, None, IBAN), IBAN_58, id="F_LIB377_iban"),
        pytest.param(
            PaymentMeans(Code.SEPA, "2042", IBAN, BIC),
            [*IBAN_58, ("PayeeFinancialAccount/PaymentNote", "2042"), ("FinancialInstitution/ID", BIC)],
            id="F_LIB379_iban_with_bic",
        ),
        pytest.param(PaymentMeans(Code.CREDIT_TRANSFER, None, IBAN), IBAN_58, id="F_LIB113_without_bic_it_is_58"),
        pytest.param(
            PaymentMeans(Code.DEBIT_TRANSFER, None, IBAN, BIC),
            [("PaymentMeansCode", "31"), *IBAN_58[1:], ("FinancialInstitution/ID", BIC)],
            id="F_LIB103_to_117_foreign_bank",
        ),
        pytest.param(
            PaymentMeans(Code.CREDIT_TRANSFER, None, "123-456", "NDEASESS"),
            [("PaymentMeansCode", "1"), ("PayeeFinancialAccount/ID", "123-456"), ("FinancialInstitutionBranch/ID", "NDEASESS")],
            id="F_LIB116_a_foreign_account_that_is_no_iban_has_no_code",
        ),
        pytest.param(
            FIK_71,
            [
                ("PaymentMeansCode", "93"), ("PaymentChannelCode", "DK:FIK"), ("InstructionID", "000000000020420"),
                ("PaymentID", "71"), ("CreditAccount/AccountID", "81234567"),
            ],
            id="F_LIB156_fik_71",
        ),
        pytest.param(
            replace(FIK_71, payment_id="75#0000000000020420"),
            [
                ("PaymentMeansCode", "93"), ("PaymentChannelCode", "DK:FIK"), ("InstructionID", "0000000000020420"),
                ("PaymentID", "75"), ("CreditAccount/AccountID", "81234567"),
            ],
            id="F_LIB157_fik_75",
        ),
        pytest.param(
            replace(FIK_71, payment_id="73#Faktura 2042"),
            [
                ("PaymentMeansCode", "93"), ("PaymentChannelCode", "DK:FIK"), ("InstructionNote", "Faktura 2042"),
                ("PaymentID", "73"), ("CreditAccount/AccountID", "81234567"),
            ],
            id="F_LIB275_fik_73_has_a_text_instead_of_a_number",
        ),
        pytest.param(
            PaymentMeans(Code.GIRO, "04#0000000000020420", "12345678"),
            [
                ("PaymentMeansCode", "50"), ("PaymentChannelCode", "DK:GIRO"), ("InstructionID", "0000000000020420"),
                ("PaymentID", "04"), ("PayeeFinancialAccount/ID", "12345678"),
            ],
            id="F_LIB145_giro_04",
        ),
        pytest.param(
            PaymentMeans(Code.GIRO, "01#", "12345678"),
            [
                ("PaymentMeansCode", "50"), ("PaymentChannelCode", "DK:GIRO"), ("PaymentID", "01"),
                ("PayeeFinancialAccount/ID", "12345678"),
            ],
            id="F_LIB142_giro_01",
        ),
        pytest.param(
            DEBIT,
            [
                ("PaymentMeansCode", "49"), ("InstructionID", "AFT-1"), ("PayerFinancialAccount/ID", "0001234567"),
                ("PayerFinancialAccount/PaymentNote", "2042"),
            ],
            id="F_LIB134_an_agreement_instead_of_a_channel",
        ),
        pytest.param(
            PaymentMeans(Code.SEPA_DIRECT_DEBIT, mandate="M" * 61),
            [("PaymentMeansCode", "59"), ("InstructionID", "M" * 60)],
            id="F_LIB140_sepa_direct_debit",
        ),
        pytest.param(
            replace(CARD, payment_id="2042", account=IBAN),
            [("PaymentMeansCode", "48"), ("CardAccount/PrimaryAccountNumberID", "1234"), ("CardAccount/NetworkID", "VISA")],
            id="F_LIB342_to_370_nothing_but_the_card",
        ),
        pytest.param(PaymentMeans(Code.CARD), [("PaymentMeansCode", "1")], id="F_LIB342_a_card_without_number_has_no_code"),
        pytest.param(
            PaymentMeans(Code.NEMKONTO, "2042", IBAN, BIC),
            [("PaymentMeansCode", "97"), ("PaymentChannelCode", "DK:NEMKONTO")],
            id="F_LIB158_to_165_nemkonto_has_nothing_else",
        ),
        pytest.param(PaymentMeans(Code.UNDEFINED), [("PaymentMeansCode", "1")], id="F_LIB100_undefined"),
    ],
)  # fmt: skip
def test_F_LIB100_each_way_to_pay_has_its_own_elements(invoice, means, expected):
    assert means_of(invoice, means) == expected


def test_F_LIB133_a_note_has_20_characters(invoice):
    assert ("PayeeFinancialAccount/PaymentNote", "F" * 20) in means_of(invoice, replace(ACCOUNT, payment_id="F" * 25))


def test_W_LIB241_several_ways_to_pay_are_numbered_and_the_terms_name_them(invoice):
    several = replace(invoice, payment=(FIK_71, ACCOUNT))
    root = written(OIOUBL, several)
    assert texts(root, "PaymentMeans/ID") == ["1", "2"]
    assert texts(root, "PaymentTerms/PaymentMeansID") == ["1", "2"]
    assert texts(written(OIOUBL, several, customization="OIOUBL-2.02"), "PaymentTerms/PaymentMeansID") == ["1"]


def test_F_INV134_the_terms_tell_the_amount_to_pay(invoice):
    root = written(OIOUBL, priced(invoice, rounding="-0.16"))
    assert texts(root, "PaymentTerms/Amount") == texts(root, "LegalMonetaryTotal/PayableAmount") == ["1229.00"]


def test_F_CRN_a_credit_note_asks_for_no_payment(invoice):
    root = written(OIOUBL, replace(invoice, type=CREDIT_NOTE, payment=(FIK_71,)))
    assert not {"PaymentMeans", "PaymentTerms", "PrepaidPayment"} & set(names(root))
