"""A VAT category for every sales tax rate of the source."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.settings.results import conflict_status, tell_saved
from invoiceapp.blueprints.tenancy import chosen_adaptor, of_kept_adaptors
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import vat, vat_proposals
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access

blueprint = Blueprint("vat", __name__, url_prefix="/vat")
of_kept_adaptors(blueprint)


def _page(adaptor: Adaptor, **context: Any) -> str:
    """``shown``: rates as they were typed, by id; without it, as they are stored."""
    looked = vat_proposals.look(adaptor)
    rows = vat.rows(adaptor, looked)
    shown = {"shown": {row.rate.id: row.rate for row in rows}, "errors": {}, "conflict": None} | context
    return render_template(
        "vat/page.html",
        adaptor=adaptor,
        looked=looked,
        rows=rows,
        proposed=sum(row.offers for row in rows),
        version=vat.version(adaptor),
        categories={category.code.value: category for category in vat.CATEGORIES},
        codes=vat.CODES,
        has_errors=bool(shown["errors"] or shown["conflict"]),
        **shown,
    )


@blueprint.get("")
@policy("adaptor:view")
def index() -> ResponseReturnValue:
    """The tax rates with the categories chosen for them, and proposals for the others."""
    adaptor = chosen_adaptor()
    return redirect(url_for("adaptors.catalogue")) if adaptor is None else _page(adaptor)


@blueprint.post("/<adaptor_id>")
@policy("adaptor:edit")
def save(adaptor_id: str) -> ResponseReturnValue:
    """Keep the VAT categories of the tax rates; ``use`` takes proposals over, of all rates or of one."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    raw: dict[str, str] = request.form.to_dict()
    if raw.get("use"):
        raw = vat.with_proposals(vat.rows(adaptor, vat_proposals.look(adaptor)), raw, raw["use"])
    try:
        result = vat.save(adaptor_id, raw, actor=access.actor(), shown=request.form.get("version"))
    except InvalidInput as error:
        return _page(adaptor, shown=_typed(adaptor, raw), errors=error.errors), 422
    except ChangedMeanwhile as error:
        return _page(adaptor, shown=_typed(adaptor, raw), conflict=error.text), conflict_status()
    tell_saved(result)
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


def _typed(adaptor: Adaptor, raw: dict[str, str]) -> dict[str, vat.Rate]:
    return {rate.id: vat.typed(rate, raw) for rate in vat.rates(adaptor)}
