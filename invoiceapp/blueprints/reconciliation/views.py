"""Each night's comparison with the source, one on demand, and that somebody has seen to a change."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp.blueprints.documents.forms import NoteForm
from invoiceapp.blueprints.documents.views import title
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.htmx import STOP_POLLING, hx_response
from invoiceapp.languages import say
from invoiceapp.models import Adaptor, Document, Reconciliation, ReconciliationState
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.people import access
from invoiceapp.services.proof import advice, changes, reconciled, reconciling

#: Changed documents that are listed.
_SHOWN = 50

blueprint = Blueprint("reconciliation", __name__, url_prefix="/reconciliation")


def kind_words() -> dict[str, str]:
    """What is reported, by ``Reconciliation.notes``' kinds."""
    return {
        "changed": _("Changed in Billy after it was sent"),
        "unread": _("A part of the period could not be read"),
        "unreadable": _("Cannot be read from Billy"),
        "no_delivery": _("Converted, but without a delivery"),
        "overdue": _("At a standstill"),
        "queued": _("Waits to be converted"),
        "left_by_neither": _("Skipped for one that did not arrive"),
        "several": _("Sent in more than one way"),
        "not_chosen": _("Read, but not sent"),
    }


def _line(row: Reconciliation) -> dict[str, Any]:
    """One night, as the list has it."""
    if row.state is ReconciliationState.FAILED:
        return {"row": row, "text": say(row.error) if row.error else "", "is_well": False}
    if row.state is ReconciliationState.READING:
        return {"row": row, "text": _("Under way"), "is_well": True}
    text, is_well = reconciled.result(row)
    return {"row": row, "text": say(text), "is_well": is_well}


def _context(adaptor: Adaptor) -> dict[str, Any]:
    rows = reconciled.newest(adaptor.id)
    ended = next((row for row in rows if row.state is not ReconciliationState.READING), None)
    return {
        "adaptor": adaptor,
        "lines": [_line(row) for row in rows],
        "ended": ended,
        "job": reconciled.going_on(adaptor.id),
        "kind_words": kind_words(),
        "report": reconciled.report(adaptor),
        "changed": [(one, changes.of(one)) for one in changes.asking(adaptor.id, _SHOWN)],
        "changed_in_all": changes.how_many_ask(adaptor.id),
        "days": reconciling.days_back(),
    }


@blueprint.get("")
@policy("adaptor:view")
def index() -> str:
    """What the newest one found, and how the last thirty went."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    return render_template("reconciliation/page.html", **_context(adaptor))


@blueprint.get("/live")
@policy("adaptor:view")
def live() -> ResponseReturnValue:
    """The same while one is being made, for the poll."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    context = _context(adaptor)
    content = render_template("reconciliation/_live.html", **context)
    return hx_response(content, 200 if context["job"] else STOP_POLLING)


@blueprint.post("")
@policy("adaptor:operate")
def start() -> ResponseReturnValue:
    """Reconcile now."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    adaptor_id = adaptor.id
    try:
        reconciling.start(adaptor_id, current_user.email)
        flash(_("The reconciliation has begun. It mostly takes a minute."), "success")
    except Conflict as error:
        flash(say(error.text), "info")
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


@blueprint.get("/documents/<document_id>/seen")
@policy("adaptor:view")
def ask_seen(document_id: str) -> str:
    """The question on a page of its own."""
    document = access.scoped(Document, document_id)
    credit = changes.credit_notes(document)
    note = ""
    if advice.have_arrived(credit):
        numbers = ", ".join(one.number for one in credit)
        note = _("The credit note has arrived: %(numbers)s", numbers=numbers)
    return _question(document, NoteForm(formdata=None, data={"note": note}))


@blueprint.post("/documents/<document_id>/seen")
@policy("adaptor:operate")
def mark_seen(document_id: str) -> ResponseReturnValue:
    """Somebody has seen to what changed: nobody is asked any more."""
    document, form = access.scoped(Document, document_id), NoteForm()
    if not form.validate():
        return make_response(_question(document, form), 422)
    try:
        changes.acknowledge(document, current_user.email, form.note.data or "")
        flash(_("Noted. The change asks nobody any more; nothing was sent."), "success")
    except Conflict as error:
        flash(say(error.text), "warning")
        if form.note.data:
            flash(_("You wrote: %(note)s", note=form.note.data), "info")
    except ServiceError as error:
        form.refuse(say(error.text), on_note=True)
        return make_response(_question(access.scoped(Document, document_id), form), 422)
    return redirect(url_for("documents.show", document_id=document_id), 303)


def _question(document: Document, form: NoteForm) -> str:
    return render_template(
        "reconciliation/seen.html", document=document, heading=title(document), change=changes.of(document), form=form
    )  # fmt: skip
