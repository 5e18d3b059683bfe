"""The error book: what each rule means to an accountant, in Danish and English.

One TOML file a family of rules. An entry holds the two texts, whose turn it is,
the business term and the field to mend. Texts have places for the actual
values, ``{value}`` or ``{line}``: built-in rules fill them from the model,
``explain`` fills them from the document that an official rule set judged, at
the place it complained of or by the entry's own XPath (``values``).

What a document does not say must not leave a hole in a sentence. A part in
``[…]`` goes where one of its places is empty, and so do the quotes or brackets
around an empty place; ``_WORDS`` stand for parties and lines without a name.
``also`` lists further rules that mean the same, each with its own business
term where it has one (``"BR-DEC-10 BT-107"``). A rule that ends in ``*``
explains the rules of a family that have no entry of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from lxml import etree

from invoiceapp.domain.findings import Finding, Severity, Text, Turn
from invoiceapp.domain.money import danish, fixed2

#: A value that fills a place: text in both languages, one text for both, or an amount.
Value = Text | str | Decimal | int | None

_PLACE = re.compile(r"\{(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*\{\w+\}[^\[\]]*)\]")
_ENCLOSED = re.compile(r" ?(?:\(»\{\w+\}«\)|\(“\{\w+\}”\)|»\{\w+\}«|“\{\w+\}”|\(\{\w+\}\))")
#: A preposition whose object would be missing.
_ORPHANED = re.compile(r" (?:på|af|of|for) \{(\w+)\}")
_LONGEST_VALUE = 80
#: Further lines that a text lists by number.
_MOST_LINES = 5
_NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
}
_LINE = "ancestor-or-self::*[self::cac:InvoiceLine or self::cac:CreditNoteLine or self::ram:IncludedSupplyChainTradeLineItem]"
#: What every place of a document says, in UBL and CII, by the names that all entries may use.
_XPATHS = {
    "value": "string(self::*[not(*)])",
    "element": "local-name()",
    "line": f"string({_LINE}/cbc:ID | {_LINE}/ram:AssociatedDocumentLineDocument/ram:LineID)",
    "item": f"string({_LINE}/cac:Item/cbc:Name | {_LINE}/ram:SpecifiedTradeProduct/ram:Name)",
    "seller": "string(//cac:AccountingSupplierParty/cac:Party/*/*[self::cbc:Name or self::cbc:RegistrationName]"
    " | //ram:SellerTradeParty/ram:Name)",
    "buyer": "string(//cac:AccountingCustomerParty/cac:Party/*/*[self::cbc:Name or self::cbc:RegistrationName]"
    " | //ram:BuyerTradeParty/ram:Name)",
}
_PARTIES = {
    "supplier": "boolean(ancestor-or-self::cac:AccountingSupplierParty | ancestor-or-self::ram:SellerTradeParty)",
    "customer": "boolean(ancestor-or-self::cac:AccountingCustomerParty | ancestor-or-self::ram:BuyerTradeParty)",
}
_WHOSE = {"supplier": Text("jeres", "your"), "customer": Text("kundens", "the customer's")}
#: What a place says where the document says nothing.
_WORDS = {
    "buyer": Text("kunden", "the customer"),
    "seller": Text("jeres virksomhed", "your company"),
    "whose": Text("en parts", "a party's"),
    "line": Text("uden nummer", "without a number"),
    "ours": Text(
        "Det kan ikke rettes i Billy: Send reglens navn til den, der driver systemet.",
        "It cannot be corrected in Billy: send the rule's name to whoever runs this installation.",
    ),
}
_UNSAID = Text("ikke angivet", "not stated")


@dataclass(frozen=True, slots=True)
class Entry:
    """What the book says of one rule."""

    rule: str
    text: Text
    turn: Turn
    term: str | None = None
    fix: str | None = None
    """``{party}`` in it is ``customer`` or ``supplier``: the side that the place belongs to"""
    values: Mapping[str, str] = field(default_factory=dict)
    """XPath 1.0 by place, from the element that an official rule set names"""
    fixes: Mapping[str, str] = field(default_factory=dict)
    """Other fields to mend by where that element is: ``supplier``, ``customer`` or an XPath 1.0; the first that holds"""

    @property
    def places(self) -> set[str]:
        """The values that the texts ask for."""
        return set(_PLACE.findall(self.text.da) + _PLACE.findall(self.text.en))

    def fix_at(self, place: etree._Element | None) -> str | None:
        """The field to mend; None where it depends on the party and nobody knows which."""
        fix, party = self.fix, None
        if place is not None:
            fix = next((fix for where, fix in self.fixes.items() if _is_at(place, where)), fix)
            party = _party_at(place)
        if fix is None or "{party}" not in fix:
            return fix
        return fix.replace("{party}", party) if party else None


_UNKNOWN = Entry(
    "*",
    Text(
        "Dokumentet overtræder reglen {rule}, som vi ikke har en forklaring på.[ Reglen siger: {official}]",
        "The document breaks rule {rule}, for which we have no explanation.[ The rule says: {official}]",
    ),
    Turn.OPERATOR,
)


def _read(path: Path) -> Iterator[Entry]:
    for rule, data in tomllib.loads(path.read_text(encoding="utf-8")).items():
        text, turn, fix = Text(data["da"], data["en"]), Turn(data["turn"]), data.get("fix")
        term, values, fixes = data.get("term"), data.get("values") or {}, data.get("fixes") or {}
        yield Entry(rule, text, turn, term, fix, values, fixes)
        for also in data.get("also") or ():
            other, _, own_term = also.partition(" ")
            yield Entry(other, text, turn, own_term or term, fix, values, fixes)


@cache
def entries() -> dict[str, Entry]:
    """The whole book by rule id. Raises ``ValueError`` for a rule that is explained twice."""
    found: dict[str, Entry] = {}
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        for entry in _read(path):
            if entry.rule in found:
                raise ValueError(f"{path.name} explains {entry.rule} a second time")
            found[entry.rule] = entry
    return found


@cache
def entry_of(rule: str) -> Entry | None:
    """The entry of a rule, or of the nearest family that it belongs to."""
    known = entries()
    if rule in known:
        return known[rule]
    families = [name for name in known if name.endswith("*") and rule.startswith(name[:-1])]
    return known[max(families, key=len)] if families else None


def _in(language: str, value: Value) -> str:
    if isinstance(value, Text):
        return value.in_language(language)
    if isinstance(value, Decimal):
        return danish(value) if language == "da" else fixed2(value)
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _capital(word: str, before: str) -> str:
    """A word of ours with a capital where it begins a sentence."""
    return word[:1].upper() + word[1:] if not before or before.endswith((". ", "? ")) else word


def _word(name: str, language: str, before: str) -> str:
    """What stands for an empty place."""
    unsaid = _UNSAID if before.endswith((" er ", " is ", " are ")) else None
    return _capital(_in(language, _WORDS.get(name, unsaid)), before)


def _without_holes(template: str, language: str, empty: set[str]) -> str:
    """The text without the parts that would speak of empty places."""

    def keep(part: re.Match[str]) -> str:
        return "" if empty.intersection(_PLACE.findall(part[0])) else part[0]

    text = _OPTIONAL.sub(lambda part: keep(part)[1:-1], template)
    text = _ENCLOSED.sub(keep, text)
    text = _ORPHANED.sub(lambda part: part[0] if part[1] in _WORDS else keep(part), text)
    text = _PLACE.sub(
        lambda place: _word(place[1], language, text[: place.start()]) if place[1] in empty else place[0], text
    )
    return re.sub(r" ([.,:;])", r"\1", re.sub(r" {2,}", " ", text)).strip()


def _filled(template: str, language: str, values: Mapping[str, Value]) -> str:
    """The text with its values; what a document says is repeated as it is."""
    said = {name: _in(language, values.get(name)) for name in _PLACE.findall(template)}

    def fill(place: re.Match[str]) -> str:
        ours = isinstance(values.get(place[1]), Text)
        return _capital(said[place[1]], place.string[: place.start()]) if ours else said[place[1]]

    return _PLACE.sub(fill, _without_holes(template, language, {name for name in said if not said[name]}))


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
    entry = entry_of(rule)
    if entry is None:
        raise KeyError(rule)
    return _finding(entry, rule, severity, term=term, fix=fix or entry.fix_at(None), location=location, values=values)


def _finding(
    entry: Entry,
    rule: str,
    severity: Severity,
    *,
    term: str | None = None,
    fix: str | None,
    location: str | None,
    values: Mapping[str, Value],
) -> Finding:
    text = Text(_filled(entry.text.da, "da", values), _filled(entry.text.en, "en", values))
    return Finding(rule, severity, text, entry.turn, term or entry.term, location, fix)


def _amount(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() and abs(number) < Decimal(10) ** 15 else text


def _said(found: Any) -> Value:
    """What an XPath found: an amount as a number, so that each language writes it its own way, all else as text."""
    if isinstance(found, list):
        return _said(found[0]) if found else None
    if isinstance(found, etree._Element):
        text = " ".join("".join(str(part) for part in found.itertext()).split())
        return _amount(text) if etree.QName(found).localname.endswith("Amount") else text
    if isinstance(found, float):
        return _amount(f"{found:.2f}") if isfinite(found) else None
    return " ".join(str(found).split())


def values_at(place: etree._Element, wanted: Mapping[str, str]) -> dict[str, Value]:
    """What the document says at a place, by XPath."""
    return {name: _said(place.xpath(xpath, namespaces=_NAMESPACES)) for name, xpath in wanted.items()}


def _is_at(place: etree._Element, where: str) -> bool:
    return bool(place.xpath(_PARTIES.get(where, f"boolean({where})"), namespaces=_NAMESPACES))


def _party_at(place: etree._Element) -> str | None:
    return next((name for name in _PARTIES if _is_at(place, name)), None)


def _listed(words: Sequence[str], conjunction: str) -> str:
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}" if len(words) > 1 else words[0]


def _elsewhere(place: etree._Element | None, others: Sequence[etree._Element], more: int) -> Text | None:
    """The sentence about further places: by line where there are few and all are lines."""
    if not more:
        return None
    lines = [str(values_at(other, {"line": _XPATHS["line"]})["line"]) for other in others[:_MOST_LINES]]
    first = str(values_at(place, {"line": _XPATHS["line"]})["line"]) if place is not None else ""
    lines = [line for line in dict.fromkeys(lines) if line != first]
    if lines and len(lines) == more and all(lines):
        plural = "lines" if more > 1 else "line"
        return Text(
            f"Det samme gælder linje {_listed(lines, 'og')}.", f"The same holds for {plural} {_listed(lines, 'and')}."
        )
    if more == 1:
        return Text("Det samme gælder et sted mere.", "The same holds in one more place.")
    return Text(f"Det samme gælder {more} andre steder.", f"The same holds in {more} other places.")


def explain(
    rule: str,
    severity: Severity,
    official: str,
    location: str | None,
    place: etree._Element | None,
    others: Sequence[etree._Element] = (),
    more: int = 0,
) -> Finding:
    """The finding for what an official rule set said of a document; ``place`` is the element it named, where found.

    ``more`` is the number of further places that it complained of, ``others`` the first of them. A rule that the book
    does not know is told in the rule set's own words.
    """
    entry = _with_more(entry_of(rule) or _UNKNOWN)
    said = f"{official.rstrip(' .:')}." if official else ""
    values: dict[str, Value] = {
        "rule": rule,
        "official": Text(said, said),
        "more": _elsewhere(place, others, more),
    }
    if place is not None:
        xpaths = {**_XPATHS, **entry.values}
        values |= values_at(place, {name: xpaths[name] for name in sorted(entry.places & xpaths.keys())})
        values["whose"] = _WHOSE.get(_party_at(place) or "")
    return _finding(entry, rule, severity, fix=entry.fix_at(place), location=location, values=values)


def _with_more(entry: Entry) -> Entry:
    """The entry with room for the sentence about further places: before the one that says whom to tell."""

    def room(text: str) -> str:
        head, ours, tail = text.partition(" {ours}")
        return f"{head}[ {{more}}]{ours}{tail}"

    return replace(entry, text=Text(room(entry.text.da), room(entry.text.en)))
