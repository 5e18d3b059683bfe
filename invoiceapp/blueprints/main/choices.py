"""What the filters of the dashboard offer to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import or_, select

from invoiceapp.blueprints.tenancy import ALL
from invoiceapp.formatting import in_language, state_look
from invoiceapp.models import Customer, Gateway, db
from invoiceapp.services.configuration import rules
from invoiceapp.services.daily.listing import Filter

from .scope import Scope

#: Customers to choose from; the others are found by their name.
_CUSTOMERS = 30
#: In the order in which a document passes through them.
_STATUSES = (
    "queued", "pending", "blocked", "failed", "outcome_unknown", "rejected", "accepted", "delivered", "acknowledged",
    "cancelled", "listed", "unusable", "skipped", "handled",
)  # fmt: skip


def choices(scope: Scope, wanted: Filter, gateways: Sequence[Gateway]) -> dict[str, list[tuple[str, str]]]:
    """By the name of the parameter: values and their words."""
    return {
        "adaptor": _adaptors(scope),
        "status": statuses(),
        "customer": _customers(scope, wanted.customer_id),
        "format": [(name, in_language(label)) for name, label in rules.format_choices()],
        "gateway": [(row.id, row.name) for row in gateways],
    }


def statuses() -> list[tuple[str, str]]:
    """Groups first, then each status."""
    groups = [("person", _("Needs a person")), ("progress", _("On the way")), ("arrived", _("Arrived"))]
    return groups + [(status, str(state_look(status).label)) for status in _STATUSES]


def _adaptors(scope: Scope) -> list[tuple[str, str]]:
    return [(ALL, _("All adaptors")), *((one.id, one.name) for one in scope.others)] if len(scope.others) > 1 else []


def _customers(scope: Scope, chosen: str) -> list[tuple[str, str]]:
    """Those with most documents, and the one that is chosen, by name."""
    columns: Any = select(Customer.id, Customer.name).where(Customer.adaptor_id.in_(scope.ids))
    busiest = columns.order_by(Customer.recent_documents.desc(), Customer.id).limit(_CUSTOMERS).subquery()
    query = columns.where(or_(Customer.id == chosen, Customer.id.in_(select(busiest.c.id))))
    return sorted(((row.id, row.name) for row in db.session.execute(query)), key=lambda one: one[1].casefold())
