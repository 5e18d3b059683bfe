"""The demo company itself: organization, accounts, tax rates, products, currencies and countries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from invoiceapp.domain.identifiers import EU_COUNTRIES

from . import numbers
from .records import Record, record_id

ORGANIZATION_ID = record_id("organization", "nordlys")
USER_ID = record_id("user", "nordlys")
BANK_ACCOUNT_ID = record_id("account", "5710")
SALES_ACCOUNT_ID = record_id("account", "1110")
RULESET_ID = record_id("salesTaxRuleset", "standard")

_REGISTRATION_NO, _ACCOUNT_NO = "9999", "0001234567"
_FOUNDED = "2019-05-06"

#: Units of DKK for one unit of the currency, as ``invoice.exchangeRate`` has it.
EXCHANGE_RATES = {
    "DKK": Decimal(1),
    "EUR": Decimal("7.4602"),
    "SEK": Decimal("0.6812"),
    "NOK": Decimal("0.6394"),
    "USD": Decimal("6.4475"),
    "GBP": Decimal("8.4913"),
}
_CURRENCY_NAMES = {
    "DKK": "Danske kroner",
    "EUR": "Euro",
    "SEK": "Svenske kronor",
    "NOK": "Norske kroner",
    "USD": "US-dollar",
    "GBP": "Britiske pund",
}
_COUNTRIES = {
    "DK": ("Danmark", "DKK", "da_DK"),
    "SE": ("Sverige", "SEK", "sv_SE"),
    "DE": ("Tyskland", "EUR", "de_DE"),
    "BE": ("Belgien", "EUR", "nl_BE"),
    "NL": ("Nederlandene", "EUR", "nl_NL"),
    "NO": ("Norge", "NOK", "nb_NO"),
    "GB": ("Storbritannien", "GBP", "en_GB"),
    "US": ("USA", "USD", "en_US"),
}

#: Tax rates by key: name, abbreviation, rate as a fraction.
TAX_RATES = {
    "standard": ("Salgsmoms", "25%", Decimal("0.25")),
    "exempt": ("Momsfri", "0%", Decimal(0)),
    "eu_goods": ("EU-varesalg", "EU-V", Decimal(0)),
    "eu_services": ("EU-ydelse omvendt betalingspligt", "EU-Y", Decimal(0)),
    "export": ("Eksport", "EXP", Decimal(0)),
}


@dataclass(frozen=True, slots=True)
class Product:
    """An article as the demo company thinks of it; ``price`` is DKK without VAT."""

    number: str
    name: str
    unit: str | None
    price: Decimal
    kind: str = "goods"
    """``goods``, ``services`` or ``exempt``"""


def _product(number: str, name: str, unit: str | None, price: str, kind: str = "goods") -> Product:
    return Product(number, name, unit, Decimal(price), kind)


#: Units are written the way users write them; ``None`` and the odd text are on purpose.
PRODUCTS = (
    _product("1001", "Kopipapir A4, 80 g, 500 ark", "pieces", "39.95"),
    _product("1002", "Kuglepenne, blå, 10 stk.", "stk", "54.50"),
    _product("1003", "Ringbind A4, 7 cm ryg", "pieces", "28.75"),
    _product("1004", "Toner, sort, 6.000 sider", "stk", "749"),
    _product("1005", "Whiteboardmarkere, 4 farver", "pk", "42.25"),
    _product("1006", "Kontorstol, justerbar, sort", "pieces", "2895"),
    _product("1007", "Hæve-sænkebord, 160 x 80 cm", "pieces", "3995"),
    _product("1008", "LED-bordlampe med klemme", "stk.", "449.50"),
    _product("1009", "Økologisk kaffe, hele bønner", "kg", "129"),
    _product("1010", "Frugtordning, økologisk, stor kasse", "kasse", "265"),
    _product("1011", "Netværkskabel Cat 6A", "m", "11.40"),
    _product("1012", "Nålefilt, grå", "m2", "118.50"),
    _product("1013", "Rengøringsmiddel, koncentrat", "liter", "64.25"),
    _product("1014", "Aftørringspapir", "rulle à 100 m", "58.90"),
    _product("2001", "Kontorrengøring", "hours", "348", "services"),
    _product("2002", "Vinduespolering", "timer", "395", "services"),
    _product("2003", "IT-support", "hours", "895", "services"),
    _product("2004", "Rådgivning om indretning", "timer", "1150", "services"),
    _product("2005", "Serviceaftale, kopimaskine, pr. måned", None, "645", "services"),
    _product("2006", "Sidetæller, sort/hvid", "side", "0.0645", "services"),
    _product("2007", "Sidetæller, farve", "side", "0.3875", "services"),
    _product("2008", "Montering af møbler", "time", "525", "services"),
    _product("2009", "Kørsel", "km", "3.79", "services"),
    _product("2010", "Udkald, fast pris", None, "350", "services"),
    _product("3001", "Førstehjælpskursus, momsfrit", "pr. deltager", "1295", "exempt"),
    _product("3002", "Udlæg, gebyr til myndighed", None, "850", "exempt"),
    _product("9001", "Ydelse efter nærmere aftale", "✂ efter aftale", "1000", "services"),
)
PRODUCT_BY_NUMBER = {product.number: product for product in PRODUCTS}


def tax_rate_id(key: str) -> str:
    """Record id of a key of ``TAX_RATES``."""
    return record_id("taxRate", key)


def tax_rate_for(product: Product, country: str | None) -> str:
    """Key of the tax rate that the company's rule set gives a product sold to a country."""
    if country in (None, "DK"):
        return "exempt" if product.kind == "exempt" else "standard"
    if country in EU_COUNTRIES:
        return "eu_goods" if product.kind == "goods" else "eu_services"
    return "export"


