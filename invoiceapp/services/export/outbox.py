"""What a conversion leaves behind: the document moved on, its rendition, and its row in the outbox.

Each in one transaction, and only while the lease that names the worker still holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Exists, bindparam, exists, select, update

from invoiceapp.domain.delivery import EXCLUSIVE, DeliveryState, Mover
from invoiceapp.domain.findings import Finding, Text, has_fatal
from invoiceapp.domain.four_eyes import Rules, accounts_of
from invoiceapp.domain.invoice import Invoice
from invoiceapp.formats.base import Format
from invoiceapp.formats.base import registry as formats
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Rendition,
    Stage,
    cut,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.database import changed, transaction
from invoiceapp.services.delivery.moves import require
from invoiceapp.services.errors import text_dict
from invoiceapp.services.reach.destination import Destination

from . import basis, elsewhere, events, four_eyes, interchanges, naming, trials
from .basis import Basis
from .rendering import Rendered, filename


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that one conversion needs, read in one short transaction."""

    document: Document
    bundle: dict[str, Any]
    adaptor: Adaptor
    rule: ExportRule
    chosen: Gateway
    """The rule's own"""
    token: str
    destination: Destination
    """Where it goes: the rule's own gateway and format, or those that its network gateway has found"""

    @property
    def gateway(self) -> Gateway:
        """What it is sent through."""
        return self.destination.gateway

    @property
    def format(self) -> Format:
        """What it becomes. Raises ``KeyError`` where this installation does not have it (any more)."""
        return formats()[self.destination.format]


@dataclass(frozen=True, slots=True)
class Pdf:
    """The PDF to show and to send along: the source's own, else one that we draw."""

    sha256: str
    is_own: bool


class SettingsChanged(Exception):
    """Somebody saved other settings during the conversion: its result is thrown away and made anew."""


class Overtaken(SettingsChanged):
    """Another document took the number during the conversion: made anew, it is skipped or blocked with words."""


_TABLE = db.metadata.tables["document"]
#: Changes nothing once somebody else has the document ``ours``. What it sets are the other values that it is executed with;
#: made once, as each document is changed by it twice.
STILL_OURS = update(_TABLE).where(
    _TABLE.c.id == bindparam("ours"), _TABLE.c.lease_token == bindparam("token"), _TABLE.c.stage == Stage.QUEUED
)


def change_ours(document_id: str, token: str, **values: Any) -> bool:
    """Whether the document was still ours, and was changed. Inside the caller's transaction."""
    return changed(db.session.execute(STILL_OURS, {"ours": document_id, "token": token, **values}))


def has_gone() -> Exists:
    """For queries that have ``Document``: a delivery exists beside which no second one may be made."""
    return exists().where(Delivery.document_id == Document.id, Delivery.state.in_(EXCLUSIVE - {DeliveryState.BLOCKED}))


def has_left(document_id: str) -> bool:
    """``has_gone`` of one document. Inside the caller's transaction."""
    return db.session.scalar(select(Document.id).where(Document.id == document_id, has_gone())) is not None


def idempotency_key(work: Work, sha256: str) -> str:
    """The key that never changes between attempts; every wire id derives from it.

    The same records in the same format to the same gateway give the same key,
    so that even a lost delivery row cannot make the partner see two. Interchange
    numbers are part of the bytes and have rows of their own (docs/decisions/0011).
    """
    document = work.document
    parts = (
        document.subscription_id, document.adaptor_id, document.source_id, document.bundle_sha256,
        work.destination.format, work.gateway.id, sha256, *trials.key_parts(work.gateway),
    )  # fmt: skip
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest[:20]).decode("ascii").lower()


def _finish_document(work: Work, pdf: Pdf | None, **more: str | None) -> Basis | None:
    """Move the document on; None where it is not ours any more, or needs no delivery. Locks its row.

    Raises ``SettingsChanged``; until the transaction ends, nobody changes them.
    """
    values: dict[str, Any] = {
        "stage": Stage.CONVERTED, "lease_until": None, "lease_token": None, "error": None,
        "customer_id": work.rule.customer_id, **more,
    }  # fmt: skip
    if pdf is not None:
        values |= {"pdf_sha256": pdf.sha256, "pdf_is_own": pdf.is_own}
    if not change_ours(work.document.id, work.token, **values):
        return None
    found = _same_settings(work)
    return None if found.has_deliveries and has_left(work.document.id) else found


