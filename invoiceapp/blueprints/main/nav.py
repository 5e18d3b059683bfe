"""The menu at the left of every page."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from flask import has_request_context, request
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.blueprints.policy import is_open, needs_adaptor
from invoiceapp.blueprints.tenancy import ALL, chosen_adaptor
from invoiceapp.models import Adaptor
from invoiceapp.services.daily import listing
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import standing
from invoiceapp.services.four_eyes import approvals
from invoiceapp.services.people import access, nothing_shared

from .blueprint import blueprint
from .links import optional_url
from .scope import company, is_all

log = logging.getLogger(__name__)
_DASHBOARD = "main.dashboard"


@blueprint.app_context_processor
def menu() -> dict[str, Any]:
    """``nav_items``, ``nav_adaptors``, ``nav_companies``, ``nav_company``, ``scope_label``, ``subscription_id`` and ``at_rest``; empty for visitors, and where the database does not answer."""
    if not has_request_context():
        return {}
    try:
        return _menu() if current_user.is_authenticated and access.memberships() else {}
    except ServiceError:
        # What the page shows has ended for the person: the answer says so.
        return {}
    except SQLAlchemyError as error:
        log.warning("the menu could not be made: %s", type(error).__name__)
        return {}


def _menu() -> dict[str, Any]:
    try:
        others = access.adaptors()
        adaptor = None if _shows_all() else chosen_adaptor()
    except ServiceError:
        # Somebody else's adaptor in the address: the page itself answers 404.
        adaptor, others = None, []
    shown = [adaptor.id] if adaptor else [one.id for one in others] if _shows_all() else []
    waiting = listing.counts(shown)["person"] if shown else 0
    is_deleted = adaptor is not None and adaptor.deleted_at is not None
    # With one adaptor the addresses stay short; with several, every link keeps to the one that is shown.
    named = {"adaptor": adaptor.id} if adaptor and (len(others) > 1 or "adaptor" in request.args) else {}
    return {
        "subscription_id": access.membership().subscription_id,
        "nav_items": _items(
            {_DASHBOARD: waiting, "approvals.index": _to_decide(others)}, named, {} if is_deleted else named, adaptor
        ),
        "nav_adaptors": _switch(adaptor, others) if len(others) + is_deleted > 1 else [],
        "nav_companies": optional_url("cockpit.index") if len(access.memberships()) > 1 else None,
        "nav_company": access.subscription().name,
        "scope_label": _label(adaptor, len(others) + is_deleted > 1),
        "at_rest": _at_rest(adaptor),
    }


def _to_decide(adaptors: Sequence[Adaptor]) -> int:
    """Approvals that wait for a person, and the wish to loosen the settings."""
    stored = access.subscription().four_eyes
    return (approvals.count([one.id for one in adaptors]) + ("wish" in stored)) if stored.get("on") else 0


def _shows_all() -> bool:
    """Whether this page is about all adaptors: only the dashboard can be."""
    return request.endpoint == _DASHBOARD and is_all()


def _label(adaptor: Adaptor | None, is_one_of_several: bool) -> str | None:
    """Below the company's name: which adaptor; of the only one, whose books it reads, where they are named otherwise."""
    if adaptor is None:
        return _("All adaptors") if _shows_all() else None
    if not is_one_of_several and adaptor.deleted_at is None:
        organization = company(adaptor)
        return organization if adaptor.organization and organization != access.subscription().name else None
    return _("%(name)s (deleted)", name=adaptor.name) if adaptor.deleted_at else adaptor.name


#: Whose pages say that the adaptor is switched off. Pages of adaptors and documents say it in words of their own.
_OF_ONE_ADAPTOR = frozenset(
    {
        "main",
        "export",
        "runs",
        "source",
        "rules",
        "network",
        "settings",
        "vat",
        "readiness",
        "schedules",
        "notifications",
        "proof",
        "reconciliation",
    }
)


def _at_rest(adaptor: Adaptor | None) -> dict[str, Any] | None:
    """Of an adaptor that reads and sends nothing, on its pages: ``is_deleted``, and ``url``, where it is activated again."""
    if adaptor is None or request.blueprint not in _OF_ONE_ADAPTOR or standing.is_working(adaptor):
        return None
    is_deleted = adaptor.deleted_at is not None
    may_wake = not is_deleted and access.may_configure()
    return {"is_deleted": is_deleted, "url": optional_url("adaptors.index", _anchor="mine") if may_wake else None}


