"""``POST /inbound/<gateway>``: no person, no session, no page; short answers that tell a stranger nothing."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from invoiceapp.blueprints.policy import policy
from invoiceapp.extensions import csrf
from invoiceapp.services.receipts.receiving import largest, respond

blueprint = Blueprint("inbound", __name__, url_prefix="/inbound")
# Machines post here; there is no session that somebody could misuse.
csrf.exempt(blueprint)


@blueprint.post("/<gateway_id>")
@policy("public")
def post(gateway_id: str) -> Response:
    """Take a partner's message: 200 once it is stored, whatever it turns out to be about."""
    most = largest(gateway_id)
    if most is None:
        return Response(status=404, mimetype="text/plain")
    content = _body(most)
    if content is None:
        return Response(status=413, mimetype="text/plain")
    reply = respond(gateway_id, content, dict(request.headers))
    return Response(reply.content, status=reply.status, content_type=reply.media_type)


def _body(most: int) -> bytes | None:
    """None where it is too large, by its own word or by what comes."""
    if (request.content_length or 0) > most:
        return None
    try:
        content = request.stream.read(most + 1)
    except RequestEntityTooLarge:
        return None
    return content if len(content) <= most else None
