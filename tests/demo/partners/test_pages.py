"""The page that shows what arrived."""

from __future__ import annotations

import hashlib

import pytest
from flask import Flask

from invoiceapp.demo.partners import Arrivals, partners_pages

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
