"""The conversion worker: queued documents become renditions and deliveries."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from invoiceapp import tracing
from invoiceapp.current import config
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import Invoice
from invoiceapp.domain.settings import Settings
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import (
    Adaptor,
    Document,
    Stage,
    db,
    new_id,
    utcnow,
    when_asked,
)
from invoiceapp.services import bell, stopping
from invoiceapp.services.configuration import sources
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError, text_dict
from invoiceapp.services.reach import destination
from invoiceapp.sources.base import NotFound, SourceError, UnusableBundle

from . import archive, clearance, drawing, events, expecting, interchanges, loading, reasons, standing
from .ahead import Ahead, Asked
from .clearance import MOST_WAITS
from .fairness import shared_out
from .loading import LEASE
from .outbox import Pdf, SettingsChanged, Work, change_ours, keep_blocked, keep_rendition, leave_out
from .rendering import Rendered, pdf_attachment, render
from .validators import validator

log = logging.getLogger(__name__)

BATCH = 40
#: Seconds after which a batch gives the rest back: less than a job may take (``bell.JOB_TIMEOUT``).
_BUDGET = 600
#: After this many tries a document no longer waits for the source's PDF, and what no waiting mends blocks it.
MOST_TRIES = 4
_PAUSE = timedelta(seconds=45)
#: After which it is seen whether the same document of another adaptor has arrived, or never will.
_LOOK = timedelta(minutes=15)


def claim(limit: int = BATCH) -> list[tuple[str, str]]:
    """Take queued documents of working adaptors for ``LEASE``, from each the oldest first: (document id, token).

    Left alone is what a paused network gateway would have to find a way for.
    """
    token = new_id()
    with transaction() as session:
        waiting = session.scalars(with_work()).all()
        ids = shared_out(waiting, limit, lambda adaptor_id, most: _claim_of(adaptor_id, most, token))
    return [(document_id, token) for document_id in ids]


def is_free() -> ColumnElement[bool]:
    """Of a document: it waits for its conversion, and nobody works on it."""
    return and_(
        Document.stage == Stage.QUEUED,
        or_(Document.lease_until.is_(None), Document.lease_until < when_asked()),
        ~standing.is_held_back(),
    )


@cache
def with_work() -> Select[str]:
    """Ids of the adaptors that have something to convert. Made once: to make it takes longer than to run it."""
    found = select(Document.id).where(Document.adaptor_id == Adaptor.id, is_free())
    return select(Adaptor.id).where(standing.working(), found.exists())


@cache
def _claim() -> ReturningUpdate[str]:
    """Of one adaptor. Made once, as it is executed for each adaptor that has a place in a batch."""
    due = (
        select(Document.id)
        .where(Document.adaptor_id == bindparam("of_adaptor"), is_free())
        .order_by(Document.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True, of=Document)
        # In a WITH, because PostgreSQL may run a subquery more than once and claim more than the limit.
        .cte("due")
    )
    table = db.metadata.tables["document"]
    return (
        update(table)
        .where(table.c.id.in_(select(due.c.id)))
        .values(lease_until=bindparam("until"), lease_token=bindparam("token"))
        .returning(table.c.id)
    )


def _claim_of(adaptor_id: str, most: int, token: str) -> Sequence[str]:
    """Ids of ``most`` documents of one adaptor, now ours. Inside the caller's transaction."""
    asked = {"of_adaptor": adaptor_id, "most": most, "token": token, "until": utcnow() + LEASE}
    return db.session.scalars(_claim(), asked).all()


def convert_due(limit: int = BATCH) -> int:
    """Convert one batch; how many were taken. One bad document never stops the others."""
    started = time.monotonic()
    claimed = claim(limit)
    if len(claimed) == limit:
        # There may be more: another worker need not wait until this batch is done.
        bell.ring("convert")
    works = loading.of_batch(claimed)
    with Ahead() as ahead:
        ahead.expect(expecting.questions(works[one] for one, _token in claimed if one in works))
        for position, (document_id, token) in enumerate(claimed):
            if stopping.asked() or time.monotonic() - started > _BUDGET:
                _give_back(claimed[position:])
                break
            ahead.turn_of(document_id)
            _convert_safely(document_id, token, works, ahead)
    if claimed:
        bell.ring("deliver")
    return len(claimed)


def _give_back(claimed: Iterable[tuple[str, str]], **values: Any) -> None:
    """Let others take what was not begun, or what must be begun anew."""
    with transaction():
        for document_id, token in claimed:
            change_ours(document_id, token, lease_until=None, lease_token=None, **values)


@tracing.of("document")
def _convert_safely(document_id: str, token: str, works: dict[str, Work], ahead: Ahead) -> None:
    """Everything about one document; raises nothing, so that the others have their turn."""
    try:
        work = loading.begin(document_id, token, works.pop(document_id, None))
        if work is not None:
            tracing.about(adaptor=work.adaptor.id)
            _convert_or_explain(work, ahead)
    except SettingsChanged:
        log.info("document %s: settings were saved during its conversion; it is converted again", document_id)
        # What the batch has read of the others is as old.
        works.clear()
        _give_back([(document_id, token)], tries=0)
        bell.ring("convert")
    except Exception:
        # Its lease ends by itself, and then it is tried again.
        log.exception("document %s could not be handled", document_id)
        db.session.rollback()


