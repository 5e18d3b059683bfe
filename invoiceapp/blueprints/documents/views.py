"""The document page, its files, and what a person may do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from flask_security import auth_required
from werkzeug.wrappers import Response as BaseResponse

from invoiceapp.blueprints.main.links import fix_link
from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.validation.catalogue import NAMES
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Document, Rendition, Stage, db
from invoiceapp.services.configuration.environments import may_reach
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, archive, contents, preview, queries, reasons, standing
from invoiceapp.services.people import access

from .choices import Choice, carry_out, may_send_for_real, offered, waits_for_approval
from .evidence import evidence_of, label_of, outcome
from .forms import NoteForm
from .timeline import is_moving, timeline

blueprint = Blueprint("documents", __name__, url_prefix="/documents")


#: Actions as addresses name them.
_NAMES = "any('try-again', cancel, 'mark-received', 'send-again', rebuild, 'send-now', 'send-anyway', 'send-for-real', approve)"


def _story(document_id: str) -> queries.Story:
    return queries.story(access.scoped(Document, document_id))


def title(document: Document) -> str:
    """``Invoice 1001``, as the page's heading has it."""
    if document.type is DocumentType.CREDIT_NOTE:
        return str(_("Credit note %(number)s", number=document.number))
    return str(_("Invoice %(number)s", number=document.number))


def _findings(story: queries.Story) -> list[dict[str, Any]]:
    """Findings of the newest delivery, those that stop it first, each with the link that mends it."""
    if story.delivery is None or story.row.status == Stage.SKIPPED.value:
        return []
    found = sorted(
        (Finding.from_dict(stored) for stored in story.delivery.findings), key=lambda item: not item.is_fatal
    )
    document = story.document
    return [
        {
            "item": item,
            # Approved right here, by the button on top.
            "fix": None
            if item.rule == reasons.APPROVE_FIRST
            else fix_link(item.fix, document.id, document.customer_id, on_document=True),
        }
        for item in found
    ]


def _live_context(story: queries.Story) -> dict[str, Any]:
    adaptor = db.session.get_one(Adaptor, story.document.adaptor_id)
    return {
        "story": story,
        "row": story.row,
        "document": story.document,
        "delivery": story.delivery,
        "timeline": timeline(story),
        "adaptor_works": standing.is_working(adaptor),
        "out_of_reach": story.delivery is not None
        and not may_reach(adaptor.environment, story.delivery.gateway.environment),
        "may_send_for_real": may_send_for_real(story),
        "approval_waits_for_others": waits_for_approval(story) and not access.may_configure(),
    }


def _page_count(document: Document) -> tuple[int, str]:
    """How many pages of the PDF can be shown, or why none can."""
    if document.pdf_sha256 is None:
        return 0, ""
    try:
        return preview.page_count(archive.load(document.pdf_sha256)), ""
    except ServiceError as error:
        return 0, say(error.text)


def _contents(rendition: Rendition | None) -> tuple[contents.Contents, str]:
    """What the e-invoice says, or why it cannot be shown."""
    try:
        return contents.of(rendition) if rendition else contents.NOTHING, ""
    except ServiceError as error:
        return contents.NOTHING, say(error.text)


@blueprint.get("/<document_id>")
@auth_required("session")
def show(document_id: str) -> str:
    """Everything about one document."""
    story = _story(document_id)
    pages, pdf_error = _page_count(story.document)
    said, xml_error = _contents(story.rendition)
    return render_template(
        "documents/page.html",
        heading=title(story.document),
        findings=_findings(story),
        choices=offered(story),
        form=NoteForm(),
        is_moving=is_moving(story),
        format_label=queries.format_label,
        pages=pages,
        pdf_error=pdf_error,
        xml=said.shown,
        terms=said.invoice,
        xml_error=xml_error,
        sender_name=story.document.bundle.get("organization", {}).get("name"),
        outcome=outcome,
        evidence_of=evidence_of,
        label_of=label_of,
        rule_set_names=NAMES,
        **_live_context(story),
    )


