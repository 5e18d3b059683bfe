"""The list of documents: what its address says, what its poll answers, and the file of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from flask_babel import refresh
from support.moving import bring

from invoiceapp.blueprints.main import freshness
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Turn, fatal
from invoiceapp.models import Adaptor, Customer, Document, Gateway, Stage, User, db, new_id
from invoiceapp.services.daily import problems

Make = Callable[..., Any]
HTMX = {"HX-Request": "true"}
SCHEDULE_LATE = fatal("LATE", "Ingen rækkefølge.", "No order.", turn=Turn.HERE, fix="general.note").to_dict()


@pytest.fixture(autouse=True)
def same_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is made anew once a minute; no test may fall on that moment."""
    monkeypatch.setattr(freshness.time, "time", lambda: 0.0)


@pytest.fixture
def second(adaptor: Adaptor) -> Adaptor:
    """Another adaptor of the subscription, of another company."""
    row = Adaptor(
        subscription_id=adaptor.subscription_id, name="Filial", source_kind="billy", source_config={}, settings={},
        organization={"id": "other", "name": "Filialen ApS"},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def documents(make_customer: Make, make_document: Make, make_delivery: Make) -> dict[str, Document]:
    """Four documents to two customers, by number."""
    first, other = make_customer(), make_customer("شركة المثال")
    made = {
        "1001": make_document(first, "1001", customer_order="PO-7", supplier_order="SO-9", net=Decimal(900)),
        "1002": make_document(first, "1002", issue_date=date(2026, 10, 5)),
        "1003": make_document(other, "1003"),
        "1004": make_document(other, "1004", stage=Stage.LISTED),
    }
    make_delivery(made["1001"], DeliveryState.DELIVERED)
    make_delivery(made["1002"], DeliveryState.REJECTED, format="oioubl-2.1")
    make_delivery(made["1003"], DeliveryState.ACCEPTED)
    return made


def _numbers(html: str) -> list[str]:
    return re.findall(r'href="/documents/\w+"><strong><bdi>([^<]+)</bdi></strong>', html)


def _row(html: str, document: Document) -> str:
    found = re.search(rf'<tr id="row-{document.id}">.*?</tr>', html, re.DOTALL)
    assert found
    return found[0]


def _link(html: str, id: str) -> str:
    found = re.search(rf'id="{id}"[^>]*? href="([^"]+)"|href="([^"]+)"[^>]*? id="{id}"', html)
    assert found, id
    return unescape(found[1] or found[2])


def _version(html: str) -> str:
    found = re.search(r'id="list-version" name="v" value="(\w+)"', html)
    assert found
    return found[1]


def test_a_row_says_who_gets_what_and_how_far_it_is(signed_in: FlaskClient, documents: dict[str, Document]) -> None:
    html = signed_in.get("/").text
    row = _row(html, documents["1001"])
    for text in ("Kommune Eksempel", "PO-7", "SO-9", "925.00\N{NO-BREAK SPACE}DKK", "2 Nov 2026", "SFTP", "Invoice"):
        assert text in row, text
    assert "<bdi>شركة المثال</bdi>" in _row(html, documents["1003"])


@pytest.mark.parametrize(
    ("number", "stage"), [("1001", "Received"), ("1002", "Declined"), ("1003", "Created"), ("1004", "")]
)
def test_beside_our_status_stands_billys_own_word(
    signed_in: FlaskClient, documents: dict[str, Document], number: str, stage: str
) -> None:
    found = re.search("In Billy's words: (\\w+)", _row(signed_in.get("/").text, documents[number]))
    assert (found[1] if found else "") == stage


def test_every_filter_lives_in_the_address(
    signed_in: FlaskClient, documents: dict[str, Document], gateway: Gateway
) -> None:
    customer = documents["1001"].customer_id
    for query, expected in {
        f"customer={customer}": ["1001", "1002"],
        "from=2026-11-01": ["1004", "1003", "1001"],
        "to=2026-10-31": ["1002"],
        "format=oioubl-2.1": ["1002"],
        f"gateway={gateway.id}&status=arrived": ["1003", "1001"],
        "q=PO-7": ["1001"],
        "sort=number": ["1001", "1002", "1003", "1004"],
        "sort=-amount&status=arrived": ["1001", "1003"],
    }.items():
        assert sorted(_numbers(signed_in.get(f"/?{query}").text)) == sorted(expected), query
    assert _numbers(signed_in.get("/?sort=number").text) == ["1001", "1002", "1003", "1004"]


def test_links_keep_the_filter_and_headings_turn_round(signed_in: FlaskClient, documents: dict[str, Document]) -> None:
    html = signed_in.get("/?status=arrived&sort=number").text
    assert parse_qs(urlsplit(_link(html, "sort-number")).query) == {"status": ["arrived"], "sort": ["-number"]}
    assert 'aria-sort="ascending"' in html
    only = parse_qs(urlsplit(_link(html, f"customer-{documents['1001'].id}")).query)
    assert only == {"status": ["arrived"], "sort": ["number"], "customer": [documents["1001"].customer_id]}
    assert _link(html, "clear-filters") == "/?sort=number"
    assert "2 documents" in html


def test_quick_periods_are_addresses(signed_in: FlaskClient, documents: dict[str, Document]) -> None:
    html = signed_in.get("/?status=arrived").text
    address = _link(html, "period-2")
    period = parse_qs(urlsplit(address).query)
    assert date.fromisoformat(period["from"][0]).day == 1 and period["status"] == ["arrived"]
    assert 'aria-current="true">Last month</a>' in signed_in.get(address).text


def test_newer_leads_back_to_the_same_rows(signed_in: FlaskClient, make_customer: Make, make_document: Make) -> None:
    customer = make_customer()
    for number in range(101):
        make_document(customer, str(1000 + number), stage=Stage.LISTED)
    first = signed_in.get("/?sort=number").text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older
    second = signed_in.get(unescape(older[1])).text
    newer = re.search(r'href="([^"]+)" rel="prev"', second)
    assert newer
    assert _numbers(second)[0] == "1050"
    assert _numbers(signed_in.get(unescape(newer[1])).text) == _numbers(first)


@pytest.mark.parametrize(
    "query",
    [
        "status=x&from=yesterday&to=2026-13-40&sort=secret&after=~&before=~",
        "sort=amount&after=99999999999999999999999999~x",
        "sort=-date&after=2026-11-02~%F0%9F%98%80&before=1~1",
        "customer=none&gateway=%27&format=%3Cscript%3E&run=x&problem=x&q=%25_%5C%27",
        "q=" + "%C3%86" * 1500,
        "adaptor=all&sort=customer&after=%ED%A0%80~x",
    ],
)
@pytest.mark.parametrize("path", ["/", "/dashboard/live", "/documents.csv"])
def test_garbage_in_the_address_is_left_out(
    signed_in: FlaskClient, documents: dict[str, Document], path: str, query: str
) -> None:
    answer = signed_in.get(f"{path}?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text.split("</head>")[-1]


def test_what_is_somebody_elses_is_not_there(
    stranger: FlaskClient, documents: dict[str, Document], adaptor: Adaptor, gateway: Gateway
) -> None:
    for path in ("/", "/dashboard/live", "/documents.csv"):
        assert stranger.get(f"{path}?adaptor={adaptor.id}").status_code == 404
        theirs = stranger.get(f"{path}?adaptor=all&customer={documents['1001'].customer_id}&gateway={gateway.id}")
        assert "1001" not in theirs.text and "Kommune Eksempel" not in theirs.text


def test_all_adaptors_are_one_list_with_the_sender(
    signed_in: FlaskClient, documents: dict[str, Document], second: Adaptor
) -> None:
    theirs = Customer(
        subscription_id=second.subscription_id, adaptor_id=second.id, name="Anden kunde", raw={}, source_id=new_id()
    )  # fmt: skip
    db.session.add(theirs)
    documents["1003"].adaptor_id = second.id
    db.session.commit()
    assert "1003" not in _numbers(signed_in.get("/").text)
    html = signed_in.get("/?adaptor=all").text
    assert set(_numbers(html)) == {"1001", "1002", "1003", "1004"}
    assert "Filialen ApS" in _row(html, documents["1003"]) and "Eksempel ApS" in _row(html, documents["1001"])
    assert 'hx-get="/dashboard/live?adaptor=all"' in html and "documents-form" not in html
    assert '<option value="all">All adaptors</option>' in html
    assert _numbers(signed_in.get(f"/?adaptor={second.id}").text) == ["1003"]


def test_another_adaptor_chosen_among_the_filters_is_another_page(
    signed_in: FlaskClient, documents: dict[str, Document], adaptor: Adaptor, second: Adaptor
) -> None:
    here = HTMX | {"HX-Current-URL": f"http://localhost/?adaptor={adaptor.id}&q=10"}
    answer = signed_in.get(f"/?adaptor={second.id}&q=10&status=", headers=here)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, f"/?adaptor={second.id}&q=10")
    assert signed_in.get(f"/?adaptor={adaptor.id}&q=100", headers=here).status_code == 200


def test_a_poll_is_answered_only_when_something_changed(
    signed_in: FlaskClient, documents: dict[str, Document], make_delivery: Make, adaptor: Adaptor
) -> None:
    version = _version(signed_in.get("/?status=arrived").text)
    poll = f"/dashboard/live?status=arrived&v={version}"
    assert (signed_in.get(poll).status_code, signed_in.get(poll).data) == (204, b"")
    assert signed_in.get(f"/dashboard/live?v={version}").status_code == 200, "another filter is another list"
    blocked = make_delivery(documents["1004"], DeliveryState.BLOCKED, findings=[SCHEDULE_LATE])
    moved = signed_in.get(poll)
    assert moved.status_code == 200 and _version(moved.text) != version
    poll = f"/dashboard/live?status=arrived&v={_version(moved.text)}"
    assert signed_in.get(poll).status_code == 204
    problems.refresh(adaptor.id)
    told = signed_in.get(poll).text
    assert "No order." in told
    bring(blocked, DeliveryState.ACCEPTED)
    db.session.commit()
    assert "1004" in _numbers(signed_in.get(f"/dashboard/live?status=arrived&v={_version(told)}").text)


def test_a_poll_that_finds_nothing_new_makes_no_page(
    signed_in: FlaskClient, documents: dict[str, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = _version(signed_in.get("/").text)
    monkeypatch.setattr("invoiceapp.services.daily.listing.page", None)
    assert signed_in.get(f"/dashboard/live?v={version}").status_code == 204


def test_a_poll_in_the_other_language_is_another_page(
    signed_in: FlaskClient, documents: dict[str, Document], user: User
) -> None:
    version = _version(signed_in.get("/").text)
    user.language = "da"
    db.session.commit()
    refresh()
    assert signed_in.get(f"/dashboard/live?v={version}").status_code == 200


@pytest.mark.parametrize(
    ("language", "heading", "amount"), [("da", "Modtager", "1125,00"), ("en", "Receiver", "1125.00")]
)
def test_the_result_is_a_file_in_the_readers_language(
    signed_in: FlaskClient, documents: dict[str, Document], user: User, language: str, heading: str, amount: str
) -> None:
    user.language = language
    documents["1001"].vat = Decimal(225)
    db.session.commit()
    html = signed_in.get("/?status=arrived&sort=number&after=1001~x").text
    answer = signed_in.get(_link(html, "download-csv"))
    assert answer.headers["Content-Disposition"].endswith(".csv")
    rows = list(csv.reader(io.StringIO(answer.text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")), delimiter=";"))
    assert heading in rows[0]
    assert [row[2] for row in rows[1:]] == ["1001", "1003"], "the whole result, whatever page it was"
    assert amount in rows[1] and {"PO-7", "SO-9"} <= set(rows[1])


def test_the_dashboard_is_there_in_danish(signed_in: FlaskClient, documents: dict[str, Document], user: User) -> None:
    user.language = "da"
    db.session.commit()
    assert "<h1>Overblik</h1>" in signed_in.get("/").text


def test_a_cause_names_its_documents_whose_turn_it_is_and_the_field(
    signed_in: FlaskClient, documents: dict[str, Document], make_delivery: Make, adaptor: Adaptor
) -> None:
    make_delivery(documents["1004"], DeliveryState.BLOCKED, findings=[SCHEDULE_LATE])
    problems.refresh(adaptor.id)
    html = signed_in.get("/").text
    assert "No order." in html and "Your turn, here" in html and "1 document" in html
    assert '<details class="card folding" id="problems" open>' in html
    assert '<details class="card folding" id="problems" >' in signed_in.get("/?status=arrived").text
