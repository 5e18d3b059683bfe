"""The story of a document as the timeline macro shows it: what happened, then what is still to come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState
from invoiceapp.formatting import local_time
from invoiceapp.languages import say
from invoiceapp.models import Delivery, Event, Stage, utcnow
from invoiceapp.services.export.queries import Story, format_label

S = DeliveryState
Entry = dict[str, Any]
_EVIDENCE = "#evidence"
#: Events with a receipt, or with the ids by which the receiver can be asked.
_HAS_EVIDENCE = frozenset(
    {"accepted", "delivered", "acknowledged", "late_receipt", "marked_received", "try_unknown", "receipt_missing"}
)
#: After these, provably nothing left.
_NOTHING_LEFT = frozenset({"try_refused", "try_unavailable"})


def _title(event: Event) -> tuple[str, str, str]:
    """Words, colour and icon of an event."""
    titles = {
        "fetched": (_("Fetched"), "azure", "inbox"),
        "fetched_again": (_("Fetched again, changed in Billy"), "azure", "inbox"),
        "rebuilt": (_("Fetched again and converted anew"), "azure", "refresh"),
        "changed_in_source": (_("Changed in Billy after it was exported"), "orange", "alert-triangle"),
        "unusable": (_("Cannot be exported"), "orange", "ban"),
        "excluded": (_("Left out by the settings"), "secondary", "ban"),
        "skipped": (_("Left out: sent by the accounting system"), "secondary", "mail-opened"),
        "send_anyway": (_("To be sent anyway"), "azure", "send"),
        "sent_for_real": (_("To be sent for real"), "azure", "send"),
        "stopped": (_("Stopped before it was sent"), "secondary", "ban"),
        "taken_back": (_("To be converted again"), "azure", "refresh"),
        "listed_again": (_("Waits for a manual export"), "azure", "inbox"),
        "approved": (_("Customer approved"), "green", "check"),
        "held": (_("Held back for a while"), "azure", "clock"),
        "sent_now": (_("Sent without waiting"), "azure", "send"),
        "converted": (_("Converted"), "green", "file-code"),
        "validated": (_("Validated"), "green", "list-check"),
        "blocked": (_("Stopped: needs correction"), "orange", "alert-triangle"),
        "sending": (_("Sent"), "azure", "send"),
        "accepted": (_("Handed over"), "teal", "truck-delivery"),
        "delivered": (_("Received"), "green", "check"),
        "acknowledged": (_("Acknowledged"), "green", "checks"),
        "rejected": (_("Rejected by the receiver"), "red", "circle-x"),
        "late_receipt": (_("The receiver's answer came late"), "teal", "receipt"),
        "try_refused": (_("The gateway refused us"), "red", "lock"),
        "try_rejected": (_("Rejected by the receiver"), "red", "circle-x"),
        "try_unavailable": (_("The receiver could not be reached"), "orange", "wifi-off"),
        "try_unknown": (_("No answer: it is unknown whether it arrived"), "orange", "help-circle"),
        "asked": (_("The receiver was asked whether it arrived"), "azure", "help-circle"),
        "not_arrived": (_("Had not arrived: sent once more"), "azure", "refresh"),
        "repeated": (_("Sent once more; the receiver recognises a repetition"), "azure", "refresh"),
        "receipt_missing": (_("The receipt has not come in time"), "orange", "clock"),
        "failed": (_("Not sent"), "red", "alert-circle"),
        "recovered": (_("Continued after an interruption"), "orange", "refresh"),
        "tried_again": (_("Tried again by hand"), "azure", "refresh"),
        "cancelled": (_("Cancelled"), "secondary", "ban"),
        "marked_received": (_("Marked as received"), "teal", "check"),
        "sent_again": (_("Sent again on purpose"), "azure", "send"),
    }
    return titles.get(event.kind, (event.kind, "secondary", "clock"))


def _text(event: Event) -> str:
    """What the event says besides its title."""
    data = event.data
    if "da" in data:
        return say({"da": data["da"], "en": data["en"]})
    if data.get("note"):
        return str(data["note"])
    if event.kind == "held":
        return str(_("Until %(time)s", time=local_time(datetime.fromisoformat(data["until"]))))
    if event.kind == "converted":
        return say(format_label(data["format"]))
    if event.kind == "asked":
        return str(_("The receiver does not have it.") if data.get("answer") == "no" else _("No clear answer."))
    if event.kind == "sending" and data.get("attempt", 1) > 1:
        return str(_("Attempt %(number)s", number=data["attempt"]))
    return ", ".join(str(rule) for rule in data.get("rules", ()))


def _in_vain(story_events: Sequence[Event]) -> set[str]:
    """Ids of the sendings after which their delivery's next event says that nothing left."""
    found, following = set(), dict[str | None, str]()
    for event in reversed(story_events):
        if event.kind == "sending" and following.get(event.delivery_id) in _NOTHING_LEFT:
            found.add(event.id)
        following[event.delivery_id] = event.kind
    return found


