"""The buttons beside a heading, on a phone."""

from __future__ import annotations

import pytest
from support.product import ROOT

pytestmark = pytest.mark.browser

STATIC = ROOT / "invoiceapp" / "static"
LABELS = ("Markér som modtaget", "Send igen", "Annullér afsendelsen")
PAGE = """<!doctype html><html lang="da"><body><div class="page-head"><div class="page-head-actions">{}</div></div></body></html>"""
BUTTON = '<button class="btn text-wrap"><svg class="icon" width="24" height="24"></svg> {}</button>'
#: By how many pixels the label of each button reaches beyond what the padding leaves.
OVERFLOWS = """buttons => buttons.map(button => {
    const range = document.createRange()
    range.selectNodeContents(button)
    const style = getComputedStyle(button)
    const room = button.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)
    return Math.max(0, Math.floor(range.getBoundingClientRect().width - room))
})"""


@pytest.mark.parametrize("width", [390, 320])
def test_no_label_is_wider_than_its_button(browser, width):
    page = browser.new_page(viewport={"width": width, "height": 600})
    page.set_content(PAGE.format("".join(BUTTON.format(label) for label in LABELS)))
    for sheet in (next((STATIC / "vendor").glob("tabler-[0-9]*.min.css")), STATIC / "app.css"):
        page.add_style_tag(path=sheet)
    found = page.locator(".btn").evaluate_all(OVERFLOWS)
    page.close()
    assert found == [0, 0, 0]