def _same_settings(work: Work) -> Basis:
    """What the result rests on. Raises ``SettingsChanged``. Inside the caller's transaction, which has locked the document."""
    found = basis.now(work.document.id, work.adaptor.id, work.rule.customer_id)
    if found is None or found.decided != basis.decided(work.adaptor, work.rule, work.chosen):
        raise SettingsChanged
    return found


def _delivery(work: Work, found: Basis) -> Delivery:
    """The blocked delivery of this document and gateway, or a new one. The document is locked."""
    blocked = _blocked(work.document.id) if found.has_deliveries else ()
    existing = next((one for one in blocked if one.gateway_id == work.gateway.id), None)
    if existing is not None:
        existing.fence += 1
        return existing
    # One that was taken back to be built anew (``configuration/releasing.py``) was due at a time: the new one keeps that.
    due = min((one.next_at for one in blocked if one.next_at is not None), default=None)
    if blocked:
        # The customer was moved to another gateway while the document was blocked for the old one.
        _supersede_blocked(work.document.id)
    delivery = Delivery(
        id=new_id(),
        subscription_id=work.document.subscription_id,
        adaptor_id=work.document.adaptor_id,
        document_id=work.document.id,
        gateway_id=work.gateway.id,
        state=DeliveryState.BLOCKED,
        next_at=due,
        idem_key="",
        supersedes_id=trials.superseded_by(work.document.id, work.gateway) if found.has_deliveries else None,
    )
    db.session.add(delivery)
    return delivery


def _blocked(document_id: str) -> Sequence[Delivery]:
    is_blocked = Delivery.document_id == document_id, Delivery.state == DeliveryState.BLOCKED
    return db.session.scalars(select(Delivery).where(*is_blocked)).all()


def _supersede_blocked(document_id: str) -> None:
    require(DeliveryState.BLOCKED, DeliveryState.SUPERSEDED, Mover.CONVERTER)
    db.session.execute(
        update(Delivery)
        .where(Delivery.document_id == document_id, Delivery.state == DeliveryState.BLOCKED)
        .values(state=DeliveryState.SUPERSEDED, finished_at=utcnow(), next_at=None)
    )


def leave_out(work: Work, stage: Stage, why: Text, kind: str, **more: str) -> None:
    """No delivery: the settings leave the document out. Nothing where the lease was lost.

    ``stage`` is where it stays, ``kind`` the timeline's word, ``more`` is kept with the reason. Raises ``SettingsChanged``.
    """
    values = {
        "stage": stage, "lease_until": None, "lease_token": None, "customer_id": work.rule.customer_id,
        "error": text_dict(why, **more) if stage is Stage.SKIPPED else None,
    }  # fmt: skip
    with transaction():
        if not change_ours(work.document.id, work.token, **values):
            return
        if _same_settings(work).has_deliveries:
            _supersede_blocked(work.document.id)
        events.of_document(kind, work.document, **text_dict(why, **more))


def _describe(delivery: Delivery, work: Work, findings: list[Finding]) -> None:
    delivery.format, delivery.transport = work.destination.format, work.gateway.kind
    delivery.run_id, delivery.environment = work.document.run_id, work.gateway.environment
    delivery.findings = [finding.to_dict() for finding in findings]


def keep_blocked(work: Work, findings: list[Finding], pdf: Pdf | None) -> None:
    """A delivery that waits for a person, with the reasons; nothing where the lease was lost."""
    with transaction() as session:
        found = _finish_document(work, pdf)
        if found is None:
            return
        _wait_no_more(work, found)
        delivery = _delivery(work, found)
        _describe(delivery, work, findings)
        delivery.state, delivery.next_at = DeliveryState.BLOCKED, None
        session.flush()
        events.of_delivery("blocked", delivery, rules=[finding.rule for finding in findings if finding.is_fatal])


