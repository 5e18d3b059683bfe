"""Where a worker dies: at each step of a delivery, of a question to the partner, and of a later receipt.

Most steps are calls of our own that the process does not survive; two lie on the wire. ``BEFORE_THE_ANSWER`` is no hook
in here: there the partner kills the worker, when it has the document and before it says so.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from invoiceapp.gateways.base import registry
from invoiceapp.models import Delivery, IncomingMessage, db, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.export import delivery, events, outcomes, probing
from invoiceapp.services.receipts import applying, matching, polling
from tests.faults.worker import let_pauses_pass

#: The exit code of who dies by a hook.
DEAD = 137
#: Bytes that have left at ``amid_the_bytes``: less than a document, and more than two greet each other with.
AMID = 8_000
SHORT_LEASE = timedelta(seconds=0.2)


@dataclass(frozen=True, slots=True)
class Hook:
    """A call that is the worker's last; ``owner`` None is the transport's class."""

    owner: Any
    name: str
    after: bool
    """Whether it still does its work"""
    kinds: Collection[str] = ()
    """Of ``events.of_delivery`` and ``of_move``: the lines that count; empty for all calls"""


@dataclass(frozen=True, slots=True)
class Step:
    """``arrived`` None: nobody can tell."""

    hook: Hook | None
    doubt: bool
    """Whether it dies between the first byte and the recorded answer"""
    arrived: bool | None


DELIVERING = {
    "after_claim": Step(Hook(delivery, "begin", False), False, False),
    "in_begin": Step(Hook(events, "of_move", True, ("sending",)), False, False),
    "after_begin": Step(Hook(delivery, "begin", True), True, False),
    "before_the_first_byte": Step(Hook(None, "send", False), True, False),
    "amid_the_bytes": Step(None, True, None),
    "before_the_answer": Step(None, True, True),
    "after_the_answer": Step(Hook(None, "send", True), True, True),
    "in_accept": Step(Hook(outcomes, "_add_receipt", True), True, True),
    "after_accept": Step(Hook(outcomes, "accept", True), False, True),
}
#: Of a delivery that the partner has, then of one that it does not have.
FOUND = {
    "in_the_question": Hook(None, "find", False),
    "after_the_question": Hook(None, "find", True),
    "in_found": Hook(events, "of_delivery", True, ("accepted", "delivered")),
    "after_found": Hook(probing, "_found", True),
}
NOT_FOUND = {
    "after_a_no": Hook(probing, "_note", True),
    "in_sending_again": Hook(events, "of_delivery", True, ("not_arrived",)),
    "after_sending_again": Hook(probing, "_send_again", True),
}
POLLING = {
    "before_the_status": Hook(None, "status", False),
    "after_the_status": Hook(None, "status", True),
    "in_applying_the_status": Hook(applying, "apply", True),
    "after_applying_the_status": Hook(polling, "_apply", True),
}
MATCHING = {
    "before_the_receipt": Hook(matching, "_match", False),
    "in_applying": Hook(applying, "apply", True),
    "in_matching": Hook(matching, "_match", True),
    "after_matching": Hook(matching, "match", True),
}
_HOOKS: dict[str, Hook | None] = {
    **{name: step.hook for name, step in DELIVERING.items()}, **FOUND, **NOT_FOUND, **POLLING, **MATCHING,
}  # fmt: skip


def arm(kind: str, step: str) -> None:
    """From now on this process does not survive ``step``; ``""`` for none. ``stop:…``: it is stopped there, once."""
    how, _, name = step.rpartition(":")
    transport = registry()[kind]
    if name == "amid_the_bytes":
        _die_amid(transport)
    elif hook := _HOOKS.get(name):
        owner = hook.owner or transport
        end = _stop_once() if how == "stop" else _die
        setattr(owner, hook.name, _ending(getattr(owner, hook.name), hook, end))


def _die() -> None:
    os._exit(DEAD)


def _stop_once() -> Callable[[], None]:
    left = [signal.SIGSTOP]

    def stop() -> None:
        if left:
            os.kill(os.getpid(), left.pop())

    return stop


def _ending(function: Callable[..., Any], hook: Hook, end: Callable[[], None]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        counts = not hook.kinds or arguments[0] in hook.kinds
        if counts and not hook.after:
            end()
        result = function(*arguments, **options)
        if counts and hook.after:
            end()
        return result

    return run


def _die_amid(transport: Any) -> None:
    """When ``AMID`` bytes have left since the transport was told to send."""
    send = transport.send
    left = [0]

    def watched(self: Any, consignment: Any) -> Any:
        left[0] = AMID
        return send(self, consignment)

    def counting(write: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: socket.socket, data: Any, *flags: int) -> Any:
            if not left[0]:
                return write(self, data, *flags)
            if len(data) >= left[0]:
                socket.socket.sendall = all_of_it  # type: ignore[method-assign]
                self.sendall(memoryview(data)[: left[0]])
                os._exit(DEAD)
            left[0] -= len(data)
            return write(self, data, *flags)

        return run

    all_of_it = socket.socket.sendall
    transport.send = watched
    socket.socket.sendall = counting(socket.socket.sendall)  # type: ignore[method-assign]
    socket.socket.send = counting(socket.socket.send)  # type: ignore[method-assign]


def _ask_twice() -> None:
    for _ in range(2):
        let_pauses_pass()
        probing.probe_due()


def _poll() -> None:
    with transaction():
        db.session.execute(update(Delivery).where(Delivery.poll_at.is_not(None)).values(poll_at=utcnow()))
    polling.poll_due()


def _match() -> None:
    with transaction():
        (message_id,) = db.session.scalars(db.select(IncomingMessage.id)).all()
    matching.match(message_id)


def _deliver_on() -> None:
    """A few at a time, until nothing is left."""
    while delivery.deliver_due(2):
        pass


def _deliver_with_a_short_lease() -> None:
    delivery.LEASE = SHORT_LEASE
    delivery.deliver_due()


#: What a worker does.
WORK: dict[str, Callable[[], object]] = {
    "deliver": delivery.deliver_due, "deliver_on": _deliver_on, "deliver_with_a_short_lease": _deliver_with_a_short_lease,
    "probe": _ask_twice, "poll": _poll, "match": _match,
}  # fmt: skip
