"""A colleague is invited, comes in from another browser, sees what is shared as a viewer, and meets the lock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.mailing import received
from support.product import Product

pytestmark = pytest.mark.browser

EMAIL, PASSWORD = "kollega@nordlys.example", "fire helt almindelige ord"


def invitation(product: Product) -> str:
    """The link out of the mail that the demo's mail server took."""
    mails = received(Path(product.folder, "instance", "demo", "received", "mail"))
    [text] = [mail.get_body(("plain",)).get_content() for mail in mails if EMAIL in mail["To"]]
    return re.findall(r"https?://\S+/invitations/[\w-]+", text)[0]


def share(page: Page, level: str, *, locked: bool) -> None:
    page.locator("#who-chosen").check()
    page.get_by_label("Kim Kollega").select_option(level)
    page.locator("[name=is_locked]").set_checked(locked)
    page.locator("main form .form-actions button").first.press("Enter")
    expect(page.locator("#flash-messages .notice-success")).to_be_visible()


def test_from_an_invitation_to_what_a_viewer_sees_and_a_lock_leaves(product, open_page, no_axe_violations, screenshot):
    page = open_page()
    page.goto("/people")
    no_axe_violations(page)
    page.locator("#field-email").fill(EMAIL)
    page.locator("#field-role-member").check()
    page.locator("#invite").click()
    expect(page.locator("#invitations table")).to_contain_text(EMAIL)
    page.evaluate("scrollTo(0, 0)")
    screenshot(page, "people")

    asked = open_page(signed_in=False)
    asked.goto(invitation(product))
    no_axe_violations(asked)
    newcomer = open_page(width=390, dark=True, javascript=False, signed_in=False)
    newcomer.goto(invitation(product))
    newcomer.locator("#field-name").fill("Kim Kollega")
    newcomer.locator("#field-password").fill(PASSWORD)
    newcomer.locator("#field-password_again").fill(PASSWORD)
    newcomer.locator("#accept").click()
    expect(newcomer).to_have_url(re.compile(r"/$"))
    newcomer.goto("/people")
    expect(newcomer.locator("#members")).to_contain_text("Kim Kollega")
    expect(newcomer.locator("#invitations")).to_have_count(0)
    assert newcomer.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.goto("/people")
    page.locator("#members tr", has_text="Kim Kollega").get_by_role("link").click()
    no_axe_violations(page)
    page.goto("/adaptors/general")
    page.locator("#sharing").click()
    expect(page.locator("#who-everybody")).to_be_checked()
    page.locator("#who-me").check()
    expect(page.locator("select[name='level.everybody']")).to_be_hidden()
    share(page, "viewer", locked=False)
    no_axe_violations(page)
    expect(page.locator("#effects")).to_contain_text("Kim Kollega")
    screenshot(page, "sharing")

    newcomer.goto("/adaptors/general")
    expect(newcomer.locator("#sharing")).to_have_count(0)
    expect(newcomer.locator("fieldset[disabled] #field-name")).to_be_visible()

    share(page, "editor", locked=False)
    newcomer.reload()
    expect(newcomer.locator("fieldset:not([disabled]) > .card #field-name")).to_be_visible()
    share(page, "editor", locked=True)
    newcomer.reload()
    expect(newcomer.locator("fieldset[disabled] #field-name")).to_be_visible()
    page.reload()
    row = page.locator("#effects tr", has_text="Kim Kollega")
    expect(row).to_contain_text(re.compile("Låst|Locked"))

    # Other walks go on with what the demo shares from the start.
    page.locator("#who-everybody").check()
    page.locator("select[name='level.everybody']").select_option("operator")
    page.locator("select[name='level.admins']").select_option("manager")
    page.locator("[name=is_locked]").uncheck()
    page.locator("main form .form-actions button").first.press("Enter")
    expect(page.locator("#who-everybody")).to_be_checked()
