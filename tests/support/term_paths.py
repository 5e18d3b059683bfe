"""Where business terms stand in the XML of each format: all that a setting with such a term may change.

Paths without namespaces and without the root. What is not plain from the term's name says why it is there.
"""

from __future__ import annotations

from collections.abc import Mapping

_SUPPLIER, _CUSTOMER = "AccountingSupplierParty/Party", "AccountingCustomerParty/Party"
_AGREEMENT = "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement"
_SELLER, _BUYER = f"{_AGREEMENT}/SellerTradeParty", f"{_AGREEMENT}/BuyerTradeParty"
_SHIP_TO = "SupplyChainTradeTransaction/ApplicableHeaderTradeDelivery/ShipToTradeParty"
_SETTLEMENT = "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement"
_CII_MEANS = f"{_SETTLEMENT}/SpecifiedTradeSettlementPaymentMeans"
_CII_ACCOUNT = f"{_CII_MEANS}/PayeePartyCreditorFinancialAccount"
_CII_BANK = f"{_CII_MEANS}/PayeeSpecifiedCreditorFinancialInstitution"
_PRODUCT = "SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem/SpecifiedTradeProduct"
_UBL_ACCOUNT = "PaymentMeans/PayeeFinancialAccount"
_BRANCH = f"{_UBL_ACCOUNT}/FinancialInstitutionBranch"
_PLACE = "Delivery/DeliveryLocation/Address"
#: A delivery address without a country is none (BR-57); OIOUBL names its form.
_WITH_PLACE = (f"{_PLACE}/Country/IdentificationCode", f"{_PLACE}/AddressFormatCode")

Paths = tuple[str, ...]


def _ubl(*paths: str) -> tuple[Paths, Paths]:
    return paths, paths


