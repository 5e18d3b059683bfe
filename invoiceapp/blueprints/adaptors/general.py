"""What holds for an adaptor as a whole."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from invoiceapp.blueprints.declared import saved
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Gateway, db
from invoiceapp.services.configuration import adaptors, customers, environments, outgoing
from invoiceapp.services.configuration import general as settings
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.daily import schedules
from invoiceapp.services.daily.schedule_words import of_adaptor as in_words
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access, usable

from .blueprint import blueprint
from .forms import general_context, raw_general


def _page(adaptor: Adaptor, **context: Any) -> str:
    shown = {"conflict": ""} | context
    if "values" not in shown:
        shown |= general_context(adaptor)
    return render_template(
        "adaptors/general.html", adaptor=adaptor, source=adaptors.catalogue()[adaptor.source_kind],
        version=settings.version(adaptor), schedule=in_words(adaptor.id), next_run=schedules.next_due(adaptor.id),
        customers=customers.counts(adaptor.id), waiting=outgoing.waiting([adaptor.id])[adaptor.id],
        unreachable=_unreachable(adaptor),
        has_errors=bool(shown["errors"] or shown["conflict"]), **shown,
    )  # fmt: skip


def _unreachable(adaptor: Adaptor) -> Gateway | None:
    """The default gateway, where the adaptor may not use it: it was set live later."""
    gateway = db.session.get(Gateway, adaptor.default_gateway_id) if adaptor.default_gateway_id else None
    if gateway is None or environments.may_reach(adaptor.environment, gateway.environment):
        return None
    return gateway


@blueprint.get("/general")
@policy("adaptor:view")
def general() -> ResponseReturnValue:
    """What holds for an adaptor as a whole."""
    adaptor = chosen_adaptor()
    return redirect(url_for(".index")) if adaptor is None else _page(adaptor)


@blueprint.post("/<adaptor_id>/general")
@policy("adaptor:edit")
def save_general(adaptor_id: str) -> ResponseReturnValue:
    """Keep all of the form or nothing."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    raw = raw_general(adaptor, request.form)
    usable.require(raw.get("default_gateway", ""), adaptor)
    try:
        found = settings.save(adaptor_id, raw, actor=access.actor(), shown=request.form.get("version"))
    except InvalidInput as error:
        return _page(adaptor, **general_context(adaptor, raw, error.errors)), 422
    except ChangedMeanwhile as error:
        adaptor = access.scoped(Adaptor, adaptor_id)
        return _page(adaptor, conflict=say(error.text), **general_context(adaptor, raw)), 409
    flash(saved(found.released), "success")
    if found.held_back:
        flash(held_back(found.held_back), "warning")
    if found.listed:
        flash(listed_again(found.listed), "info")
    return redirect(url_for(".general", adaptor=adaptor_id), 303)


def held_back(count: int) -> str:
    """What became of deliveries that may no longer reach their gateway."""
    text: str = ngettext(
        "%(num)s document that waited is stopped: its gateway is live, and the adaptor is in test.",
        "%(num)s documents that waited are stopped: their gateway is live, and the adaptor is in test.",
        count,
    )
    return text


def listed_again(count: int) -> str:
    """Of documents that the accounting system has sent itself, and that the settings skip no longer."""
    text: str = ngettext(
        "%(num)s skipped document can be exported now. It is not sent by itself: choose it under Manual export.",
        "%(num)s skipped documents can be exported now. They are not sent by themselves: choose them under Manual export.",
        count,
    )
    return text
