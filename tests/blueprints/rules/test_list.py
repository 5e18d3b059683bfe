"""The list of customers and what is done to many of them, through the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Adaptor,
    Customer,
    Document,
    ExportRule,
    Gateway,
    Job,
    JobState,
    Readiness,
    Stage,
    Subscription,
    User,
    db,
    new_id,
)
from invoiceapp.services import background, bell
from invoiceapp.services.configuration import bulk, customer_reading, customers, preflight, rules, sources
from invoiceapp.services.configuration.customer_reading import Reading

Make = Callable[..., Any]
HTMX = {"HX-Request": "true"}
HANDLERS = {bulk.KIND: bulk.run}
HARMFUL = ["'; --", "<script>alert(1)</script>", "\u202eevil", "😀" * 50, "x" * 5_000, "-1", "[]", "%ff"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks of their own have their own tests; nobody waits for Redis."""
    monkeypatch.setattr(preflight, "refresh", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh_customer", lambda *_: None)
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def signed_in(signed_in: FlaskClient, user: User) -> FlaskClient:
    """The owner, who reads English: the words of the code."""
    user.language = "en"
    db.session.commit()
    return signed_in


def shown(page: str) -> list[str]:
    """Names in the list, in order."""
    return re.findall(r"<a [^>]*><bdi>([^<]*)</bdi></a>", page)


def link(page: str, pattern: str) -> str:
    found = re.search(rf'<a [^>]*?href="([^"]*)"[^>]*{pattern}', page)
    assert found, page
    return unescape(found[1])


def active() -> int:
    return db.session.scalar(select(func.count(ExportRule.id)).where(ExportRule.active)) or 0


def many(adaptor: Adaptor, count: int) -> list[str]:
    owner = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id}
    rows = [Customer(**owner, source_id=new_id(), name=f"Kunde {number:04}", raw={}) for number in range(count)]
    db.session.add_all(rows)
    db.session.commit()
    return [row.id for row in rows]


# --- the list ---------------------------------------------------------------------------------------------------------


def test_search_and_filter_narrow_the_list_and_htmx_gets_the_rows_only(
    signed_in: FlaskClient, make_customer: Make
) -> None:
    make_customer("Aarhus Kommune")
    make_customer("Bageren", active=None, gln=None)
    assert shown(signed_in.get("/customers?q=aarhus").text) == ["Aarhus Kommune"]
    rows = signed_in.get("/customers?show=inactive", headers=HTMX).text
    assert shown(rows) == ["Bageren"]
    assert "<!doctype" not in rows.lower()


def test_all_filters_stand_in_the_address_and_in_the_form(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make
) -> None:
    make_customer("A", country="SE", format="oioubl-2.1")
    make_customer("B")
    query = f"show=active&country=SE&format=oioubl-2.1&gateway={gateway.id}&q=A"
    page = signed_in.get(f"/customers?{query}").text
    assert shown(page) == ["A"]
    for value in ("active", "SE", "oioubl-2.1", gateway.id):
        assert f'<option value="{value}" selected>' in page
    for part in query.split("&"):
        name, _, value = part.partition("=")
        assert f'name="filter.{name}" value="{value}"' in page
        assert part in unescape(page).partition('id="sort-country" href="/customers?')[2].partition('"')[0].split("&")


def test_the_row_says_what_is_known_of_a_customer(signed_in: FlaskClient, make_customer: Make) -> None:
    row = make_customer(
        "Aarhus Kommune", number="K-7", registration_no="55133018", recent_documents=1234, is_new=True,
        readiness=Readiness.READY,
    )  # fmt: skip
    page = signed_in.get("/customers").text
    for part in (
        f'href="/customers/{row.id}"',
        "K-7",
        "EAN 5798000000001",
        "CVR 55133018",
        "1,234",
        "Ready",
        "SFTP",
        "Peppol",
    ):
        assert part in page, part


