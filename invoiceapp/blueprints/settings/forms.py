"""The common settings as their page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import url_for

from invoiceapp.blueprints.declared import as_text, group_title, section_title
from invoiceapp.domain.fields import Field
from invoiceapp.formatting import in_language
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import adaptors, change_preview, saving, source_values
from invoiceapp.services.configuration.settings import OF_THE_ADAPTOR, SECTIONS, declared, in_section

from .lines import Inherited, Part, Section, Tab, asked_for, examples, lines, place_of, with_typed


def _groups(adaptor: Adaptor, section: str) -> dict[str, list[Field]]:
    """The fields of a section by group; those of the page General are not among them."""
    return {
        group: [one for one in declared(group, common=True) if not (group == "general" and one.name in OF_THE_ADAPTOR)]
        for group in saving.of_section(section, saving.common_groups(adaptor))
    }


def raw_settings(adaptor: Adaptor, section: str, form: Mapping[str, str]) -> dict[str, str]:
    """What a section's form asks for, by ``<group>.<field>``."""
    return asked_for(_groups(adaptor, section), form)


def _inherited(adaptor: Adaptor, group: str) -> Inherited:
    """What the source says, else the built-in default."""
    known = source_values.of_supplier(adaptor) if group == "supplier" else {}
    label = in_language(adaptors.catalogue()[adaptor.source_kind].label)

    def of(one: Field) -> tuple[str, str]:
        if one.name in known:
            return as_text(one, known[one.name]), label
        return as_text(one, one.default), ""

    return of


def section(
    adaptor: Adaptor, name: str, raw: Mapping[str, str] | None = None, errors: Mapping[str, Any] | None = None
) -> Section:
    """A section with what is stored, or with what was typed (``raw``)."""
    own = change_preview.own_values(adaptor.id)
    example = examples("settings", adaptor=adaptor.id)
    parts = []
    for group, fields in _groups(adaptor, name).items():
        found = lines(group, fields, adaptor.settings, _inherited(adaptor, group), example)
        counted = [replace(line, customers=tuple(own.get(place_of(line), ()))) for line in found]
        shown = with_typed(counted, raw, errors or {}) if raw is not None else counted
        parts.append(Part(group_title(group) if name == "format" else "", shown))
    return Section(name, section_title(name), saving.common_version(adaptor, name), parts)


def tabs(adaptor: Adaptor, chosen: str) -> list[Tab]:
    """All sections, with how many values each has."""
    return [
        Tab(
            name, section_title(name), len(in_section(_shown(adaptor), name)),
            url_for("settings.index", adaptor=adaptor.id, group=name), name == chosen,
        )
        for name in SECTIONS
    ]  # fmt: skip


def _shown(adaptor: Adaptor) -> dict[str, Any]:
    """The stored settings without those of the page General."""
    general = adaptor.settings.get("general") or {}
    kept = {key: value for key, value in general.items() if key not in OF_THE_ADAPTOR}
    return {**adaptor.settings, "general": kept}
