"""How a check is written: a generator of ``Problem`` that declares its rules, over an invoice or over one line.

Checks say only what is wrong and with which values; the error book has the
words. ``judge`` runs them and makes one finding of each rule and cause,
however many lines have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from invoiceapp.domain.findings import Finding, Severity, Text
from invoiceapp.domain.invoice import Invoice, Line
from invoiceapp.formats.validation import book
from invoiceapp.formats.validation.book import Value


class Problem:
    """One breach of one rule. ``values`` fill the places of the book's texts; ``{line}`` is filled by ``judge``."""

    __slots__ = ("cause", "fix", "rule", "severity", "term", "values")

    def __init__(
        self,
        rule: str,
        *,
        cause: str = "",
        term: str | None = None,
        fix: str | None = None,
        severity: Severity = Severity.FATAL,
        **values: Value,
    ) -> None:
        self.rule = rule
        # What is blank is told as missing.
        self.values = {name: None if _is_white(value) else value for name, value in values.items()}
        self.cause = cause
        """Tells breaches of one rule apart that are mended in different places"""
        self.term = term
        self.fix = fix
        self.severity = severity


Check = Callable[[Invoice], Iterator[Problem]]
LineCheck = Callable[[Line, Invoice], Iterator[Problem]]
AnyCheck = Callable[..., Iterator[Problem]]
_Any = TypeVar("_Any", bound=Callable[..., Iterator[Problem]])

#: XML's white space: what official rules call blank (``normalize-space``).
_WHITE = " \t\r\n"
_DECLARED: dict[Any, frozenset[str]] = {}


def rules(*ids: str) -> Callable[[_Any], _Any]:
    """Declares which rules a check may report."""

    def declare(check: _Any) -> _Any:
        _DECLARED[check] = frozenset(ids)
        return check

    return declare


def declared(check: AnyCheck) -> frozenset[str]:
    """The rules that a check may report. Raises ``KeyError`` where it declares none."""
    return _DECLARED[check]


def _is_white(value: Value) -> bool:
    return isinstance(value, str) and not value.strip(_WHITE)


def is_blank(text: str | None) -> bool:
    """Whether a text is missing, empty or nothing but white space."""
    return not text or not text.strip(_WHITE)


#: Rules of OIOUBL invoices that credit notes have under another id.
_TWINS = {
    "F-INV009": "F-CRN006", "F-INV016": "F-CRN011", "F-INV018": "F-CRN013", "F-INV024": "F-CRN022",
    "F-INV031": "F-CRN028", "F-INV034": "F-CRN031", "F-INV044": "F-CRN040", "F-INV051": "F-CRN047",
    "F-INV126": "F-CRN072", "F-INV127": "F-CRN073", "F-INV128": "F-CRN074", "F-INV129": "F-CRN075",
    "F-INV130": "F-CRN076", "F-INV133": "F-CRN079", "F-INV140": "F-CRN084", "F-INV147": "F-CRN088",
    "F-INV163": "F-CRN110", "F-INV167": "F-CRN115", "F-INV338": "F-CRN208", "F-INV340": "F-CRN210",
}  # fmt: skip


def twin(rule: str, invoice: Invoice) -> str:
    """The id that an OIOUBL rule has in this type of document."""
    return _TWINS[rule] if invoice.is_credit_note else rule


def both(*ids: str) -> tuple[str, ...]:
    """OIOUBL rules of invoices and their twins of credit notes."""
    return (*ids, *(_TWINS[rule] for rule in ids))


class _Collected:
    """Problems by rule and cause, with the first line that has each and how many more do."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], tuple[Problem, str | None]] = {}
        self._more: dict[tuple[str, str], int] = {}

    def add(self, problem: Problem, line: str | None) -> None:
        key = (problem.rule, problem.cause)
        if key in self._first:
            self._more[key] = self._more.get(key, 0) + 1
        else:
            self._first[key] = (problem, line)

    def findings(self) -> list[Finding]:
        return [
            _finding(problem, line, self._more.get(key, 0) if line is not None else 0)
            for key, (problem, line) in self._first.items()
        ]


def _finding(problem: Problem, line: str | None, more: int) -> Finding:
    if line is None:
        location = None
    else:
        location = f"BG-25[{line}]" + (f" (+{more})" if more else "")
        problem.values["line"] = _lines(line, more)
    return book.finding(
        problem.rule, problem.severity, term=problem.term, fix=problem.fix, location=location, **problem.values
    )


def _lines(first: str, more: int) -> Text:
    if not more:
        return Text(first, first)
    return Text(
        f"{first} (og {more} {'anden linje' if more == 1 else 'andre linjer'})",
        f"{first} (and {more} other {'line' if more == 1 else 'lines'})",
    )


def judge(invoice: Invoice, checks: tuple[Check, ...], line_checks: tuple[LineCheck, ...] = ()) -> list[Finding]:
    """The findings of all checks, in their order; lines are walked once."""
    collected = _Collected()
    for check in checks:
        for problem in check(invoice):
            collected.add(problem, None)
    for line in invoice.lines:
        for line_check in line_checks:
            for problem in line_check(line, invoice):
                problem.values.setdefault("item", line.item.name)
                collected.add(problem, line.id)
    return collected.findings()
