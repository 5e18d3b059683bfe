"""One customer's settings as the page shows them: own values, and what empty ones inherit from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from invoiceapp.blueprints.declared import as_text, group_title, raw_values, typed_values
from invoiceapp.domain.fields import Field
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import adaptors, saving, source_values
from invoiceapp.services.configuration.settings import Origin, declared, resolve_one, stored_in


@dataclass(frozen=True, slots=True)
class Group:
    """One group of settings for ``declared_fields(inherits=true)``; mappings are by field name."""

    name: str
    title: str
    fields: tuple[Field, ...]
    values: Mapping[str, Any]
    inherited: Mapping[str, str]
    origins: Mapping[str, str]
    errors: Mapping[str, Any]


def _inherited(group: str, field: Field, adaptor: Adaptor, from_source: Mapping[str, Any]) -> tuple[str, str]:
    """What an empty value means, and where that comes from."""
    common = resolve_one(group, field.name, adaptor.settings, {})
    if common.origin is Origin.COMMON:
        return as_text(field, common.value), str(_("the common settings"))
    if field.default is not None:
        return as_text(field, field.default), str(_("the built-in default"))
    source = adaptors.catalogue()[adaptor.source_kind].label.da
    return as_text(field, from_source.get(field.name)), source


def raw_settings(customer: Customer, form: Mapping[str, str]) -> dict[str, str]:
    """What was typed, by ``<group>.<field>``."""
    groups = saving.setting_groups(customer.rule)
    return {key: text for group in groups for key, text in raw_values(declared(group), form, f"{group}.").items()}


def groups(
    adaptor: Adaptor,
    customer: Customer,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, Any] | None = None,
) -> list[Group]:
    """All groups with what is stored, or with what was ``typed`` and is wrong."""
    known = {
        "supplier": source_values.of_supplier(adaptor),
        "customer": source_values.of_customer(adaptor, customer),
    }
    stored = customer.rule.settings if customer.rule else {}
    found = []
    for name in saving.setting_groups(customer.rule):
        fields = declared(name)
        inherited = {field.name: _inherited(name, field, adaptor, known.get(name, {})) for field in fields}
        found.append(
            Group(
                name,
                group_title(name),
                fields,
                typed_values(fields, typed, f"{name}.") if typed is not None else stored_in(stored, name),
                {key: text for key, (text, _origin) in inherited.items()},
                {key: origin for key, (_text, origin) in inherited.items()},
                {
                    key.removeprefix(f"{name}."): text
                    for key, text in (errors or {}).items()
                    if key.startswith(f"{name}.")
                },
            )
        )
    return found