def _entry(event: Event, *, is_in_vain: bool) -> Entry:
    title, colour, icon = _title(event)
    return {
        "title": _("Sending tried") if is_in_vain else title,
        "colour": colour,
        "icon": icon,
        "time": event.created_at,
        "actor": None if event.actor == "system" else event.actor,
        "text": _text(event),
        "url": _EVIDENCE if event.kind in _HAS_EVIDENCE else None,
        "detail": event.data.get("detail") or event.data.get("reference"),
    }


def _upcoming(title: str, icon: str, text: str = "", time: datetime | None = None) -> Entry:
    return {"title": title, "icon": icon, "text": text, "time": time, "upcoming": True}


def _before_sending(story: Story, delivery: Delivery) -> Entry:
    """Why it has not been sent yet, and when it will be tried."""
    if story.row.held_until is not None:
        return _upcoming(_("Sent"), "clock", _("Can be stopped until then"), delivery.next_at)
    if delivery.gateway.is_paused:
        return _upcoming(_("Sent"), "player-pause", _("Waits: the gateway is paused."))
    rests_until = delivery.gateway.retry_at
    if rests_until and rests_until > utcnow():
        return _upcoming(_("Sent"), "clock", _("The receiver's server does not answer. Next attempt"), rests_until)
    if delivery.tries and delivery.next_at and delivery.next_at > utcnow():
        return _upcoming(_("Sent"), "clock", _("Next attempt"), delivery.next_at)
    return _upcoming(_("Sent"), "send")


def _received(story: Story) -> Entry:
    delivery = story.delivery
    if delivery is not None and delivery.state is S.ACCEPTED and delivery.next_at:
        return _upcoming(_("Received"), "clock", _("The receipt is awaited until"), delivery.next_at)
    return _upcoming(_("Received"), "check")


def _to_come(story: Story) -> list[Entry]:
    converted = _upcoming(_("Converted"), "file-code")
    validated = _upcoming(_("Validated"), "list-check")
    sent = _upcoming(_("Sent"), "send")
    received = _received(story)
    acknowledged = _upcoming(_("Acknowledged"), "checks", _("Only where the receiver answers with a receipt."))
    if story.document.stage is Stage.QUEUED:
        return [converted, validated, sent, received, acknowledged]
    if story.delivery is None or story.document.stage is Stage.SKIPPED:
        return []
    steps = {
        S.BLOCKED: [validated, sent, received, acknowledged],
        S.PENDING: [_before_sending(story, story.delivery), received, acknowledged],
        S.LEASED: [sent, received, acknowledged],
        S.SENDING: [received, acknowledged],
        S.ACCEPTED: [received, acknowledged],
        S.DELIVERED: [acknowledged],
    }
    return steps.get(story.delivery.state, [])


def timeline(story: Story) -> list[Entry]:
    """Entries for ``ui.timeline``, oldest first, then the steps that are still to come."""
    in_vain = _in_vain(story.events)
    return [_entry(event, is_in_vain=event.id in in_vain) for event in story.events] + _to_come(story)


def is_moving(story: Story) -> bool:
    """Whether the machine still works on it, so that looking again is worth while."""
    if story.document.stage is Stage.QUEUED:
        return True
    return story.delivery is not None and story.delivery.state in IN_PROGRESS
