"""Who is told what, how soon, and by which way."""

from __future__ import annotations

import dataclasses
import re
from datetime import time, timedelta

import pytest
from sqlalchemy import select

from invoiceapp.config import MailServer
from invoiceapp.domain.notifying import Rhythm
from invoiceapp.models import Adaptor, Recipient, Watch, Webhook, WebhookCall, db, utcnow
from invoiceapp.services.notifications import preferences, recipients

WISHES = {
    "negative_document": "hourly", "negative_adaptor": "now", "positive_document": "daily", "positive_adaptor": "off",
}  # fmt: skip


@pytest.fixture(autouse=True)
def always_rung(monkeypatch):
    rung: list[tuple[str, ...]] = []
    monkeypatch.setattr("invoiceapp.services.bell.ring", lambda task, *ids: bool(rung.append((task, *ids))) or True)
    return rung


@pytest.fixture
def second(subscription):
    row = Adaptor(subscription_id=subscription.id, name="Den anden", source_kind="billy", settings={})
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def other(subscription):
    """``other(confirmed=True)``: another address that is told."""
    subscription_id = subscription.id

    def make(email: str = "post@example.com", *, confirmed: bool = True) -> Recipient:
        row = db.session.get_one(Recipient, recipients.add(subscription_id, email, "Post", "en"))
        row.confirmed_at = utcnow() if confirmed else None
        db.session.commit()
        return row

    return make


def mine(user, adaptor_id=None) -> preferences.Wishes:
    db.session.expire_all()
    row = recipients.of_user(user.memberships[0].subscription_id, user.id)
    return preferences.effective([row.id], adaptor_id)[row.id]


def test_my_wishes_are_kept_and_shown(signed_in, submit, user, adaptor):
    assert signed_in.get("/notifications/settings").location == "/notifications"
    answer = submit(signed_in, "/notifications/wishes", WISHES)
    assert (answer.status_code, answer.location) == (303, "/notifications#wishes")
    assert mine(user, adaptor.id) == preferences.Wishes(Rhythm.HOURLY, Rhythm.NOW, Rhythm.DAILY, Rhythm.OFF)
    shown = re.findall(r'<option value="(\w+)"\s+selected>', signed_in.get("/notifications").text)
    assert shown[:4] == list(WISHES.values())


def test_a_wish_for_one_adaptor_leaves_the_others_alone(signed_in, submit, user, adaptor, second):
    submit(signed_in, f"/notifications/wishes?adaptor={second.id}", WISHES | {"scope": "one"})
    assert mine(user, second.id).negative_document is Rhythm.HOURLY
    assert mine(user, adaptor.id) == preferences.Wishes()
    # And back: from now on it follows what holds for all.
    submit(
        signed_in, f"/notifications/wishes?adaptor={second.id}", WISHES | {"scope": "all", "negative_document": "off"}
    )
    assert mine(user, second.id).negative_document is mine(user, adaptor.id).negative_document is Rhythm.OFF


def test_a_member_has_wishes_of_their_own(member, submit, adaptor):
    assert submit(member, "/notifications/wishes", WISHES).status_code == 303
    assert submit(member, "/notifications/hours", {"daily_at": "09:15"}).status_code == 303


def test_a_wish_that_does_not_exist_is_refused(signed_in, submit, user, adaptor):
    answer = submit(signed_in, "/notifications/wishes", WISHES | {"negative_document": "sometimes"})
    assert answer.status_code == 422
    assert "Choose how soon you want to be told." in answer.text
    assert mine(user) == preferences.Wishes()


def test_hours_are_kept(signed_in, submit, user):
    submit(
        signed_in, "/notifications/hours",
        {"daily_at": "06:45", "quiet_from": "20:00", "quiet_until": "07:00", "zone": "America/Nuuk"},
    )  # fmt: skip
    row = recipients.of_user(user.memberships[0].subscription_id, user.id)
    assert (row.daily_at, row.quiet_from, row.quiet_until, row.zone) == (time(6, 45), time(20), time(7), "America/Nuuk")


@pytest.mark.parametrize(
    ("path", "form", "part"),
    [
        ("hours", {"daily_at": "06:45"}, "hours"), ("wishes", WISHES, "wishes"),
        ("others", {"email": "post@example.com", "language": "da"}, "others"),
        ("watch", {"escalate_hours": "24"}, "watch"),
    ],
)  # fmt: skip
def test_what_was_done_is_said_once_in_the_part_that_the_page_shows(signed_in, submit, adaptor, path, form, part):
    answer = submit(signed_in, f"/notifications/{path}", form)
    assert answer.location.endswith(f"#{part}")
    page = signed_in.get("/notifications").text
    inside = page.partition(f'id="{part}"')[2].partition("</section>")[0]
    assert page.count("notice-success") == inside.count("notice-success") == 1
    assert "notice-success" not in signed_in.get("/notifications").text


