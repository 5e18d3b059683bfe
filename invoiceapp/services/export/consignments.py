"""What a delivery hands to its transport: the validated bytes and who they are from and for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.base import Consignment, Payload
from invoiceapp.models import Adaptor, Customer, Delivery, Rendition, db
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


def consignment_of(delivery_id: str) -> Consignment:
    """The validated bytes, read back by their hash; no transaction is open afterwards.

    Raises ``archive.ArchiveCorrupt`` and ``archive.ArchiveUnavailable``.
    """
    with reading():
        consignment, (payload, *companions) = _described(delivery_id)
    return replace(consignment, payload=payload.load(), companions=tuple(file.load() for file in companions))


def _described(delivery_id: str) -> tuple[Consignment, Sequence[_File]]:
    """The consignment without its bytes, and its files, the document first."""
    delivery = db.session.get_one(Delivery, delivery_id, populate_existing=True)
    document = delivery.document
    rendition = db.session.get_one(Rendition, delivery.rendition_id)
    customer = db.session.get(Customer, document.customer_id) if document.customer_id else None
    files = [_File(rendition.sha256, rendition.filename, rendition.media_type)]
    # Where the document is a PDF itself, a second one beside it would have the same name and hide it.
    if document.pdf_sha256 and rendition.media_type != "application/pdf":
        files.append(_File(document.pdf_sha256, f"{rendition.filename.rsplit('.', 1)[0]}.pdf", "application/pdf"))
    consignment = Consignment(
        key=delivery.idem_key,
        payload=_NOTHING,
        format=rendition.format,
        document_no=document.number,
        document_type=document.type.value,
        sender_name=str(document.bundle.get("organization", {}).get("name") or ""),
        receiver_name=document.customer_name,
        sender=_participant(rendition.sender),
        receiver=_participant(rendition.receiver),
        receiver_email=receiver_email_of(customer, db.session.get_one(Adaptor, delivery.adaptor_id)),
        may_have_arrived=is_a_known_repetition(delivery_id),
        file_name=naming.of_delivery(delivery),
    )
    return consignment, files


def _participant(text: str | None) -> Participant | None:
    scheme, _, value = (text or "").partition(":")
    return Participant(scheme, value) if value else None