@blueprint.get("/<document_id>/live")
@auth_required("session")
def live(document_id: str) -> Response:
    """Status and timeline, for the poll; the last answer has the page loaded anew, because its actions change too."""
    story = _story(document_id)
    content = render_template("documents/_live.html", **_live_context(story))
    if is_moving(story):
        return hx_response(content)
    response = hx_response(content, STOP_POLLING)
    response.headers["HX-Refresh"] = "true"
    return response


def _pdf(document_id: str) -> tuple[Document, bytes]:
    document = access.scoped(Document, document_id)
    if document.pdf_sha256 is None:
        abort(404)
    return document, archive.load(document.pdf_sha256)


def _file(content: bytes, media_type: str, filename: str) -> Response:
    """Shown in the browser, or saved where the address ends in ``?download=1``."""
    response = make_response(content)
    response.content_type = media_type
    kind = "attachment" if "download" in request.args else "inline"
    response.headers.set("Content-Disposition", kind, filename=filename)
    return response


@blueprint.get("/<document_id>/pdf")
@auth_required("session")
def pdf(document_id: str) -> Response:
    """The PDF itself."""
    document, content = _pdf(document_id)
    return _file(content, "application/pdf", f"{document.number}.pdf")


@blueprint.get("/<document_id>/pdf/<int:number>.png")
@auth_required("session")
def pdf_page(document_id: str, number: int) -> BaseResponse:
    """One page of the PDF as a picture."""
    document, content = _pdf(document_id)
    try:
        response = make_response(preview.page_png(content, number))
    except (IndexError, preview.PdfUnreadable):
        abort(404)
    response.content_type = "image/png"
    response.set_etag(f"{document.pdf_sha256}-{number}")
    return response.make_conditional(request)


@blueprint.get("/<document_id>/xml")
@auth_required("session")
def xml(document_id: str) -> Response:
    """The exact bytes that are sent. Always saved, never opened as a page of ours."""
    rendition = _story(document_id).rendition
    if rendition is None:
        abort(404)
    response = _file(archive.load(rendition.sha256), rendition.media_type, rendition.filename)
    response.headers.set("Content-Disposition", "attachment", filename=rendition.filename)
    return response


def _choice(story: queries.Story, name: str) -> Choice:
    """The offered action. Raises ``Conflict`` where the document has moved on."""
    found = next((choice for choice in offered(story) if choice.name == name), None)
    if found is None:
        raise Conflict(actions.MOVED_ON)
    return found


@blueprint.get(f"/<document_id>/<{_NAMES}:name>")
@auth_required("session")
def confirm(document_id: str, name: str) -> str:
    """The question on a page of its own, for browsers without JavaScript."""
    story = _story(document_id)
    return _question(story, _choice(story, name), NoteForm())


def _question(story: queries.Story, choice: Choice, form: NoteForm) -> str:
    return render_template(
        "documents/confirm.html", document=story.document, heading=title(story.document), choice=choice, form=form,
        has_errors=bool(form.errors),
    )  # fmt: skip


@blueprint.post(f"/<document_id>/<{_NAMES}:name>")
@auth_required("session")
def act(document_id: str, name: str) -> BaseResponse:
    """Carry an action out."""
    # Without files: a file sent under a field's name is not text.
    story, form = _story(document_id), NoteForm(formdata=request.form)
    here = redirect(url_for(".show", document_id=document_id), 303)
    if name == "approve":
        # A setting, and not only a sending.
        access.require_configure()
    try:
        choice = _choice(story, name)
    except Conflict as error:
        flash(say(error.text), "warning")
        return here
    try:
        if not form.validate():
            return make_response(_question(story, choice, form), 422)
        flash(carry_out(name, story, current_user.email, (form.note.data or "").strip()), "success")
    except Conflict as error:
        flash(say(error.text), "warning")
    except ServiceError as error:
        form.refuse(say(error.text), on_note=choice.asks)
        return make_response(_question(story, choice, form), 422)
    return here