#: By term: Peppol, OIOUBL, CII.
_PATHS: Mapping[str, tuple[Paths, Paths, Paths]] = {
    "BT-10": (("BuyerReference",), (f"{_CUSTOMER}/Contact/ID",), (f"{_AGREEMENT}/BuyerReference",)),
    "BT-11": (*_ubl("ProjectReference"), (f"{_AGREEMENT}/SpecifiedProcuringProject",)),
    "BT-12": (*_ubl("ContractDocumentReference"), (f"{_AGREEMENT}/ContractReferencedDocument",)),
    "BT-13": (*_ubl("OrderReference/ID"), (f"{_AGREEMENT}/BuyerOrderReferencedDocument",)),
    "BG-14": (*_ubl("InvoicePeriod"), (f"{_SETTLEMENT}/BillingSpecifiedPeriod",)),
    "BT-19": (*_ubl("AccountingCost"), (f"{_SETTLEMENT}/ReceivableSpecifiedTradeAccountingAccount",)),
    "BT-20": (*_ubl("PaymentTerms/Note"), (f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/Description",)),
    "BT-22": (*_ubl("Note"), ("ExchangedDocument/IncludedNote/Content",)),
    "BG-24": (*_ubl("AdditionalDocumentReference"), (f"{_AGREEMENT}/AdditionalReferencedDocument",)),
    # The seller's name also stands for a contact person where there is none, and as the owner of the account.
    "BT-27": (
        (f"{_SUPPLIER}/PartyName/Name", f"{_SUPPLIER}/PartyLegalEntity/RegistrationName", f"{_SUPPLIER}/Contact/Name",
         f"{_UBL_ACCOUNT}/Name"),
        (f"{_SUPPLIER}/PartyName/Name", f"{_SUPPLIER}/PartyLegalEntity/RegistrationName", f"{_SUPPLIER}/Contact/Name"),
        (f"{_SELLER}/Name", f"{_SELLER}/SpecifiedLegalOrganization/TradingBusinessName",
         f"{_SELLER}/DefinedTradeContact/PersonName", f"{_CII_ACCOUNT}/AccountName"),
    ),
    "BT-29": (*_ubl(f"{_SUPPLIER}/PartyIdentification/ID"), (f"{_SELLER}/GlobalID",)),
    "BT-31": (*_ubl(f"{_SUPPLIER}/PartyTaxScheme/CompanyID"), (f"{_SELLER}/SpecifiedTaxRegistration/ID",)),
    "BT-33": (*_ubl(f"{_SUPPLIER}/PartyLegalEntity/CompanyLegalForm"), (f"{_SELLER}/Description",)),
    # A GLN that is the address already is not repeated among the identifiers (BT-29, BT-46).
    "BT-34": (
        *_ubl(f"{_SUPPLIER}/EndpointID", f"{_SUPPLIER}/PartyIdentification/ID"),
        (f"{_SELLER}/URIUniversalCommunication", f"{_SELLER}/GlobalID"),
    ),
    "BT-35": (*_ubl(f"{_SUPPLIER}/PostalAddress/StreetName"), (f"{_SELLER}/PostalTradeAddress/LineOne",)),
    "BT-37": (*_ubl(f"{_SUPPLIER}/PostalAddress/CityName"), (f"{_SELLER}/PostalTradeAddress/CityName",)),
    "BT-38": (*_ubl(f"{_SUPPLIER}/PostalAddress/PostalZone"), (f"{_SELLER}/PostalTradeAddress/PostcodeCode",)),
    "BT-41": (*_ubl(f"{_SUPPLIER}/Contact/Name"), (f"{_SELLER}/DefinedTradeContact/PersonName",)),
    "BT-42": (
        *_ubl(f"{_SUPPLIER}/Contact/Telephone"), (f"{_SELLER}/DefinedTradeContact/TelephoneUniversalCommunication",),
    ),
    "BT-43": (
        *_ubl(f"{_SUPPLIER}/Contact/ElectronicMail"),
        (f"{_SELLER}/DefinedTradeContact/EmailURIUniversalCommunication",),
    ),
    # OIOUBL gives the name of the receiver's unit, too.
    "BT-44": (
        (f"{_CUSTOMER}/PartyLegalEntity/RegistrationName",),
        (f"{_CUSTOMER}/PartyLegalEntity/RegistrationName", f"{_CUSTOMER}/PartyName/Name"),
        (f"{_BUYER}/Name",),
    ),
    "BT-46": (*_ubl(f"{_CUSTOMER}/PartyIdentification/ID"), (f"{_BUYER}/GlobalID",)),
    "BT-48": (*_ubl(f"{_CUSTOMER}/PartyTaxScheme"), (f"{_BUYER}/SpecifiedTaxRegistration",)),
    "BT-49": (
        *_ubl(f"{_CUSTOMER}/EndpointID", f"{_CUSTOMER}/PartyIdentification/ID"),
        (f"{_BUYER}/URIUniversalCommunication", f"{_BUYER}/GlobalID"),
    ),
    "BT-50": (*_ubl(f"{_CUSTOMER}/PostalAddress/StreetName"), (f"{_BUYER}/PostalTradeAddress/LineOne",)),
    "BT-52": (*_ubl(f"{_CUSTOMER}/PostalAddress/CityName"), (f"{_BUYER}/PostalTradeAddress/CityName",)),
    "BT-53": (*_ubl(f"{_CUSTOMER}/PostalAddress/PostalZone"), (f"{_BUYER}/PostalTradeAddress/PostcodeCode",)),
    # The country tells what the buyer's registration number is, and abroad one pays by IBAN.
    "BT-55": (
        (f"{_CUSTOMER}/PostalAddress/Country", f"{_CUSTOMER}/PartyLegalEntity/CompanyID", f"{_CUSTOMER}/PartyTaxScheme",
         "PaymentMeans/PaymentMeansCode", f"{_UBL_ACCOUNT}/ID", f"{_BRANCH}/ID"),
        (f"{_CUSTOMER}/PostalAddress/Country", f"{_CUSTOMER}/PartyLegalEntity/CompanyID", f"{_CUSTOMER}/PartyTaxScheme",
         f"{_CUSTOMER}/PartyIdentification/ID", "PaymentMeans/PaymentMeansCode", "PaymentMeans/PaymentChannelCode",
         f"{_UBL_ACCOUNT}/ID", _BRANCH),
        (f"{_BUYER}/PostalTradeAddress/CountryID", f"{_BUYER}/SpecifiedLegalOrganization/ID",
         f"{_BUYER}/SpecifiedTaxRegistration", f"{_CII_MEANS}/TypeCode", f"{_CII_ACCOUNT}/IBANID",
         f"{_CII_ACCOUNT}/ProprietaryID", f"{_CII_BANK}/BICID"),
    ),
    # The contact person is the personal reference (BT-10) where none is set; in OIOUBL that is the contact's id.
    "BT-56": (
        (f"{_CUSTOMER}/Contact/Name", "BuyerReference"),
        (f"{_CUSTOMER}/Contact/Name", f"{_CUSTOMER}/Contact/ID"),
        (f"{_BUYER}/DefinedTradeContact/PersonName", f"{_AGREEMENT}/BuyerReference"),
    ),
    "BT-58": (
        *_ubl(f"{_CUSTOMER}/Contact/ElectronicMail"), (f"{_BUYER}/DefinedTradeContact/EmailURIUniversalCommunication",),
    ),
    # OIOUBL gives a payee's registration number under the name in the register.
    "BT-59": (
        ("PayeeParty/PartyName/Name",),
        ("PayeeParty/PartyName/Name", "PayeeParty/PartyLegalEntity/RegistrationName"),
        (f"{_SETTLEMENT}/PayeeTradeParty/Name",),
    ),
    "BT-61": (
        ("PayeeParty/PartyLegalEntity/CompanyID",),
        ("PayeeParty/PartyLegalEntity", "PayeeParty/PartyIdentification/ID"),
        (f"{_SETTLEMENT}/PayeeTradeParty/SpecifiedLegalOrganization/ID",),
    ),
    "BT-70": (*_ubl("Delivery/DeliveryParty/PartyName/Name"), (f"{_SHIP_TO}/Name",)),
    "BT-71": (*_ubl("Delivery/DeliveryLocation/ID"), (f"{_SHIP_TO}/GlobalID",)),
    "BT-72": (
        *_ubl("Delivery/ActualDeliveryDate"),
        ("SupplyChainTradeTransaction/ApplicableHeaderTradeDelivery/ActualDeliverySupplyChainEvent",),
    ),
    "BT-75": (
        *_ubl(f"{_PLACE}/StreetName", *_WITH_PLACE),
        (f"{_SHIP_TO}/PostalTradeAddress/LineOne", f"{_SHIP_TO}/PostalTradeAddress/CountryID"),
    ),
    "BT-77": (
        *_ubl(f"{_PLACE}/CityName", *_WITH_PLACE),
        (f"{_SHIP_TO}/PostalTradeAddress/CityName", f"{_SHIP_TO}/PostalTradeAddress/CountryID"),
    ),
    "BT-78": (
        *_ubl(f"{_PLACE}/PostalZone", *_WITH_PLACE),
        (f"{_SHIP_TO}/PostalTradeAddress/PostcodeCode", f"{_SHIP_TO}/PostalTradeAddress/CountryID"),
    ),
    "BT-80": (*_ubl(*_WITH_PLACE), (f"{_SHIP_TO}/PostalTradeAddress/CountryID",)),
    # Another way to pay has another account.
    "BT-81": (
        ("PaymentMeans/PaymentMeansCode", f"{_UBL_ACCOUNT}/ID", _BRANCH),
        ("PaymentMeans/PaymentMeansCode", "PaymentMeans/PaymentChannelCode", f"{_UBL_ACCOUNT}/ID", _BRANCH),
        (f"{_CII_MEANS}/TypeCode", f"{_CII_ACCOUNT}/IBANID", f"{_CII_ACCOUNT}/ProprietaryID", _CII_BANK),
    ),
    # A FIK creditor has an element of its own in OIOUBL.
    "BT-84": (
        (f"{_UBL_ACCOUNT}/ID",),
        (f"{_UBL_ACCOUNT}/ID", "PaymentMeans/CreditAccount/AccountID"),
        (f"{_CII_ACCOUNT}/IBANID", f"{_CII_ACCOUNT}/ProprietaryID"),
    ),
    "BT-86": (*_ubl(_BRANCH), (_CII_BANK,)),
    "BT-87": (*_ubl("PaymentMeans/CardAccount"), (f"{_CII_MEANS}/ApplicableTradeSettlementFinancialCard/ID",)),
    "BT-89": (
        ("PaymentMeans/PaymentMandate/ID",), ("PaymentMeans/InstructionID",),
        (f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/DirectDebitMandateID",),
    ),
    "BT-91": (
        ("PaymentMeans/PaymentMandate/PayerFinancialAccount/ID",), ("PaymentMeans/PayerFinancialAccount/ID",),
        (f"{_CII_MEANS}/PayerPartyDebtorFinancialAccount/IBANID",),
    ),
    "BT-157": (*_ubl("InvoiceLine/Item/StandardItemIdentification/ID"), (f"{_PRODUCT}/GlobalID",)),
    "BT-158": (
        *_ubl("InvoiceLine/Item/CommodityClassification"), (f"{_PRODUCT}/DesignatedProductClassification",),
    ),
}  # fmt: skip

FORMATS = ("peppol-bis-3", "oioubl-2.1", "cii")

#: Settings that are no business term, and the term in whose element UBL gives them all the same.
BESIDE: Mapping[str, str] = {"customer.cardNetwork": "BT-87"}

#: Settings whose term a format does not carry, or that decide whether a document is written and not what it says.
CARRIED_NOWHERE: Mapping[str, frozenset[str]] = {
    "peppol-bis-3": frozenset({"general.roundingLimit"}),
    "oioubl-2.1": frozenset({"general.roundingLimit"}),
    "cii": frozenset({"general.roundingLimit", "customer.cardNetwork"}),
}


def paths_of(term: str, format_id: str) -> Paths:
    """Where a term may stand. Raises ``KeyError`` for terms that are not in the table."""
    return _PATHS[term][FORMATS.index(format_id)]
