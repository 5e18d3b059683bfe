"""What a later word of the partner does to a delivery: the one place where receipts move states.

They only ever move forward, and whatever they say is kept as evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState, Mover, may_move
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Verdict
from invoiceapp.models import Attempt, Delivery, Event, Receipt, db, utcnow
from invoiceapp.services.delivery.moves import Lease, move
from invoiceapp.services.errors import text_dict
from invoiceapp.services.export import events
from invoiceapp.services.export.outcomes import may_have_arrived, told_by

from .reading import POSTED, Said

S = DeliveryState

#: ``Event.kind`` of what changes no state, and of what comes too late to.
SAID, LATE = "said", "late_receipt"

#: Nobody knew what became of its tries, or it seemed to have failed: the receipt tells.
_OPEN = frozenset({S.PENDING, S.OUTCOME_UNKNOWN, S.FAILED})
_TARGETS = {
    Verdict.ARRIVED: S.DELIVERED,
    Verdict.ACKNOWLEDGED: S.ACKNOWLEDGED,
    Verdict.REJECTED: S.REJECTED,
}
WORDS = {
    Verdict.ARRIVED: Text("Modtageren har filen.", "The receiver has the file."),
    Verdict.ACKNOWLEDGED: Text("Modtageren har læst og godtaget dokumentet.", "The receiver has read and taken the document."),
    Verdict.REJECTED: Text("Modtageren har afvist dokumentet.", "The receiver has rejected the document."),
    Verdict.ON_ITS_WAY: Text("Det er på vej. Der er intet endeligt svar endnu.", "It is on its way. There is no final answer yet."),
}  # fmt: skip
_AFTER_YES = Text(
    "Før det var dokumentet godtaget. Tal med køber om, hvad der gælder.",
    "Before that the document had been accepted. Talk to the buyer about what counts.",
)


def waits(delivery: Delivery) -> bool:
    """Whether our own record of the sending is to come; not where an earlier try is what is answered."""
    return delivery.state in IN_PROGRESS and not (delivery.state is S.PENDING and may_have_arrived(delivery.id))


def path(state: DeliveryState, verdict: Verdict, *, has_it: bool = False) -> list[DeliveryState]:
    """The states that a verdict leads through, in order; none where it changes nothing, or comes too late to.

    ``has_it``: whoever says so must have the document, although the verdict is not final.
    """
    target = _TARGETS.get(verdict)
    steps = [S.ACCEPTED] if state in _OPEN and (target or has_it) else []
    if target is None:
        return steps
    return [*steps, target] if may_move(steps[-1] if steps else state, target, Mover.MATCHER) else steps


def apply(delivery: Delivery, said: Said, verdict: Verdict, sha256: str | None = None) -> None:
    """Evidence, moves and a line of the timeline, inside the caller's transaction. Raises ``LeaseLost``.

    ``sha256`` of the message that says so, where there is one.
    """
    state = delivery.state
    steps = [] if said.is_overtaken or waits(delivery) else path(state, verdict, has_it=said.has_it)
    if (
        not steps
        and said.is_repeatable
        and (_TARGETS.get(verdict) is state or not _is_news(delivery.id, said, verdict))
    ):
        return
    text = _text(said, verdict, state)
    lease = Lease(delivery.id, delivery.gateway_id, delivery.fence)
    for step in steps:
        move(lease, state, step, Mover.MATCHER, **_values(step, said, text))
        state = step
    source = {"sha256": sha256} if sha256 else {}
    db.session.add(
        Receipt(
            delivery_id=delivery.id, attempt_id=_newest_attempt(delivery.id), kind=said.kind, reference=said.reference[:500],
            evidence={**said.evidence, "verdict": verdict.value, **source},
        )
    )  # fmt: skip
    row = db.session.get_one(Delivery, delivery.id, populate_existing=True)
    words: Mapping[str, str] = text_dict(text) if text else {}
    kind = _event(said, verdict, state if steps else None)
    by = {} if said.speaker else told_by(row)
    events.of_delivery(kind, row, reference=said.reference, **by, **said.speaker, **words)


def _event(said: Said, verdict: Verdict, reached: DeliveryState | None) -> str:
    if verdict in _TARGETS:
        return reached.value if reached else LATE
    return LATE if said.is_overtaken else SAID


def _text(said: Said, verdict: Verdict, state: DeliveryState) -> Text | None:
    """Its own words; a no after a yes says that, too."""
    if said.text is None or verdict is not Verdict.REJECTED or state is not S.ACKNOWLEDGED:
        return said.text
    return Text(f"{said.text.da} {_AFTER_YES.da}", f"{said.text.en} {_AFTER_YES.en}")


def _is_news(delivery_id: str, said: Said, verdict: Verdict) -> bool:
    """Whether an answer to our own question, which is asked again and again, says something else than before."""
    if verdict in _TARGETS:
        known = db.session.scalars(
            select(Receipt.evidence).where(Receipt.delivery_id == delivery_id, Receipt.kind == said.kind)
        )
        return all(evidence.get("verdict") != verdict.value for evidence in known)
    if said.text is None:
        return False
    last = db.session.scalar(
        select(Event.data)
        .where(Event.delivery_id == delivery_id, Event.kind == SAID)
        .order_by(Event.id.desc())
        .limit(1)
    )
    return last is None or last.get("da") != said.text.da


def _values(step: DeliveryState, said: Said, text: Text | None) -> dict[str, Any]:
    """Columns that a move sets."""
    values = {"next_at": None, "lease_owner": None, "error": None, "finished_at": utcnow()}
    if step is not S.REJECTED:
        return values
    by = {"by": said.speaker["by"]} if "by" in said.speaker else {}
    extra = {"class": "Rejected", "detail": f"{said.kind} {said.reference}"[:500], **by}
    # What was posted may be without the buyer's own words; after that nothing more is asked: a person goes on.
    poll_at = utcnow() if said.kind == POSTED else None
    return {**values, "error": text_dict(text or WORDS[Verdict.REJECTED], **extra), "poll_at": poll_at}


def _newest_attempt(delivery_id: str) -> str | None:
    return db.session.scalar(
        select(Attempt.id).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id.desc()).limit(1)
    )
