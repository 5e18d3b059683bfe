"""The live examples of ``blueprints/rules/examples.py`` for settings that hold for all customers."""

from __future__ import annotations

from flask import abort, url_for

from invoiceapp.blueprints import live_examples
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.models import Adaptor

from .blueprint import blueprint


def _adaptor() -> Adaptor:
    return chosen_adaptor() or abort(404)


@blueprint.get("/order-number")
@policy("adaptor:view")
def order_number_example() -> str:
    """What a pattern finds in the newest documents of all customers."""
    adaptor = _adaptor()
    back = url_for(".index", adaptor=adaptor.id, group="customer", _anchor="field-customer.orderNumberPattern")
    return live_examples.order_numbers(adaptor, None, back)


@blueprint.get("/file-name")
@policy("adaptor:view")
def file_name_example() -> str:
    """How a template names the newest documents of all customers."""
    adaptor = _adaptor()
    back = url_for(".index", adaptor=adaptor.id, group="gateway", _anchor="field-gateway.fileName")
    return live_examples.file_names(adaptor, None, back)