def _screens() -> tuple[tuple[str, str, str, str], ...]:
    """Endpoint, words and icon, under their heading."""
    daily, set_up, shared, company = _("Daily"), _("Set up"), _("Shared by all adaptors"), _("Company")
    return (
        (daily, "main.dashboard", _("Dashboard"), "layout-dashboard"),
        (daily, "problems.index", _("Problems"), "alert-triangle"),
        (daily, "export.index", _("Manual export"), "file-export"),
        (daily, "runs.index", _("Runs"), "history"),
        (daily, "reconciliation.index", _("Reconciliation"), "list-check"),
        (daily, "proof.index", _("Month-end proof"), "file-text"),
        (set_up, "adaptors.index", _("Adaptors"), "plug"),
        (set_up, "adaptors.general", _("General"), "settings"),
        (set_up, "source.index", _("Source"), "database"),
        (set_up, "rules.index", _("Customers"), "users"),
        (set_up, "network.index", _("Matched customers"), "world"),
        (set_up, "settings.index", _("Common settings"), "pencil"),
        (set_up, "vat.index", _("VAT"), "receipt"),
        (set_up, "readiness.index", _("Readiness"), "circle-check"),
        (set_up, "schedules.index", _("Schedule"), "calendar"),
        (set_up, "notifications.index", _("Notifications"), "bell"),
        (shared, "gateways.index", _("Gateways"), "route"),
        (shared, "setting_templates.index", _("Templates of settings"), "copy"),
        (shared, "rulepacks.index", _("Official rules"), "list-check"),
        (company, "people.index", _("People"), "user"),
        (company, "approvals.index", _("Approvals"), "checks"),
        (company, "audit.index", _("Audit trail"), "lock"),
        (company, "keeping.index", _("Retention"), "inbox"),
    )


#: Screens of one blueprint: which of its pages belong to which line of the menu.
_GENERAL = frozenset({"adaptors.general", "adaptors.save_general"})


def _is_active(endpoint: str) -> bool:
    if request.blueprint == "adaptors":
        return endpoint == ("adaptors.general" if request.endpoint in _GENERAL else "adaptors.index")
    return request.blueprint == endpoint.partition(".")[0]


def _items(
    waiting: Mapping[str, int], daily: dict[str, str], set_up: dict[str, str], adaptor: Adaptor | None
) -> list[dict[str, Any]]:
    """The lines that are open to the person, each with its heading and how much waits there.

    A deleted adaptor has documents to look at, and nothing to set up. Where none is shared with the person, the
    dashboard says so, and no other page about adaptors is of use.
    """
    has_nothing = adaptor is None and nothing_shared.is_so()
    items = [
        {
            "group": group,
            "label": label,
            "url": optional_url(endpoint, **(daily if position < _DAILY else set_up)),
            "icon": icon,
            "active": _is_active(endpoint),
            "count": waiting.get(endpoint),
        }
        for position, (group, endpoint, label, icon) in enumerate(_screens())
        if is_open(endpoint, adaptor) and not (has_nothing and endpoint != _DASHBOARD and needs_adaptor(endpoint))
    ]
    return [item for item in items if item["url"]]


#: Lines under the first heading.
_DAILY = 6
#: Pages that show another adaptor when only ``?adaptor=`` changes.
_SWITCHABLE = frozenset(
    {
        "main.dashboard", "export.index", "runs.index", "adaptors.general", "source.index", "rules.index", "network.index",
        "settings.index", "vat.index", "readiness.index", "schedules.index", "notifications.index", "proof.index",
        "reconciliation.index",
    }
)  # fmt: skip


def _switch(chosen: Adaptor | None, others: list[Adaptor]) -> list[dict[str, Any]]:
    """The adaptors to choose from; each link leads to the same page of the other one where there is one."""
    endpoint = request.endpoint if request.endpoint in _SWITCHABLE else _DASHBOARD
    shown = chosen.id if chosen else None
    found: list[dict[str, Any]] = [
        {"name": row.name, "url": optional_url(endpoint, adaptor=row.id), "active": row.id == shown} for row in others
    ]
    if len(others) > 1:
        found.insert(
            0, {"name": _("All adaptors"), "url": optional_url(_DASHBOARD, adaptor=ALL), "active": _shows_all()}
        )
    return found
