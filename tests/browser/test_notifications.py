"""From wishes to a mail whose link opens the very documents that wait: other addresses, the bell, the inbox."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from support.mailing import received
from support.product import Product

pytestmark = pytest.mark.browser

OTHER = "faelles@nordlys.example"


def links_to(product: Product, address: str, part: str, seconds: float = 40) -> list[str]:
    """Links with ``part`` out of the mails that the demo's mail server took for an address, once there are some."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [
            link for mail in mails_to(product, address) for link in re.findall(r"https?://\S+", mail) if part in link
        ]
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"no mail to {address} with a link {part}:\n{product.log.read_text()[-3000:]}")


def mails_to(product: Product, address: str) -> list[str]:
    """Their plain texts."""
    folder = Path(product.folder, "instance", "demo", "received", "mail")
    mails: list[Any] = received(folder) if folder.is_dir() else []
    return [mail.get_body(("plain",)).get_content() for mail in mails if mail["To"] and address in mail["To"]]


def no_longer_settle(product: Product) -> None:
    """What waits two minutes for more of its kind is mailed now."""
    due = f"{datetime.now(UTC) - timedelta(seconds=1):%Y-%m-%d %H:%M:%S.%f}"
    with closing(sqlite3.connect(product.folder / "instance" / "invoiceapp.sqlite3", timeout=20)) as database, database:
        database.execute("UPDATE notice SET mail_at = ? WHERE mail_at IS NOT NULL AND mail_id IS NULL", (due,))


def test_wishes_a_confirmed_address_and_a_mail_that_leads_to_what_waits(
    product, open_page, no_axe_violations, screenshot
):
    page = open_page()
    page.goto("/notifications")
    page.locator("#field-positive_document").select_option("daily")
    page.locator("#save-wishes").press("Enter")
    expect(page.locator("#wishes .notice-success")).to_be_visible()
    expect(page.locator("#field-positive_document")).to_have_value("daily")
    page.locator("#field-email").fill(OTHER)
    page.locator("#add-other").click()
    expect(page.locator("#others")).to_contain_text(OTHER)
    no_axe_violations(page)
    screenshot(page, "notifications")

    (link,) = links_to(product, OTHER, "/notifications/confirm/")
    visitor = open_page(width=390, dark=True, javascript=False, signed_in=False)
    visitor.goto(link)
    visitor.locator("main button[type=submit]").click()
    expect(visitor).to_have_url(re.compile("/notifications/confirmed$"))
    page.reload()
    expect(page.locator(f"#others a[aria-label*='{OTHER}']")).to_be_visible()

    deadline = time.monotonic() + 60
    while page.locator(".shell-bell-count").count() == 0 and time.monotonic() < deadline:
        page.wait_for_timeout(1000)
        page.reload()
    expect(page.locator("#bell")).to_have_accessible_name(re.compile(r"\d"))
    no_longer_settle(product)

    phone = open_page(width=390, dark=True)
    phone.goto("/inbox")
    no_axe_violations(phone)
    screenshot(phone, "inbox-390-dark")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.locator("button[id^=open-]").last.click()
    expect(phone).to_have_url(re.compile(r"/\?.*problem="))
    expect(phone.locator("#results a[href*='/documents/']").first).to_be_visible()

    inbox = open_page(width=390, javascript=False)
    inbox.goto("/inbox")
    inbox.locator("#read-all").click()
    expect(inbox.locator("#flash-messages .notice-success")).to_be_visible()

    waiting = links_to(product, "demo@example.com", "problem=")[0]
    page.goto(waiting.rstrip(").,>"))
    expect(page.locator("#results a[href*='/documents/']").first).to_be_visible()


def test_the_pictures_are_there_on_a_page_of_their_own(open_page, no_axe_violations, screenshot):
    for width, dark in ((1280, False), (390, True)):
        page = open_page(width=width, dark=dark, javascript=not dark)
        page.goto("/figures")
        expect(page.locator("#flow-days svg.chart-area rect").first).to_be_attached()
        expect(page.locator("#health li")).not_to_have_count(0)
        assert width > 390 or page.locator("main").bounding_box()["width"] <= width
        if not dark:
            no_axe_violations(page)
            page.locator("#flow-days summary").click()
            no_axe_violations(page)
        screenshot(page, f"figures-{width}")
