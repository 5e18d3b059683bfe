from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.population import BIS, Population
from support.reachable import Reachable

from invoiceapp.models import Adaptor, Job, JobState, db, utcnow
from invoiceapp.services import background
from invoiceapp.services.reach import checking, matching, queries

Make = Callable[..., Any]
GLN, OTHER = "5798000000001", "5798000000018"


def looked_up(*customers: Any) -> None:
    for customer in customers:
        checking.again(customer.id)


def shown(client: FlaskClient, path: str = "/network") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def test_counters_come_with_the_list_and_keep_its_search(signed_in: FlaskClient, four: Reachable) -> None:
    part = signed_in.get("/network?q=Kommunen", headers={"HX-Request": "true"}).text
    assert "<h1" not in part and 'href="/network?q=Kommunen&amp;show=several"' in part


@pytest.mark.parametrize(
    ("country", "written", "told"),
    [("DK", "12345674", "CVR 12345674"), ("DE", "DE999999980", "DE999999980"), ("US", "99-9999999", "US 99-9999999")],
)
def test_a_number_stands_once_after_its_country(
    signed_in: FlaskClient, here: Reachable, country: str, written: str, told: str
) -> None:
    here.customer(cvr=written, country=country)
    assert f'<div class="sub">{told}</div>' in shown(signed_in)


def rows(text: str) -> list[str]:
    return re.findall(r'class="clamped" href="/network/customers/[^"]+"><bdi>([^<]+)</bdi>', text)


@pytest.fixture
def four(here: Reachable, out_there: Population) -> Reachable:
    """Found, found by Peppol under another name, several addresses, and nobody."""
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    out_there.register("87654321", "Noget Helt Andet", "0184:87654321", offers=BIS)
    out_there.register("22222222", "Kommunen", f"0088:{GLN}", f"0088:{OTHER}")
    looked_up(
        here.customer(), here.customer("Fælleden", "87654321"), here.customer("Kommunen", "22222222"),
        here.customer("Ingen", "33333333"),
    )  # fmt: skip
    return here


def test_a_row_says_who_was_found_what_it_takes_and_what_is_proposed(signed_in: FlaskClient, four: Reachable) -> None:
    text = shown(signed_in)
    assert rows(text) == ["Bageriet Hjørnet", "Fælleden", "Ingen", "Kommunen"]
    for words in (
        "CVR 12345674", "Sure (95 of 100)", "NemHandel: OIOUBL 2.1", "Peppol: Peppol BIS Billing 3", "Sproom",
        "Takes invoices by NemHandel at CVR 12345674 (the customer's number in the books).",
    ):  # fmt: skip
        assert words in text


def test_another_name_in_the_register_is_marked(signed_in: FlaskClient, four: Reachable) -> None:
    marked = "Another name"
    assert marked in shown(signed_in, "/network?q=F%C3%A6lleden")
    assert marked not in shown(signed_in, "/network?q=Bageriet")


def test_one_company_with_several_addresses_is_a_question_and_no_proposal(
    signed_in: FlaskClient, four: Reachable
) -> None:
    text = shown(signed_in, "/network?show=several")
    assert rows(text) == ["Kommunen"]
    assert "Several addresses: choose" in text and "Takes invoices by" not in text


@pytest.mark.parametrize(
    ("show", "names"),
    [
        ("found", ["Bageriet Hjørnet", "Fælleden"]),
        ("not_found", ["Ingen"]),
        ("new", ["Bageriet Hjørnet", "Fælleden", "Kommunen"]),
        ("accepted", []),
        ("nonsense", ["Bageriet Hjørnet", "Fælleden", "Ingen", "Kommunen"]),
    ],
)
def test_counters_narrow_the_list(signed_in: FlaskClient, four: Reachable, show: str, names: list[str]) -> None:
    assert rows(shown(signed_in, f"/network?show={show}")) == names


def test_counters_tell_how_many(signed_in: FlaskClient, four: Reachable) -> None:
    text = shown(signed_in)
    counted = dict(re.findall(r'id="count-(\w+)"[^>]*>[^<]*<span class="ms-1">(\d+)', text))
    assert (counted["all"], counted["found"], counted["several"], counted["not_found"]) == ("4", "2", "1", "1")


def test_the_list_goes_on_page_by_page_within_its_filter(
    signed_in: FlaskClient, four: Reachable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 1)
    first = shown(signed_in, "/network?show=found")
    following = re.search(r'href="(/network\?[^"]*after=[^"]+)" rel="next"', first)
    assert following and rows(first) == ["Bageriet Hjørnet"]
    second = shown(signed_in, following[1])
    assert rows(second) == ["Fælleden"] and "before=" in second and 'rel="next"' not in second


