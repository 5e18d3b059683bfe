"""Official rules. Installing them is the operator's work on the command line; this page says what to do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.blueprints.policy import policy
from invoiceapp.current import config
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.services.configuration import rulepacks, shadow
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people.access import subscription

blueprint = Blueprint("rulepacks", __name__, url_prefix="/rulepacks")

#: The newest documents that a trial looks at, so that the answer comes while the person waits.
MOST_DOCUMENTS = 200
DAYS = (30, 90, 365)


def age(months: int | None) -> str:
    """``3 months``; nothing where the age is not known."""
    if months is None:
        return ""
    return ngettext("%(num)s month old", "%(num)s months old", months) if months else str(_("Less than a month old"))


def _context(**trial: Any) -> dict[str, Any]:
    states = rulepacks.editions()
    return {
        "formats": rulepacks.formats(),
        "packs": rulepacks.overview(),
        "editions": states,
        "triable": [state.edition for state in states if state.edition.is_usable()],
        "is_required": config().require_official_rules,
        "install_command": rulepacks.INSTALL_COMMAND,
        "age": age,
        "day_choices": DAYS,
        "most": MOST_DOCUMENTS,
        "chosen": request.form.get("edition", ""),
        "days": DAYS[1],
        **trial,
    }


@blueprint.get("")
@policy("subscription:view")
def index() -> str:
    """What judges documents today, format by format, and every installed edition."""
    return render_template("rulepacks/page.html", **_context())


@blueprint.post("/trial")
@policy("subscription:admin")
def trial() -> str:
    """Judge the newest documents by an edition. The answer is the result: there is nothing to redirect to."""
    pack, _slash, version = request.form.get("edition", "").partition("/")
    days = request.form.get("days", DAYS[1], type=int)
    if days not in DAYS:
        abort(400)
    found, problem = None, ""
    try:
        found = shadow.run(pack, version, days, subscription_id=subscription().id, limit=MOST_DOCUMENTS)
    except ServiceError as error:
        problem = say(error.text)
    result = {"trial": found, "problem": problem, "most": MOST_DOCUMENTS}
    if is_htmx():
        return render_template("rulepacks/_trial.html", **result)
    return render_template("rulepacks/page.html", **_context(**result, days=days))
