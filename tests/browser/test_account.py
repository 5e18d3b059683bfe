"""Signing in with more than a password, in Chromium with an authenticator of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from passlib.totp import TOTP
from playwright.sync_api import Page, expect
from support.product import Product

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "sikker@example.com", "korrekt-hest-batteri"


@pytest.fixture
def person(product: Product) -> None:
    """Somebody of their own, so that the demo's user keeps signing in as before."""
    product.command("users", "create-admin", "--company", "Sikker ApS", "--email", EMAIL, "--password", PASSWORD)


def _code(key: str, step: int) -> str:
    return str(TOTP(key=key, format="base32").generate(time=step * 30).token)


def _sign_in(page: Page, base: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{base}/login")
    page.get_by_label("E-mail").fill(EMAIL)
    page.locator("input[type=password]").fill(PASSWORD)
    page.get_by_role("main").locator("button[type=submit]").first.click()


def test_codes_recovery_codes_and_a_passkey(
    product: Product, person: None, open_page: Callable[..., Page], no_axe_violations: Callable[[Page], None]
) -> None:
    # A passkey belongs to a name; an address with figures has none.
    base = product.url.replace("127.0.0.1", "localhost")
    page = open_page(signed_in=False)
    chromium = page.context.new_cdp_session(page)
    chromium.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    chromium.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    press = page.locator("main").locator

    _sign_in(page, base)
    page.goto(f"{base}/account/security")
    no_axe_violations(page)
    press("#second-step").click()
    press("#set-up-app").click()
    expect(press("img[src^='data:image/svg']")).to_be_visible()
    assert press("img[src^='data:image/svg']").evaluate("image => image.naturalWidth") > 0
    no_axe_violations(page)
    key, step = press("#authenticator-key").inner_text(), int(time.time()) // 30
    press("input[name=code]").fill(_code(key, step))
    press("button.btn-primary").click()
    press("#recovery").click()
    press("#make-recovery-codes").click()
    codes = press("#recovery-codes code").all_inner_texts()
    assert len(codes) == 8
    no_axe_violations(page)

    _sign_in(page, base)
    no_axe_violations(page)
    press("input[name=code]").fill(_code(key, step + 1))
    press("button.btn-primary").click()
    page.wait_for_url(f"{base}/")

    _sign_in(page, base)
    press("#use-recovery-code").click()
    no_axe_violations(page)
    press("input[name=code]").fill(codes[0])
    press("button.btn-primary").click()
    page.wait_for_url(f"{base}/")

    page.goto(f"{base}/account/security")
    press("#new-passkey").click()
    expect(page.locator("input[name=name]")).to_be_visible()
    no_axe_violations(page)
    press("input[name=name]").fill("Kontor-pc")
    press("button.btn-primary").click()
    expect(press("#passkeys")).to_contain_text("Kontor-pc")
    no_axe_violations(page)

    page.context.clear_cookies()
    page.goto(f"{base}/login")
    no_axe_violations(page)
    press("#sign-in-with-passkey").click()
    page.wait_for_url(f"{base}/")

    chromium.send("WebAuthn.disable")
    page.context.clear_cookies()
    page.goto(f"{base}/login/passkey")
    press("#use-passkey").click()
    expect(press("[data-passkey-again]")).to_be_visible()
    no_axe_violations(page)


def test_it_fits_on_a_phone_in_the_dark(
    open_page: Callable[..., Page], no_axe_violations: Callable[[Page], None]
) -> None:
    page = open_page(width=390, dark=True)
    for path in (
        "/account/security",
        "/account/second-step",
        "/account/passkeys",
        "/account/email",
        "/account/recovery-codes",
    ):
        page.goto(path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        no_axe_violations(page)
