"""The groups of a proof: each document is in exactly one."""

from __future__ import annotations

from enum import StrEnum

from .books import Noted, Then


class Group(StrEnum):
    """What has become of a document, what needs explaining first."""

    UNPROVED = "unproved"
    """our books say that it was sent or converted, and have no delivery of it"""
    UNREADABLE = "unreadable"
    """the accounting system's record could not be read"""
    NOT_READ = "not_read"
    """the accounting system has it, and it has never been read here"""
    UNKNOWN = "unknown"
    ELSEWHERE_OPEN = "elsewhere_open"
    """it was left to another adaptor, which has not proven that it arrived"""
    REJECTED = "rejected"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNUSABLE = "unusable"
    APPROVAL = "approval"
    """a second person has to approve"""
    WAITING = "waiting"
    CANCELLED = "cancelled"
    TESTED = "tested"
    """it has only been to a test gateway"""
    NOT_ACTIVATED = "not_activated"
    LEFT_OUT = "left_out"
    SENT_ITSELF = "sent_itself"
    """the accounting system has sent it"""
    ELSEWHERE = "elsewhere"
    """it has arrived through another adaptor"""
    HANDLED = "handled"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"


G = Group
#: They wait for somebody, or nobody can explain them.
OPEN = frozenset(
    {
        G.UNPROVED,
        G.UNREADABLE,
        G.NOT_READ,
        G.UNKNOWN,
        G.ELSEWHERE_OPEN,
        G.REJECTED,
        G.FAILED,
        G.BLOCKED,
        G.UNUSABLE,
        G.APPROVAL,
        G.WAITING,
    }
)
#: The receiver has it.
ARRIVED = frozenset({G.ACCEPTED, G.DELIVERED, G.ACKNOWLEDGED})
#: What was sent can be compared with what the accounting system has.
LEFT = ARRIVED | {G.UNKNOWN, G.REJECTED}

_OF_DELIVERY = {
    "accepted": G.ACCEPTED, "delivered": G.DELIVERED, "acknowledged": G.ACKNOWLEDGED, "rejected": G.REJECTED,
    "failed": G.FAILED, "outcome_unknown": G.UNKNOWN, "pending": G.WAITING, "blocked": G.BLOCKED, "cancelled": G.CANCELLED,
}  # fmt: skip
_OF_STAGE = {"queued": G.WAITING, "unusable": G.UNUSABLE, "skipped": G.SENT_ITSELF, "handled": G.HANDLED}
#: Of a test, these say nothing about the receiver.
_TESTABLE = LEFT | {G.FAILED}


def group_of(noted: Noted | None, then: Then | None, holder: Then | None = None) -> Group:
    """Of a document of the accounting system; without ``then`` it was not here at the moment. ``holder``: what had become
    of the document of another adaptor for which it was left out."""
    if noted is None or then is None:
        return G.NOT_READ
    if then.status == "listed":
        return G.LEFT_OUT if noted.is_active else G.NOT_ACTIVATED
    if then.status == "skipped" and noted.elsewhere:
        return G.ELSEWHERE if of_holder(holder) in ARRIVED else G.ELSEWHERE_OPEN
    if then.status in _OF_STAGE:
        return _OF_STAGE[then.status]
    found = _OF_DELIVERY.get(then.status)
    if found is None or then.way is None:
        return G.UNPROVED
    if then.way.is_test and found in _TESTABLE:
        return G.TESTED
    return G.APPROVAL if found is G.BLOCKED and noted.awaits_approval else found


def of_holder(holder: Then | None) -> Group:
    """Of the document that another adaptor has sent."""
    if holder is None:
        return G.UNPROVED
    if holder.status in _OF_STAGE:
        return _OF_STAGE[holder.status]
    found = _OF_DELIVERY.get(holder.status)
    if found is None or holder.way is None:
        return G.UNPROVED
    return G.TESTED if holder.way.is_test else found