def test_without_a_network_gateway_the_page_leads_to_making_one(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    make_customer()
    text = shown(signed_in)
    assert 'href="/gateways/new/network?next=/network"' in text
    assert "Help me activate" not in text


def test_without_a_way_into_the_networks_it_leads_to_a_provider(
    signed_in: FlaskClient, bare: Reachable, out_there: Population
) -> None:
    customer = bare.customer()
    assert "None of your gateways reaches NemHandel or Peppol" in shown(signed_in)
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    looked_up(customer)
    text = shown(signed_in)
    assert "1 customer can be reached by NemHandel or Peppol, but none of your gateways goes there" in text
    assert "No gateway goes there" in text and "Accept all …" not in text
    bare.gateway("Ny udbyder", "sproom", config={})
    text = shown(signed_in)
    assert "Ny udbyder" in text and "No gateway goes there" not in text and "Accept all …" in text


def test_without_customers_it_leads_to_them(signed_in: FlaskClient, here: Reachable) -> None:
    assert "No customers have been read yet" in shown(signed_in)


def test_the_button_starts_one_look_up_of_all(signed_in: FlaskClient, here: Reachable, submit: Any) -> None:
    here.customer()
    path = f"/network/{here.adaptor.id}/look-up"
    assert "It starts in a moment" in submit(signed_in, path, follow_redirects=True).text
    assert "That is going on already." in submit(signed_in, path, follow_redirects=True).text
    assert db.session.query(Job).filter_by(kind=matching.KIND).count() == 1


def test_progress_is_polled_until_the_end_and_then_the_list_is_fetched_again(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    here.customer()
    submit(signed_in, f"/network/{here.adaptor.id}/look-up")
    running = signed_in.get(f"/network/live?adaptor={here.adaptor.id}")
    assert running.status_code == 200 and "HX-Trigger" not in running.headers
    job = db.session.query(Job).one()
    while background.execute(job.id, {matching.KIND: matching.run}):
        pass
    ended = signed_in.get(f"/network/live?adaptor={here.adaptor.id}")
    assert (ended.status_code, ended.headers["HX-Trigger"]) == (286, "looked-up")
    assert "1 customer has a proposal that you can accept" in ended.text


def test_it_can_be_stopped_and_gone_on_with(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    first, second = here.customer(), here.customer("Fælleden", "87654321")
    looked_up(first)
    submit(signed_in, f"/network/{here.adaptor.id}/look-up")
    job = db.session.query(Job).one()
    text = submit(signed_in, f"/network/jobs/{job.id}/cancel", follow_redirects=True).text
    assert "The look-up was stopped." in text and "Go on with the 1 that is left" in text
    submit(signed_in, f"/network/{here.adaptor.id}/look-up", {"rest": "1"})
    rest = db.session.query(Job).filter_by(state=JobState.QUEUED).one()
    assert rest.parameters["ids"] == [second.id]


def _job(here: Reachable, kind: str) -> Job:
    row = Job(
        subscription_id=here.subscription.id, adaptor_id=here.adaptor.id, kind=kind, state=JobState.QUEUED, actor="x",
        parameters={},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.mark.parametrize(("client", "kind"), [("stranger", matching.KIND), ("signed_in", "bulk")])
def test_the_work_of_others_and_other_work_is_not_stopped_here(
    request: pytest.FixtureRequest, here: Reachable, submit: Any, client: str, kind: str
) -> None:
    job = _job(here, kind)
    answer = submit(request.getfixturevalue(client), f"/network/jobs/{job.id}/cancel")
    db.session.expire_all()
    assert (answer.status_code, job.state) == (404, JobState.QUEUED)


def test_a_selection_is_looked_up_again(signed_in: FlaskClient, four: Reachable, submit: Any) -> None:
    path = f"/network/{four.adaptor.id}/look-up-again"
    assert "Select at least one customer." in submit(signed_in, path, follow_redirects=True).text
    submit(signed_in, path, {"everything": "1", "filter.show": "not_found"})
    (customer_id,) = queries.ids(four.adaptor.id, queries.Filter(show="not_found"))
    assert db.session.query(Job).one().parameters["ids"] == [customer_id]


def test_what_the_last_night_brought_stands_on_the_page(signed_in: FlaskClient, here: Reachable) -> None:
    here.customer()
    job = Job(
        subscription_id=here.subscription.id, adaptor_id=here.adaptor.id, kind=matching.KIND, state=JobState.FINISHED,
        actor="system", parameters={"nightly": True}, result={"new": 2, "vanished": 1}, finished_at=utcnow(),
    )  # fmt: skip
    db.session.add(job)
    db.session.commit()
    said = "Last night all customers were looked up again: 2 can be reached now, 1 is no longer registered."
    assert said in shown(signed_in)
    assert "2 can be reached now, 1 is no longer registered." in shown(signed_in, "/")
    job.parameters = {}
    db.session.commit()
    assert "Last night" not in shown(signed_in) and "since yesterday" not in shown(signed_in, "/")


def test_a_member_reads_and_changes_nothing(member: FlaskClient, here: Reachable, submit: Any) -> None:
    customer = here.customer()
    assert "/look-up" not in shown(member) and "Help me" not in shown(member)
    for path in (f"/network/{here.adaptor.id}/look-up", f"/network/customers/{customer.id}/look-up"):
        assert submit(member, path).status_code == 403
