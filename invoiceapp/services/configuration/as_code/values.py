"""Settings and VAT categories between the file and their stored form."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.money import HUNDRED, divide, plain, to_decimal
from invoiceapp.domain.settings import GROUPS, SettingsInvalid, settings_from
from invoiceapp.domain.tax import VatCategory
from invoiceapp.formats.base import registry as formats
from invoiceapp.services.configuration.settings import FORMATS, Place, declared, place

from .sections import Section

#: Of a rate in the file: its name and percentage are for people, and for the page until the source is read.
_RATE = (
    Field("name", Text("Navn", "Name"), FieldType.MULTILINE),
    Field("percent", Text("Sats", "Rate"), FieldType.DECIMAL),
)
_CHOICE = (
    Field("category", Text("Kategori", "Category"), required=True),
    Field("exemptionReason", Text("Fritagelsesgrund", "Exemption reason")),
    Field("exemptionCode", Text("Fritagelseskode", "Exemption code")),
)


@cache
def groups(*, common: bool) -> dict[str, tuple[Field, ...]]:
    """The declared fields of every group, the options of all output formats too."""
    options = [FORMATS + fmt.id for fmt in formats().values() if fmt.options]
    return {group: declared(group, common=common) for group in (*GROUPS, *options)}


@cache
def declared_places(*, common: bool) -> frozenset[Place]:
    """Every place that a file can set."""
    return frozenset(place(group, field.name) for group, fields in groups(common=common).items() for field in fields)


def settings_in(section: Section, *, common: bool = False) -> dict[Place, Any]:
    """What a file's settings ask for, in their stored form. Problems are complained of where they stand."""
    found: dict[Place, Any] = {}
    section.only((*GROUPS, "formats"))
    options = section.section("formats")
    if options is not None:
        options.only([fmt.id for fmt in formats().values() if fmt.options])
    for group, fields in groups(common=common).items():
        is_option = group.startswith(FORMATS)
        holder = options if is_option else section
        inner = holder.section(group.removeprefix(FORMATS)) if holder else None
        if inner is None:
            continue
        _only_common(inner, group, fields)
        for name, value in inner.given(fields).items():
            if value is not None:
                found[place(group, name)] = stored_form(value)
    return found


def _only_common(section: Section, group: str, fields: tuple[Field, ...]) -> None:
    names = {field.name for field in fields}
    individual = {field.name for field in groups(common=False)[group]} - names
    for name in section.entries:
        if name in individual:
            section.complain(
                Text("Kan kun sættes for én kunde ad gangen.", "Can only be set for one customer at a time."), name
            )
    section.only(names | individual)


def stored_form(value: Any) -> Any:
    """The JSON form of a parsed value."""
    return {"scheme": value.scheme, "value": value.value} if isinstance(value, Participant) else value


def vat_in(section: Section) -> dict[str, dict[str, Any]]:
    """The category chosen for each rate, as it is stored."""
    found = {}
    for rate_id, rate in section.sections():
        rate.only([field.name for field in (*_CHOICE, *_RATE)])
        category = rate.required(_CHOICE[0])
        given = rate.given((*_CHOICE[1:], *_RATE))
        if category is None:
            continue
        choice = {
            "category": category,
            "exemptionReason": given.get("exemptionReason"),
            "exemptionCode": given.get("exemptionCode"),
        }
        try:
            settings_from({"vat": {rate_id: choice}})
        except SettingsInvalid as error:
            rate.complain(next(iter(error.errors.values())))
            continue
        _fits(rate, category, given.get("percent"))
        found[rate_id] = choice
    return found


def _fits(rate: Section, category: str, percent: Decimal | None) -> None:
    """BR-S-05 wants a rate above zero for S, BR-Z-05 … BR-O-05 zero for all others."""
    if percent is not None and (percent > 0) != (category == VatCategory.STANDARD):
        rate.complain(
            Text(
                "Kategori S hører til satser over 0 %, de andre til 0 %.",
                "Category S belongs to rates above 0%, the others to 0%.",
            ),
            "category",
        )


def rates_in(section: Section) -> list[dict[str, Any]]:
    """What a file says of the rates themselves, as ``Adaptor.organization`` keeps them until the source is read."""
    found = []
    for rate_id, rate in section.sections():
        name, percent = (rate.entries[field.name].value if field.name in rate.entries else None for field in _RATE)
        number = to_decimal(percent)
        if isinstance(name, str) or number is not None:
            fraction = None if number is None else divide(number, HUNDRED, 12).normalize()
            found.append({"id": rate_id, "name": name if isinstance(name, str) else None, "rate": fraction})
    return found


def settings_out(stored: Mapping[str, Any], *, common: bool) -> dict[str, Any]:
    """Stored settings for the file, in the order of the declarations; what no field declares is left out."""
    found: dict[str, Any] = {}
    for group, fields in groups(common=common).items():
        name = group.removeprefix(FORMATS)
        holder = stored.get("formats") if group.startswith(FORMATS) else stored
        values = holder.get(name) if isinstance(holder, Mapping) else None
        if not isinstance(values, Mapping):
            continue
        set_ = {
            field.name: value_out(values[field.name]) for field in fields if values.get(field.name) not in (None, "")
        }
        if set_ and group.startswith(FORMATS):
            found.setdefault("formats", {})[name] = set_
        elif set_:
            found[name] = set_
    return found


def value_out(value: Any) -> Any:
    """A stored value for the file."""
    return {"scheme": value["scheme"], "value": value["value"]} if isinstance(value, Mapping) else value


def vat_out(stored: Mapping[str, Any], rates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Stored VAT categories for the file, by the id of the rate, with what is known of the rates."""
    found: dict[str, Any] = {}
    for rate_id, choice in sorted((stored.get("vat") or {}).items()):
        fraction = to_decimal(rates.get(rate_id, {}).get("rate"))
        shown = {
            "name": rates.get(rate_id, {}).get("name"),
            "percent": None if fraction is None else Decimal(plain(fraction * HUNDRED)),
            "category": choice.get("category"),
            "exemptionReason": choice.get("exemptionReason"),
            "exemptionCode": choice.get("exemptionCode"),
        }
        found[rate_id] = {name: value for name, value in shown.items() if value not in (None, "")}
    return found
