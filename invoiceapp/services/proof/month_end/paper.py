"""A proof on paper: A4 landscape, what needs explaining first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal

from invoiceapp.domain.findings import Text
from invoiceapp.services.export import drawing
from invoiceapp.services.keeping.static_pages import Pages

from . import words
from .files import signed
from .groups import OPEN, Group

#: Rows that are printed; the CSV has all of them. A thousand take 12 s to draw.
MOST_ROWS = 1_000
_PAGES = Pages("proof/paper")
_LABELS: Mapping[str, Text] = {
    "title": Text("Månedsbevis", "Month-end proof"),
    "period": Text("Periode", "Period"),
    "moment": Text("Opgjort pr.", "As of"),
    "maker": Text("Lavet af", "Made by"),
    "summary": Text("Opgørelse", "Summary"),
    "attention": Text("Skal forklares", "To be explained"),
    "nothing": Text("Intet skal forklares.", "Nothing is to be explained."),
    "group": Text("Gruppe", "Group"),
    "count": Text("Antal", "Count"),
    "currency": Text("Valuta", "Currency"),
    "net": Text("Uden moms", "Without VAT"),
    "vat": Text("Moms", "VAT"),
    "gross": Text("I alt", "Total"),
    "all": Text("Godkendt i regnskabet", "Approved in the accounts"),
    "difference": Text("Forskel til det, der er sendt", "Difference to what was sent"),
    "number": Text("Nummer", "Number"),
    "date": Text("Dato", "Date"),
    "customer": Text("Kunde", "Customer"),
    "why": Text("Forklaring", "Explanation"),
    "documents": Text("Dokumenter", "Documents"),
    "type": Text("Type", "Type"),
    "adaptor": Text("Adaptor", "Adaptor"),
    "registration": Text("CVR", "CVR"),
    "id": Text("Bevisets id", "Id of the proof"),
    "only_ours": words.ONLY_OURS,
    "explained": Text(
        "Numre på kladder og annullerede bilag (ikke huller)", "Numbers of drafts and voided documents (no gaps)"
    ),
    "prints": Text("Fingeraftryk (SHA-256)", "Fingerprints (SHA-256)"),
    "list": Text("Regnskabets liste", "List of the accounts"),
    "result": Text("Resultat", "Result"),
    "csv": Text("CSV-fil", "CSV file"),
    "certificate": Text("Certifikat, der underskriver", "Certificate that signs"),
    "page": Text("Side", "Page"),
    "of": Text("af", "of"),
}


@dataclass(frozen=True, slots=True)
class Prints:
    """What the paper names: ids and fingerprints (SHA-256)."""

    proof_id: str
    maker: str
    list: str
    result: str
    csv: str
    certificate: str


def reason(result: Mapping[str, Any], language: str) -> str:
    """Of the signature."""
    return f"{_LABELS['title'].in_language(language)} {_period(result, language)}"


def draw(result: Mapping[str, Any], prints: Prints, language: str) -> bytes:
    """The PDF, not signed yet. Raises ``CannotDraw``."""
    return drawing.page(html(result, prints, language), prints.proof_id, str(result["moment"]))


def html(result: Mapping[str, Any], prints: Prints, language: str) -> str:
    """The page that is drawn."""
    labels = {name: text.in_language(language) for name, text in _LABELS.items()}
    rows = result["rows"][:MOST_ROWS]
    values = {
        "language": language, "label": labels, "company": result["company"], "period": _period(result, language),
        "moment": words.moment(datetime.fromisoformat(result["moment"]), language), "maker": prints.maker, "prints": prints,
        "attention": attention(result, language), "groups": _groups(result, language),
        "totals": _lines(result["totals"], language), "documents": result["documents"],
        "differences": _lines(_nonzero(result["sent"]["difference"]), language),
        "rows": [_row(row, language) for row in rows],
        "more": _more(result["rows"], language),
        "only_ours": [_row(row, language) for row in result["only_ours"][:MOST_ROWS]],
        "only_ours_more": _more(result["only_ours"], language),
        "explained": [
            f"{one['number']} ({words.STANDINGS[one['state']].in_language(language)})"
            for one in result["explained"][:MOST_ROWS]
        ],
        "explained_more": _more(result["explained"], language),
        "registration": result["registration"], "adaptor": result["adaptor"],
    }  # fmt: skip
    return _PAGES.render("month_end.html", **values).decode()


@dataclass(frozen=True, slots=True)
class Line:
    """Something that needs explaining: ``what (3)``, the numbers it is about with their documents' ids, and what to do."""

    what: str
    numbers: list[tuple[str, str | None]]
    has_more: bool
    advice: str


