"""The accountant's cockpit and API keys: two companies on one page, and a key that is made and used."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import requests
from playwright.sync_api import expect
from support.product import Product

pytestmark = pytest.mark.browser

SECOND = "01ZZZZZZZZZZZZZZZZZZZZZZZZ"


@contextmanager
def second_company(product: Product) -> Iterator[None]:
    """The demo's person belongs to another company too, while this lasts: others look at the demo with one."""
    path = product.folder / "instance" / "invoiceapp.sqlite3"

    def copy(database: sqlite3.Connection, table: str, **changed: str) -> None:
        database.row_factory = sqlite3.Row
        row = dict(database.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()) | {"id": SECOND} | changed
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))

    with closing(sqlite3.connect(path, timeout=20)) as database:
        with database:
            copy(database, "subscription", name="Bageriet Æble ApS")
            copy(database, "membership", subscription_id=SECOND)
        try:
            yield
        finally:
            with database:
                database.execute("DELETE FROM membership WHERE id = ?", [SECOND])


def test_all_companies_on_one_page_and_a_key_for_a_program(product, open_page, no_axe_violations, screenshot):
    with second_company(product):
        page = open_page()
        page.goto("/")
        page.locator("#all-companies").click()
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator("tbody tr").nth(1)).to_contain_text("Bageriet Æble ApS")
        expect(page.locator("tbody tr").first.locator(".badge").first).to_contain_text(
            re.compile("Kræver dig|I orden|Hold øje")
        )
        no_axe_violations(page)
        screenshot(page, "cockpit")
        page.locator("#filter-q").fill("æble")
        expect(page.locator("tbody tr")).to_have_count(1)
        assert page.url.endswith("/cockpit?q=%C3%A6ble")
        page.locator(f"#open-{SECOND}").click()
        expect(page.locator("h1")).to_be_visible()

    phone = open_page(width=390, dark=True, javascript=False)
    phone.goto("/cockpit")
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    following = phone.locator("a[id^=open-]").first
    href = following.get_attribute("href") or ""
    following.click()
    assert phone.url.endswith(href)

    page = open_page()
    page.goto("/account/api-keys/new")
    no_axe_violations(page)
    page.locator("#field-days").fill("999")
    page.locator("form .btn-primary").click()
    expect(page.locator("[data-error-summary]")).to_be_focused()
    page.locator("#field-name").fill("Excel")
    page.locator("#field-days").fill("30")
    page.locator("form .btn-primary").click()
    key = page.locator("#api-key").input_value()
    no_axe_violations(page)
    bearer = {"Authorization": f"Bearer {key}"}
    found = requests.get(f"{product.url}/api/v1/documents?limit=1", headers=bearer, timeout=10).json()
    one = requests.get(product.url + found["documents"][0]["url"], headers=bearer, timeout=10).json()
    assert set(one["status"]["words"]) == {"da", "en"} and one["timeline"]
    page.goto("/account/api-keys")
    no_axe_violations(page)
    screenshot(page, "api-keys")
    page.locator("button[id^=revoke-]").click()
    expect(page.locator(".notice-success")).to_be_visible()
    assert requests.get(f"{product.url}/api/v1/adaptors", headers=bearer, timeout=10).status_code == 401
