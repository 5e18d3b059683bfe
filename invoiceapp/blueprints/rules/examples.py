"""Live examples beside two settings of one customer."""

from __future__ import annotations

from flask import url_for

from invoiceapp.blueprints import live_examples
from invoiceapp.blueprints.policy import policy
from invoiceapp.models import Adaptor, Customer
from invoiceapp.services.people.access import scoped

from .blueprint import blueprint


def _of(customer_id: str) -> tuple[Adaptor, Customer]:
    customer = scoped(Customer, customer_id)
    return scoped(Adaptor, customer.adaptor_id), customer


def _back(customer_id: str, group: str, field: str) -> str:
    return url_for(".customer", customer_id=customer_id, group=group, _anchor=f"field-{group}.{field}")


@blueprint.get("/<customer_id>/order-number")
@policy("adaptor:view")
def order_number_example(customer_id: str) -> str:
    """What a pattern finds in the newest documents of one customer."""
    return live_examples.order_numbers(*_of(customer_id), _back(customer_id, "customer", "orderNumberPattern"))


@blueprint.get("/<customer_id>/file-name")
@policy("adaptor:view")
def file_name_example(customer_id: str) -> str:
    """How a template names the newest documents of one customer."""
    return live_examples.file_names(*_of(customer_id), _back(customer_id, "gateway", "fileName"))
