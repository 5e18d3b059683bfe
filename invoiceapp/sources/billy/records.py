"""Billy's raw records -> the values of the source contract. Pure; amounts in the document's currency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.money import LARGEST_AMOUNT, to_decimal
from invoiceapp.sources.base import BookState, Organization, SourceChanged, SourceCustomer, SourceDocument, Standing

from .texts import clean

Record = Mapping[str, Any]

#: What accountants call Billy's properties.
_NAMES = {
    "amount": Text("beløb uden moms", "amount without VAT"),
    "approvedTime": Text("godkendelsestidspunkt", "time of approval"),
    "contactId": Text("kunde", "customer"),
    "currencyId": Text("valuta", "currency"),
    "entryDate": Text("fakturadato", "invoice date"),
    "id": Text("id", "id"),
    "invoiceNo": Text("fakturanummer", "invoice number"),
    "lines": Text("fakturalinjer", "invoice lines"),
    "state": Text("status", "state"),
    "tax": Text("momsbeløb", "VAT amount"),
    "type": Text("dokumenttype", "document type"),
}

#: Properties, in whichever record of a bundle, that change while the document stays the same: it is paid or
#: opened, its PDF gets another address, the company books the next invoice. Conversion reads none of them.
VOLATILE = frozenset(
    {
        "attachmentIds", "attachments", "balance", "balanceModifiers", "downloadUrl", "isPaid", "lateFees",
        "nextInvoiceNo", "sentState", "updatedTime",
    }
)  # fmt: skip

#: The form of every id that was ever seen; it keeps "." and "/" out of request paths, and fits our columns.
_ID = r"[A-Za-z0-9_-]{1,64}"


def text(record: Record, name: str) -> str | None:
    """A property as text on one line; None where it is empty."""
    return clean(record.get(name))


def identity(record: Record) -> str:
    """The record's id. Raises ``SourceChanged``."""
    return _matching(record, "id", _ID)


def broken(record: Record, name: str) -> SourceChanged:
    """The error for a record whose property ``name`` is missing or of a form that we do not know."""
    which = text(record, "invoiceNo") or text(record, "name") or text(record, "id") or "?"
    named = _NAMES.get(name, Text(name, name))
    return SourceChanged(
        Text(
            f"»{which}« fra Billy er sprunget over: {named.da} ({name}) mangler eller har en form, som programmet "
            "ikke kender. Kontrollér det i Billy; ser det rigtigt ud dér, så giv besked til den, der driver denne "
            "installation.",
            f"“{which}” from Billy was skipped: the {named.en} ({name}) is missing or has a form that this program "
            "does not know. Check it in Billy; if it looks right there, tell whoever runs this installation.",
        ),
        f"record {text(record, 'id') or '?'}: property {name!r} is missing or malformed",
    )


def organization(record: Record) -> Organization:
    """The company of the token. Raises ``SourceChanged``."""
    return Organization(
        id=identity(record),
        name=text(record, "name") or "",
        registration_no=text(record, "registrationNo"),
        country=text(record, "countryId"),
        currency=text(record, "baseCurrencyId"),
        raw=record,
        last_month=month if (month := record.get("fiscalYearEndMonth")) in range(1, 13) else None,
    )


def source_customer(contact: Record, persons: Iterable[Record]) -> SourceCustomer:
    """A customer; the e-mail is the primary contact person's, else the first one's that has any.

    Raises ``SourceChanged`` where there is no id.
    """
    return SourceCustomer(
        id=identity(contact),
        name=text(contact, "name") or "",
        number=text(contact, "contactNo"),
        registration_no=text(contact, "registrationNo"),
        gln=text(contact, "ean"),
        country=text(contact, "countryId"),
        city=_city(contact),
        email=_email(persons),
        is_archived=contact.get("isArchived") is True,
        raw=contact,
    )


def is_approved(invoice: Record) -> bool:
    """Whether it is booked. Raises ``SourceChanged`` for a state that Billy did not have."""
    return _state(invoice) is BookState.APPROVED


def _state(invoice: Record) -> BookState:
    return BookState(_matching(invoice, "state", "draft|approved|voided"))


def book_standing(invoice: Record) -> Standing:
    """How it stands in the books. Raises ``SourceChanged`` for a state that Billy did not have."""
    is_paid = invoice.get("isPaid")
    return Standing(_state(invoice), is_paid if isinstance(is_paid, bool) else None)


def paper(invoice: Record) -> Record:
    """What decides how Billy draws the PDF, and what is attached. Its bytes and its address are others at every read."""
    attached = invoice.get("attachmentIds")
    return {
        "attachments": sorted(one for one in attached if isinstance(one, str)) if isinstance(attached, list) else [],
        "template": text(invoice, "templateId"),
    }


def source_document(invoice: Record, bundle: Record) -> SourceDocument:
    """An invoice or credit note with the bundle that conversion will need.

    ``grossAmount`` is not asked for: Billy does not document it, and it is
    amount + tax. Raises ``SourceChanged`` naming the first property that is
    missing or malformed.
    """
    return SourceDocument(
        id=identity(invoice),
        type=_type(invoice),
        number=_required(invoice, "invoiceNo"),
        issue_date=_date(invoice, "entryDate"),
        approved_at=_time(invoice, "approvedTime"),
        customer_id=_matching(invoice, "contactId", _ID),
        customer_name=text(bundle.get("contact") or {}, "name") or "",
        currency=_matching(invoice, "currencyId", "[A-Z]{3}"),
        net=_amount(invoice, "amount"),
        vat=_amount(invoice, "tax"),
        order_number=text(invoice, "orderNo"),
        bundle=bundle,
        credits_id=_credits(invoice),
    )


def _credits(invoice: Record) -> str | None:
    """Of a credit note, the id of its invoice; a free one, or an id that no record can have, names none."""
    named = text(invoice, "creditedInvoiceId") if _type(invoice) is DocumentType.CREDIT_NOTE else None
    return named if named and re.fullmatch(_ID, named) else None


def _required(record: Record, name: str) -> str:
    value = text(record, name)
    if value is None:
        raise broken(record, name)
    return value


def _matching(record: Record, name: str, pattern: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise broken(record, name)
    return value


def _type(invoice: Record) -> DocumentType:
    try:
        return DocumentType(_required(invoice, "type"))
    except ValueError:
        raise broken(invoice, "type") from None


def _date(record: Record, name: str) -> date:
    # The pattern comes first, because fromisoformat also takes weeks and dates without dashes.
    value = _matching(record, name, r"\d{4}-\d{2}-\d{2}")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise broken(record, name) from None


def _time(record: Record, name: str) -> datetime | None:
    """Billy's clock without offset; None where it is null. A time with an offset would be a new Billy."""
    if record.get(name) is None:
        return None
    value = _matching(record, name, r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise broken(record, name) from None


def _amount(record: Record, name: str) -> Decimal:
    number = to_decimal(record.get(name))
    if number is None or abs(number) >= LARGEST_AMOUNT:
        raise broken(record, name)
    return number


def _city(contact: Record) -> str | None:
    """The typed city, else the one that Billy embedded from its own list."""
    embedded = contact.get("city")
    return text(contact, "cityText") or (text(embedded, "name") if isinstance(embedded, Mapping) else None)


def _email(persons: Iterable[Record]) -> str | None:
    primary_first = sorted(persons, key=lambda person: person.get("isPrimary") is not True)
    return next(filter(None, (text(person, "email") for person in primary_first)), None)
