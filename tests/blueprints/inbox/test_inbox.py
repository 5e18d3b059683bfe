"""The inbox and the bell."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from invoiceapp.models import Notice, NoticeKind, User, db, new_id, utcnow
from invoiceapp.services.notifications import inbox, recipients


@pytest.fixture
def told(subscription, user):
    """``told(title, **columns)``: one more notice of the signed-in person."""
    subscription_id, user_id = subscription.id, user.id

    def make(title: str = "20 invoices wait for you", **columns) -> Notice:
        recipient = recipients.stored(subscription_id, user_id)
        row = Notice(
            id=new_id(), subscription_id=subscription_id, recipient_id=recipient.id, event=new_id(),
            kind=NoticeKind.OPENED, title={"da": title, "en": title}, **columns,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make


def titles(html: str) -> list[str]:
    return re.findall(r'<div class="inbox-title">(?:<span[^>]*>[^<]*</span>)?\s*([^<]+?)\s*</div>', html)


def bell(html: str) -> str:
    found = re.search(r'id="bell"[^>]*aria-label="([^"]+)"', html)
    assert found
    return found[1]


def test_the_bell_of_every_page_counts_what_is_unread(signed_in, adaptor, told):
    assert bell(signed_in.get("/runs").text) == "No unread messages"
    told()
    assert bell(signed_in.get("/runs").text) == "1 unread message"
    for _ in range(2):
        told()
    assert bell(signed_in.get("/runs").text) == "3 unread messages"


def test_the_bell_does_not_count_further_than_anybody_reads(signed_in, told, monkeypatch):
    monkeypatch.setattr(inbox, "MOST_COUNTED", 3)
    for _ in range(4):
        told()
    html = signed_in.get("/inbox").text
    assert bell(html) == "More than 2 unread messages"
    assert '<span class="shell-bell-count" aria-hidden="true">2+</span>' in html


def test_visitors_have_no_bell(client):
    assert 'id="bell"' not in client.get("/login").text


def test_unread_stand_alone_and_all_newest_first(signed_in, told):
    told("first", read_at=utcnow())
    told("<b>second</b>")
    told("third")
    assert titles(signed_in.get("/inbox").text) == ["third", "&lt;b&gt;second&lt;/b&gt;"]
    assert titles(signed_in.get("/inbox?show=all").text) == ["third", "&lt;b&gt;second&lt;/b&gt;", "first"]


def test_older_ones_follow_by_key(signed_in, told, monkeypatch):
    monkeypatch.setattr(inbox, "PAGE", 2)
    for number in range(3):
        told(str(number))
    first = signed_in.get("/inbox?show=all").text
    assert titles(first) == ["2", "1"]
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    assert titles(signed_in.get(unescape(older)).text) == ["0"]


def test_showing_one_marks_it_and_leads_to_its_list(signed_in, submit, told):
    row = told(path="/?problem=01ABC")
    answer = submit(signed_in, f"/inbox/{row.id}/open")
    assert (answer.status_code, answer.location) == (303, "/?problem=01ABC")
    assert db.session.get(Notice, row.id, populate_existing=True).read_at is not None


def test_a_notice_leads_nowhere_else(signed_in, submit, told):
    for path in ("//elsewhere.example", "https://elsewhere.example", "javascript:alert(1)"):
        assert submit(signed_in, f"/inbox/{told(path=path).id}/open").location == "/"


def test_looking_changes_nothing(signed_in, told):
    row = told()
    for address in ("/inbox", f"/inbox/{row.id}/open", f"/inbox/{row.id}/mark"):
        signed_in.get(address)
    assert db.session.get(Notice, row.id, populate_existing=True).read_at is None


def test_one_can_be_marked_as_read_and_as_unread_again(signed_in, submit, told):
    row = told()
    answer = submit(signed_in, f"/inbox/{row.id}/mark", {"show": "all"})
    assert (answer.status_code, answer.location) == (303, "/inbox?show=all")
    assert db.session.get(Notice, row.id, populate_existing=True).read_at is not None
    submit(signed_in, f"/inbox/{row.id}/mark", {"unread": "1"})
    assert db.session.get(Notice, row.id, populate_existing=True).read_at is None


def test_marking_all_leaves_what_came_since(signed_in, submit, told):
    told("seen")
    page = signed_in.get("/inbox").text
    up_to = re.search(r'name="up_to"\s+value="([^"]+)"', page)
    told("came since")
    answer = submit(signed_in, "/inbox/read", {"up_to": up_to[1]}, follow_redirects=True)
    assert "1 message is marked as read." in answer.text
    assert titles(answer.text) == ["came since"]


@pytest.mark.parametrize("reader", ["member", "stranger"])
def test_somebody_elses_notice_is_not_there(request, submit, told, reader):
    row, client = told(), request.getfixturevalue(reader)
    assert titles(client.get("/inbox?show=all").text) == []
    assert submit(client, f"/inbox/{row.id}/open").status_code == 404
    assert submit(client, f"/inbox/{row.id}/mark").status_code == 404
    submit(client, "/inbox/read", {"up_to": "Z"})
    assert db.session.get(Notice, row.id, populate_existing=True).read_at is None


def test_an_empty_inbox_says_so(signed_in, told):
    assert "You have read everything" in signed_in.get("/inbox").text
    assert "No messages yet" in signed_in.get("/inbox?show=all").text
    told(read_at=utcnow() - timedelta(days=1))
    assert "You have read everything" in signed_in.get("/inbox").text


def test_notices_about_an_adaptor_that_is_no_longer_shared_are_not_there(member, submit, subscription, adaptor):
    user_id = db.session.scalar(select(User.id).where(User.email == "medarbejder@example.com"))
    recipient = recipients.stored(subscription.id, user_id)
    rows = [
        Notice(
            id=new_id(), subscription_id=subscription.id, recipient_id=recipient.id, event=new_id(), kind=NoticeKind.OPENED,
            title={"da": title, "en": title}, adaptor_id=adaptor_id,
        )
        for title, adaptor_id in (("Hemmelig", adaptor.id), ("Fælles", None))
    ]  # fmt: skip
    db.session.add_all(rows)
    db.session.commit()
    for is_shared in (True, False):
        adaptor.grants = [{"to": "everybody", "level": "viewer"}] if is_shared else []
        db.session.commit()
        page = member.get("/inbox?show=all").text
        assert set(titles(page)) == ({"Hemmelig", "Fælles"} if is_shared else {"Fælles"})
        assert bell(page).startswith("2" if is_shared else "1")
    assert submit(member, f"/inbox/{rows[0].id}/mark").status_code == 404
    assert submit(member, f"/inbox/{rows[1].id}/mark").status_code == 303
