"""Every screen, light and dark, wide and narrow, Danish and English: no axe violation, nothing that overflows."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

SCREENS = {
    "dashboard": "/",
    "needs-a-person": "/?status=person",
    "nothing-found": "/?q=findes-ikke",
    "export": "/export",
    "export-by-customer": "/export?by=customer",
    "export-by-number": "/export?by=numbers",
    "runs": "/runs",
    "run": "/runs:first",
    "adaptors": "/adaptors",
    "activate": "/adaptors/activate/billy",
    "general": "/adaptors/general",
    "settings": "/settings?group=supplier",
    "history": "/settings/history",
    "vat": "/vat",
    "readiness": "/readiness",
    "customers": "/customers",
    "customers-that-need-something": "/customers?show=needs&sort=-volume",
    "customer": "/customers:first",
    "source": "/source",
    "security": "/account/security",
    "audit": "/audit",
    "keeping": "/keeping",
    "setting-templates": "/setting-templates",
    "gateways": "/gateways",
    "gateway": "/gateways:first",
    "gateway-kinds": "/gateways/new",
    "gateway-as2": "/gateways/new/as2",
    "gateway-vans": "/gateways/new/vans",
    "gateway-provider": "/gateways/new/accesspoint",
    "gateway-as4": "/gateways/new/nemhandel",
    "receiver": "/gateways/receiver",
    "expiries": "/gateways/expiries",
    "network": "/network",
    "network-customer": "/network:first",
    "problems": "/problems",
    "document": "/:first",
    "document-edifact": "/?q=Gr%C3%B8nt:first",
    "rules": "/rulepacks",
    "not-found": "/documents/none",
}
_FIRST = {
    "/runs": "/runs/",
    "/customers": "/customers/",
    "/gateways": "/gateways/",
    "/network": "/network/customers/",
    "/": "/documents/",
    "/?q=Gr%C3%B8nt": "/documents/",
}


def _go(page, path: str) -> None:
    listing, first, _ = path.partition(":first")
    page.goto(listing)
    if first:
        page.goto(page.locator(f"table a[href^='{_FIRST[listing]}']").first.get_attribute("href"))
    page.wait_for_load_state("load")


@pytest.fixture(scope="module", autouse=True)
def filled(product):
    product.wait_for_deliveries(100)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["wide-light", "narrow-dark"])
def test_no_screen_has_a_violation(open_page, no_axe_violations, screenshot, width, dark):
    page = open_page(width=width, dark=dark)
    for name, path in SCREENS.items():
        _go(page, path)
        no_axe_violations(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} overflows by {overflow} px at {width}"
        screenshot(page, f"{name}-{width}{'-dark' if dark else ''}")


def test_the_sign_in_page_has_no_violation(open_page, no_axe_violations, screenshot):
    for dark in (False, True):
        page = open_page(dark=dark, signed_in=False)
        page.goto("/login")
        no_axe_violations(page)
        if not dark:
            screenshot(page, "sign-in-1280")


def test_the_pages_speak_english_when_asked(open_page):
    page = open_page()
    page.goto("/")
    page.get_by_role("button", name="EN", exact=False).first.click()
    page.goto("/")
    assert page.get_by_role("heading", level=1).inner_text() == "Dashboard"
    page.get_by_role("button", name="DA", exact=False).first.click()
    page.goto("/")
    assert page.get_by_role("heading", level=1).inner_text() == "Overblik"
