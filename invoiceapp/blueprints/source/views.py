"""Connecting the source of an adaptor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.declared import raw_values, typed_values
from invoiceapp.blueprints.plaintext import blocks, title
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.readings import words_of
from invoiceapp.blueprints.tenancy import chosen_adaptor, of_kept_adaptors
from invoiceapp.formatting import language
from invoiceapp.htmx import STOP_POLLING, hx_response, is_htmx
from invoiceapp.languages import say
from invoiceapp.models import ACTIVE_RUNS, Adaptor
from invoiceapp.services.configuration import adaptors, customer_reading, sources
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.export import run_queue, runs
from invoiceapp.services.people import access

blueprint = Blueprint("source", __name__, url_prefix="/source")
of_kept_adaptors(blueprint)


@blueprint.get("")
@policy("adaptor:view")
def index() -> ResponseReturnValue:
    """The source's page; the catalogue where nothing is activated yet."""
    adaptor = chosen_adaptor()
    return redirect(url_for("adaptors.catalogue")) if adaptor is None else _page(adaptor)


def _state(adaptor: Adaptor) -> dict[str, Any]:
    """What was read, and the reading that goes on."""
    return {"adaptor": adaptor, "read": sources.read_so_far(adaptor), "run": run_queue.active(adaptor.id)}


def _page(adaptor: Adaptor, **context: Any) -> str:
    source = adaptors.catalogue()[adaptor.source_kind]
    text = sources.help_of(adaptor.source_kind, language())
    defaults = {field.name: field.default for field in source.fields}
    shown = {
        "values": {**defaults, **adaptor.source_config}, "errors": {}, "problem": "", "asks_to_confirm": False, "tried": None,
    } | context  # fmt: skip
    return render_template(
        "source/page.html", source=source, has_errors=bool(shown["errors"] or shown["problem"]), help_title=title(text),
        help_blocks=list(blocks(text)), **_state(adaptor), **shown,
    )  # fmt: skip


@blueprint.get("/<adaptor_id>/state")
@policy("adaptor:view")
def state(adaptor_id: str) -> ResponseReturnValue:
    """What was read until now, for the poll while a reading goes on."""
    found = _state(access.scoped(Adaptor, adaptor_id))
    is_over = found["run"] is None or found["run"].state not in ACTIVE_RUNS
    return hx_response(render_template("source/_state.html", **found), STOP_POLLING if is_over else 200)


def _done(adaptor_id: str, message: str) -> ResponseReturnValue:
    flash(message, "success")
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


def _typed(adaptor: Adaptor) -> tuple[dict[str, str], dict[str, Any]]:
    """What was typed, and what of it may be shown again."""
    fields = adaptors.catalogue()[adaptor.source_kind].fields
    raw = raw_values(fields, request.form)
    return raw, typed_values(fields, raw)


def _trouble(error: ServiceError) -> dict[str, Any]:
    """A refusal for the page: at its fields, or above them."""
    is_input = isinstance(error, InvalidInput)
    errors: Mapping[str, Any] = error.errors if isinstance(error, InvalidInput) else {}
    return {"errors": errors, "problem": "" if is_input else say(error.text)}


@blueprint.post("/<adaptor_id>/connect")
@policy("adaptor:manage", fresh=True)
def connect(adaptor_id: str) -> ResponseReturnValue:
    """Test credentials, keep them where they work, and read what there is."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    raw, shown = _typed(adaptor)
    try:
        company = sources.connect_from_form(adaptor_id, raw, confirm_change="confirm" in request.form)
    except ServiceError as error:
        asks = isinstance(error, sources.CompanyChanged)
        adaptor = access.scoped(Adaptor, adaptor_id)
        return _page(adaptor, values=shown, asks_to_confirm=asks, **_trouble(error)), 422
    _start_reading(adaptor_id)
    return _done(adaptor_id, _("Connected to %(name)s.", name=company.name))


def _start_reading(adaptor_id: str) -> None:
    try:
        runs.start_reading(adaptor_id, access.actor())
    except Conflict as error:
        # Something is read already, or the adaptor rests: connected it is all the same.
        flash(say(error.text), "info")


@blueprint.post("/<adaptor_id>/test")
@policy("adaptor:edit")
def test(adaptor_id: str) -> ResponseReturnValue:
    """Whose books the typed credentials open. The answer is the result: nothing is kept, so there is nothing to redirect to."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    raw, shown = _typed(adaptor)
    try:
        result: dict[str, Any] = {"tried": sources.try_from_form(adaptor_id, raw)}
    except ServiceError as error:
        result = _trouble(error)
    adaptor = access.scoped(Adaptor, adaptor_id)
    if is_htmx():
        # The form stays as it is, with the token in it; so the errors stand together here.
        return render_template("source/_tried.html", **{"errors": {}, "problem": "", "tried": None, **result})
    return _page(adaptor, values=shown, **result), 200 if "tried" in result else 422


@blueprint.post("/<adaptor_id>/read")
@policy("adaptor:edit")
def read(adaptor_id: str) -> ResponseReturnValue:
    """Read customers and tax rates now."""
    access.scoped(Adaptor, adaptor_id)
    try:
        reading = customer_reading.read_now(adaptor_id)
    except ServiceError as error:
        flash(say(error.text), "error")
        return redirect(url_for(".index", adaptor=adaptor_id), 303)
    return _done(adaptor_id, words_of(reading))
