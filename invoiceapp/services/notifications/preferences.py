"""What each person wants to be told of, how soon, and at which hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from invoiceapp.domain.findings import Text
from invoiceapp.domain.notifying import Hours, Rhythm
from invoiceapp.models import Notice, NoticeKind, Preference, Recipient, Watch, db, new_id, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import InvalidInput

from . import recipients

#: Fields of ``Preference``, in the order of a form.
KINDS = ("negative_document", "negative_adaptor", "positive_document", "positive_adaptor")
LONGEST_ESCALATION = 24 * 14


@dataclass(frozen=True, slots=True)
class Wishes:
    """How soon somebody is told, by ``KINDS``."""

    negative_document: Rhythm = Rhythm.NOW
    negative_adaptor: Rhythm = Rhythm.NOW
    positive_document: Rhythm = Rhythm.OFF
    positive_adaptor: Rhythm = Rhythm.OFF

    def of(self, level: str, *, positive: bool) -> Rhythm:
        """Of good or bad news of a level (``document``, ``adaptor``)."""
        rhythm: Rhythm = getattr(self, f"{'positive' if positive else 'negative'}_{level}")
        return rhythm

    @classmethod
    def read(cls, raw: Mapping[str, str]) -> Wishes:
        """Out of a form. Raises ``InvalidInput``."""
        errors = {name: _CHOOSE for name in KINDS if raw.get(name) not in tuple(Rhythm)}
        if errors:
            raise InvalidInput(errors)
        return cls(**{name: Rhythm(raw[name]) for name in KINDS})


_CHOOSE = Text("Vælg, hvor hurtigt du vil have besked.", "Choose how soon you want to be told.")
_CLOCK = Text("Skriv et klokkeslæt, f.eks. 07:30.", "Enter a time, for example 07:30.")
_BOTH = Text("Udfyld både fra og til, eller ingen af dem.", "Fill in both from and until, or neither.")
_ZONE = Text("Vælg en tidszone.", "Choose a time zone.")


def effective(recipient_ids: Iterable[str], adaptor_id: str | None) -> dict[str, Wishes]:
    """The wishes of each for an adaptor: its own row, else the one for all, else the defaults. By recipient."""
    ids = list(recipient_ids)
    rows = db.session.scalars(
        select(Preference).where(
            Preference.recipient_id.in_(ids),
            (Preference.adaptor_id == adaptor_id) | Preference.adaptor_id.is_(None),
        )
    ).all()
    # The adaptor's own row last, so that it counts.
    found = {row.recipient_id: _wishes(row) for row in sorted(rows, key=lambda row: row.adaptor_id is not None)}
    return {one: found.get(one, Wishes()) for one in ids}


def _wishes(row: Preference) -> Wishes:
    return Wishes(**{name: getattr(row, name) for name in KINDS})


def own(recipient_id: str) -> dict[str | None, Wishes]:
    """What somebody has saved, by adaptor id; None: for all others."""
    rows = db.session.scalars(select(Preference).where(Preference.recipient_id == recipient_id))
    return {row.adaptor_id: _wishes(row) for row in rows}


def hours_of(recipient: Recipient) -> Hours:
    """When somebody's mails leave."""
    return Hours(recipient.zone, recipient.daily_at, recipient.quiet_from, recipient.quiet_until)


def soonest(kind: NoticeKind, wished: Rhythm) -> Rhythm:
    """When a kind is mailed: what nobody acted on at once, whatever was wished; growth with the next digest."""
    if kind is NoticeKind.ESCALATED:
        return Rhythm.NOW
    return Rhythm.DAILY if kind is NoticeKind.GROWN and wished is not Rhythm.OFF else wished


def save(recipient: Recipient, adaptor_id: str | None, wishes: Wishes | None, now: datetime | None = None) -> None:
    """Keep wishes for an adaptor of the recipient's subscription, or None: for all that have none of their own.

    ``wishes`` None: an adaptor follows the row for all again. What waits already follows the new wish.
    """
    with transaction() as session:
        recipient = _kept(recipient)
        # Two clicks at once wait for each other here.
        session.get_one(Recipient, recipient.id, with_for_update={"of": Recipient})
        row = session.scalar(
            select(Preference).where(
                Preference.recipient_id == recipient.id, Preference.adaptor_id.is_not_distinct_from(adaptor_id)
            )
        )
        if wishes is None:
            if row is not None:
                session.delete(row)
        else:
            row = row or Preference(id=new_id(), recipient_id=recipient.id, adaptor_id=adaptor_id)
            for name in KINDS:
                setattr(row, name, getattr(wishes, name))
            session.add(row)
        session.flush()
        _reschedule(recipient, now or utcnow())


