"""One customer's settings as its page shows them: own values, and what empty ones inherit from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import as_text, group_title, section_title
from invoiceapp.blueprints.settings.lines import (
    Choice,
    Inherited,
    Part,
    Section,
    Tab,
    asked_for,
    examples,
    lines,
    with_typed,
)
from invoiceapp.domain.fields import Field
from invoiceapp.formatting import in_language
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.configuration import adaptors, rules, saving, source_values
from invoiceapp.services.configuration.settings import SECTIONS, Origin, declared, in_section, resolve_one
from invoiceapp.services.people import usable


def _groups(customer: Customer, section: str) -> dict[str, tuple[Field, ...]]:
    """The fields of a section by group."""
    return {group: declared(group) for group in saving.of_section(section, saving.setting_groups(customer.rule))}


def raw_settings(customer: Customer, section: str, form: Mapping[str, str]) -> dict[str, str]:
    """What a section's form asks for, by ``<group>.<field>``, and ``format`` and ``gateway`` where it had them."""
    chosen = {name: form[name] for name in ("format", "gateway") if form.get(name)}
    return asked_for(_groups(customer, section), form) | chosen


def _inherited(adaptor: Adaptor, customer: Customer, group: str) -> Inherited:
    """The common setting, else what the source says, else the built-in default."""
    known = _known(adaptor, customer, group)
    label = in_language(adaptors.catalogue()[adaptor.source_kind].label)
    gateway = customer.rule.gateway.name if customer.rule else ""

    def of(one: Field) -> tuple[str, str]:
        common = resolve_one(group, one.name, adaptor.settings, {})
        if common.origin is Origin.COMMON:
            return as_text(one, common.value), str(_("the common settings"))
        if one.name in known:
            return as_text(one, known[one.name]), gateway if one.name == "fileName" else label
        return as_text(one, one.default), ""

    return of


def _known(adaptor: Adaptor, customer: Customer, group: str) -> Mapping[str, Any]:
    if group == "supplier":
        return source_values.of_supplier(adaptor)
    if group == "customer":
        return source_values.of_customer(adaptor, customer)
    if group == "gateway":
        return source_values.of_gateway(customer, customer.rule.gateway if customer.rule else None)
    return {}


def section(
    adaptor: Adaptor, customer: Customer, name: str, raw: Mapping[str, str] | None = None,
    errors: Mapping[str, Any] | None = None,
) -> Section:  # fmt: skip
    """A section with what is stored, or with what was typed (``raw``)."""
    stored = customer.rule.settings if customer.rule else {}
    example = examples("rules", customer_id=customer.id)
    parts = []
    for group, fields in _groups(customer, name).items():
        found = lines(group, fields, stored, _inherited(adaptor, customer, group), example)
        shown = with_typed(found, raw, errors or {}) if raw is not None else found
        parts.append(Part(group_title(group) if name == "format" else "", shown))
    choices = _choices(adaptor, customer, name, raw or {}, errors or {})
    return Section(name, section_title(name), saving.customer_version(customer.rule, name), parts, choices)


def _choices(
    adaptor: Adaptor, customer: Customer, name: str, raw: Mapping[str, str], errors: Mapping[str, Any]
) -> list[Choice]:
    """The section's own choice; before the first activation what is proposed.

    Where format and gateway do not fit, or no gateway can be proposed, both stand there: one alone cannot be changed.
    """
    if name not in ("format", "gateway"):
        return []
    rule, rows = customer.rule, usable.gateways(adaptor)
    chosen = {
        "format": rule.format if rule else saving.proposed_format(adaptor, customer),
        "gateway": rule.gateway_id if rule else saving.proposed_gateway(adaptor),
    }
    options: dict[str, list[tuple[str, Any]]] = {
        "format": list(rules.format_choices()),
        "gateway": [("", _("Choose …"))][: not chosen["gateway"]] + [(row.id, row.name) for row in rows],
    }
    both = {"format", "gateway"}
    needs_both = both & {*errors} or both <= {*raw} or not chosen["gateway"]
    return [
        Choice(one, section_title(one), options[one], raw.get(one, chosen[one]), errors.get(one))
        for one in (("format", "gateway") if needs_both else (name,))
        if one == "format" or rows
    ]


def tabs(customer: Customer, chosen: str) -> list[Tab]:
    """All sections, with how many values of its own the customer has in each."""
    stored = customer.rule.settings if customer.rule else {}
    return [
        Tab(
            name, section_title(name), len(in_section(stored, name)),
            url_for("rules.customer", customer_id=customer.id, group=name), name == chosen,
        )
        for name in SECTIONS
    ]  # fmt: skip
