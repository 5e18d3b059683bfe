"""One member: role, last day, suspension, removal, and handing the ownership over; and leaving oneself."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_security.utils import logout_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import Grantee
from invoiceapp.languages import say
from invoiceapp.models import Membership, Role
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import access, members, roster, sharing, words

from .blueprint import blueprint
from .inviting import chosen_role
from .views import appointable


def _row(membership_id: str) -> Membership:
    """Somebody whom the person may change. Raises ``NotYours``, ``NotAllowed``."""
    row = access.scoped(Membership, membership_id)
    if row.role not in appointable():
        raise access.NotAllowed
    return row


def _page(row: Membership, problem: str = "", **typed: Any) -> str:
    shown: dict[str, Any] = {"errors": {}, "role": row.role.value, "last_day": row.last_day or ""} | typed
    return render_template(
        "people/member.html", member=row, name=members.name_of(row.user), roles=appointable(), words=words,
        is_me=row.user_id == current_user.id, is_active=access.is_active(row), problem=problem,
        may_transfer=access.membership().role is Role.OWNER and row.role in (Role.ADMIN, Role.MEMBER),
        has_errors=bool(shown["errors"] or problem), **shown,
    )  # fmt: skip


@blueprint.get("/members/<membership_id>")
@policy("subscription:admin")
def member(membership_id: str) -> str:
    """Role, end and state of one member."""
    return _page(_row(membership_id))


@blueprint.post("/members/<membership_id>")
@policy("subscription:admin", fresh=True)
def change(membership_id: str) -> ResponseReturnValue:
    """Keep another role or last day."""
    row, last_day = _row(membership_id), request.form.get("last_day", "")
    typed: dict[str, Any] = {"role": request.form.get("role"), "last_day": last_day}
    try:
        members.change(membership_id, current_user.id, chosen_role(), last_day)
    except InvalidInput as error:
        return _page(row, errors=error.errors, **typed), 422
    except Conflict as error:
        return _page(access.scoped(Membership, membership_id), say(error.text), **typed), 409
    flash(_("Saved."), "success")
    return redirect(url_for(".index"), 303)


@blueprint.post("/members/<membership_id>/suspend")
@policy("subscription:admin", fresh=True)
def suspend(membership_id: str) -> ResponseReturnValue:
    """Take the access away until it is given back."""
    _row(membership_id)
    try:
        members.suspend(membership_id, current_user.id)
    except Conflict as error:
        return _page(access.scoped(Membership, membership_id), say(error.text)), 409
    flash(_("The person has no access until you give it back. Nothing of theirs is lost."), "success")
    return redirect(url_for(".member", membership_id=membership_id), 303)


@blueprint.post("/members/<membership_id>/lift")
@policy("subscription:admin", fresh=True)
def lift(membership_id: str) -> ResponseReturnValue:
    """Give the access back."""
    _row(membership_id)
    members.lift(membership_id, current_user.id)
    flash(_("The person has access again."), "success")
    return redirect(url_for(".member", membership_id=membership_id), 303)


def _removal_page(row: Membership, problem: str = "") -> str:
    return render_template(
        "people/remove.html", member=row, name=members.name_of(row.user), problem=problem, has_errors=bool(problem),
        shared=sharing.shared_with(row.subscription_id, Grantee.USER, row.user_id),
        is_last_owner=roster.is_last_owner(row),
    )  # fmt: skip


@blueprint.get("/members/<membership_id>/remove")
@policy("subscription:admin")
def ask_to_remove(membership_id: str) -> str:
    """What goes with the person."""
    return _removal_page(_row(membership_id))


@blueprint.post("/members/<membership_id>/remove")
@policy("subscription:admin", fresh=True)
def remove(membership_id: str) -> ResponseReturnValue:
    """Take somebody out of the subscription."""
    name = members.name_of(_row(membership_id).user)
    try:
        members.remove(membership_id, current_user.id)
    except Conflict as error:
        return _removal_page(access.scoped(Membership, membership_id), say(error.text)), 409
    flash(_("%(name)s is removed.", name=name), "success")
    return redirect(url_for(".index"), 303)


@blueprint.post("/members/<membership_id>/transfer")
@policy("subscription:own", fresh=True)
def transfer(membership_id: str) -> ResponseReturnValue:
    """Make the member an owner."""
    row = access.scoped(Membership, membership_id)
    name = members.name_of(row.user)
    try:
        members.transfer(membership_id, current_user.id, stays_owner=request.form.get("stays") != "no")
    except Conflict as error:
        return _page(access.scoped(Membership, membership_id), say(error.text)), 409
    flash(_("%(name)s is an owner now.", name=name), "success")
    return redirect(url_for(".index"), 303)


@blueprint.get("/leave")
@policy("subscription:view")
def ask_to_leave() -> str:
    """Whether the person wants to go."""
    return render_template("people/leave.html", company=access.subscription().name)


@blueprint.post("/leave")
@policy("subscription:view", fresh=True)
def leave() -> ResponseReturnValue:
    """Leave the subscription that is shown; who belongs to nothing any more is signed out."""
    company = access.subscription().name
    try:
        belongs = members.leave(access.subscription().id, current_user.id)
    except Conflict as error:
        flash(say(error.text), "error")
        return redirect(url_for(".ask_to_leave"), 303)
    if belongs:
        access.move_on()
    else:
        logout_user()
    flash(_("You have left %(company)s.", company=company), "success")
    return redirect(url_for("main.dashboard" if belongs else "security.login"), 303)
