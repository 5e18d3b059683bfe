from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from sqlalchemy import select
from support.mailing import received

from invoiceapp.demo.partners.smtp_server import SmtpFaults, SmtpServer
from invoiceapp.models import Mail, MailState, Membership, Notice, NoticeKind, db
from invoiceapp.services.database import transaction
from invoiceapp.services.notifications import composing, inbox, mailing, preferences, recipients

pytestmark = pytest.mark.server
S = MailState


@pytest.fixture
def server(app: Flask, tmp_path: Path) -> Iterator[SmtpServer]:
    """The mail server of this installation."""
    running = SmtpServer(tmp_path / "mails", faults=SmtpFaults())
    config = app.extensions["invoiceapp.config"]
    app.extensions["invoiceapp.config"] = replace(config, mail=replace(config.mail, port=running.port))
    yield running
    running.close()


@pytest.fixture
def waiting(told) -> Callable[[], Mail]:
    """A mail that is due."""

    def make() -> Mail:
        told.problem(documents=3)
        told.notice()
        told.wait(minutes=2).compose()
        return told.mails()[0]

    return make


def send(told, **time: float) -> None:
    now = told.wait(**time).now
    mailing.send_due(lambda: now)
    db.session.expire_all()


def test_a_mail_is_sent_once_with_text_and_html(told, waiting, server, tmp_path):
    mail = waiting()
    assert mailing.due(told.now)
    send(told), send(told, hours=1)
    (found,) = received(tmp_path / "mails")
    assert mail.state is S.SENT and (mail.reply or "").startswith("250")
    assert found["Subject"] == "Billy: 3 dokumenter venter på dig: ean mangler"
    assert (found["From"], found["To"]) == ("Fakturaer <besked@firma.example>", "ejer@example.com")
    assert found["Message-ID"] == mail.message_id and found["Message-ID"].endswith("@firma.example>")
    assert found["List-Unsubscribe"].startswith("<http://localhost/notifications/unsubscribe/")
    text, html = (found.get_body([kind]).get_content() for kind in ("plain", "html"))
    assert "ean mangler" in text and "Din tur: ret det i regnskabssystemet." in text
    assert '<html lang="da">' in html and "Stop mails om dette" in html


def test_what_is_sent_is_the_same_in_every_try(told, waiting, server):
    mail = waiting()
    server_settings = mailing.config().mail
    assert mailing.message(mail, server_settings) == mailing.message(mail, server_settings)


def test_names_and_texts_cannot_add_headers_or_markup(told, server, tmp_path, adaptor):
    adaptor.name = "Billy\r\nBcc: alle@example.com"
    told.problem(documents=1, customer_name="<b>Kommune</b>\nX-Evil: 1")
    told.notice()
    told.wait(minutes=2).compose()
    send(told)
    (found,) = received(tmp_path / "mails")
    assert found["Bcc"] is None and found["X-Evil"] is None and "Billy Bcc: alle@example.com" in found["Subject"]
    assert "&lt;b&gt;Kommune&lt;/b&gt;" in found.get_body(["html"]).get_content()


def test_a_server_that_refuses_for_now_is_tried_again(told, waiting, server):
    mail = waiting()
    server.faults.data = "452 4.3.1 Disk full"
    send(told)
    assert (mail.state, mail.tries, mail.error["class"]) == (S.PENDING, 1, "Unavailable")
    send(told)
    assert mail.tries == 1
    server.faults.data = None
    send(told, minutes=1)
    assert mail.state is S.SENT


def test_a_receiver_that_does_not_exist_is_final_and_keeps_no_other_mail_waiting(told, waiting, server, other):
    told.problem(documents=1)
    other()
    mail = waiting()
    server.faults.mailbox = "550 5.1.1 No such user"
    send(told)
    assert {one.state for one in told.mails()} == {S.FAILED} and mail.error["class"] == "Rejected"
    send(told, hours=5)
    assert mail.tries == 1


def test_a_server_that_cuts_off_before_the_message_is_tried_again(told, waiting, server, tmp_path):
    mail = waiting()
    server.faults.drop_before_data = True
    send(told)
    server.faults.drop_before_data = False
    assert mail.state is S.PENDING
    send(told, minutes=1)
    assert mail.state is S.SENT and len(received(tmp_path / "mails")) == 1


