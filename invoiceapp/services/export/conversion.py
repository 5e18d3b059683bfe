"""The conversion worker: queued documents become renditions and deliveries."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Update, exists, or_, select, update

from invoiceapp.current import config
from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.domain.invoice import Attachment, Invoice
from invoiceapp.domain.settings import SettingsInvalid
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Rendition,
    Stage,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import bell
from invoiceapp.services.configuration import sources
from invoiceapp.services.configuration.settings import resolve
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.errors import ServiceError, text_dict
from invoiceapp.sources.base import NotFound, Source, SourceError, UnusableBundle

from . import archive, drawing, events, reasons
from .rendering import Rendered, broken_settings, filename, render
from .validators import validator

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
BATCH = 20
#: Seconds after which a batch gives the rest back: less than a job may take (``bell.JOB_TIMEOUT``).
_BUDGET = 600
#: After this many tries a document no longer waits for the source's PDF, and what no waiting mends blocks it.
MOST_TRIES = 4
#: After this many tries, about four hours, a person is told also of what may mend itself.
MOST_WAITS = 40
_PAUSE = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything that one conversion needs, read in one short transaction."""

    document: Document
    bundle: dict[str, Any]
    adaptor: Adaptor
    rule: ExportRule
    gateway: Gateway
    token: str

    @property
    def format(self) -> Format:
        """The rule's format. Raises ``KeyError`` where this installation does not have it (any more)."""
        return formats()[self.rule.format]


