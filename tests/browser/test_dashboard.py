"""A day at the dashboard: narrowing the list, sharing its address, and watching it change without losing one's place."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

ROWS = "#list tbody tr"
CHANGES = 90_000


@pytest.fixture(scope="module", autouse=True)
def filled(product):
    product.wait_for_deliveries(60)


def _query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def _numbers(page: Page) -> list[str]:
    return page.locator(f"{ROWS} a[id^='document-']").all_inner_texts()


def test_filters_order_and_place_live_in_the_address(open_page):
    page = open_page()
    page.goto("/")
    page.keyboard.press("/")
    expect(page.get_by_label("Søg")).to_be_focused()
    page.keyboard.type("14")
    expect(page).to_have_url(re.compile(r"/\?q=14$"))
    page.get_by_label("Status").select_option("arrived")
    expect(page).to_have_url(re.compile("status=arrived"))
    # The heading belongs to the new list.
    page.locator("#sort-number[href*='status=arrived'][href*='q=14']").click()
    expect(page.locator("th[aria-sort=ascending] #sort-number")).to_be_visible()
    assert _query(page) == {"q": ["14"], "status": ["arrived"], "sort": ["number"]}
    shown = _numbers(page)
    assert shown == sorted(shown) and shown
    page.reload()
    assert _numbers(page) == shown
    expect(page.get_by_label("Søg")).to_have_value("14")
    page.locator("#clear-filters").click()
    expect(page).to_have_url(re.compile(r"/\?sort=number$"))
    first = _numbers(page)
    page.locator("a[rel=next]").click()
    expect(page).to_have_url(re.compile("after="))
    expect(page.locator("a[rel=prev]")).to_be_visible()
    assert not set(_numbers(page)) & set(first)
    page.locator("a[rel=prev]").click()
    expect(page).to_have_url(re.compile("before="))
    expect(page.locator(f"{ROWS} a[id^='document-']").first).to_have_text(first[0])
    page.goto("/?q=findes-ikke")
    page.locator(".empty a").click()
    expect(page.locator(ROWS).first).to_be_visible()


def test_what_changes_is_swapped_in_without_losing_ones_place(open_page, product):
    page, other = open_page(), open_page()
    page.goto("/")
    ticked, focused = page.locator(ROWS).nth(1), page.locator(ROWS).nth(2).locator("a[id^='document-']")
    name = ticked.get_attribute("id")
    ticked.locator("input[type=checkbox]").check()
    focused.focus()
    page.evaluate(
        "name => { window.kept = document.getElementById(name); window.focused = document.activeElement; }", name
    )
    page.locator("#more-problems:not([open]) > summary, #problems > summary").last.evaluate(
        "fold => fold.parentElement.open = true"
    )
    booked = requests.post(urljoin(product.printed("what the demo receivers got"), "/_demo/book"), timeout=10).text
    number = re.search(r'"invoiceNo": ?"([^"]+)"', booked).group(1)
    other.goto("/")
    other.get_by_role("button", name="Hent nye dokumenter").click()
    fresh = page.locator(ROWS, has_text=number)
    expect(fresh).to_be_visible(timeout=CHANGES)
    fresh.locator("input[type=checkbox]").evaluate("box => box.click()")
    page.evaluate("window.focused.focus({preventScroll: true})")
    expect(fresh).to_contain_text(re.compile("Modtaget|Afleveret|rettes"), timeout=CHANGES)
    assert page.evaluate("name => window.kept === document.getElementById(name)", name), "the row is another node"
    assert page.evaluate("window.focused === document.activeElement"), "the focus was lost"
    expect(page.locator(f"#{name} input[type=checkbox]")).to_be_checked()
    expect(fresh.locator("input[type=checkbox]")).to_be_checked()
    expect(page.locator("[data-selected-count]")).to_have_text("2")
    expect(page.locator("[data-poll-live]")).to_contain_text("fremme")
    expect(page.locator("[data-poll-time]")).to_have_text(re.compile(r"\d\d\.\d\d\.\d\d"))


def test_a_paused_list_asks_for_nothing_and_goes_on_when_told(open_page):
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/dashboard/live" in request.url else None)
    page.goto("/?status=arrived")
    with page.expect_response(lambda answer: "/dashboard/live" in answer.url) as answer:
        pass
    assert answer.value.status in (200, 204)
    page.get_by_role("button", name="Pause").focus()
    page.keyboard.press("Enter")
    asked.clear()
    page.wait_for_timeout(3500)
    assert asked == []
    page.keyboard.press("Enter")
    with page.expect_response(lambda answer: "/dashboard/live" in answer.url):
        pass


def test_it_is_a_page_of_links_and_forms_without_javascript(open_page):
    page = open_page(javascript=False)
    page.goto("/")
    page.get_by_label("Status").select_option("arrived")
    page.get_by_role("button", name="Vis", exact=True).click()
    assert _query(page)["status"] == ["arrived"]
    expect(page.locator(ROWS).first).to_be_visible()
    page.get_by_role("link", name="Genindlæs siden").last.click()
    assert _query(page) == {"status": ["arrived"]}
    page.locator("#sort-amount").click()
    assert _query(page) == {"status": ["arrived"], "sort": ["-amount"]}


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_it_is_read_by_everybody(open_page, no_axe_violations, screenshot, width, dark):
    page = open_page(width=width, dark=dark)
    page.goto("/?customer=none&status=person")
    no_axe_violations(page)
    page.goto("/?status=arrived")
    expect(page.locator(ROWS).first).to_be_visible()
    no_axe_violations(page)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    screenshot(page, f"documents-{width}{'-dark' if dark else ''}")
