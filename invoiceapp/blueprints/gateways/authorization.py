"""Connecting a gateway at the partner's own page, and the person's way back from there."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.current import config
from invoiceapp.domain.permissions import Action
from invoiceapp.htmx import hx_redirect, is_htmx
from invoiceapp.languages import say
from invoiceapp.models import Gateway
from invoiceapp.services.configuration import authorizations
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people import access
from invoiceapp.services.people.access import membership, scoped

from .blueprint import blueprint

_PENDING = "authorization"


def _redirect_uri() -> str:
    """Where partners send people back to: by the configured address, whatever the request says of its host."""
    return urljoin(f"{config().base_url}/", url_for("gateways.authorized"))


blueprint.context_processor(lambda: {"is_connected": authorizations.is_connected, "redirect_uri": _redirect_uri})


def _page_of(gateway_id: str) -> str:
    return url_for("gateways.edit", gateway_id=gateway_id)


@blueprint.post("/<gateway_id>/authorize")
@policy("gateway:manage", fresh=True)
def authorize(gateway_id: str) -> ResponseReturnValue:
    """Send the person to the partner's page."""
    gateway = scoped(Gateway, gateway_id)
    try:
        url, pending = authorizations.begin(gateway.id, membership().user_id, _redirect_uri())
    except ServiceError as error:
        flash(say(error.text), "error")
        return hx_redirect(_page_of(gateway_id))
    session[_PENDING] = pending.to_dict()
    if is_htmx():
        return hx_redirect(url)
    # A form may not lead to another site, not even by a redirect (CSP form-action); a link may.
    return render_template("gateways/authorize.html", gateway=gateway, url=url, partner=urlsplit(url).hostname)


@blueprint.get("/authorized")
@policy("subscription:view")
def authorized() -> ResponseReturnValue:
    """Back from the partner's page, with a code or without (RFC 6749 4.1.2)."""
    kept = session.get(_PENDING)
    pending = authorizations.Pending.from_dict(kept) if kept else None
    try:
        ours = authorizations.require_ours(pending, membership().user_id, request.args.get("state", ""))
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for("gateways.index"), 303)
    # Used up, however it ends.
    session.pop(_PENDING)
    gateway = scoped(Gateway, ours.gateway_id)
    access.require(Action.MANAGE, gateway)
    gateway_id = gateway.id
    try:
        _take(ours)
    except ServiceError as error:
        flash(say(error.text), "error")
    else:
        flash(_("The gateway is connected. Test the connection before you use it."), "success")
    return redirect(_page_of(gateway_id), 303)


def _take(pending: authorizations.Pending) -> None:
    code = request.args.get("code")
    if not code:
        raise authorizations.refused(request.args.get("error", ""))
    authorizations.finish(pending, code, _redirect_uri())
