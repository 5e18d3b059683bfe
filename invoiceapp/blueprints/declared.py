"""Declared fields (``domain/fields.py``) between posted forms, stored values and the form macros."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby
from typing import Any

from flask_babel import gettext as _

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import SCHEME_NAMES, Participant
from invoiceapp.formatting import decimal_input, in_language
from invoiceapp.services.configuration.settings import FORMATS, SECTIONS
from invoiceapp.services.export.queries import format_label


def _participant(form: Mapping[str, str], name: str) -> str:
    value = form.get(f"{name}.value", "").strip()
    return f"{form.get(f'{name}.scheme', '')}:{value}" if value else ""


def raw_values(fields: Iterable[Field], form: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """What was typed, by field name with ``prefix``, as ``parse_all`` reads it; only of fields that the form had.

    Of a checkbox and its hidden ``false`` the form gives the first that was posted.
    """
    typed: dict[str, str] = {}
    for field in fields:
        name = prefix + field.name
        if field.type is FieldType.PARTICIPANT:
            if f"{name}.value" in form:
                typed[name] = _participant(form, name)
        elif name in form:
            typed[name] = form[name]
    return typed


def typed_values(fields: Iterable[Field], raw: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    """What was typed as the macros show it again, by field name; never a secret."""
    shown: dict[str, Any] = {}
    for field in fields:
        text = raw.get(prefix + field.name, "")
        if field.secret:
            continue
        if field.type is FieldType.PARTICIPANT:
            scheme, _sep, value = text.partition(":")
            shown[field.name] = {"scheme": scheme, "value": value} if value else None
        elif field.type is FieldType.BOOLEAN and text:
            shown[field.name] = text == "true"
        else:
            shown[field.name] = text
    return shown


def grouped(fields: Iterable[Field]) -> list[tuple[Text | None, list[Field]]]:
    """Fields under the heading that each declares, for the macro ``grouped_fields``."""
    return [(heading, list(items)) for heading, items in groupby(fields, key=lambda field: field.group)]


def saved(released: int) -> str:
    """What to say after settings were kept; ``released`` documents waited for them."""
    if released:
        return str(_("Saved. Documents that waited and are tried again: %(count)s.", count=released))
    return str(_("Saved."))


def group_title(name: str) -> str:
    """The heading of a group of settings."""
    if name in SECTIONS:
        return section_title(name)
    return str(_("Output format: %(name)s", name=in_language(format_label(name.removeprefix(FORMATS)))))


def section_title(name: str) -> str:
    """The heading of a section of a settings page."""
    titles = {
        "general": _("General"),
        "supplier": _("Supplier (you)"),
        "customer": _("Customer (the receiver)"),
        "format": _("Output format"),
        "gateway": _("Gateway"),
    }
    return str(titles[name])


def as_text(field: Field, value: Any) -> str:
    """A stored or effective value in words; "" where there is none."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, Decimal):
        return decimal_input(value)
    if field.type is FieldType.PARTICIPANT:
        return _address(value)
    return in_language(dict(field.choices).get(str(value))) or str(value)


def _address(value: Any) -> str:
    """An electronic address, or whatever a hand in the database has written instead."""
    if isinstance(value, Mapping):
        value = Participant(str(value.get("scheme", "")), str(value.get("value", "")))
    if not isinstance(value, Participant):
        return str(value)
    return f"{SCHEME_NAMES.get(value.scheme, value.scheme)} {value.value}"
