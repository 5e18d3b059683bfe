"""One page for everything that can be shared: with whom, as what, and what that gives to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.permissions import Level, Reason, Standing
from invoiceapp.formatting import in_language
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Gateway, Group, Role, SettingTemplate
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access, sharing, words
from invoiceapp.services.people.members import name_of
from invoiceapp.services.people.sharing import Choice, Effect, Sharing

blueprint = Blueprint("sharing", __name__, url_prefix="/sharing")
blueprint.add_app_template_global(sharing.names, "shared_names")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is shared, and where its pages are."""

    model: type[Any]
    endpoint: str
    """Of the page of sharing"""
    save: str
    back: str
    """Of the page of the row itself"""
    argument: str

    def url(self, endpoint: str, row_id: str) -> str:
        """An address of the row."""
        values: dict[str, Any] = {self.argument: row_id}
        return url_for(endpoint, **values)

    def back_url(self, row_id: str) -> str:
        """Where the row itself is."""
        values: dict[str, Any] = {"adaptor" if self.model is Adaptor else self.argument: row_id}
        return url_for(self.back, **values)


_ADAPTOR = Kind(Adaptor, "sharing.adaptor", "sharing.save_adaptor", "adaptors.general", "adaptor_id")
_GATEWAY = Kind(Gateway, "sharing.gateway", "sharing.save_gateway", "gateways.edit", "gateway_id")
_TEMPLATE = Kind(SettingTemplate, "sharing.template", "sharing.save_template", "setting_templates.show", "template_id")


@dataclass(frozen=True, slots=True)
class Line:
    """What one member may do, in words."""

    name: str
    level: str
    why: list[str]
    is_me: bool
    is_active: bool


def _why(effect: Effect, named: dict[str, Group]) -> list[str]:
    found = effect.standing
    if found is None:
        return [_("Not shared with the person")]
    why = [_reason(found, named)]
    if found.is_capped and effect.uncapped is not None:
        would = in_language(words.LEVELS[effect.uncapped.level]).lower()
        why.append(_("Locked: would otherwise be %(level)s", level=would))
    return why


def _reason(found: Standing, named: dict[str, Group]) -> str:
    if found.reason is Reason.GROUP and found.grantee_id in named:
        level = in_language(words.LEVELS[found.level]).lower()
        return str(_("Member of the group %(name)s (%(level)s)", name=named[found.grantee_id].name, level=level))
    return in_language(words.REASONS[found.reason])


def _lines(row: Any, wanted: Sharing, groups: list[Group]) -> list[Line]:
    named = {group.id: group for group in groups}
    lines = [
        Line(
            name_of(one.member.user), in_language(words.LEVELS[one.standing.level]) if one.standing else "",
            _why(one, named), one.member.user_id == current_user.id, one.is_active,
        )
        for one in sharing.effects(row, wanted)
    ]  # fmt: skip
    return sorted(lines, key=lambda line: (not line.level, line.name.casefold()))


def _typed(stored: Sharing) -> dict[str, str]:
    """The form's values for what is stored."""
    lines = {f"level.{'.'.join(filter(None, (one.grantee, one.grantee_id)))}": one.level.value for one in stored.grants}
    # Nobody is given it before "all users" is chosen.
    lines = {"level.everybody": Level.OPERATOR.value} | lines
    return {"who": stored.choice.value, **lines, **({"is_locked": "1"} if stored.is_locked else {})}


def _page(kind: Kind, row: Any, **context: Any) -> str:
    stored, groups = sharing.of(row), sharing.groups(row.subscription_id)
    members = sharing.members(row.subscription_id)
    creator = next((one.member for one in sharing.effects(row, stored) if one.member.user_id == row.creator_id), None)
    shown: dict[str, Any] = {"errors": {}, "conflict": "", "typed": _typed(stored), "lost": None} | context
    return render_template(
        "sharing/page.html", row=row, back=kind.back_url(row.id), action=kind.url(kind.save, row.id),
        again=kind.url(kind.endpoint, row.id), version=sharing.version(row), groups=groups, words=words, levels=list(Level),
        people=[(one.user_id, name_of(one.user), one.role is Role.ADMIN) for one in members if one.user_id != row.creator_id],
        creator=name_of(creator.user) if creator else None, is_creator=row.creator_id == current_user.id,
        lines=_lines(row, stored, groups), choices=list(Choice),
        has_errors=bool(shown["errors"] or shown["conflict"]), **shown,
    )  # fmt: skip


def _save(kind: Kind, row_id: str) -> ResponseReturnValue:
    """Keep it; asks first where the person would lose something themself."""
    row, typed = access.scoped(kind.model, row_id), request.form.to_dict()
    try:
        wanted = sharing.read(typed)
        lost = sharing.lost(row, wanted)
        if lost is not None and "agreed" not in typed:
            return _page(kind, row, typed=typed, lost=lost)
        standing = sharing.save(kind.model, row_id, wanted, typed.get("version"))
    except InvalidInput as error:
        return _page(kind, access.scoped(kind.model, row_id), typed=typed, errors=error.errors), 422
    except ChangedMeanwhile as error:
        return _page(kind, access.scoped(kind.model, row_id), typed=typed, conflict=say(error.text)), 409
    flash(_("The sharing is saved."), "success")
    return redirect(_next(kind, row_id, standing), 303)


def _next(kind: Kind, row_id: str, standing: Standing | None) -> str:
    """The page again, for those who may still see it."""
    if standing is None:
        return url_for("main.dashboard")
    return kind.url(kind.endpoint, row_id) if standing.level is Level.MANAGER else kind.back_url(row_id)


@blueprint.get("/adaptors/<adaptor_id>")
@policy("adaptor:manage")
def adaptor(adaptor_id: str) -> str:
    """With whom an adaptor is shared."""
    return _page(_ADAPTOR, access.scoped(Adaptor, adaptor_id))


@blueprint.post("/adaptors/<adaptor_id>")
@policy("adaptor:manage", fresh=True)
def save_adaptor(adaptor_id: str) -> ResponseReturnValue:
    """Keep it."""
    return _save(_ADAPTOR, adaptor_id)


@blueprint.get("/gateways/<gateway_id>")
@policy("gateway:manage")
def gateway(gateway_id: str) -> str:
    """With whom a gateway is shared."""
    return _page(_GATEWAY, access.scoped(Gateway, gateway_id))


@blueprint.post("/gateways/<gateway_id>")
@policy("gateway:manage", fresh=True)
def save_gateway(gateway_id: str) -> ResponseReturnValue:
    """Keep it."""
    return _save(_GATEWAY, gateway_id)


@blueprint.get("/templates/<template_id>")
@policy("template:manage")
def template(template_id: str) -> str:
    """With whom a template of settings is shared."""
    return _page(_TEMPLATE, access.scoped(SettingTemplate, template_id))


@blueprint.post("/templates/<template_id>")
@policy("template:manage", fresh=True)
def save_template(template_id: str) -> ResponseReturnValue:
    """Keep it."""
    return _save(_TEMPLATE, template_id)
