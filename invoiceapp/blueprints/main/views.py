"""The language switch and the health check."""

from __future__ import annotations

from flask import abort, redirect, request, session
from flask_login import current_user
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import LANGUAGES, say
from invoiceapp.models import db
from invoiceapp.services.people import preferences

from . import nav  # noqa: F401 - importing binds the menu
from .blueprint import blueprint
from .links import optional_url
from .way_back import page_at_or_above
from .words import billy_stage

blueprint.add_app_template_global(say)
blueprint.add_app_template_global(optional_url)
blueprint.add_app_template_global(billy_stage)


@blueprint.post("/language")
@policy("public")
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
@policy("public")
def healthz() -> tuple[dict[str, str], int]:
    """For load balancers: 200 while the database answers."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return {"status": "unavailable"}, 503
    return {"status": "ok"}, 200
