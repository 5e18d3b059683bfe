"""Error pages in the reader's language; a fragment gets one line, because a whole page would not fit into it."""

from __future__ import annotations

import logging

from flask import Response, current_app, g, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    RequestEntityTooLarge,
    SecurityError,
)

from invoiceapp.domain.findings import Text
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.models import new_id
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export.archive import ArchiveCorrupt
from invoiceapp.services.people.access import NoMembership, NotAllowed, NotYours
from invoiceapp.services.sign_in.throttling import Throttled

from . import left_forms
from .blueprint import blueprint

log = logging.getLogger(__name__)

Answer = tuple[str, int]
_UNREADABLE = Text("Forespørgslen kan ikke besvares her.", "This request cannot be answered here.")
_STATUS: dict[type[ServiceError], int] = {
    NotYours: 404, NotAllowed: 403, NoMembership: 403, ArchiveCorrupt: 404, Conflict: 409, Throttled: 429,
}  # fmt: skip


def _page(status: int, template: str, **context: object) -> Answer:
    if is_htmx():
        return f"<p>{status}</p>", status
    try:
        return render_template(f"errors/{template}.html", **context), status
    except RequestEntityTooLarge as error:
        # Templates ask who is signed in, and Flask-Security looks for a token in a JSON body, however large.
        _forget_reader()
        return render_template("errors/413.html"), error.code


def _forget_reader() -> None:
    """Show the page as to a visitor: nobody is looked up."""
    g._login_user = current_app.login_manager.anonymous_user()  # type: ignore[attr-defined]


def plain_refusal() -> Response:
    """400 in two lines of text: no template, address, session or database is needed."""
    return Response(f"{_UNREADABLE.da}\n{_UNREADABLE.en}\n", 400, mimetype="text/plain")


@blueprint.app_errorhandler(SecurityError)
def foreign_host(_error: SecurityError) -> Response:
    """A host that is not ours: no address can be made for it, so no page either."""
    return plain_refusal()


@blueprint.app_errorhandler(400)
@blueprint.app_errorhandler(403)
@blueprint.app_errorhandler(404)
@blueprint.app_errorhandler(409)
@blueprint.app_errorhandler(413)
def refused(error: HTTPException) -> Answer:
    """What Werkzeug, Flask-WTF (CSRF: 400) and ``abort`` refuse."""
    status = error.code or 400
    company = left_forms.switched_to() if isinstance(error, CSRFError) else None
    if company is not None:
        return _page(status, "switched", switched_to=company, way_back=left_forms.way_back())
    return _page(status, str(status))


@blueprint.app_errorhandler(405)
def wrong_method(error: MethodNotAllowed) -> ResponseReturnValue:
    """An address that only takes forms, opened as a page."""
    return *_page(405, "405"), {"Allow": ", ".join(error.valid_methods or ())}


@blueprint.app_errorhandler(ServiceError)
def refused_by_service(error: ServiceError) -> tuple[str, int, dict[str, str]]:
    """A refusal that no view turned into a message of its own."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
    if isinstance(error, NotYours | NotAllowed):
        return *_page(status, str(status)), {}
    template = "no_membership" if isinstance(error, NoMembership) else "refused"
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, Throttled) else {}
    return *_page(status, template, message=say(error.text), what=_("That is not possible now")), headers


@blueprint.app_errorhandler(500)
def failed(error: InternalServerError) -> Answer:
    """A fault of ours; the reference leads from the page to the log."""
    reference = new_id()
    log.error("error page shown, reference %s: %s", reference, type(error.original_exception).__name__)
    # Templates ask who is signed in; that is a query, and the database may be what failed.
    _forget_reader()
    return _page(500, "500", reference=reference)
