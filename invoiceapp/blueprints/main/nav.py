"""The menu at the left of every page."""

from __future__ import annotations

import logging
from typing import Any

from flask import has_request_context, request
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.models import Adaptor
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import queries, standing
from invoiceapp.services.people import access

from .blueprint import blueprint
from .links import optional_url

log = logging.getLogger(__name__)


@blueprint.app_context_processor
def menu() -> dict[str, Any]:
    """``nav_items``, ``nav_adaptors``, ``scope_label`` and ``at_rest``; empty for visitors, and where the database does not answer."""
    if not has_request_context():
        return {}
    try:
        return _menu() if current_user.is_authenticated else {}
    except SQLAlchemyError as error:
        log.warning("the menu could not be made: %s", type(error).__name__)
        return {}


def _menu() -> dict[str, Any]:
    try:
        adaptor, others = chosen_adaptor(), access.adaptors()
    except ServiceError:
        # Somebody else's adaptor in the address: the page itself answers 404.
        adaptor, others = None, []
    waiting = queries.counts(adaptor.id)["person"] if adaptor else 0
    is_deleted = adaptor is not None and adaptor.deleted_at is not None
    # With one adaptor the addresses stay short; with several, every link keeps to the one that is shown.
    named = {"adaptor": adaptor.id} if adaptor and (len(others) > 1 or "adaptor" in request.args) else {}
    label = _("%(name)s (deleted)", name=adaptor.name) if adaptor and is_deleted else adaptor.name if adaptor else None
    return {
        "nav_items": _items(waiting, named, {} if is_deleted else named),
        "nav_adaptors": _switch(adaptor, others) if len(others) + is_deleted > 1 else [],
        "scope_label": label,
        "at_rest": _at_rest(adaptor),
    }


#: Whose pages say that the adaptor is switched off. Pages of adaptors and documents say it in words of their own.
_OF_ONE_ADAPTOR = frozenset({"main", "export", "runs", "source", "rules", "settings", "vat", "readiness"})


def _at_rest(adaptor: Adaptor | None) -> dict[str, Any] | None:
    """Of an adaptor that reads and sends nothing, on its pages: ``is_deleted``, and ``url``, where it is activated again."""
    if adaptor is None or request.blueprint not in _OF_ONE_ADAPTOR or standing.is_working(adaptor):
        return None
    is_deleted = adaptor.deleted_at is not None
    may_wake = not is_deleted and access.may_configure()
    return {"is_deleted": is_deleted, "url": optional_url("adaptors.index", _anchor="mine") if may_wake else None}


def _screens() -> tuple[tuple[str, str, str, str], ...]:
    """Endpoint, words and icon, under their heading."""
    daily, set_up, shared = _("Daily"), _("Set up"), _("Shared by all adaptors")
    return (
        (daily, "main.dashboard", _("Dashboard"), "layout-dashboard"),
        (daily, "export.index", _("Manual export"), "file-export"),
        (daily, "runs.index", _("Runs"), "history"),
        (set_up, "adaptors.index", _("Adaptors"), "plug"),
        (set_up, "adaptors.general", _("General"), "settings"),
        (set_up, "source.index", _("Source"), "database"),
        (set_up, "rules.index", _("Customers"), "users"),
        (set_up, "settings.index", _("Common settings"), "pencil"),
        (set_up, "vat.index", _("VAT"), "receipt"),
        (set_up, "readiness.index", _("Readiness"), "circle-check"),
        (shared, "gateways.index", _("Gateways"), "route"),
        (shared, "rulepacks.index", _("Official rules"), "list-check"),
    )


#: Screens of one blueprint: which of its pages belong to which line of the menu.
_GENERAL = frozenset({"adaptors.general", "adaptors.save_general", "adaptors.save_schedule"})


def _is_active(endpoint: str) -> bool:
    if request.blueprint == "adaptors":
        return endpoint == ("adaptors.general" if request.endpoint in _GENERAL else "adaptors.index")
    return request.blueprint == endpoint.partition(".")[0]


def _items(waiting: int, daily: dict[str, str], set_up: dict[str, str]) -> list[dict[str, Any]]:
    """The lines, each with its heading. A deleted adaptor has documents to look at, and nothing to set up."""
    items = [
        {
            "group": group,
            "label": label,
            "url": optional_url(endpoint, **(daily if position < _DAILY else set_up)),
            "icon": icon,
            "active": _is_active(endpoint),
            "count": waiting if endpoint == "main.dashboard" else None,
        }
        for position, (group, endpoint, label, icon) in enumerate(_screens())
    ]
    return [item for item in items if item["url"]]


#: Lines under the first heading.
_DAILY = 3
#: Pages that show another adaptor when only ``?adaptor=`` changes.
_SWITCHABLE = frozenset(
    {
        "main.dashboard", "export.index", "runs.index", "adaptors.general", "source.index", "rules.index", "settings.index",
        "vat.index", "readiness.index",
    }
)  # fmt: skip


def _switch(chosen: Adaptor | None, others: list[Adaptor]) -> list[dict[str, Any]]:
    """The adaptors to choose from; each link leads to the same page of the other one where there is one."""
    endpoint = request.endpoint if request.endpoint in _SWITCHABLE else "main.dashboard"
    shown = chosen.id if chosen else None
    return [
        {"name": row.name, "url": optional_url(endpoint, adaptor=row.id), "active": row.id == shown} for row in others
    ]
