"""Groups of members."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import Grantee
from invoiceapp.languages import say
from invoiceapp.models import Group
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import access, groups, members, sharing

from .blueprint import blueprint


def _list(name: str = "", errors: Mapping[str, Any] | None = None) -> str:
    return render_template(
        "people/groups.html", groups=sharing.groups(access.subscription().id), name_of=members.name_of, name=name,
        errors=errors or {}, has_errors=bool(errors),
    )  # fmt: skip


@blueprint.get("/groups")
@policy("subscription:view")
def all_groups() -> str:
    """The groups and who is in them."""
    return _list()


@blueprint.post("/groups")
@policy("subscription:admin", fresh=True)
def make_group() -> ResponseReturnValue:
    """A new group."""
    try:
        group_id = groups.make(access.subscription().id, request.form.get("name", ""))
    except InvalidInput as error:
        return _list(request.form.get("name", ""), error.errors), 422
    flash(_("The group is made. Choose who is in it."), "success")
    return redirect(url_for(".group", group_id=group_id), 303)


def _page(row: Group, name: str, chosen: Collection[str], errors: Mapping[str, Any] | None = None) -> str:
    return render_template(
        "people/group.html", group=row, name=name, chosen=chosen, errors=errors or {}, has_errors=bool(errors),
        people=[(one.id, members.name_of(one.user)) for one in members.listed(row.subscription_id)],
        shared=_shared(row),
    )  # fmt: skip


def _shared(row: Group) -> list[Any]:
    return sharing.shared_with(row.subscription_id, Grantee.GROUP, row.id)


@blueprint.get("/groups/<group_id>")
@policy("subscription:admin")
def group(group_id: str) -> str:
    """Name and members of one group."""
    row = access.scoped(Group, group_id)
    return _page(row, row.name, [one.id for one in row.members])


@blueprint.post("/groups/<group_id>")
@policy("subscription:admin", fresh=True)
def save_group(group_id: str) -> ResponseReturnValue:
    """Keep name and members."""
    row, name, chosen = access.scoped(Group, group_id), request.form.get("name", ""), request.form.getlist("members")
    try:
        groups.save(group_id, name, chosen, current_user.id)
    except InvalidInput as error:
        return _page(row, name, chosen, error.errors), 422
    except Conflict as error:
        flash(say(error.text), "error")
        return _page(access.scoped(Group, group_id), name, chosen), 409
    flash(_("Saved."), "success")
    return redirect(url_for(".all_groups"), 303)


@blueprint.get("/groups/<group_id>/delete")
@policy("subscription:admin")
def ask_to_delete_group(group_id: str) -> str:
    """What its members would lose."""
    row = access.scoped(Group, group_id)
    return render_template("people/delete_group.html", group=row, shared=_shared(row))


@blueprint.post("/groups/<group_id>/delete")
@policy("subscription:admin")
def delete_group(group_id: str) -> ResponseReturnValue:
    """Delete the group; what was shared with it is shared with it no more."""
    name = access.scoped(Group, group_id).name
    groups.delete(group_id)
    flash(_("The group “%(name)s” is deleted.", name=name), "success")
    return redirect(url_for(".all_groups"), 303)
