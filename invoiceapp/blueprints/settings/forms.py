"""The common settings as their page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invoiceapp.blueprints.declared import as_text, group_title, raw_values, typed_values
from invoiceapp.domain.fields import Field
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import source_values
from invoiceapp.services.configuration.saving import common_groups
from invoiceapp.services.configuration.settings import declared, stored_in


@dataclass(frozen=True, slots=True)
class Group:
    """One group of settings for ``declared_fields``; mappings are by field name."""

    name: str
    title: str
    fields: tuple[Field, ...]
    values: Mapping[str, Any]
    inherited: Mapping[str, str]


def raw_settings(adaptor: Adaptor, form: Mapping[str, str]) -> dict[str, str]:
    """What was typed, by ``<group>.<field>``."""
    return {
        key: text
        for group in common_groups(adaptor)
        for key, text in raw_values(declared(group, common=True), form, f"{group}.").items()
    }


def groups(adaptor: Adaptor, typed: Mapping[str, str] | None = None) -> list[Group]:
    """The groups with what is stored, or with what was ``typed`` and is wrong."""
    known = {"supplier": source_values.of_supplier(adaptor)}
    found = []
    for name in common_groups(adaptor):
        fields = declared(name, common=True)
        values = stored_in(adaptor.settings, name) if typed is None else typed_values(fields, typed, f"{name}.")
        source = known.get(name, {})
        inherited = {field.name: as_text(field, source.get(field.name, field.default)) for field in fields}
        found.append(Group(name, group_title(name), fields, values, inherited))
    return found
