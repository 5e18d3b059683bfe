"""What the conversions of a batch will ask the source, told before their turn by the rules that they follow themselves.

A guess in one respect only: somebody may save settings meanwhile. What is wanted then and was not asked is asked at its turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from invoiceapp.domain.settings import Settings

from . import clearance
from .ahead import Asked, Question
from .outbox import Work


def questions(works: Iterable[Work]) -> list[Question]:
    """What will be asked for these documents, in their order; nothing where that cannot be told."""
    return [question for question in map(_question, works) if question is not None]


def _question(work: Work) -> Question | None:
    if "holder" in (work.document.error or {}):
        # It waits for the same document of another adaptor, and most likely still does.
        return None
    if work.document.tries >= clearance.MOST_WAITS:
        # Its next try gives up.
        return None
    try:
        settings = clearance.settings_of(work)
    except clearance.GoesNoFurther:
        return None
    if not clearance.channels_asked(work, settings) and clearance.has_sources_pdf(work.document):
        return None
    return Question(work.document.id, work.adaptor, partial(_ask, work, settings))


def _ask(work: Work, settings: Settings, source: Asked) -> None:
    """As a conversion does: one that is left out for what the source says needs no PDF."""
    sent = clearance.sent_itself(work, source, settings)
    if not clearance.to_skip(sent, settings) and not clearance.has_sources_pdf(work.document):
        source.pdf(work.document.source_id)
