"""What the actions are called, what they do, and what has been done."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.services.daily.bulk_actions import ACTIONS


@dataclass(frozen=True, slots=True)
class Words:
    """Of one action."""

    label: str
    explanation: str
    symbol: str


def _words() -> dict[str, Words]:
    return {
        "rebuild": Words(
            _("Read again and rebuild"),
            _("Each is read from Billy again, built with the settings of now, and sent if it can be."),
            "refresh",
        ),
        "try-again": Words(
            _("Try again"),
            _("Each is sent once more with the same ids. Nothing arrived so far, so there can be no duplicate."),
            "refresh",
        ),
        "ask-again": Words(
            _("Ask the receiver's system again"),
            _("It is asked now whether each arrived. Nothing is sent by asking."),
            "help-circle",
        ),
        "mark-received": Words(
            _("Mark as received"),
            _("Do this when the receivers have confirmed that they have them. Your reason is kept as the evidence."),
            "check",
        ),
        "send-again": Words(
            _("Send same bytes again"),
            _("Exactly what was sent before is sent once more, as a new sending."),
            "send",
        ),
        "handle-outside": Words(
            _("Mark as handled outside"),
            _(
                "You have taken care of them elsewhere, for example by post. They are not sent, and are off the list of today."
            ),
            "user",
        ),
        "cancel": Words(
            _("Cancel the sending"),
            _("They are not sent, now or later. They stay in Billy and in the list here."),
            "ban",
        ),
    }


def words_of(name: str) -> Words:
    """The words of an action."""
    return _words()[name]


def all_words() -> dict[str, Words]:
    """By the action's name, in the order in which they are offered."""
    found = _words()
    return {name: found[name] for name in ACTIONS}


def succeeded(name: str, count: int) -> str:
    """What has been done to ``count`` documents."""
    words = {
        "rebuild": lambda: ngettext("%(num)s was read again and is being built", "%(num)s were read again and are being built", count),
        "try-again": lambda: ngettext("%(num)s is on its way again", "%(num)s are on their way again", count),
        "ask-again": lambda: ngettext("%(num)s is being asked about", "%(num)s are being asked about", count),
        "mark-received": lambda: ngettext("%(num)s is marked as received", "%(num)s are marked as received", count),
        "send-again": lambda: ngettext("%(num)s is sent again", "%(num)s are sent again", count),
        "handle-outside": lambda: ngettext("%(num)s is marked as handled outside", "%(num)s are marked as handled outside", count),
        "cancel": lambda: ngettext("%(num)s is cancelled", "%(num)s are cancelled", count),
    }  # fmt: skip
    return str(words[name]())
