"""What the registers said of a document's receiver at the time at which its way was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from invoiceapp.discovery.base import Register
from invoiceapp.domain.findings import Text
from invoiceapp.models import Customer, Lookup, Match, Rendition, db
from invoiceapp.services.keeping import record

_COULD_NOT_ASK = "could_not_ask"
_OUTCOMES = {
    "registered": Text("tilmeldt", "registered"),
    "not_registered": Text("ikke tilmeldt", "not registered"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One register's answer as it came; the bytes lie in the archive."""

    register: str
    outcome: str
    sha256: str
    about: str


@dataclass(slots=True)
class Said:
    """Everything that was said."""

    lookups: list[Lookup] = field(default_factory=list)
    match: Match | None = None
    answers: list[Answer] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """``lookups`` as of then, ``customer`` as of now."""
        now = self.match
        return {
            "lookups": [_lookup(one) for one in self.lookups],
            "customer": None if now is None else {
                "state": now.state.value, "participant": now.participant, "registered_name": now.registered_name,
                "routes": now.routes, "chosen_by_person": now.pinned, "accepted": now.accepted,
                "accepted_at": now.accepted_at, "accepted_by": now.accepted_by, "checked_at": now.checked_at,
            },
        }  # fmt: skip

    def lines(self) -> list[dict[str, str]]:
        """For the page: what was asked, and what was answered when."""
        return [
            {
                "register": one.register, "question": one.question, "at": record.moment(one.created_at),
                "outcome": f"{_OUTCOMES[one.outcome].da} / {_OUTCOMES[one.outcome].en}"
                if one.outcome in _OUTCOMES
                else one.outcome,
            }
            for one in self.lookups
        ]  # fmt: skip


def of(
    subscription_id: str, customer: Customer | None, renditions: Sequence[Rendition], moments: Sequence[datetime | None]
) -> Said:
    """For each of the ``moments`` the newest answer to each question about the receiver. Inside a transaction."""
    subjects = _subjects(customer, renditions)
    if not subjects or not moments:
        return Said()
    asked = _asked(subscription_id, subjects)
    found = {one.id: one for moment in moments for one in _standing(asked, moment)}
    said = Said([found[key] for key in sorted(found)])
    if customer is not None:
        said.match = db.session.scalar(select(Match).where(Match.customer_id == customer.id))
    kept: dict[str, Answer] = {}
    for lookup in said.lookups:
        for one in lookup.exchanges:
            if one.get("sha256"):
                about = f"{one.get('asked', '')} {one.get('at', '')}".strip()
                kept.setdefault(one["sha256"], Answer(lookup.register, lookup.outcome, one["sha256"], about))
    said.answers = list(kept.values())
    return said


def _subjects(customer: Customer | None, renditions: Iterable[Rendition]) -> set[str]:
    """As questions begin: addresses and registration numbers."""
    found = {one.receiver for one in renditions if one.receiver}
    if customer is not None:
        digits = "".join(filter(str.isdigit, customer.registration_no or ""))
        found |= {digits, f"0184:{digits}"} if digits else set()
        found |= {f"0088:{customer.gln}"} if customer.gln else set()
    return found


def _asked(subscription_id: str, subjects: Iterable[str]) -> Sequence[Lookup]:
    conditions = [
        condition
        for subject in sorted(subjects)
        for condition in (Lookup.question == subject, Lookup.question.startswith(f"{subject} ", autoescape=True))
    ]
    query = select(Lookup).where(
        Lookup.subscription_id == subscription_id, Lookup.register.in_([one.value for one in Register]), or_(*conditions),
        Lookup.outcome != _COULD_NOT_ASK,
    )  # fmt: skip
    return db.session.scalars(query.order_by(Lookup.id)).all()


def _standing(asked: Sequence[Lookup], moment: datetime | None) -> Iterable[Lookup]:
    """The newest of each question that was there at the moment; the same answer again only confirms the first row."""
    newest = {}
    for one in asked:
        if moment is None or one.created_at <= moment:
            newest[(one.place, one.register, one.question)] = one
    return newest.values()


def _lookup(one: Lookup) -> dict[str, Any]:
    return {
        "register": one.register, "asked": one.question, "outcome": one.outcome, "answer": one.answer,
        "first_said_at": one.created_at, "last_said_at": one.confirmed_at, "times": one.times, "exchanges": one.exchanges,
    }  # fmt: skip
