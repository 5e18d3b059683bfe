"""Stored settings (JSON) as effective ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from invoiceapp.domain.fields import Field, FieldInvalid, FieldType, parse
from invoiceapp.domain.findings import Text
from invoiceapp.domain.tax import VatCategory

from .effective import GROUPS, Settings, VatChoice, camel, fields_of


class SettingsInvalid(ValueError):
    """Settings that cannot be used; ``errors`` maps ``group.name`` to the reason."""

    def __init__(self, errors: dict[str, Text]) -> None:
        super().__init__("; ".join(f"{name}: {text.en}" for name, text in errors.items()))
        self.errors = errors


def _value(declared: Field, stored: object) -> Any:
    """A stored JSON value as the dataclass wants it."""
    if stored is None or stored == "":
        return declared.default
    if declared.type is FieldType.BOOLEAN and isinstance(stored, bool):
        return stored
    if declared.type is FieldType.PARTICIPANT:
        if not isinstance(stored, Mapping):
            raise FieldInvalid(Text("Skal have scheme og value.", "Must have scheme and value."))
        return parse(declared, f"{stored.get('scheme', '')}:{stored.get('value', '')}")
    if isinstance(stored, bool) or not isinstance(stored, str | int | Decimal):
        raise FieldInvalid(Text("Forkert type.", "Wrong type."))
    return parse(declared, str(stored))


_EXEMPTION_REASON = Field("exemptionReason", Text("Fritagelsesgrund", "Exemption reason"), term="BT-120")
_EXEMPTION_CODE = Field(
    "exemptionCode",
    Text("Fritagelseskode", "Exemption code"),
    pattern=r"[A-Za-z0-9-]{1,40}",
    help=Text("Ukendt fritagelseskode.", "Unknown exemption code."),
    term="BT-121",
)


def _vat_choice(stored: object) -> VatChoice:
    if not isinstance(stored, Mapping):
        raise FieldInvalid(Text("Skal have en momskategori.", "Must have a VAT category."))
    try:
        category = VatCategory(str(stored.get("category")))
    except ValueError as error:
        raise FieldInvalid(Text("Ukendt momskategori.", "Unknown VAT category.")) from error
    return VatChoice(
        category,
        exemption_reason=_value(_EXEMPTION_REASON, stored.get("exemptionReason")),
        exemption_code=_value(_EXEMPTION_CODE, stored.get("exemptionCode")),
    )


def _format_options(stored: object, errors: dict[str, Text]) -> dict[str, dict[str, str]]:
    """Options by format; numbers and booleans as people type them."""
    if not isinstance(stored, Mapping) or not all(isinstance(options, Mapping) for options in stored.values()):
        errors["formats"] = Text("Skal være objekter efter formatets navn.", "Must be objects by the format's name.")
        return {}
    return {
        str(format_id): {str(name): _typed(value) for name, value in options.items() if value is not None}
        for format_id, options in stored.items()
    }


def _typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_from(data: Mapping[str, Any]) -> Settings:
    """Settings from their JSON form: groups ``general``, ``supplier``, ``customer``, ``vat``, ``formats``.

    Raises ``SettingsInvalid`` naming every value that cannot be used and every
    name that no setting has.
    """
    errors = {
        name: Text("Ukendt indstilling.", "Unknown setting.")
        for name in data
        if name not in (*GROUPS, "vat", "formats")
    }
    groups: dict[str, Any] = {}
    for group, holder in GROUPS.items():
        stored = data.get(group) or {}
        if not isinstance(stored, Mapping):
            errors[group] = Text("Skal være et objekt.", "Must be an object.")
            continue
        declared = {item.name: item for item in fields_of(group)}
        names = {camel(item.name): item.name for item in dataclasses.fields(holder)}
        values = {}
        for name, value in stored.items():
            if name not in declared:
                errors[f"{group}.{name}"] = Text("Ukendt indstilling.", "Unknown setting.")
                continue
            try:
                values[names[name]] = _value(declared[name], value)
            except FieldInvalid as error:
                errors[f"{group}.{name}"] = error.text
        groups[group] = holder(**values)
    vat: dict[str, VatChoice] = {}
    stored_vat = data.get("vat") or {}
    if not isinstance(stored_vat, Mapping):
        errors["vat"] = Text("Skal være et objekt.", "Must be an object.")
        stored_vat = {}
    for rate_id, stored in stored_vat.items():
        try:
            vat[str(rate_id)] = _vat_choice(stored)
        except FieldInvalid as error:
            errors[f"vat.{rate_id}"] = error.text
    options = _format_options(data.get("formats") or {}, errors)
    if errors:
        raise SettingsInvalid(errors)
    return Settings(vat=vat, formats=options, **groups)
