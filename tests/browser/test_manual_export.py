"""Manual export as an accountant walks it: find, activate in place, try, export, come back, send again with a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def filled(product):
    product.wait_for_deliveries(100)


def _find(page: Page, text: str) -> str:
    """Find by numbers; the address of the run's page, once Billy has been read."""
    page.goto("/export?by=numbers")
    page.locator("[name=numbers]").fill(text)
    # A scheduled run may be under way; then the page says so and keeps what was typed.
    for _ in range(60):
        page.get_by_role("button", name="Find fakturaer").click()
        page.wait_for_load_state()
        if "/runs/" in page.url:
            break
        page.wait_for_timeout(1_000)
    _reload_until(page, "#stat-not_activated, #stat-not_exported, #stat-exported, .stats")
    return page.url


def _reload_until(page: Page, selector: str) -> None:
    """As a person does without JavaScript."""
    for _ in range(60):
        if page.locator(selector).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"{selector} does not appear: {page.get_by_role('main').inner_text()[:2000]}")


@pytest.fixture
def look(no_axe_violations, screenshot) -> Callable[[Page, str], None]:
    def check(page: Page, name: str) -> None:
        no_axe_violations(page)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{name} overflows by {overflow} px at {width}"
            screenshot(page, f"{name}-{width}")

    return check


def test_find_activate_try_export_come_back_and_send_again(open_page, look):
    page = open_page()
    page.goto("/export?by=date")
    look(page, "manual-export-date")
    page.goto("/customers?show=inactive&sort=-volume")
    page.locator("tbody a[href^='/customers/']").first.click()
    asleep = page.locator("main a[href^='/documents/']").first.inner_text().strip()
    page.goto("/?status=arrived")
    sent = page.locator("tbody a[href^='/documents/']").first.inner_text().strip()

    _find(page, f"Fakturanr.\n{asleep}\n{sent}\t999999")
    main = page.get_by_role("main")
    expect(main.locator("#skipped")).to_contain_text("999999")
    expect(main.locator("#skipped")).to_contain_text("Fakturanr.")
    expect(main.locator("#exported")).to_contain_text(sent)
    expect(main.locator("#not_activated")).to_contain_text(asleep)
    look(page, "manual-export-found")

    main.locator("#not_activated tbody [name=ids]").first.check()
    main.locator("#not_activated button[formaction*='/activate']").click()
    look(page, "manual-export-activate")
    for name in ("format", "gateway"):
        select = page.locator(f"#field-{name}")
        if not select.input_value():
            select.select_option(index=1)
    page.locator("form[action$='/activate'] button.btn-primary").click()
    expect(main.locator("#not_exported")).to_contain_text(asleep)

    main.locator("#form-not_exported [name=everything]").check()
    main.locator("#form-not_exported button[formaction*='/dry-run']").click()
    expect(main.locator("#not_exported tbody .badge").first).to_be_visible(timeout=30_000)
    look(page, "manual-export-tried")

    main.locator("#form-not_exported [name=everything]").check()
    main.locator("#form-not_exported button.btn-primary").click()
    look(page, "manual-export-confirm")
    page.locator("form[action$='/export'] button.btn-primary").click()
    expect(main.locator("#chosen")).to_be_visible()
    address = page.url
    page.close()

    page = open_page()
    page.goto(address)
    expect(page.locator("progress#exporting[value='1'][max='1']")).to_be_visible(timeout=60_000)
    look(page, "manual-export-done")

    main = page.get_by_role("main")
    main.locator("#exported tbody [name=ids]").first.check()
    main.locator("#form-exported button.btn").last.click()
    expect(page.get_by_role("main")).to_contain_text("to gange")
    page.locator("form[action$='/export'] button.btn-primary").click()
    expect(page.locator("#reason")).to_have_attribute("aria-invalid", "true")
    look(page, "manual-export-again")
    page.locator("#reason").fill("Modtageren har mistet den")
    page.locator("form[action$='/export'] button.btn-primary").click()
    expect(page.locator("progress#exporting[value='2'][max='2']")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("main")).to_contain_text("Sendt igen: Modtageren har mistet den")


def test_without_javascript_it_is_found_and_sent_again_on_a_phone(open_page):
    page = open_page(width=390, javascript=False)
    page.goto("/?status=arrived")
    sent = page.locator("tbody a[href^='/documents/']").nth(3).inner_text().strip()
    _find(page, sent)
    page.locator("#exported tbody [name=ids]").first.check()
    page.locator("#form-exported button.btn").last.click()
    page.locator("#reason").fill("Bedt om af kunden")
    page.locator("form[action$='/export'] button.btn-primary").click()
    _reload_until(page, "progress#exporting[value='1'][max='1']")
    expect(page.get_by_role("main")).to_contain_text("Bedt om af kunden")
