"""The form of somebody who was overtaken: what was typed stays, and beside it stands what is stored now, and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask_babel import gettext as _

from invoiceapp.blueprints.declared import as_text
from invoiceapp.formatting import in_language
from invoiceapp.services.configuration import changes
from invoiceapp.services.configuration.settings import RULE, Place, places

from .lines import Choice, Line, Part, Section, Stored, differs, place_of


def marked(
    section: Section, adaptor_id: str, customer_id: str | None, settings: Mapping[str, Any], raw: Mapping[str, str]
) -> Section:
    """The section, with what is stored now beside each input that says something else. ``settings``: as stored."""
    lines = [line for part in section.parts for line in part.lines if differs(line, settings, raw)]
    choices = [one for one in section.choices if raw.get(one.name, "") not in ("", _at(settings, one))]
    wanted = [*map(place_of, lines), *((RULE, one.name) for one in choices)]
    last = changes.last_of(adaptor_id, customer_id, wanted)

    def stored(at: Place, text: str) -> Stored:
        change = last.get(at)
        return Stored(text, change.actor, change.created_at) if change else Stored(text)

    def line_with(line: Line) -> Line:
        text = as_text(line.field, places(settings).get(place_of(line))) or str(_("nothing of its own"))
        return replace(line, stored=stored(place_of(line), text)) if line in lines else line

    def choice_with(one: Choice) -> Choice:
        text = in_language(dict(one.options).get(_at(settings, one)))
        return replace(one, stored=stored((RULE, one.name), text)) if one in choices else one

    parts = [Part(part.title, [line_with(line) for line in part.lines]) for part in section.parts]
    return replace(section, parts=parts, choices=[choice_with(one) for one in section.choices])


def _at(settings: Mapping[str, Any], one: Choice) -> str:
    return str(places(settings).get((RULE, one.name), ""))
