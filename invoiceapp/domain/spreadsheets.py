"""Text in files that people open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from .money import fixed2

Cell = str | date | Decimal | None


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a spreadsheet of one country wants its file."""

    delimiter: str
    decimal: str
    line_end: str
    date_form: str
    start: str = ""
    is_danish: bool = False


DIALECTS = {
    "international": Dialect(",", ".", "\n", "%Y-%m-%d"),
    # A Danish Excel takes UTF-8 only by its mark, and a comma for the decimals.
    "danish-excel": Dialect(";", ",", "\r\n", "%d-%m-%Y", start="\ufeff", is_danish=True),
}

#: What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), also in full width.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
#: No spreadsheet shows these, and a NUL ends the file in some.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\ufeff]")


def text_cell(text: str) -> str:
    """Text that stays text: with a leading ``'`` where it would be a formula; line breaks of one kind."""
    visible = _INVISIBLE.sub("", text)
    # Some programs skip blanks before they look for a formula.
    guarded = visible.startswith(_FORMULA) or visible.lstrip().startswith(_FORMULA)
    unbroken = visible.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{unbroken}" if guarded else unbroken


def written(rows: Iterable[Sequence[Cell]], dialect: Dialect) -> str:
    """Lines of CSV: amounts with two decimals, dates as people write them, texts that no program takes for a formula."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=dialect.delimiter, lineterminator=dialect.line_end)
    writer.writerows([_cell(cell, dialect) for cell in row] for row in rows)
    return file.getvalue()


def _cell(cell: Cell, dialect: Dialect) -> str:
    if isinstance(cell, Decimal):
        return fixed2(cell).replace(".", dialect.decimal)
    if isinstance(cell, date):
        return cell.strftime(dialect.date_form)
    return text_cell(cell or "")
