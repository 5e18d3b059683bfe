from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy import event, inspect

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.notifying import Rhythm
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    NoticeKind,
    Receipt,
    Run,
    RunState,
    Watch,
    db,
    new_id,
)
from invoiceapp.services.configuration import deletion
from invoiceapp.services.daily import problems
from invoiceapp.services.database import transaction
from invoiceapp.services.notifications import alarms, calling, inbox, noticing, preferences

K = NoticeKind


def kinds(told) -> list[NoticeKind]:
    return [notice.kind for notice in told.notices()]


def test_a_problem_is_noticed_once_and_mailed_after_it_has_settled(told):
    told.problem(documents=3)
    told.notice(), told.notice()
    assert kinds(told) == [K.OPENED] and told.compose() == 0
    told.wait(minutes=2)
    assert told.compose() == 1 and told.compose() == 1
    mail = told.mails()[0]
    assert mail.to == "ejer@example.com" and mail.subject == "Billy: 3 dokumenter venter på dig: ean mangler"


def again(document: Document, delivery: Delivery, numbers: range) -> None:
    """The same once more for each number but 0."""
    for number in numbers:
        if number:
            copied = copy(document, number=str(number), source_id=str(number), delivery_id=None)
            db.session.add(copied)
            db.session.flush()
            db.session.add(copy(delivery, document_id=copied.id, idem_key=str(number)))
    db.session.commit()


def copy(row: Any, **changes: Any) -> Any:
    values = {column.key: getattr(row, column.key) for column in inspect(type(row)).columns}
    return type(row)(**values | {"id": new_id()} | changes)


def test_500_failures_of_one_cause_are_one_mail(told, make_customer, make_document, make_delivery):
    finding = {
        "rule": "PEPPOL-EN16931-R010", "severity": "fatal", "text": {"da": "mangler EAN-nummer", "en": "has no EAN"},
        "turn": "source", "fix": "customer.gln",
    }  # fmt: skip
    document = make_document(make_customer(), "0")
    delivery = make_delivery(document, DeliveryState.BLOCKED, findings=[finding], next_at=None)
    for numbers in (range(1), range(1, 61), range(61, 500)):
        again(document, delivery, numbers)
        problems.refresh(told.adaptor_id)
        told.wait(seconds=30).notice()
    told.wait(minutes=3).notice()
    assert told.compose() == 1
    for _ in range(30):
        told.wait(minutes=10).notice()
        told.compose()
    mail = told.mails()[0]
    assert len(told.mails()) == 1 and len(told.notices()) == 1
    assert mail.subject == "Billy: 500 fakturaer venter på dig: Kommune Eksempel: mangler EAN-nummer"
    assert "og 495 til" in mail.text and f"http://localhost/?adaptor={told.adaptor_id}&problem=" in mail.text
    assert "Din tur: ret det i regnskabssystemet." in mail.text and "&amp;problem=" in mail.html


def test_what_mends_itself_before_it_was_mailed_needs_no_mail(told):
    problem = told.problem(documents=3)
    told.notice()
    told.resolve(problem)
    assert told.wait(minutes=3).compose() == 0
    told.wait(minutes=15).notice()
    told.wait(days=1)
    assert kinds(told) == [K.OPENED, K.RESOLVED] and told.compose() == 0


def test_those_who_were_mailed_are_told_when_it_is_solved(told, other):
    revisor = other()
    problem = told.problem(documents=3)
    told.notice()
    told.wait(minutes=2).compose()
    told.resolve(problem)
    told.notice()
    told.wait(minutes=15).notice(), told.notice()
    told.wait(minutes=2).compose()
    assert [mail.subject for mail in told.mails(told.recipient())][1:] == ["Billy: Løst: ean mangler"]
    assert [mail.subject for mail in told.mails(revisor)][2:] == ["Billy: Solved: ean is missing"]


def test_a_problem_that_came_and_went_between_two_looks_is_not_told(told):
    told.resolve(told.problem(documents=1))
    told.notice()
    assert told.notices() == []


def test_growth_is_told_in_the_next_digest_only_and_only_when_it_is_great(told):
    told.problem(documents=10)
    told.notice()
    told.wait(minutes=2).compose()
    told.wait(hours=2)
    for documents in (15, 19, 25, 30):
        told.problem(documents=documents)
        told.notice()
    assert kinds(told) == [K.OPENED, K.GROWN] and told.wait(minutes=5).compose() == 1
    told.wait(hours=22)
    assert told.compose() == 2 and "Det er blevet til flere: 25" in told.mails()[1].subject


def test_bad_news_stands_in_the_inbox_of_who_wants_no_mail_and_good_news_nowhere(told):
    told.wish(negative_document=Rhythm.OFF)
    told.problem(documents=1)
    run(told)
    told.notice()
    assert kinds(told) == [K.OPENED] and told.wait(days=1).compose() == 0
    assert inbox.unread(told.subscription_id, told.user_id) == 1