def test_the_first_problem_stands_in_words_with_the_way_to_mend_it(signed_in: FlaskClient, make_customer: Make) -> None:
    text = {"da": "Kunden mangler <EAN>.", "en": "No <EAN>."}
    problem = {"rule": "X", "text": text, "turn": "here", "fix": "customer.endpoint", "documents": 2}
    row = make_customer("A", readiness=Readiness.NEEDS, problems=[problem, problem, {**problem, "fix": None}])
    page = signed_in.get("/customers").text
    assert re.search(rf'href="/customers/{row.id}[^"]*#field-customer.endpoint">No &lt;EAN&gt;\.</a>', page)
    assert "+2" in page
    row.problems = [{**problem, "fix": "source.invoice"}]
    db.session.commit()
    assert f'href="/customers/{row.id}">No &lt;EAN&gt;' in signed_in.get("/customers").text


def test_before_anybody_has_looked_the_list_says_what_the_source_lacks(
    signed_in: FlaskClient, make_customer: Make
) -> None:
    make_customer("Bageren", active=None, gln=None, country=None)
    page = signed_in.get("/customers").text
    assert "No EAN or CVR" in page
    assert "No country" in page


def test_headings_put_the_list_in_order_and_turn_it_round(signed_in: FlaskClient, make_customer: Make) -> None:
    make_customer("A", recent_documents=1)
    make_customer("B", recent_documents=5)
    page = signed_in.get("/customers").text
    assert shown(page) == ["A", "B"]
    assert 'aria-sort="ascending"' in page
    assert 'id="sort-volume" href="/customers?sort=-volume"' in page
    page = signed_in.get("/customers?sort=-volume").text
    assert shown(page) == ["B", "A"]
    assert 'aria-sort="descending"' in page
    assert "/customers?sort=volume" in page
    assert '<option value="-volume" selected>' in page


def test_pages_follow_by_key_in_both_directions_with_filter_and_order(
    signed_in: FlaskClient, make_customer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        make_customer(f"Kunde {number}")
    make_customer("Kunde 9", active=None)
    monkeypatch.setattr(customers, "PAGE", 2)
    pages = [signed_in.get("/customers?show=active&sort=-name").text]
    while 'rel="next"' in pages[-1]:
        pages.append(signed_in.get(link(pages[-1], 'rel="next"')).text)
    assert [shown(page) for page in pages] == [["Kunde 4", "Kunde 3"], ["Kunde 2", "Kunde 1"], ["Kunde 0"]]
    assert 'rel="prev"' not in pages[0]
    back = signed_in.get(link(pages[-1], 'rel="prev"')).text
    assert shown(back) == shown(pages[1])
    assert shown(signed_in.get(link(back, 'rel="prev"')).text) == shown(pages[0])


@pytest.mark.parametrize("value", HARMFUL)
def test_no_address_breaks_the_list(signed_in: FlaskClient, make_customer: Make, value: str) -> None:
    make_customer("Bageren")
    for name in ("q", "show", "country", "format", "gateway", "sort", "after", "before"):
        answer = signed_in.get("/customers", query_string={name: value})
        assert answer.status_code == 200, name
        assert "<script>alert" not in answer.text, name
        assert shown(answer.text) == ([] if name == "q" else ["Bageren"]), name


@pytest.mark.parametrize("name", ["q", "show", "gateway", "sort", "after"])
def test_an_address_with_a_nul_is_refused_as_everywhere(signed_in: FlaskClient, adaptor: Adaptor, name: str) -> None:
    assert signed_in.get("/customers", query_string={name: "a\0b"}).status_code == 400


@pytest.mark.parametrize("name", ["ids", "format", "gateway", "everything", "filter.q"])
def test_a_form_with_a_nul_is_refused_as_everywhere(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any, name: str
) -> None:
    make_customer("A", active=None)
    data = {"everything": "1", "format": "peppol-bis-3", name: "a\0b"}
    assert submit(signed_in, f"/customers/{adaptor.id}/activate", data).status_code == 400
    assert active() == 0


def test_another_tenants_gateway_in_the_address_is_as_if_not_there(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    make_customer("Bageren")
    other = Subscription(name="Fremmed A/S")
    db.session.add(other)
    db.session.flush()
    foreign = Gateway(subscription_id=other.id, name="Hemmelig", kind="sftp", config={}, secrets={})
    db.session.add(foreign)
    db.session.commit()
    page = signed_in.get(f"/customers?gateway={foreign.id}").text
    assert shown(page) == ["Bageren"]
    assert "Hemmelig" not in page


def test_names_from_the_books_are_text_whatever_they_are(signed_in: FlaskClient, make_customer: Make) -> None:
    make_customer("<script>alert(1)</script>", number="\u202e<b>", city="😀")
    page = signed_in.get("/customers").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("q=nobody", "Clear filters"),
        ("show=new", "/customers"),
        ("show=needs", "/customers"),
        ("country=NO", "Clear filters"),
    ],
)
def test_an_empty_answer_says_the_way_on(signed_in: FlaskClient, make_customer: Make, query: str, words: str) -> None:
    make_customer("Bageren")
    page = signed_in.get(f"/customers?{query}").text
    assert shown(page) == []
    assert 'class="empty"' in page
    assert words in page.partition('class="empty"')[2]


