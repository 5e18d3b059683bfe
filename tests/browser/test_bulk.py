"""Many documents at once, and fix once, release many, as a person does it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def deliveries(product: Any) -> list[dict]:
    """All deliveries of the demo company, once everything that can leave has left."""
    product.wait_for_deliveries(400)
    return product.flask("deliveries", "list")


def _wait_for_the_end(page: Page) -> None:
    expect(page.locator("#bulk-progress")).to_have_count(0, timeout=30_000)


def _choose_on_the_list(page: Page, status: str, rows: int) -> None:
    page.goto(f"/?status={status}")
    for box in page.locator("tbody input[name=ids]").all()[:rows]:
        box.check()
    page.locator("#bulk-next").click()
    page.wait_for_url(re.compile(r"/bulk\?"))


def test_a_selection_is_summed_up_confirmed_and_followed(
    deliveries: list[dict], product: Any, open_page: Any, no_axe_violations: Any, screenshot: Any
) -> None:
    page = open_page()
    _choose_on_the_list(page, "blocked", 2)
    expect(page.locator("h1")).to_contain_text("2")
    no_axe_violations(page)
    screenshot(page, "bulk-choose-1280")
    page.locator("#choose-handle-outside").click()
    expect(page.locator("#note")).to_be_visible()
    page.locator(".form-actions button").click()
    # A reason is needed, and nothing has happened.
    expect(page.locator("[data-error-summary]")).to_be_focused()
    page.locator("#note").fill("Sendt med posten")
    no_axe_violations(page)
    page.locator(".form-actions button").click()
    page.wait_for_url(re.compile(r"/bulk/jobs/"))
    # It goes on while nobody looks.
    address = page.url
    page.goto("/")
    page.goto(address)
    _wait_for_the_end(page)
    expect(page.locator(".stat-value").first).to_have_text("2")
    no_axe_violations(page)
    screenshot(page, "bulk-result-1280")


def test_what_has_arrived_is_sent_again_on_a_phone_without_javascript_after_a_warning(
    deliveries: list[dict], product: Any, open_page: Any
) -> None:
    page = open_page(width=390, javascript=False)
    _choose_on_the_list(page, "arrived", 1)
    page.locator("#choose-send-again").click()
    expect(page.locator(".card .notice-warning")).to_be_visible()
    page.locator("#note").fill("Modtageren har mistet den")
    page.locator(".form-actions button").click()
    page.wait_for_url(re.compile(r"/bulk/jobs/"))
    while page.locator("#bulk-progress").count():
        page.reload()
    expect(page.locator(".stat-value").first).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_problem_is_fixed_once_and_all_its_documents_are_released(
    deliveries: list[dict], product: Any, open_page: Any, no_axe_violations: Any, screenshot: Any
) -> None:
    page = open_page(width=390, dark=True)
    page.goto("/problems")
    no_axe_violations(page)
    page.locator("a[id^=problem-]").first.click()
    page.wait_for_url(re.compile(r"/problems/"))
    no_axe_violations(page)
    screenshot(page, "problem-390-dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("#fix")).to_have_attribute("href", re.compile(r"^/"))
    page.locator("#release").click()
    page.wait_for_url(re.compile(r"/bulk/jobs/"))
    _wait_for_the_end(page)
    expect(page.locator(".stat-value").nth(1)).to_have_text("0")
    page.locator("a[href^='/problems/']").click()
    page.wait_for_url(re.compile(r"/problems/"))
    expect(page.locator("#last-job")).to_be_visible()
    expect(page.locator("#live [data-summary], .shell-main > [data-summary]")).not_to_be_empty()