def test_a_lost_answer_after_the_message_is_unknown_and_never_sent_again(told, waiting, server, tmp_path):
    mail = waiting()
    server.faults.drop_after_data = True
    send(told)
    server.faults.drop_after_data = False
    send(told, hours=10)
    assert mail.state is S.UNKNOWN and mail.tries == 1 and len(received(tmp_path / "mails")) == 1


def test_a_broken_server_is_told_in_the_inbox_and_costs_one_try_for_all_mails(told, waiting, other, monkeypatch):
    mail = waiting()
    other(confirmed=False)
    with transaction():
        for one in told.mails():
            one.next_at = told.now
    tries = []
    monkeypatch.setattr(mailing, "connect", lambda *_: tries.append(1) or (_ for _ in ()).throw(closed()))
    send(told)
    assert len(tries) == 1 and mail.state is S.PENDING and not mailing.due(told.now)
    for _ in range(5):
        send(told, hours=1)
    (found, *_) = [notice for notice in told.notices() if notice.kind is NoticeKind.MAIL]
    assert found.mail_at is None and found.adaptor_id is None
    rows, _next = inbox.page(told.subscription_id, told.user_id)
    assert [row.kind for row in rows] == [NoticeKind.MAIL, NoticeKind.OPENED]
    send(told, days=1)
    assert mail.state is S.FAILED


def closed() -> Exception:
    from invoiceapp.domain.findings import Text
    from invoiceapp.gateways.base import Unavailable

    return Unavailable(Text("Nej", "No"))


def test_without_a_mail_server_nothing_is_written_or_sent(app, told):
    app.extensions["invoiceapp.config"] = replace(app.extensions["invoiceapp.config"], mail=None)
    told.problem(documents=3)
    told.notice()
    assert (
        not composing.due(told.wait(minutes=2).now)
        and not mailing.due(told.now)
        and mailing.send_due(lambda: told.now) == 0
    )
    assert inbox.unread(told.subscription_id, told.user_id) == 1


@pytest.mark.parametrize(
    ("state", "later", "sent"), [(S.LEASED, S.SENT, 1), (S.SENDING, S.UNKNOWN, 0)], ids=["before", "while sending"]
)
def test_a_worker_that_died_leaves_what_is_true(told, waiting, server, tmp_path, state, later, sent):
    mail = waiting()
    with transaction():
        mail.state, mail.next_at, mail.fence = state, told.now + timedelta(minutes=5), 1
    send(told)
    assert mail.state is state
    send(told, minutes=5)
    send(told, minutes=5)
    assert mail.state is later and len(list((tmp_path / "mails").iterdir())) == sent


def test_the_question_to_another_address_leaves_no_secret_behind(told, server, tmp_path):
    recipient_id = recipients.add(told.subscription_id, "Revisor@Example.com", "Ida", "en")
    told.now = told.mails()[0].created_at
    send(told)
    (found,) = received(tmp_path / "mails")
    mail = told.mails()[0]
    assert (
        found["To"] == "revisor@example.com"
        and found["Subject"] == "Do you want to be told about invoices of Eksempel ApS?"
    )
    assert (mail.text, mail.html, mail.state) == ("", "", S.SENT)
    token = found.get_body(["plain"]).get_content().split("/notifications/confirm/")[1].split()[0]
    assert recipients.confirm(token, told.now).id == recipient_id
    row = db.session.get_one(type(recipients.of_user("x", "y")), recipient_id)
    assert row.gets_mail and row.token_hash is None
    with pytest.raises(recipients.ServiceError):
        recipients.confirm(token, told.now)


