from __future__ import annotations

import io
from urllib.parse import urlsplit

import pypdfium2
import pytest

from invoiceapp.demo.billy.api import create_api
from invoiceapp.demo.billy.records import loads

TOKEN = {"X-Access-Token": "demo-token"}
INVOICE = {
    "id", "organizationId", "type", "createdTime", "approvedTime", "contactId", "attContactPersonId", "entryDate",
    "paymentTermsMode", "paymentTermsDays", "dueDate", "state", "sentState", "externalId", "quoteId", "invoiceNo",
    "taxMode", "amount", "tax", "grossAmount", "currencyId", "exchangeRate", "balance", "isPaid",
    "creditedInvoiceId", "contactMessage", "lineDescription", "bankAccountId", "recurringInvoiceId", "templateId",
    "downloadUrl", "orderNo", "paymentMethods", "attachmentIds",
}  # fmt: skip
LINE = {
    "id", "invoiceId", "productId", "description", "quantity", "unitPrice", "amount", "tax", "taxRateId",
    "discountText", "discountMode", "discountValue", "priority",
}  # fmt: skip


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def pdf_text(content: bytes) -> str:
    document = pypdfium2.PdfDocument(io.BytesIO(content))
    try:
        page = document[0]
        text_page = page.get_textpage()
        text = text_page.get_text_range()
        text_page.close()
        page.close()
        return text
    finally:
        document.close()


@pytest.mark.parametrize(
    ("path", "method", "headers", "body", "status", "code"),
    [
        ("/v2/nothing", "GET", {}, None, 404, "UNKNOWN_RESOURCE"),
        ("/v2/webhooks", "GET", TOKEN, None, 404, "UNKNOWN_RESOURCE"),
        ("/v2/nothing", "GET", {"X-Access-Token": "wrong"}, None, 401, "OAUTH_INVALID_ACCESS_TOKEN"),
        ("/v2/bankAccounts", "GET", {}, None, 405, "METHOD_NOT_ALLOWED"),
        ("/v2/organization", "PUT", TOKEN, None, 405, "METHOD_NOT_ALLOWED"),
        ("/v2/invoices", "POST", {}, b"[1]", 400, "INVALID_REQUEST_BODY"),
        ("/v2/invoices", "POST", TOKEN, b"not json", 400, "INVALID_REQUEST_BODY"),
        ("/v2/invoices", "POST", {}, b"{}", 401, "AUTHENTICATION_REQUIRED"),
        ("/v2/invoices", "GET", {}, None, 401, "AUTHENTICATION_REQUIRED"),
        ("/v2/invoices", "GET", {"X-Access-Token": "wrong"}, None, 401, "OAUTH_INVALID_ACCESS_TOKEN"),
        ("/v2/contactPersons", "GET", TOKEN, None, 400, "OTHER"),
        ("/v2/zipcodes", "GET", TOKEN, None, 400, "OTHER"),
        ("/v2/invoices?state=sent", "GET", TOKEN, None, 400, "OTHER"),
        ("/v2/invoices?entryDatePeriod=month:2026-13", "GET", TOKEN, None, 400, "OTHER"),
        ("/v2/contacts/unknown", "GET", TOKEN, None, 404, "RECORD_NOT_FOUND"),
        ("/v2/organizations/unknown", "GET", TOKEN, None, 404, "RECORD_NOT_FOUND"),
    ],
)
def test_refusals_come_in_billys_order_and_envelope(client, path, method, headers, body, status, code):
    answer = client.open(path, method=method, headers=headers, data=body)
    error = loads(answer.data)
    assert answer.status_code == status
    assert error["errorCode"] == code
    assert error["meta"] == {"statusCode": status, "success": False}
    assert error["errorMessage"] and error["helpUrl"]


def test_a_missing_record_is_named_in_the_message(get):
    assert get("/contacts/abc", 404)["errorMessage"] == "No `contact` record with id `abc` was found."


