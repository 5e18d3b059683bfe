"""The main job as a user sees it: from ``python app.py`` to a valid e-invoice that arrived once."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

ARRIVED = ("delivered", "accepted")


def _partners(product) -> list[dict]:
    return requests.get(product.printed("what the demo receivers got") + ".json", timeout=5).json()


@pytest.fixture(scope="module")
def deliveries(product) -> list[dict]:
    """All deliveries of the demo company, once everything has left."""
    product.wait_for_deliveries(400)
    rows = product.flask("deliveries", "list")
    while any(row["state"] in ("pending", "leased", "sending") for row in rows):
        rows = product.flask("deliveries", "list")
    return rows


def test_every_document_that_left_lies_with_its_receiver_once_and_byte_for_byte(product, deliveries):
    sent = {row["sha256"] for row in deliveries if row["state"] in ARRIVED}
    # The PDFs that go along are no documents of their own; Factur-X is one itself.
    got = Counter(
        item["sha256"]
        for item in _partners(product)
        if item["sha256"] in sent or item["name"].endswith((".xml", ".edi"))
    )
    assert sent <= got.keys()
    assert {sha256: count for sha256, count in got.items() if count > 1} == {}


def test_what_is_blocked_says_why_and_nothing_else_is_held_back(deliveries):
    states = Counter(row["state"] for row in deliveries)
    assert states["blocked"] > 0
    assert states.keys() <= {*ARRIVED, "blocked"}
    for row in deliveries:
        if row["state"] == "blocked":
            assert any(finding["severity"] == "fatal" for finding in row["findings"])


def test_the_dashboard_shows_the_documents_and_leads_to_one(deliveries, open_page, screenshot):
    page = open_page()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overblik")
    screenshot(page, "dashboard-1280")
    page.goto("/?status=arrived")
    page.locator("table a[href^='/documents/']").first.click()
    for step in ("Hentet", "Konverteret", "Valideret", "Afsendt", "Modtaget", "Kvitteret"):
        expect(page.get_by_text(step, exact=True).first).to_be_visible()
    image = page.locator("img[src*='/pdf/']").first
    image.scroll_into_view_if_needed()
    expect(image).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 300", arg=image.element_handle())
    expect(page.locator(".code-xml")).to_contain_text("CustomizationID")
    page.evaluate("window.scrollTo(0, 0)")
    screenshot(page, "document-1280")


def test_the_exact_bytes_can_be_downloaded(deliveries, open_page):
    page = open_page()
    row = next(row for row in deliveries if row["state"] == "delivered")
    page.goto(f"/?q={row['document_no']}")
    page.locator("table a[href^='/documents/']").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Hent den nøjagtige fil").click()
    assert hashlib.sha256(download.value.path().read_bytes()).hexdigest() in {r["sha256"] for r in deliveries}


def test_mending_a_customer_sends_what_was_blocked(deliveries, open_page, product):
    stuck = [row for row in deliveries if row["customer"] == "Oliemøllen A/S" and row["state"] == "blocked"]
    assert stuck
    page = open_page()
    page.goto("/customers?q=Oliem%C3%B8llen")
    page.get_by_role("link", name="Oliemøllen A/S").click()
    page.get_by_role("link", name="Kunde (modtageren)").click()
    page.get_by_label("Personreference").first.fill("Indkøb")
    page.get_by_role("button", name="Gem", exact=True).click()
    expect(page.get_by_text(re.compile("Dokumenter, der ventede"))).to_be_visible()
    ids = {row["id"] for row in stuck}
    product.wait_for_deliveries(sum(row["state"] in ARRIVED for row in deliveries) + len(stuck))
    now = {row["id"]: row["state"] for row in product.flask("deliveries", "list")}
    assert {now[item] for item in ids} <= set(ARRIVED)


def test_a_new_invoice_appears_by_itself_while_the_dashboard_is_open(deliveries, open_page, product):
    page = open_page()
    page.goto("/")
    known = page.locator("table a[href^='/documents/']").count()
    assert known > 10
    root = urljoin(product.printed("what the demo receivers got"), "/")
    booked = requests.post(f"{root}_demo/book", timeout=10).text
    number = re.search(r'"invoiceNo": ?"([^"]+)"', booked).group(1)
    page.get_by_role("button", name="Hent nye dokumenter").click()
    page.goto("/")
    expect(page.locator("table").get_by_text(number, exact=True)).to_be_visible(timeout=30_000)
    row = page.locator("tr", has_text=number)
    expect(row).to_contain_text(re.compile("Modtaget|Afleveret|rettes"), timeout=30_000)


def test_finding_by_date_sends_nothing_and_offers_what_has_left_apart(deliveries, open_page, product):
    before = Counter(item["sha256"] for item in _partners(product))
    page = open_page()
    page.goto("/export?by=date")
    page.get_by_label("Fra").fill("2020-01-01")
    page.get_by_label("Til").fill("2099-12-31")
    page.get_by_role("button", name="Find fakturaer").click()
    page.wait_for_url(re.compile(r"/runs/"))
    expect(page.get_by_role("heading", name="Allerede eksporteret")).to_be_visible(timeout=60_000)
    after = Counter(item["sha256"] for item in _partners(product))
    assert {sha256 for sha256, count in after.items() if count > before.get(sha256, 0) and before.get(sha256)} == set()


def test_it_works_without_javascript(deliveries, open_page):
    page = open_page(javascript=False)
    page.goto("/?status=person")
    expect(page.locator("table a[href^='/documents/']").first).to_be_visible()
    page.goto("/customers?show=inactive")
    page.locator("table input[type=checkbox][name=ids]").first.check()
    page.goto("/export?by=numbers")
    page.get_by_label("Fakturanumre").fill("1001-1003")
    page.get_by_role("button", name="Find fakturaer").click()
    # A scheduled run may be under way; then the page says so and keeps what was typed.
    if "/runs/" not in page.url:
        expect(page.get_by_text("Der kører allerede en eksport")).to_be_visible()
        expect(page.get_by_label("Fakturanumre")).to_have_value("1001-1003")


def test_signing_out_closes_the_door(open_page, product):
    page = open_page(signed_in=False)
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login"))
    page.get_by_label("E-mail").fill("demo@example.com")
    page.locator("input[type=password]").fill("not the password")
    page.get_by_role("main").locator("button[type=submit]").first.click()
    expect(page).to_have_url(re.compile(r"/login"))