def attention(result: Mapping[str, Any], language: str) -> list[Line]:
    """What needs explaining."""
    documents = {row["source_id"]: row["document_id"] for row in (*result["rows"], *result["only_ours"])}
    lines = [_gaps(result, language)] if result["gaps"] else []
    for kind, what in words.DOUBLES.items():
        found = [one for one in result["duplicates"] if one["kind"] == kind]
        numbers = [(one["number"], documents.get(one["source_ids"][0])) for one in found]
        lines += _line(what, numbers, words.DOUBLE_ADVICE[kind], language)
    rows = result["rows"]
    lines += _line(words.DIFFERS, [_named(row) for row in rows if row["sent"]], words.DIFFERS_ADVICE, language)
    for group in Group:
        if group in OPEN:
            named = [_named(row) for row in rows if row["group"] == group.value]
            lines += _line(words.NAMES[group], named, words.EXPLAINED[group], language)
    for what, advice in words.ONLY_OURS_ADVICE.items():
        named = [_named(row) for row in result["only_ours"] if words.only_ours(row) == what]
        lines += _line(what, named, advice, language)
    return lines


def _gaps(result: Mapping[str, Any], language: str) -> Line:
    gaps = result["gaps"]
    count, missing = len(gaps), sum(gap["count"] for gap in gaps)
    holes = Text(f"{count} {'hul' if count == 1 else 'huller'}", f"{count} {'gap' if count == 1 else 'gaps'}")
    numbers = Text(
        f"{missing} {'nummer' if missing == 1 else 'numre'}", f"{missing} number{'' if missing == 1 else 's'}"
    )
    what = f"{words.GAP.in_language(language)} ({holes.in_language(language)}, {numbers.in_language(language)})"
    named: list[tuple[str, str | None]] = [(words.of_gap(gap) + _here(gap, language), None) for gap in gaps[:_MOST]]
    return Line(what, named, count > _MOST, words.GAP_ADVICE.in_language(language))


_MOST = words.MOST_NAMED


def _named(row: Mapping[str, Any]) -> tuple[str, str | None]:
    return row["number"] or row["source_id"], row["document_id"]


def _line(what: Text, numbers: Sequence[tuple[str, str | None]], advice: Text, language: str) -> list[Line]:
    """None where there are no numbers."""
    if not numbers:
        return []
    named = f"{what.in_language(language)} ({len(numbers)})"
    return [Line(named, list(numbers[:_MOST]), len(numbers) > _MOST, advice.in_language(language))]


def _here(gap: Mapping[str, Any], language: str) -> str:
    if not gap["here"]:
        return ""
    text = Text("her findes", "here are")
    named = ", ".join(gap["here"][:_MOST]) + (" …" if len(gap["here"]) > _MOST else "")
    return f" ({text.in_language(language)} {named})"


def _more(rows: Sequence[Any], language: str) -> str:
    left = len(rows) - MOST_ROWS
    text = Text(f"{left} flere står i CSV-filen.", f"{left} more are in the CSV file.")
    return text.in_language(language) if left > 0 else ""


def _groups(result: Mapping[str, Any], language: str) -> list[dict[str, Any]]:
    return [
        {
            "name": words.NAMES[Group(group["group"])].in_language(language),
            "text": words.EXPLAINED[Group(group["group"])].in_language(language),
            "is_open": Group(group["group"]) in OPEN,
            "documents": group["documents"],
            "lines": _lines(group["sums"], language),
        }
        for group in result["groups"]
    ]


def _nonzero(sums: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {currency: one for currency, one in sums.items() if any(Decimal(one[name]) for name in AMOUNTS)}


AMOUNTS = ("net", "vat", "gross")


def _lines(sums: Mapping[str, Mapping[str, Any]], language: str) -> list[list[str]]:
    return [[currency, *(_amount(Decimal(one[name]), language) for name in AMOUNTS)] for currency, one in sums.items()]


def _row(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    amounts: Iterable[Decimal | None] = (signed(row, name) for name in AMOUNTS)
    is_ours = "standing" in row
    standing = words.STANDINGS[row["standing"] or ""].in_language(language) if is_ours else ""
    why = words.why(row).in_language(language)
    group, kind = Group(row["group"]), words.TYPES.get(row["type"])
    return {
        "group": words.NAMES[group].in_language(language), "type": kind.in_language(language) if kind else "",
        "is_open": group in OPEN,
        "number": row["number"] or row["source_id"], "customer": row["customer"], "currency": row["currency"],
        "date": words.day(date.fromisoformat(row["day"]), language) if row["day"] else "",
        "amounts": ["" if value is None else _amount(value, language) for value in amounts],
        "why": f"{standing}. {why}" if standing else why,
    }  # fmt: skip


def _amount(value: Decimal, language: str) -> str:
    return format_decimal(value, "#,##0.00", locale=words.locale(language))


def _period(result: Mapping[str, Any], language: str) -> str:
    first, last = (words.day(date.fromisoformat(one), language) for one in result["period"])
    return f"{first} – {last}"
