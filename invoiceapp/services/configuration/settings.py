"""The one rule of settings: this customer's override, else the common setting, else the source, else the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from invoiceapp.domain.fields import Field, parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.settings import GROUPS, Settings, SettingsInvalid, fields_of, settings_from
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


def declared(group: str) -> tuple[Field, ...]:
    """The declared fields of a group. Raises ``KeyError`` for a format that this installation does not have."""
    if group.startswith(FORMATS):
        return formats()[group.removeprefix(FORMATS)].options
    return fields_of(group)


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


def with_groups(
    stored: Mapping[str, Any], new: Mapping[str, Mapping[str, Any]], groups: Iterable[str]
) -> dict[str, Any]:
    """Stored settings in which ``groups`` hold what is ``new``, and nothing else of what they held."""
    kept = dict(stored)
    options = dict(stored.get("formats") or {})
    for group in groups:
        holder, name = (options, group.removeprefix(FORMATS)) if group.startswith(FORMATS) else (kept, group)
        holder.pop(name, None)
        if new.get(group):
            holder[name] = dict(new[group])
    kept.pop("formats", None)
    return {**kept, "formats": options} if options else kept


def _is_set(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) not in (None, "")


def resolve_one(group: str, name: str, common: Mapping[str, Any], override: Mapping[str, Any]) -> Resolved:
    """The effective value of one field."""
    for origin, values in ((Origin.CUSTOMER, stored_in(override, group)), (Origin.COMMON, stored_in(common, group))):
        if _is_set(values, name):
            return Resolved(values[name], origin)
    return Resolved(None, Origin.SOURCE)


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


def posted(groups: Iterable[str], form: Mapping[str, str]) -> tuple[str, ...]:
    """The groups that a form had fields of. A page that was opened before another format was chosen lacks the new
    format's options, and saving it must not clear them."""
    return tuple(group for group in groups if any(name.startswith(f"{group}.") for name in form))


def from_form(groups: Iterable[str], raw: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Settings as they are stored, from form values named ``<group>.<field>``; empty ones are left out (inherit).

    Raises ``InvalidInput``, its errors by the same names.
    """
    stored: dict[str, dict[str, Any]] = {}
    errors: dict[str, Text] = {}
    for group in groups:
        fields = declared(group)
        typed = {field.name: raw.get(f"{group}.{field.name}", "") for field in fields}
        values, wrong = parse_all(fields, typed)
        errors |= {f"{group}.{name}": text for name, text in wrong.items()}
        given = {name: _as_stored(value) for name, value in values.items() if typed[name].strip()}
        if given:
            stored[group] = given
    if errors:
        raise InvalidInput(errors)
    return stored