def test_the_organization_is_the_companys(get, company):
    organization = get("/organization")["organization"]
    assert organization == get(f"/organizations/{organization['id']}")["organization"]
    assert organization["name"] == "Nordlys Kontor & Service ApS"
    assert organization["nextInvoiceNo"] > len(company.tables["invoices"])
    assert get("/user")["user"]["id"] == organization["ownerUserId"]


@pytest.mark.parametrize(
    ("plural", "singular", "query"),
    [
        ("invoices", "invoice", {}),
        ("invoiceLines", "invoiceLine", {}),
        ("contacts", "contact", {}),
        ("products", "product", {}),
        ("productPrices", "productPrice", {}),
        ("accounts", "account", {}),
        ("taxRates", "taxRate", {}),
        ("salesTaxRulesets", "salesTaxRuleset", {}),
        ("currencies", "currency", {}),
        ("countries", "country", {}),
        ("cities", "city", {}),
        ("zipcodes", "zipcode", {"countryId": "DK"}),
        ("attachments", "attachment", {}),
    ],
)
def test_lists_have_a_plural_root_and_records_a_singular_one(get, plural, singular, query):
    listed = get(f"/{plural}", **query)
    assert set(listed) == {"meta", plural}
    assert listed["meta"]["statusCode"] == 200 and listed["meta"]["success"] is True
    assert listed["meta"]["paging"]["total"] >= len(listed[plural]) > 0
    one = get(f"/{plural}/{listed[plural][0]['id']}")
    assert set(one) == {"meta", singular}
    assert "paging" not in one["meta"]
    assert set(one[singular]) == set(listed[plural][0])


def test_invoices_have_exactly_billys_properties_and_no_lines(get, company):
    key = company.hard_cases["percent_discount"]
    assert set(get(f"/invoices/{key}")["invoice"]) == INVOICE
    assert all(set(invoice) == INVOICE for invoice in get("/invoices", pageSize=20)["invoices"])
    lines = get("/invoiceLines", invoiceId=key)["invoiceLines"]
    assert [set(line) for line in lines] == [LINE, LINE]
    assert [line["amount"] for line in lines] == [10800, 500]


def test_unknown_parameters_are_ignored(get):
    assert (
        get("/invoices", entryDateGte="2026-11-01", type="creditNote", pageSize=1)["meta"]["paging"]["total"]
        == get("/invoices", pageSize=1)["meta"]["paging"]["total"]
    )


def test_invoices_are_filtered_by_state(get, company):
    for state in ("draft", "approved", "voided"):
        found = get("/invoices", state=state)["invoices"]
        assert {invoice["state"] for invoice in found} == {state}
        assert len(found) == sum(i["state"] == state for i in company.tables["invoices"].values())


def test_invoices_are_filtered_by_the_time_of_approval(get, company):
    moment = "2026-11-10 12:00:00"
    found = {invoice["id"] for invoice in get("/invoices", minApprovedTime=moment)["invoices"]}
    expected = {
        k for k, i in company.tables["invoices"].items() if (i["approvedTime"] or "") >= moment.replace(" ", "T")
    }
    assert found == expected and expected
    before = get("/invoices", maxApprovedTime=moment, state="approved")["invoices"]
    assert before and not found & {invoice["id"] for invoice in before}


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("day:2026-10-08", "2026-10-08", "2026-10-08"),
        ("month:2026-10", "2026-10-01", "2026-10-31"),
        ("quarter:2026-4", "2026-10-01", "2026-12-31"),
        ("halfYear:2026-2", "2026-07-01", "2026-12-31"),
        ("year:2026", "2026-01-01", "2026-12-31"),
        ("fiscalYear:2026", "2026-01-01", "2026-12-31"),
        ("dates:2026-09-01...2026-09-05", "2026-09-01", "2026-09-05"),
        ("all", "0001-01-01", "9999-12-31"),
    ],
)
def test_invoices_are_filtered_by_period(get, company, period, first, last):
    found = [invoice["id"] for invoice in get("/invoices", entryDatePeriod=period)["invoices"]]
    assert found == [k for k, i in company.tables["invoices"].items() if first <= i["entryDate"] <= last]
    assert found


