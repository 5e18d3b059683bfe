"""What a pattern for order numbers, or a template for file names, would do to the newest documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import undefer

from invoiceapp.domain import file_names, number_patterns
from invoiceapp.domain.findings import Text
from invoiceapp.domain.settings import Settings, SettingsInvalid
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Customer, Document, db
from invoiceapp.sources.base import Conversion, UnusableBundle

from . import naming
from .settings import resolve
from .sources import source_class

MOST = 5
#: Stands for the start of a delivery's key, which is another one each time.
SAMPLE_KEY = "k7m2q4xz"


class Kind(StrEnum):
    """Where the order number comes from."""

    OWN = "own"
    """the source's own field"""
    FOUND = "found"
    """a text"""
    SETTING = "setting"
    """the customer's settings: the fixed number, or "NA\""""
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class OrderNumber:
    """What becomes of one document; ``before`` and ``after`` are what stands around a number that was found."""

    document: Document
    kind: Kind
    number: str = ""
    before: str = ""
    after: str = ""
    fits: bool = True
    """Of the source's own number: whether it looks like the pattern"""
    error: Text | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """The name that one document's file would get."""

    document: Document
    name: str


def _newest(adaptor: Adaptor, customer: Customer | None) -> list[Document]:
    query = select(Document).options(undefer(Document.bundle)).where(Document.adaptor_id == adaptor.id)
    if customer is not None:
        query = query.where(Document.customer_id == customer.id)
    return list(db.session.scalars(query.order_by(Document.issue_date.desc(), Document.id.desc()).limit(MOST)))


def _settings(adaptor: Adaptor, customer: Customer | None) -> Settings:
    """The effective settings, or the built-in ones where stored ones are broken: the page says that elsewhere."""
    override = customer.rule.settings if customer is not None and customer.rule else {}
    try:
        return resolve(adaptor.settings, override)
    except SettingsInvalid:
        return Settings()


def _converted(adaptor: Adaptor, document: Document, settings: Settings) -> Conversion | Text:
    """The conversion, or why there is none."""
    try:
        return source_class(adaptor).convert(document.bundle, settings)
    except UnusableBundle as error:
        return error.text


def order_numbers(adaptor: Adaptor, customer: Customer | None, pattern: str) -> list[OrderNumber]:
    """The newest documents of a customer, or of all. Raises ``PatternInvalid``; an empty pattern looks for nothing."""
    checked = number_patterns.check(pattern) if pattern.strip() else None
    settings = _settings(adaptor, customer)
    wanted = replace(settings, customer=replace(settings.customer, order_number_pattern=checked))
    return [_order_number(adaptor, document, wanted) for document in _newest(adaptor, customer)]


def _order_number(adaptor: Adaptor, document: Document, settings: Settings) -> OrderNumber:
    pattern = settings.customer.order_number_pattern
    if document.order_number:
        fits = pattern is None or number_patterns.fits(pattern, document.order_number)
        return OrderNumber(document, Kind.OWN, document.order_number, fits=fits)
    done = _converted(adaptor, document, settings)
    if isinstance(done, Text):
        return OrderNumber(document, Kind.UNREADABLE, error=done)
    place = next((one.location for one in done.findings if one.rule == "IA-ORDER-NUMBER-FOUND"), None)
    found = number_patterns.locate(pattern, [place]) if pattern and place else None
    if found is not None:
        before, after = found.text[: found.start], found.text[found.end :]
        return OrderNumber(document, Kind.FOUND, found.number, before, after)
    missing = next((one.text for one in done.findings if one.rule == "IA-ORDER-NUMBER"), None)
    if done.invoice is not None and done.invoice.order_reference:
        return OrderNumber(document, Kind.SETTING, done.invoice.order_reference)
    return OrderNumber(document, Kind.MISSING, error=missing)


def file_name_list(adaptor: Adaptor, customer: Customer | None, template: str) -> list[Name]:
    """The newest documents of a customer, or of all. Raises ``TemplateInvalid``."""
    return list(_file_names(adaptor, customer, file_names.check(template)))


def _file_names(adaptor: Adaptor, customer: Customer | None, template: str) -> Iterator[Name]:
    settings = _settings(adaptor, customer)
    format_id = customer.rule.format if customer is not None and customer.rule else adaptor.default_format
    fmt = formats().get(format_id or "")
    for document in _newest(adaptor, customer):
        order = document.order_number
        if not order and "{order}" in template:
            done = _converted(adaptor, document, settings)
            order = done.invoice.order_reference if isinstance(done, Conversion) and done.invoice else None
        number = _customer_number(document, customer)
        stem = naming.file_name(document, order, number, template).stem("", SAMPLE_KEY)
        yield Name(document, f"{stem}.{fmt.extension if fmt else 'xml'}")


def _customer_number(document: Document, customer: Customer | None) -> str | None:
    found = customer or (db.session.get(Customer, document.customer_id) if document.customer_id else None)
    return found.number if found else None