def test_hours_that_make_no_sense_stay_typed_with_a_complaint(signed_in, submit):
    answer = submit(signed_in, "/notifications/hours", {"daily_at": "06:45", "quiet_from": "20:00", "zone": "UTC"})
    assert answer.status_code == 422
    assert "Fill in both from and until, or neither." in answer.text
    assert 'value="20:00"' in answer.text
    assert "<title>Error:" in answer.text


def test_what_keeps_mails_from_coming_is_said_and_can_be_undone(app, signed_in, submit, user, subscription):
    assert "No mails are sent from this installation yet" in signed_in.get("/notifications").text
    server = MailServer("localhost", 25, "none", "faktura@example.com")
    app.extensions["invoiceapp.config"] = dataclasses.replace(app.extensions["invoiceapp.config"], mail=server)
    row = recipients.stored(subscription.id, user.id)
    row.unsubscribed_at = utcnow()
    db.session.commit()
    assert "You have stopped your mails" in signed_in.get("/notifications").text
    submit(signed_in, "/notifications/mail")
    assert "You have stopped your mails" not in signed_in.get("/notifications").text


def test_another_address_is_asked_and_shown_as_waiting(signed_in, submit, subscription):
    answer = submit(
        signed_in, "/notifications/others", {"email": "Post@Example.com", "name": "Post", "language": "en"},
        follow_redirects=True,
    )  # fmt: skip
    assert "Waits for its owner to confirm" in answer.text
    (row,) = recipients.others(subscription.id)
    assert (row.email, row.tongue, row.gets_mail) == ("post@example.com", "en", False)


def test_an_address_that_is_none_stays_typed_with_a_complaint(signed_in, submit, subscription):
    answer = submit(signed_in, "/notifications/others", {"email": "nobody", "name": "N", "language": "da"})
    assert answer.status_code == 422
    assert 'value="nobody"' in answer.text
    assert recipients.others(subscription.id) == []


def test_an_address_that_is_there_is_not_entered_twice(signed_in, submit, other, subscription):
    other()
    answer = submit(signed_in, "/notifications/others", {"email": "post@example.com"})
    assert answer.status_code == 409
    assert "The address is there already." in answer.text
    assert len(recipients.others(subscription.id)) == 1


def test_wishes_and_hours_of_another_address_are_its_own(signed_in, submit, user, adaptor, other):
    row = other()
    assert "What post@example.com is told" in signed_in.get(f"/notifications/others/{row.id}").text
    submit(signed_in, f"/notifications/others/{row.id}/wishes", WISHES)
    submit(signed_in, f"/notifications/others/{row.id}/hours", {"daily_at": "05:00"})
    row = db.session.get_one(Recipient, row.id, populate_existing=True)
    assert row.daily_at == time(5)
    assert preferences.effective([row.id], adaptor.id)[row.id].negative_document is Rhythm.HOURLY
    assert mine(user, adaptor.id) == preferences.Wishes()


def test_an_address_can_be_asked_again_and_removed(signed_in, submit, other, subscription):
    confirmed = other("first@example.com")
    again = submit(signed_in, f"/notifications/others/{confirmed.id}/ask", follow_redirects=True)
    assert "The address is confirmed already." in again.text
    recipients.remove(confirmed.id)
    row = other(confirmed=False)
    assert (
        "A new link is on its way."
        in submit(signed_in, f"/notifications/others/{row.id}/ask", follow_redirects=True).text
    )
    submit(signed_in, f"/notifications/others/{row.id}/remove")
    assert recipients.others(subscription.id) == []


def test_the_second_person_may_be_a_member_without_a_row(signed_in, submit, user, adaptor):
    data = {"escalate_to": user.id, "escalate_hours": "8", "silence": "true"}
    assert submit(signed_in, "/notifications/watch", data).status_code == 303
    row = db.session.get_one(Watch, adaptor.id)
    assert db.session.get_one(Recipient, row.escalate_to).user_id == user.id
    assert (row.escalate_hours, row.silence) == (8, True)
    assert re.search(rf'<option value="{user.id}"\s+selected>', signed_in.get("/notifications").text)
    submit(signed_in, "/notifications/watch", {"escalate_to": "", "escalate_hours": "24"})
    row = db.session.get_one(Watch, adaptor.id, populate_existing=True)
    assert (row.escalate_to, row.silence) == (None, False)


