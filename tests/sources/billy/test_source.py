from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.domain.fields import parse_all
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import Settings
from invoiceapp.sources.base import (
    CredentialsRefused,
    DocumentQuery,
    NotFound,
    Source,
    SourceChanged,
    SourceUnavailable,
    registry,
)
from invoiceapp.sources.billy.client import BillyClient
from invoiceapp.sources.billy.source import BillySource

pytestmark = pytest.mark.server

Make = Callable[..., dict[str, Any]]


def read(source: BillySource, **conditions: Any) -> list[str]:
    return [document.id for document in source.documents(DocumentQuery(**conditions))]


def test_the_registry_finds_billy() -> None:
    assert registry()["billy"] is BillySource


def test_the_connection_form_knows_billys_address() -> None:
    values, errors = parse_all(BillySource.fields, {"token": "abc"})
    assert errors == {}
    assert values == {"token": "abc", "base_url": "https://api.billysbilling.com/v2"}


@pytest.mark.parametrize("url", ["http://api.billysbilling.com/v2", "http://localhost.example/v2", "billy.dk"])
def test_the_connection_form_refuses_an_address_without_tls(url: str) -> None:
    _, errors = parse_all(BillySource.fields, {"token": "abc", "base_url": url})
    assert set(errors) == {"base_url"}


def test_credentials_without_token_are_refused() -> None:
    with pytest.raises(CredentialsRefused):
        BillySource({})


def test_the_check_names_the_company(source: BillySource) -> None:
    company = source.check()
    assert (company.id, company.name, company.registration_no) == ("company", "Eksempel ApS", "12345674")
    assert (company.country, company.currency) == ("DK", "DKK")


def test_the_check_asks_anew_each_time(source: BillySource, billy: Any) -> None:
    source.check()
    billy.on("/organization", billy.error(401, "OAUTH_INVALID_ACCESS_TOKEN"))
    with pytest.raises(CredentialsRefused):
        source.check()


def test_tax_rates_are_those_for_sales(source: BillySource) -> None:
    rates = source.tax_rates()
    assert [rate["id"] for rate in rates] == ["sales25", "sales0"]
    assert rates[0]["rate"] == Decimal("0.25")


# Customers


def test_customers_are_contacts_that_are_customers_each_once(
    source: BillySource, billy: Any, make_contact: Make
) -> None:
    persons = [
        {"name": "A", "email": "a@x.dk", "isPrimary": False},
        {"name": "B", "email": "b@x.dk", "isPrimary": True},
    ]
    billy.on(
        "/contacts",
        {
            "contacts": [
                make_contact(contactPersons=persons, registrationNo="29189999", contactNo="K-100"),
                make_contact(id="supplier", isCustomer=False),
                make_contact(id="old", isArchived=True, cityText="", city={"id": "c", "name": "Aarhus"}),
                make_contact(),
            ]
        },
    )
    customers = list(source.customers())
    assert [customer.id for customer in customers] == ["kommune", "old"]
    first, old = customers
    assert (first.name, first.number, first.registration_no) == ("Kommune Eksempel", "K-100", "29189999")
    assert (first.gln, first.country, first.city) == ("5798000000001", "DK", "Eksempelby")
    assert (first.email, first.is_archived) == ("b@x.dk", False)
    assert (old.email, old.is_archived, old.city) == (None, True, "Aarhus")


def test_the_email_of_another_person_serves_where_the_primary_one_has_none(
    source: BillySource, billy: Any, make_contact: Make
) -> None:
    persons = [{"name": "A", "email": "a@x.dk", "isPrimary": False}, {"name": "B", "email": "", "isPrimary": True}]
    billy.on("/contacts", {"contacts": [make_contact(contactPersons=persons)]})
    assert [customer.email for customer in source.customers()] == ["a@x.dk"]


def test_customers_are_read_without_persons_where_billy_refuses_to_include_them(
    source: BillySource, billy: Any, make_contact: Make
) -> None:
    def answer(request: Any) -> Any:
        return billy.error(400, "OTHER") if "include" in request.params else {"contacts": [make_contact()]}

    billy.on("/contacts", answer)
    assert [(customer.id, customer.email) for customer in source.customers()] == [("kommune", None)]


def test_a_contact_without_id_does_not_hide_the_others(source: BillySource, billy: Any, make_contact: Make) -> None:
    billy.on("/contacts", {"contacts": [make_contact(id=None), make_contact(id="b")]})
    assert [customer.id for customer in source.customers()] == ["b"]
    assert [key for key, _ in source.skipped] == ["?"]


# Documents