def organization() -> Record:
    """The company whose books these are; invented."""
    return {
        "id": ORGANIZATION_ID,
        "ownerUserId": USER_ID,
        "createdTime": f"{_FOUNDED}T12:00:00",
        "name": "Nordlys Kontor & Service ApS",
        "url": "nordlys-kontor-service",
        "street": "Polarvej 12, 2. th.",
        "zipcode": "8000",
        "city": "Aarhus C",
        "countryId": "DK",
        "stateId": None,
        "region": None,
        "phone": "12345678",
        "fax": "",
        "email": "faktura@nordlys.example",
        "registrationNo": numbers.cvr(0),
        "baseCurrencyId": "DKK",
        "logoFileId": None,
        "logoPdfFileId": None,
        "logoUrl": None,
        "iconFileId": None,
        "iconUrl": None,
        "icon48Url": None,
        "fiscalYearEndMonth": 12,
        "firstFiscalYearStart": _FOUNDED,
        "firstFiscalYearEnd": "2019-12-31",
        "hasBillVoucherNo": False,
        "localeId": "da_DK",
        "billEmailAddress": "nordlys@bilag.example",
        "isUnmigrated": False,
        "isLocked": False,
        "lockedCode": None,
        "lockedReason": None,
        "appUrl": "https://billy.example/nordlys-kontor-service",
        "emailAttachmentDeliveryMode": "link",
        "hasVat": True,
        "salesTaxPeriod": "quarterly",
        "vatPeriod": "quarterly",
        "defaultInvoiceBankAccountId": BANK_ACCOUNT_ID,
        "invoiceNoMode": "sequential",
        "nextInvoiceNo": 1001,
        "paymentTermsMode": "net",
        "paymentTermsDays": 14,
        "defaultTaxMode": "excl",
        "defaultSalesAccountId": SALES_ACCOUNT_ID,
        "defaultSalesTaxRulesetId": RULESET_ID,
        "bankSyncStartDate": None,
        "defaultBankFeeAccountId": None,
        "defaultBillBankAccountId": None,
    }


def user() -> Record:
    """The person who made the access token."""
    return {"id": USER_ID, "name": "Ida Nordlys", "email": "ida@nordlys.example", "localeId": "da_DK"}


