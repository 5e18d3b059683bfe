"""Everything that goes wrong below ``/api/v1`` is answered as a problem, never as a page."""

from __future__ import annotations

import logging

from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from invoiceapp.domain.findings import Text
from invoiceapp.models import new_id
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export.archive import ArchiveCorrupt
from invoiceapp.services.people.access import NotAllowed, NotYours

from .blueprint import blueprint
from .problems import problem

log = logging.getLogger(__name__)


class BadParameter(ServiceError):
    """A parameter or body that cannot be read."""


_STATUS: dict[type[ServiceError], int] = {
    BadParameter: 400, NotYours: 404, NotAllowed: 403, ArchiveCorrupt: 404, Conflict: 409,
}  # fmt: skip
_WORDS = {
    400: Text("Forespørgslen kan ikke læses.", "The request cannot be read."),
    403: Text("Det er ikke tilladt.", "That is not allowed."),
    404: Text("Det findes ikke, eller du har ikke adgang.", "It does not exist, or you have no access."),
    413: Text("Forespørgslen er for stor.", "The request is too large."),
    415: Text("Indholdet skal være JSON.", "The body must be JSON."),
}


@blueprint.errorhandler(ServiceError)
def refused_by_service(error: ServiceError) -> Response:
    """What a use case refuses, in its own words."""
    return problem(next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422), error.text)


@blueprint.errorhandler(400)
@blueprint.errorhandler(403)
@blueprint.errorhandler(404)
@blueprint.errorhandler(413)
@blueprint.errorhandler(415)
def refused(error: HTTPException) -> Response:
    """What Werkzeug and ``abort`` refuse."""
    status = error.code or 400
    return problem(status, _WORDS[status])


@blueprint.errorhandler(500)
def failed(error: InternalServerError) -> Response:
    """A fault of ours; the reference leads from the answer to the log."""
    reference = new_id()
    log.error("API fault, reference %s: %s", reference, type(error.original_exception).__name__)
    text = Text(
        f"Der skete en fejl i programmet. Giv den, der driver serveren, denne reference: {reference}.",
        f"There was a fault in the program. Give whoever runs the server this reference: {reference}.",
    )
    return problem(500, text)
