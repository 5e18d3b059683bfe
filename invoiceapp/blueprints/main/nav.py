"""The menu at the left of every page."""

from __future__ import annotations

import logging
from typing import Any

from flask import has_request_context, request
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import queries

from .blueprint import blueprint
from .links import optional_url

log = logging.getLogger(__name__)


@blueprint.app_context_processor
def menu() -> dict[str, Any]:
    """``nav_items`` and ``scope_label``; empty for visitors, and where the database does not answer."""
    if not has_request_context():
        return {}
    try:
        return _menu() if current_user.is_authenticated else {}
    except SQLAlchemyError as error:
        log.warning("the menu could not be made: %s", type(error).__name__)
        return {}


def _menu() -> dict[str, Any]:
    try:
        adaptor = chosen_adaptor()
    except ServiceError:
        # Somebody else's adaptor in the address: the page itself answers 404.
        adaptor = None
    waiting = queries.counts(adaptor.id)["person"] if adaptor else 0
    wanted = {"adaptor": adaptor.id} if adaptor and "adaptor" in request.args else {}
    return {"nav_items": _items(waiting, wanted), "scope_label": adaptor.name if adaptor else None}


def _items(waiting: int, wanted: dict[str, str]) -> list[dict[str, Any]]:
    screens = (
        ("main.dashboard", _("Dashboard"), "layout-dashboard"),
        ("export.index", _("Manual export"), "file-export"),
        ("runs.index", _("Runs"), "history"),
        ("adaptors.general", _("General"), "settings"),
        ("source.index", _("Source"), "database"),
        ("rules.index", _("Customers"), "users"),
        ("settings.index", _("Common settings"), "adjustments"),
        ("vat.index", _("VAT"), "receipt"),
        ("gateways.index", _("Gateways"), "route"),
        ("rulepacks.index", _("Official rules"), "list-check"),
    )
    items = [
        {
            "label": label,
            "url": optional_url(endpoint, **wanted),
            "icon": icon,
            "active": request.blueprint == endpoint.partition(".")[0],
            "count": waiting if endpoint == "main.dashboard" else None,
        }
        for endpoint, label, icon in screens
    ]
    return [item for item in items if item["url"]]
