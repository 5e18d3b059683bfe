"""The audit trail of a subscription: read, filtered, exported and verified by those who answer for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, session, stream_with_context, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as BaseResponse

from invoiceapp.blueprints.policy import policy
from invoiceapp.formatting import language, number
from invoiceapp.htmx import is_htmx, render_page_or_fragment
from invoiceapp.languages import say
from invoiceapp.models import cut, utcnow
from invoiceapp.services.audit import naming as audit_naming
from invoiceapp.services.audit import queries as audit_queries
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.audit.queries import Filter
from invoiceapp.services.people import access

from . import lines

blueprint = Blueprint("audit", __name__, url_prefix="/audit")
#: Entries that the page looks at; the command looks at all.
MOST_VERIFIED = 50_000
_LARGEST_NUMBER = 2**63 - 1
#: In the session, for the next page: the newest hash that was looked at.
_VERIFIED = "audit.verified"


def _chain() -> str:
    """Of the subscription. Its entries tell of everything, and cannot be left out without breaking the chain.

    Raises ``NotAllowed`` for administrators with whom not everything is shared.
    """
    if not access.sees_everything():
        raise access.NotAllowed
    return access.membership().subscription_id


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def _wanted() -> Filter:
    what = request.args.get("what", "")
    last = _day("to")
    return Filter(
        person=cut(request.args.get("person", "").strip(), 255).lower(),
        what=what if what in audit_queries.WHAT else "",
        first=_day("from"),
        last=last if last != date.max else None,
        thing=cut(request.args.get("object", "").strip(), 200),
    )


def _parameters(wanted: Filter) -> dict[str, Any]:
    values = {
        "person": wanted.person, "what": wanted.what, "from": str(wanted.first or ""), "to": str(wanted.last or ""),
        "object": wanted.thing,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value}


def _before() -> int | None:
    text = request.args.get("before", "")
    is_number = text.isascii() and text.isdecimal() and len(text) < 20
    return min(int(text), _LARGEST_NUMBER) if is_number else None


@blueprint.get("")
@policy("subscription:audit")
def index() -> str:
    """What was done, newest first."""
    chain, wanted, before = _chain(), _wanted(), _before()
    found = audit_queries.page(chain, wanted, before)
    parameters = _parameters(wanted)
    context: dict[str, Any] = {
        "lines": lines.lines(found.entries, audit_naming.gateways(chain)),
        "problem": _("The last day is before the first.") if _is_turned(wanted) else "",
        "wanted": wanted,
        "parameters": parameters,
        "kinds": _kinds(),
        "verified": "" if is_htmx() else session.pop(_VERIFIED, ""),
        "newer": url_for(".index", **parameters) if before is not None else None,
        "older": url_for(".index", before=found.older, **parameters) if found.older else None,
    }
    return render_page_or_fragment("audit/page.html", "audit/_list.html", **context)


def _is_turned(wanted: Filter) -> bool:
    return wanted.first is not None and wanted.last is not None and wanted.first > wanted.last


def _kinds() -> list[tuple[str, str]]:
    words = {
        "changes": _("Changes"),
        "acts": _("Actions"),
        "sign_ins": _("Sign-ins"),
        "downloads": _("Downloads"),
        "refused": _("Refused"),
    }
    return [(name, words[name]) for name in audit_queries.WHAT]


@blueprint.post("/verify")
@policy("subscription:audit")
def verify() -> BaseResponse:
    """Compute the hashes anew, and say what was looked at."""
    found = audit_verify.verify(_chain(), newest=MOST_VERIFIED)
    if found.problem:
        title = _("The audit trail does not fit at entry %(number)s.", number=number(found.at))
        flash(f"{title} {say(found.problem)} {_('Tell whoever runs the server.')}", "error")
    else:
        looked = ngettext("%(num)s entry was checked and fits", "%(num)s entries were checked and fit", found.count)
        where = _("no. %(first)s to %(last)s", first=found.first, last=found.last)
        flash(f"{looked}: {where}." if found.count else _("There are no entries yet."), "success")
        session[_VERIFIED] = found.hash
    return redirect(url_for(".index"), 303)


def _file(content: Iterator[str], ending: str, kind: str) -> Response:
    response = Response(stream_with_context(content), content_type=f"{kind}; charset=utf-8")
    name = f"{_('audit-trail')}-{utcnow().date().isoformat()}.{ending}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


@blueprint.get("/export.csv")
@policy("subscription:audit")
def export_csv() -> Response:
    """What the filter finds, as a spreadsheet."""
    dialect = "international" if language() == "en" else "danish-excel"
    return _file(lines.csv(audit_queries.entries(_chain(), _wanted()), dialect), "csv", "text/csv")


@blueprint.get("/export.jsonl")
@policy("subscription:audit")
def export_lines() -> Response:
    """The whole trail, to be verified anywhere (docs/audit.md)."""
    return _file(audit_verify.export(_chain()), "jsonl", "application/jsonl")
