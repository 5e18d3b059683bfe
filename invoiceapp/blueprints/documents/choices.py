"""What a person may do with a document now. The delivery machine's own table decides, not the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from invoiceapp.domain.delivery import DeliveryState, Mover, may_move
from invoiceapp.models import Adaptor, Delivery, Document, Environment, Stage
from invoiceapp.services.delivery import order
from invoiceapp.services.export import actions, elsewhere, four_eyes, trials
from invoiceapp.services.export.queries import Story
from invoiceapp.services.export.reasons import APPROVE_FIRST
from invoiceapp.services.people.access import NotYours, may_configure, may_operate

S = DeliveryState


@dataclass(frozen=True, slots=True)
class Choice:
    """One action: its button, the question it asks, and whether it wants a reason (``asks``)."""

    name: str
    label: str
    explanation: str
    symbol: str
    asks: bool = False
    requires: bool = False
    """Whether the reason may not be empty"""
    danger: bool = False
    quiet: bool = False
    """Never the button that stands out"""


def _try_again() -> Choice:
    return Choice(
        "try-again",
        _("Try again"),
        _("The document is sent once more with the same ids. Nothing arrived so far, so there can be no duplicate."),
        "refresh",
    )


def _try_again_once_arrived() -> Choice:
    return Choice(
        "try-again",
        _("Try again"),
        _(
            "The document is sent once more. An earlier sending of it arrived, or may have, so the receiver may get it twice. "
            "Agree it with them first."
        ),
        "refresh",
        danger=True,
    )


def _mark_received() -> Choice:
    return Choice(
        "mark-received",
        _("Mark as received"),
        _(
            "Do this when the receiver has confirmed that they have the document. Write who at the receiver has confirmed it, "
            "and when. It is kept as the evidence."
        ),
        "check",
        asks=True,
        requires=True,
    )


def _send_again() -> Choice:
    return Choice(
        "send-again",
        _("Send the same file again"),
        _(
            "The very file that was sent goes out once more. The receiver may get the document twice and could pay it twice. "
            "Agree it with them first."
        ),
        "send",
        asks=True,
        requires=True,
        danger=True,
    )


def _send_for_real() -> Choice:
    return Choice(
        "send-for-real",
        _("Send for real"),
        _(
            "So far the document has only been sent as a test. It is read from Billy again, converted as things are set now, "
            "and sent through the customer's live gateway."
        ),
        "send",
    )


def _rebuild() -> Choice:
    return Choice(
        "rebuild",
        _("Fetch again and rebuild"),
        _("The document is read from Billy again and converted anew, with the corrections you have made since."),
        "refresh",
    )


def _ask_again() -> Choice:
    return Choice(
        "ask-again",
        _("Ask again"),
        _(
            "The receiver's system is asked now what became of the document. Where it recognises a repetition, the document is "
            "sent once more with the same ids instead. The receiver cannot get it twice by that."
        ),
        "help-circle",
    )


def _handle_outside() -> Choice:
    return Choice(
        "handle-outside",
        _("Mark as handled outside"),
        _(
            "You have taken care of the document in another way, for example by e-mail. It is never sent from here by itself, "
            "and nobody is reminded of it. You can take it up again."
        ),
        "user",
        asks=True,
        requires=True,
        quiet=True,
    )


def _take_up_again() -> Choice:
    return Choice(
        "take-up-again",
        _("Take up again"),
        _(
            "The document goes back to where it was when it was handled outside, with what had to be corrected. Nothing is sent by that."
        ),
        "refresh",
    )


def _cancel() -> Choice:
    return Choice(
        "cancel",
        _("Cancel the sending"),
        _("The document is not sent, now or later. It stays in Billy and in the list here."),
        "ban",
        asks=True,
        danger=True,
    )


def _send_now() -> Choice:
    return Choice(
        "send-now",
        _("Send now"),
        _("The document leaves at once, without waiting any longer. After that it can no longer be stopped."),
        "send",
    )


def _send_anyway() -> Choice:
    return Choice(
        "send-anyway",
        _("Send anyway"),
        _(
            "The accounting system has sent the document itself, so the customer may get it twice. Agree it with them first."
        ),
        "send",
        asks=True,
        requires=True,
        danger=True,
    )


def _send_beside() -> Choice:
    return Choice(
        "send-anyway",
        _("Send anyway"),
        _(
            "Another document with this number may have reached the customer, who may get it twice. Agree it with them first."
        ),
        "send",
        asks=True,
        requires=True,
        danger=True,
    )


def _send_before_invoice() -> Choice:
    return Choice(
        "send-now",
        _("Send before the invoice"),
        _(
            "The credit note leaves at once, before the invoice that it takes back. The receiver may refuse it for that."
        ),
        "send",
        asks=True,
        requires=True,
        quiet=True,
    )


def _approve() -> Choice:
    return Choice(
        "approve",
        _("Approve the customer and send"),
        _(
            "All documents that wait for this approval are sent, and later ones to the customer leave by themselves. "
            "Look at the document first."
        ),
        "check",
    )


def _may(delivery: Delivery | None, new: DeliveryState) -> bool:
    return delivery is not None and may_move(delivery.state, new, Mover.PERSON)


def _may_rebuild(story: Story) -> bool:
    """Only what has never left, but as a test: blocked, unusable, or cancelled before the first byte."""
    if story.document.stage is Stage.UNUSABLE:
        return True
    never_sent = all(one.first_sent_at is None or one.environment is Environment.TEST for one in story.deliveries)
    return story.delivery is not None and never_sent and story.delivery.state in (S.BLOCKED, S.CANCELLED)


def may_send_for_real(story: Story) -> bool:
    """Whether it was only tested, and would leave for real now."""
    is_at_rest = story.document.stage is Stage.CONVERTED and trials.were_only_tested(story.deliveries)
    return is_at_rest and trials.leaves_for_real(story.document)


def _may_send_again(story: Story) -> bool:
    one = story.delivery
    # Sent for real it goes with what the books and the settings say now; the test's bytes do not.
    return _may(one, S.SUPERSEDED) and one is not None and actions.may_leave(one) and not may_send_for_real(story)


def waits_for_second_person(story: Story) -> bool:
    """Whether it was sent before, or tried, and stays until a second person approves it."""
    delivery = story.delivery
    return (
        delivery is not None and delivery.state is S.FAILED and (delivery.error or {}).get("class") == four_eyes.CLASS
    )


def _may_try_again(story: Story) -> bool:
    """An approval sends it by itself; nothing else does."""
    is_failed = story.delivery is not None and story.delivery.state is S.FAILED
    if elsewhere.kept_back_by(story.document, story.delivery) is not None:
        # It would find the number taken again.
        return False
    return is_failed and not waits_for_second_person(story)


def _may_have_arrived(story: Story) -> bool:
    """Whether the receiver may have it from an earlier sending."""
    for one in story.deliveries[1:]:
        tried = {attempt.outcome for attempt in story.attempts.get(one.id, ())}
        if one.environment is Environment.LIVE and (
            story.receipts.get(one.id) or tried & {"accepted", "unknown", None}
        ):
            return True
    return False


def waits_for_approval(story: Story) -> bool:
    """Whether its customer must be approved before it may leave."""
    delivery = story.delivery
    if delivery is None or delivery.state is not S.BLOCKED or story.document.customer_id is None:
        return False
    return any(found["rule"] == APPROVE_FIRST for found in delivery.findings)


def _can_be_asked(story: Story) -> bool:
    one = story.delivery
    return one is not None and actions.can_be_asked(one, story.attempts.get(one.id, []))


_CHOICES: tuple[tuple[Callable[[], Choice], Callable[[Story], bool]], ...] = (
    (_approve, lambda story: waits_for_approval(story) and may_configure()),
    (_send_for_real, may_send_for_real),
    (_send_before_invoice, lambda story: order.awaited(story.document, story.delivery) is not None),
    (
        _send_now,
        lambda story: story.row.held_until is not None and order.awaited(story.document, story.delivery) is None,
    ),
    (_send_beside, lambda story: elsewhere.kept_back_by(story.document, story.delivery) is not None),
    (_try_again, lambda story: _may_try_again(story) and not _may_have_arrived(story)),
    (_try_again_once_arrived, lambda story: _may_try_again(story) and _may_have_arrived(story)),
    (_ask_again, _can_be_asked),
    (_mark_received, lambda story: _may(story.delivery, S.ACCEPTED)),
    (_rebuild, _may_rebuild),
    (_send_again, _may_send_again),
    (_handle_outside, lambda story: actions.may_be_handled(story.document, story.deliveries)),
    (_cancel, lambda story: _may(story.delivery, S.CANCELLED)),
)


def offered(story: Story, adaptor: Adaptor | None = None) -> list[Choice]:
    """What the state and the person's level allow; nothing while the document is being converted.

    ``adaptor``: the document's, where the page is about several.
    """
    if not may_operate(adaptor):
        return []
    if story.document.stage is Stage.QUEUED:
        return [_send_beside()] if elsewhere.kept_back_by(story.document, None) is not None else []
    if story.document.stage is Stage.HANDLED:
        return [_take_up_again()]
    if story.document.stage is Stage.SKIPPED:
        is_beside = elsewhere.kept_back_by(story.document, None) is not None
        return [_send_beside() if is_beside else _send_anyway(), _handle_outside()]
    return [choice() for choice, is_open in _CHOICES if is_open(story)]


_OF_DOCUMENTS = frozenset({"rebuild", "send-anyway", "send-for-real", "approve", "handle-outside", "take-up-again"})


def _carry_out_on_document(name: str, document: Document, actor: str, note: str) -> str:
    if name == "rebuild":
        actions.rebuild(document, actor)
        return str(_("The document is fetched again and converted."))
    if name == "send-for-real":
        actions.send_for_real(document, actor)
        return str(_("The document is fetched again, converted, and sent for real."))
    if name == "handle-outside":
        actions.handle_outside(document, actor, note)
        return str(_("The document is marked as handled outside."))
    if name == "take-up-again":
        actions.take_up_again(document, actor)
        return str(_("The document is taken up again. Choose what shall happen to it."))
    if name == "send-anyway":
        actions.send_anyway(document, actor, note)
        return str(_("The document is converted and sent anyway."))
    released = actions.approve_customer(document, actor)
    words = ngettext(
        "The customer is approved; %(num)s document is on its way.",
        "The customer is approved; %(num)s documents are on their way.",
        released,
    )
    return str(words)


def _sent(delivery_id: str, words: str) -> str:
    if four_eyes.would_wait(delivery_id):
        return str(_("The document waits for another person's approval, and is sent when it is given."))
    return words


def carry_out(name: str, story: Story, actor: str, note: str) -> str:
    """Do it; the words for the page. Raises ``Conflict``, ``ServiceError``."""
    delivery = story.delivery
    if name in _OF_DOCUMENTS:
        return _carry_out_on_document(name, story.document, actor, note)
    if delivery is None:
        raise NotYours
    if name == "send-now":
        actions.send_now(delivery, actor, note)
        return _sent(delivery.id, _("The document is sent now."))
    if name == "try-again":
        actions.try_again(delivery, actor)
        return _sent(delivery.id, _("The document is sent again."))
    if name == "ask-again":
        actions.ask_again(delivery, actor)
        return str(_("The receiver is asked. The answer stands here in a moment."))
    if name == "mark-received":
        actions.mark_received(delivery, actor, note)
        return str(_("The document is marked as received."))
    if name == "send-again":
        new = actions.send_again(delivery, actor, note)
        return _sent(new, _("The document is sent again, as a new sending."))
    actions.cancel(delivery, actor, note)
    return str(_("The sending is cancelled."))
