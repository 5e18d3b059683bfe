"""What a delivery hands to its transport: the validated bytes and who they are from and for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Bundle

from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.base import Consignment, Payload
from invoiceapp.models import Adaptor, Attempt, Customer, Delivery, Document, ExportRule, Rendition, db
from invoiceapp.services.configuration.naming import receiver_email as receiver_email_of
from invoiceapp.services.database import reading

from . import archive, naming
from .outcomes import is_a_known_repetition


@dataclass(frozen=True, slots=True)
class _File:
    """A file in the archive, not read yet."""

    sha256: str
    filename: str
    media_type: str

    def load(self) -> Payload:
        return Payload(archive.load(self.sha256), self.filename, self.media_type)


_NOTHING = Payload(b"", "", "")
_READ = (
    select(
        Delivery.idem_key,
        Bundle("document", *(getattr(Document, name) for name in (
            "number", "type", "customer_name", "pdf_sha256", "bundle",
        ))),
        Bundle("rendition", *(getattr(Rendition, name) for name in (
            "sha256", "filename", "media_type", "format", "sender", "receiver",
        ))),
        Bundle("customer", Customer.id, Customer.email, Bundle("rule", ExportRule.id, ExportRule.settings)),
        Bundle("adaptor", Adaptor.settings),
        exists().where(Attempt.delivery_id == Delivery.id).label("was_tried"),
        naming.converted().label("converted"),
    )
    .join(Document, Document.id == Delivery.document_id)
    .join(Rendition, Rendition.id == Delivery.rendition_id)
    .join(Adaptor, Adaptor.id == Delivery.adaptor_id)
    .outerjoin(Customer, Customer.id == Document.customer_id)
    .outerjoin(ExportRule, ExportRule.customer_id == Customer.id)
    .where(Delivery.id == bindparam("delivery_id"))
)  # fmt: skip


def consignment_of(delivery_id: str) -> Consignment:
    """The validated bytes, read back by their hash; no transaction is open afterwards.

    Raises ``archive.ArchiveCorrupt`` and ``archive.ArchiveUnavailable``.
    """
    with reading():
        consignment, (payload, *companions) = _described(delivery_id)
    return replace(consignment, payload=payload.load(), companions=tuple(file.load() for file in companions))


def _described(delivery_id: str) -> tuple[Consignment, Sequence[_File]]:
    """The consignment without its bytes, and its files, the document first."""
    row = db.session.execute(_READ, {"delivery_id": delivery_id}).one()
    document, rendition = row.document, row.rendition
    files = [_File(rendition.sha256, rendition.filename, rendition.media_type)]
    # Where the document is a PDF itself, a second one beside it would have the same name and hide it.
    if document.pdf_sha256 and rendition.media_type != "application/pdf":
        files.append(_File(document.pdf_sha256, f"{rendition.filename.rsplit('.', 1)[0]}.pdf", "application/pdf"))
    consignment = Consignment(
        key=row.idem_key,
        payload=_NOTHING,
        format=rendition.format,
        document_no=document.number,
        document_type=document.type.value,
        sender_name=str(document.bundle.get("organization", {}).get("name") or ""),
        receiver_name=document.customer_name,
        sender=_participant(rendition.sender),
        receiver=_participant(rendition.receiver),
        receiver_email=_email(row),
        may_have_arrived=row.was_tried and is_a_known_repetition(delivery_id),
        file_name=naming.decided(row.converted),
    )
    return consignment, files


def _email(row: Any) -> str | None:
    """What an outer join has not found is a bundle of nothing."""
    customer = row.customer if row.customer.id else None
    if customer is not None and customer.rule.id is None:
        return str(customer.email) if customer.email else None
    return receiver_email_of(customer, row.adaptor)


def _participant(text: str | None) -> Participant | None:
    scheme, _, value = (text or "").partition(":")
    return Participant(scheme, value) if value else None
