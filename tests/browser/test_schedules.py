"""A schedule is made, understood, paused and deleted: with and without JavaScript, on a wide screen and a phone."""

from __future__ import annotations

import re

import pytest

pytestmark = pytest.mark.browser

WORDS = "Hver hverdag kl. 08.00 og 16.00, ikke på helligdage"


@pytest.mark.parametrize(("width", "dark", "javascript"), [(1280, False, False), (390, True, True)])
def test_a_schedule_is_made_seen_paused_and_deleted(open_page, no_axe_violations, screenshot, width, dark, javascript):
    page = open_page(width=width, dark=dark, javascript=javascript)

    def look(name: str) -> None:
        if javascript:
            no_axe_violations(page)
        assert page.locator("html").evaluate("html => html.scrollWidth <= html.clientWidth") if javascript else True
        screenshot(page, f"{name}-{width}{'-dark' if dark else ''}")

    page.goto("/schedules")
    page.get_by_role("link", name="Ny tidsplan").click()
    page.get_by_role("link", name="Cron-udtryk").click()
    page.get_by_label("Cron-udtryk").fill("61 8 * * *")
    page.get_by_role("button", name="Gem").click()
    assert page.get_by_label("Cron-udtryk").input_value() == "61 8 * * *"
    assert page.title().startswith("Fejl:")
    page.get_by_role("navigation", name="Hvor tit").get_by_role(
        "link", name=re.compile("hverdag", re.IGNORECASE)
    ).click()
    page.get_by_label("Klokkeslæt").fill("08.00, 16.00")
    page.get_by_label("På helligdage").select_option(label="Kør ikke")
    page.get_by_role("button", name="Vis de næste kørsler").click()
    page.get_by_text(WORDS).wait_for()
    look("schedule-preview")
    page.get_by_role("button", name="Gem").click()
    card = page.locator("section.card").filter(has=page.locator("h2", has_text=WORDS))
    card.locator("ol li").nth(4).wait_for()
    assert card.locator("ol li").count() == 5
    look("schedule")
    card.get_by_text("Sæt på pause …").click()
    card.get_by_role("button", name="Pause", exact=True).click()
    card.get_by_role("button", name="Genoptag").click()
    card.get_by_text("Slet …").click()
    card.get_by_role("button", name="Slet tidsplanen").click()
    page.get_by_text("Tidsplanen er slettet").wait_for()
    assert page.get_by_role("heading", name=WORDS).count() == 0