def save_hours(recipient: Recipient, raw: Mapping[str, str], now: datetime | None = None) -> None:
    """Keep ``zone``, ``daily_at``, ``quiet_from`` and ``quiet_until`` out of a form. Raises ``InvalidInput``."""
    errors: dict[str, Text] = {}
    values: dict[str, Any] = {}
    for name in ("daily_at", "quiet_from", "quiet_until"):
        try:
            values[name] = _time(raw.get(name, ""), required=name == "daily_at")
        except ValueError:
            errors[name] = _CLOCK
    if not errors and (values["quiet_from"] is None) != (values["quiet_until"] is None):
        errors["quiet_until" if values["quiet_until"] is None else "quiet_from"] = _BOTH
    values["zone"] = raw.get("zone", "").strip() or "Europe/Copenhagen"
    try:
        ZoneInfo(values["zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        errors["zone"] = _ZONE
    if errors:
        raise InvalidInput(errors)
    with transaction() as session:
        recipient = _kept(recipient)
        for name, value in values.items():
            setattr(recipient, name, value)
        session.flush()
        _reschedule(recipient, now or utcnow())


def _kept(recipient: Recipient) -> Recipient:
    return recipients.stored(recipient.subscription_id, recipient.user_id) if recipient.user_id else recipient


def _time(text: str, *, required: bool) -> time | None:
    if not text.strip() and not required:
        return None
    found = time.fromisoformat(text.strip())
    if found.tzinfo is not None:
        raise ValueError("a zone has its own field")
    return found.replace(second=0, microsecond=0)


def _reschedule(recipient: Recipient, now: datetime) -> None:
    """What waits for a mail waits until the time of the new wishes."""
    waiting = db.session.scalars(
        select(Notice)
        .where(Notice.recipient_id == recipient.id, Notice.mail_id.is_(None), Notice.mail_at.is_not(None))
        .with_for_update()
    ).all()
    hours = hours_of(recipient)
    for adaptor_id in {notice.adaptor_id for notice in waiting}:
        wishes = effective([recipient.id], adaptor_id)[recipient.id]
        for notice in waiting:
            if notice.adaptor_id == adaptor_id:
                notice.rhythm = wishes.of(notice.level, positive=notice.positive)
                notice.mail_at = hours.mail_at(soonest(notice.kind, notice.rhythm), now)


def watch_of(subscription_id: str, adaptor_id: str) -> Watch:
    """How an adaptor is watched; one that is not stored yet where there is none."""
    return db.session.get(Watch, adaptor_id) or Watch(
        adaptor_id=adaptor_id, subscription_id=subscription_id, escalate_hours=24, silence=True
    )


def save_watch(subscription_id: str, adaptor_id: str, escalate_to: str | None, hours: str, silence: bool) -> None:
    """Who is told too when nobody acts for ``hours``, and whether silence is told. Raises ``InvalidInput``.

    ``escalate_to``: a recipient of the subscription.
    """
    errors: dict[str, Text] = {}
    if not (hours.strip().isdecimal() and 1 <= int(hours) <= LONGEST_ESCALATION):
        errors["escalate_hours"] = Text(
            f"Skriv et antal timer fra 1 til {LONGEST_ESCALATION}.",
            f"Enter a number of hours from 1 to {LONGEST_ESCALATION}.",
        )
    person = db.session.get(Recipient, escalate_to) if escalate_to else None
    if escalate_to and (person is None or person.subscription_id != subscription_id or not person.gets_mail):
        errors["escalate_to"] = Text("Vælg en person, der får mails.", "Choose somebody who gets mails.")
    if errors:
        raise InvalidInput(errors)
    with transaction() as session:
        row = session.get(Watch, adaptor_id, with_for_update=True) or watch_of(subscription_id, adaptor_id)
        row.escalate_to, row.escalate_hours, row.silence = escalate_to or None, int(hours), silence
        session.add(row)
