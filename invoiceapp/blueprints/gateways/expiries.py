"""What ends one day, and what partners' machines showed of themselves last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import render_template
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import Action
from invoiceapp.services.configuration import expiries
from invoiceapp.services.configuration.seen import AT
from invoiceapp.services.people import access
from invoiceapp.services.people.access import subscription

from .blueprint import blueprint


@blueprint.app_template_global()
def expiry_warnings() -> list[expiries.Ending]:
    """Of the signed-in person's gateways, soonest first."""
    return [one for one in expiries.soon(subscription().id) if access.may(Action.VIEW, one.gateway)]


@blueprint.get("/expiries")
@policy("subscription:view")
def all_expiries() -> str:
    """Certificates, keys and logins of all gateways."""
    endings = [one for one in expiries.of_subscription(subscription().id) if access.may(Action.VIEW, one.gateway)]
    return render_template("gateways/expiries.html", endings=endings, seen=_seen())


def _seen() -> list[dict[str, Any]]:
    """One row for each thing that was seen, by gateway."""
    return [
        {"gateway": row, "what": _words(name), "value": _moment(value) or value, "at": _moment(row.seen.get(AT))}
        for row in access.gateways()
        for name, value in sorted(row.seen.items())
        if name != AT
    ]


def _words(name: str) -> str:
    known = {
        "host_key": _("The server's key"),
        "certificate_ends": _("The server's certificate ends"),
        "certificate": _("Fingerprint of the server's certificate"),
        "server": _("The server's name of itself"),
    }
    return str(known.get(name, name))


def _moment(value: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(value or "")
    except ValueError:
        return None
