"""Four eyes is switched on by the owner; what was in use stands as approved, and can be withdrawn."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_switched_on_withdrawn_and_switched_off(product, open_page, no_axe_violations, screenshot):
    product.wait_for_deliveries(20)
    page = open_page()
    page.goto("/approvals/settings")
    no_axe_violations(page)
    page.locator("#field-accounts").check()
    page.locator("#field-amounts").check()
    page.locator("#field-factor").fill("100")
    screenshot(page, "four-eyes")
    page.locator("main form .form-actions button").first.press("Enter")
    page.locator("#in-use summary").click()
    expect(page.locator("#in-use li").first).to_be_visible()
    no_axe_violations(page)
    page.locator("#in-use button").first.press("Enter")
    expect(page.locator("#flash-messages .notice-success")).to_be_visible()

    narrow = open_page(width=390, dark=True, javascript=False)
    narrow.goto("/approvals")
    assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")
    narrow.goto("/approvals/settings")
    narrow.locator("#field-accounts").uncheck()
    narrow.locator("#field-amounts").uncheck()
    narrow.locator("main form .form-actions button").first.click()
    expect(narrow.locator("#waiting")).to_be_visible()