def claim(limit: int = BATCH) -> list[tuple[str, str]]:
    """Take queued documents for ``LEASE``: (document id, token)."""
    now, token = utcnow(), new_id()
    with transaction() as session:
        due = (
            select(Document.id)
            .where(Document.stage == Stage.QUEUED, or_(Document.lease_until.is_(None), Document.lease_until < now))
            .order_by(Document.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            # In a WITH, because PostgreSQL may run a subquery more than once and claim more than the limit.
            .cte("due")
        )
        ids = session.scalars(
            update(Document)
            .where(Document.id.in_(select(due.c.id)))
            .values(lease_until=now + LEASE, lease_token=token)
            .returning(Document.id)
            .execution_options(synchronize_session=False)
        ).all()
    return [(document_id, token) for document_id in ids]


def convert_due(limit: int = BATCH) -> int:
    """Convert one batch; how many were taken. One bad document never stops the others."""
    claimed = claim(limit)
    started = time.monotonic()
    with ExitStack() as stack:
        opened: dict[str, Source] = {}
        for position, (document_id, token) in enumerate(claimed):
            if time.monotonic() - started > _BUDGET:
                _give_back(claimed[position:])
                break
            _convert_safely(document_id, token, opened, stack)
    if claimed:
        bell.ring("deliver")
    return len(claimed)


def _give_back(claimed: Iterable[tuple[str, str]]) -> None:
    """Let others take what was not begun."""
    with transaction() as session:
        for document_id, token in claimed:
            session.execute(_still_ours(document_id, token).values(lease_until=None, lease_token=None))


def _still_ours(document_id: str, token: str) -> Update:
    """An update that changes nothing once somebody else has the document."""
    return (
        update(Document)
        .where(Document.id == document_id, Document.lease_token == token, Document.stage == Stage.QUEUED)
        .execution_options(synchronize_session=False)
    )


def _convert_safely(document_id: str, token: str, opened: dict[str, Source], stack: ExitStack) -> None:
    """Everything about one document; raises nothing, so that the others have their turn."""
    try:
        work = _load(document_id, token)
        if work is not None:
            _convert_or_explain(work, opened, stack)
    except Exception:
        # Its lease ends by itself, and then it is tried again.
        log.exception("document %s could not be handled", document_id)
        db.session.rollback()


def _convert_or_explain(work: _Work, opened: dict[str, Source], stack: ExitStack) -> None:
    try:
        if work.document.tries > MOST_WAITS:
            # No error was ever caught: it takes its worker down.
            _keep_blocked(work, [reasons.INTERNAL], None)
            return
        if work.adaptor.id not in opened:
            opened[work.adaptor.id] = stack.enter_context(sources.open_source(work.adaptor))
        _convert(work, opened[work.adaptor.id])
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


def _load(document_id: str, token: str) -> _Work | None:
    """The work, its lease renewed and its try counted.

    None where the document is no longer ours, was sent already, or its customer was deactivated meanwhile.
    """
    with transaction() as session:
        begun = _still_ours(document_id, token).values(lease_until=utcnow() + LEASE, tries=Document.tries + 1)
        if not changed(session.execute(begun)):
            return None
        document = session.get_one(Document, document_id, populate_existing=True)
        if _has_left(document_id):
            document.stage, document.lease_until, document.lease_token = Stage.CONVERTED, None, None
            return None
        rule = session.scalar(
            select(ExportRule)
            .join(Customer, Customer.id == ExportRule.customer_id)
            .where(
                ExportRule.active,
                Customer.adaptor_id == document.adaptor_id,
                Customer.source_id == document.customer_source_id,
            )
        )
        if rule is None:
            document.stage, document.lease_until, document.lease_token = Stage.LISTED, None, None
            return None
        adaptor = session.get_one(Adaptor, document.adaptor_id)
        gateway = session.get_one(Gateway, rule.gateway_id)
        work = _Work(document, document.bundle, adaptor, rule, gateway, token)
        # Left to themselves, reading them later would open a transaction, and keep it open while the source is asked.
        for row in (document, adaptor, rule, gateway):
            session.expunge(row)
        return work


def _has_left(document_id: str) -> bool:
    """Whether a delivery exists beside which no second one may be made. Inside the caller's transaction."""
    found = exists().where(Delivery.document_id == document_id, Delivery.state.in_(EXCLUSIVE - {DeliveryState.BLOCKED}))
    return bool(db.session.scalar(select(found)))


def _convert(work: _Work, source: Source) -> None:
    """Convert and keep the result. Raises ``UnusableBundle``, ``CannotDraw``, ``SourceError``, ``ServiceError``."""
    if work.rule.format not in formats():
        _keep_blocked(work, [reasons.unknown_format(work.rule.format)], None)
        return
    try:
        settings = resolve(work.adaptor.settings, work.rule.settings)
    except SettingsInvalid as error:
        _keep_blocked(work, broken_settings(error.errors), None)
        return
    own_pdf = _source_pdf(work, source)
    attachments = (_attachment(work.document, own_pdf),) if settings.general.embed_pdf and own_pdf else ()
    rendered = render(
        type(source), work.bundle, settings, work.format, validator(),
        attachments=attachments, require_official_rules=config().require_official_rules,
    )  # fmt: skip
    if settings.general.embed_pdf and not own_pdf and rendered.invoice is not None:
        drawn = drawing.draw(rendered.invoice)
        rendered = render(
            type(source), work.bundle, settings, work.format, validator(),
            attachments=(_attachment(work.document, drawn),), require_official_rules=config().require_official_rules,
        )  # fmt: skip
    pdf = _keep_pdf(own_pdf, rendered.invoice)
    if rendered.content is None or rendered.invoice is None:
        _keep_blocked(work, list(rendered.findings), pdf)
        return
    sha256 = archive.store(rendered.content)
    _keep_rendition(work, rendered, rendered.invoice, sha256, len(rendered.content), pdf)


def _attachment(document: Document, pdf: bytes) -> Attachment:
    return Attachment(
        id=document.number,
        filename=f"{document.number}.pdf",
        media_type="application/pdf",
        content=pdf,
        description="Faktura (PDF)",
    )


def _source_pdf(work: _Work, source: Source) -> bytes | None:
    """The source's PDF. A source that cannot answer now is asked again later, but not for ever."""
    if work.document.pdf_sha256 and not work.document.pdf_is_own:
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


@dataclass(frozen=True, slots=True)
class _Pdf:
    """The PDF to show and to send along: the source's own, else one that we draw."""

    sha256: str
    is_own: bool


def _keep_pdf(from_source: bytes | None, invoice: Invoice | None) -> _Pdf | None:
    """Store the PDF; None where the source has none and nothing can be drawn: it only goes along."""
    if from_source is not None:
        return _Pdf(archive.store(from_source), is_own=False)
    if invoice is None:
        return None
    try:
        return _Pdf(archive.store(drawing.draw(invoice)), is_own=True)
    except drawing.CannotDraw as error:
        log.warning("document %s goes on without a PDF: %s", invoice.number, error)
        return None


def idempotency_key(work: _Work, sha256: str) -> str:
    """The key that never changes between attempts; every wire id derives from it.

    The same records in the same format to the same gateway give the same key,
    so that even a lost database row cannot make the partner see two.
    """
    document = work.document
    parts = (
        document.subscription_id, document.adaptor_id, document.source_id, document.bundle_sha256,
        work.rule.format, work.gateway.id, sha256,
    )  # fmt: skip
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest[:20]).decode("ascii").lower()


def _finish_document(work: _Work, pdf: _Pdf | None) -> bool:
    """Move the document on; False where it is not ours any more, or needs no delivery. Locks its row."""
    values: dict[str, Any] = {
        "stage": Stage.CONVERTED, "lease_until": None, "lease_token": None, "error": None, "customer_id": work.rule.customer_id,
    }  # fmt: skip
    if pdf is not None:
        values |= {"pdf_sha256": pdf.sha256, "pdf_is_own": pdf.is_own}
    result = db.session.execute(_still_ours(work.document.id, work.token).values(**values))
    return changed(result) and not _has_left(work.document.id)


