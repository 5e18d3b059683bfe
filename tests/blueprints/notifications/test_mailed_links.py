"""The links of our mails: without sign-in, and only a POST acts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from invoiceapp.models import Mail, Recipient, db, utcnow
from invoiceapp.services.notifications import recipients


@pytest.fixture
def row(subscription) -> Recipient:
    """An address that was asked, in English."""
    found = db.session.get_one(Recipient, recipients.add(subscription.id, "post@example.com", "", "en"))
    db.session.commit()
    return found


@pytest.fixture
def confirm_path(row) -> str:
    """Of the link in its mail."""
    text = db.session.query(Mail).one().text
    return re.search(r"http://localhost(/notifications/confirm/\S+)", text)[1]


@pytest.fixture
def stop_path(row) -> str:
    return recipients.unsubscribe_url(row.id).removeprefix("http://localhost")


def press(client, path: str, **options):
    token = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).text)
    return client.post(path, data={"csrf_token": token[1]}, **options)


def state(row: Recipient) -> tuple[bool, bool]:
    db.session.expire_all()
    return row.confirmed_at is not None, row.unsubscribed_at is not None


def test_opening_the_link_asks_and_changes_nothing(client, row, confirm_path, stop_path):
    assert "Do you want to be told?" in client.get(confirm_path).text
    assert "Stop the mails?" in client.get(stop_path).text
    client.head(confirm_path)
    assert state(row) == (False, False)


def test_the_button_confirms_once(client, row, confirm_path):
    answer = press(client, confirm_path)
    assert (answer.status_code, answer.location) == (303, "/notifications/confirmed")
    assert "Thank you" in client.get(answer.location).text
    assert state(row) == (True, False)
    again = client.get(confirm_path)
    assert again.status_code == 404
    assert "The link does not work any more." in again.text


def test_confirming_needs_the_page_that_asks(client, row, confirm_path):
    assert client.post(confirm_path).status_code == 400
    assert state(row) == (False, False)


def test_a_link_that_is_too_old_says_so(client, row, confirm_path):
    row.token_ends = utcnow() - timedelta(minutes=1)
    db.session.commit()
    assert client.get(confirm_path).status_code == 404


def test_a_made_up_link_tells_nothing(client):
    for path in ("/notifications/confirm/nonsense", "/notifications/unsubscribe/nonsense"):
        assert client.get(path).status_code == 404


def test_the_button_stops_the_mails(client, row, confirm_path, stop_path):
    press(client, confirm_path)
    assert "gets no more mails" in press(client, stop_path).text
    assert state(row) == (True, True)


def test_a_mail_program_stops_them_with_one_post(app, row, stop_path):
    """RFC 8058: no cookie, no page before, no redirection."""
    answer = app.test_client().post(stop_path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert state(row)[1]


def test_who_stopped_can_confirm_again_with_a_new_link(client, row, confirm_path, stop_path):
    press(client, confirm_path)
    press(client, stop_path)
    recipients.ask_again(row.id)
    text = db.session.query(Mail).order_by(Mail.id.desc()).first().text
    press(client, re.search(r"http://localhost(/notifications/confirm/\S+)", text)[1])
    assert state(row) == (True, False)


def test_the_page_speaks_the_receivers_language_until_another_is_chosen(client, row, confirm_path):
    assert '<html lang="en"' in client.get(confirm_path).text
    with client.session_transaction() as session:
        session["language"] = "da"
    assert '<html lang="da"' in client.get(confirm_path).text
