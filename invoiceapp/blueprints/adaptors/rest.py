"""Letting an adaptor rest, waking it, and deleting it."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import adaptors, deletion, outgoing
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.people import access

from .blueprint import blueprint


@blueprint.get("/<adaptor_id>/deactivate")
@policy("adaptor:edit")
def ask_to_deactivate(adaptor_id: str) -> str:
    """What deactivating means, and how much waits."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    waiting = outgoing.waiting([adaptor_id])[adaptor_id]
    return render_template("adaptors/deactivate.html", adaptor=adaptor, waiting=waiting)


@blueprint.post("/<adaptor_id>/deactivate")
@policy("adaptor:edit")
def deactivate(adaptor_id: str) -> ResponseReturnValue:
    """Read and send nothing; what waits keeps waiting."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    adaptors.set_active(adaptor_id, False)
    text = _("“%(name)s” is deactivated. Nothing is read or sent until you activate it again.", name=adaptor.name)
    flash(text, "success")
    return redirect(url_for(".index"), 303)


@blueprint.post("/<adaptor_id>/reactivate")
@policy("adaptor:edit")
def reactivate(adaptor_id: str) -> ResponseReturnValue:
    """Read and send again, what waited first."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    waiting = outgoing.waiting([adaptor_id])[adaptor_id]
    adaptors.set_active(adaptor_id, True)
    flash(_("“%(name)s” is active again.", name=adaptor.name), "success")
    if waiting:
        text = ngettext(
            "%(num)s document waited and is sent now.", "%(num)s documents waited and are sent now.", waiting
        )
        flash(text, "info")
    return redirect(url_for(".index"), 303)


def _deletion_page(adaptor: Adaptor, **context: Any) -> str:
    shown: dict[str, Any] = {"typed": "", "errors": {}, "problem": ""} | context
    return render_template(
        "adaptors/delete.html", adaptor=adaptor, consequences=deletion.consequences(adaptor.id),
        has_errors=bool(shown["errors"] or shown["problem"]), **shown,
    )  # fmt: skip


@blueprint.get("/<adaptor_id>/delete")
@policy("adaptor:manage")
def ask_to_delete(adaptor_id: str) -> str:
    """What deleting means; it is confirmed by writing the name."""
    return _deletion_page(access.scoped(Adaptor, adaptor_id))


@blueprint.post("/<adaptor_id>/delete")
@policy("adaptor:manage", fresh=True)
def delete(adaptor_id: str) -> ResponseReturnValue:
    """Delete the adaptor, where its name was written."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    name, typed = adaptor.name, request.form.get("confirmation", "")
    try:
        count = deletion.delete(adaptor_id, typed, access.actor())
    except InvalidInput as error:
        return _deletion_page(access.scoped(Adaptor, adaptor_id), typed=typed, errors=error.errors), 422
    except Conflict as error:
        return _deletion_page(access.scoped(Adaptor, adaptor_id), typed=typed, problem=say(error.text)), 409
    flash(_("“%(name)s” is deleted. Its documents are kept.", name=name), "success")
    if count:
        flash(ngettext("%(num)s document was taken out.", "%(num)s documents were taken out.", count), "info")
    return redirect(url_for(".index", _anchor="deleted"), 303)
