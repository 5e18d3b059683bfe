from __future__ import annotations

import html
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.population import BIS, Population
from support.reachable import Reachable

from invoiceapp.models import Environment, MatchState, db
from invoiceapp.services.reach import checking

GLN, OTHER = "5798000000001", "5798000000018"


@pytest.fixture
def found(here: Reachable, out_there: Population) -> dict[str, Any]:
    """A sure one, an unsure one, one with several addresses, one that nobody knows."""
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    out_there.register("87654321", "Noget Helt Andet", "0184:87654321", offers=BIS)
    out_there.register("22222222", "Kommunen", f"0088:{GLN}", f"0088:{OTHER}")
    customers = {
        "sure": here.customer(recent_documents=7), "unsure": here.customer("Xyz Kvadrat", "87654321"),
        "several": here.customer("Kommunen", "22222222"), "nobody": here.customer("Ingen", "33333333"),
    }  # fmt: skip
    for customer in customers.values():
        checking.again(customer.id)
    return customers


def path(here: Reachable, what: str = "accept") -> str:
    return f"/network/{here.adaptor.id}/{what}"


def asked(submit: Any, client: FlaskClient, here: Reachable, data: dict[str, Any]) -> str:
    answer = submit(client, path(here) + "?ask=1", data)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def test_the_summary_says_what_will_happen_and_changes_nothing(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    text = asked(submit, signed_in, here, {"everything": "1"})
    for words in (
        "2 customers get this", "OIOUBL 2.1", "Peppol BIS Billing 3", "Sproom", "In the last year it was 7 documents.",
        "1 of them is unsure", "you must choose the address first", "nobody is registered or it is not known",
        "Accept for 2 customers",
    ):  # fmt: skip
        assert words in text
    assert here.rule(found["sure"]) is None


def test_all_proposals_or_only_the_sure_ones_can_be_chosen(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    text = signed_in.get("/network").text
    assert "2 customers have a proposal that you can accept" in text and "Only the 1 that is sure …" in text
    assert "Accept for 2 customers" in asked(submit, signed_in, here, {"proposals": "all"})
    sure = asked(submit, signed_in, here, {"proposals": "sure"})
    assert "Accept for 1 customer" in sure and '<input type="hidden" name="proposals" value="sure">' in sure
    submit(signed_in, path(here), {"proposals": "sure"})
    assert here.rule(found["sure"]).active and here.rule(found["unsure"]) is None


def test_accepting_activates_and_tells_who_stays_as_it_was(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    answer = submit(signed_in, path(here), {"ids": [one.id for one in found.values()]}, follow_redirects=True)
    assert answer.request.args["show"] == "accepted"
    assert "Customers activated: 2." in answer.text and "2 customers stay as they were" in answer.text
    assert here.rule(found["unsure"]).gateway_id == here.network.id


def test_what_nobody_can_be_sent_to_is_refused_in_words(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    data = {"ids": [found["several"].id]}
    assert "None of them can be accepted" in asked(submit, signed_in, here, data)
    told = submit(signed_in, path(here), data, follow_redirects=True).text
    assert "No customer could be activated." in told and here.rule(found["several"]) is None


def test_without_a_gateway_the_summary_leads_to_making_one(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    here.adaptor.environment = Environment.TEST
    db.session.commit()
    text = asked(submit, signed_in, here, {"ids": [found["sure"].id]})
    assert "1 customer stays as it is, because none of your gateways goes there." in text
    assert 'href="/gateways/new"' in text


def test_nothing_selected_is_asked_for(signed_in: FlaskClient, here: Reachable, submit: Any) -> None:
    assert "Select at least one customer." in submit(signed_in, path(here), follow_redirects=True).text


def test_a_filter_that_does_not_hold_any_more_changes_nothing(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    answer = submit(signed_in, path(here), {"everything": "1", "filter.show": "odd"}, follow_redirects=True)
    assert "The filter can no longer be used" in answer.text and here.rule(found["sure"]) is None


def test_ids_of_others_are_left_alone(
    stranger: FlaskClient, signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    job_less = (path(here), path(here, "dismiss"), path(here, "look-up"), path(here, "look-up-again"))
    assert {submit(stranger, one, {"ids": [found["sure"].id]}).status_code for one in job_less} == {404}
    assert here.match(found["sure"]).is_new and here.rule(found["sure"]) is None


def test_what_is_looked_at_is_no_longer_new(
    signed_in: FlaskClient, here: Reachable, found: dict[str, Any], submit: Any
) -> None:
    ids = [found["sure"].id, found["several"].id]
    answer = submit(signed_in, path(here, "dismiss"), {"ids": ids, "filter.show": "new"}, follow_redirects=True)
    assert "2 customers are no longer marked as new." in answer.text and answer.request.args["show"] == "new"
    match = here.match(found["several"])
    assert (match.is_new, match.state) == (False, MatchState.SEVERAL)
