"""The document page, its files, and what a person may do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from invoiceapp.blueprints.main.links import Link, fix_link
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.delivery import ARRIVED, DeliveryState
from invoiceapp.domain.file_names import safe_filename
from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.validation.catalogue import NAMES
from invoiceapp.formatting import language
from invoiceapp.htmx import hx_response, render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Document, Stage, db
from invoiceapp.services.configuration.environments import may_reach
from invoiceapp.services.delivery import order
from invoiceapp.services.delivery.ages import Next, Who, next_action
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import (
    actions,
    archive,
    comparison,
    contents,
    elsewhere,
    markup,
    preview,
    queries,
    reasons,
    standing,
)
from invoiceapp.services.export.elsewhere import FIX as _FIX
from invoiceapp.services.people import access
from invoiceapp.services.proof import advice, changes

from .choices import Choice, carry_out, may_send_for_real, offered, waits_for_approval, waits_for_second_person
from .compared import shown
from .evidence import evidence_of, label_of, outcome
from .forms import NoteForm
from .timeline import is_moving, timeline
from .track import track
from .voices import standing_words, waits_for_us

blueprint = Blueprint("documents", __name__, url_prefix="/documents")


#: Actions as addresses name them.
_NAMES = (
    "any('try-again', cancel, 'mark-received', 'send-again', rebuild, 'send-now', 'send-anyway', 'send-for-real', approve, "
    "'ask-again', 'handle-outside', 'take-up-again')"
)


#: Statuses in which what was found asks nothing of anybody any more.
_OVER = frozenset(
    {state.value for state in ARRIVED}
    | {DeliveryState.CANCELLED.value, Stage.LISTED.value, Stage.SKIPPED.value, Stage.HANDLED.value}
)


def _story(document_id: str) -> queries.Story:
    return queries.story(access.scoped(Document, document_id))


def title(document: Document) -> str:
    """``Invoice 1001``, as the page's heading has it."""
    if document.type is DocumentType.CREDIT_NOTE:
        return str(_("Credit note %(number)s", number=document.number))
    return str(_("Invoice %(number)s", number=document.number))


def _findings(story: queries.Story) -> list[dict[str, Any]]:
    """Findings of the newest delivery, those that stop it first, each with the link that mends it."""
    if story.delivery is None:
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


def _only_fix(story: queries.Story, findings: Sequence[Mapping[str, Any]]) -> Link | None:
    """The one place where all that stops a document is mended; None where there are several, or none of ours."""
    if story.row.status != DeliveryState.BLOCKED.value:
        return None
    links = {entry["fix"] for entry in findings if entry["item"].is_fatal}
    return links.pop() if len(links) == 1 else None


def _live_context(story: queries.Story) -> dict[str, Any]:
    adaptor = db.session.get_one(Adaptor, story.document.adaptor_id)
    return {
        "story": story,
        "row": story.row,
        "document": story.document,
        "delivery": story.delivery,
        "timeline": timeline(story),
        "track": track(story),
        "can_be_asked": story.delivery is not None and actions.can_be_asked(story.delivery),
        "standing_words": standing_words(story),
        "waits_for_us": waits_for_us(story),
        "next": _next(story, adaptor),
        "awaited": order.awaited(story.document, story.delivery),
        "why_waiting": order.why_waiting,
        "holder": fix_link(_FIX + holder, story.document.id, None) if (holder := _holder(story)) else None,
        "adaptor_works": standing.is_working(adaptor),
        "out_of_reach": story.delivery is not None
        and not may_reach(adaptor.environment, story.delivery.gateway.environment),
        "may_send_for_real": may_send_for_real(story),
        "waits_for_second_person": waits_for_second_person(story),
        "approval_waits_for_others": waits_for_approval(story) and not access.may_configure(),
    }


def _next(story: queries.Story, adaptor: Adaptor) -> Next | None:
    """Whose turn it is with the newest delivery; None where the document is not where that is."""
    delivery = story.delivery
    if delivery is None or story.row.status != delivery.state.value or waits_for_second_person(story):
        return None
    found = next_action(delivery, adaptor)
    if found.who is Who.NOBODY and changes.asks(story.document):
        return Next(Who.PERSON, changes.NEXT)
    return found


def _holder(story: queries.Story) -> str | None:
    """Id of the document because of whose number this one was skipped or not sent again; a finding has a link of its own."""
    is_blocked = story.row.status == DeliveryState.BLOCKED.value
    return None if is_blocked else elsewhere.kept_back_by(story.document, story.delivery)


def _page_count(document: Document) -> tuple[int, str]:
    """How many pages of the PDF can be shown, or why none can."""
    if document.pdf_sha256 is None:
        return 0, ""
    try:
        return preview.page_count(archive.load(document.pdf_sha256)), ""
    except ServiceError as error:
        return 0, say(error.text)


