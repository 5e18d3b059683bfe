"""The common settings as the source page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from invoiceapp.blueprints.declared import as_text, group_title, raw_values, typed_values
from invoiceapp.domain.fields import Field
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import source_values
from invoiceapp.services.configuration.adaptors import INTERVALS, common_groups
from invoiceapp.services.configuration.settings import declared, posted, stored_in


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
        for group in posted(common_groups(adaptor), form)
        for key, text in raw_values(declared(group), form, f"{group}.").items()
    }


def groups(adaptor: Adaptor, typed: Mapping[str, str] | None = None) -> list[Group]:
    """The groups with what is stored, or with what was ``typed`` and is wrong."""
    known = {"supplier": source_values.of_supplier(adaptor)}
    found = []
    for name in common_groups(adaptor):
        fields = declared(name)
        values = stored_in(adaptor.settings, name) if typed is None else typed_values(fields, typed, f"{name}.")
        source = known.get(name, {})
        inherited = {field.name: as_text(field, source.get(field.name, field.default)) for field in fields}
        found.append(Group(name, group_title(name), fields, values, inherited))
    return found


def _every(minutes: int) -> str:
    if minutes == 60:
        return str(_("Every hour"))
    if minutes == 24 * 60:
        return str(_("Once a day"))
    return str(_("Every %(minutes)s minutes", minutes=minutes))


def intervals(current: int | None) -> list[tuple[str, str]]:
    """Choices of the schedule: minutes and words, an unusual current one among them."""
    offered = sorted({*INTERVALS, *([current] if current else [])})
    return [("", str(_("Only by hand"))), *((str(minutes), _every(minutes)) for minutes in offered)]
