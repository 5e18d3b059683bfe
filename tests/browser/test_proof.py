"""The month-end proof of the demo company: made, read, fetched, and reckoned again."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
import requests
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def _in_the_books(product, first: date, last: date) -> dict[str, Decimal]:
    """What the stand-in's own list of approved documents adds up to, by currency."""
    addresses = json.loads(next(product.folder.rglob("addresses.json")).read_text())
    answer = requests.get(
        f"{addresses['billy_url']}/invoices", headers={"X-Access-Token": "demo-token"}, timeout=10,
        params={"state": "approved", "minEntryDate": first.isoformat(), "maxEntryDate": last.isoformat(), "pageSize": 1000},
    )  # fmt: skip
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for one in json.loads(answer.text, parse_float=Decimal)["invoices"]:
        sign = -1 if one["type"] == "creditNote" else 1
        sums[one["currencyId"]] += sign * (Decimal(one["amount"]) + Decimal(one["tax"]))
    return dict(sums)


def test_the_demo_company_adds_up_to_the_oere(open_page, no_axe_violations, screenshot, product):
    first, last = date.today() - timedelta(days=45), date.today()
    page = open_page()
    page.goto("/proof")
    no_axe_violations(page)
    page.locator("#proof-from").fill(first.isoformat())
    page.locator("#proof-to").fill(last.isoformat())
    page.locator("#make").click()
    page.locator("#get-pdf").wait_for(timeout=120_000)
    no_axe_violations(page)
    screenshot(page, "month-end-proof")
    content = page.request.get(page.locator("#get-csv").get_attribute("href")).body().decode("utf-8-sig")
    pdf = page.request.get(page.locator("#get-pdf").get_attribute("href")).body()
    assert pdf.startswith(b"%PDF") and b"ETSI.CAdES.detached" in pdf
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in csv.reader(io.StringIO(content), delimiter=";"):
        # With amounts and without a standing of its own: a document of the accounts.
        if re.fullmatch(r"-?\d+,\d\d", row[9]) and not row[14]:
            sums[row[6]] += Decimal(row[9].replace(",", "."))
    assert sums and sums == _in_the_books(product, first, last)
    page.locator("#again").click()
    expect(page.locator(".notice-success").first).to_be_visible()
    found = product.flask("proof", "verify", page.url.split("/")[-2])
    assert [one["ok"] for one in found] == [True]
    phone = open_page(width=390, dark=True)
    phone.goto(page.url)
    no_axe_violations(phone)
    assert phone.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
