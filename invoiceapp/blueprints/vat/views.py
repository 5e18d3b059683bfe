"""A VAT category for every sales tax rate of the source."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.tenancy import chosen_adaptor, protect
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import vat
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access

blueprint = Blueprint("vat", __name__, url_prefix="/vat")
protect(blueprint)


def _page(adaptor: Adaptor, **context: Any) -> str:
    shown = {"rates": vat.rates(adaptor), "errors": {}} | context
    return render_template(
        "vat/page.html", adaptor=adaptor, categories=vat.CATEGORIES, has_errors=bool(shown["errors"]), **shown
    )


@blueprint.get("")
def index() -> ResponseReturnValue:
    """The tax rates with the categories chosen for them."""
    adaptor = chosen_adaptor()
    return redirect(url_for("adaptors.catalogue")) if adaptor is None else _page(adaptor)


@blueprint.post("/<adaptor_id>")
def save(adaptor_id: str) -> ResponseReturnValue:
    """Keep the VAT categories of the tax rates."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    try:
        released = vat.save(adaptor_id, request.form)
    except InvalidInput as error:
        typed = [vat.typed(rate, request.form) for rate in vat.rates(adaptor)]
        return _page(adaptor, rates=typed, errors=error.errors), 422
    flash(saved(released), "success")
    return redirect(url_for(".index", adaptor=adaptor_id), 303)
