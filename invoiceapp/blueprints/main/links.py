"""Addresses of other screens: the menu, and the place where a problem is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from werkzeug.routing import BuildError


@dataclass(frozen=True, slots=True)
class Link:
    """An address and the words for it."""

    url: str
    label: str


def optional_url(endpoint: str, **values: Any) -> str | None:
    """The address of a screen, or None where this installation does not have it."""
    try:
        return url_for(endpoint, **values)
    except BuildError:
        return None


def fix_link(fix: str | None, document_id: str, customer_id: str | None, *, on_document: bool = False) -> Link | None:
    """Where ``Finding.fix`` is mended: the very field of ours, or the document with its hint to open Billy.

    Fields have the id ``field-<fix>`` on the page that ``declared_fields`` makes. None where the reader is there
    already, or where nothing is to be mended.
    """
    if not fix:
        return None
    known = _field_of_ours(fix, customer_id)
    if known is not None:
        return known
    if on_document:
        return None
    return Link(url_for("documents.show", document_id=document_id), _("See what to correct in Billy"))


def _field_of_ours(fix: str, customer_id: str | None) -> Link | None:
    place, _dot, name = fix.partition(".")
    if place in ("customer", "formats") and customer_id:
        # Format and gateway of a customer stand in another form, whose fields have no group.
        anchor = f"field-{name}" if fix in ("customer.format", "customer.gateway") else f"field-{fix}"
        return _link("rules.customer", _("Correct the customer"), customer_id=customer_id, _anchor=anchor)
    if fix == "source.contact" and customer_id:
        return _link("rules.customer", _("See what to correct in Billy"), customer_id=customer_id)
    if fix == "source.organization":
        return _link("source.index", _("See what to correct in Billy"))
    if place == "vat":
        return _link("vat.index", _("Choose the VAT category"))
    if place in ("supplier", "general"):
        return _link("settings.index", _("Correct the settings"), _anchor=f"field-{fix}")
    if place == "gateway":
        return _link("gateways.index", _("Correct the gateway"))
    return None


def _link(endpoint: str, label: str, **values: Any) -> Link | None:
    url = optional_url(endpoint, **values)
    return Link(url, label) if url else None
