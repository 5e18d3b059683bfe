"""Connecting the source; VAT categories, common settings and schedule of its adaptor."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import raw_values, saved, typed_values
from invoiceapp.blueprints.plaintext import blocks, title
from invoiceapp.blueprints.tenancy import chosen_adaptor, protect
from invoiceapp.formatting import language
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import adaptors, rules, sources, vat
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import queries
from invoiceapp.services.people import access

from .forms import groups, intervals, raw_settings

blueprint = Blueprint("source", __name__, url_prefix="/source")
protect(blueprint)


@blueprint.get("")
def index() -> str:
    """The source's page; the catalogue where nothing is activated yet."""
    adaptor = chosen_adaptor()
    return catalogue() if adaptor is None else _page(adaptor)


@blueprint.get("/catalogue")
def catalogue() -> str:
    """Systems that can be connected."""
    return render_template("source/catalogue.html", sources=adaptors.catalogue())


@blueprint.post("/activate")
def activate() -> ResponseReturnValue:
    """Make an adaptor for a system of the catalogue."""
    kind = request.form.get("kind", "")
    try:
        adaptor = adaptors.activate(access.subscription().id, kind, request.form.get("name", ""))
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".catalogue"), 303)
    return _done(adaptor.id, _("Activated. Now connect it."))


def _page(adaptor: Adaptor, **context: Any) -> str:
    source = adaptors.catalogue()[adaptor.source_kind]
    text = sources.help_of(adaptor.source_kind, language())
    shown = {
        "values": adaptor.source_config, "errors": {}, "problem": "", "asks_to_confirm": False,
        "groups": groups(adaptor), "settings_errors": {}, "rates": vat.rates(adaptor), "vat_errors": {},
        "interval": str(adaptor.interval_minutes or ""), "start_date": adaptor.start_date or "", "schedule_errors": {},
    } | context  # fmt: skip
    return render_template(
        "source/page.html", adaptor=adaptor, adaptors=access.adaptors(), source=source, categories=vat.CATEGORIES,
        intervals=intervals(adaptor.interval_minutes), has_errors=bool(context), help_title=title(text),
        help_blocks=list(blocks(text)), customers=rules.counts(adaptor.id), documents=queries.counts(adaptor.id),
        **shown,
    )  # fmt: skip


def _done(adaptor_id: str, message: str, anchor: str | None = None) -> ResponseReturnValue:
    flash(message, "success")
    return redirect(url_for(".index", adaptor=adaptor_id, _anchor=anchor), 303)


@blueprint.post("/<adaptor_id>/connect")
def connect(adaptor_id: str) -> ResponseReturnValue:
    """Test credentials and keep them where they work."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    fields = adaptors.catalogue()[adaptor.source_kind].fields
    raw = raw_values(fields, request.form)
    try:
        company = sources.connect_from_form(adaptor_id, raw, confirm_change="confirm" in request.form)
    except ServiceError as error:
        return _page(
            access.scoped(Adaptor, adaptor_id),
            values=typed_values(fields, raw),
            errors=error.errors if isinstance(error, InvalidInput) else {},
            problem="" if isinstance(error, InvalidInput) else say(error.text),
            asks_to_confirm=isinstance(error, sources.CompanyChanged),
        ), 422
    return _done(adaptor_id, _("Connected to %(name)s.", name=company.name))


@blueprint.post("/<adaptor_id>/read")
def read(adaptor_id: str) -> ResponseReturnValue:
    """Read customers and tax rates now."""
    access.scoped(Adaptor, adaptor_id)
    try:
        count = sources.read_now(adaptor_id)
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".index", adaptor=adaptor_id), 303)
    return _done(adaptor_id, _("Customers read: %(count)s.", count=count))


@blueprint.post("/<adaptor_id>/vat")
def save_vat(adaptor_id: str) -> ResponseReturnValue:
    """Keep the VAT categories of the tax rates."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    try:
        released = vat.save(adaptor_id, request.form)
    except InvalidInput as error:
        typed = [vat.typed(rate, request.form) for rate in vat.rates(adaptor)]
        return _page(adaptor, rates=typed, vat_errors=error.errors), 422
    return _done(adaptor_id, saved(released), "field-vat")


@blueprint.post("/<adaptor_id>/settings")
def save_settings(adaptor_id: str) -> ResponseReturnValue:
    """Keep the settings that hold for all customers."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    raw = raw_settings(adaptor, request.form)
    try:
        released = adaptors.save_common(adaptor_id, raw)
    except InvalidInput as error:
        return _page(adaptor, groups=groups(adaptor, raw), settings_errors=error.errors), 422
    return _done(adaptor_id, saved(released), "settings")


@blueprint.post("/<adaptor_id>/schedule")
def save_schedule(adaptor_id: str) -> ResponseReturnValue:
    """Keep how often and from which date documents are exported."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    try:
        adaptors.save_schedule(adaptor_id, request.form)
    except InvalidInput as error:
        typed = {name: request.form.get(name, "") for name in ("interval", "start_date")}
        return _page(adaptor, schedule_errors=error.errors, **typed), 422
    return _done(adaptor_id, str(_("Saved.")), "schedule")