def test_other_invoice_filters_work(get, company):
    known = company.tables["invoices"][company.hard_cases["foreign_currency_eur"]]
    for name, value in {
        "contactId": known["contactId"],
        "invoiceNo": known["invoiceNo"],
        "currencyId": "EUR",
        "amount": known["amount"],
        "isPaid": str(known["isPaid"]).lower(),
        "minDueDate": known["dueDate"],
        "maxEntryDate": known["entryDate"],
        "q": known["invoiceNo"],
    }.items():
        found = get("/invoices", **{name: value})["invoices"]
        assert known["id"] in {invoice["id"] for invoice in found}, name
        assert len(found) < len(company.tables["invoices"]), name
    original = company.hard_cases["credited_original"]
    credits = get("/invoices", creditedInvoiceId=original)["invoices"]
    assert [credit["id"] for credit in credits] == [company.hard_cases["credit_with_reference"]]


def test_array_filters_match_any_value(client):
    answer = client.get("/v2/invoices?state[]=draft&state[]=voided", headers=TOKEN)
    assert {invoice["state"] for invoice in loads(answer.data)["invoices"]} == {"draft", "voided"}


def test_contacts_are_filtered_by_type_but_not_by_name(get):
    assert {c["type"] for c in get("/contacts", type="person")["contacts"]} == {"person"}
    assert len(get("/contacts", name="Fjordby")["contacts"]) == len(get("/contacts")["contacts"])
    assert {c["isArchived"] for c in get("/contacts", isArchived="true")["contacts"]} == {True}


def test_contact_persons_need_their_contact(get, company):
    person = next(iter(company.tables["contactPersons"].values()))
    assert get("/contactPersons", contactId=person["contactId"])["contactPersons"] == [person]


def test_pages_cover_the_list_once_and_link_to_each_other(client, get, company):
    seen, url = [], "/v2/invoices?pageSize=100&state=approved"
    pages = 0
    while url:
        answer = loads(client.get(url, headers=TOKEN).data)
        seen += [invoice["id"] for invoice in answer["invoices"]]
        paging = answer["meta"]["paging"]
        pages += 1
        assert paging["page"] == pages
        assert (paging["previousUrl"] is None) == (pages == 1)
        url = path_of(paging["nextUrl"]) if paging["nextUrl"] else None
    assert pages == paging["pageCount"] == 5
    assert len(seen) == len(set(seen)) == paging["total"]
    assert path_of(paging["lastUrl"]) == "/v2/invoices?page=5&pageSize=100&state=approved"
    assert paging["firstUrl"].endswith("/v2/invoices?pageSize=100&state=approved")


def test_page_size_is_1000_at_most_and_by_default(get):
    assert get("/invoices")["meta"]["paging"]["pageSize"] == 1000
    lines = get("/invoiceLines", pageSize=5000)
    assert lines["meta"]["paging"]["pageSize"] == len(lines["invoiceLines"]) == 1000
    assert get("/invoices", page=99)["invoices"] == []


def test_lists_are_sorted_as_asked(get):
    times = [i["approvedTime"] for i in get("/invoices", state="approved", sortProperty="approvedTime")["invoices"]]
    assert times[0] is None
    assert times[1:] == sorted(times[1:])
    down = get("/invoices", sortProperty="grossAmount", sortDirection="DESC")["invoices"]
    assert [i["grossAmount"] for i in down] == sorted((i["grossAmount"] for i in down), reverse=True)
    plain = [i["id"] for i in get("/invoices")["invoices"]]
    assert [i["id"] for i in get("/invoices", sortProperty="sentState")["invoices"]] == plain


def test_lists_are_sorted_by_the_contacts_name(get, company):
    contacts = company.tables["contacts"]
    names = [contacts[i["contactId"]]["name"] for i in get("/invoices", sortProperty="contact.name")["invoices"]]
    assert names == sorted(names)