def test_a_document_has_its_header_and_every_record_that_conversion_needs(
    source: BillySource, billy: Any, make_invoice: Make, make_contact: Make, make_line: Make
) -> None:
    person = {"id": "person1", "name": "Test Person", "email": "p@x.dk"}
    lines = [make_line(), make_line(id="line2", taxRateId="sales0"), make_line(id="line3")]
    raw = make_invoice(attContactPersonId="person1", lines=lines)
    billy.on("/invoices", {"invoices": [raw], "contacts": [make_contact()], "contactPersons": [person]})
    [document] = source.documents(DocumentQuery())
    assert (document.id, document.type, document.number) == ("inv1", DocumentType.INVOICE, "1042")
    assert document.issue_date == date(2026, 11, 2)
    assert document.approved_at == datetime(2026, 11, 2, 8, 17, 2)
    assert (document.customer_id, document.customer_name) == ("kommune", "Kommune Eksempel")
    assert (document.currency, document.net, document.vat) == ("DKK", Decimal(100), Decimal(25))
    assert document.order_number == "PO-7781"
    bundle = document.bundle
    assert bundle["invoice"] == {name: value for name, value in raw.items() if name != "downloadUrl"}
    assert bundle["organization"]["id"] == "company"
    assert bundle["account"]["id"] == "bank1"
    assert bundle["contact"] == make_contact()
    assert bundle["contactPerson"] == person
    assert bundle["products"] == [{"id": "hour", "name": "Konsulenttime"}]
    assert [rate["id"] for rate in bundle["taxRates"]] == ["sales25", "sales0"]
    assert bundle["creditedInvoice"] is None
    assert source.skipped == []


def test_a_bundle_that_was_read_can_be_converted(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice()]})
    [document] = source.documents(DocumentQuery())
    conversion = BillySource.convert(document.bundle, Settings())
    assert conversion.invoice is not None
    assert (conversion.invoice.number, conversion.invoice.totals.payable) == ("1042", Decimal(125))


def test_what_billy_is_asked_for(source: BillySource, billy: Any) -> None:
    billy.on("/invoices", {"invoices": []})
    query = DocumentQuery(
        since=datetime(2026, 11, 2, 1, 30),
        first_date=date(2026, 10, 1),
        last_date=date(2026, 10, 31),
        customer_ids=("kommune",),
        numbers=("1042",),
    )
    assert list(source.documents(query)) == []
    [request] = billy.requests
    assert request.params == {
        "state": "approved",
        "include": "invoice.lines:embed,invoice.contact:sideload,invoice.attContactPerson:sideload",
        "sortProperty": "approvedTime",
        "sortDirection": "ASC",
        "minApprovedTime": "2026-11-01 23:30:00",
        "minEntryDate": "2026-10-01",
        "maxEntryDate": "2026-10-31",
        "contactId": "kommune",
        "invoiceNo": "1042",
        "page": "1",
        "pageSize": "200",
    }


def test_several_customers_or_numbers_are_left_to_our_own_check(
    source: BillySource, billy: Any, make_invoice: Make
) -> None:
    invoices = [make_invoice(id=f"inv{n}", invoiceNo=str(n)) for n in (1, 2, 3)]
    billy.on("/invoices", {"invoices": invoices})
    assert read(source, customer_ids=("kommune", "b"), numbers=("1", "3")) == ["inv1", "inv3"]
    assert not {"contactId", "invoiceNo"} & billy.requests[0].params.keys()


@pytest.mark.parametrize(
    ("conditions", "changes"),
    [
        ({}, {"state": "draft"}),
        ({}, {"state": "voided"}),
        ({"since": datetime(2026, 11, 2, 8, 0)}, {"approvedTime": "2026-11-02T05:59:59"}),
        ({"first_date": date(2026, 11, 2)}, {"entryDate": "2026-11-01"}),
        ({"last_date": date(2026, 11, 2)}, {"entryDate": "2026-11-03"}),
        ({"customer_ids": ("kommune",)}, {"contactId": "other"}),
        ({"numbers": ("1042",)}, {"invoiceNo": "1043"}),
    ],
)
def test_a_filter_that_billy_ignored_is_applied_here(
    source: BillySource, billy: Any, make_invoice: Make, conditions: dict[str, Any], changes: dict[str, Any]
) -> None:
    billy.on("/invoices", {"invoices": [make_invoice(id="unwanted", **changes), make_invoice()]})
    assert read(source, **conditions) == ["inv1"]
    assert source.skipped == []


def test_what_was_approved_within_the_overlap_is_read_again(
    source: BillySource, billy: Any, make_invoice: Make
) -> None:
    billy.on("/invoices", {"invoices": [make_invoice(approvedTime="2026-11-02T06:00:00")]})
    assert read(source, since=datetime(2026, 11, 2, 8, 0)) == ["inv1"]


