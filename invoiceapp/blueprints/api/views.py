"""What programs may ask for with an API key; described by ``openapi.py``."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, jsonify, make_response, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from invoiceapp.blueprints.documents.choices import carry_out
from invoiceapp.blueprints.documents.forms import LONGEST_NOTE
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import named_adaptor
from invoiceapp.domain.file_names import safe_filename
from invoiceapp.models import Adaptor, Document, Run
from invoiceapp.services.daily import listing
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import actions, archive, queries, run_queue, runs
from invoiceapp.services.people import access

from . import answers, parameters
from .blueprint import blueprint
from .openapi import document as description


@blueprint.get("/openapi.json")
@policy("public")
def openapi_document() -> Response:
    """The description of all this."""
    return jsonify(description())


@blueprint.get("/adaptors")
@policy("adaptor:view", token=True)
def adaptors() -> Response:
    """The adaptors that the key is good for."""
    return jsonify(adaptors=[answers.adaptor(row) for row in access.adaptors()])


@blueprint.post("/adaptors/<adaptor_id>/runs")
@policy("adaptor:operate", token=True)
def start_run(adaptor_id: str) -> Response:
    """Fetch and send what is new. While a run is under way: once more as soon as it ends."""
    row, actor = access.scoped(Adaptor, adaptor_id), access.actor()
    adaptor_id = row.id
    try:
        run_id = runs.start(adaptor_id, trigger="manual", actor=actor).id
    except Conflict:
        active = run_queue.active(adaptor_id) if run_queue.ask_again(adaptor_id, actor) else None
        if active is None:
            raise
        run_id = active.id
    answer = jsonify(answers.run(access.scoped(Run, run_id)))
    answer.status_code = 202
    answer.headers["Location"] = url_for(".run", run_id=run_id)
    return answer


@blueprint.get("/runs/<run_id>")
@policy("adaptor:view", token=True)
def run(run_id: str) -> Response:
    """One run."""
    return jsonify(answers.run(access.scoped(Run, run_id)))


@blueprint.get("/documents")
@policy("adaptor:view", token=True)
def documents() -> Response:
    """A page of the documents; ``next`` leads to the one after it."""
    view, limit = parameters.view(request.args)
    named = named_adaptor()
    ids = [named.id] if named else [row.id for row in access.adaptors()]
    found = listing.page(ids, view, limit)
    kept: dict[str, Any] = {name: value for name, value in request.args.items() if name != "after"}
    following = url_for(".documents", **kept, after=found.after) if found.after else None
    return jsonify(documents=[answers.document(row) for row in found.rows], next=following)


def _story(document_id: str) -> queries.Story:
    return queries.story(access.scoped(Document, document_id))


@blueprint.get("/documents/<document_id>")
@policy("adaptor:view", token=True)
def document(document_id: str) -> Response:
    """One document with everything that happened to it."""
    return jsonify(answers.story(_story(document_id)))


def _file(sha256: str | None, media_type: str, filename: str) -> BaseResponse:
    """Stored bytes, or 304 for somebody who has them."""
    if sha256 is None:
        abort(404)
    response = make_response("" if request.if_none_match.contains(sha256) else archive.load(sha256))
    response.content_type = media_type
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    response.set_etag(sha256)
    return response.make_conditional(request)


@blueprint.get("/documents/<document_id>/xml")
@policy("adaptor:view", token=True)
def xml(document_id: str) -> BaseResponse:
    """The exact bytes that are sent, in whatever format the customer wants."""
    one = _story(document_id).rendition
    return _file(one.sha256, one.media_type, one.filename) if one else _file(None, "", "")


@blueprint.get("/documents/<document_id>/pdf")
@policy("adaptor:view", token=True)
def pdf(document_id: str) -> BaseResponse:
    """The PDF."""
    one = access.scoped(Document, document_id)
    return _file(one.pdf_sha256, "application/pdf", f"{safe_filename(one.number)}.pdf")


@blueprint.post("/documents/<document_id>/actions")
@policy("adaptor:operate", token=True)
def act(document_id: str) -> Response:
    """Do one of the document's ``actions``.

    The caller names the delivery that they have seen: a call that is repeated because its answer was lost finds another
    one, and does nothing twice.
    """
    body, found = parameters.body(), _story(document_id)
    name, note = parameters.text_of(body, "action", 40), parameters.text_of(body, "note", LONGEST_NOTE)
    seen = parameters.text_of(body, "delivery", 40)
    is_open = any(choice.name == name for choice in answers.actions_open(found))
    if not is_open or seen != (found.delivery.id if found.delivery else ""):
        raise Conflict(actions.MOVED_ON)
    carry_out(name, found, access.actor(), note)
    return jsonify(answers.story(_story(document_id)))
