"""The one rule of settings: this customer's override, else the common setting, else the source, else the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from invoiceapp.domain.fields import Field, parse_all
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.settings import GROUPS, Settings, fields_of, settings_from
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


def _is_set(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) not in (None, "")


def resolve_one(group: str, name: str, common: Mapping[str, Any], override: Mapping[str, Any]) -> Resolved:
    """The effective value of one field."""
    for origin, values in ((Origin.CUSTOMER, override.get(group) or {}), (Origin.COMMON, common.get(group) or {})):
        if _is_set(values, name):
            return Resolved(values[name], origin)
    return Resolved(None, Origin.SOURCE)


def _format_options(common: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    return {
        format_id: {
            **(common.get(format_id) or {}),
            **{name: value for name, value in (override.get(format_id) or {}).items() if value not in (None, "")},
        }
        for format_id in {**common, **override}
    }


def resolve(common: Mapping[str, Any], override: Mapping[str, Any]) -> Settings:
    """All effective settings for one customer. Raises ``SettingsInvalid``."""
    merged: dict[str, Any] = {
        "vat": {**(common.get("vat") or {}), **(override.get("vat") or {})},
        "formats": _format_options(common.get("formats") or {}, override.get("formats") or {}),
    }
    for group in GROUPS:
        merged[group] = {}
        for field in fields_of(group):
            resolved = resolve_one(group, field.name, common, override)
            if resolved.origin is not Origin.SOURCE:
                merged[group][field.name] = resolved.value
    return settings_from(merged)


def _as_stored(value: Any) -> Any:
    """The JSON form of a parsed value."""
    return {"scheme": value.scheme, "value": value.value} if isinstance(value, Participant) else value


def from_form(groups: Iterable[str], raw: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Settings as they are stored, from form values named ``<group>.<field>``; empty ones are left out (inherit).

    Raises ``InvalidInput``, its errors by the same names.
    """
    stored: dict[str, dict[str, Any]] = {}
    errors: dict[str, Text] = {}
    for group in groups:
        fields: tuple[Field, ...] = fields_of(group)
        typed = {field.name: raw.get(f"{group}.{field.name}", "") for field in fields}
        values, wrong = parse_all(fields, typed)
        errors |= {f"{group}.{name}": text for name, text in wrong.items()}
        given = {name: _as_stored(value) for name, value in values.items() if typed[name].strip()}
        if given:
            stored[group] = given
    if errors:
        raise InvalidInput(errors)
    return stored
