"""The desk of unknown outcomes: read what is known, and decide, on a phone without JavaScript, too."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import expect
from support.product import Product

pytestmark = pytest.mark.browser

_LEFT = (
    "SELECT d.id, document.number FROM delivery d JOIN document ON document.id = d.document_id "
    "WHERE d.state = 'accepted' AND d.environment = 'live' ORDER BY d.id LIMIT 1"
)
_LOSE = "UPDATE delivery SET state = 'outcome_unknown', next_at = NULL, poll_at = NULL WHERE id = ?"


@pytest.fixture
def number(product: Product) -> Iterator[str]:
    """Of a document whose receipt we have lost. Being marked as received makes it what it was."""
    path = next(product.folder.rglob("invoiceapp.sqlite3"))
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        found = None
        for _ in range(240):
            found = database.execute(_LEFT).fetchone()
            if found:
                break
            time.sleep(0.5)
        assert found, "nothing was handed over"
        database.execute(_LOSE, found[:1])
        yield found[1]


def test_what_nobody_knows_is_read_and_decided(
    number: str, open_page: Any, no_axe_violations: Any, screenshot: Any
) -> None:
    wide = open_page()
    wide.goto("/unknown-outcomes")
    expect(wide.locator("main section.card").filter(has_text=number)).to_have_count(1)
    no_axe_violations(wide)
    screenshot(wide, "unknown-outcomes-1280")
    phone = open_page(390, dark=True, javascript=False)
    phone.goto("/unknown-outcomes")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(phone, "unknown-outcomes-390-dark")
    phone.locator("main section.card").filter(has_text=number).locator("a[id^=mark-received-]").click()
    phone.locator("#note").fill("Køber har svaret, at den er kommet.")
    phone.locator("main form button[type=submit]").last.click()
    phone.wait_for_url(re.compile(r"/documents/[^/]+$"))
    phone.goto("/unknown-outcomes")
    expect(phone.locator("main section.card").filter(has_text=number)).to_have_count(0)
