"""A credit note goes after the invoice that it takes back: a receiver that gets it first refuses it, or pays too much.

It waits while its invoice is on its way or waits itself, whichever gateway either takes, and goes on by itself once the
invoice has arrived or is over. What was tried before goes on, and so does what a person lets go (docs/decisions/0033).
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import aliased

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Delivery, Document, Stage, db

S = DeliveryState
#: ``Document.status`` of an invoice that its credit note waits for, and how a sentence about it goes on.
WAITS: Mapping[str, Text] = {
    Stage.QUEUED.value: Text("som er ved at blive gjort klar", "which is being made ready"),
    S.PENDING.value: Text("som ikke er sendt endnu", "which has not been sent yet"),
    S.BLOCKED.value: Text("som skal rettes, før den kan sendes", "which has to be corrected before it can be sent"),
    S.FAILED.value: Text("som det ikke er lykkedes at sende", "which could not be sent"),
    S.OUTCOME_UNKNOWN.value: Text(
        "som vi ikke ved, om modtageren har fået", "of which we do not know whether the receiver got it"
    ),
}
_TO_DO: Mapping[str, Text] = {
    S.BLOCKED.value: Text("Ret faktura", "Correct invoice"),
    S.FAILED.value: Text(
        "Se, hvorfor det ikke lykkedes, og prøv igen med faktura", "See why it failed, and try again with invoice"
    ),
    S.OUTCOME_UNKNOWN.value: Text("Spørg modtageren om faktura", "Ask the receiver about invoice"),
}
#: The same of an invoice that its receiver does not get from here: nothing waits for that.
UNSENT: Mapping[str, Text] = {
    Stage.LISTED.value: Text("som ikke er sendt herfra", "which was not sent from here"),
    Stage.UNUSABLE.value: Text("som ikke kan blive til en e-faktura", "which cannot become an e-invoice"),
    S.REJECTED.value: Text("som modtageren har afvist", "which the receiver has rejected"),
    S.CANCELLED.value: Text("som er annulleret her", "which was cancelled here"),
}


def is_early() -> ColumnElement[bool]:
    """For queries that have ``Delivery``: a credit note whose invoice must go first. Two look-ups by unique keys."""
    credit, invoice = aliased(Document), aliased(Document)
    return exists().where(
        credit.id == Delivery.document_id,
        Delivery.first_sent_at.is_(None),
        credit.before_invoice.is_(False),
        credit.credits_source_id.is_not(None),
        invoice.adaptor_id == credit.adaptor_id,
        invoice.source_id == credit.credits_source_id,
        # Whatever the books say, none waits for what waits for it.
        invoice.credits_source_id.is_(None),
        invoice.status.in_(tuple(WAITS)),
    )


def invoice_of(document: Document) -> Document | None:
    """The invoice that a credit note takes back, where the source names it and it was read. In the caller's transaction."""
    if document.credits_source_id is None:
        return None
    return db.session.scalar(
        select(Document).where(
            Document.adaptor_id == document.adaptor_id,
            Document.source_id == document.credits_source_id,
            Document.credits_source_id.is_(None),
        )
    )


def awaited(document: Document, delivery: Delivery | None) -> Document | None:
    """The invoice that a credit note waits for now; None where it waits for none."""
    if delivery is None or delivery.state is not S.PENDING or delivery.first_sent_at is not None:
        return None
    invoice = None if document.before_invoice else invoice_of(document)
    return invoice if invoice is not None and invoice.status in WAITS else None


def to_do(invoice: Document) -> Text | None:
    """What a person does about the invoice; None where it goes on by itself."""
    what = _TO_DO.get(invoice.status)
    if what is None:
        return None
    return Text(
        f"{what.da} {invoice.number}. Kreditnotaen sendes af sig selv bagefter.",
        f"{what.en} {invoice.number}. The credit note is sent by itself after it.",
    )


def why_waiting(invoice: Document) -> Text:
    """``Venter på faktura 1001, som …``."""
    how = WAITS[invoice.status]
    return Text(
        f"Venter på faktura {invoice.number}, {how.da}. Kreditnotaen sendes af sig selv bagefter.",
        f"Waits for invoice {invoice.number}, {how.en}. The credit note is sent by itself after it.",
    )
