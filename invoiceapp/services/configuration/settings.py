"""The one rule of settings: this customer's override, else the common setting, else the source, else the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from invoiceapp.domain.fields import Field, parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import GROUPS, Settings, SettingsInvalid, fields_of, settings_from
from invoiceapp.domain.settings.general import excludes
from invoiceapp.formats.base import registry as formats
from invoiceapp.services.errors import InvalidInput


class Origin(StrEnum):
    """Where an effective value comes from."""

    CUSTOMER = "customer"
    COMMON = "common"
    SOURCE = "source"
    """empty here, so that the mapping takes what the source says, or the built-in default"""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One effective value in its stored JSON form."""

    value: Any
    origin: Origin


#: Groups of output-format options are named ``formats.<format id>`` and stored under ``formats``.
FORMATS = "formats."


#: What a page of settings is divided into; ``format`` holds the options of output formats.
SECTIONS = ("general", "supplier", "customer", "format", "gateway")
#: General settings that the page of the adaptor shows, beside its name and its schedule, instead of the common settings.
OF_THE_ADAPTOR = frozenset(
    ["documentTypes", "alreadyMailed", "alreadyEinvoiced", "alreadyElsewhere", "holdMinutes", "approveFirst"]
)
#: The group under which the history and the versions keep a customer's choice of ``format`` and ``gateway``.
RULE = "rule"


def section_of(group: str) -> str:
    """The section of a group of settings."""
    return "format" if group.startswith(FORMATS) else group


def declared(group: str, *, common: bool = False) -> tuple[Field, ...]:
    """The declared fields of a group; ``common``: only those that make sense for all customers together.

    Raises ``KeyError`` for a format that this installation does not have.
    """
    if group.startswith(FORMATS):
        return formats()[group.removeprefix(FORMATS)].options
    return tuple(field for field in fields_of(group) if not (common and field.is_individual))


def stored_in(stored: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    """The stored values of a group. Raises ``SettingsInvalid``."""
    if group.startswith(FORMATS):
        return _mapping(_mapping(stored, "formats"), group.removeprefix(FORMATS))
    return _mapping(stored, group)


def _mapping(stored: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Raises ``SettingsInvalid`` for what only a hand in the database can have written."""
    value = stored.get(name) or {}
    if not isinstance(value, Mapping):
        raise SettingsInvalid({name: Text("Skal være et objekt.", "Must be an object.")})
    return value


#: Where a stored value stands: ("customer", "orderNumber"), ("formats", "edifact-d96a", "lineEnds"), ("vat", "<rate id>").
Place = tuple[str, ...]


def place(group: str, name: str) -> Place:
    """Where a field of a group is stored."""
    return ("formats", group.removeprefix(FORMATS), name) if group.startswith(FORMATS) else (group, name)


def places(settings: Mapping[str, Any]) -> dict[Place, Any]:
    """All values of stored settings by their place; what has a wrong shape is left out."""
    found: dict[Place, Any] = {}
    for group, stored in settings.items():
        for name, value in stored.items() if isinstance(stored, Mapping) else ():
            if group != "formats":
                found[group, name] = value
            elif isinstance(value, Mapping):
                found |= {(group, name, option): chosen for option, chosen in value.items()}
    return found


def in_section(settings: Mapping[str, Any], section: str | None) -> dict[str, Any]:
    """The stored values of one section (None: of all), by their place joined with dots: what ``versions`` compare."""
    return {".".join(found): value for found, value in places(settings).items() if section in (None, section_at(found))}


def section_at(found: Place) -> str:
    """The section of a page on which a stored value stands."""
    if found[0] == RULE:
        return found[1]
    return "format" if found[0] == "formats" else found[0]


def applied(settings: Mapping[str, Any], wanted: Mapping[Place, Any]) -> dict[str, Any]:
    """Stored settings in which the ``wanted`` values hold; None takes one out. Empty groups disappear."""
    result = places(settings) | dict(wanted)
    nested: dict[str, Any] = {}
    for found in sorted(found for found, value in result.items() if value is not None):
        holder = nested
        for name in found[:-1]:
            holder = holder.setdefault(name, {})
        holder[found[-1]] = result[found]
    return nested


def _is_set(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) not in (None, "")


def resolve_one(group: str, name: str, common: Mapping[str, Any], override: Mapping[str, Any]) -> Resolved:
    """The effective value of one field."""
    for origin, values in ((Origin.CUSTOMER, stored_in(override, group)), (Origin.COMMON, stored_in(common, group))):
        if _is_set(values, name):
            return Resolved(values[name], origin)
    return Resolved(None, Origin.SOURCE)


def is_excluded(kind: DocumentType, common: Mapping[str, Any], override: Mapping[str, Any]) -> bool:
    """``excludes`` with the effective setting. Settings that cannot be used leave nothing out: conversion says what is wrong."""
    try:
        value = resolve_one("general", "documentTypes", common, override).value
    except SettingsInvalid:
        return False
    return excludes(str(value or ""), kind)


def resolve(common: Mapping[str, Any], override: Mapping[str, Any]) -> Settings:
    """All effective settings for one customer. Raises ``SettingsInvalid``."""
    merged: dict[str, Any] = {
        "vat": {**_mapping(common, "vat"), **_mapping(override, "vat")},
        **{group: _resolved(group, common, override) for group in GROUPS},
        "formats": {name: _resolved(FORMATS + name, common, override) for name in formats()},
    }
    return settings_from(merged)


def _resolved(group: str, common: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    found = {field.name: resolve_one(group, field.name, common, override) for field in declared(group)}
    return {name: one.value for name, one in found.items() if one.origin is not Origin.SOURCE}


def _as_stored(value: Any) -> Any:
    """The JSON form of a parsed value."""
    return {"scheme": value.scheme, "value": value.value} if isinstance(value, Participant) else value


def from_form(groups: Iterable[str], raw: Mapping[str, str], *, common: bool = False) -> dict[Place, Any]:
    """What form values named ``<group>.<field>`` ask for, by place; None (inherit) where a field was left empty.

    Fields that the form did not have are not in it: a page that was opened
    before another format was chosen lacks the new format's options, and saving
    it must not clear them. ``common``: of the fields that make sense for all
    customers together. Raises ``InvalidInput``, its errors by the same names.
    """
    wanted: dict[Place, Any] = {}
    errors: dict[str, Text] = {}
    for group in groups:
        fields = [field for field in declared(group, common=common) if f"{group}.{field.name}" in raw]
        typed = {field.name: raw[f"{group}.{field.name}"] for field in fields}
        values, wrong = parse_all(fields, typed)
        errors |= {f"{group}.{name}": text for name, text in wrong.items()}
        wanted |= {
            place(group, name): _as_stored(value) if typed[name].strip() else None for name, value in values.items()
        }
    if errors:
        raise InvalidInput(errors)
    return wanted
