"""CONTRL and APERAK: which delivery they answer, and what they say of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.formats.edifact.acknowledgements import APERAK, Acknowledgement
from invoiceapp.gateways.base import Verdict
from invoiceapp.models import Attempt, Delivery, Document, NumberedInterchange, Rendition, db

#: Newest tries of a route among which an answer's reference is looked for.
_MOST = 5_000
#: Errors of a rejection that are told in words; all of them are in the evidence.
_TOLD = 3


def delivery_of(found: Acknowledgement, gateway_id: str, subscription_id: str) -> str | None:
    """The delivery that it answers, among those of this gateway between the same two mailboxes; None where none is, or several could be."""
    if found.interchange_reference:
        return _by_interchange(found, found.interchange_reference, gateway_id, subscription_id)
    return _by_document(found, found.document_number, gateway_id, subscription_id) if found.document_number else None


def _on_route(query: Any, found: Acknowledgement, gateway_id: str, subscription_id: str) -> Any:
    """Who answers is who we sent to, and the other way round."""
    return (
        query.join(Rendition, Rendition.id == Delivery.rendition_id)
        .join(NumberedInterchange, NumberedInterchange.id == Rendition.interchange_id)
        .where(
            Delivery.gateway_id == gateway_id,
            Delivery.subscription_id == subscription_id,
            NumberedInterchange.subscription_id == subscription_id,
            NumberedInterchange.sender == found.receiver,
            NumberedInterchange.receiver == found.sender,
        )
    )


def _by_interchange(found: Acknowledgement, reference: str, gateway_id: str, subscription_id: str) -> str | None:
    # By what the wire saw: a partner's settings may count from another number than one.
    tries = select(Delivery.id, Attempt.wire_ids).join(Attempt, Attempt.delivery_id == Delivery.id)
    newest = _on_route(tries, found, gateway_id, subscription_id).order_by(Attempt.id.desc()).limit(_MOST)
    rows: Any = db.session.execute(newest)
    return next((row.id for row in rows if row.wire_ids.get("interchange") == reference), None)


def _by_document(found: Acknowledgement, number: str, gateway_id: str, subscription_id: str) -> str | None:
    named = (
        select(Delivery.id, Delivery.document_id)
        .join(Document, Document.id == Delivery.document_id)
        .where(Document.number == number)
    )
    newest_first = _on_route(named, found, gateway_id, subscription_id).order_by(Delivery.id.desc())
    rows = db.session.execute(newest_first).all()
    # Two documents with one number, as an invoice and a credit note can be: not ours to guess.
    return rows[0].id if len({row.document_id for row in rows}) == 1 else None


def is_repeated(delivery_id: str) -> bool:
    """Whether it was tried more than once, so that the partner may have seen its interchange twice."""
    return (db.session.scalar(select(func.count()).where(Attempt.delivery_id == delivery_id)) or 0) > 1


def verdict(found: Acknowledgement, *, is_repeated: bool) -> Verdict:
    """A CONTRL judges the file's form only: an APERAK may still reject what it says."""
    if found.accepted is False:
        # Its number was used by something else where we have sent it only once: then the partner has dropped it.
        return Verdict.ARRIVED if found.is_duplicate and is_repeated else Verdict.REJECTED
    return Verdict.ACKNOWLEDGED if found.accepted and found.kind == APERAK else Verdict.ARRIVED


def evidence(found: Acknowledgement) -> dict[str, Any]:
    """JSON-ready."""
    named = {
        "interchange": found.interchange_reference,
        "message": found.message_reference,
        "document": found.document_number,
        "findings": [one.to_dict() for one in found.findings],
    }
    return {"sender": found.sender, "receiver": found.receiver} | {
        name: value for name, value in named.items() if value
    }


def reason(found: Acknowledgement, says: Verdict) -> Text | None:
    """Why it was rejected; None where it was not."""
    if says is not Verdict.REJECTED:
        return None
    told = [one.text for one in found.findings[:_TOLD]]
    return Text(" ".join(text.da for text in told), " ".join(text.en for text in told))
