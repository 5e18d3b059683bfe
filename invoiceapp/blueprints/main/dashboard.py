"""What needs a person, what is on its way, and all documents: the page, its poll and its table as a file."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Response, abort, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from invoiceapp.blueprints.network.words import night_words
from invoiceapp.blueprints.policy import policy
from invoiceapp.formatting import TIMEZONE
from invoiceapp.htmx import hx_redirect, hx_response, is_htmx
from invoiceapp.models import Gateway, Run
from invoiceapp.services.configuration import adaptors, customers
from invoiceapp.services.daily import listing, listing_csv, problems
from invoiceapp.services.daily.listing import View
from invoiceapp.services.export import queries, run_queue
from invoiceapp.services.people import access

from . import onboarding, scope
from .blueprint import blueprint
from .choices import choices
from .freshness import version
from .links import fix_link, optional_url
from .place import Place, orders
from .scope import Scope
from .words import csv_words


class _Dashboard:
    """One look at it. ``version`` is known before anything of the list is read."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.view = View.read(request.args)
        self.place = Place(self.view, scope.argument)
        self.runs: list[Run] = [run for one in scope.ids if (run := run_queue.active(one))]
        self.gateways: list[Gateway] = access.of_subscription(Gateway)
        self.paused = [row for row in self.gateways if row.is_paused]
        self.version = version(scope, self.view, self.runs, self.paused)

    def context(self) -> dict[str, Any]:
        """For the templates."""
        one, found = self.scope.one, listing.page(self.scope.ids, self.view)
        return {
            "scope": self.scope,
            "adaptor": one,
            "view": self.view,
            "wanted": self.view.filter,
            "is_filtered": not self.view.filter.is_empty,
            "place": self.place,
            "version": self.version,
            "found": found,
            "matching": self._matching(found),
            "counts": listing.counts(self.scope.ids),
            "customers": customers.counts(one.id) if one else None,
            "problems": self._problems(),
            "problem_count": problems.count(self.scope.ids),
            "runs": self.runs,
            "paused": self.paused,
            "orders": orders(),
            "company": scope.company,
            "format_label": queries.format_label,
            "evidence_url": optional_url("evidence.start", adaptor=one.id, **self.view.filter.to_args())
            if one
            else None,
            "bulk_url": optional_url("bulk.summary", adaptor=one.id, **self.view.filter.to_args())
            if one and access.may_operate(one)
            else None,
        }

    def _matching(self, found: listing.Page) -> int | None:
        """How many match, where that is quickly said."""
        wanted, view = self.view.filter, self.view
        if not (view.after or view.before or found.after):
            return len(found.rows)
        is_narrow = wanted.customer_id or wanted.run_id or wanted.problem_id
        if wanted.text or ((wanted.format or wanted.gateway_id) and not is_narrow):
            return None
        return listing.count(self.scope.ids, wanted)

    def _problems(self) -> list[dict[str, Any]]:
        """The first open causes with the link that mends each, and the one to its documents."""
        return [
            {
                "problem": row,
                "fix": fix_link(row.fix, row.document_id or "", row.customer_id, adaptor_id=row.adaptor_id),
                "url": optional_url("problems.show", problem_id=row.id) or self.place.only(problem=row.id),
            }
            for row in problems.of_adaptors(self.scope.ids, problems.PAGE)
        ]


def _has_left_for(shown: Scope) -> bool:
    """Whether a filter chose another adaptor: then more than the list is another one."""
    if not is_htmx() or len(shown.others) < 2:
        return False
    before = parse_qs(urlsplit(request.headers.get("HX-Current-URL", "")).query).get("adaptor", [""])[0]
    return (before or shown.others[0].id) != shown.argument


@blueprint.get("/")
@policy("subscription:view")
def dashboard() -> ResponseReturnValue:
    """What needs a person, what is on its way, and all documents."""
    shown = scope.read()
    if shown is None:
        everything = adaptors.of_subscription(access.subscription().id)
        return render_template("main/no_adaptor.html", has_deleted=bool(everything))
    look = _Dashboard(shown)
    if _has_left_for(shown):
        return hx_redirect(look.place.url())
    if is_htmx():
        return hx_response(render_template("main/_results.html", **look.context()), push_url=look.place.url())
    return render_template(
        "main/page.html",
        choices=choices(shown, look.view.filter, look.gateways),
        onboarding=onboarding.lines(shown.one) if shown.one else [],
        night=night_words(shown.one.id) if shown.one else None,
        figures_url=optional_url("figures.index", adaptor=shown.argument or None),
        **look.context(),
    )


@blueprint.get("/dashboard/live")
@policy("subscription:view")
def live() -> ResponseReturnValue:
    """The list and the figures for the poll; 204 where the page that shows version ``v`` would stay as it is."""
    shown = scope.read()
    if shown is None:
        abort(404)
    look = _Dashboard(shown)
    if request.args.get("v") == look.version:
        return "", 204
    return render_template("main/_live.html", **look.context())


@blueprint.get("/documents.csv")
@policy("subscription:view")
def documents_csv() -> Response:
    """The whole result, however long, for spreadsheets."""
    shown = scope.read()
    if shown is None:
        abort(404)
    lines = listing_csv.lines(shown.ids, View.read(request.args), csv_words())
    response = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    name = f"{_('documents')}-{datetime.now(TIMEZONE).date().isoformat()}.csv"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
