"""A marked test document, sent through the gateway: asked for first, because the receiver really gets it."""

from __future__ import annotations

import json
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.languages import say
from invoiceapp.models import Gateway
from invoiceapp.services.configuration import samples
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import actor, scoped

from .blueprint import blueprint

_CONFIRM = Text("Sæt flueben, når modtageren må få prøven.", "Tick the box once the receiver may get the sample.")


@blueprint.get("/<gateway_id>/sample")
@policy("gateway:edit")
def ask_for_sample(gateway_id: str) -> str:
    """Which format, and to whom."""
    gateway = scoped(Gateway, gateway_id)
    return _page(gateway, samples.usual_format(gateway) or "", actor())


def _page(gateway: Gateway, chosen: str, address: str, **context: Any) -> str:
    offered = samples.formats_of(gateway)
    shown: dict[str, Any] = {"errors": {}, "sent": None, "problem": ""} | context
    return render_template(
        "gateways/sample.html", gateway=gateway, formats=offered, chosen=chosen, address=address,
        address_field=samples.ADDRESS if samples.needs_address(gateway) else None, note=samples.NOTE,
        is_possible=samples.is_possible(gateway), has_errors=bool(shown["errors"]), **shown,
    )  # fmt: skip


def _outcome(outcome: str) -> dict[str, str]:
    """What the page says of how it went."""
    words = {
        "accepted": ("success", _("The sample is sent")),
        "refused": ("danger", _("Not sent: the settings or the login do not work")),
        "rejected": ("danger", _("Not accepted: the receiver says no")),
        "unavailable": ("warning", _("Not sent: the receiver could not be reached")),
        "unknown": ("warning", _("Unclear: it may have arrived")),
    }
    tone, title = words[outcome]
    return {"tone": tone, "title": title}


@blueprint.post("/<gateway_id>/sample")
@policy("gateway:edit")
def send_sample(gateway_id: str) -> ResponseReturnValue:
    """Send it. The answer is the result: there is nothing to redirect to."""
    gateway = scoped(Gateway, gateway_id)
    chosen, address = request.form.get("format", ""), request.form.get("address", "").strip()
    if not request.form.get("confirm"):
        return _page(gateway, chosen, address, errors={"confirm": _CONFIRM}), 422
    try:
        sent = samples.send(gateway.id, chosen, address, actor())
    except InvalidInput as error:
        return _page(scoped(Gateway, gateway_id), chosen, address, errors=error.errors), 422
    except ServiceError as error:
        return _page(scoped(Gateway, gateway_id), chosen, address, problem=say(error.text))
    evidence = json.dumps(dict(sent.receipt.evidence), ensure_ascii=False, indent=2) if sent.receipt else ""
    outcome = _outcome(sent.outcome)
    return _page(scoped(Gateway, gateway_id), chosen, address, sent=sent, evidence=evidence, outcome=outcome)