def test_lines_are_embedded_and_contacts_sideloaded_on_request(get):
    include = "invoice.lines:embed,invoice.contact:sideload,invoice.attContactPerson:sideload,invoice.nonsense"
    answer = get("/invoices", pageSize=50, include=include)
    assert set(answer) == {"meta", "invoices", "contacts", "contactPersons"}
    contacts = {contact["id"] for contact in answer["contacts"]}
    assert contacts == {invoice["contactId"] for invoice in answer["invoices"]}
    for invoice in answer["invoices"]:
        assert set(invoice) == INVOICE | {"lines"}
        assert all(set(line) == LINE and line["invoiceId"] == invoice["id"] for line in invoice["lines"])


def test_has_many_is_sideloaded_and_belongs_to_embedded(get, company):
    key = company.hard_cases["percent_discount"]
    answer = get(f"/invoices/{key}", include="invoice.lines:sideload,invoice.contact:embed,contact.country:embed")
    assert answer["invoice"]["lineIds"] == [line["id"] for line in answer["invoiceLines"]]
    assert "contactId" not in answer["invoice"]
    assert answer["invoice"]["contact"]["country"]["id"] == "DK"


def test_including_in_circles_ends(get, company):
    key = company.hard_cases["percent_discount"]
    answer = get(f"/invoices/{key}", include="invoice.lines:embed,invoiceLine.invoice:embed")
    assert answer["invoice"]["lines"][0]["invoice"]["id"] == key


def test_a_contact_brings_its_persons_and_a_product_its_prices(get, company):
    persons = next(iter(company.tables["contactPersons"].values()))
    contact = get(f"/contacts/{persons['contactId']}", include="contact.contactPersons:embed")["contact"]
    assert contact["contactPersons"] == [persons]
    products = get("/products", include="product.prices:embed")["products"]
    assert all(product["prices"][0]["productId"] == product["id"] for product in products)


def test_a_product_that_is_gone_is_not_found(get, company):
    lines = get("/invoiceLines", invoiceId=company.hard_cases["missing_product"])["invoiceLines"]
    get(f"/products/{lines[0]['productId']}", 404)
    get(f"/products/{lines[1]['productId']}")


def test_a_download_address_works_once_and_changes_on_every_read(client, get, company):
    key = company.hard_cases["percent_discount"]
    company_record = company.tables["contacts"][company.tables["invoices"][key]["contactId"]]
    first, second = (get(f"/invoices/{key}")["invoice"]["downloadUrl"] for _ in range(2))
    assert first != second
    assert urlsplit(first).path == f"/download/invoice-{company.tables['invoices'][key]['invoiceNo']}.pdf"
    answer = client.get(path_of(first))
    assert answer.status_code == 200 and answer.mimetype == "application/pdf"
    text = pdf_text(answer.data)
    for part in ("Nordlys Kontor & Service ApS", company_record["name"], "Rådgivning om indretning", "14000.00"):
        assert part in text
    assert client.get(path_of(first)).status_code == 403
    assert client.get(path_of(second)).status_code == 200
    assert client.get("/download/invoice.pdf?token=guess").status_code == 403


def test_every_documents_pdf_can_be_opened(client, company, api):
    for name, key in company.hard_cases.items():
        assert company.tables["invoices"][key]["lineDescription"][:5] in pdf_text(
            api.store.file_content("invoices", key)
        ), name


def test_some_documents_have_no_pdf(get, company):
    assert get(f"/invoices/{company.hard_cases['no_pdf']}")["invoice"]["downloadUrl"] is None
    without = sum(i["downloadUrl"] is None for i in get("/invoices", state="approved")["invoices"])
    assert 10 < without < 100


