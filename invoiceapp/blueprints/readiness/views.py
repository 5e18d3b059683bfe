"""What would go if the customers were switched on today, by cause, with the way to mend each."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.main.links import Link, fix_link
from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor, of_kept_adaptors
from invoiceapp.formatting import language
from invoiceapp.htmx import STOP_POLLING, hx_response, render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import customers, preflight, readiness, readiness_export
from invoiceapp.services.daily import listing
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import run_queue, runs
from invoiceapp.services.export.validators import today
from invoiceapp.services.people import access

from . import words

blueprint = Blueprint("readiness", __name__, url_prefix="/readiness")
of_kept_adaptors(blueprint)


def _filter() -> readiness.Filter:
    return readiness.Filter(request.args.get("turn", ""), request.args.get("activated", ""))


def _fix(one: readiness.Affected) -> Link | None:
    """The field to mend, or the newest document with its hint to open the accounting system."""
    document_id = one.examples[0][0] if one.examples else None
    return _with_way_back(fix_link(one.fix, document_id or "", one.customer_id, on_document=document_id is None), one)


def _with_way_back(link: Link | None, one: readiness.Affected) -> Link | None:
    """The page of a customer leads back here; other pages do not know where their reader came from."""
    if link is None:
        return None
    parts = urlsplit(link.url)
    if parts.path != url_for("rules.customer", customer_id=one.customer_id):
        return link
    query = "&".join(filter(None, (parts.query, "from=readiness")))
    return Link(parts._replace(query=query).geturl(), link.label)


def _causes(board: readiness.Board) -> list[dict[str, Any]]:
    """Causes with their links: one for all customers, or one for each of them; documents have links of their own."""
    return [
        {
            "cause": cause,
            "fix": _fix(cause.customers[0]) if cause.is_common or len(cause.customers) == 1 else None,
            "affected": [(one, _fix(one) if cause.is_of_customer else None) for one in cause.shown],
        }
        for cause in board.causes
    ]


def _context(adaptor: Adaptor) -> dict[str, Any]:
    wanted, status, reading = _filter(), readiness.status(adaptor.id), run_queue.active(adaptor.id)
    is_moving = bool(status.running or reading)
    board = readiness.board_so_far(adaptor.id) if is_moving else readiness.board(adaptor.id, wanted)
    kept_back = words.kept_back(adaptor.start_date, words.looked_at(status.finished))
    return {
        "adaptor": adaptor,
        "wanted": wanted,
        "status": status,
        "board": board,
        "causes": _causes(board),
        "reading": reading,
        "is_moving": is_moving,
        "is_filtered": wanted != readiness.Filter(),
        "has_customers": customers.counts(adaptor.id)["customers"] > 0,
        "has_documents": listing.counts([adaptor.id])["total"] > 0,
        "turns": words.turns(),
        "headline": words.headline(board, may_be_sent=kept_back is None),
        "kept_back": kept_back,
        "lacks_gateway": readiness.lacks_gateway(adaptor),
        "reasons": words.reasons(board),
        "period": words.period(status.finished),
        "days": words.days(),
        "own_dialect": "international" if language() == "en" else "danish-excel",
    }


@blueprint.get("")
@policy("adaptor:view")
def index() -> ResponseReturnValue:
    """The board of an adaptor; the catalogue where nothing is activated yet."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        return redirect(url_for("adaptors.catalogue"))
    return render_page_or_fragment("readiness/page.html", "readiness/_board.html", **_context(adaptor))


@blueprint.get("/live")
@policy("adaptor:view")
def live() -> Response:
    """How far a check is, for the poll; the whole board when it has ended."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    context = _context(adaptor)
    content = render_template("readiness/_board.html", **context)
    return hx_response(content, 200 if context["is_moving"] else STOP_POLLING)


@blueprint.post("/<adaptor_id>/check")
@policy("adaptor:edit")
def check(adaptor_id: str) -> ResponseReturnValue:
    """Check all customers now, in the background."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    preflight.refresh(adaptor.id, access.actor())
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


@blueprint.post("/<adaptor_id>/read")
@policy("adaptor:edit")
def read(adaptor_id: str) -> ResponseReturnValue:
    """Read the documents of the period from the source; nothing is sent, and a check follows by itself."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    try:
        runs.start_reading(adaptor.id, access.actor(), words.days())
    except Conflict as error:
        flash(say(error.text), "warning")
    return redirect(url_for(".index", adaptor=adaptor_id), 303)


@blueprint.get("/export.csv")
@policy("adaptor:view")
def export() -> Response:
    """All causes, customers and documents as CSV."""
    adaptor = chosen_adaptor()
    dialect = readiness_export.DIALECTS.get(request.args.get("form", "danish-excel"))
    if adaptor is None or dialect is None:
        abort(404)
    lines = readiness_export.lines(adaptor.id, language(), dialect)
    name = _("readiness")
    response = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}-{today().isoformat()}.csv")
    return response