def test_members_see_the_list_and_nothing_to_press(member: FlaskClient, make_customer: Make) -> None:
    make_customer("Bageren", is_new=True)
    page = member.get("/customers").text
    assert shown(page) == ["Bageren"]
    assert "data-bulk" not in page
    assert "keep-off" not in page


# --- many at once -----------------------------------------------------------------------------------------------------


def test_the_selected_customers_are_activated_and_others_are_not(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    chosen, other = make_customer("A", active=None), make_customer("B", active=None)
    data = {"ids": [chosen.id], "format": "oioubl-2.1", "gateway": gateway.id}
    assert submit(signed_in, f"/customers/{adaptor.id}/activate", data).status_code == 303
    found = db.session.query(ExportRule).all()
    assert [(row.customer_id, row.format, row.active) for row in found] == [(chosen.id, "oioubl-2.1", True)]
    assert other.id not in {row.customer_id for row in found}


@pytest.mark.parametrize(
    ("is_scheduled", "words", "others"),
    [(True, "from the next run on", "The schedule is off"), (False, "The schedule is off", "next run on")],
)
def test_after_activation_it_is_said_when_documents_are_sent(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, make_schedule: Make, submit: Any,
    is_scheduled: bool, words: str, others: str,
) -> None:  # fmt: skip
    if is_scheduled:
        make_schedule()
    first, second = make_customer("A", active=None), make_customer("B", active=None)
    chosen = {"format": "oioubl-2.1", "gateway": gateway.id}
    path = f"/customers/{adaptor.id}/activate"
    asked = submit(signed_in, path + "?ask=1", {"ids": [first.id]}).text
    assert ("From the next run on" in asked) is is_scheduled
    page = submit(signed_in, path, {"ids": [first.id], **chosen}, follow_redirects=True).text
    assert "Customers activated: 1." in page and words in page and others not in page
    one = submit(signed_in, f"/customers/{second.id}/rule", chosen, follow_redirects=True).text
    assert ("The schedule is off" in one) is not is_scheduled


def test_everything_means_everything_that_matches_the_filter(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    for name in ("Kommune A", "Kommune B", "Bageren"):
        make_customer(name, active=None)
    data = {"everything": "1", "filter.q": "kommune", "format": "peppol-bis-3", "gateway": gateway.id}
    answer = submit(signed_in, f"/customers/{adaptor.id}/activate", data)
    assert customers.counts(adaptor.id) == {"customers": 3, "active": 2}
    assert "q=kommune" in answer.location


@pytest.mark.parametrize("action", ["activate", "deactivate", "keep-off", "activate?ask=1"])
@pytest.mark.parametrize("broken", [{"filter.show": "nonsense"}, {"filter.gateway": "x" * 26}, {"filter.more": "1"}])
def test_a_filter_that_cannot_be_used_never_means_everybody(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any, action: str,
    broken: dict[str, str],
) -> None:  # fmt: skip
    make_customer("A", active=None, is_new=True)
    make_customer("B")
    data = {"everything": "1", "format": "peppol-bis-3", "gateway": gateway.id, **broken}
    answer = submit(signed_in, f"/customers/{adaptor.id}/{action}", data, follow_redirects=True)
    assert "nothing was changed" in answer.text
    assert (active(), customers.count_new(adaptor.id)) == (1, 1)


def test_the_question_says_how_many_and_carries_the_selection_on(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    adaptor.default_format = "oioubl-2.1"
    db.session.commit()
    rows = [make_customer("A", active=None), make_customer("B", active=None, gln=None), make_customer("C")]
    path = f"/customers/{adaptor.id}/activate?ask=1"
    answer = submit(signed_in, path, {"ids": [row.id for row in rows]})
    assert answer.status_code == 200
    assert "2 customers will be activated" in answer.text
    assert "1 is active already" in answer.text
    assert "1 of them needs something" in answer.text
    assert all(f'name="ids" value="{row.id}"' in answer.text for row in rows)
    assert '<option value="oioubl-2.1" selected>' in answer.text
    assert f'<option value="{gateway.id}" selected>' in answer.text
    assert active() == 1
    everything = submit(signed_in, path, {"everything": "1", "filter.show": "inactive"}).text
    assert 'name="everything" value="1"' in everything
    assert 'name="filter.show" value="inactive"' in everything


@pytest.mark.parametrize("kind", ["activate", "deactivate"])
def test_htmx_gets_the_question_as_a_dialog(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any, kind: str
) -> None:
    row = make_customer("A")
    answer = submit(signed_in, f"/customers/{adaptor.id}/{kind}?ask=1", {"ids": [row.id]}, headers=HTMX)
    assert "<dialog" in answer.text
    assert "<!doctype" not in answer.text.lower()
    assert f'name="ids" value="{row.id}"' in answer.text
    assert active() == 1


def test_without_a_gateway_the_question_leads_to_making_one(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    ids = many(adaptor, 1)
    for options in ({}, {"headers": HTMX}):
        page = submit(signed_in, f"/customers/{adaptor.id}/activate?ask=1", {"ids": ids}, **options).text
        assert 'href="/gateways/new"' in page
        assert 'name="format"' not in page


def test_a_wrong_choice_asks_again_with_the_same_customers(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    data = {"ids": [customer.id], "format": "peppol-bis-3", "gateway": "unknown"}
    answer = submit(signed_in, f"/customers/{adaptor.id}/activate", data)
    assert answer.status_code == 422
    assert f'name="ids" value="{customer.id}"' in answer.text
    assert 'href="#field-gateway"' in answer.text
    assert '<option value="peppol-bis-3" selected>' in answer.text


def test_an_adaptor_at_rest_is_told_in_words(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    row = make_customer("A", active=None)
    adaptor.active = False
    db.session.commit()
    data = {"ids": [row.id], "format": "peppol-bis-3", "gateway": gateway.id}
    assert "switched off" in submit(signed_in, f"/customers/{adaptor.id}/activate", data, follow_redirects=True).text
    assert active() == 0


def test_deactivating_keeps_the_settings(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    customer.rule.settings = {"customer": {"name": "Eget navn"}}
    db.session.commit()
    submit(signed_in, f"/customers/{adaptor.id}/deactivate", {"ids": [customer.id]})
    db.session.expire_all()
    assert (customer.rule.active, customer.rule.settings["customer"]["name"]) == (False, "Eget navn")


@pytest.mark.parametrize("action", ["activate", "deactivate", "keep-off", "activate?ask=1", "deactivate?ask=1"])
@pytest.mark.parametrize("ids", [[], [""], HARMFUL, ["<script>"] * 3])
def test_selecting_nobody_changes_nothing_and_says_so(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any, action: str, ids: list[str]
) -> None:
    make_customer("A", is_new=True)
    answer = submit(signed_in, f"/customers/{adaptor.id}/{action}", {"ids": ids}, follow_redirects=True)
    assert answer.status_code == 200
    assert "Select at least one customer" in answer.text
    assert (active(), customers.count_new(adaptor.id)) == (1, 1)


@pytest.mark.parametrize("value", HARMFUL)
def test_no_form_breaks_the_activation(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any, value: str
) -> None:
    row = make_customer("A", active=None)
    for field in ("format", "gateway", "everything", "filter.q"):
        data = {"ids": [row.id], "format": "peppol-bis-3", "gateway": gateway.id, field: value}
        answer = submit(signed_in, f"/customers/{adaptor.id}/activate", data)
        assert answer.status_code == (422 if field in ("format", "gateway") else 303), field
        assert "<script>alert" not in answer.text
        assert active() == (field not in ("format", "gateway"))


@pytest.mark.parametrize("action", ["activate", "deactivate", "keep-off", "activate?ask=1"])
def test_customers_of_another_tenant_are_left_alone(
    signed_in: FlaskClient, stranger: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any,
    action: str,
) -> None:  # fmt: skip
    row = make_customer("Hemmelig", is_new=True)
    foreign = db.session.scalars(select(Subscription).where(Subscription.id != adaptor.subscription_id)).one()
    own = Adaptor(subscription_id=foreign.id, name="B", source_kind="billy", organization={"id": "x"})
    theirs = Gateway(subscription_id=foreign.id, name="Deres", kind="sftp", config={}, secrets={})
    db.session.add_all((own, theirs))
    db.session.commit()
    data = {"ids": [row.id], "format": "oioubl-2.1", "gateway": theirs.id}
    answer = submit(stranger, f"/customers/{own.id}/{action}", data, follow_redirects=True)
    assert answer.status_code == 200
    assert "Hemmelig" not in answer.text
    db.session.expire_all()
    assert (row.is_new, row.rule.active, row.rule.format) == (True, True, "peppol-bis-3")


@pytest.mark.parametrize("action", ["activate", "activate?ask=1", "deactivate", "keep-off"])
def test_thirty_thousand_and_one_ids_are_refused_in_words(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any, action: str
) -> None:
    make_customer("A")
    data = {"ids": [new_id() for _ in range(rules.MOST_AT_ONCE + 1)], "format": "peppol-bis-3", "gateway": gateway.id}
    answer = submit(signed_in, f"/customers/{adaptor.id}/{action}", data, follow_redirects=True)
    assert "at most 30,000" in answer.text
    assert active() == 1


def test_activating_says_that_older_documents_go_by_manual_export_only(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make,
    make_document: Callable[..., Document], submit: Any,
) -> None:  # fmt: skip
    customer = make_customer("A", active=None)
    data = {"ids": [customer.id], "format": "oioubl-2.1", "gateway": gateway.id}
    path = f"/customers/{adaptor.id}/activate"
    assert "older document" not in submit(signed_in, path, data, follow_redirects=True).text
    for number in "12":
        make_document(customer, number, stage=Stage.LISTED)
    told = "2 older documents are not sent by themselves: choose them under Manual export."
    assert told in submit(signed_in, path, data, follow_redirects=True).text


# --- as a job ---------------------------------------------------------------------------------------------------------


def test_more_than_a_request_takes_goes_on_in_the_background_and_tells_its_end(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, submit: Any
) -> None:
    many(adaptor, bulk.MOST_NOW + 1)
    data = {"everything": "1", "format": "peppol-bis-3", "gateway": gateway.id}
    path = f"/customers/{adaptor.id}/activate"
    assert "in the background" in submit(signed_in, f"{path}?ask=1", data).text
    answer = submit(signed_in, path, data)
    job = db.session.scalars(select(Job)).one()
    assert answer.location == f"/customers/jobs/{job.id}"
    assert f'href="/customers/jobs/{job.id}"' in signed_in.get("/customers").text
    page = signed_in.get(answer.location).text
    assert f'hx-get="/customers/jobs/{job.id}/live"' in page
    assert "<progress" in page
    again = submit(signed_in, path, data, follow_redirects=True)
    assert "already" in again.text
    assert again.request.path == f"/customers/jobs/{job.id}"
    assert db.session.scalar(select(func.count(Job.id))) == 1
    while background.execute(job.id, HANDLERS):
        assert signed_in.get(f"{answer.location}/live").status_code == 200
    ended = signed_in.get(f"{answer.location}/live")
    assert ended.status_code == 286
    assert "501" in ended.text
    assert "<progress" not in ended.text
    assert active() == bulk.MOST_NOW + 1
    assert "/customers/jobs/" not in signed_in.get("/customers").text


def test_a_job_that_failed_says_why_and_what_stands(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    job = Job(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind="bulk", state=JobState.FAILED,
        parameters={"change": "activate"}, done=500, total=900, result={"done": 480, "already": 20}, error={"da": "Gatewayen er væk.", "en": "Gone."},
    )  # fmt: skip
    db.session.add(job)
    db.session.commit()
    page = signed_in.get(f"/customers/jobs/{job.id}").text
    assert "Gone." in page
    assert "480" in page


def test_jobs_of_others_and_of_other_kinds_are_not_found(
    signed_in: FlaskClient, stranger: FlaskClient, adaptor: Adaptor
) -> None:
    ids = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id}
    mine, other = Job(**ids, kind="bulk", parameters={"change": "activate"}), Job(**ids, kind="preflight")
    db.session.add_all((mine, other))
    db.session.commit()
    for path in ("", "/live"):
        assert stranger.get(f"/customers/jobs/{mine.id}{path}").status_code == 404
        assert signed_in.get(f"/customers/jobs/{other.id}{path}").status_code == 404
        assert signed_in.get(f"/customers/jobs/unknown{path}").status_code == 404


# --- new customers ----------------------------------------------------------------------------------------------------


def test_new_customers_wait_on_top_of_the_list_with_both_decisions(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    rows = [make_customer(name, active=None, is_new=name != "D") for name in "ABCD"]
    page = signed_in.get("/customers").text
    assert "3 new customers wait" in page
    assert shown(signed_in.get("/customers?show=new").text) == ["A", "B", "C"]
    submit(signed_in, f"/customers/{adaptor.id}/keep-off", {"ids": [rows[0].id]})
    everything = {"everything": "1", "filter.show": "new"}
    asked = submit(signed_in, f"/customers/{adaptor.id}/activate?ask=1", everything).text
    assert "2 customers" in asked
    data = {**everything, "format": "peppol-bis-3", "gateway": gateway.id}
    submit(signed_in, f"/customers/{adaptor.id}/activate", data)
    db.session.expire_all()
    assert [(row.is_new, row.rule is not None) for row in rows] == [
        (False, False), (False, True), (False, True), (False, False)
    ]  # fmt: skip
    assert "new customers wait" not in signed_in.get("/customers").text


def test_all_new_customers_can_be_kept_off_at_once(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    make_customer("A", active=None, is_new=True)
    make_customer("B", active=None, is_new=True)
    data = {"everything": "1", "filter.show": "new"}
    answer = submit(signed_in, f"/customers/{adaptor.id}/keep-off", data, follow_redirects=True)
    assert "2 new customers" in answer.text
    assert customers.count_new(adaptor.id) == 0
    assert db.session.query(ExportRule).count() == 0


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading(read=7), "7."), (Reading(read=7, new=1), "1 new customer."),
        (Reading(read=7, new=3, activated=2), "3 new customers. 2 of them were activated."),
    ],
)  # fmt: skip
def test_a_reading_says_who_is_new(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, monkeypatch: pytest.MonkeyPatch, reading: Reading, words: str
) -> None:
    monkeypatch.setattr(customer_reading, "read_now", lambda _: reading)
    assert words in submit(signed_in, f"/customers/{adaptor.id}/read", follow_redirects=True).text


def test_a_source_that_cannot_be_read_is_told_in_words(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> Reading:
        raise sources.SourceFailed(Text("Billy svarer ikke.", "Billy does not answer."))

    monkeypatch.setattr(customer_reading, "read_now", fail)
    assert "Billy does not answer." in submit(signed_in, f"/customers/{adaptor.id}/read", follow_redirects=True).text


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["activate", "activate?ask=1", "deactivate", "keep-off", "read"])
def test_members_do_not_change_many(member: FlaskClient, adaptor: Adaptor, submit: Any, action: str) -> None:
    assert submit(member, f"/customers/{adaptor.id}/{action}").status_code == 403


@pytest.mark.parametrize("action", ["activate", "activate?ask=1", "deactivate", "keep-off", "read"])
def test_other_tenants_find_no_list(stranger: FlaskClient, adaptor: Adaptor, submit: Any, action: str) -> None:
    assert submit(stranger, f"/customers/{adaptor.id}/{action}").status_code == 404
    assert stranger.get(f"/customers?adaptor={adaptor.id}").status_code == 404
