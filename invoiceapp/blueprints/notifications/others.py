"""Other addresses that are told: entered here, confirmed by their owner, with wishes of their own."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.languages import say
from invoiceapp.models import Recipient
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.notifications import preferences, recipients
from invoiceapp.services.people import access

from .blueprint import blueprint
from .views import here, own_context, page, refused, save_wishes_of, tell


def _other(recipient_id: str) -> Recipient:
    """An owner's or admin's to look after. Raises ``NotYours`` for users: their wishes are their own."""
    row = access.scoped(Recipient, recipient_id)
    if row.user_id is not None:
        raise access.NotYours
    return row


def _page(row: Recipient, **changed: Any) -> str:
    return render_template("notifications/other.html", **own_context(row, chosen_adaptor()) | changed)


@blueprint.post("/others")
@policy("subscription:admin")
def add_other() -> ResponseReturnValue:
    """Enter an address; it is asked by mail."""
    raw = request.form
    try:
        recipients.add(access.subscription().id, raw.get("email", ""), raw.get("name", ""), raw.get("language", "da"))
    except InvalidInput as error:
        return page(chosen_adaptor(), other=raw, **refused(error)), 422
    except Conflict as error:
        tell(error)
        return page(chosen_adaptor(), other=raw), 409
    return here(
        "others",
        _("A mail with a link is on its way to the address. Nothing else is sent there before it is confirmed."),
    )


@blueprint.get("/others/<recipient_id>")
@policy("subscription:admin")
def other(recipient_id: str) -> str:
    """What one of them is told, and when."""
    return _page(_other(recipient_id))


@blueprint.post("/others/<recipient_id>/wishes")
@policy("subscription:admin")
def save_other_wishes(recipient_id: str) -> ResponseReturnValue:
    """Keep how soon it is told of what."""
    row = _other(recipient_id)
    try:
        save_wishes_of(row, chosen_adaptor(), request.form)
    except InvalidInput as error:
        return _page(row, wishes=request.form, scope=request.form.get("scope"), **refused(error)), 422
    return here("wishes", _("Saved."), ".other", recipient_id=recipient_id)


@blueprint.post("/others/<recipient_id>/hours")
@policy("subscription:admin")
def save_other_hours(recipient_id: str) -> ResponseReturnValue:
    """Keep when its mails leave."""
    row = _other(recipient_id)
    try:
        preferences.save_hours(row, request.form)
    except InvalidInput as error:
        return _page(row, hours=request.form, **refused(error)), 422
    return here("hours", _("Saved."), ".other", recipient_id=recipient_id)


@blueprint.post("/others/<recipient_id>/ask")
@policy("subscription:admin")
def ask_again(recipient_id: str) -> Response:
    """Send it a new link."""
    _other(recipient_id)
    try:
        recipients.ask_again(recipient_id)
    except Conflict as error:
        return here("others", say(error.text), tone="danger")
    return here("others", _("A new link is on its way."))


@blueprint.post("/others/<recipient_id>/remove")
@policy("subscription:admin")
def remove_other(recipient_id: str) -> Response:
    """Forget it."""
    address = _other(recipient_id).address
    recipients.remove(recipient_id)
    return here("others", _("%(address)s is removed.", address=address))
