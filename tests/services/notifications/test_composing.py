"""Nothing is lost and nothing told twice, wherever a worker is killed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from invoiceapp.domain.notifying import Rhythm
from invoiceapp.models import Notice, NoticeKind, db
from invoiceapp.services.database import transaction
from invoiceapp.services.notifications import composing, noticing, preferences, recipients


class Killed(BaseException):
    """As ``kill -9``: no handler of ours sees it."""


class Killer:
    """Kills at commits that chance picks: just before, or just after."""

    def __init__(self, chance: random.Random, commit: Callable[[], None]) -> None:
        self._chance, self._commit = chance, commit
        self.share, self.kills = 0.0, 0

    def commit(self) -> None:
        """In the place of the session's."""
        self._perhaps()
        self._commit()
        self._perhaps()

    def _perhaps(self) -> None:
        if self._chance.random() < self.share:
            self.kills += 1
            raise Killed


@pytest.fixture
def killer(told, monkeypatch):
    """``killer(chance)``; kills nobody before its ``share`` is set."""

    def arm(chance: random.Random) -> Killer:
        found = Killer(chance, db.session.commit)
        monkeypatch.setattr(db.session, "commit", found.commit)
        return found

    return arm


def survive(work) -> None:
    try:
        work()
    except Killed:
        db.session.remove()


@pytest.mark.parametrize("seed", range(2))
def test_digests_lose_and_repeat_nothing_when_killed_at_any_commit(told, other, killer, seed):
    chance = random.Random(seed)
    people = [told.recipient().id, other().id]
    for recipient_id, rhythm in zip(people, (Rhythm.HOURLY, Rhythm.NOW), strict=True):
        row = next(one for one in recipients_of(told) if one.id == recipient_id)
        preferences.save(row, None, preferences.Wishes(rhythm, rhythm, rhythm, rhythm), told.now)
    expected: set[str] = set()
    armed = killer(chance)
    for number in range(12):
        armed.share = 0.0
        expected.add(told.problem(f"cause{number}", documents=chance.randint(1, 9)).id)
        armed.share = 0.2
        for _ in range(3):
            told.wait(minutes=chance.randint(1, 40))
            survive(lambda: noticing.notice(told.adaptor_id, told.now))
            survive(lambda: composing.compose_due(told.now))
    armed.share = 0.0
    noticing.notice(told.adaptor_id, told.now)
    told.wait(hours=5)
    for _ in range(5):
        composing.compose_due(told.wait(hours=1).now)
    db.session.expire_all()
    notices = told.notices()
    assert armed.kills > 5
    assert Counter((one.recipient_id, one.problem_id) for one in notices) == {
        (p, q): 1 for p in people for q in expected
    }
    assert all(one.mail_id for one in notices)
    for mail in told.mails():
        if mail.kind == "notices":
            carried = [one for one in notices if one.mail_id == mail.id]
            assert carried and all(one.recipient_id == mail.recipient_id for one in carried)
            assert all(mail.text.count(f"cause{n} ") == 1 for n in range(12) if named(carried, n))


def recipients_of(told):
    with transaction():
        return recipients.audience(told.subscription_id)


def named(carried: list[Notice], number: int) -> bool:
    return any(f"cause{number} " in one.title["da"] for one in carried)


def test_no_mail_storm_the_rest_comes_with_the_next_mail(told):
    for number in range(20):
        told.problem(f"cause{number}", documents=1)
        told.wait(minutes=2).notice()
        told.wait(minutes=1).compose()
    assert len(told.mails()) == composing.MOST_AN_HOUR
    told.wait(hours=1).compose()
    assert len(told.mails()) == composing.MOST_AN_HOUR + 1
    assert all(one.mail_id for one in told.notices())
    assert told.mails()[-1].subject.endswith("(og 15 til)")


def test_a_mail_that_had_to_wait_does_not_come_in_the_quiet_hours_either(told):
    told.now = told.now.replace(hour=20, minute=40)  # 21.40
    hours = {"zone": "Europe/Copenhagen", "daily_at": "07:30", "quiet_from": "22:00", "quiet_until": "06:00"}
    preferences.save_hours(told.recipient(), hours, told.now)
    for number in range(composing.MOST_AN_HOUR + 1):
        told.problem(f"cause{number}", documents=1)
        told.notice()
        told.wait(minutes=3).compose()
    waits = told.notices()[-1]
    assert waits.mail_id is None and waits.mail_at == told.now.replace(hour=5, minute=0) + timedelta(days=1)
    told.now = told.now.replace(hour=20, minute=57)
    told.problem("late", documents=1)
    told.notice()
    assert told.wait(hours=3).compose() == composing.MOST_AN_HOUR  # nobody was at work at 21.59
    told.now = waits.mail_at
    assert told.compose() == composing.MOST_AN_HOUR + 1


def test_news_that_could_not_be_mailed_for_days_stay_in_the_inbox(told):
    told.problem(documents=1)
    told.notice()
    assert told.wait(days=3).compose() == 0 and not composing.due(told.now)


def test_a_wish_that_changes_moves_what_waits(told):
    told.wish(negative_document=Rhythm.DAILY)
    told.problem(documents=1)
    told.notice()
    assert told.wait(hours=1).compose() == 0
    told.wish(negative_document=Rhythm.NOW)
    assert told.wait(minutes=2).compose() == 1


def test_who_unsubscribed_gets_no_mail_and_can_come_back(told):
    url = recipients.unsubscribe_url(told.recipient().id)
    told.problem(documents=1)
    told.notice()
    recipients.unsubscribe(url.rsplit("/", 1)[1])
    told.problem("moms", documents=1)
    told.notice()
    assert told.wait(minutes=5).compose() == 0 and len(told.notices()) == 2
    recipients.want_mail(told.subscription_id, told.user_id)
    told.problem("kurs", documents=1)
    told.notice()
    assert told.wait(minutes=5).compose() == 1
    assert [one.kind for one in told.notices() if one.mail_id] == [NoticeKind.OPENED]
