"""Declared fields: forms, validation, masking and documentation come from them.

Sources declare their credentials, transports their configuration and the
settings of ``domain/settings.py`` themselves with ``Field``; no page knows any
of them by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from . import file_names, number_patterns
from .findings import Text
from .identifiers import SCHEME_NAMES, Participant, digits, is_valid_gln, is_valid_iban
from .money import to_decimal

LONGEST_TEXT = 10_000
_LONGEST_ECHO = 60
#: Control characters, and what neither UTF-8 nor XML 1.0 (section 2.2) can carry.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class FieldType(StrEnum):
    """What a field holds, and so which input shows it."""

    TEXT = "text"
    MULTILINE = "multiline"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    EMAIL = "email"
    IBAN = "iban"
    GLN = "gln"
    PARTICIPANT = "participant"
    """An electronic address; in a form two inputs, ``<name>.scheme`` and ``<name>.value``"""
    NUMBER_PATTERN = "number-pattern"
    """How a number looks, ``domain/number_patterns.py``"""
    FILE_NAME = "file-name"
    """A template for file names, ``domain/file_names.py``"""
    DATE = "date"
    """Stored as ISO 8601 text"""
    URL = "url"
    """``https://``, or ``http://`` where the transport allows that; no user name, no fragment"""


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field. ``secret`` fields are encrypted, write-only and masked."""

    name: str
    label: Text
    type: FieldType = FieldType.TEXT
    required: bool = False
    secret: bool = False
    help: Text | None = None
    choices: tuple[tuple[str, Text], ...] = ()
    pattern: str | None = None
    default: Any = None
    smallest: int | None = None
    largest: int | None = None
    term: str | None = None
    """EN 16931 business term"""
    is_address: bool = False
    """Where secrets are sent to: when it changes, they must be entered again"""
    is_individual: bool = False
    """Of a setting: makes sense for one customer only, never for all"""
    is_kept_here: bool = False
    """Of a secret: never shown to the partner, as a private key; it stays when an address changes"""
    group: Text | None = None
    """A heading over it and those that follow; fields of one group stand together"""
    only_when: tuple[str, tuple[str, ...]] | None = None
    """Another field of the form and the values of it with which this one counts: ``("auth", ("basic", "bearer"))``"""

    def counts(self, values: Mapping[str, Any]) -> bool:
        """Whether it counts beside the other ``values``, typed or stored."""
        if self.only_when is None:
            return True
        name, wanted = self.only_when
        value = values.get(name)
        return str(value).lower() in wanted if isinstance(value, bool) else value in wanted


def grouped(heading: Text, fields: Iterable[Field]) -> tuple[Field, ...]:
    """The fields under one heading."""
    return tuple(replace(field, group=heading) for field in fields)


class FieldInvalid(ValueError):
    """A value that a field cannot take; ``text`` says why and how to write it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def _integer(field: Field, raw: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", raw):
        raise FieldInvalid(Text("Skriv et helt tal.", "Enter a whole number."))
    number = int(raw)
    if (field.smallest is not None and number < field.smallest) or (
        field.largest is not None and number > field.largest
    ):
        raise FieldInvalid(
            Text(
                f"Skriv et tal fra {field.smallest} til {field.largest}.",
                f"Enter a number from {field.smallest} to {field.largest}.",
            )
        )
    return number


def _decimal(raw: str) -> Decimal:
    number = to_decimal(raw.replace(",", "."))
    if number is None:
        raise FieldInvalid(Text("Skriv et tal, f.eks. 0,50.", "Enter a number, for example 0.50."))
    return number


#: RFC 5321 mailbox in the plain form; quoted local parts and address lists are refused on purpose.
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


def parse_email(raw: str) -> str:
    """Exactly one mailbox; a comma would silently add receivers."""
    if not _MAILBOX.fullmatch(raw):
        raise FieldInvalid(
            Text(
                "Skriv én e-mailadresse, f.eks. faktura@firma.dk.",
                "Enter one e-mail address, for example invoice@company.dk.",
            )
        )
    return raw


def parse_participant(scheme: str, value: str) -> Participant:
    """A well-formed electronic address."""
    participant = Participant.of(scheme, value)
    if not participant.is_well_formed:
        name = SCHEME_NAMES.get(scheme, scheme)
        raise FieldInvalid(
            Text(f"»{value}« er ikke et gyldigt {name}-nummer.", f"“{value}” is not a valid {name} number.")
        )
    return participant


def _participant(raw: str) -> Participant:
    scheme, _, value = raw.partition(":")
    return parse_participant(scheme, value)


def _iban(raw: str) -> str:
    bare = digits(raw).upper()
    if not is_valid_iban(bare):
        raise FieldInvalid(
            Text(
                "IBAN-nummeret er skrevet forkert, eller kontrolcifrene passer ikke.",
                "The IBAN has a wrong form or wrong check digits.",
            )
        )
    return bare


_TRUE, _FALSE = frozenset(["1", "true", "on", "yes", "y"]), frozenset(["0", "false", "off", "no", "n"])


def _boolean(raw: str) -> bool:
    if raw.lower() not in _TRUE | _FALSE:
        raise FieldInvalid(Text("Vælg ja eller nej.", "Choose yes or no."))
    return raw.lower() in _TRUE


def _gln(raw: str) -> str:
    bare = digits(raw)
    if not is_valid_gln(bare):
        raise FieldInvalid(
            Text(
                "Et EAN/GLN-nummer har 13 cifre, og det sidste er et kontrolciffer. Kontroller cifrene.",
                "An EAN/GLN number has 13 digits, and the last is a check digit. Check the digits.",
            )
        )
    return bare


def _choice(field: Field, raw: str) -> str:
    if raw not in {value for value, _ in field.choices}:
        raise FieldInvalid(Text("Vælg en af mulighederne.", "Choose one of the options."))
    return raw


def _cannot_be(field: Field, raw: str) -> Text:
    rule = field.help or Text("Formen er forkert.", "The form is wrong.")
    if field.secret or len(raw) > _LONGEST_ECHO or not raw.isprintable():
        return rule
    return Text(f"»{raw}« kan ikke bruges her. {rule.da}", f"“{raw}” cannot be used here. {rule.en}")


def _text(field: Field, raw: str) -> str:
    if field.pattern is not None and not re.fullmatch(field.pattern, raw, re.ASCII):
        raise FieldInvalid(_cannot_be(field, raw))
    return raw


def _date(raw: str) -> str:
    try:
        return date.fromisoformat(raw).isoformat()
    except ValueError:
        raise FieldInvalid(Text("Vælg en dato.", "Choose a date.")) from None


def _url(raw: str) -> str:
    try:
        parts = urlsplit(raw)
        is_good = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or parts.username is not None or parts.fragment or re.search(r"[\s\\\"<>]", raw):
        raise FieldInvalid(
            Text(
                "Skriv en adresse, der begynder med https://, uden brugernavn og uden »#«.",
                "Write an address that begins with https://, without user name and without “#”.",
            )
        )
    return raw


def _number_pattern(raw: str) -> str:
    try:
        return number_patterns.check(raw)
    except number_patterns.PatternInvalid as error:
        raise FieldInvalid(error.text) from error


def _file_name(raw: str) -> str:
    try:
        return file_names.check(raw)
    except file_names.TemplateInvalid as error:
        raise FieldInvalid(error.text) from error


_PARSERS: dict[FieldType, Callable[[Field, str], Any]] = {
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: lambda _, raw: _decimal(raw),
    FieldType.BOOLEAN: lambda _, raw: _boolean(raw),
    FieldType.EMAIL: lambda _, raw: parse_email(raw),
    FieldType.PARTICIPANT: lambda _, raw: _participant(raw),
    FieldType.IBAN: lambda _, raw: _iban(raw),
    FieldType.GLN: lambda _, raw: _gln(raw),
    FieldType.CHOICE: _choice,
    FieldType.NUMBER_PATTERN: lambda _, raw: _number_pattern(raw),
    FieldType.FILE_NAME: lambda _, raw: _file_name(raw),
    FieldType.DATE: lambda _, raw: _date(raw),
    FieldType.URL: lambda _, raw: _url(raw),
}


def parse(field: Field, raw: str) -> Any:
    """The value of what a person typed (or a file holds) for one field; None where it is empty.

    Raises ``FieldInvalid``.
    """
    raw = raw if field.secret else raw.strip()
    if not raw:
        if field.required:
            raise FieldInvalid(Text(f"Udfyld »{field.label.da}«.", f"Fill in “{field.label.en}”."))
        return None
    if len(raw) > LONGEST_TEXT:
        raise FieldInvalid(Text("Teksten er for lang.", "The text is too long."))
    if field.type is not FieldType.MULTILINE and not field.secret and _UNPRINTABLE.search(raw):
        raise FieldInvalid(Text("Skriv teksten på én linje.", "Write the text on one line."))
    return _PARSERS.get(field.type, _text)(field, raw)


def parse_all(fields: Iterable[Field], raw: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Text]]:
    """Values and errors by field name. Names that are not declared are ignored (no mass assignment).

    A field that does not count beside what was typed (``only_when``) has its default, whatever was typed in it.
    """
    declared = tuple(fields)
    values: dict[str, Any] = {}
    errors: dict[str, Text] = {}
    counts = counting(declared, _typed(declared, raw))
    for field in declared:
        if field.name not in counts:
            values[field.name] = field.default
            continue
        try:
            value = parse(field, raw.get(field.name, ""))
        except FieldInvalid as error:
            errors[field.name] = error.text
        else:
            values[field.name] = field.default if value is None else value
    return values, errors


def counting(fields: Iterable[Field], values: Mapping[str, Any]) -> frozenset[str]:
    """Names of the fields that count beside ``values``, typed or stored.

    What hangs on a field that does not count does not count either, whatever that field holds.
    """
    declared = {field.name: field for field in fields}

    def counts(field: Field) -> bool:
        above = declared.get(field.only_when[0]) if field.only_when else None
        return field.counts(values) and (above is None or counts(above))

    return frozenset(name for name, field in declared.items() if counts(field))


def _typed(fields: Iterable[Field], raw: Mapping[str, str]) -> dict[str, Any]:
    """What was typed, with the default where nothing was."""
    return {field.name: raw.get(field.name, "").strip() or field.default for field in fields}
