"""Accepting an invitation: with one click for those who are signed in, with a name and a password for newcomers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_security.utils import login_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import say
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import access, invitations, words
from invoiceapp.services.people.invitations import DeadInvitation, Offer
from invoiceapp.services.sign_in.throttling import Throttled

blueprint = Blueprint("invitations", __name__, url_prefix="/invitations")


def _page(token: str, offer: Offer, **context: Any) -> str:
    is_theirs = current_user.is_authenticated and current_user.email.lower() == offer.email
    shown: dict[str, Any] = {"errors": {}, "name": ""} | context
    return render_template(
        "invitations/page.html", token=token, offer=offer, is_theirs=is_theirs, words=words,
        has_errors=bool(shown["errors"]), **shown,
    )  # fmt: skip


def _refused(error: DeadInvitation | Throttled) -> ResponseReturnValue:
    page = render_template("invitations/dead.html", message=say(error.text))
    return (page, 429, {"Retry-After": str(error.seconds)}) if isinstance(error, Throttled) else (page, 404)


@blueprint.get("/<token>")
@policy("public")
def show(token: str) -> ResponseReturnValue:
    """What is offered, and to whom."""
    try:
        return _page(token, invitations.offered(token, request.remote_addr))
    except (DeadInvitation, Throttled) as error:
        return _refused(error)


@blueprint.post("/<token>")
@policy("public")
def accept(token: str) -> ResponseReturnValue:
    """Become a member. Signed in as somebody else, nothing happens."""
    try:
        offer = invitations.offered(token, request.remote_addr)
        if current_user.is_authenticated:
            return _joined(token, offer)
        if offer.is_known:
            return redirect(url_for("security.login", next=url_for(".show", token=token)), 303)
        return _signed_up(token, offer)
    except (DeadInvitation, Throttled) as error:
        return _refused(error)


def _joined(token: str, offer: Offer) -> ResponseReturnValue:
    try:
        subscription_id = invitations.accept(token, current_user.id, request.remote_addr)
    except access.NotYours:
        return _page(token, offer), 403
    return _welcomed(subscription_id, offer)


def _welcomed(subscription_id: str, offer: Offer) -> ResponseReturnValue:
    if any(row.subscription_id == subscription_id for row in access.memberships()):
        access.stay(subscription_id)
    flash(_("Welcome to %(company)s.", company=offer.company), "success")
    return redirect(url_for("main.dashboard"), 303)


def _signed_up(token: str, offer: Offer) -> ResponseReturnValue:
    name, password = request.form.get("name", ""), request.form.get("password", "")
    try:
        if password != request.form.get("password_again", ""):
            raise InvalidInput({"password_again": invitations.NOT_THE_SAME})
        user = invitations.accept_as_new(token, name, password, request.remote_addr)
    except InvalidInput as error:
        return _page(token, offer, errors=error.errors, name=name), 422
    except Conflict as error:
        flash(say(error.text), "error")
        return redirect(url_for(".show", token=token), 303)
    login_user(user, authn_via=["password"])
    return _welcomed(user.memberships[0].subscription_id, offer)