def test_no_hours_and_nobody_of_ours_are_refused(signed_in, submit, adaptor):
    foreign = submit(
        signed_in, "/notifications/watch", {"escalate_to": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "escalate_hours": "8"}
    )
    assert "Choose somebody who gets mails." in foreign.text
    answer = submit(signed_in, "/notifications/watch", {"escalate_to": "", "escalate_hours": "soon"})
    assert answer.status_code == 422
    assert 'value="soon"' in answer.text


def key_in(html: str) -> str | None:
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", html)
    return found[0] if found else None


def test_the_key_of_a_webhook_is_shown_once(signed_in, submit, adaptor):
    answer = submit(signed_in, "/notifications/webhook", {"url": "https://example.com/hook"})
    assert (answer.status_code, bool(key_in(answer.text))) == (200, True)
    page = signed_in.get("/notifications").text
    assert "https://example.com/hook" in page
    assert key_in(page) is None
    again = submit(signed_in, "/notifications/webhook", {"url": "https://example.com/hook"})
    assert again.status_code == 303
    new = submit(signed_in, "/notifications/webhook", {"url": "https://example.com/hook", "new_key": "1"})
    assert key_in(new.text) not in (None, key_in(answer.text))


def test_a_webhook_is_tested_switched_off_and_removed(signed_in, submit, adaptor, always_rung):
    submit(signed_in, "/notifications/webhook", {"url": "https://example.com/hook"})
    submit(signed_in, "/notifications/webhook/test")
    assert db.session.scalar(select(WebhookCall)).payload["type"] == "test"
    assert ("call_webhooks",) in always_rung
    submit(signed_in, "/notifications/webhook", {"url": "https://example.com/hook", "off": "1"})
    answer = submit(signed_in, "/notifications/webhook/test", follow_redirects=True)
    assert "The webhook is switched off." in answer.text
    submit(signed_in, "/notifications/webhook/remove")
    assert db.session.scalar(select(Webhook)) is None


def test_an_address_that_is_no_address_stays_typed(signed_in, submit, adaptor):
    answer = submit(signed_in, "/notifications/webhook", {"url": "example"})
    assert answer.status_code == 422
    assert 'value="example"' in answer.text


def test_members_look_and_do_not_change_what_is_shared(member, submit, adaptor):
    for path in ("watch", "webhook", "webhook/test", "webhook/remove", "others"):
        data = {"url": "https://example.com", "email": "a@example.com"}
        assert submit(member, f"/notifications/{path}", data).status_code == 403


def test_members_see_no_webhook_and_no_buttons(member, adaptor, other):
    other()
    html = member.get("/notifications").text
    assert "post@example.com" in html
    assert 'id="webhook"' not in html
    assert "/remove" not in html


def test_what_belongs_to_another_subscription_is_not_there(stranger, submit, other, adaptor):
    row = other()
    assert stranger.get(f"/notifications/others/{row.id}").status_code == 404
    for path in ("wishes", "hours", "ask", "remove"):
        assert submit(stranger, f"/notifications/others/{row.id}/{path}").status_code == 404
    for path in ("wishes", "watch", "webhook"):
        assert submit(stranger, f"/notifications/{path}?adaptor={adaptor.id}", WISHES).status_code == 404


def test_a_users_wishes_are_not_anothers_to_change(signed_in, submit, user, subscription):
    row = recipients.stored(subscription.id, user.id)
    db.session.commit()
    assert submit(signed_in, f"/notifications/others/{row.id}/remove").status_code == 404


def test_without_an_adaptor_only_the_person_is_asked(signed_in, submit):
    html = signed_in.get("/notifications").text
    assert 'id="wishes"' in html
    assert 'id="watch"' not in html
    assert submit(signed_in, "/notifications/wishes", WISHES).status_code == 303


def test_of_a_deleted_adaptor_nothing_is_set_up(signed_in, submit, adaptor):
    adaptor.deleted_at = utcnow() - timedelta(days=1)
    db.session.commit()
    page = signed_in.get(f"/notifications?adaptor={adaptor.id}")
    assert 'id="watch"' not in page.text
    answer = submit(signed_in, f"/notifications/watch?adaptor={adaptor.id}", {"escalate_hours": "8", "silence": "true"})
    assert answer.status_code == 409