def test_an_address_that_has_not_confirmed_is_told_nothing(told, other):
    row = other(confirmed=False)
    told.problem(documents=1)
    told.notice()
    told.wait(days=1).compose()
    assert [mail.kind for mail in told.mails(row)] == ["confirm"]
    assert {notice.recipient_id for notice in told.notices()} == {told.recipient().id}


def test_an_adaptors_own_wish_counts_before_the_one_for_all(told):
    told.wish(negative_document=Rhythm.OFF)
    preferences.save(told.recipient(), told.adaptor_id, preferences.Wishes(), told.now)
    told.problem(documents=1)
    told.notice()
    assert told.wait(minutes=2).compose() == 1


def run(told, **columns) -> Run:
    row = Run(
        id=new_id(), subscription_id=told.subscription_id, adaptor_id=told.adaptor_id, trigger="schedule",
        **{"state": RunState.FINISHED, "read": 40, "queued": 12, "finished_at": told.now, **columns},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def test_runs_that_finished_are_told_with_their_figures_and_once(told):
    told.wish(positive_adaptor=Rhythm.HOURLY)
    run(told)
    told.notice()
    assert told.notices() == []  # ran before anybody watched
    run(told), run(told), run(told, queued=0)
    told.notice(), told.notice()
    assert kinds(told) == [K.FINISHED, K.FINISHED]
    told.wait(hours=1).compose()
    assert "Billy: 2 kørsler er færdige: 80 dokumenter læst, 24 dokumenter til afsendelse." in told.mails()[0].text


def test_runs_that_ended_before_anybody_watched_are_no_news_while_one_is_active(told):
    told.wish(positive_adaptor=Rhythm.HOURLY)
    run(told), run(told)
    active = run(told, state=RunState.RUNNING)
    told.notice(), told.notice()
    assert told.notices() == []
    active.state = RunState.FINISHED
    db.session.commit()
    told.notice()
    assert [one.run_id for one in told.notices()] == [active.id]


def test_a_run_that_is_still_under_way_is_told_when_it_ends(told):
    told.wish(positive_adaptor=Rhythm.HOURLY)
    row = run(told, state=RunState.RUNNING)
    told.notice()
    told.notice()
    row.state = RunState.FINISHED
    db.session.commit()
    told.notice()
    assert kinds(told) == [K.FINISHED]


def test_what_arrived_is_told_as_figures_for_whole_quarters_of_an_hour(
    told, make_customer, make_document, make_delivery
):
    told.wish(positive_document=Rhythm.DAILY)
    customer = make_customer()
    for number in range(5):
        kind = DocumentType.CREDIT_NOTE if number == 0 else DocumentType.INVOICE
        moment = told.now + timedelta(minutes=5 if number < 3 else 20)
        document = make_document(customer, str(number), type=kind)
        make_delivery(document, DeliveryState.DELIVERED if number % 2 else DeliveryState.ACCEPTED, finished_at=moment)
    told.wait(minutes=10).notice()
    assert told.notices() == []
    told.wait(minutes=7).notice()
    told.notice()
    told.wait(minutes=30).notice()
    assert [one.figures for one in told.notices()] == [{"creditNote": 1, "invoice": 2}, {"invoice": 2}]
    told.wait(days=1).compose()
    assert "Billy: 4 fakturaer og 1 kreditnota er sendt." in told.mails()[0].text


def test_what_arrived_is_told_once_however_many_receipts_follow(told, make_customer, make_document, make_delivery):
    told.wish(positive_document=Rhythm.NOW)
    delivery = make_delivery(make_document(make_customer()), DeliveryState.ACCEPTED, next_at=None)
    told.wait(minutes=1)
    for state in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.ACKNOWLEDGED):
        with transaction() as session:
            delivery.state, delivery.finished_at = state, told.now
            session.add(Receipt(delivery_id=delivery.id, kind="wire", reference="r", created_at=told.now))
        told.wait(minutes=20).notice()
    assert [one.figures for one in told.notices()] == [{"invoice": 1}]


def test_nothing_is_mailed_in_the_quiet_hours(told):
    preferences.save_hours(
        told.recipient(),
        {"zone": "Europe/Copenhagen", "daily_at": "07:00", "quiet_from": "18:00", "quiet_until": "07:30"},
    )
    told.wait(hours=10)  # 20.00
    told.problem(documents=1)
    told.notice()
    told.wait(hours=11)
    assert told.compose() == 0
    assert told.wait(minutes=30).compose() == 1


