"""The error book: what each rule means to an accountant, in Danish and English.

One TOML file a family of rules. An entry holds the two texts, whose turn it is,
the business term and the field to mend. Texts have places for the actual
values, ``{value}`` or ``{line}``: built-in rules fill them from the model,
``explain`` fills them from the document that an official rule set judged, at
the place it complained of or by the entry's own XPath (``values``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from invoiceapp.domain.findings import Finding, Severity, Text, Turn
from invoiceapp.domain.money import danish, fixed2

#: A value that fills a place: text in both languages, one text for both, or an amount.
Value = Text | str | Decimal | int | None

_PLACE = re.compile(r"\{(\w+)\}")
_LONGEST_VALUE = 80
_UBL = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the book says of one rule."""

    rule: str
    text: Text
    turn: Turn
    term: str | None = None
    fix: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    """XPath 1.0 by place, from the element that an official rule set names"""

    @property
    def places(self) -> set[str]:
        """The values that the texts ask for."""
        return set(_PLACE.findall(self.text.da) + _PLACE.findall(self.text.en))


@cache
def entries() -> dict[str, Entry]:
    """The whole book by rule id. Raises ``ValueError`` for a rule that two files explain."""
    found: dict[str, Entry] = {}
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        for rule, data in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if rule in found:
                raise ValueError(f"{path.name} explains {rule} a second time")
            found[rule] = Entry(
                rule, Text(data["da"], data["en"]), Turn(data["turn"]), data.get("term"), data.get("fix"),
                data.get("values") or {},
            )  # fmt: skip
    return found


def _in(language: str, value: Value) -> str:
    if isinstance(value, Text):
        return value.in_language(language)
    if isinstance(value, Decimal):
        return danish(value) if language == "da" else fixed2(value)
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _filled(template: str, language: str, values: Mapping[str, Value]) -> str:
    return _PLACE.sub(lambda place: _in(language, values.get(place[1])), template)


def finding(
    rule: str,
    severity: Severity = Severity.FATAL,
    *,
    term: str | None = None,
    fix: str | None = None,
    location: str | None = None,
    **values: Value,
) -> Finding:
    """The finding for a rule of the book; ``term`` and ``fix`` where they differ from case to case.

    Raises ``KeyError`` for a rule without an entry: a test keeps that from happening.
    """
    entry = entries()[rule]
    text = Text(_filled(entry.text.da, "da", values), _filled(entry.text.en, "en", values))
    return Finding(rule, severity, text, entry.turn, term or entry.term, location, fix or entry.fix)


def _text_of(found: Any) -> str:
    if isinstance(found, list):
        return _text_of(found[0]) if found else ""
    if isinstance(found, etree._Element):
        return " ".join("".join(str(part) for part in found.itertext()).split())
    if isinstance(found, float):
        return f"{found:.2f}"
    return " ".join(str(found).split())


def values_at(place: etree._Element, wanted: Mapping[str, str]) -> dict[str, str]:
    """What the document says at a place: its text, its line's id, the parties' names, and the entry's own XPaths."""
    xpaths = {
        "value": "string(self::*[not(*)])",
        "line": "string(ancestor-or-self::*[self::cac:InvoiceLine or self::cac:CreditNoteLine]/cbc:ID)",
        "seller": "string(//cac:AccountingSupplierParty/cac:Party/cac:PartyName/cbc:Name)",
        "buyer": "string(//cac:AccountingCustomerParty/cac:Party/*[self::cac:PartyName or self::cac:PartyLegalEntity]/"
        "*[self::cbc:Name or self::cbc:RegistrationName])",
        **wanted,
    }
    return {name: _text_of(place.xpath(xpath, namespaces=_UBL)) for name, xpath in xpaths.items()}


def explain(
    rule: str, severity: Severity, official: str, location: str | None, place: etree._Element | None
) -> Finding:
    """The finding for what an official rule set said of a document; ``place`` is the element it named, where found.

    A rule that the book does not know is told in the rule set's own words.
    """
    entry = entries().get(rule)
    if entry is None:
        return Finding(
            rule,
            severity,
            Text(
                f"Dokumentet overtræder reglen {rule}, som vi ikke har en forklaring på. Reglen siger: {official}",
                f"The document breaks rule {rule}, for which we have no explanation. The rule says: {official}",
            ),
            Turn.OPERATOR,
            location=location,
        )
    values = values_at(place, entry.values) if place is not None else {}
    return finding(rule, severity, location=location, **values)
