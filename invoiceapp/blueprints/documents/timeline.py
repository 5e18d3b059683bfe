"""The story of a document as the timeline macro shows it: what happened, then what is still to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.domain.delivery import IN_PROGRESS, DeliveryState
from invoiceapp.formatting import local_time
from invoiceapp.languages import say
from invoiceapp.models import Delivery, Event, Stage, utcnow
from invoiceapp.services.export.queries import Story, format_label

from .voices import by_network, said_title

S = DeliveryState
Entry = dict[str, Any]
_EVIDENCE = "#evidence"
#: Events with a receipt, or with the ids by which the receiver can be asked.
_HAS_EVIDENCE = frozenset(
    {
        "accepted",
        "delivered",
        "acknowledged",
        "rejected",
        "said",
        "late_receipt",
        "marked_received",
        "try_unknown",
        "receipt_missing",
    }
)
#: Questions that come sooner are worth waiting for.
_SOON = timedelta(minutes=2)
#: After these, provably nothing left.
_NOTHING_LEFT = frozenset({"try_refused", "try_unavailable"})


def _title(event: Event) -> tuple[str, str, str]:
    """Words, colour and icon of an event."""
    titles = {
        "fetched": (_("Fetched"), "azure", "inbox"),
        "fetched_again": (_("Fetched again, changed in Billy"), "azure", "inbox"),
        "rebuilt": (_("Fetched again and converted anew"), "azure", "refresh"),
        "changed_in_source": (_("Changed in Billy after it was exported"), "orange", "alert-triangle"),
        "source_changed": (_("Changed in Billy after it was sent"), "orange", "alert-triangle"),
        "source_as_before": (_("As before in Billy"), "green", "check"),
        "source_change_known": (_("The change in Billy was seen to"), "azure", "check"),
        "unusable": (_("Cannot be exported"), "orange", "ban"),
        "excluded": (_("Left out by the settings"), "secondary", "ban"),
        "skipped": (_("Left out: sent by the accounting system"), "secondary", "mail-opened"),
        "skipped_elsewhere": (_("Left out: sent through another adaptor"), "secondary", "copy"),
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
        "said": (_("News about the sending"), "azure", "receipt"),
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
        "handled_outside": (_("Handled outside"), "secondary", "user"),
        "taken_up": (_("Taken up again"), "azure", "refresh"),
        "asked_by_hand": (_("To be asked again"), "azure", "help-circle"),
        "restored": (_("Brought back from a backup"), "orange", "history"),
    }
    return said_title(event.kind, event.data) or titles.get(event.kind, (event.kind, "secondary", "clock"))


#: Rules that an event tells in words.
_MOST_RULES = 3


def _rules_in_words(event: Event, words: Mapping[str, dict[str, str]]) -> str:
    """``BR-25: …`` for each of the first rules; the code alone where nobody knows any more what it said."""
    rules = [str(rule) for rule in event.data.get("rules", ())]
    told = [f"{rule}: {say(words[rule])}" if rule in words else rule for rule in rules[:_MOST_RULES]]
    more = len(rules) - len(told)
    return " · ".join([*told, ngettext("%(num)s more", "%(num)s more", more)] if more else told)


def _words(story: Story) -> dict[str, dict[str, str]]:
    """What each rule said of this document, last."""
    findings = [*(found for one in story.renditions.values() for found in one.findings)]
    findings += [found for one in reversed(story.deliveries) for found in one.findings]
    return {found["rule"]: found["text"] for found in findings}


def _text(event: Event, words: Mapping[str, dict[str, str]]) -> str:
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
    return _rules_in_words(event, words)


def _in_vain(story_events: Sequence[Event]) -> set[str]:
    """Ids of the sendings after which their delivery's next event says that nothing left."""
    found, following = set(), dict[str | None, str]()
    for event in reversed(story_events):
        if event.kind == "sending" and following.get(event.delivery_id) in _NOTHING_LEFT:
            found.add(event.id)
        following[event.delivery_id] = event.kind
    return found


def _entry(event: Event, words: Mapping[str, dict[str, str]], *, is_in_vain: bool) -> Entry:
    title, colour, icon = _title(event)
    return {
        "title": _("Sending tried") if is_in_vain else title,
        "colour": colour,
        "icon": icon,
        "time": event.created_at,
        "actor": event.data.get("who") if event.actor == "system" else event.actor,
        "text": _text(event, words),
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


def _answered(story: Story) -> Entry:
    if by_network(story):
        return _upcoming(_("Acknowledged"), "checks", _("Only where the buyer sends an answer."))
    return _upcoming(_("Acknowledged"), "checks", _("Only where the receiver answers with a receipt."))


def _to_come(story: Story) -> list[Entry]:
    converted = _upcoming(_("Converted"), "file-code")
    validated = _upcoming(_("Validated"), "list-check")
    sent = _upcoming(_("Sent"), "send")
    received = _received(story)
    acknowledged = _answered(story)
    if story.document.stage is Stage.QUEUED:
        return [converted, validated, sent, received, acknowledged]
    if story.delivery is None or story.document.stage in (Stage.SKIPPED, Stage.HANDLED):
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
    in_vain, words = _in_vain(story.events), _words(story)
    return [_entry(event, words, is_in_vain=event.id in in_vain) for event in story.events] + _to_come(story)


def is_moving(story: Story) -> bool:
    """Whether the machine still works on it, so that looking again is worth while."""
    if story.document.stage is Stage.QUEUED:
        return True
    delivery = story.delivery
    return delivery is not None and (delivery.state in IN_PROGRESS or _is_asked_soon(delivery))


def _is_asked_soon(delivery: Delivery) -> bool:
    """Whether its partner is asked in a moment, so that an answer may come while somebody looks."""
    asked = (delivery.next_at, delivery.poll_at) if delivery.state is S.OUTCOME_UNKNOWN else (delivery.poll_at,)
    if delivery.state not in (S.OUTCOME_UNKNOWN, S.ACCEPTED):
        return False
    return any(time is not None and time - utcnow() < _SOON for time in asked)
