"""The delivery state machine: which moves exist, who may make them, when to try again.

Pure: the database's compare-and-set in ``services/export/delivery.py`` asks
here whether a move exists before it makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    """States of one rendition on its way to one gateway."""

    BLOCKED = "blocked"
    PENDING = "pending"
    LEASED = "leased"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    FAILED = "failed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Mover(StrEnum):
    """Who makes a move."""

    CONVERTER = "converter"
    DISPATCHER = "dispatcher"
    HOLDER = "holder"
    """the worker that holds the lease"""
    REAPER = "reaper"
    """finds expired leases"""
    PROBER = "prober"
    """asks the partner what became of it"""
    MATCHER = "matcher"
    """matches receipts"""
    PERSON = "person"
    RESTORER = "restorer"
    """brings a backup back: the world has moved on since"""


S = DeliveryState
_MOVES: dict[tuple[DeliveryState, DeliveryState], frozenset[Mover]] = {
    (S.BLOCKED, S.PENDING): frozenset({Mover.CONVERTER}),
    (S.PENDING, S.LEASED): frozenset({Mover.DISPATCHER}),
    # A test adaptor whose gateway has become a live one. Nothing has left yet.
    (S.PENDING, S.BLOCKED): frozenset({Mover.DISPATCHER, Mover.PERSON}),
    # Its customer was deactivated, or it is older than the first date that is exported. Nothing has left yet. Not a person's
    # move: who sends again (``services/export/actions.py``) replaces only what is over.
    (S.PENDING, S.SUPERSEDED): frozenset({Mover.DISPATCHER}),
    # An earlier try without an answer arrived after all: it is not repeated.
    (S.PENDING, S.ACCEPTED): frozenset({Mover.MATCHER}),
    (S.LEASED, S.PENDING): frozenset({Mover.REAPER, Mover.HOLDER}),
    (S.LEASED, S.SENDING): frozenset({Mover.HOLDER}),
    (S.LEASED, S.FAILED): frozenset({Mover.HOLDER}),
    # Nothing left now, but an earlier try may have arrived.
    (S.LEASED, S.OUTCOME_UNKNOWN): frozenset({Mover.HOLDER}),
    (S.SENDING, S.ACCEPTED): frozenset({Mover.HOLDER}),
    (S.SENDING, S.PENDING): frozenset({Mover.HOLDER, Mover.REAPER}),
    (S.SENDING, S.FAILED): frozenset({Mover.HOLDER}),
    (S.SENDING, S.REJECTED): frozenset({Mover.HOLDER}),
    (S.SENDING, S.OUTCOME_UNKNOWN): frozenset({Mover.HOLDER, Mover.REAPER}),
    (S.OUTCOME_UNKNOWN, S.ACCEPTED): frozenset({Mover.PROBER, Mover.MATCHER, Mover.PERSON}),
    (S.OUTCOME_UNKNOWN, S.PENDING): frozenset({Mover.PROBER, Mover.PERSON}),
    # The later receipt that was promised has not come in time.
    (S.ACCEPTED, S.OUTCOME_UNKNOWN): frozenset({Mover.REAPER}),
    (S.ACCEPTED, S.DELIVERED): frozenset({Mover.HOLDER, Mover.DISPATCHER, Mover.MATCHER, Mover.PROBER}),
    (S.ACCEPTED, S.ACKNOWLEDGED): frozenset({Mover.MATCHER}),
    (S.ACCEPTED, S.REJECTED): frozenset({Mover.MATCHER}),
    (S.DELIVERED, S.ACKNOWLEDGED): frozenset({Mover.MATCHER}),
    (S.DELIVERED, S.REJECTED): frozenset({Mover.MATCHER}),
    (S.FAILED, S.PENDING): frozenset({Mover.PERSON}),
    # A yes that came after a lost lease, or a receipt that nobody expected any more.
    (S.FAILED, S.ACCEPTED): frozenset({Mover.MATCHER}),
    (S.BLOCKED, S.CANCELLED): frozenset({Mover.PERSON}),
    (S.PENDING, S.CANCELLED): frozenset({Mover.PERSON}),
    # That it was to be tried again is taken back, before it was: it has failed, as before.
    (S.PENDING, S.FAILED): frozenset({Mover.PERSON}),
    (S.FAILED, S.CANCELLED): frozenset({Mover.PERSON}),
    (S.OUTCOME_UNKNOWN, S.CANCELLED): frozenset({Mover.PERSON}),
    (S.BLOCKED, S.SUPERSEDED): frozenset({Mover.CONVERTER}),
    **{
        (state, S.SUPERSEDED): frozenset({Mover.PERSON})
        for state in (S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED, S.REJECTED, S.FAILED, S.OUTCOME_UNKNOWN, S.CANCELLED)
    },
}
for _state in (S.BLOCKED, S.PENDING, S.LEASED, S.SENDING, S.ACCEPTED, S.FAILED):
    _key = (_state, S.OUTCOME_UNKNOWN)
    _MOVES[_key] = _MOVES.get(_key, frozenset()) | {Mover.RESTORER}

#: While a delivery is in one of these, no second one may exist for the same document and gateway.
EXCLUSIVE = frozenset(
    {S.BLOCKED, S.PENDING, S.LEASED, S.SENDING, S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED, S.OUTCOME_UNKNOWN, S.FAILED}
)
#: A person has to look.
NEEDS_PERSON = frozenset({S.BLOCKED, S.FAILED, S.REJECTED, S.OUTCOME_UNKNOWN})
#: The machine still works on it.
IN_PROGRESS = frozenset({S.PENDING, S.LEASED, S.SENDING})
#: The partner has it.
ARRIVED = frozenset({S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED})


def movers(old: DeliveryState, new: DeliveryState) -> frozenset[Mover]:
    """Who may move a delivery from ``old`` to ``new``; empty where the move does not exist."""
    return _MOVES.get((old, new), frozenset())


def moves() -> list[tuple[DeliveryState, DeliveryState]]:
    """All moves that exist, from and to."""
    return sorted(_MOVES)


def may_move(old: DeliveryState, new: DeliveryState, by: Mover) -> bool:
    """Whether ``by`` may make the move."""
    return by in movers(old, new)


class Replay(StrEnum):
    """What may happen after a lost answer (declared by each transport)."""

    SAFE = "safe"
    """repeat with the same ids: the partner sees it once"""
    PROBE = "probe"
    """ask the partner first"""
    UNSAFE = "unsafe"
    """a person decides"""


def after_crash_in_sending(replay: Replay) -> DeliveryState:
    """Where the reaper puts a delivery whose sender died between first byte and answer."""
    return S.PENDING if replay is Replay.SAFE else S.OUTCOME_UNKNOWN


#: Seconds before try 1, 2, 3 …; about 45 hours altogether.
RETRY_PLAN = (0, 30, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Retry:
    """When to try again, or that the plan is used up (``delay`` is None)."""

    delay: float | None


def next_retry(tries: int, *, chance: float, retry_after: float | None = None) -> Retry:
    """The pause after ``tries`` failed tries.

    ``chance`` in [0, 1) spreads the pause by ±20 %. ``retry_after`` (seconds,
    RFC 9110 10.2.3) is respected, but never beyond twice the plan's own step,
    so that a partner cannot park an invoice for a year; nor under 30 s.
    """
    if tries >= len(RETRY_PLAN):
        return Retry(None)
    step = RETRY_PLAN[tries]
    spread = step * (1 - JITTER + 2 * JITTER * chance)
    if retry_after is None:
        return Retry(spread)
    return Retry(min(max(retry_after, spread), max(2 * step, 60)))


#: Seconds after an unclear outcome at which the partner is first asked, and the pauses between later questions.
#: Twice at least, minutes apart: what a partner has just taken it may not find at once.
FIRST_QUESTION = 60
QUESTION_PLAN = (300, 1_800, 7_200, 21_600, 43_200, 86_400)
#: Proven noes after which it is sent again.
NOES = 2


def next_question(asked: int) -> float | None:
    """Seconds until the partner is asked again after ``asked`` questions; None where a person must go on."""
    return QUESTION_PLAN[asked - 1] if asked <= len(QUESTION_PLAN) else None
