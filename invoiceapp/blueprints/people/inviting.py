"""Sending, sending anew and withdrawing invitations."""

from __future__ import annotations

from flask import flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import ADMINISTRATORS
from invoiceapp.freshness import ask_again
from invoiceapp.languages import say
from invoiceapp.models import Invitation, Role
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import access, invitations
from invoiceapp.services.people.invitations import Sent

from .blueprint import blueprint
from .views import LINK, appointable, invitation_values, page


def chosen_role() -> Role:
    """Of the form. Raises ``NotAllowed`` for one that the person may not give."""
    found = next((role for role in appointable() if role.value == request.form.get("role")), None)
    if found is None:
        raise access.NotAllowed
    return found


@blueprint.post("/invitations")
@policy("subscription:admin")
def invite() -> ResponseReturnValue:
    """Invite somebody. Who is to administer is invited by somebody who has just shown who they are."""
    role, group_ids = chosen_role(), request.form.getlist("groups")
    if role in ADMINISTRATORS and (refused := ask_again()) is not None:
        return refused
    try:
        sent = invitations.invite(
            access.subscription().id, current_user.id, request.form.get("email", ""), role, group_ids,
            request.form.get("last_day", ""),
        )  # fmt: skip
    except InvalidInput as error:
        return page(errors=error.errors, typed=invitation_values(request.form, group_ids)), 422
    except Conflict as error:
        flash(say(error.text), "error")
        return page(typed=invitation_values(request.form, group_ids)), 409
    return _told(sent)


def _told(sent: Sent) -> ResponseReturnValue:
    if sent.problem is not None:
        flash(_("The invitation is made, but the mail did not leave. %(why)s", why=say(sent.problem)), "error")
    elif sent.link is not None:
        session[LINK] = {"email": sent.email, "url": sent.link}
    else:
        flash(_("The invitation is sent to %(email)s.", email=sent.email), "success")
    return redirect(url_for(".index", _anchor="invitations"), 303)


@blueprint.post("/invitations/<invitation_id>/resend")
@policy("subscription:admin")
def resend(invitation_id: str) -> ResponseReturnValue:
    """A new link; the old one is dead."""
    row = access.scoped(Invitation, invitation_id)
    if row.role in ADMINISTRATORS and (refused := ask_again()) is not None:
        return refused
    try:
        return _told(invitations.resend(invitation_id, current_user.id))
    except Conflict as error:
        flash(say(error.text), "error")
        return redirect(url_for(".index", _anchor="invitations"), 303)


@blueprint.post("/invitations/<invitation_id>/withdraw")
@policy("subscription:admin")
def withdraw(invitation_id: str) -> ResponseReturnValue:
    """The link works no more."""
    access.scoped(Invitation, invitation_id)
    invitations.withdraw(invitation_id, current_user.id)
    flash(_("The invitation is withdrawn."), "success")
    return redirect(url_for(".index", _anchor="invitations"), 303)
