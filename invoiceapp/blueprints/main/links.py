"""Addresses of other screens: the menu, and the place where a problem is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from werkzeug.routing import BuildError

from invoiceapp.domain.permissions import Action
from invoiceapp.models import Adaptor, Customer, Document, db
from invoiceapp.services.configuration.settings import OF_THE_ADAPTOR, section_of
from invoiceapp.services.people.access import may, may_configure


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


def fix_link(
    fix: str | None,
    document_id: str,
    customer_id: str | None,
    *,
    on_document: bool = False,
    adaptor_id: str | None = None,
) -> Link | None:
    """Where ``Finding.fix`` is mended: the very field of ours, or the document with its hint to open Billy.

    Settings have the id ``field-<fix>`` on their page. None where the reader is there already, or where nothing is to
    be mended. ``adaptor_id``: whose settings, where that is known; else it is looked up. Who may not change them is
    led there to look.
    """
    if not fix:
        return None
    if fix.startswith("approvals."):
        anchor = f"approval-{fix.partition('.')[2]}"
        return _link("approvals.index", _("See it and approve"), adaptor=adaptor_id, _anchor=anchor)
    if fix.startswith("document."):
        return _other_document(fix.partition(".")[2])
    known = _field_of_ours(fix, document_id, customer_id, adaptor_id)
    if known is not None:
        return known
    if on_document or not document_id:
        return None
    return Link(url_for("documents.show", document_id=document_id), _("See what to correct in Billy"))


def _other_document(document_id: str) -> Link | None:
    """The document that a finding is about; None where it is gone, or the reader may not see it."""
    other = db.session.get(Document, document_id)
    adaptor = db.session.get(Adaptor, other.adaptor_id) if other else None
    if adaptor is None or not may(Action.VIEW, adaptor):
        return None
    return Link(url_for("documents.show", document_id=document_id), _("See the other document"))


def _field_of_ours(fix: str, document_id: str, customer_id: str | None, adaptor_id: str | None) -> Link | None:
    group, _dot, name = fix.rpartition(".")
    place = fix.partition(".")[0]
    may_edit = _may_edit(adaptor_id or _adaptor_of(document_id, customer_id))
    settings = _("Correct the settings") if may_edit else _("See the settings")
    if fix == "customer.approval" and document_id:
        return Link(url_for("documents.show", document_id=document_id), _("Look at it and approve"))
    if fix == "customer.match":
        words = _("Choose the way") if may_edit else _("See the customer")
        return _link("network.customer", words, customer_id=customer_id) if customer_id else None
    if customer_id and (place in ("customer", "formats") or fix in _OF_GATEWAY):
        return _of_customer(group, name, fix, customer_id, may_edit)
    if fix == "source.contact" and customer_id:
        return _link("rules.customer", _("See what to correct in Billy"), customer_id=customer_id)
    of_adaptor = {"adaptor": adaptor_id or _adaptor_of(document_id, customer_id)}
    if fix == "source.organization":
        return _link("source.index", _("See what to correct in Billy"), **of_adaptor)
    if place == "vat":
        return _link(
            "vat.index", _("Choose the VAT category") if may_edit else settings, _anchor=f"field-{fix}", **of_adaptor
        )
    if place == "general" and name in OF_THE_ADAPTOR:
        return _link("adaptors.general", settings, _anchor=f"field-{fix}", **of_adaptor)
    if place in ("supplier", "general") or fix == "gateway.fileName":
        return _link("settings.index", settings, group=place, _anchor=f"field-{fix}", **of_adaptor)
    if place in ("gateway", "gateways"):
        return _link("gateways.index", _("Correct the gateway"))
    return None


#: Settings of a customer, while the other fields of a gateway stand on the gateway's own page.
_OF_GATEWAY = ("gateway.fileName", "gateway.receiverEmail")


def _may_edit(adaptor_id: str | None) -> bool:
    adaptor = db.session.get(Adaptor, adaptor_id) if adaptor_id else None
    return adaptor is None or may_configure(adaptor)


def _of_customer(group: str, name: str, fix: str, customer_id: str, may_edit: bool) -> Link | None:
    # The choice of format and gateway belongs to no group of fields.
    is_choice = fix in ("customer.format", "customer.gateway")
    section, anchor = (name, name) if is_choice else (section_of(group), fix)
    words = _("Correct the customer") if may_edit else _("See the customer")
    return _link("rules.customer", words, customer_id=customer_id, group=section, _anchor=f"field-{anchor}")


def _adaptor_of(document_id: str, customer_id: str | None) -> str | None:
    """Which adaptor's page it is: somebody may have several. Both rows are mostly in the session already."""
    row: Any = (db.session.get(Customer, customer_id) if customer_id else None) or db.session.get(Document, document_id)
    return row.adaptor_id if row else None


def _link(endpoint: str, label: str, **values: Any) -> Link | None:
    url = optional_url(endpoint, **values)
    return Link(url, label) if url else None
