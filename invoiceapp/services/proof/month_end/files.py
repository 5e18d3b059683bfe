"""The files of a proof: its JSON read back, and a CSV in which every row of it stands. The same input gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from invoiceapp.domain.findings import Text
from invoiceapp.domain.spreadsheets import DIALECTS, Cell, written

from . import words
from .groups import Group

_COLUMNS = (
    Text("Gruppe", "Group"),
    Text("Forklaring", "Explanation"),
    Text("Nummer", "Number"),
    Text("Type", "Type"),
    Text("Dato", "Date"),
    Text("Kunde", "Customer"),
    Text("Valuta", "Currency"),
    Text("Uden moms", "Without VAT"),
    Text("Moms", "VAT"),
    Text("I alt", "Total"),
    Text("Sendt i alt", "Total sent"),
    Text("Status siden", "Status since"),
    Text("Format", "Format"),
    Text("Vej", "Way"),
    Text("I regnskabet", "In the accounts"),
    Text("Dokument-id", "Document id"),
    Text("Id i regnskabet", "Id in the accounts"),
)


def read(content: bytes) -> Any:
    """What ``canonical`` has written."""
    return json.loads(content)


def csv_of(result: Mapping[str, Any], language: str) -> bytes:
    """All documents, then what the accounts have not, gaps, duplicates and used numbers."""
    dialect = DIALECTS["international" if language == "en" else "danish-excel"]
    head: list[Cell] = [column.in_language(language) for column in _COLUMNS]
    rows = [head, *_documents(result, language), *_others(result, language)]
    return (dialect.start + written(rows, dialect)).encode("utf-8", "replace")


def signed(row: Mapping[str, Any], name: str) -> Decimal | None:
    """``net``, ``vat`` or ``gross`` of a row: a credit note takes away. None where it has no amounts."""
    if not row["currency"]:
        return None
    value = Decimal(row["net"]) + Decimal(row["vat"]) if name == "gross" else Decimal(row[name])
    return -value if row["type"] == "creditNote" else value


def _documents(result: Mapping[str, Any], language: str) -> Iterator[list[Cell]]:
    for row in result["rows"]:
        yield [words.NAMES[Group(row["group"])].in_language(language), *_cells(row, language, "")]
    for row in result["only_ours"]:
        standing = words.STANDINGS[row["standing"] or ""].in_language(language)
        yield [words.only_ours(row).in_language(language), *_cells(row, language, standing)]


def _cells(row: Mapping[str, Any], language: str, standing: str) -> list[Cell]:
    """After the group. Times in Danish time."""
    kind = words.TYPES.get(row["type"])
    sent = row["sent"]
    total_sent = signed(sent, "gross") if sent else None
    return [
        words.why(row).in_language(language), row["number"], kind.in_language(language) if kind else "",
        date.fromisoformat(row["day"]) if row["day"] else None, row["customer"], row["currency"], signed(row, "net"),
        signed(row, "vat"), signed(row, "gross"), total_sent, words.local_cell(row["since"], language),
        words.format_label(row["format"], language), words.way_label(row["transport"], language), standing,
        row["document_id"], row["source_id"],
    ]  # fmt: skip


def _others(result: Mapping[str, Any], language: str) -> Iterator[list[Cell]]:
    def row(what: Text, number: str, kind: str = "", explanation: str = "", source_id: str = "") -> list[Cell]:
        named = words.TYPES[kind].in_language(language) if kind else ""
        empty: list[Cell] = [None] * 12
        return [what.in_language(language), explanation, number, named, *empty, source_id]

    for gap in result["gaps"]:
        yield row(words.GAP, words.of_gap(gap), "", words.gap_advice(gap).in_language(language))
    for one in result["duplicates"]:
        advice = words.double_advice(one).in_language(language)
        yield row(words.DOUBLES[one["kind"]], one["number"], one["type"], advice, ", ".join(one["source_ids"]))
    for one in result["explained"]:
        state = words.STANDINGS[one["state"]].in_language(language)
        yield row(words.EXPLAINED_NUMBER, one["number"], one["type"], state, one["source_id"])
