"""Being found by the other companies of this installation: declared by whoever wants it, and withdrawn again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, Participant
from invoiceapp.languages import say
from invoiceapp.models import Receiver
from invoiceapp.services.configuration import rules
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.people.access import actor, subscription
from invoiceapp.services.reach import receivers
from invoiceapp.services.reach.routes import participant_of

from .blueprint import blueprint

#: What a number without a scheme is, told from its length.
_SCHEMES = {8: CVR, 10: P_NUMBER, 13: GLN}


def _address(line: str) -> str:
    """``0184:12345674`` of what a person writes, such as ``CVR 12 34 56 74``; what cannot be read stays to be refused."""
    if re.match(r"\s*[0-9]{4}:", line):
        return line.strip()
    bare = re.sub(r"\D", "", line)
    return str(Participant.of(_SCHEMES[len(bare)], bare)) if len(bare) in _SCHEMES else f"{GLN}:{line.strip()}"


def _lines(row: Receiver) -> str:
    """As a person writes them."""
    found = [(text, participant_of(text)) for text in row.participants]
    return "\n".join(one.value if one and one.scheme in _SCHEMES.values() else text for text, one in found)


def _page(values: Mapping[str, Any], errors: Mapping[str, Any] | None = None) -> str:
    return render_template(
        "network/receiver.html", values=values, errors=errors or {}, has_errors=bool(errors),
        formats=rules.format_choices(), own=receivers.own(subscription().id),
    )  # fmt: skip


@blueprint.get("/receiver")
@policy("subscription:view")
def receiver() -> str:
    """What the subscription has told the others of itself."""
    tenant = subscription()
    row = receivers.own(tenant.id)
    if row is None:
        return _page({"name": tenant.name, "addresses": "", "formats": [], "email": ""})
    return _page({"name": row.name, "addresses": _lines(row), "formats": row.formats, "email": row.email})


@blueprint.post("/receiver")
@policy("subscription:admin")
def declare_receiver() -> ResponseReturnValue:
    """Let the others find the subscription."""
    form = request.form
    values: dict[str, Any] = {
        "name": form.get("name", ""), "addresses": form.get("addresses", ""), "formats": form.getlist("formats"),
        "email": form.get("email", ""),
    }  # fmt: skip
    addresses = [_address(line) for line in values["addresses"].splitlines() if line.strip()]
    try:
        receivers.declare(
            subscription().id, name=values["name"], participants=addresses, format_ids=values["formats"],
            email=values["email"], actor=actor(),
        )  # fmt: skip
    except InvalidInput as error:
        return _page(values, error.errors), 422
    except ServiceError as error:
        flash(say(error.text), "error")
        return _page(values), 422
    flash(_("The other companies of this installation can find you from now on."), "success")
    return redirect(url_for(".receiver"), 303)


@blueprint.post("/receiver/withdraw")
@policy("subscription:admin")
def withdraw_receiver() -> ResponseReturnValue:
    """Be found no more."""
    receivers.withdraw(subscription().id, actor())
    flash(_("You are not found by others any more."), "success")
    return redirect(url_for(".receiver"), 303)