def _delivery(work: _Work) -> Delivery:
    """The blocked delivery of this document and gateway, or a new one."""
    existing = db.session.scalar(
        select(Delivery).where(
            Delivery.document_id == work.document.id,
            Delivery.gateway_id == work.gateway.id,
            Delivery.state == DeliveryState.BLOCKED,
        )
    )
    if existing is not None:
        existing.fence += 1
        return existing
    # The customer may have been moved to another gateway while the document was blocked for the old one.
    db.session.execute(
        update(Delivery)
        .where(Delivery.document_id == work.document.id, Delivery.state == DeliveryState.BLOCKED)
        .values(state=DeliveryState.SUPERSEDED, finished_at=utcnow())
    )
    delivery = Delivery(
        subscription_id=work.document.subscription_id,
        adaptor_id=work.document.adaptor_id,
        document_id=work.document.id,
        gateway_id=work.gateway.id,
        state=DeliveryState.BLOCKED,
        idem_key="",
    )
    db.session.add(delivery)
    return delivery


def _describe(delivery: Delivery, work: _Work, findings: list[Finding]) -> None:
    delivery.format, delivery.transport = work.rule.format, work.gateway.kind
    delivery.run_id = work.document.run_id
    delivery.findings = [finding.to_dict() for finding in findings]


def _keep_blocked(work: _Work, findings: list[Finding], pdf: _Pdf | None) -> None:
    with transaction() as session:
        if not _finish_document(work, pdf):
            return
        delivery = _delivery(work)
        _describe(delivery, work, findings)
        delivery.state, delivery.next_at = DeliveryState.BLOCKED, None
        session.flush()
        events.of_delivery("blocked", delivery, rules=[finding.rule for finding in findings if finding.is_fatal])


def _keep_rendition(
    work: _Work, rendered: Rendered, invoice: Invoice, sha256: str, size: int, pdf: _Pdf | None
) -> None:
    """Bytes, hash and outbox row in one transaction: what was validated is what will be sent."""
    with transaction() as session:
        if not _finish_document(work, pdf):
            return
        rendition = _rendition(work, rendered, invoice, sha256, size)
        session.add(rendition)
        delivery = _delivery(work)
        _describe(delivery, work, list(rendered.findings))
        delivery.rendition_id = rendition.id
        delivery.idem_key = idempotency_key(work, sha256)
        delivery.state = DeliveryState.PENDING if rendered.may_leave else DeliveryState.BLOCKED
        delivery.next_at = utcnow() if rendered.may_leave else None
        session.flush()
        events.of_delivery("converted", delivery, format=work.format.id, size=size, sha256=sha256)
        rules = [f"{rule_set.name} {rule_set.version}" for rule_set in rendered.report.rule_sets]
        if rendered.may_leave:
            events.of_delivery("validated", delivery, rules=rules)
        else:
            events.of_delivery("blocked", delivery, rules=[f.rule for f in rendered.findings if f.is_fatal])


def _rendition(work: _Work, rendered: Rendered, invoice: Invoice, sha256: str, size: int) -> Rendition:
    sender, receiver = invoice.seller.endpoint, invoice.buyer.endpoint
    return Rendition(
        id=new_id(),
        subscription_id=work.document.subscription_id,
        document_id=work.document.id,
        format=work.format.id,
        sha256=sha256,
        size=size,
        media_type=work.format.media_type,
        filename=filename(invoice, work.format),
        sender=str(sender) if sender else None,
        receiver=str(receiver) if receiver else None,
        rule_sets=[
            {"name": rule_set.name, "version": rule_set.version, "sha256": rule_set.sha256}
            for rule_set in rendered.report.rule_sets
        ],
        missing_rule_sets=list(rendered.report.missing),
        findings=[finding.to_dict() for finding in rendered.findings],
    )


def _release(work: _Work, **values: Any) -> bool:
    """Give the document back with new values, if it is still ours."""
    with transaction() as session:
        return changed(session.execute(_still_ours(work.document.id, work.token).values(lease_token=None, **values)))


def _set_aside(work: _Work, text: Text) -> None:
    if _release(work, stage=Stage.UNUSABLE, lease_until=None, error=text_dict(text)):
        with transaction():
            events.of_document("unusable", work.document, **text_dict(text))


def _wait_or_block(work: _Work, reason: Text, most: int, finding: Finding) -> None:
    """Keep its place and try again later; after ``most`` tries block it, so that a person is told."""
    if work.document.tries < most:
        pause = _PAUSE * min(work.document.tries, 10)
        _release(work, lease_until=utcnow() + pause, error=text_dict(reason))
    else:
        _keep_blocked(work, [finding], None)
