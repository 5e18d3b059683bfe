"""A subscription's settings, making another one, and choosing which one is shown."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import say
from invoiceapp.models import Role, Subscription
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access, subscriptions
from invoiceapp.services.sign_in.second_factors import has_second_factor

blueprint = Blueprint("subscriptions", __name__, url_prefix="/subscriptions")


def mine() -> list[tuple[Subscription, bool]]:
    """The person's subscriptions by name, and which one is shown; empty where there is nothing to choose."""
    found = access.memberships() if current_user.is_authenticated else []
    if len(found) < 2:
        return []
    shown = access.subscription().id
    rows = sorted((row.subscription for row in found), key=lambda row: row.name.casefold())
    return [(row, row.id == shown) for row in rows]


blueprint.add_app_template_global(mine, "my_subscriptions")


@blueprint.post("/<subscription_id>/choose")
@policy("self")
def choose(subscription_id: str) -> ResponseReturnValue:
    """Show another one from now on."""
    access.stay(subscription_id)
    flash(_("You are now looking at %(name)s.", name=access.subscription().name), "info")
    return redirect(url_for("main.dashboard"), 303)


def _page(**context: Any) -> str:
    row = access.subscription()
    shown: dict[str, Any] = {
        "errors": {}, "conflict": "", "name": row.name, "needs_second_factor": row.needs_second_factor
    } | context  # fmt: skip
    return render_template(
        "subscriptions/page.html", subscription=row, version=subscriptions.version(row),
        has_own_factor=has_second_factor(current_user), is_owner=access.membership().role is Role.OWNER, has_errors=bool(shown["errors"] or shown["conflict"]), **shown,
    )  # fmt: skip


@blueprint.get("/settings")
@policy("subscription:admin")
def settings() -> str:
    """Name, and how administrators sign in."""
    return _page()


@blueprint.post("/settings")
@policy("subscription:admin", fresh=True)
def save() -> ResponseReturnValue:
    """Keep them."""
    typed: dict[str, Any] = {
        "name": request.form.get("name", ""), "needs_second_factor": "needs_second_factor" in request.form
    }  # fmt: skip
    try:
        subscriptions.save(access.subscription().id, **typed, shown=request.form.get("version"))
    except InvalidInput as error:
        return _page(errors=error.errors, **typed), 422
    except ChangedMeanwhile as error:
        return _page(conflict=say(error.text), **typed), 409
    flash(_("Saved."), "success")
    return redirect(url_for(".settings"), 303)


@blueprint.get("/new")
@policy("subscription:own")
def new() -> str:
    """The form of another subscription."""
    return render_template("subscriptions/new.html", name="", errors={})


@blueprint.post("/new")
@policy("subscription:own")
def make() -> ResponseReturnValue:
    """Another one, with people and adaptors of its own."""
    name = request.form.get("name", "")
    try:
        subscription_id = subscriptions.make(current_user.id, name)
    except InvalidInput as error:
        return render_template("subscriptions/new.html", name=name, errors=error.errors, has_errors=True), 422
    access.stay(subscription_id)
    flash(_("%(name)s is made, and you look at it now.", name=access.subscription().name), "success")
    return redirect(url_for("main.dashboard"), 303)
