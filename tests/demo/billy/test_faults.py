from __future__ import annotations

import time
from decimal import Decimal

import pytest

from invoiceapp.demo.billy.faults import Faults
from invoiceapp.demo.billy.records import loads

TOKEN = {"X-Access-Token": "demo-token"}


def statuses(client, count):
    return [client.get("/v2/user", headers=TOKEN).status_code for _ in range(count)]


def test_nothing_is_wrong_at_first(client):
    assert not any(
        loads(client.get("/_demo/faults").data)["faults"][name] for name in Faults().as_dict() if name != "retry_after"
    )
    assert statuses(client, 5) == [200] * 5


def test_switches_are_set_and_read_over_http(client, api):
    answer = client.put("/_demo/faults", json={"down": True, "retry_after": 7})
    assert loads(answer.data)["faults"]["down"] is True
    assert api.faults.down and api.faults.retry_after == 7
    refused = client.get("/v2/user", headers=TOKEN)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "7")
    client.put("/_demo/faults", json={"down": False})
    assert statuses(client, 1) == [200]


@pytest.mark.parametrize("body", [{"typo": True}, {"down": 1}, {"slow_seconds": "soon"}, {"retry_after": None}, [1]])
def test_switches_that_make_no_sense_are_refused_and_change_nothing(client, api, body):
    before = api.faults.as_dict()
    assert client.put("/_demo/faults", json=body).status_code == 400
    assert api.faults.as_dict() == before


def test_every_third_request_is_too_much(client, api):
    api.faults.rate_limit_every = 3
    assert statuses(client, 6) == [200, 200, 429, 200, 200, 429]
    client.get("/v2/user", headers=TOKEN), client.get("/v2/user", headers=TOKEN)
    assert client.get("/v2/user", headers=TOKEN).headers["Retry-After"] == "1"


def test_every_second_request_meets_a_bad_gateway(client, api):
    api.faults.bad_gateway_every = 2
    assert statuses(client, 4) == [200, 502, 200, 502]


def test_html_comes_in_place_of_json(client, api):
    api.faults.html_body = True
    answer = client.get("/v2/invoices", headers=TOKEN)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")


def test_the_json_breaks_off(client, api):
    api.faults.half_page = True
    answer = client.get("/v2/invoices?pageSize=3", headers=TOKEN)
    assert answer.status_code == 200 and answer.is_json
    with pytest.raises(ValueError):
        loads(answer.data)


def test_answers_are_slow(client, api):
    api.faults.slow_seconds = 0.05
    started = time.monotonic()
    client.get("/v2/user", headers=TOKEN)
    assert time.monotonic() - started >= 0.05


def test_the_token_is_withdrawn(client, api):
    api.faults.refuse_token = True
    assert loads(client.get("/v2/user", headers=TOKEN).data)["errorCode"] == "OAUTH_INVALID_ACCESS_TOKEN"


def test_the_token_opens_another_company(get, api):
    own = get("/organization")["organization"]
    api.faults.other_company = True
    other = get("/organization")["organization"]
    assert other["id"] != own["id"] and other["registrationNo"] != own["registrationNo"]
    assert get("/invoices", pageSize=1)["invoices"][0]["organizationId"] == other["id"]


def test_the_total_changes_between_pages(get, api):
    api.faults.changed_total = True
    totals = [get("/invoices", pageSize=100, page=page)["meta"]["paging"]["total"] for page in (1, 2, 3)]
    assert totals == [totals[0], totals[0] + 1, totals[0] + 2]


def test_records_come_twice_across_pages(get, api):
    api.faults.duplicates = True
    first, second = (get("/invoices", pageSize=100, page=page)["invoices"] for page in (1, 2))
    assert first[-1]["id"] == second[0]["id"]


def test_line_amounts_exclude_vat_although_prices_include_it(get, api, company):
    query = {"invoiceId": company.hard_cases["inclusive_cents"]}
    assert get("/invoiceLines", **query)["invoiceLines"][0]["amount"] == Decimal("99.99")
    api.faults.net_line_amounts = True
    assert get("/invoiceLines", **query)["invoiceLines"][0]["amount"] == Decimal("79.99")


def test_percent_discounts_are_fractions(get, api, company):
    path = f"/invoices/{company.hard_cases['percent_discount']}"
    api.faults.discount_fractions = True
    lines = get(path, include="invoice.lines:embed")["invoice"]["lines"]
    assert [line["discountValue"] for line in lines] == [Decimal("0.1"), None]
    cash = get(f"/invoices/{company.hard_cases['cash_discount']}", include="invoice.lines:embed")["invoice"]
    assert cash["lines"][0]["discountValue"] == Decimal("290.5")


def test_credit_notes_are_negative(get, api, company):
    credit, invoice = company.hard_cases["credit_with_reference"], company.hard_cases["credited_original"]
    before = get(f"/invoices/{credit}", include="invoice.lines:embed")["invoice"]
    api.faults.negative_credit_notes = True
    after = get(f"/invoices/{credit}", include="invoice.lines:embed")["invoice"]
    assert [after[n] for n in ("amount", "tax", "grossAmount")] == [
        -before[n] for n in ("amount", "tax", "grossAmount")
    ]
    assert after["lines"][0]["quantity"] == -before["lines"][0]["quantity"] < 0
    assert after["lines"][0]["unitPrice"] > 0
    assert get(f"/invoices/{invoice}")["invoice"]["amount"] > 0


def test_gross_and_approval_time_are_missing(get, api):
    api.faults.no_gross_amount = api.faults.null_approved_time = True
    invoice = get("/invoices", state="approved", minApprovedTime="2026-11-01 00:00:00")["invoices"][0]
    assert "grossAmount" not in invoice
    assert invoice["approvedTime"] is None


def test_a_new_invoice_is_booked_on_demand(client, get):
    before = get("/invoices", pageSize=1)["meta"]["paging"]["total"]
    booked = [loads(client.post("/_demo/book").data)["invoice"] for _ in range(5)]
    assert len({invoice["id"] for invoice in booked}) == 5
    assert get("/invoices", pageSize=1)["meta"]["paging"]["total"] == before + 5
    assert {get(f"/invoices/{i['id']}")["invoice"]["state"] for i in booked} == {"approved"}
    numbers = [int(invoice["invoiceNo"]) for invoice in booked]
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_an_invoice_is_voided_on_demand(client, get, company):
    key = company.hard_cases["markup"]
    balance = get(f"/invoices/{key}")["invoice"]["balance"]
    assert client.post(f"/_demo/void/{key}").status_code == 200
    voided = get(f"/invoices/{key}")["invoice"]
    assert (voided["state"], voided["dueDate"], voided["balance"]) == ("voided", None, balance)
    assert client.post("/_demo/void/unknown").status_code == 404
