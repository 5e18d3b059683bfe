"""Fields of a gateway that count only beside a value of another one."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

NEW = "/gateways/new/http"


def test_only_fields_that_count_are_shown(open_page):
    page = open_page()
    page.goto(NEW)
    token, username = page.locator("#field-token"), page.locator("#field-username")
    assert not token.is_visible() and not username.is_visible()
    page.select_option("#field-auth", "bearer")
    assert token.is_visible() and not username.is_visible()
    page.select_option("#field-auth", "basic")
    assert username.is_visible() and not token.is_visible()


def test_what_was_chosen_is_still_shown_after_a_refusal(open_page):
    page = open_page()
    page.goto(NEW)
    page.select_option("#field-auth", "basic")
    page.locator("main form button[type=submit]").last.click()
    page.locator("[data-error-summary]").wait_for()
    assert page.locator("#field-username").is_visible()


def test_without_javascript_every_field_can_be_reached(open_page):
    page = open_page(javascript=False)
    page.goto(NEW)
    assert page.locator("#field-token").is_visible() and page.locator("#field-username").is_visible()
