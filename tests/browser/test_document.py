"""The document page as an accountant uses it: where it stands, what is wrong and where, and what can be done."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from playwright.sync_api import Page, expect
from support.product import Product

pytestmark = pytest.mark.browser

FOUND = [
    {"rule": "BR-DK-1", "severity": "fatal", "text": {"da": "Kundens EAN mangler.", "en": "No EAN."}, "turn": "here",
     "term": "BT-49", "location": "/*/*[local-name()='AccountingCustomerParty']", "fix": "customer.endpoint"},
    {"rule": "W-1", "severity": "warning", "text": {"da": "Linjen har ingen enhed.", "en": "No unit."}, "turn": "source",
     "location": "BG-25[1]", "fix": "source.invoice"},
    {"rule": "W-2", "severity": "warning", "text": {"da": "Noget andet.", "en": "Something."}, "turn": "source",
     "location": "/Nowhere"},
]  # fmt: skip


_LEFT = (
    "SELECT d.id, d.document_id, d.state, d.findings, d.first_sent_at FROM delivery d JOIN rendition r ON r.id = d.rendition_id "
    "WHERE d.state IN ('accepted', 'delivered', 'acknowledged') AND d.format {} ORDER BY d.id LIMIT {}"
)
_CHANGE = "UPDATE delivery SET state = ?, findings = ?, first_sent_at = ?, next_at = NULL, poll_at = NULL WHERE id = ?"


def _once_there(database: sqlite3.Connection, formats: str, count: int) -> list[tuple]:
    for _ in range(240):
        found = database.execute(_LEFT.format(formats, count)).fetchall()
        if len(found) == count:
            return found
        time.sleep(0.5)
    raise AssertionError(f"no {count} documents with a format {formats} have left")


@contextmanager
def _unguarded(database: sqlite3.Connection) -> Iterator[None]:
    """Any state may follow any other inside."""
    (guard,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'delivery_moves_legally'").fetchone()
    database.execute("DROP TRIGGER delivery_moves_legally")
    yield
    database.execute(guard)


@pytest.fixture
def documents(product: Product) -> Iterator[dict[str, str]]:
    """Addresses of a blocked document, an unclear one and an EDIFACT one; afterwards they are what they were."""
    path = next(product.folder.rglob("invoiceapp.sqlite3"))
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        blocked, unclear = _once_there(database, "IN ('peppol-bis-3', 'oioubl-2.1')", 2)
        (edifact,) = _once_there(database, "= 'edifact-d96a'", 1)
        with _unguarded(database):
            database.execute(_CHANGE, ("blocked", json.dumps(FOUND), None, blocked[0]))
            database.execute(_CHANGE, ("outcome_unknown", "[]", unclear[4], unclear[0]))
        rows = {"blocked": blocked, "unknown": unclear, "edifact": edifact}
        yield {name: f"/documents/{row[1]}" for name, row in rows.items()}
        for key, document_id, state, findings, first_sent_at in (blocked, unclear):
            database.execute("UPDATE document SET stage = 'converted' WHERE id = ?", (document_id,))
            with _unguarded(database):
                database.execute(_CHANGE, (state, findings, first_sent_at, key))


def _fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_document_is_understood_and_decided_upon(product, documents, open_page, no_axe_violations, screenshot):
    for width, dark in ((1280, False), (390, True)):
        page = open_page(width=width, dark=dark)
        for name, url in documents.items():
            page.goto(url)
            expect(page.locator(".track-step")).to_have_count(6)
            no_axe_violations(page)
            assert _fits(page), (name, width)
            screenshot(page, f"document-{name}-{width}{'-dark' if dark else ''}")
            page.locator("#xml").scroll_into_view_if_needed()
            screenshot(page, f"document-{name}-file-{width}{'-dark' if dark else ''}")

    page = open_page()
    page.goto(documents["blocked"])
    expect(page.locator(".track-stopped")).to_contain_text("Kundens EAN mangler.")
    assert "#field-customer.endpoint" in page.locator("#fix").get_attribute("href")
    page.locator("#finding-1").get_by_role("link", name=re.compile("1")).last.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#place-1")).to_be_in_viewport()
    page.locator("#place-1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#finding-1")).to_be_in_viewport()
    expect(page.locator("#place-2")).to_be_visible()
    expect(page.locator("#place-3")).to_have_count(0)
    folded = page.locator("#xml-text details:not([open])")
    assert folded.count() > 0
    page.locator("#unfold").click()
    expect(folded).to_have_count(0)

    page.locator("#compare").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#comparison")).to_contain_text("Det samme")
    no_axe_violations(page)
    screenshot(page, "document-compared")

    page.locator("[data-dialog=dialog-handle-outside]").click()
    page.locator("#note-handle-outside").fill("Sendt på mail")
    page.locator("#dialog-handle-outside").get_by_role("button", name="Markér som håndteret udenfor").click()
    expect(page.locator("#live, #document").first).to_contain_text("Sendt på mail")
    expect(page.locator(".track-resting")).to_contain_text("Håndteret udenfor")
    no_axe_violations(page)
    screenshot(page, "document-handled")

    page.goto(documents["edifact"])
    expect(page.locator("#xml-text .segment", has_text="BGM")).to_contain_text("aktura")

    # Without JavaScript.
    plain = open_page(javascript=False)
    plain.goto(documents["unknown"])
    expect(plain.get_by_role("main")).to_contain_text("Vi ved ikke, om modtageren fik dokumentet")
    plain.get_by_role("button", name="Sammenlign med Billy nu").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Sammenlignet med Billy nu")
    plain.go_back()
    plain.get_by_role("link", name="Markér som modtaget").click()
    plain.get_by_label("Begrundelse").fill("Bekræftet i telefonen")
    plain.get_by_role("button", name="Markér som modtaget").click()
    expect(plain.get_by_role("main")).to_contain_text("Bekræftet i telefonen")