def test_what_is_noticed_is_due_at_once_and_every_adaptor_after_a_while(told):
    db.session.get_one(Watch, told.adaptor_id).alarms_at = told.now
    db.session.commit()
    assert noticing.due(told.now) == []
    problem = told.problem(documents=1)
    assert noticing.due(told.now) == [told.adaptor_id]
    told.notice()
    assert noticing.due(told.now) == []
    told.resolve(problem)
    assert noticing.due(told.now) == []
    told.wait(minutes=15)
    db.session.get_one(Watch, told.adaptor_id).alarms_at = told.now
    db.session.commit()
    assert noticing.due(told.now) == [told.adaptor_id]
    told.notice()
    assert noticing.due(told.now) == []
    assert noticing.due(told.wait(minutes=10).now) == [told.adaptor_id]


def test_the_daily_digest_follows_its_hour(told):
    told.wish(negative_document=Rhythm.DAILY)
    preferences.save_hours(told.recipient(), {"zone": "Europe/Copenhagen", "daily_at": "16:00"}, told.now)
    assert told.recipient().daily_at == time(16)
    told.problem("ean", documents=2), told.problem("moms", documents=1)
    told.notice()
    told.wait(hours=5, minutes=59)
    assert told.compose() == 0
    assert told.wait(minutes=1).compose() == 1
    assert told.mails()[0].subject.endswith("(og 1 til)")


def test_an_adaptor_that_cannot_be_noticed_keeps_no_other_waiting(told, monkeypatch, caplog):
    with transaction() as session:
        session.add(
            Adaptor(subscription_id=told.subscription_id, name="B", source_kind="billy", source_config={}, settings={})
        )
        session.get_one(Watch, told.adaptor_id).alarms_at = None
    first, second = noticing.due(told.now, 50)
    refresh = alarms.refresh

    def broken(adaptor_id, *rest):
        if adaptor_id == first:
            raise KeyError("unforeseen")
        refresh(adaptor_id, *rest)

    monkeypatch.setattr(alarms, "refresh", broken)
    assert noticing.notice_due(told.now) == 2
    assert db.session.get_one(Watch, second).alarms_at == told.now
    assert f"adaptor {first} cannot be noticed" in caplog.text


def test_many_problems_are_told_in_slices_with_as_many_questions_as_for_few(told, monkeypatch, statements):
    def looked(number: int) -> int:
        for one in range(number):
            told.problem(f"{number}/{one}", documents=1)
        statements.clear()
        told.notice()
        return len([one for one in statements if one.startswith("SELECT")])

    told.notice()
    assert looked(20) == looked(3)
    monkeypatch.setattr(noticing, "SLICE", 5)
    monkeypatch.setattr(alarms, "refresh", lambda *_: None)
    for one in range(12):
        told.problem(f"more/{one}", documents=1)
    noticing.notice_due(told.now)
    assert len(told.notices()) == 35


@pytest.fixture
def statements(app):
    found: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        found.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield found
    event.remove(db.engine, "before_cursor_execute", note)


def test_a_wish_that_changes_keeps_the_pace_of_what_nobody_acted_on_and_of_growth(told):
    mine = told.recipient()
    told.wish(negative_document=Rhythm.DAILY)
    preferences.save_watch(told.subscription_id, told.adaptor_id, mine.id, "1", True)
    told.problem(documents=10)
    told.notice()
    told.wait(hours=2)
    told.problem(documents=30)
    told.notice()
    told.wish(negative_document=Rhythm.NOW)
    found = {one.kind: one.mail_at for one in told.notices()}
    soon = told.now + timedelta(minutes=2)
    assert (found[K.OPENED], found[K.ESCALATED]) == (soon, soon) and found[K.GROWN] > told.now + timedelta(hours=12)
    told.wish(negative_document=Rhythm.OFF)
    assert {one.kind: one.mail_at for one in told.notices()} == {K.OPENED: None, K.GROWN: None, K.ESCALATED: soon}


def test_a_deleted_adaptor_tells_nothing_more_and_leaves_no_webhook_and_no_alarm(told, adaptor):
    calling.save(told.adaptor_id, "https://example.com/hook")
    calling.ping(told.adaptor_id, told.now)
    alarm, stopped = told.problem("login"), told.problem(documents=2)
    told.notice()
    told.wait(minutes=2).compose()
    told.problem("moms", documents=1)
    told.notice()
    deletion.delete(told.adaptor_id, adaptor.name, "ejer@example.com")
    assert calling.of_adaptor(told.adaptor_id) is None and not calling.due(told.wait(days=1).now)
    assert not alarm.is_open and stopped.is_open  # its documents are looked at as ever
    told.resolve(stopped)
    told.problem("new", documents=1)
    assert noticing.due(told.wait(hours=1).now, 9) == [] and told.compose() == 1
