"""What a register answered, word for word."""

from __future__ import annotations

from datetime import datetime

from flask import abort, render_template
from flask.typing import ResponseReturnValue

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import say
from invoiceapp.models import Customer, Lookup
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people.access import scoped
from invoiceapp.services.reach import looking_back

from . import words
from .blueprint import blueprint


@blueprint.get("/customers/<customer_id>/answers/<lookup_id>/<int:number>")
@policy("adaptor:view")
def answer(customer_id: str, lookup_id: str, number: int) -> ResponseReturnValue:
    """One exchange with a register: what was asked and what came back, as text."""
    customer, lookup = scoped(Customer, customer_id), scoped(Lookup, lookup_id)
    if number >= len(lookup.exchanges):
        abort(404)
    content, refused = None, None
    try:
        content = looking_back.answer(lookup, number)
    except ServiceError as error:
        refused = say(error.text)
    return render_template(
        "network/answer.html", customer=customer, lookup=lookup, exchange=lookup.exchanges[number], content=content,
        refused=refused, is_cut=content is not None and len(content) >= looking_back.LONGEST,
        register_label=words.register_label, asked=words.asked,
        asked_at=datetime.fromisoformat(lookup.exchanges[number]["at"]),
    )  # fmt: skip
