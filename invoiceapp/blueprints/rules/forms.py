"""One customer's settings as the page shows them: own values, and what empty ones inherit from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from invoiceapp.blueprints.declared import as_text, raw_values, typed_values
from invoiceapp.domain.fields import Field
from invoiceapp.domain.settings import GROUPS, fields_of
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import adaptors, source_values
from invoiceapp.services.configuration.settings import Origin, resolve_one


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


def _titles() -> dict[str, str]:
    return {"general": _("General"), "supplier": _("Supplier (you)"), "customer": _("Customer (the receiver)")}


def _inherited(group: str, field: Field, adaptor: Adaptor, from_source: Mapping[str, Any]) -> tuple[str, str]:
    """What an empty value means, and where that comes from."""
    common = resolve_one(group, field.name, adaptor.settings, {})
    if common.origin is Origin.COMMON:
        return as_text(field, common.value), str(_("the common settings"))
    if field.default is not None:
        return as_text(field, field.default), str(_("the built-in default"))
    source = adaptors.catalogue()[adaptor.source_kind].label.da
    return as_text(field, from_source.get(field.name)), source


def raw_settings(form: Mapping[str, str]) -> dict[str, str]:
    """What was typed, by ``<group>.<field>``."""
    return {key: text for group in GROUPS for key, text in raw_values(fields_of(group), form, f"{group}.").items()}


def groups(
    adaptor: Adaptor,
    customer: Customer,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, Any] | None = None,
) -> list[Group]:
    """All groups with what is stored, or with what was ``typed`` and is wrong."""
    titles = _titles()
    known = {
        "general": {},
        "supplier": source_values.of_supplier(adaptor),
        "customer": source_values.of_customer(adaptor, customer),
    }
    stored = customer.rule.settings if customer.rule else {}
    found = []
    for name in GROUPS:
        fields = fields_of(name)
        inherited = {field.name: _inherited(name, field, adaptor, known[name]) for field in fields}
        found.append(
            Group(
                name,
                titles[name],
                fields,
                typed_values(fields, typed, f"{name}.") if typed is not None else stored.get(name) or {},
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
