"""Addresses of other screens: the menu, and the place where a problem is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from werkzeug.routing import BuildError

from invoiceapp.models import Customer, Document, db
from invoiceapp.services.configuration.settings import OF_THE_ADAPTOR, section_of


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

    Settings have the id ``field-<fix>`` on their page. None where the reader is there already, or where nothing is to
    be mended.
    """
    if not fix:
        return None
    known = _field_of_ours(fix, document_id, customer_id)
    if known is not None:
        return known
    if on_document:
        return None
    return Link(url_for("documents.show", document_id=document_id), _("See what to correct in Billy"))


def _field_of_ours(fix: str, document_id: str, customer_id: str | None) -> Link | None:
    group, _dot, name = fix.rpartition(".")
    place = fix.partition(".")[0]
    if fix == "customer.approval":
        return Link(url_for("documents.show", document_id=document_id), _("Look at it and approve"))
    if customer_id and (place in ("customer", "formats") or fix in _OF_GATEWAY):
        return _of_customer(group, name, fix, customer_id)
    if fix == "source.contact" and customer_id:
        return _link("rules.customer", _("See what to correct in Billy"), customer_id=customer_id)
    of_adaptor = {"adaptor": _adaptor_of(document_id, customer_id)}
    if fix == "source.organization":
        return _link("source.index", _("See what to correct in Billy"), **of_adaptor)
    if place == "vat":
        return _link("vat.index", _("Choose the VAT category"), _anchor=f"field-{fix}", **of_adaptor)
    if place == "general" and name in OF_THE_ADAPTOR:
        return _link("adaptors.general", _("Correct the settings"), _anchor=f"field-{fix}", **of_adaptor)
    if place in ("supplier", "general") or fix == "gateway.fileName":
        return _link("settings.index", _("Correct the settings"), group=place, _anchor=f"field-{fix}", **of_adaptor)
    if place == "gateway":
        return _link("gateways.index", _("Correct the gateway"))
    return None


#: Settings of a customer, while the other fields of a gateway stand on the gateway's own page.
_OF_GATEWAY = ("gateway.fileName", "gateway.receiverEmail")


def _of_customer(group: str, name: str, fix: str, customer_id: str) -> Link | None:
    # The choice of format and gateway belongs to no group of fields.
    is_choice = fix in ("customer.format", "customer.gateway")
    section, anchor = (name, name) if is_choice else (section_of(group), fix)
    return _link(
        "rules.customer", _("Correct the customer"), customer_id=customer_id, group=section, _anchor=f"field-{anchor}"
    )


def _adaptor_of(document_id: str, customer_id: str | None) -> str | None:
    """Which adaptor's page it is: somebody may have several. Both rows are mostly in the session already."""
    row: Any = (db.session.get(Customer, customer_id) if customer_id else None) or db.session.get(Document, document_id)
    return row.adaptor_id if row else None


def _link(endpoint: str, label: str, **values: Any) -> Link | None:
    url = optional_url(endpoint, **values)
    return Link(url, label) if url else None