def test_a_document_without_approval_time_is_kept(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice(approvedTime=None)]})
    [document] = source.documents(DocumentQuery(since=datetime(2026, 11, 2, 8, 0)))
    assert document.approved_at is None


def test_amounts_stay_exact(source: BillySource, billy: Any, make_invoice: Make) -> None:
    body = json.dumps({"invoices": [make_invoice(amount="N", tax="T")]}).replace('"N"', "0.1").replace('"T"', "0.025")
    billy.on("/invoices", body.encode())
    [document] = source.documents(DocumentQuery())
    assert (document.net, document.vat) == (Decimal("0.1"), Decimal("0.025"))


def test_a_number_written_as_integer_is_a_text(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice(invoiceNo=991)]})
    [document] = source.documents(DocumentQuery())
    assert document.number == "991"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("id", "../organization"),
        ("type", None),
        ("type", "quote"),
        ("state", "posted"),
        ("invoiceNo", None),
        ("invoiceNo", " "),
        ("entryDate", None),
        ("entryDate", "20261102"),
        ("entryDate", "2026-02-30"),
        ("approvedTime", "2026-11-02T08:17:02+01:00"),
        ("approvedTime", "yesterday"),
        ("contactId", None),
        ("currencyId", "kr."),
        ("amount", None),
        ("amount", "many"),
        ("amount", True),
        ("amount", 10**15),
        ("tax", None),
        ("lines", "none"),
        ("lines", ["line1"]),
    ],
)
def test_one_broken_record_is_skipped_by_name_and_the_others_are_read(
    source: BillySource, billy: Any, make_invoice: Make, name: str, value: Any
) -> None:
    good, broken, last = make_invoice(), make_invoice(id="bad"), make_invoice(id="inv3")
    broken[name] = value
    billy.on("/invoices", {"invoices": [good, broken, last]})
    assert read(source) == ["inv1", "inv3"]
    [(key, error)] = source.skipped
    assert key == (value or "?" if name == "id" else "bad")
    assert isinstance(error, SourceChanged)
    assert f"{name!r}" in error.detail
    assert "1042" in error.text.da or name == "invoiceNo"


def test_a_missing_gross_amount_is_no_fault(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice(grossAmount=None)]})
    assert read(source) == ["inv1"]


def test_a_document_that_two_pages_have_comes_once(
    source: BillySource, billy: Any, make_invoice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BillySource, "PAGE_SIZE", 2)
    a, b, c = (make_invoice(id=key) for key in "abc")
    meta = {"paging": {"pageCount": 2, "total": 3}}
    billy.on("/invoices", {"invoices": [a, b], "meta": meta}, {"invoices": [b, c], "meta": meta})
    assert read(source) == ["a", "b", "c"]


def test_billy_being_down_is_not_taken_for_a_broken_record(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice()]})
    billy.on("/products/hour", billy.reply(503, b"down"))
    with pytest.raises(SourceUnavailable):
        read(source)
    assert source.skipped == []


def test_an_unreadable_organization_stops_the_run_instead_of_skipping_every_document(
    source: BillySource, billy: Any, make_invoice: Make
) -> None:
    billy.on("/invoices", {"invoices": [make_invoice()]})
    billy.on("/organization", {"company": {}})
    with pytest.raises(SourceChanged):
        read(source)


def test_nothing_else_is_read_where_there_is_no_document(source: BillySource, billy: Any) -> None:
    billy.on("/invoices", {"invoices": []})
    assert read(source) == []
    assert billy.paths() == ["/invoices"]


def test_documents_by_id_are_asked_for_one_by_one_oldest_approval_first(
    source: BillySource, billy: Any, make_invoice: Make, make_contact: Make
) -> None:
    late = make_invoice(id="late", approvedTime="2026-11-03T08:00:00")
    billy.on("/invoices/late", {"invoice": late, "contacts": [make_contact()]})
    billy.on("/invoices/inv1", {"invoice": make_invoice(), "contacts": [make_contact()]})
    billy.on("/invoices/void", {"invoice": make_invoice(id="void", state="voided")})
    assert read(source, ids=("late", "gone", "inv1", "void", "late", "..")) == ["inv1", "late"]
    assert [(key, type(error)) for key, error in source.skipped] == [("gone", NotFound), ("..", NotFound)]
    assert [path for path in billy.paths() if path.startswith("/invoices")] == [
        "/invoices/late",
        "/invoices/gone",
        "/invoices/inv1",
        "/invoices/void",
    ]
    assert "/contacts/kommune" not in billy.paths()


