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
    """Where ``Finding.fix`` is mended: a field of ours, or the document with its hint to open Billy.

    None where the reader is there already or nothing can be mended here.
    """
    place = (fix or "").partition(".")[0]
    if place == "customer" and customer_id:
        url = optional_url("rules.customer", customer_id=customer_id, _anchor=f"field-{fix}")
        label = _("Correct the customer")
    elif place in ("supplier", "general", "vat"):
        url, label = optional_url("source.index", _anchor=f"field-{fix}"), _("Correct the settings")
    elif place == "gateway":
        url, label = optional_url("gateways.index"), _("Correct the gateway")
    elif place == "source" and not on_document:
        url, label = url_for("documents.show", document_id=document_id), _("See what to correct in Billy")
    else:
        return None
    return Link(url, label) if url else None