def test_a_server_that_says_nothing_does_not_hold_the_worker_for_long(told, waiting, app, monkeypatch):
    mail = waiting()
    monkeypatch.setattr(mailing, "_STEP", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = app.extensions["invoiceapp.config"]
        mute = replace(config.mail, port=silent.getsockname()[1])
        app.extensions["invoiceapp.config"] = replace(config, mail=mute)
        send(told)
    assert mail.state is S.PENDING and mail.error["class"] == "Unavailable"


def test_a_slow_mail_before_it_shortens_no_lease(told, waiting, server, monkeypatch):
    mail = waiting()
    ready, handed_over = mailing.Postman.be_ready, mailing.Postman.hand_over

    def slow(self) -> None:
        told.wait(minutes=4)
        ready(self)

    def watched(self, *args) -> str:
        told.wait(minutes=4)
        assert not mailing.due(told.now)
        return handed_over(self, *args)

    monkeypatch.setattr(mailing.Postman, "be_ready", slow)
    monkeypatch.setattr(mailing.Postman, "hand_over", watched)
    mailing.send_due(lambda: told.now)
    db.session.expire_all()
    assert mail.state is S.SENT and mail.finished_at == told.now


def test_a_worker_that_tells_the_same_at_the_same_time_changes_nothing_of_the_mail(told, app, waiting, monkeypatch):
    mail = waiting()
    recipient_id = told.recipient().id
    with transaction():
        mail.tries = 5
    monkeypatch.setattr(mailing, "connect", lambda *_: (_ for _ in ()).throw(closed()))
    write = mailing.noticing.tell

    def as_well(subscription_id, adaptor_id, people, news, now) -> int:
        def other() -> None:
            with app.app_context(), transaction() as session:
                session.add(
                    Notice(subscription_id=subscription_id, recipient_id=recipient_id, event=news[0].event, kind=news[0].kind,
                           title={}, created_at=now)
                )  # fmt: skip

        db.session.rollback()  # gives SQLite's one write lock to the other
        thread = Thread(target=other)
        thread.start()
        thread.join()
        return write(subscription_id, adaptor_id, people, news, now)

    monkeypatch.setattr(mailing.noticing, "tell", as_well)
    send(told)
    assert (mail.state, mail.error["class"]) == (S.PENDING, "Unavailable")
    assert [one.kind for one in told.notices()] == [NoticeKind.OPENED, NoticeKind.MAIL]


@pytest.mark.parametrize("state", [S.PENDING, S.LEASED])
@pytest.mark.parametrize("how", ["unsubscribes", "is removed", "is no member any more"])
def test_a_mail_that_waits_leaves_no_more_when_its_receiver(told, other, server, tmp_path, state, how):
    person = told.recipient() if how == "is no member any more" else other()
    told.problem(documents=3)
    told.notice()
    told.wait(minutes=2).compose()
    (*_, mail) = told.mails(person)
    with transaction() as session:
        for one in told.mails():
            if one is not mail:
                session.execute(Notice.__table__.update().where(Notice.mail_id == one.id).values(mail_id=None))
                session.delete(one)
        if state is S.LEASED:
            mail.state, mail.fence, mail.next_at = S.LEASED, 1, told.now
    if how == "unsubscribes":
        recipients.unsubscribe(recipients.unsubscribe_url(person.id).rsplit("/", 1)[1])
    elif how == "is removed":
        recipients.remove(person.id)
    else:
        with transaction() as session:
            session.delete(session.scalars(select(Membership).where(Membership.user_id == told.user_id)).one())
    send(told)
    assert (mail.state, mail.error, mail.next_at) == (S.FAILED, None, None) and not list((tmp_path / "mails").iterdir())


def test_a_mail_that_is_tried_again_waits_for_the_end_of_the_quiet_hours(told, server):
    told.now = told.now.replace(hour=20, minute=55)  # 21.55
    hours = {"zone": "Europe/Copenhagen", "daily_at": "07:30", "quiet_from": "22:00", "quiet_until": "06:00"}
    preferences.save_hours(told.recipient(), hours, told.now)
    told.problem(documents=3)
    told.notice()
    told.wait(minutes=2).compose()
    (mail,) = told.mails()
    server.faults.data = "452 4.3.1 Disk full"
    send(told)
    server.faults.data = None
    send(told, minutes=10)
    assert (mail.state, mail.tries) == (S.PENDING, 1)
    assert mail.next_at == told.now.replace(hour=5, minute=0) + timedelta(days=1)
    send(told, hours=8)
    assert mail.state is S.SENT
