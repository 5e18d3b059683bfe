"""All that failed since a moment is sent again: first how many that is, then it is done."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import Action
from invoiceapp.formatting import TIMEZONE
from invoiceapp.models import Adaptor, Gateway
from invoiceapp.services.export import resending
from invoiceapp.services.people import access
from invoiceapp.services.people.access import actor, scoped

from .blueprint import blueprint


def as_input(moment: datetime) -> str:
    """As ``<input type="datetime-local">`` writes it, in Danish time."""
    return moment.astimezone(TIMEZONE).strftime("%Y-%m-%dT%H:%M")


def _since(typed: str) -> datetime | None:
    """None where it is no time."""
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=TIMEZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@blueprint.get("/<gateway_id>/resend")
@policy("gateway:edit")
def ask_to_resend(gateway_id: str) -> ResponseReturnValue:
    """How many that would be."""
    gateway = scoped(Gateway, gateway_id)
    return _page(gateway, request.args.get("since") or as_input(resending.usual_start(gateway)))


def _operated() -> list[str]:
    """Ids of the adaptors whose documents the person may send."""
    return [row.id for row in access.open_to(access.of_subscription(Adaptor), Action.OPERATE)]


def _page(gateway: Gateway, typed: str) -> ResponseReturnValue:
    since = _since(typed)
    page = render_template(
        "gateways/resend.html",
        gateway=gateway,
        typed=typed,
        since=since,
        found=resending.count(gateway.id, since, _operated()) if since else None,
        has_errors=since is None,
    )
    return page, 200 if since else 422


@blueprint.post("/<gateway_id>/resend")
@policy("gateway:edit")
def resend(gateway_id: str) -> ResponseReturnValue:
    """Do it. A second click finds nothing more."""
    gateway = scoped(Gateway, gateway_id)
    typed = request.form.get("since", "")
    since = _since(typed)
    if since is None:
        return _page(gateway, typed)
    moved = resending.resend(gateway.id, since, actor(), _operated())
    text = ngettext("%(num)s document is sent again.", "%(num)s documents are sent again.", moved)
    flash(text if moved else _("Nothing failed since then. Nothing was changed."), "success" if moved else "info")
    return redirect(url_for(".edit", gateway_id=gateway_id), 303)
