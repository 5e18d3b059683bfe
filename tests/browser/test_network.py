"""The network as an accountant meets it: find out who can be reached, say yes, and see the proof."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from support.product import Product, sign_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A demo company of its own: the other tests need its customers as they are."""
    started = Product(tmp_path_factory.mktemp("network"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def signed_in_state(browser: Browser, product: Product) -> dict:
    return sign_in(browser, product)


def _count(page: Page, show: str) -> int:
    text = page.locator(f"#count-{show}").inner_text()
    return int(re.sub(r"\D", "", text))


def test_customers_are_found_accepted_and_proven(product, open_page, no_axe_violations, screenshot):
    page = open_page()
    page.goto("/network")
    page.get_by_role("button", name="Hjælp mig med at aktivere kunder automatisk").click()
    accept_all = page.get_by_role("button", name="Acceptér alle")
    expect(accept_all).to_be_visible(timeout=120_000)
    # The end of the poll brings the list too.
    expect(page.locator("#matches table")).to_contain_text("Sikker (95 af 100)")
    found = _count(page, "found")
    assert _count(page, "all") >= 60 and found >= 40 and _count(page, "unchecked") == 0

    accept_all.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acceptér forslagene")
    assert _count_of(page, r"(\d+) kunder får dette") >= found
    no_axe_violations(page)
    page.get_by_role("button", name=re.compile(r"Acceptér for \d+ kunder")).click()
    expect(page.locator("#flash-messages")).to_contain_text("har fået det nye format")
    assert _count(page, "accepted") >= found

    page.goto("/network?show=several")
    page.locator("table a[href^='/network/customers/']").first.click()
    expect(page.get_by_role("radio")).not_to_have_count(0)
    expect(page.locator("input[type=radio]:checked")).to_have_count(0)
    customer = page.url
    expect(page.locator("#evidence table")).to_contain_text("NemHandelsregisteret")
    page.locator("#evidence").get_by_role("link", name=re.compile("Svar 1")).first.click()
    expect(page.locator("pre")).not_to_be_empty()

    # What was waiting went out by the provider: receipts have come, and one buyer has said no.
    _open_first_document(page, "rejected")
    expect(page.get_by_role("main")).to_contain_text("Afvist")
    expect(page.get_by_role("main")).to_contain_text("Sproom (demo)")
    # A buyer's answer may come before the provider was asked about the others.
    for _ in range(30):
        states = {row["state"] for row in product.flask("deliveries", "list") if row["transport"] == "sproom"}
        if states & {"delivered", "acknowledged"}:
            break
        page.wait_for_timeout(2_000)
    assert states & {"delivered", "acknowledged"}

    for width, dark in ((1280, False), (1280, True), (390, False), (390, True)):
        look = open_page(width=width, dark=dark)
        for name, url in (("matched-customers", "/network"), ("matched-customer", customer)):
            look.goto(url)
            no_axe_violations(look)
            assert look.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            screenshot(look, f"{name}-{width}{'-dark' if dark else ''}")


def _open_first_document(page: Page, status: str) -> None:
    """Open the first document of a status, once there is one."""
    link = page.locator("table a[href^='/documents/']").first
    for _ in range(90):
        page.goto(f"/?status={status}")
        if link.count():
            page.goto(link.get_attribute("href"))
            return
        page.wait_for_timeout(1000)
    raise AssertionError(f"no document is {status}")


def _count_of(page: Page, pattern: str) -> int:
    found = re.search(pattern, page.get_by_role("main").inner_text())
    assert found, pattern
    return int(found[1])
