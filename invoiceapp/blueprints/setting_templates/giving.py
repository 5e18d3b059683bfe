"""Giving a template to customers or to the common settings: choose, see what changes, do it."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.settings.words import describer
from invoiceapp.domain.permissions import Action
from invoiceapp.models import Adaptor, SettingTemplate
from invoiceapp.services.configuration import changes, profiles, setting_templates
from invoiceapp.services.configuration.customers import Filter
from invoiceapp.services.configuration.settings import RULE, applied
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access, usable

from .blueprint import blueprint

#: Customers whose changes are shown one by one.
_SHOWN = 20


def _named(template_id: str, adaptor_id: str) -> tuple[SettingTemplate, Adaptor]:
    """Who gives needs to be an operator of the template and an editor of the adaptor. Raises ``NotYours``, ``NotAllowed``."""
    row, adaptor = access.scoped(SettingTemplate, template_id), access.scoped(Adaptor, adaptor_id)
    access.require(Action.OPERATE, row)
    gateway_id = setting_templates.values(row).get((RULE, "gateway"))
    if gateway_id:
        usable.require(gateway_id, adaptor)
    return row, adaptor


def _ticked(adaptor_id: str, text: str) -> list[str]:
    if "everything" in request.form:
        return profiles.found_ids(adaptor_id, text)
    return list(dict.fromkeys(request.form.getlist("ids")))[: profiles.MOST + 1]


def _page(row: SettingTemplate, adaptor: Adaptor, text: str, ticked: list[str], **context: Any) -> str:
    found = profiles.candidates(adaptor.id, text, ticked)
    return render_template(
        "setting_templates/customers.html",
        **{
            "template": row, "adaptor": adaptor, "text": text, "ticked": ticked, "shown": found.shown,
            "matching": found.matching, "left_behind": _left_behind(row, adaptor), "most": profiles.MOST, "errors": {}, "plan": None, **context,
        },
    )  # fmt: skip


def _left_behind(row: SettingTemplate, adaptor: Adaptor) -> int:
    """How many values are those of another company."""
    return len(setting_templates.values(row)) - len(setting_templates.given(row, adaptor))


def _preview(row: SettingTemplate, adaptor: Adaptor, plan: profiles.Plan) -> list[tuple[str, list[Any]]]:
    """Of the first customers, what changes."""
    describe, values = describer(adaptor), setting_templates.given(row, adaptor)
    stored = [(one.name, changes.of_rule(one.rule)) for one in plan.changing[:_SHOWN]]
    return [(name, describe(changes.differences(before, applied(before, values)), True)) for name, before in stored]


@blueprint.route("/<template_id>/customers/<adaptor_id>", methods=["GET", "POST"])
@policy("adaptor:edit")
def to_customers(template_id: str, adaptor_id: str) -> ResponseReturnValue:
    """Choose customers (``step=search``), see what it would do (``preview``), do it (``give``)."""
    row, adaptor = _named(template_id, adaptor_id)
    text = Filter.read({"q": request.form.get("q", "")}).text
    ticked = _ticked(adaptor_id, text) if request.method == "POST" else []
    values = setting_templates.given(row, adaptor)
    try:
        if request.form.get("step") == "preview":
            plan = profiles.plan_of(adaptor_id, ticked, values)
            return _page(row, adaptor, text, ticked, plan=plan, preview=_preview(row, adaptor, plan))
        if request.form.get("step") == "give":
            return _given(template_id, adaptor_id, profiles.give(adaptor_id, ticked, values, actor=access.actor()))
    except InvalidInput as error:
        return _page(row, adaptor, text, ticked, errors=error.errors, has_errors=True), 422
    return _page(row, adaptor, text, ticked)


def _given(template_id: str, adaptor_id: str, count: int) -> ResponseReturnValue:
    text = ngettext(
        "%(num)s customer has the settings of the template now. It can be undone here.",
        "%(num)s customers have the settings of the template now. Each can be undone here.",
        count,
    )
    if not count:
        flash(_("Nothing was to be changed."), "info")
        return redirect(url_for(".show", template_id=template_id), 303)
    flash(text, "success")
    return redirect(url_for("settings.history", adaptor=adaptor_id), 303)


@blueprint.get("/<template_id>/common/<adaptor_id>")
@policy("adaptor:edit")
def ask_to_give_to_all(template_id: str, adaptor_id: str) -> str:
    """What it would change in the common settings."""
    row, adaptor = _named(template_id, adaptor_id)
    found = describer(adaptor)(setting_templates.common_changes(row, adaptor), False)
    return render_template(
        "setting_templates/common.html",
        template=row,
        adaptor=adaptor,
        found=found,
        left_behind=_left_behind(row, adaptor),
    )


@blueprint.post("/<template_id>/common/<adaptor_id>")
@policy("adaptor:edit")
def give_to_all(template_id: str, adaptor_id: str) -> ResponseReturnValue:
    """Put it into the common settings."""
    row, _adaptor = _named(template_id, adaptor_id)
    done = setting_templates.give_to_all(row, adaptor_id, access.actor())
    flash(saved(done.released) if done.change_id else _("Nothing was to be changed."), "success")
    return redirect(url_for("settings.history", adaptor=adaptor_id), 303)
