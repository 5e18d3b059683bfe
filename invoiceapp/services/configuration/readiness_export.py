"""The readiness board as CSV: a row for each cause of each document, and of each customer that has no documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select, tuple_

from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.spreadsheets import DIALECTS, Cell, Dialect, written
from invoiceapp.models import Customer, Document, ExportRule, PreflightResult, Readiness
from invoiceapp.services.database import transaction

__all__ = ["DIALECTS", "lines"]

_CHUNK = 500


_COLUMNS = (
    Text("Årsag", "Cause"),
    Text("Regel", "Rule"),
    Text("Hvis tur", "Whose turn"),
    Text("Kunde", "Customer"),
    Text("Kundenummer", "Customer number"),
    Text("CVR", "CVR"),
    Text("EAN", "EAN"),
    Text("Aktiveret", "Activated"),
    Text("Dokument", "Document"),
    Text("Type", "Type"),
    Text("Dato", "Date"),
    Text("Beløb uden moms", "Amount without VAT"),
    Text("Valuta", "Currency"),
)
_TURNS = {
    "source": Text("Jer, i regnskabet", "You, in the accounting system"),
    "here": Text("Jer, her", "You, here"),
    "receiver": Text("Modtageren", "The receiver"),
    "operator": Text("Den, der driver installationen", "Whoever runs this installation"),
}
_TYPES = {
    DocumentType.INVOICE: Text("Faktura", "Invoice"),
    DocumentType.CREDIT_NOTE: Text("Kreditnota", "Credit note"),
}
_YES, _NO = Text("Ja", "Yes"), Text("Nej", "No")


def lines(adaptor_id: str, language: str, dialect: Dialect) -> Iterator[str]:
    """The file, some lines at a time: however many documents there are, a few hundred are in memory."""
    yield dialect.start + written([[column.in_language(language) for column in _COLUMNS]], dialect)
    for chunk in _of_documents(adaptor_id):
        yield written([cells for row in chunk for cells in _rows(row, row.findings, language)], dialect)
    for chunk in _of_customers(adaptor_id):
        yield written([cells for row in chunk for cells in _rows(row, row.problems, language)], dialect)


_CUSTOMER: Any = (
    Customer.id.label("customer_id"), Customer.name, Customer.number.label("customer_number"), Customer.registration_no,
    Customer.gln, ExportRule.active,
)  # fmt: skip


def _of_documents(adaptor_id: str) -> Iterator[Sequence[Any]]:
    """Stopped documents with their findings, by customer."""
    place: Any = tuple_(PreflightResult.customer_id, PreflightResult.id)
    after = ("", "")
    while True:
        with transaction() as session:
            chunk = session.execute(
                select(
                    *_CUSTOMER, PreflightResult.id, PreflightResult.findings, Document.number, Document.type,
                    Document.issue_date, Document.net, Document.currency,
                )
                .join(PreflightResult, PreflightResult.customer_id == Customer.id)
                .join(Document, Document.id == PreflightResult.document_id)
                .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
                .where(PreflightResult.adaptor_id == adaptor_id, PreflightResult.may_leave.is_(False), place > after)
                .order_by(PreflightResult.customer_id, PreflightResult.id)
                .limit(_CHUNK)
            ).all()  # fmt: skip
        if not chunk:
            return
        yield chunk
        after = (chunk[-1].customer_id, chunk[-1].id)


def _of_customers(adaptor_id: str) -> Iterator[Sequence[Any]]:
    """Customers without documents that need something, with their problems."""
    after = ""
    while True:
        with transaction() as session:
            found = session.execute(
                select(*_CUSTOMER, Customer.problems)
                .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
                .where(
                    Customer.adaptor_id == adaptor_id, Customer.readiness == Readiness.NEEDS, Customer.id > after
                )
                .order_by(Customer.id)
                .limit(_CHUNK)
            ).all()  # fmt: skip
        if not found:
            return
        yield [row for row in found if not any(problem["documents"] for problem in row.problems)]
        after = found[-1].customer_id


def _rows(row: Any, causes: Sequence[dict[str, Any]], language: str) -> Iterator[list[Cell]]:
    """One for each cause; a rule that many lines break is one cause."""
    seen = set()
    for cause in causes:
        key = (cause["rule"], cause["fix"])
        if key not in seen:
            seen.add(key)
            yield _row(row, cause, language)


def _row(row: Any, cause: dict[str, Any], language: str) -> list[Cell]:
    text, turn = Text(cause["text"]["da"], cause["text"]["en"]), _TURNS.get(cause["turn"])
    cells: list[Cell] = [
        text.in_language(language), cause["rule"], turn.in_language(language) if turn else cause["turn"], row.name,
        row.customer_number, row.registration_no, row.gln, (_YES if row.active else _NO).in_language(language),
    ]  # fmt: skip
    if "findings" not in row._fields:
        return [*cells, None, None, None, None, None]
    return [*cells, row.number, _TYPES[row.type].in_language(language), row.issue_date, row.net, row.currency]