def _convert_or_explain(work: Work, ahead: Ahead) -> None:
    try:
        if work.document.tries > MOST_WAITS:
            # No error was ever caught: it takes its worker down.
            keep_blocked(work, [reasons.INTERNAL], None)
            return
        source = ahead.source(work.adaptor)
        found = destination.of(work.rule, work.chosen, work.document.type)
        _convert(replace(work, destination=found), source)
    except destination.NoRoute as error:
        keep_blocked(work, [error.finding], None)
    except SettingsChanged:
        raise
    except UnusableBundle as error:
        _set_aside(work, error.text)
    except drawing.CannotDraw as error:
        _wait_or_block(work, error.text, MOST_TRIES, reasons.NO_PDF)
    except (SourceError, ServiceError) as error:
        _wait_or_block(work, error.text, MOST_WAITS, reasons.given_up(error))
    except Exception:
        log.exception("document %s could not be converted", work.document.id)
        db.session.rollback()
        _wait_or_block(work, reasons.UNEXPECTED, MOST_TRIES, reasons.INTERNAL)


def _convert(work: Work, source: Asked) -> None:
    """Convert and keep the result. Raises ``UnusableBundle``, ``CannotDraw``, ``SourceError``, ``ServiceError``."""
    try:
        settings = clearance.settings_of(work)
    except clearance.GoesNoFurther as end:
        end.keep()
        return
    if work.destination.format not in formats():
        keep_blocked(work, [reasons.unknown_format(work.destination.format)], None)
        return
    holder = clearance.other_way(work)
    if holder is not None and clearance.is_skipped(holder, settings) and holder.is_undecided:
        why = text_dict(reasons.waits_elsewhere(holder), holder=holder.document_id)
        # To wait is no try.
        _release(work, lease_until=utcnow() + _LOOK, tries=0, error=why)
        return
    if holder is not None and clearance.is_skipped(holder, settings):
        more = {"channels": "elsewhere", "holder": holder.document_id}
        leave_out(work, Stage.SKIPPED, reasons.skipped_elsewhere(holder), "skipped_elsewhere", **more)
        return
    sent = clearance.sent_itself(work, source, settings)
    skip = clearance.to_skip(sent, settings)
    if skip:
        # By the channels it is found when the settings skip them no longer (``configuration/releasing.py``).
        channels = " ".join(sorted({one.channel.value for one in skip}))
        said = "\n".join(one.detail for one in skip)
        leave_out(work, Stage.SKIPPED, reasons.skipped(source.label, skip), "skipped", channels=channels, detail=said)
        return
    _convert_to_send(work, source, settings, clearance.findings(work, source, settings, sent, holder))


def _convert_to_send(work: Work, source: Asked, settings: Settings, more: list[Finding]) -> None:
    """The part of ``_convert`` that makes bytes; ``more`` is what is to be said of this sending beside what rules say."""
    own_pdf = _source_pdf(work, source)
    embeds = settings.general.embed_pdf and work.format.carries_attachments
    rendered = _render(work, settings, own_pdf if embeds else None)
    if embeds and not own_pdf and rendered.invoice is not None:
        rendered = _render(work, settings, drawing.draw(rendered.invoice))
    pdf = _keep_pdf(own_pdf, rendered.invoice)
    if rendered.content is None or rendered.invoice is None:
        keep_blocked(work, [*more, *rendered.findings], pdf)
        return
    sha256, hold = archive.store(rendered.content), timedelta(minutes=settings.general.hold_minutes)
    keep_rendition(work, rendered, rendered.invoice, sha256, len(rendered.content), pdf, more=more, hold=hold)


def _render(work: Work, settings: Settings, pdf: bytes | None) -> Rendered:
    document = work.document
    attachments = (pdf_attachment(document.type, document.number, pdf),) if pdf else ()
    return render(
        sources.source_class(work.adaptor), work.bundle, settings, work.format, validator(), attachments=attachments,
        require_official_rules=config().require_official_rules, numbering=partial(interchanges.number, document),
    )  # fmt: skip


def _source_pdf(work: Work, source: Asked) -> bytes | None:
    """The source's PDF. A source that cannot answer now is asked again later, but not for ever."""
    if work.document.pdf_sha256 and clearance.has_sources_pdf(work.document):
        try:
            return archive.load(work.document.pdf_sha256)
        except archive.ArchiveCorrupt as error:
            log.warning("the PDF of document %s is asked for again: %s", work.document.id, error)
    try:
        return source.pdf(work.document.source_id)
    except NotFound:
        return None
    except SourceError as error:
        if work.document.tries < MOST_TRIES:
            raise
        log.warning("no PDF for document %s from the source, drawing our own: %s", work.document.id, error.detail)
        return None


def _keep_pdf(from_source: bytes | None, invoice: Invoice | None) -> Pdf | None:
    """Store the PDF; None where the source has none and nothing can be drawn: it only goes along."""
    if from_source is not None:
        return Pdf(archive.store(from_source), is_own=False)
    if invoice is None:
        return None
    try:
        return Pdf(archive.store(drawing.draw(invoice)), is_own=True)
    except drawing.CannotDraw as error:
        log.warning("document %s goes on without a PDF: %s", invoice.number, error)
        return None


def _release(work: Work, **values: Any) -> bool:
    """Give the document back with new values, if it is still ours."""
    with transaction():
        return change_ours(work.document.id, work.token, lease_token=None, **values)


def _set_aside(work: Work, text: Text) -> None:
    if _release(work, stage=Stage.UNUSABLE, lease_until=None, error=text_dict(text)):
        with transaction():
            events.of_document("unusable", work.document, **text_dict(text))


def _wait_or_block(work: Work, reason: Text, most: int, finding: Finding) -> None:
    """Keep its place and try again later; after ``most`` tries block it, so that a person is told."""
    if work.document.tries < most:
        pause = _PAUSE * min(work.document.tries, 10)
        _release(work, lease_until=utcnow() + pause, error=text_dict(reason))
    else:
        keep_blocked(work, [finding], None)