def _contents(story: queries.Story, findings: Sequence[Mapping[str, Any]]) -> tuple[contents.Contents, str]:
    """What the e-invoice says, or why it cannot be shown."""
    if story.rendition is None:
        return contents.NOTHING, ""
    words = markup.Words(
        str(_("Finding %(number)s", number="%s")), str(_("%(count)s more elements", count="%s")), language()
    )
    places = [entry["item"].location for entry in findings]
    try:
        return contents.of(story.rendition, places, whole="whole" in request.args, words=words), ""
    except ServiceError as error:
        return contents.NOTHING, say(error.text)


def _page_context(story: queries.Story) -> dict[str, Any]:
    pages, pdf_error = _page_count(story.document)
    findings = _findings(story)
    said, xml_error = _contents(story, findings)
    live_html = render_template("documents/_live.html", **_live_context(story))
    return {
        "heading": title(story.document),
        "findings": findings,
        "findings_are_over": story.row.status in _OVER,
        "only_fix": _only_fix(story, findings),
        "choices": offered(story),
        "form": NoteForm(),
        "is_moving": is_moving(story),
        "format_label": queries.format_label,
        "pages": pages,
        "pdf_error": pdf_error,
        "xml": said.shown,
        "placed": said.shown.placed if said.shown else frozenset(),
        "terms": said.invoice,
        "xml_error": xml_error,
        "sender_name": story.document.bundle.get("organization", {}).get("name"),
        "outcome": outcome,
        "evidence_of": evidence_of,
        "label_of": label_of,
        "rule_set_names": NAMES,
        "changed_at": comparison.noted_change(story.document.id),
        **_change(story.document),
        "live_html": Markup(live_html),  # noqa: S704 # nosec B704 # a template's answer
        "seen": _version(live_html),
        **_live_context(story),
    }


def _change(document: Document) -> dict[str, Any]:
    """What the source has changed since it was sent."""
    change = changes.of(document)
    if change is None:
        return {"change": None}
    return {
        "change": change,
        "change_asks": changes.asks(document),
        "change_credit_notes": (credit := changes.credit_notes(document)),
        "change_advice": advice.of(change, credit),
    }


def _version(live_html: str) -> str:
    return hashlib.sha256(live_html.encode()).hexdigest()[:16]


@blueprint.get("/<document_id>")
@policy("adaptor:view")
def show(document_id: str) -> str:
    """Everything about one document."""
    return render_template("documents/page.html", **_page_context(_story(document_id)))


@blueprint.get("/<document_id>/live")
@policy("adaptor:view")
def live(document_id: str) -> Response:
    """For the poll: nothing while nothing has moved, else all that changes with the state, the actions too."""
    story = _story(document_id)
    seen = _version(render_template("documents/_live.html", **_live_context(story)))
    if seen == request.args.get("seen") and is_moving(story):
        return make_response("", 204)
    content = render_template("documents/_moved.html", **_page_context(story))
    return hx_response(content, retarget="#document", reswap="outerHTML")


@blueprint.post("/<document_id>/compare")
@policy("adaptor:view")
def compare(document_id: str) -> BaseResponse:
    """What it was made of beside what the source says now; a fragment, or a page of its own without JavaScript."""
    document = access.scoped(Document, document_id)
    found, problem = None, ""
    try:
        found = comparison.compare(document)
        changes.note_one(document_id, changes.Now(found.read, found.state))
    except ServiceError as error:
        problem = say(error.text)
    document = access.scoped(Document, document_id)
    content = render_page_or_fragment(
        "documents/compared.html", "documents/_comparison.html", document=document, heading=title(document), found=found,
        problem=problem, changed_at=comparison.noted_change(document_id), compared=shown,
    )  # fmt: skip
    return make_response(content, 422 if problem else 200)


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
@policy("adaptor:view")
def pdf(document_id: str) -> Response:
    """The PDF itself."""
    document, content = _pdf(document_id)
    return _file(content, "application/pdf", f"{safe_filename(document.number)}.pdf")


@blueprint.get("/<document_id>/pdf/<int:number>.png")
@policy("adaptor:view")
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
@policy("adaptor:view")
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
@policy("adaptor:view")
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
@policy("adaptor:operate")
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
        _keep_typed(form)
        return here
    try:
        if not form.validate():
            return make_response(_question(story, choice, form), 422)
        flash(carry_out(name, story, current_user.email, (form.note.data or "").strip()), "success")
    except Conflict as error:
        flash(say(error.text), "warning")
        _keep_typed(form)
    except ServiceError as error:
        form.refuse(say(error.text), on_note=choice.asks)
        return make_response(_question(story, choice, form), 422)
    return here


def _keep_typed(form: NoteForm) -> None:
    """A reason is never lost, although there is no place for it any more."""
    if form.note.data:
        flash(_("You wrote: %(note)s", note=form.note.data), "info")
