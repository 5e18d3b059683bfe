"""What the conversions of a batch will ask the source, told before their turn by the rules that they follow themselves.

A guess in one respect only: somebody may save settings meanwhile. What is wanted then and was not asked is asked at its turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import select

from invoiceapp.domain.settings import Settings
from invoiceapp.models import Adaptor, Customer, Document, ExportRule, Gateway
from invoiceapp.services.database import reading
from invoiceapp.services.reach.destination import Destination

from . import clearance, standing
from .ahead import Asked, Question
from .outbox import Work, has_gone


def questions(claimed: Sequence[tuple[str, str]]) -> list[Question]:
    """What will be asked for these documents (id, token), in their order; nothing where that cannot be told. One query."""
    works = _works(claimed)
    found = (_question(works[document_id]) for document_id, _token in claimed if document_id in works)
    return [question for question in found if question is not None]


def _works(claimed: Sequence[tuple[str, str]]) -> dict[str, Work]:
    """The documents as their conversions will see them, by id, without their records."""
    if not claimed:
        return {}
    ids, tokens = zip(*claimed, strict=True)
    with reading() as session:
        rows = session.execute(
            select(Document, Adaptor, ExportRule, Gateway)
            .join(Adaptor, Adaptor.id == Document.adaptor_id)
            .join(Customer, (Customer.adaptor_id == Adaptor.id) & (Customer.source_id == Document.customer_source_id))
            .join(ExportRule, ExportRule.customer_id == Customer.id)
            .join(Gateway, Gateway.id == ExportRule.gateway_id)
            .where(Document.id.in_(ids), Document.lease_token.in_(set(tokens)), ~has_gone())
            .where(ExportRule.active, standing.working())
            .execution_options(populate_existing=True)
        ).all()
        for row in {id(one): one for found in rows for one in found}.values():
            session.expunge(row)
    return {
        document.id: Work(document, {}, adaptor, rule, gateway, "", Destination(gateway, rule.format))
        for document, adaptor, rule, gateway in rows
    }


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
