"""The language switch."""

from __future__ import annotations

from flask import abort, redirect, request, session
from flask_login import current_user
from werkzeug.wrappers import Response

from invoiceapp.blueprints.policy import policy
from invoiceapp.languages import LANGUAGES, say
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
