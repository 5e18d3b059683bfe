"""What a conversion leaves behind: the document moved on, its rendition, and its row in the outbox.

Each in one transaction, and only while the lease that names the worker still holds.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Update, exists, select, update

from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState
from invoiceapp.domain.findings import Finding
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import Adaptor, Delivery, Document, ExportRule, Gateway, Rendition, Stage, db, new_id, utcnow
from invoiceapp.services.database import changed, transaction

from . import events, interchanges
from .rendering import Rendered, filename


@dataclass(frozen=True, slots=True)
class Work:
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


@dataclass(frozen=True, slots=True)
class Pdf:
    """The PDF to show and to send along: the source's own, else one that we draw."""

    sha256: str
    is_own: bool


def still_ours(document_id: str, token: str) -> Update:
    """An update that changes nothing once somebody else has the document."""
    return (
        update(Document)
        .where(Document.id == document_id, Document.lease_token == token, Document.stage == Stage.QUEUED)
        .execution_options(synchronize_session=False)
    )


def has_left(document_id: str) -> bool:
    """Whether a delivery exists beside which no second one may be made. Inside the caller's transaction."""
    found = exists().where(Delivery.document_id == document_id, Delivery.state.in_(EXCLUSIVE - {DeliveryState.BLOCKED}))
    return bool(db.session.scalar(select(found)))


def idempotency_key(work: Work, sha256: str) -> str:
    """The key that never changes between attempts; every wire id derives from it.

    The same records in the same format to the same gateway give the same key,
    so that even a lost delivery row cannot make the partner see two. Interchange
    numbers are part of the bytes and have rows of their own (docs/decisions/0011).
    """
    document = work.document
    parts = (
        document.subscription_id, document.adaptor_id, document.source_id, document.bundle_sha256,
        work.rule.format, work.gateway.id, sha256,
    )  # fmt: skip
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest[:20]).decode("ascii").lower()


def _finish_document(work: Work, pdf: Pdf | None) -> bool:
    """Move the document on; False where it is not ours any more, or needs no delivery. Locks its row."""
    values: dict[str, Any] = {
        "stage": Stage.CONVERTED, "lease_until": None, "lease_token": None, "error": None, "customer_id": work.rule.customer_id,
    }  # fmt: skip
    if pdf is not None:
        values |= {"pdf_sha256": pdf.sha256, "pdf_is_own": pdf.is_own}
    result = db.session.execute(still_ours(work.document.id, work.token).values(**values))
    return changed(result) and not has_left(work.document.id)


def _delivery(work: Work) -> Delivery:
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


def _describe(delivery: Delivery, work: Work, findings: list[Finding]) -> None:
    delivery.format, delivery.transport = work.rule.format, work.gateway.kind
    delivery.run_id = work.document.run_id
    delivery.findings = [finding.to_dict() for finding in findings]


def keep_blocked(work: Work, findings: list[Finding], pdf: Pdf | None) -> None:
    """A delivery that waits for a person, with the reasons; nothing where the lease was lost."""
    with transaction() as session:
        if not _finish_document(work, pdf):
            return
        delivery = _delivery(work)
        _describe(delivery, work, findings)
        delivery.state, delivery.next_at = DeliveryState.BLOCKED, None
        session.flush()
        events.of_delivery("blocked", delivery, rules=[finding.rule for finding in findings if finding.is_fatal])


def keep_rendition(work: Work, rendered: Rendered, invoice: Invoice, sha256: str, size: int, pdf: Pdf | None) -> None:
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


def _rendition(work: Work, rendered: Rendered, invoice: Invoice, sha256: str, size: int) -> Rendition:
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
        interchange_id=interchanges.id_of(work.document.id, rendered.interchange) if rendered.interchange else None,
        rule_sets=[
            {"name": rule_set.name, "version": rule_set.version, "sha256": rule_set.sha256}
            for rule_set in rendered.report.rule_sets
        ],
        missing_rule_sets=list(rendered.report.missing),
        findings=[finding.to_dict() for finding in rendered.findings],
    )
