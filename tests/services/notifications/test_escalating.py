"""Problems that come back, and those that nobody acts on."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.notifying import Rhythm
from invoiceapp.models import Event, Membership, Notice, NoticeKind, Problem, db
from invoiceapp.services.daily import problems
from invoiceapp.services.database import transaction
from invoiceapp.services.notifications import preferences

K = NoticeKind


@pytest.fixture
def boss(told, other):
    row = other("chef@example.com")
    preferences.save(row, None, preferences.Wishes(Rhythm.OFF, Rhythm.OFF))
    preferences.save_watch(told.subscription_id, told.adaptor_id, row.id, "24", True)
    return row


def escalated(told, boss) -> list[Notice]:
    query = select(Notice).where(Notice.recipient_id == boss.id, Notice.kind == K.ESCALATED)
    return list(db.session.scalars(query))


def back(told, problem) -> None:
    with transaction():
        problem.resolved_at = None


def test_what_is_back_within_minutes_was_never_solved_and_is_not_told_again(told, boss):
    problem = told.problem(documents=3)
    told.notice()
    told.wait(minutes=2).compose()
    for _ in range(3):
        told.resolve(problem)
        told.wait(minutes=5).notice()
        back(told, problem)
        told.notice()
    told.wait(hours=23, minutes=50).notice()
    assert [one.kind for one in told.notices() if one.recipient_id != boss.id] == [K.OPENED]
    assert len(escalated(told, boss)) == 1


def test_what_is_back_after_it_was_told_as_solved_is_told_anew_from_its_beginning(told, boss):
    problem = told.problem(documents=30)
    for _ in range(2):
        told.notice()
        told.wait(minutes=2).compose()
        told.wait(hours=2)
        told.problem(documents=60)
        told.notice()
        told.resolve(problem)
        told.wait(minutes=15).notice()
        told.wait(hours=20).compose()
        back(told, problem)
        told.problem(documents=30)
    told.notice()
    told.wait(hours=23).notice()
    assert escalated(told, boss) == []
    mine = [one for one in told.notices() if one.recipient_id == told.recipient().id]
    assert [one.kind for one in mine] == [K.OPENED, K.GROWN, K.RESOLVED] * 2 + [K.OPENED]
    told.wait(hours=1).notice()
    assert len(escalated(told, boss)) == 1


def test_solved_is_not_mailed_where_it_is_back_before_the_mail_leaves(told):
    problem = told.problem(documents=3)
    told.notice()
    told.wait(minutes=2).compose()
    told.resolve(problem)
    told.wait(minutes=15).notice()
    back(told, problem)
    assert told.wait(minutes=2).compose() == 1
    told.notice()
    assert told.wait(minutes=2).compose() == 2 and "Løst" not in told.mails()[1].subject


def test_a_second_person_is_told_once_when_nobody_acts(told, boss):
    told.problem(documents=4)
    told.notice()
    told.wait(hours=23).notice()
    assert escalated(told, boss) == []
    told.wait(hours=1).notice()
    told.wait(hours=24).notice()
    assert len(escalated(told, boss)) == 1
    told.wait(minutes=2).compose()
    subject = told.mails(boss)[-1].subject
    assert subject == "Billy: Nobody has acted for 24 hours: 4 documents wait for you: ean is missing"


def test_nobody_else_is_told_while_somebody_acts(told, boss, make_customer, make_document, make_delivery):
    document = make_document(make_customer(), "1")
    make_delivery(document, DeliveryState.FAILED, error={"da": "Nej", "en": "No"}, next_at=None)
    problems.refresh(told.adaptor_id)
    with transaction():
        db.session.scalars(select(Problem)).one().created_at = told.now
    told.notice()
    told.wait(hours=20)
    db.session.add(
        Event(subscription_id=told.subscription_id, document_id=document.id, actor="ejer@example.com", kind="note",
              created_at=told.now)
    )  # fmt: skip
    db.session.commit()
    told.wait(hours=10).notice()
    assert escalated(told, boss) == []
    told.wait(hours=14).notice()
    assert len(escalated(told, boss)) == 1


def test_a_former_member_is_told_nothing_more(told, other):
    mine = told.recipient()
    preferences.save_watch(told.subscription_id, told.adaptor_id, mine.id, "1", True)
    told.wish(negative_document=Rhythm.DAILY)
    told.problem(documents=3)
    told.notice()
    with transaction() as session:
        session.delete(session.scalars(select(Membership).where(Membership.user_id == told.user_id)).one())
    told.wait(hours=2).notice()
    assert [one.kind for one in told.notices()] == [K.OPENED] and told.wait(days=1).compose() == 0
    assert told.notices()[0].mail_at is None
