"""Which customers a form is about: ticked ones, all that match its filter, or the proposals that wait."""

from __future__ import annotations

from flask import redirect, request
from flask.typing import ResponseReturnValue

from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import customers
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.reach import proposing, queries
from invoiceapp.services.reach.queries import Filter

from .matches import FILTER, list_url


def selected(adaptor: Adaptor) -> list[str]:
    """Ids of customers; those of a form that names none are none. Raises ``ServiceError``."""
    proposals = request.form.get("proposals", "")
    if proposals:
        return proposing.ids(adaptor.id, sure_only=proposals == "sure")
    if not request.form.get("everything"):
        return list(filter(customers.is_id, dict.fromkeys(request.form.getlist("ids"))))
    wanted = Filter.read(request.form, FILTER)
    if _posted() != wanted.parameters():
        # In a list an unusable filter shows more; here it would change more than the person saw.
        raise ServiceError(
            Text(
                "Filteret kan ikke bruges længere, og intet er ændret. Vælg kunderne igen.",
                "The filter can no longer be used, and nothing was changed. Select the customers again.",
            )
        )
    return queries.ids(adaptor.id, wanted)


def _posted() -> dict[str, str]:
    return {key.removeprefix(FILTER): text for key, text in request.form.items() if key.startswith(FILTER) and text}


def repeated() -> list[tuple[str, str]]:
    """The fields that make the next form be about the same customers."""
    if proposals := request.form.get("proposals", ""):
        return [("proposals", proposals)]
    if request.form.get("everything"):
        return [("everything", "1"), *((FILTER + name, text) for name, text in _posted().items())]
    return [("ids", one) for one in dict.fromkeys(request.form.getlist("ids"))]


def back(adaptor: Adaptor) -> ResponseReturnValue:
    """To the list as it was filtered."""
    return redirect(list_url(adaptor.id, Filter.read(request.form, FILTER)), 303)
