"""Who is told what, when and how: receivers and their wishes, notices, the mails that carry them, and webhooks."""

from __future__ import annotations

from datetime import datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, Time, UniqueConstraint, text
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from invoiceapp.domain.notifying import Rhythm

from .base import Base, Identified
from .types import Json, UtcDateTime, enum_column

_FOR_ALL = text("adaptor_id IS NULL")
_FOR_ONE = text("adaptor_id IS NOT NULL")
_UNREAD = text("read_at IS NULL")
_UNSENT = text("mail_id IS NULL AND mail_at IS NOT NULL")
_UNFINISHED = text("closed_at IS NULL")


class Recipient(Identified, Base):
    """Somebody who is told: a user of the subscription, or another address that has confirmed."""

    __tablename__ = "recipient"
    __table_args__ = (
        UniqueConstraint("subscription_id", "user_id"),
        UniqueConstraint("subscription_id", "email"),
        Index("ix_recipient_token_hash", "token_hash"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    """Of a user; their address and language are read there"""
    email: Mapped[str | None] = mapped_column(String(255))
    """Of another address, in lower case; None for a user"""
    name: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(5), default="da")
    """Of another address: ``da`` or ``en``"""
    zone: Mapped[str] = mapped_column(String(60), default="Europe/Copenhagen")
    """Of ``daily_at`` and the quiet hours"""
    daily_at: Mapped[time] = mapped_column(Time, default=time(7, 30))
    """When the daily digest leaves, on the clock of ``zone``"""
    quiet_from: Mapped[time | None] = mapped_column(Time)
    """Mails wait from then until ``quiet_until``; both or none"""
    quiet_until: Mapped[time | None] = mapped_column(Time)
    token_hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 of the link that confirms the address; None once it was used"""
    token_ends: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Of another address: before it, nothing but the question is sent"""
    unsubscribed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Wants no mails any more; a user keeps the inbox"""

    user: Mapped[Any] = relationship("User", lazy="joined")

    @property
    def address(self) -> str:
        """Where mails go."""
        return str(self.user.email) if self.user else (self.email or "")

    @property
    def tongue(self) -> str:
        """``da`` or ``en``."""
        chosen = self.user.language if self.user else self.language
        return "en" if chosen == "en" else "da"

    @property
    def gets_mail(self) -> bool:
        """Whether anything but the question to confirm may be sent."""
        if self.unsubscribed_at is not None:
            return False
        return bool(self.user.active) if self.user else self.confirmed_at is not None


class Preference(Identified, Base):
    """How soon somebody is told of what, for one adaptor, or for all that have no row of their own."""

    __tablename__ = "notification_preference"
    __table_args__ = (
        Index(
            "uq_notification_preference_all", "recipient_id", unique=True, sqlite_where=_FOR_ALL, postgresql_where=_FOR_ALL
        ),
        Index(
            "uq_notification_preference_one", "recipient_id", "adaptor_id", unique=True,
            sqlite_where=_FOR_ONE, postgresql_where=_FOR_ONE,
        ),
    )  # fmt: skip

    recipient_id: Mapped[str] = mapped_column(ForeignKey("recipient.id"))
    adaptor_id: Mapped[str | None] = mapped_column(ForeignKey("adaptor.id"))
    negative_document: Mapped[Rhythm] = mapped_column(enum_column(Rhythm), default=Rhythm.NOW)
    """Documents that wait for a person"""
    negative_adaptor: Mapped[Rhythm] = mapped_column(enum_column(Rhythm), default=Rhythm.NOW)
    """What is wrong with the source, a gateway, a run or the time"""
    positive_document: Mapped[Rhythm] = mapped_column(enum_column(Rhythm), default=Rhythm.OFF)
    """Documents that arrived, as figures"""
    positive_adaptor: Mapped[Rhythm] = mapped_column(enum_column(Rhythm), default=Rhythm.OFF)
    """Runs that finished"""


class NoticeKind(StrEnum):
    """What a notice tells."""

    OPENED = "opened"
    """a problem is there"""
    GROWN = "grown"
    """it stops far more documents than was told"""
    RESOLVED = "resolved"
    """it is gone"""
    ESCALATED = "escalated"
    """it is somebody else's, and nobody has acted"""
    ARRIVED = "arrived"
    """documents have arrived, as figures"""
    FINISHED = "finished"
    """a run, with its figures"""
    MAIL = "mail"
    """mails cannot be sent"""


class Notice(Identified, Base):
    """One thing that one person is told: a line of the inbox, and at most one line of one mail."""

    __tablename__ = "notice"
    __table_args__ = (
        # Told once, however often and by how many workers it is noticed.
        UniqueConstraint("recipient_id", "event"),
        Index("ix_notice_inbox", "recipient_id", "id"),
        Index("ix_notice_unread", "recipient_id", sqlite_where=_UNREAD, postgresql_where=_UNREAD),
        Index("ix_notice_due", "mail_at", "recipient_id", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
        Index("ix_notice_mail", "mail_id"),
        Index("ix_notice_problem", "problem_id"),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"))
    recipient_id: Mapped[str] = mapped_column(ForeignKey("recipient.id"))
    adaptor_id: Mapped[str | None] = mapped_column(ForeignKey("adaptor.id"))
    """None for what concerns no adaptor"""
    problem_id: Mapped[str | None] = mapped_column(ForeignKey("problem.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id"))
    event: Mapped[str] = mapped_column(String(100))
    """What happened, the same for everybody and for ever: ``problem/<id>/opened``"""
    kind: Mapped[NoticeKind] = mapped_column(enum_column(NoticeKind))
    level: Mapped[str] = mapped_column(String(20), default="document")
    """``document`` or ``adaptor``"""
    positive: Mapped[bool] = mapped_column(Boolean, default=False)
    """Good news (arrived, finished)"""
    title: Mapped[dict[str, str]] = mapped_column(Json)
    """``{"da", "en"}``, one line"""
    body: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    """``{"da", "en"}``, what to know and whose turn it is; may be empty"""
    path: Mapped[str] = mapped_column(String(500), default="/")
    """Where to look, within the product: ``/?adaptor=…&problem=…``"""
    figures: Mapped[dict[str, int]] = mapped_column(Json, default=dict)
    """Numbers that digests add up, by document type"""
    rhythm: Mapped[Rhythm] = mapped_column(enum_column(Rhythm), default=Rhythm.OFF)
    """As wished when it was noticed"""
    mail_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to mail it; None where it stands in the inbox only"""
    mail_id: Mapped[str | None] = mapped_column(ForeignKey("mail.id"))
    """The mail that carries it: set once, in the transaction that writes the mail"""
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Telling(Base):
    """What was told about a problem; written with the notices, so that none is lost and none comes twice."""

    __tablename__ = "telling"
    __table_args__ = (
        Index("ix_telling_open", "adaptor_id", sqlite_where=_UNFINISHED, postgresql_where=_UNFINISHED),
    )  # fmt: skip

    problem_id: Mapped[str] = mapped_column(ForeignKey("problem.id"), primary_key=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"))
    documents: Mapped[int] = mapped_column(Integer, default=0)
    """How many were told last"""
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was told that it is gone"""


class Watch(Base):
    """How one adaptor is watched: the wishes, and how far noticing has come."""

    __tablename__ = "watch"

    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"), primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    escalate_to: Mapped[str | None] = mapped_column(ForeignKey("recipient.id"))
    """Who is told too when nobody acts; None: nobody"""
    escalate_hours: Mapped[int] = mapped_column(Integer, default=24)
    silence: Mapped[bool] = mapped_column(Boolean, default=True)
    """Whether to tell when a company that normally invoices has not"""
    alarms_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When alarms were looked for last"""
    arrivals_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Arrivals before it were told"""
    last_run_id: Mapped[str | None] = mapped_column(String(26))
    """The newest ended run that was looked at"""


class MailState(StrEnum):
    """As deliveries: what may have left is never sent again by itself (docs/decisions/0009, 0024)."""

    PENDING = "pending"
    LEASED = "leased"
    """a worker has it; nothing was said to the server yet"""
    SENDING = "sending"
    SENT = "sent"
    """the server took it over"""
    FAILED = "failed"
    """refused for good, or too old; without an error: its receiver wanted it no more"""
    UNKNOWN = "unknown"
    """left whole, and no answer came"""


class Mail(Identified, Base):
    """One mail of our own on its way: what is sent stays the same in every try."""

    __tablename__ = "mail"
    __table_args__ = (
        Index("ix_mail_due", "state", "next_at"),
        Index("ix_mail_recipient", "recipient_id", "created_at"),
    )

    subscription_id: Mapped[str | None] = mapped_column(ForeignKey("subscription.id"), index=True)
    recipient_id: Mapped[str | None] = mapped_column(ForeignKey("recipient.id"))
    kind: Mapped[str] = mapped_column(String(20), default="notices")
    """``notices`` or ``confirm``"""
    to: Mapped[str] = mapped_column(String(255))
    language: Mapped[str] = mapped_column(String(5))
    subject: Mapped[str] = mapped_column(String(300))
    text: Mapped[str] = deferred(mapped_column(Text, nullable=False))
    """Emptied at the end where it held a secret link, as ``html``"""
    html: Mapped[str] = deferred(mapped_column(Text, nullable=False))
    unsubscribe: Mapped[str | None] = mapped_column(String(500))
    """Address for List-Unsubscribe (RFC 8058)"""
    message_id: Mapped[str] = mapped_column(String(200))
    state: Mapped[MailState] = mapped_column(enum_column(MailState), default=MailState.PENDING)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Pending: when it is due. Leased and sending: when the lease ends"""
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Not tried any more after it"""
    tries: Mapped[int] = mapped_column(Integer, default=0)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    """Grows with every lease; an update that does not name the newest changes nothing"""
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    """``{"class", "da", "en"}`` of the last failure"""
    reply: Mapped[str | None] = mapped_column(String(500))
    """The server's last line"""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Webhook(Identified, Base):
    """An address of the customer's own that is told what is noticed for one adaptor."""

    __tablename__ = "webhook"

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), index=True)
    adaptor_id: Mapped[str] = mapped_column(ForeignKey("adaptor.id"), unique=True)
    url: Mapped[str] = mapped_column(String(500))
    secrets: Mapped[dict[str, str]] = mapped_column(Json, default=dict)
    """Ciphertext of ``key``, which signs"""
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    off_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When we switched it off because it had failed for long"""
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    """``{"da", "en"}`` of the last failure"""
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it last took an event"""


class WebhookCall(Identified, Base):
    """One event for one webhook; its ``id`` stays the same in every try."""

    __tablename__ = "webhook_call"
    __table_args__ = (
        UniqueConstraint("webhook_id", "event"),
        Index("ix_webhook_call_due", "state", "next_at"),
    )

    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook.id"))
    event: Mapped[str] = mapped_column(String(100))
    """As ``Notice.event``"""
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(20), default="pending")
    """``pending``, ``leased``, ``done`` or ``failed``"""
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Pending: when it is due. Leased: when the lease ends"""
    tries: Mapped[int] = mapped_column(Integer, default=0)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    status: Mapped[int | None] = mapped_column(Integer)
    """HTTP status of the last answer"""
    error: Mapped[dict[str, str] | None] = mapped_column(Json)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
