"""Who is told, what they want, and their inbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from invoiceapp.domain.notifying import Rhythm
from invoiceapp.models import Mail, Membership, Notice, Recipient, Role, Subscription, User, db, new_id, utcnow
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.notifications import composing, inbox, noticing, preferences, recipients
from invoiceapp.services.notifications.preferences import Wishes


@pytest.fixture
def colleague(subscription):
    row = User(email="kollega@example.com", active=True, fs_uniquifier=new_id(), language="en")
    db.session.add(row)
    db.session.flush()
    db.session.add(Membership(subscription_id=subscription.id, user_id=row.id, role=Role.MEMBER))
    db.session.commit()
    return row


def audience(told) -> list[str]:
    with transaction():
        return sorted(row.address for row in recipients.audience(told.subscription_id))


def test_every_active_member_is_told_in_their_language(told, colleague):
    assert audience(told) == ["ejer@example.com", "kollega@example.com"]
    told.problem(documents=1)
    told.notice()
    told.wait(minutes=2).compose()
    assert {mail.to: mail.language for mail in told.mails()} == {"ejer@example.com": "da", "kollega@example.com": "en"}
    colleague.active = False
    db.session.commit()
    assert audience(told) == ["ejer@example.com"]


def test_people_of_another_company_are_never_told(told, adaptor):
    foreign = Subscription(name="Fremmed A/S")
    stranger = User(email="fremmed@example.com", active=True, fs_uniquifier=new_id())
    db.session.add_all([foreign, stranger])
    db.session.flush()
    db.session.add(Membership(subscription_id=foreign.id, user_id=stranger.id, role=Role.OWNER))
    db.session.commit()
    told.problem(documents=1)
    told.notice()
    assert audience(told) == ["ejer@example.com"]
    rows, _next = inbox.page(told.subscription_id, told.user_id)
    assert inbox.notice(foreign.id, stranger.id, rows[0].id) is None
    assert inbox.mark(foreign.id, stranger.id, [rows[0].id], is_read=True) == 0


def test_another_address_is_asked_first_and_only_its_newest_link_works(told, other):
    row = other(confirmed=False)
    first = row.token_hash
    recipients.ask_again(row.id)
    assert row.token_hash not in (None, first) and not row.gets_mail
    text = db.session.scalars(select(Mail.text).order_by(Mail.id)).all()
    links = [one.split("/notifications/confirm/")[1].split()[0] for one in text]
    with pytest.raises(ServiceError):
        recipients.asked(links[0])
    with pytest.raises(ServiceError):
        recipients.confirm(links[1], utcnow() + timedelta(days=8))
    assert recipients.asked(links[1]).id == row.id and not row.gets_mail
    recipients.confirm(links[1])
    assert row.gets_mail
    with pytest.raises(Conflict):
        recipients.ask_again(row.id)


def test_a_stranger_is_not_asked_again_and_again(told, other):
    row = other(confirmed=False)
    recipients.ask_again(row.id, told.now), recipients.ask_again(row.id, told.now)
    with pytest.raises(Conflict):
        recipients.ask_again(row.id, told.now)
    assert len(told.mails()) == 3


def test_neither_removing_an_address_nor_many_addresses_ask_strangers_again_and_again(told, monkeypatch):
    def add(email: str) -> str:
        return recipients.add(told.subscription_id, email, "", "da", told.now)

    for _ in range(recipients.MOST_QUESTIONS):
        recipients.remove(add("offer@example.com"))
    with pytest.raises(Conflict):
        add("offer@example.com")
    assert recipients.others(told.subscription_id) == [] and len(told.mails()) == recipients.MOST_QUESTIONS
    monkeypatch.setattr(recipients, "MOST_QUESTIONS_TO_ALL", recipients.MOST_QUESTIONS + 1)
    add("a@example.com")
    with pytest.raises(Conflict):
        add("b@example.com")
    told.wait(days=1)
    assert add("b@example.com") and add("offer@example.com")


@pytest.mark.parametrize("email", ["", "to@a.example,b@a.example", "a@b.example\r\nBcc: c@d.example"])
def test_what_is_no_address_is_refused(told, email):
    with pytest.raises(InvalidInput):
        recipients.add(told.subscription_id, email, "", "da")


def test_an_address_is_entered_once(told, other):
    other()
    with pytest.raises(Conflict):
        recipients.add(told.subscription_id, " REVISOR@example.com ", "", "da")


def test_a_removed_address_leaves_nothing_of_itself_but_what_was_sent(told, other):
    row = other()
    preferences.save(row, None, Wishes(positive_document=Rhythm.DAILY))
    preferences.save_watch(told.subscription_id, told.adaptor_id, row.id, "8", True)
    told.problem(documents=1)
    told.notice()
    told.wait(minutes=2).compose()
    recipients.remove(row.id)
    assert recipients.others(told.subscription_id) == []
    assert preferences.watch_of(told.subscription_id, told.adaptor_id).escalate_to is None
    assert {mail.recipient_id for mail in told.mails()} == {None, told.recipient().id}


def test_a_link_that_was_changed_unsubscribes_nobody(told):
    token = recipients.unsubscribe_url(told.recipient().id).rsplit("/", 1)[1]
    for bad in (token[:-2], "x" + token, ""):
        with pytest.raises(ServiceError):
            recipients.unsubscribe(bad)
    assert recipients.unsubscribe(token).unsubscribed_at == recipients.unsubscribe(token).unsubscribed_at


def test_wishes_of_an_adaptor_count_until_they_follow_the_others_again(told):
    mine = told.recipient()
    loud, quiet = Wishes(positive_document=Rhythm.NOW), Wishes(Rhythm.OFF, Rhythm.OFF)
    preferences.save(mine, None, quiet)
    preferences.save(mine, told.adaptor_id, loud)
    assert preferences.effective([mine.id], told.adaptor_id) == {mine.id: loud}
    assert preferences.effective([mine.id], None) == {mine.id: quiet}
    assert preferences.own(mine.id) == {None: quiet, told.adaptor_id: loud}
    preferences.save(mine, told.adaptor_id, None)
    assert preferences.effective([mine.id], told.adaptor_id) == {mine.id: quiet}


def test_a_form_is_read_whole_or_not_at_all(told):
    assert Wishes.read(dict.fromkeys(preferences.KINDS, "daily")) == Wishes(*[Rhythm.DAILY] * 4)
    with pytest.raises(InvalidInput) as refused:
        Wishes.read({"negative_document": "now", "positive_adaptor": "weekly"})
    assert set(refused.value.errors) == {"negative_adaptor", "positive_document", "positive_adaptor"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"daily_at": "25:00"}, "daily_at"),
        ({"daily_at": ""}, "daily_at"),
        ({"quiet_from": "18:00"}, "quiet_until"),
        ({"quiet_until": "07:00"}, "quiet_from"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_hours_that_make_no_sense_are_refused(told, changed, field):
    with pytest.raises(InvalidInput) as refused:
        preferences.save_hours(told.recipient(), {"zone": "Europe/Copenhagen", "daily_at": "07:00"} | changed)
    assert list(refused.value.errors) == [field]


@pytest.mark.parametrize(
    ("hours", "field"), [("0", "escalate_hours"), ("x", "escalate_hours"), ("999", "escalate_hours")]
)
def test_an_escalation_needs_hours_and_somebody_of_the_company(told, other, hours, field):
    with pytest.raises(InvalidInput) as refused:
        preferences.save_watch(told.subscription_id, told.adaptor_id, other().id, hours, True)
    assert list(refused.value.errors) == [field]
    with pytest.raises(InvalidInput):
        preferences.save_watch("elsewhere", told.adaptor_id, other("b@example.com").id, "8", True)


def test_the_inbox_counts_pages_and_marks(told):
    for number in range(60):
        told.problem(f"cause{number}", documents=1)
    told.notice()
    me = (told.subscription_id, told.user_id)
    first, after = inbox.page(*me)
    second, end = inbox.page(*me, before=after)
    assert (len(first), len(second), end, inbox.unread(*me)) == (50, 10, "", 60)
    assert inbox.mark(*me, [first[0].id, first[1].id], is_read=True) == 2 and inbox.unread(*me) == 58
    assert inbox.mark(*me, [first[0].id], is_read=False) == 1 and inbox.unread(*me) == 59
    assert inbox.mark_all_read(*me, second[0].id) == 10
    rows, _next = inbox.page(*me, only_unread=True, adaptor_id=told.adaptor_id)
    assert len(rows) == 49 and first[1].id not in {row.id for row in rows}


def test_workers_at_the_same_time_tell_it_once(told, app):
    told.problem(documents=3)
    wait = told.now + timedelta(minutes=2)

    def work() -> None:
        with app.app_context():
            noticing.notice_due(told.now)
            composing.compose_due(wait)

    with ThreadPoolExecutor(3) as pool:
        for found in [pool.submit(work) for _ in range(3)]:
            found.result()
    composing.compose_due(wait)
    assert len(told.notices()) == 1 and len(told.mails()) == 1
    assert db.session.scalar(select(Notice.mail_id)) == told.mails()[0].id
    assert len(db.session.scalars(select(Recipient)).all()) == 1
