"""The settings that hold for all customers of an adaptor."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from invoiceapp.blueprints.policy import policy
from invoiceapp.blueprints.tenancy import chosen_adaptor
from invoiceapp.htmx import hx_response, render_page_or_fragment
from invoiceapp.models import Adaptor
from invoiceapp.services.configuration import change_preview, saving
from invoiceapp.services.configuration.change_preview import Preview
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access

from .blueprint import blueprint
from .conflicts import marked
from .forms import raw_settings, section, tabs
from .lines import Section, chosen_section, example_asked_for
from .results import conflict_status, tell_saved
from .words import describer

#: Of a form that asks for a preview, what the form that confirms it does not repeat.
_BUTTONS = ("csrf_token", "confirm", "back", "example")


def _page(adaptor: Adaptor, shown: Section, **context: Any) -> str:
    return render_page_or_fragment(
        "settings/page.html", "settings/_section.html", adaptor=adaptor, section=shown, tabs=tabs(adaptor, shown.name),
        action=url_for("settings.save", adaptor_id=adaptor.id), content="settings/_section.html",
        has_errors=bool(shown.errors), **context,
    )  # fmt: skip


def _preview(adaptor: Adaptor, found: Preview) -> Response:
    repeated = [item for item in request.form.items(multi=True) if item[0] not in _BUTTONS]
    shown = render_page_or_fragment(
        "settings/page.html", "settings/_preview.html", adaptor=adaptor, preview=found, repeated=repeated,
        words=describer(adaptor)(found.differences, False), content="settings/_preview.html",
    )  # fmt: skip
    # The button was at the end of a long form; the preview is read from its beginning.
    return hx_response(shown, reswap="innerHTML show:top")


@blueprint.get("")
@policy("adaptor:view")
def index() -> ResponseReturnValue:
    """One section (``?group=``), with what empty fields inherit."""
    adaptor = chosen_adaptor()
    if adaptor is None:
        return redirect(url_for("adaptors.catalogue"))
    return _page(adaptor, section(adaptor, chosen_section(request.args.get("group", ""))))


@blueprint.post("/<adaptor_id>")
@policy("adaptor:edit")
def save(adaptor_id: str) -> ResponseReturnValue:
    """Keep a section of the settings that hold for all customers; asks first where active customers are touched."""
    adaptor = access.scoped(Adaptor, adaptor_id)
    name = chosen_section(request.form.get("group", ""))
    raw, shown = raw_settings(adaptor, name, request.form), request.form.get("version")
    if "back" in request.form:
        return _page(adaptor, section(adaptor, name, raw))
    if example := example_asked_for(section(adaptor, name), request.form, raw):
        return redirect(example, 303)
    try:
        if "confirm" not in request.form:
            found = change_preview.preview(adaptor, saving.common_after(adaptor, raw, shown=shown, section=name))
            if found.customers:
                return _preview(adaptor, found)
        done = saving.save_common(adaptor_id, raw, actor=access.actor(), shown=shown, section=name)
    except InvalidInput as error:
        return _page(adaptor, section(adaptor, name, raw, error.errors)), 422
    except ChangedMeanwhile as error:
        overtaken = marked(section(adaptor, name, raw), adaptor_id, None, adaptor.settings, raw)
        return _page(adaptor, overtaken, conflict=error.text), conflict_status()
    tell_saved(done)
    return redirect(url_for(".index", adaptor=adaptor_id, group=name), 303)
