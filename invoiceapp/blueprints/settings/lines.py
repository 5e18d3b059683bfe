"""Settings as their pages show them: sections of lines, each with its own value and what it inherits from where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from invoiceapp.blueprints.declared import as_text, raw_values, typed_values
from invoiceapp.blueprints.main.links import optional_url
from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text
from invoiceapp.formatting import in_language
from invoiceapp.services.configuration.settings import SECTIONS, Place, place, places

#: Which fields have a live example: the view that makes it, and the parameter that it takes.
EXAMPLES = {
    FieldType.NUMBER_PATTERN: ("order_number_example", "pattern"),
    FieldType.FILE_NAME: ("file_name_example", "template"),
}


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored now, beside what a person typed while somebody else saved."""

    text: str
    """"" where nothing is"""
    actor: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One setting. ``key`` is ``<group>.<field>``, the name of its input."""

    key: str
    field: Field
    value: Any
    """What the input holds: the own value, or what was typed"""
    is_own: bool
    """Whether an own value is stored"""
    effective: str
    """The value in force, in words"""
    inherited: str
    """What holds without an own value, in words"""
    origin: str
    """Where that comes from; "" for the built-in default"""
    error: Any = None
    stored: Stored | None = None
    example: tuple[str, str] | None = None
    """Address and parameter of a live example"""
    customers: tuple[tuple[str, str], ...] = ()
    """Of common settings: id and name of customers with a value of their own"""


def _named(label: Text | str, message: Any) -> str:
    return f"{in_language(label)}: {in_language(message)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A select that is no declared field: ``format``, ``gateway``."""

    name: str
    label: str
    options: list[tuple[str, Any]]
    value: str
    error: Any = None
    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Lines under one heading."""

    title: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Section:
    """One form."""

    name: str
    title: str
    version: str
    parts: list[Part]
    choices: list[Choice] = field(default_factory=list)

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Id of the input, and its label with the message, for the summary on top."""
        return [(f"field-{one.name}", _named(one.label, one.error)) for one in self.choices if one.error] + [
            (f"field-{line.key}", _named(line.field.label, line.error))
            for part in self.parts for line in part.lines if line.error
        ]  # fmt: skip

    @property
    def has_own(self) -> bool:
        """Whether anything can be set back."""
        return any(line.is_own for part in self.parts for line in part.lines)


@dataclass(frozen=True, slots=True)
class Tab:
    """A way to another section."""

    name: str
    title: str
    own: int
    """Values of its own"""
    url: str
    is_chosen: bool


Inherited = Callable[[Field], tuple[str, str]]
"""What an empty field means in words, and where that comes from: "" for the built-in default"""

Example = Callable[[Field], tuple[str, str] | None]
"""Where a field's live example is made, and the parameter it takes"""


def examples(screen: str, **values: str) -> Example:
    """The live examples of a screen, where this installation has them."""

    def of(one: Field) -> tuple[str, str] | None:
        endpoint, parameter = EXAMPLES.get(one.type, ("", ""))
        url = optional_url(f"{screen}.{endpoint}", **values) if endpoint else None
        return (url, parameter) if url else None

    return of


def chosen_section(name: str) -> str:
    """The section that an address or a form names, else the first."""
    return name if name in SECTIONS else SECTIONS[0]


def lines(
    group: str, fields: Iterable[Field], settings: Mapping[str, Any], inherited: Inherited, example: Example
) -> list[Line]:
    """The lines of a group with what is stored."""
    stored = places(settings)
    found = []
    for one in fields:
        own, (text, origin) = stored.get(place(group, one.name)), inherited(one)
        is_own = own not in (None, "")
        words = as_text(one, own) if is_own else text
        found.append(Line(f"{group}.{one.name}", one, own, is_own, words, text, origin, example=example(one)))
    return found


def with_typed(found: list[Line], raw: Mapping[str, str], errors: Mapping[str, Any]) -> list[Line]:
    """The lines with what was typed; fields that the form did not have keep what is stored."""
    shown = []
    for line in found:
        typed = typed_values([line.field], {line.field.name: raw[line.key]}) if line.key in raw else {}
        value = typed.get(line.field.name, line.value)
        shown.append(replace(line, value=value, error=errors.get(line.key)))
    return shown


def differs(line: Line, settings: Mapping[str, Any], raw: Mapping[str, str]) -> bool:
    """Whether what was typed for a line is another value than the stored one."""
    if line.key not in raw:
        return False
    group, _dot, name = line.key.rpartition(".")
    try:
        typed = parse(line.field, raw[line.key]) if raw[line.key].strip() else None
    except FieldInvalid:
        return True
    return as_text(line.field, typed) != as_text(line.field, places(settings).get(place(group, name)))


def asked_for(groups: Mapping[str, Iterable[Field]], form: Mapping[str, str]) -> dict[str, str]:
    """What a form asks for, by ``<group>.<field>``: what was typed, without the value or all values to be set back."""
    typed: dict[str, str] = {}
    for group, fields in groups.items():
        typed |= raw_values(fields, form, f"{group}.")
    if "reset_all" in form:
        return dict.fromkeys(typed, "")
    if form.get("reset") in typed:
        typed[form["reset"]] = ""
    return typed


def example_asked_for(section: Section, form: Mapping[str, str], raw: Mapping[str, str]) -> str | None:
    """The address of the example that a form without JavaScript asks for."""
    for line in (line for part in section.parts for line in part.lines):
        if line.example and line.key == form.get("example"):
            url, parameter = line.example
            return f"{url}{'&' if '?' in url else '?'}{urlencode({parameter: raw.get(line.key, '')})}"
    return None


def place_of(line: Line) -> Place:
    """Where a line is stored."""
    group, _dot, name = line.key.rpartition(".")
    return place(group, name)