def test_another_record_than_the_one_asked_for_is_dropped(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices/inv1", {"invoice": make_invoice(id="inv2")})
    assert read(source, ids=("inv1",)) == []


def parts_of(source: BillySource, after: Any = None, **conditions: Any) -> list[tuple[list[str], Any]]:
    parts = source.parts(DocumentQuery(**conditions), after)
    return [([document.id for document in part.documents], part.bookmark) for part in parts]


def test_reading_goes_on_behind_the_page_that_was_read(
    source: BillySource, billy: Any, make_invoice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BillySource, "PAGE_SIZE", 2)
    a, b, c = (make_invoice(id=key) for key in "abc")
    pages = {"1": [a, b], "2": [c]}
    meta = {"paging": {"pageCount": 2, "total": 3}}
    billy.on("/invoices", lambda request: {"invoices": pages[request.params["page"]], "meta": meta})
    (first, bookmark), last = parts_of(source)
    assert (first, last) == (["a", "b"], (["c"], None))
    assert parts_of(source, json.loads(json.dumps(bookmark))) == [last]


def test_a_list_whose_pages_are_not_counted_is_read_in_one_go(
    source: BillySource, billy: Any, make_invoice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BillySource, "PAGE_SIZE", 1)
    billy.on("/invoices", {"invoices": [make_invoice()]}, {"invoices": []})
    assert parts_of(source) == [(["inv1"], None), ([], None)]


def test_documents_by_id_are_read_a_few_at_a_time(
    source: BillySource, billy: Any, make_invoice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BillySource, "PART", 2)
    for key in "abc":
        billy.on(f"/invoices/{key}", {"invoice": make_invoice(id=key)})
    (first, bookmark), (last, end) = parts_of(source, ids=("a", "b", "a", "c"))
    assert (first, last) == (["a", "b"], ["c"])
    assert parts_of(source, bookmark, ids=("a", "b", "a", "c")) == [(["c"], end)]
    assert parts_of(source, end, ids=("a", "b", "a", "c")) == []


def test_a_source_that_cannot_go_on_is_one_part(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice()]})
    [part] = Source.parts(source, DocumentQuery())
    assert ([one.id for one in part.documents], part.bookmark) == (["inv1"], None)


# Bundles


def test_lines_that_were_not_embedded_are_fetched_and_checked(
    source: BillySource, billy: Any, make_invoice: Make, make_line: Make
) -> None:
    raw = make_invoice()
    del raw["lines"]
    mine, foreign = make_line(invoiceId="inv1"), make_line(id="line9", invoiceId="other")
    billy.on("/invoices", {"invoices": [raw]})
    billy.on("/invoiceLines", {"invoiceLines": [mine, foreign]})
    [document] = source.documents(DocumentQuery())
    assert document.bundle["invoice"]["lines"] == [mine]
    assert next(r for r in billy.requests if r.path == "/invoiceLines").params["invoiceId"] == "inv1"


