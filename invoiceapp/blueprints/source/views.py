"""Connecting the source of an adaptor."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import raw_values, typed_values
from invoiceapp.blueprints.plaintext import blocks, title
from invoiceapp.blueprints.tenancy import chosen_adaptor, protect
from invoiceapp.formatting import language
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import adaptors, customer_reading, customers, sources
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.export import queries
from invoiceapp.services.people import access

blueprint = Blueprint("source", __name__, url_prefix="/source")
protect(blueprint)


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The source's page; the catalogue where nothing is activated yet."""
    adaptor = chosen_adaptor()
    return redirect(url_for("adaptors.catalogue")) if adaptor is None else _page(adaptor)


def _page(adaptor: Adaptor, **context: Any) -> str:
    source = adaptors.catalogue()[adaptor.source_kind]
    text = sources.help_of(adaptor.source_kind, language())
    shown = {
        "values": adaptor.source_config, "errors": {}, "problem": "", "asks_to_confirm": False,
    } | context  # fmt: skip
    return render_template(
        "source/page.html", adaptor=adaptor, source=source, has_errors=bool(context), help_title=title(text),
        help_blocks=list(blocks(text)), customers=customers.counts(adaptor.id), documents=queries.counts(adaptor.id),
        **shown,
    )  # fmt: skip


def _done(adaptor_id: str, message: str) -> ResponseReturnValue:
    flash(message, "success")
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


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
        count = customer_reading.read_now(adaptor_id)
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".index", adaptor=adaptor_id), 303)
    return _done(adaptor_id, _("Customers read: %(count)s.", count=count))