def _account(number: str, name: str, nature: str, *, is_bank: bool) -> Record:
    return {
        "id": record_id("account", number),
        "organizationId": ORGANIZATION_ID,
        "name": name,
        "accountNo": int(number),
        "description": "",
        "groupId": record_id("accountGroup", nature),
        "natureId": nature,
        "systemRole": None,
        "currencyId": "DKK",
        "taxRateId": None,
        "isPaymentEnabled": is_bank,
        "isBankAccount": is_bank,
        "isArchived": False,
        "bankId": None,
        "bankName": "Polarbanken" if is_bank else None,
        "bankRoutingNo": _REGISTRATION_NO if is_bank else None,
        "bankAccountNo": _ACCOUNT_NO if is_bank else None,
        "bankSwift": "POLRDKKK" if is_bank else None,
        "bankIban": numbers.danish_iban(_REGISTRATION_NO, _ACCOUNT_NO) if is_bank else None,
    }


def accounts() -> list[Record]:
    """The sales account and the bank account that invoices are paid to."""
    return [
        _account("1110", "Salg", "revenue", is_bank=False),
        _account("5710", "Bank", "asset", is_bank=True),
    ]


def tax_rates() -> list[Record]:
    """The sales tax rates of ``TAX_RATES``; ``rate`` is a fraction."""
    return [
        {
            "id": tax_rate_id(key),
            "organizationId": ORGANIZATION_ID,
            "name": name,
            "abbreviation": abbreviation,
            "description": "",
            "rate": rate,
            "appliesToSales": True,
            "appliesToPurchases": False,
            "isPredefined": True,
            "predefinedTag": None,
            "isActive": True,
            "priority": priority,
            "netAmountMetaFieldId": None,
            "taxRateGroup": None,
            "isMissingStandardTaxRate": False,
        }
        for priority, (key, (name, abbreviation, rate)) in enumerate(TAX_RATES.items(), start=1)
    ]


def sales_tax_rulesets() -> list[Record]:
    """The one rule set that every product uses."""
    return [
        {
            "id": RULESET_ID,
            "organizationId": ORGANIZATION_ID,
            "name": "Varer og ydelser",
            "fallbackTaxRateId": tax_rate_id("export"),
        }
    ]


def products() -> list[Record]:
    """Product records of ``PRODUCTS``."""
    return [
        {
            "id": record_id("product", product.number),
            "organizationId": ORGANIZATION_ID,
            "name": product.name,
            "externalId": None,
            "description": "",
            "accountId": SALES_ACCOUNT_ID,
            "inventoryAccountId": None,
            "productNo": product.number,
            "suppliersProductNo": "",
            "salesTaxRulesetId": RULESET_ID,
            "isArchived": False,
            "isInInventory": False,
            "unit": product.unit,
            "imageId": None,
            "imageUrl": None,
            "createdTime": "2024-01-01T09:00:00",
        }
        for product in PRODUCTS
    ]


def product_prices() -> list[Record]:
    """One price in DKK for each product."""
    return [
        {
            "id": record_id("productPrice", product.number, "DKK"),
            "productId": record_id("product", product.number),
            "unitPrice": product.price,
            "currencyId": "DKK",
        }
        for product in PRODUCTS
    ]


def currencies() -> list[Record]:
    """Currencies with their rate in DKK."""
    return [
        {"id": code, "name": name, "exchangeRate": EXCHANGE_RATES[code], "deletedTime": None}
        for code, name in _CURRENCY_NAMES.items()
    ]


def countries() -> list[Record]:
    """The countries that the company sells to."""
    return [
        {
            "id": code,
            "name": name,
            "hasStates": code == "US",
            "hasFiniteStates": code == "US",
            "hasFiniteZipcodes": code == "DK",
            "icon": f"flag-{code.lower()}",
            "localeId": locale,
            "currencyId": currency,
        }
        for code, (name, currency, locale) in _COUNTRIES.items()
    ]
