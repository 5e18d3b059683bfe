"""One row for each line, with the document's own values repeated: what people open in a spreadsheet.

The columns and their order are stable; a new column comes at the end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import Invoice, Line
from invoiceapp.domain.money import fixed2, plain, total
from invoiceapp.domain.spreadsheets import DIALECTS, Dialect, text_cell
from invoiceapp.formats.base import Parameters

Cell = str | Decimal | date | None


OPTIONS = (
    Field(
        "dialect",
        Text("Form", "Form"),
        FieldType.CHOICE,
        default="international",
        choices=(
            ("international", Text("International: komma, decimalpunktum", "International: comma, decimal point")),
            ("danish-excel", Text("Dansk Excel: semikolon, decimalkomma", "Danish Excel: semicolon, decimal comma")),
        ),
        help=Text(
            "Dansk Excel giver danske overskrifter, datoer som 02-11-2026 og beløb som 1249,99.",
            "Danish Excel gives Danish headings, dates like 02-11-2026 and amounts like 1249,99.",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: always two decimals."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its stable name, its Danish heading, and its cell."""

    name: str
    danish: str
    of: Callable[[Invoice, Line | None], Cell | Amount]


def _document(name: str, danish: str, value: Callable[[Invoice], Cell | Amount]) -> Column:
    return Column(name, danish, lambda invoice, _: value(invoice))


def _line(name: str, danish: str, value: Callable[[Line], Cell | Amount]) -> Column:
    """A column that is empty where a document has no lines."""
    return Column(name, danish, lambda _, line: value(line) if line is not None else None)


def _joined(*values: str | None) -> str | None:
    return ", ".join(value for value in values if value) or None


COLUMNS = (
    _document("documentType", "Dokumenttype", lambda i: i.type.value),
    _document("number", "Nummer", lambda i: i.number),
    _document("issueDate", "Dato", lambda i: i.issue_date),
    _document("dueDate", "Forfald", lambda i: i.due_date),
    _document("currency", "Valuta", lambda i: i.currency),
    _document("sellerName", "Sælger", lambda i: i.seller.name),
    _document("sellerLegalId", "Sælgers CVR-nummer", lambda i: i.seller.legal_id),
    _document("sellerVatId", "Sælgers momsnummer", lambda i: i.seller.vat_id),
    _document("buyerName", "Køber", lambda i: i.buyer.name),
    _document("buyerLegalId", "Købers CVR-nummer", lambda i: i.buyer.legal_id),
    _document("buyerVatId", "Købers momsnummer", lambda i: i.buyer.vat_id),
    _document("buyerEndpoint", "Købers elektroniske adresse", lambda i: str(i.buyer.endpoint) if i.buyer.endpoint else None),
    _document("buyerGln", "Købers EAN-nummer", lambda i: i.buyer.gln),
    _document("buyerStreet", "Købers gade", lambda i: _joined(i.buyer.address.street, i.buyer.address.additional)),
    _document("buyerPostalCode", "Købers postnummer", lambda i: i.buyer.address.postal_code),
    _document("buyerCity", "Købers by", lambda i: i.buyer.address.city),
    _document("buyerCountry", "Købers land", lambda i: i.buyer.address.country),
    _document("buyerReference", "Personreference", lambda i: i.buyer_reference),
    _document("orderReference", "Ordrenummer", lambda i: i.order_reference),
    _document("contractReference", "Kontraktnummer", lambda i: i.contract_reference),
    _document("projectReference", "Projektnummer", lambda i: i.project_reference),
    _document("precedingInvoices", "Vedrører faktura", lambda i: _joined(*(item.number for item in i.preceding))),
    _document("note", "Bemærkning", lambda i: i.note),
    _document("paymentMeansCode", "Betalingskode", lambda i: i.payment[0].code.value if i.payment else None),
    _document("paymentId", "Betalingsreference", lambda i: i.payment[0].payment_id if i.payment else None),
    _document("paymentAccount", "Konto", lambda i: i.payment[0].account if i.payment else None),
    _document("paymentTerms", "Betalingsbetingelser", lambda i: i.payment_terms),
    _document("documentAllowances", "Rabat på dokumentet", lambda i: Amount(i.totals.allowances)),
    _document("documentCharges", "Gebyr på dokumentet", lambda i: Amount(i.totals.charges)),
    _document("netTotal", "I alt uden moms", lambda i: Amount(i.totals.net)),
    _document("vatTotal", "Moms i alt", lambda i: Amount(i.totals.vat)),
    _document("grossTotal", "I alt med moms", lambda i: Amount(i.totals.gross)),
    _document("prepaid", "Forudbetalt", lambda i: Amount(i.totals.prepaid)),
    _document("rounding", "Øreafrunding", lambda i: Amount(i.totals.rounding)),
    _document("payable", "At betale", lambda i: Amount(i.totals.payable)),
    _line("lineId", "Linje", lambda x: x.id),
    _line("itemNumber", "Varenummer", lambda x: x.item.sellers_id),
    _line("itemGtin", "Stregkode (GTIN)", lambda x: x.item.standard_id),
    _line("itemName", "Vare", lambda x: x.item.name),
    _line("itemDescription", "Beskrivelse", lambda x: x.item.description),
    _line("quantity", "Antal", lambda x: x.quantity),
    _line("unit", "Enhed", lambda x: x.unit),
    _line("price", "Pris", lambda x: x.price),
    _line("priceQuantity", "Pris pr. antal", lambda x: x.base_quantity),
    _line("lineAllowancesCharges", "Linjens rabat og gebyr", lambda x: Amount(total(a.signed for a in x.allowances_charges))),
    _line("lineNet", "Linjebeløb uden moms", lambda x: Amount(x.net_amount)),
    _line("vatCategory", "Momskategori", lambda x: x.vat.category.value),
    _line("vatPercent", "Momsprocent", lambda x: x.vat.percent),
    _line("lineNote", "Linjens bemærkning", lambda x: x.note),
    _line("orderLine", "Ordrelinje", lambda x: x.order_line),
    _line("accountingCost", "Kontostreng", lambda x: x.accounting_cost),
)  # fmt: skip


def _written(cell: Cell | Amount, dialect: Dialect) -> str:
    if isinstance(cell, Amount):
        return fixed2(cell.value).replace(".", dialect.decimal)
    if isinstance(cell, Decimal):
        return plain(cell).replace(".", dialect.decimal)
    if isinstance(cell, date):
        return cell.strftime(dialect.date_form)
    return text_cell(cell or "")


def write(invoice: Invoice, parameters: Parameters) -> bytes:
    """The invoice as UTF-8 CSV: a header row and a row for each line; one row where there are no lines."""
    dialect = DIALECTS[parameters.options["dialect"]]
    file = io.StringIO()
    writer = csv.writer(file, delimiter=dialect.delimiter, lineterminator=dialect.line_end)
    writer.writerow([column.danish if dialect.is_danish else column.name for column in COLUMNS])
    for line in invoice.lines or (None,):
        writer.writerow([_written(column.of(invoice, line), dialect) for column in COLUMNS])
    return (dialect.start + file.getvalue()).encode()
