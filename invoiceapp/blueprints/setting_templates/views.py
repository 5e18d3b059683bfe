"""The list of templates, taking a new one, and one template's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.declared import section_title
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.settings.words import in_words
from invoiceapp.domain.permissions import Action
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Customer, SettingTemplate
from invoiceapp.services.configuration import setting_templates
from invoiceapp.services.configuration.settings import SECTIONS
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access

from .blueprint import blueprint


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """The templates that the person may see."""
    rows = access.open_to(access.of_subscription(SettingTemplate))
    editable = [one for one in access.adaptors() if access.may(Action.EDIT, one)]
    return render_template(
        "setting_templates/page.html",
        rows=[(row, len(setting_templates.values(row))) for row in rows],
        adaptors=editable,
    )


def _taking_page(row: Any, offered: Mapping[str, int], back: str, **context: Any) -> str:
    shown: dict[str, Any] = {"errors": {}, "name": "", "chosen": list(offered)} | context
    return render_template(
        "setting_templates/new.html", row=row, back=back, has_errors=bool(shown["errors"]),
        offered=[(name, section_title(name), count) for name, count in offered.items()], **shown,
    )  # fmt: skip


def _taken(row: Any, adaptor: Adaptor, values_of: Callable[..., Any], back: str) -> ResponseReturnValue:
    """Show the form, or keep what it says."""
    offered = setting_templates.counted(values_of, row)
    if request.method == "GET":
        return _taking_page(row, offered, back)
    name, chosen = request.form.get("name", ""), request.form.getlist("sections")
    try:
        values = values_of(row, [section for section in SECTIONS if section in chosen])
        template_id = setting_templates.make(adaptor, current_user.id, name, values)
    except InvalidInput as error:
        return _taking_page(row, offered, back, errors=error.errors, name=name, chosen=chosen), 422
    flash(_("The template is made."), "success")
    return redirect(url_for(".show", template_id=template_id), 303)


@blueprint.route("/from-customer/<customer_id>", methods=["GET", "POST"])
@policy("adaptor:edit")
def from_customer(customer_id: str) -> ResponseReturnValue:
    """A template of a customer's own settings."""
    row = access.scoped(Customer, customer_id)
    adaptor = access.scoped(Adaptor, row.adaptor_id)
    return _taken(row, adaptor, setting_templates.of_customer, url_for("rules.customer", customer_id=customer_id))


@blueprint.route("/from-adaptor/<adaptor_id>", methods=["GET", "POST"])
@policy("adaptor:edit")
def from_adaptor(adaptor_id: str) -> ResponseReturnValue:
    """A template of an adaptor's common settings."""
    row = access.scoped(Adaptor, adaptor_id)
    return _taken(row, row, setting_templates.of_common, url_for("settings.index", adaptor=adaptor_id))


def _page(row: SettingTemplate, **context: Any) -> str:
    shown: dict[str, Any] = {"errors": {}, "conflict": "", "name": row.name} | context
    editable = [one for one in access.adaptors() if access.may(Action.EDIT, one)] if access.may_operate(row) else []
    return render_template(
        "setting_templates/show.html", template=row, version=setting_templates.version(row), adaptors=editable,
        lines=in_words(row.subscription_id, setting_templates.values(row)),
        has_errors=bool(shown["errors"] or shown["conflict"]), **shown,
    )  # fmt: skip


@blueprint.get("/<template_id>")
@policy("template:view")
def show(template_id: str) -> str:
    """What is in it, and to whom it can be given."""
    return _page(access.scoped(SettingTemplate, template_id))


@blueprint.post("/<template_id>")
@policy("template:edit")
def rename(template_id: str) -> ResponseReturnValue:
    """Another name."""
    row, name = access.scoped(SettingTemplate, template_id), request.form.get("name", "")
    try:
        setting_templates.rename(template_id, name, request.form.get("version"))
    except InvalidInput as error:
        return _page(row, errors=error.errors, name=name), 422
    except ChangedMeanwhile as error:
        return _page(access.scoped(SettingTemplate, template_id), conflict=say(error.text), name=name), 409
    flash(_("Saved."), "success")
    return redirect(url_for(".show", template_id=template_id), 303)


@blueprint.get("/<template_id>/delete")
@policy("template:manage")
def ask_to_delete(template_id: str) -> str:
    """Whether to delete it."""
    return render_template("setting_templates/delete.html", template=access.scoped(SettingTemplate, template_id))


@blueprint.post("/<template_id>/delete")
@policy("template:manage", fresh=True)
def delete(template_id: str) -> ResponseReturnValue:
    """Delete it; customers keep the values that it gave them."""
    name = access.scoped(SettingTemplate, template_id).name
    setting_templates.delete(template_id)
    flash(_("The template “%(name)s” is deleted.", name=name), "success")
    return redirect(url_for(".index"), 303)
