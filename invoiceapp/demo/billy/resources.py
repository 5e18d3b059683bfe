"""Which resources the stand-in answers for: their names, filters, relations and sort keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from .periods import parse_period
from .records import Record, Tables

#: Does a record satisfy a query value? Raises ``ValueError`` for a value that makes no sense.
Matcher = Callable[[Record, str, Tables], bool]


def _equals(name: str) -> Matcher:
    return lambda record, value, _: str(record[name]) == value


def _one_of(name: str, *values: str) -> Matcher:
    """Equality that refuses what is no value of the enumeration."""

    def matches(record: Record, value: str, _: Tables) -> bool:
        if value not in values:
            raise ValueError(value)
        return bool(record[name] == value)

    return matches


def _flag(name: str) -> Matcher:
    return lambda record, value, _: bool(record[name]) == (value in ("1", "true"))


def _moment(value: str) -> str:
    """Filters write ``2025-06-02 12:00:00``, records ``2025-06-02T12:00:00``."""
    return value.strip().replace(" ", "T")


def _at_least(name: str) -> Matcher:
    return lambda record, value, _: record[name] is not None and record[name] >= _moment(value)


def _at_most(name: str) -> Matcher:
    return lambda record, value, _: record[name] is not None and record[name] <= _moment(value)


def _within(name: str) -> Matcher:
    def matches(record: Record, value: str, _: Tables) -> bool:
        first, last = parse_period(value)
        return record[name] is not None and first <= date.fromisoformat(record[name][:10]) <= last

    return matches


def _amount(name: str) -> Matcher:
    def matches(record: Record, value: str, _: Tables) -> bool:
        try:
            return bool(record[name] == Decimal(value))
        except InvalidOperation as error:
            raise ValueError(value) from error

    return matches


def _search(record: Record, value: str, tables: Tables) -> bool:
    """The free-text search over invoices."""
    contact = tables["contacts"].get(record["contactId"], {})
    words = (
        record["invoiceNo"],
        record["orderNo"],
        contact.get("name"),
        record["lineDescription"],
        record["amount"],
        record["amount"] + record["tax"],
        record["balance"],
    )
    return any(value.lower() in str(word).lower() for word in words if word is not None)


def _equal_to(*names: str) -> dict[str, Matcher]:
    return {name: _equals(name) for name in names}


def _flags(*names: str) -> dict[str, Matcher]:
    return {name: _flag(name) for name in names}


def _bounds(name: str) -> dict[str, Matcher]:
    capital = name[0].upper() + name[1:]
    return {f"min{capital}": _at_least(name), f"max{capital}": _at_most(name)}


@dataclass(frozen=True, slots=True)
class Relation:
    """A property of a record that ``include`` can bring along."""

    target: str
    """Plural resource name"""
    foreign_key: str | None = None
    """Has-many: the child's property that points back; None for belongs-to"""
    prefix: str = ""
    """What stands before the id in a polymorphic ``foreign_key``"""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource. Parameters that are no filter are ignored, as Billy does."""

    plural: str
    singular: str
    filters: Mapping[str, Matcher] = field(default_factory=dict)
    required: str | None = None
    """Filter without which a list is refused"""
    relations: Mapping[str, Relation] = field(default_factory=dict)
    sort_keys: frozenset[str] = frozenset()
    """Properties that ``sortProperty`` may name; empty for all"""
    in_list: bool = True
    by_id: bool = True


_INVOICES = Resource(
    "invoices",
    "invoice",
    filters={
        **_equal_to("organizationId", "contactId", "creditedInvoiceId", "invoiceNo", "externalId"),
        **_equal_to("currencyId", "recurringInvoiceId", "quoteId"),
        **_bounds("entryDate"),
        **_bounds("approvedTime"),
        **_bounds("dueDate"),
        "state": _one_of("state", "draft", "approved", "voided"),
        "isPaid": _flag("isPaid"),
        "entryDatePeriod": _within("entryDate"),
        "approvedTimePeriod": _within("approvedTime"),
        "amount": _amount("amount"),
        "q": _search,
    },
    relations={
        "lines": Relation("invoiceLines", "invoiceId"),
        "attachments": Relation("attachments", "ownerReference", prefix="invoice:"),
        "contact": Relation("contacts"),
        "attContactPerson": Relation("contactPersons"),
        "creditedInvoice": Relation("invoices"),
        "currency": Relation("currencies"),
        "bankAccount": Relation("accounts"),
    },
    sort_keys=frozenset(
        [
            "entryDate",
            "dueDate",
            "createdTime",
            "invoiceNo",
            "lineDescription",
            "amount",
            "grossAmount",
            "balance",
            "contact.name",
            "approvedTime",
            "orderNo",
        ]
    ),
)
_INVOICE_LINES = Resource(
    "invoiceLines",
    "invoiceLine",
    filters=_equal_to("invoiceId", "productId"),
    relations={
        "invoice": Relation("invoices"),
        "product": Relation("products"),
        "taxRate": Relation("taxRates"),
    },
)
_CONTACTS = Resource(
    "contacts",
    "contact",
    filters={
        **_equal_to("organizationId", "type", "countryId", "contactNo", "registrationNo", "externalId"),
        **_flags("isCustomer", "isSupplier", "isArchived"),
    },
    relations={
        "contactPersons": Relation("contactPersons", "contactId"),
        "country": Relation("countries"),
        "city": Relation("cities"),
        "zipcode": Relation("zipcodes"),
    },
)
_CONTACT_PERSONS = Resource(
    "contactPersons",
    "contactPerson",
    filters=_equal_to("contactId"),
    required="contactId",
    relations={"contact": Relation("contacts")},
)
_PRODUCTS = Resource(
    "products",
    "product",
    filters={**_equal_to("organizationId", "productNo", "accountId"), **_flags("isArchived")},
    relations={"prices": Relation("productPrices", "productId")},
)
_ACCOUNTS = Resource(
    "accounts",
    "account",
    filters={**_equal_to("organizationId", "natureId", "accountNo"), **_flags("isBankAccount", "isArchived")},
)

#: Every resource with records, by plural name.
RESOURCES = {
    resource.plural: resource
    for resource in (
        _INVOICES,
        _INVOICE_LINES,
        _CONTACTS,
        _CONTACT_PERSONS,
        _PRODUCTS,
        Resource("productPrices", "productPrice", filters=_equal_to("productId", "currencyId")),
        _ACCOUNTS,
        Resource("taxRates", "taxRate", filters=_flags("isActive", "appliesToSales", "appliesToPurchases")),
        Resource("salesTaxRulesets", "salesTaxRuleset", filters=_equal_to("organizationId")),
        Resource("currencies", "currency"),
        Resource("countries", "country"),
        Resource("cities", "city", filters=_equal_to("countryId")),
        Resource("zipcodes", "zipcode", filters=_equal_to("countryId"), required="countryId"),
        Resource("attachments", "attachment", filters=_equal_to("ownerReference", "organizationId")),
        Resource("files", "file", in_list=False),
        Resource("invoiceLogs", "invoiceLog", filters=_equal_to("invoiceId", "organizationId", "type"), by_id=False),
    )
}
BY_SINGULAR = {resource.singular: resource for resource in RESOURCES.values()}
