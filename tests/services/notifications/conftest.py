"""A company that is told, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from invoiceapp.config import Config, MailServer
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Mail, Notice, Problem, ProblemDocument, Recipient, User, Watch, db
from invoiceapp.services.daily import causes, problems
from invoiceapp.services.database import transaction
from invoiceapp.services.notifications import composing, noticing, preferences, recipients
from invoiceapp.services.notifications.preferences import Wishes

#: A Monday at ten in Copenhagen.
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Told:
    """Notices and mails as they come about while time passes."""

    def __init__(self, adaptor: Adaptor, user: User) -> None:
        self.adaptor_id, self.subscription_id, self.user_id = adaptor.id, adaptor.subscription_id, user.id
        self.now = START

    def wait(self, **time: float) -> Told:
        """Let time pass."""
        self.now += timedelta(**time)
        return self

    def notice(self) -> None:
        """One look at the adaptor, without its alarms."""
        noticing.notice(self.adaptor_id, self.now)

    def compose(self) -> int:
        """How many mails there are after those that are due were written."""
        composing.compose_due(self.now)
        db.session.expire_all()
        return len(self.mails())

    def mails(self, recipient: Recipient | None = None) -> list[Mail]:
        """Oldest first."""
        query = select(Mail).order_by(Mail.created_at, Mail.id)
        return list(db.session.scalars(query.where(Mail.recipient_id == recipient.id) if recipient else query))

    def notices(self) -> list[Notice]:
        """Oldest first."""
        return list(db.session.scalars(select(Notice).order_by(Notice.id)))

    def recipient(self) -> Recipient:
        """The owner."""
        with transaction():
            return recipients.stored(self.subscription_id, self.user_id)

    def wish(self, **rhythms: Any) -> None:
        """What the owner wants."""
        preferences.save(self.recipient(), None, replace(Wishes(), **rhythms), self.now)

    def problem(self, key: str = "ean", documents: int = 0, **columns: Any) -> Problem:
        """An open problem of so many documents; one that is there grows or shrinks to it."""
        with transaction() as session:
            query = select(Problem).where(Problem.key == key, Problem.resolved_at.is_(None))
            row = session.scalar(query) or Problem(
                subscription_id=self.subscription_id, adaptor_id=self.adaptor_id, key=key, rule="PEPPOL-X", turn="source",
                text={"da": f"{key} mangler", "en": f"{key} is missing"}, created_at=self.now,
                level="document" if documents else "adaptor",
            )  # fmt: skip
            for name, value in columns.items():
                setattr(row, name, value)
            row.documents = documents
            session.add(row)
        return row

    def resolve(self, problem: Problem) -> None:
        """Nothing of it is left."""
        with transaction():
            problem.resolved_at = self.now

    def alarm(self, *found: str) -> None:
        """Exactly these alarms of the adaptor itself are there."""
        with transaction():
            texts = [Text(f"{one} svarer ikke", f"{one} does not answer") for one in found]
            problems.sync(
                self.adaptor_id, problems.ADAPTOR,
                [causes.Found(causes.key_of(text.en), "source", text, "here") for text in texts],
            )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Rows by table."""
        tables = (Notice, Mail, ProblemDocument)
        return {one.__tablename__: db.session.scalar(select(func.count()).select_from(one)) or 0 for one in tables}


@pytest.fixture
def config(config: Config) -> Config:
    """With a mail server that nobody is told of until a test sends."""
    return replace(config, mail=MailServer("127.0.0.1", 1, "none", "besked@firma.example", "Fakturaer"))


@pytest.fixture
def told(app: Flask, adaptor: Adaptor, user: User) -> Iterator[Told]:
    found = Told(adaptor, user)
    with transaction() as session:
        session.get_one(Watch, adaptor.id).arrivals_at = START
    found.recipient()
    yield found


@pytest.fixture
def other(told: Told) -> Callable[..., Recipient]:
    """``other(email, confirmed=True)``: an address that belongs to no user."""

    def make(email: str = "revisor@example.com", *, confirmed: bool = True) -> Recipient:
        recipient_id = recipients.add(told.subscription_id, email, "Revisor", "en", told.now)
        row = db.session.get_one(Recipient, recipient_id)
        if confirmed:
            with transaction():
                row.confirmed_at, row.token_hash = START, None
        return row

    return make
