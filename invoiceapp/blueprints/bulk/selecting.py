"""What was selected in the list of documents: an adaptor, ticked rows or a filter, and when the person saw them."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import abort, request, url_for

from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor
from invoiceapp.services.daily.bulk_actions import Selection
from invoiceapp.services.daily.listing import Filter
from invoiceapp.services.errors import ServiceError

#: Of the list's address, what chooses no documents.
_NO_FILTER = frozenset({"adaptor", "sort", "after", "before"})


def adaptor_of_list() -> Adaptor:
    """The adaptor whose list it is."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    return adaptor


def list_url(adaptor: Adaptor, **wanted: str) -> str:
    """Back to the list."""
    return url_for("main.dashboard", adaptor=adaptor.id, **wanted)  # type: ignore[arg-type]


def selection_of_list(now: datetime) -> Selection:
    """What was ticked, or all that match. Raises ``ServiceError``."""
    until = _until(now)
    if request.form.get("everything"):
        return Selection(everything=_filter(), until=until)
    return Selection(tuple(dict.fromkeys(request.form.getlist("ids"))), until=until)


def _filter() -> Filter:
    """What the list showed. Raises ``ServiceError`` where the address is not wholly understood: less filter is more documents."""
    wanted = Filter.read(request.args)
    named = {name: text.strip() for name, text in request.args.items() if name not in _NO_FILTER and text.strip()}
    if named != wanted.to_args():
        raise ServiceError(
            Text(
                "Filteret kan ikke bruges længere, og intet er ændret. Vælg dokumenterne igen.",
                "The filter can no longer be used, and nothing was changed. Select the documents again.",
            )
        )
    return wanted


def _until(now: datetime) -> datetime:
    """When the person saw what was chosen."""
    try:
        return min(datetime.fromisoformat(request.form.get("until", "")).astimezone(UTC), now)
    except ValueError:
        return now