def test_attachments_lead_to_files_that_can_be_fetched(client, get):
    attachment = get("/attachments")["attachments"][0]
    assert get("/attachments", ownerReference=attachment["ownerReference"])["attachments"] == [attachment]
    invoice = get(f"/invoices/{attachment['ownerReference'].removeprefix('invoice:')}")["invoice"]
    assert invoice["attachmentIds"] == [attachment["id"]]
    file = get(f"/files/{attachment['fileId']}")["file"]
    answer = client.get(path_of(file["downloadUrl"]))
    assert len(answer.data) == file["fileSize"]
    assert "Timeseddel" in pdf_text(answer.data)


def post(client, path, body, status=200):
    answer = client.post(f"/v2{path}", json=body, headers=TOKEN)
    assert answer.status_code == status, answer.text
    return loads(answer.data)


def test_an_invoice_is_booked_with_its_totals_and_then_listed(client, get, company):
    contact = next(c for c in company.tables["contacts"].values() if c["contactNo"] == "O01")
    products = {p["productNo"]: p["id"] for p in company.tables["products"].values()}
    number = get("/organization")["organization"]["nextInvoiceNo"]
    lines = [
        {"productId": products["2004"], "quantity": 10, "unitPrice": 1200, "discountMode": "percent", "discountValue": 10},
        {"productId": products["3002"], "unitPrice": 500.0},
    ]  # fmt: skip
    answer = post(client, "/invoices", {"invoice": {"contactId": contact["id"], "state": "approved", "lines": lines}})
    (invoice,) = answer["invoices"]
    assert (invoice["amount"], invoice["tax"], invoice["grossAmount"]) == (11300, 2700, 14000)
    assert invoice["invoiceNo"] == str(number)
    assert [line["amount"] for line in answer["invoiceLines"]] == [10800, 500]
    found = get("/invoices", minApprovedTime=invoice["approvedTime"])["invoices"]
    assert invoice["id"] in {record["id"] for record in found}
    assert get("/organization")["organization"]["nextInvoiceNo"] == number + 1


def test_a_draft_has_neither_number_nor_approval(client, company):
    contact = next(iter(company.tables["contacts"]))
    (invoice,) = post(client, "/invoices", {"invoice": {"contactId": contact}})["invoices"]
    assert (invoice["state"], invoice["invoiceNo"], invoice["approvedTime"]) == ("draft", None, None)


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        ({"contactId": "unknown"}, "contactId"),
        ({"state": "voided"}, "state"),
        ({"currencyId": "XXX"}, "currencyId"),
        ({"lines": [{"unitPrice": 1}]}, "productId"),
    ],
)
def test_an_invoice_that_makes_no_sense_is_refused_with_the_attribute(client, company, change, attribute):
    body = {"contactId": next(iter(company.tables["contacts"])), "_clientId": "c1"} | change
    error = post(client, "/invoices", {"invoice": body}, 422)
    assert list(error["validationErrors"]["c1"]["attributes"]) == [attribute]


def test_billys_own_delivery_is_logged(client, get, company):
    key = company.hard_cases["exempt"]
    delivery = {"invoiceId": key, "receiverIdType": "gln", "receiverGln": "5790000000001"}
    assert get("/invoiceLogs", invoiceId=key)["invoiceLogs"] == []
    post(client, "/invoiceDeliveries", {"invoiceDelivery": delivery})
    (log,) = get("/invoiceLogs", invoiceId=key)["invoiceLogs"]
    assert (log["type"], log["messageKey"]) == ("received", "delivery.received")
    draft = {"invoiceDelivery": {"invoiceId": company.hard_cases["draft"]}}
    post(client, "/invoiceDeliveries", draft, 422)


def test_changes_stay_in_their_own_stand_in(company):
    first, second = create_api(company).test_client(), create_api(company).test_client()
    before = len(company.tables["invoices"])
    first.post("/_demo/book")
    totals = [
        loads(c.get("/v2/invoices?pageSize=1", headers=TOKEN).data)["meta"]["paging"]["total"] for c in (first, second)
    ]
    assert totals == [before + 1, before]
    assert len(company.tables["invoices"]) == before
