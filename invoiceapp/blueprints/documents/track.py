"""How far a document has come: six stages, when each was reached, and where and why it stands still."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.languages import say
from invoiceapp.models import Delivery, Stage
from invoiceapp.services.export.queries import Story

S = DeliveryState
FETCHED, CONVERTED, VALIDATED, SENT, RECEIVED, ACKNOWLEDGED = range(6)
#: Events by which each stage is reached.
_REACHED_BY = (
    ("fetched", "fetched_again", "rebuilt"),
    ("converted",),
    ("validated",),
    ("accepted", "sending", "late_receipt", "marked_received"),
    ("delivered", "marked_received"),
    ("acknowledged",),
)
#: Stages that are behind a delivery in each state, and whether it has stopped there.
_BEHIND = {
    S.PENDING: (VALIDATED, False),
    S.LEASED: (VALIDATED, False),
    S.SENDING: (VALIDATED, False),
    S.ACCEPTED: (SENT, False),
    S.DELIVERED: (RECEIVED, False),
    S.ACKNOWLEDGED: (ACKNOWLEDGED, False),
    S.FAILED: (VALIDATED, True),
    S.OUTCOME_UNKNOWN: (SENT, True),
}
#: Nothing is wrong with these; they just go no further by themselves.
_AT_REST = frozenset({S.CANCELLED.value, Stage.LISTED.value, Stage.HANDLED.value, S.SUPERSEDED.value})


@dataclass(frozen=True, slots=True)
class Step:
    """One stage. ``look`` is ``done``, ``now``, ``stopped``, ``resting`` or ``ahead``."""

    name: str
    look: str
    time: datetime | None = None
    """When it was reached; of the stage that is next, when it is tried"""
    note: str = ""
    """Why it stands still there, or what is awaited"""

    @property
    def said(self) -> str:
        """``look`` in words, for those who do not see it."""
        words = {"done": _("Done"), "now": _("Under way"), "stopped": _("Stopped"), "resting": _("Not continued")}
        return str(words.get(self.look, _("Not reached yet")))


def track(story: Story) -> list[Step]:
    """The six stages of the newest sending."""
    names = (_("Fetched"), _("Converted"), _("Validated"), _("Sent"), _("Received"), _("Acknowledged"))
    behind, has_stopped = _behind(story)
    times = _times(story)
    if story.row.status == Stage.SKIPPED.value:
        # Not ours to follow: it goes no further here, and nothing is amiss.
        return [Step(names[FETCHED], "done", times.get(FETCHED)), Step(str(_("Sent another way")), "done")]
    steps = [Step(names[at], "done", times.get(at)) for at in range(behind + 1)]
    if behind == RECEIVED and _is_marked_received(story):
        steps[RECEIVED] = Step(names[RECEIVED], "done", times.get(RECEIVED), str(_("Marked as received")))
    if behind < ACKNOWLEDGED:
        steps.append(_next(story, names[behind + 1], has_stopped))
    return steps + [Step(name, "ahead") for name in names[len(steps) :]]


def _behind(story: Story) -> tuple[int, bool]:
    """The last stage that was reached, and whether it goes no further."""
    stage, delivery = story.document.stage, story.delivery
    if stage is Stage.QUEUED:
        return FETCHED, False
    if delivery is None or delivery.state is S.SUPERSEDED or stage is Stage.UNUSABLE:
        return FETCHED, True
    if delivery.state is S.REJECTED:
        return (RECEIVED if (delivery.error or {}).get("by") == "buyer" else SENT), True
    if delivery.state in (S.BLOCKED, S.CANCELLED):
        return _before_sending(delivery), True
    return (RECEIVED, False) if _is_marked_received(story) else _BEHIND[delivery.state]


def _is_marked_received(story: Story) -> bool:
    """Whether only a person says that it arrived."""
    one = story.delivery
    if one is None or one.state is not S.ACCEPTED:
        return False
    return any(event.kind == "marked_received" and event.delivery_id == one.id for event in story.events)


def _before_sending(delivery: Delivery) -> int:
    """Of one that is blocked or was taken out."""
    if delivery.first_sent_at is not None:
        return SENT
    if delivery.rendition_id is None:
        return FETCHED
    return CONVERTED if any(found["severity"] == "fatal" for found in delivery.findings) else VALIDATED


def _times(story: Story) -> dict[int, datetime]:
    """When each stage was reached last; what was sent again was converted with the sending before."""
    by_kind = {event.kind: event.created_at for event in story.events}
    found = {}
    for at, kinds in enumerate(_REACHED_BY):
        time = next((by_kind[kind] for kind in kinds if kind in by_kind), None)
        if at == FETCHED:
            known = [by_kind[kind] for kind in kinds if kind in by_kind]
            time = max(known, default=story.document.created_at)
        if time is not None:
            found[at] = time
    return found


def _next(story: Story, name: str, has_stopped: bool) -> Step:
    if not has_stopped:
        delivery = story.delivery
        if delivery is not None and _awaits_nothing(story, delivery):
            return Step(name, "ahead", note=str(_("Only where the receiver answers with a receipt.")))
        waits = (
            delivery is not None
            and delivery.state in (S.PENDING, S.ACCEPTED)
            and story.document.stage is not Stage.QUEUED
        )
        note = _("Next attempt") if waits and delivery and delivery.state is S.PENDING and delivery.tries else ""
        if waits and delivery and delivery.state is S.ACCEPTED and delivery.next_at:
            note = _("Awaited until")
        is_told = bool(note) or story.row.held_until is not None
        return Step(name, "now", delivery.next_at if delivery and is_told else None, str(note))
    if story.row.status in _AT_REST:
        return Step(name, "resting", note=_why_at_rest(story))
    return Step(name, "stopped", note=_why_stopped(story))


def _awaits_nothing(story: Story, delivery: Delivery) -> bool:
    """Whether it is there, and no receipt was promised or is asked for: one may come, or never."""
    if story.document.stage is Stage.QUEUED or delivery.state not in (S.ACCEPTED, S.DELIVERED):
        return False
    return delivery.poll_at is None and (delivery.state is S.DELIVERED or delivery.next_at is None)


def _why_at_rest(story: Story) -> str:
    words = {
        S.CANCELLED.value: _("Cancelled"),
        Stage.HANDLED.value: _("Handled outside"),
    }
    known = story.row.why_listed
    return say(known.short) if known else str(words.get(story.row.status, ""))


def _why_stopped(story: Story) -> str:
    delivery = story.delivery
    if story.row.status == Stage.CONVERTED.value:
        return str(_("Its sending is missing"))
    if story.row.status == Stage.UNUSABLE.value or delivery is None:
        return say(story.document.error)
    if delivery.state is S.OUTCOME_UNKNOWN:
        return str(_("It is unknown whether it arrived"))
    fatal = [found for found in delivery.findings if found["severity"] == "fatal"]
    return say(fatal[0]["text"]) if fatal else say(delivery.error)
