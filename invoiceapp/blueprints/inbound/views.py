"""``POST /inbound/<gateway>``: no person, no session, no page; short answers that tell a stranger nothing."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from invoiceapp.extensions import csrf
from invoiceapp.services.receipts.receiving import LARGEST, Answer, receive, takes

blueprint = Blueprint("inbound", __name__, url_prefix="/inbound")
# Machines post here; there is no session that somebody could misuse.
csrf.exempt(blueprint)

_STATUS = {
    Answer.STORED: 200,
    Answer.UNREADABLE: 400,
    Answer.NO_SUCH_GATEWAY: 404,
    Answer.TOO_MANY: 429,
    Answer.TRY_AGAIN: 503,
}


@blueprint.post("/<gateway_id>")
def post(gateway_id: str) -> Response:
    """Take a partner's message: 200 once it is stored, whatever it turns out to be about."""
    if not takes(gateway_id):
        return _answer(_STATUS[Answer.NO_SUCH_GATEWAY])
    content = _body()
    if content is None:
        return _answer(413)
    return _answer(_STATUS[receive(gateway_id, content, dict(request.headers))])


def _body() -> bytes | None:
    """None where it is too large, by its own word or by what comes."""
    if (request.content_length or 0) > LARGEST:
        return None
    try:
        content = request.stream.read(LARGEST + 1)
    except RequestEntityTooLarge:
        return None
    return content if len(content) <= LARGEST else None


def _answer(status: int) -> Response:
    return Response(status=status, mimetype="text/plain")
