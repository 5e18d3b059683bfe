"""The dashboard of an adaptor, the language switch and the health check."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user
from flask_security import auth_required
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.htmx import render_page_or_fragment
from invoiceapp.languages import LANGUAGES, say
from invoiceapp.models import Adaptor, db
from invoiceapp.services.configuration import adaptors, customers, gateways
from invoiceapp.services.export import problems, queries, runs
from invoiceapp.services.people import access, preferences

from . import nav  # noqa: F401 - importing binds the menu
from .blueprint import blueprint
from .links import fix_link, optional_url
from .onboarding import lines
from .way_back import page_at_or_above

blueprint.add_app_template_global(say)
blueprint.add_app_template_global(optional_url)

#: Address parameters that choose what the list shows.
_PARAMETERS = ("adaptor", "q", "status", "run", "after")


def _wanted() -> queries.Filter:
    return queries.Filter(
        group=request.args.get("status") or "all",
        text=request.args.get("q", "").strip(),
        after=request.args.get("after", ""),
        run_id=request.args.get("run", ""),
    )


def _here(endpoint: str, **changed: str) -> str:
    """This list's address with some parameters changed; "" drops one."""
    kept = {name: request.args.get(name, "") for name in _PARAMETERS} | changed
    values: dict[str, Any] = {name: value for name, value in kept.items() if value}
    return url_for(endpoint, **values)


def _statuses() -> list[tuple[str, str]]:
    return [
        ("person", _("Needs a person")),
        ("progress", _("On the way")),
        ("arrived", _("Arrived")),
        ("blocked", _("Needs correction")),
        ("failed", _("Not sent")),
        ("rejected", _("Rejected")),
        ("outcome_unknown", _("Arrival unknown")),
        ("cancelled", _("Cancelled")),
        ("listed", _("Not exported")),
        ("unusable", _("Cannot be exported")),
        ("skipped", _("Sent by the accounting system")),
    ]


def _problems(adaptor: Adaptor) -> list[dict[str, Any]]:
    """Causes with the link that mends each: the field itself, or the documents."""
    return [
        {
            "problem": problem,
            "fix": fix_link(problem.fix, problem.document_id, problem.customer_id),
            "url": url_for("documents.show", document_id=problem.document_id)
            if problem.count == 1
            else url_for(".dashboard", status=problem.group, adaptor=request.args.get("adaptor")),
        }
        for problem in problems.of_adaptor(adaptor.id)
    ]


def _context(adaptor: Adaptor) -> dict[str, Any]:
    wanted = _wanted()
    return {
        "adaptor": adaptor,
        "wanted": wanted,
        "found": queries.documents_page(adaptor.id, wanted),
        "counts": queries.counts(adaptor.id),
        "customers": customers.counts(adaptor.id),
        "problems": _problems(adaptor),
        "run": runs.active(adaptor.id),
        "paused": [row for row in gateways.of_subscription(adaptor.subscription_id) if row.is_paused],
        "here": _here,
        "format_label": queries.format_label,
        "is_filtered": wanted.group != "all" or bool(wanted.text or wanted.run_id),
    }


@blueprint.get("/")
@auth_required("session")
def dashboard() -> str:
    """What needs a person, what is on its way, and all documents."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        everything = adaptors.of_subscription(access.subscription().id)
        return render_template("main/no_adaptor.html", has_deleted=bool(everything))
    return render_page_or_fragment(
        "main/page.html",
        "main/_results.html",
        statuses=_statuses(),
        onboarding=lines(adaptor),
        **_context(adaptor),
    )


@blueprint.get("/dashboard/live")
@auth_required("session")
def live() -> str:
    """The list and the figures, for the poll of the dashboard."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        abort(404)
    return render_template("main/_live.html", **_context(adaptor))


@blueprint.post("/language")
def set_language() -> Response:
    """Danish or English, for this browser and, where somebody is signed in, for them everywhere."""
    language, back = request.form.get("language", ""), request.form.get("next", "")
    if language not in LANGUAGES:
        abort(400)
    session["language"] = language
    if current_user.is_authenticated:
        preferences.choose_language(current_user.id, language)
    return redirect(page_at_or_above(back), 303)


@blueprint.get("/healthz")
def healthz() -> tuple[dict[str, str], int]:
    """For load balancers: 200 while the database answers."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return {"status": "unavailable"}, 503
    return {"status": "ok"}, 200