def keep_rendition(
    work: Work, rendered: Rendered, invoice: Invoice, sha256: str, size: int, pdf: Pdf | None,
    *, more: Sequence[Finding] = (), hold: timedelta = timedelta(0),
) -> None:  # fmt: skip
    """Bytes, hash and outbox row in one transaction: what was validated is what will be sent.

    ``more`` are findings about this sending, not about the bytes; ``hold`` is how long a person may still stop it.
    """
    findings, now = [*more, *rendered.findings], utcnow()
    with transaction() as session:
        found = _finish_document(work, pdf, **_orders(work.document, invoice))
        if found is None:
            return
        key = idempotency_key(work, sha256)
        name = naming.of_document(work.document, invoice, work.adaptor, work.rule, found.customer_number)
        rendition = _rendition(work, rendered, invoice, sha256, size)
        rendition.filename = filename(invoice, work.format, name, key)
        session.add(rendition)
        if rendered.may_leave and not has_fatal(findings) and Rules.of(found.four_eyes).on:
            findings += four_eyes.findings(_sending(work, invoice, rendition))
        else:
            _wait_no_more(work, found)
        if rendered.may_leave and not has_fatal(findings):
            _take_number(work)
        stopped_by = [finding.rule for finding in findings if finding.is_fatal]
        may_leave = rendered.may_leave and not stopped_by
        delivery = _delivery(work, found)
        _describe(delivery, work, findings)
        delivery.rendition_id = rendition.id
        delivery.idem_key = key
        require(DeliveryState.BLOCKED, DeliveryState.PENDING, Mover.CONVERTER)
        delivery.state = DeliveryState.PENDING if may_leave else DeliveryState.BLOCKED
        due = min(filter(None, (delivery.next_at, now + hold)))
        delivery.next_at = due if may_leave else None
        session.flush()
        events.of_delivery(
            "converted", delivery, format=work.format.id, size=size, sha256=sha256, file_name=name.to_dict()
        )
        rules = [f"{rule_set.name} {rule_set.version}" for rule_set in rendered.report.rule_sets]
        if not may_leave:
            events.of_delivery("blocked", delivery, rules=stopped_by)
            return
        events.of_delivery("validated", delivery, rules=rules)
        if due > now:
            events.of_delivery("held", delivery, until=due.isoformat())


def _take_number(work: Work) -> None:
    """Raises ``Overtaken``. The transaction that makes the delivery also makes its document the one under this number."""
    try:
        elsewhere.require(work.document, work.adaptor, work.gateway.environment)
    except elsewhere.NumberTaken as error:
        raise Overtaken from error


def _sending(work: Work, invoice: Invoice, rendition: Rendition) -> four_eyes.Sending:
    """For the gate of four eyes. Inside the caller's transaction."""
    gateway = db.session.get_one(Gateway, work.gateway.id, populate_existing=True)
    customer_id = work.rule.customer_id
    return four_eyes.Sending(
        work.document, work.adaptor.id, customer_id, gateway, accounts_of(invoice.payment), rendition.receiver,
        four_eyes.email_to(customer_id, work.adaptor.id),
    )  # fmt: skip


def _wait_no_more(work: Work, found: Basis) -> None:
    if found.waits_for_approval:
        four_eyes.forget(work.document.id)


def _orders(document: Document, invoice: Invoice) -> dict[str, str | None]:
    """The order numbers that the receiver will see, for lists."""
    return {
        "customer_order": cut(invoice.order_reference or document.order_number, 200),
        "supplier_order": cut(invoice.sales_order_reference, 200),
    }


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
        sender=str(sender) if sender else None,
        receiver=str(receiver) if receiver else None,
        interchange_id=interchanges.id_of(work.document.id, rendered.interchange) if rendered.interchange else None,
        rule_sets=[
            {"name": rule_set.name, "version": rule_set.version, "sha256": rule_set.sha256}
            for rule_set in rendered.report.rule_sets
        ],
        missing_rule_sets=list(rendered.report.missing),
        findings=[finding.to_dict() for finding in rendered.findings],
        accounts=four_eyes.accounts_in(invoice),
    )
