"""The page that shows what arrived."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from invoiceapp.demo.partners import Arrivals, partners_pages
from invoiceapp.demo.partners.buyers import demo_conduct
from invoiceapp.demo.partners.providers import Provider
from invoiceapp.demo.partners.timed_account import TimedAccount

XML = b"<Invoice>\xc3\xa6</Invoice>"


@pytest.fixture
def client(tmp_path):
    app = Flask(__name__)
    app.register_blueprint(partners_pages(Arrivals(tmp_path)))
    return app.test_client()


def test_the_page_says_that_nothing_came(client):
    assert "Intet er modtaget" in client.get("/partners").text
    assert client.get("/partners.json").json == []


def test_the_page_shows_name_and_hash_and_escapes(client, tmp_path):
    (tmp_path / "sftp").mkdir()
    (tmp_path / "sftp" / "<b>&.xml").write_bytes(XML)
    page = client.get("/partners").text
    assert "&lt;b&gt;&amp;.xml" in page
    assert hashlib.sha256(XML).hexdigest() in page
    assert "<script" not in page
    (row,) = client.get("/partners.json").json
    assert (row["name"], row["kind"], row["size"]) == ("<b>&.xml", "sftp", len(XML))


class OneProvider:
    """With an account."""

    def __init__(self, account):
        self.account = account
        self.all = (Provider("sproom", "http://127.0.0.1:1/api", {"token": "secret-token"}),)


def test_what_sproom_got_is_shown_with_its_answer(tmp_path, invoice, receiver):
    now = [datetime(2026, 11, 2, 10, tzinfo=UTC)]
    account = TimedAccount(tmp_path / "account", lambda _: True, demo_conduct(), lambda: now[0])
    app = Flask(__name__)
    app.register_blueprint(partners_pages(Arrivals(tmp_path), OneProvider(account)))
    client = app.test_client()
    assert "Through the provider Sproom" in client.get("/partners").text
    kept = account.keep(invoice(receiver("V17"), number="1488", order=None, oioubl=False))
    now[0] += timedelta(minutes=1)
    page = client.get("/partners").text
    assert "1488" in page and "Kunde &lt;&amp; Søn&gt;" in page and "Rejected: Ordrenummer mangler" in page
    assert "secret-token" in page
    assert client.get(f"/partners/sproom/{kept.id}.xml").data == kept.content
    [row] = client.get("/partners/sproom.json").json
    assert (row["number"], row["state"], row["sha256"]) == (
        "1488", "Rejected", hashlib.sha256(kept.content).hexdigest()
    )  # fmt: skip
    [response] = row["responses"]
    assert b"ApplicationResponse" in client.get(f"/partners/sproom/{response}.xml").data
    assert client.get("/partners/sproom/unknown.xml").status_code == 404
    assert client.get("/partners.json").json == []