def test_a_contact_that_was_not_sent_along_is_fetched_once(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices", {"invoices": [make_invoice(), make_invoice(id="inv2")], "contacts": []})
    documents = list(source.documents(DocumentQuery()))
    assert [document.customer_name for document in documents] == ["Kommune Eksempel"] * 2
    assert billy.paths().count("/contacts/kommune") == 1


def test_what_billy_no_longer_has_is_left_out_and_asked_for_once(
    source: BillySource, billy: Any, make_invoice: Make, make_line: Make
) -> None:
    changes = {
        "contactId": "gone",
        "attContactPersonId": "gone",
        "bankAccountId": "gone",
        "creditedInvoiceId": "gone",
        "lines": [make_line(productId="gone", taxRateId="gone"), make_line()],
    }
    billy.on("/invoices", {"invoices": [make_invoice(**changes), make_invoice(id="inv2", **changes)]})
    document, _ = source.documents(DocumentQuery())
    bundle = document.bundle
    assert [bundle[name] for name in ("contact", "contactPerson", "account", "creditedInvoice")] == [None] * 4
    assert [product["id"] for product in bundle["products"]] == ["hour"]
    assert [rate["id"] for rate in bundle["taxRates"]] == ["sales25"]
    assert document.customer_name == ""
    for resource in ("contacts", "contactPersons", "accounts", "invoices", "products"):
        assert billy.paths().count(f"/{resource}/gone") == 1


def test_the_invoices_own_account_goes_before_the_companys(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/accounts/bank2", {"account": {"id": "bank2"}})
    billy.on("/invoices", {"invoices": [make_invoice(bankAccountId="bank2")]})
    [document] = source.documents(DocumentQuery())
    assert document.bundle["account"] == {"id": "bank2"}


def test_a_credit_note_brings_the_invoice_that_it_credits(source: BillySource, billy: Any, make_invoice: Make) -> None:
    note = make_invoice(id="note", type="creditNote", invoiceNo="1043", creditedInvoiceId="inv1")
    billy.on("/invoices", {"invoices": [note]})
    billy.on("/invoices/inv1", {"invoice": make_invoice()})
    [document] = source.documents(DocumentQuery())
    assert document.type is DocumentType.CREDIT_NOTE
    assert document.bundle["creditedInvoice"]["invoiceNo"] == "1042"
    assert document.credits_id == "inv1"
    assert "downloadUrl" not in document.bundle["creditedInvoice"]


def _with_products(make_invoice: Make, make_line: Make, count: int) -> dict[str, Any]:
    return make_invoice(lines=[make_line(id=f"l{n}", productId=f"p{n}") for n in range(count)])


def test_a_few_products_are_fetched_one_by_one(
    source: BillySource, billy: Any, make_invoice: Make, make_line: Make
) -> None:
    billy.on("/invoices", {"invoices": [_with_products(make_invoice, make_line, 3)]})
    for n in range(3):
        billy.on(f"/products/p{n}", {"product": {"id": f"p{n}"}})
    [document] = source.documents(DocumentQuery())
    assert [product["id"] for product in document.bundle["products"]] == ["p0", "p1", "p2"]
    assert "/products" not in billy.paths()


def test_many_products_are_listed_at_once_and_missing_ones_asked_for(
    source: BillySource, billy: Any, make_invoice: Make, make_line: Make
) -> None:
    billy.on("/invoices", {"invoices": [_with_products(make_invoice, make_line, 21)]})
    billy.on("/products", {"products": [{"id": f"p{n}"} for n in range(20)]})
    billy.on("/products/p20", {"product": {"id": "p20", "isArchived": True}})
    [document] = source.documents(DocumentQuery())
    assert [product["id"] for product in document.bundle["products"]] == [f"p{n}" for n in range(21)]
    assert [path for path in billy.paths() if path.startswith("/products")] == ["/products", "/products/p20"]


# PDF


def test_the_pdf_is_fetched_from_the_address_of_the_moment(source: BillySource, billy: Any, make_invoice: Make) -> None:
    urls = iter(("/first.pdf", "/second.pdf"))
    billy.on("/invoices/inv1", lambda _: {"invoice": make_invoice(downloadUrl=billy.url + next(urls))})
    billy.on("/first.pdf", b"%PDF first")
    billy.on("/second.pdf", b"%PDF second")
    assert source.pdf("inv1") == b"%PDF first"
    assert source.pdf("inv1") == b"%PDF second"


@pytest.mark.parametrize("url", [None, ""])
def test_a_document_without_pdf_has_none(source: BillySource, billy: Any, make_invoice: Make, url: str | None) -> None:
    billy.on("/invoices/inv1", {"invoice": make_invoice(downloadUrl=url)})
    assert source.pdf("inv1") is None


def test_the_pdf_of_a_document_that_is_gone_is_not_found(source: BillySource) -> None:
    with pytest.raises(NotFound):
        source.pdf("gone")


def test_a_pdf_on_a_foreign_host_is_refused(source: BillySource, billy: Any, make_invoice: Make) -> None:
    billy.on("/invoices/inv1", {"invoice": make_invoice(downloadUrl="https://evil.example/1042.pdf")})
    with pytest.raises(SourceChanged):
        source.pdf("inv1")


def test_a_source_is_made_from_its_credentials_and_closes_itself(billy: Any, client: BillyClient) -> None:
    billy.on("/organization", {"organization": {"id": "company"}})
    with BillySource({"token": billy.token, "base_url": billy.url}, guard=LOOPBACK) as opened:
        assert isinstance(opened, BillySource)
        assert opened.check().id == "company"
    assert billy.token not in repr(opened)


def test_an_id_that_does_not_fit_our_tables_is_a_broken_record(
    source: BillySource, billy: Any, make_invoice: Make
) -> None:
    fits = make_invoice(id="a" * 64)
    billy.on("/invoices", {"invoices": [fits, make_invoice(id="b" * 65), make_invoice(id="c", contactId="d" * 65)]})
    assert read(source) == ["a" * 64]
    assert [key for key, _ in source.skipped] == ["b" * 65, "c"]


def test_billy_names_what_changes_while_the_document_stays_the_same() -> None:
    assert {"balance", "isPaid", "sentState", "downloadUrl", "nextInvoiceNo"} <= BillySource.volatile
