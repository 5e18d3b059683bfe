from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from support import told_registers
from support.population import Population, participant
from support.reachable import Reachable

from invoiceapp.discovery.base import Register
from invoiceapp.models import Lookup, Match, MatchState, db
from invoiceapp.services.export import archive
from invoiceapp.services.reach import accepting, checking, looking_back
from invoiceapp.services.reach.routes import Route

GLN, OTHER = "5798000000001", "5798000000018"


def page(client: FlaskClient, customer: Any) -> str:
    answer = client.get(f"/network/customers/{customer.id}")
    assert answer.status_code == 200
    return html.unescape(answer.text)


def act(submit: Any, client: FlaskClient, customer: Any, what: str, data: dict[str, Any] | None = None) -> Any:
    return submit(client, f"/network/customers/{customer.id}/{what}", data, follow_redirects=True)


def keys(here: Reachable, customer: Any) -> list[str]:
    return [accepting.route_key(Route.from_dict(one)) for one in here.match(customer).routes]


def test_a_customer_that_was_never_looked_up_can_be(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    customer = here.customer()
    assert "Not looked up yet" in page(signed_in, customer)
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    assert "Looked up just now: Found." in act(submit, signed_in, customer, "look-up").text


def test_all_ways_stand_in_order_with_the_reason_for_each(
    signed_in: FlaskClient, here: Reachable, out_there: Population
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet ApS", "0184:12345674")
    here.gateway("Post", "email", config={"host": "mail.example"})
    customer = here.customer(email="faktura@kunde.example")
    checking.again(customer.id)
    text = page(signed_in, customer)
    ways = re.findall(r"<strong>\d\. ([^<]+)</strong>", text)
    assert ways == ["NemHandel", "E-mail"]
    assert "(the customer's number in the books)" in text and "if nothing else works" in text


def test_a_way_is_taken_pinned_and_let_go(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    (key,) = keys(here, customer)
    assert "activated with this way." in act(submit, signed_in, customer, "take", {"route": key}).text
    assert here.rule(customer).active and here.match(customer).pinned is None
    act(submit, signed_in, customer, "take", {"route": key, "pin": "1"})
    assert here.match(customer).pinned and "Do not keep it any more" in page(signed_in, customer)
    assert "no longer pinned" in act(submit, signed_in, customer, "unpin").text
    assert here.match(customer).pinned is None


def test_a_way_that_is_gone_is_a_conflict_in_words(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    customer = here.customer()
    checking.again(customer.id)
    assert "That way is gone." in act(submit, signed_in, customer, "take", {"route": "peppol|x|y"}).text
    assert here.rule(customer) is None


def test_none_of_several_addresses_is_chosen_for_the_user(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Kommunen", f"0088:{GLN}", f"0088:{OTHER}")
    customer = here.customer("Kommunen")
    checking.again(customer.id)
    text = page(signed_in, customer)
    assert text.count('type="radio"') == 2 and "checked" not in text
    refused = act(submit, signed_in, customer, "choose")
    assert refused.status_code == 422 and "Choose one of the addresses." in refused.text
    act(submit, signed_in, customer, "choose", {"participant": f"0088:{OTHER}"})
    match = here.match(customer)
    assert (match.state, match.participant) == (MatchState.FOUND, f"0088:{OTHER}")
    assert here.rule(customer).settings["customer"]["endpoint"] == {"scheme": "0088", "value": OTHER}


def test_a_better_gln_is_offered_where_the_one_in_the_books_is_wrong(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", f"0088:{OTHER}")
    customer = here.customer(gln=GLN)
    checking.again(customer.id)
    assert f"Use GLN/EAN {OTHER}" in page(signed_in, customer)
    act(submit, signed_in, customer, "choose", {"participant": f"0088:{OTHER}"})
    assert here.match(customer).participant == f"0088:{OTHER}"


def test_another_address_is_checked_kept_and_looked_up(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("87654321", "Bageriet Hjørnet", f"0088:{OTHER}")
    customer = here.customer(cvr=None)
    wrong = act(submit, signed_in, customer, "address", {"address.scheme": "0088", "address.value": "123"})
    assert wrong.status_code == 422 and 'value="123"' in wrong.text
    empty = act(submit, signed_in, customer, "address", {"address.scheme": "0088", "address.value": " "})
    assert empty.status_code == 422 and "Write the number of the address." in empty.text
    told = act(submit, signed_in, customer, "address", {"address.scheme": "0088", "address.value": OTHER}).text
    assert f"GLN/EAN {OTHER} is now the customer's address" in html.unescape(told)
    assert here.match(customer).state is MatchState.FOUND


@pytest.fixture
def proven(here: Reachable, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A customer of which a register has said something that tries to be markup."""
    registers = told_registers.install(monkeypatch)
    registers.said["12345674"] = (
        told_registers.registered(participant("0184:12345674"), "Bageriet Hjørnet", *_OIOUBL),
    )
    customer = here.customer()
    checking.again(customer.id)
    return customer


_OIOUBL = ("urn:www.nesubl.eu:profiles:profile5:ver2.0",)


def test_each_look_up_stands_there_with_its_time_and_its_answer(signed_in: FlaskClient, proven: Any) -> None:
    text = page(signed_in, proven)
    lookup = db.session.query(Lookup).one()
    assert "CVR 12345674, all addresses of the company" in text and "NemHandelsregisteret" in text
    url = f"/network/customers/{proven.id}/answers/{lookup.id}/0"
    assert f'href="{url}"' in text
    answer = signed_in.get(url)
    assert f"{Register.NEMHANDELSREGISTERET} 12345674" in answer.text and lookup.exchanges[0]["sha256"] in answer.text
    assert signed_in.get(url[:-1] + "1").status_code == 404


def test_an_answer_is_text_and_cut(signed_in: FlaskClient, proven: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_back, "LONGEST", 20)
    monkeypatch.setattr(archive, "load", lambda _: b"<script>alert(1)</script>\xff and more")
    lookup = db.session.query(Lookup).one()
    text = signed_in.get(f"/network/customers/{proven.id}/answers/{lookup.id}/0").text
    assert "<pre>&lt;script&gt;alert(1)&lt;/sc</pre>" in text and "Only the beginning is shown." in text


def test_an_answer_that_the_archive_lost_is_said(
    signed_in: FlaskClient, proven: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = db.session.query(Lookup).one()
    lookup.exchanges = [{**lookup.exchanges[0], "sha256": "0" * 64}]
    db.session.commit()
    text = signed_in.get(f"/network/customers/{proven.id}/answers/{lookup.id}/0").text
    assert "The answer cannot be read" in text and "The file is missing from the archive." in text


def test_another_answer_leaves_the_earlier_one_readable(
    signed_in: FlaskClient, here: Reachable, out_there: Population
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    out_there.forget("0184:12345674")
    checking.again(customer.id, checking.BY_HAND * 0)
    text = page(signed_in, customer)
    assert "Earlier answer" in text and "No longer registered" in text


def test_a_foreign_customer_does_not_exist(stranger: FlaskClient, proven: Any, submit: Any) -> None:
    lookup = db.session.query(Lookup).one()
    assert stranger.get(f"/network/customers/{proven.id}").status_code == 404
    assert stranger.get(f"/network/customers/{proven.id}/answers/{lookup.id}/0").status_code == 404
    for what in ("take", "unpin", "choose", "address", "look-up"):
        assert submit(stranger, f"/network/customers/{proven.id}/{what}").status_code == 404


def test_problems_lead_to_the_customers_ways(signed_in: FlaskClient, here: Reachable) -> None:
    from invoiceapp.blueprints.main.links import fix_link

    customer = here.customer()
    with signed_in:
        signed_in.get("/network")
        match, gateway = fix_link("customer.match", "", customer.id), fix_link("gateways", "", customer.id)
    assert match and match.url == f"/network/customers/{customer.id}"
    assert gateway and gateway.url == "/gateways"


def test_a_customer_that_moved_tells_what_was_accepted(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    act(submit, signed_in, customer, "take", {"route": keys(here, customer)[0]})
    assert "Accepted was" not in page(signed_in, customer)
    db.session.execute(db.update(Match).values(state=MatchState.CHANGED))
    db.session.commit()
    assert "Accepted was: NemHandel: OIOUBL 2.1 (NemHandel), CVR 12345674" in page(signed_in, customer)


def test_the_customers_settings_say_that_the_network_finds_the_way(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    act(submit, signed_in, customer, "take", {"route": keys(here, customer)[0]})
    text = html.unescape(signed_in.get(f"/customers/{customer.id}").text)
    assert "are sent through “Netværk”, which finds the way and the format for each document." in text
    assert f'id="see-match" href="/network/customers/{customer.id}"' in text


def test_documents_of_a_customer_that_vanished_are_said_to_wait(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    act(submit, signed_in, customer, "take", {"route": keys(here, customer)[0]})
    assert "which uses the best way for each document" in page(signed_in, customer)
    db.session.execute(db.update(Match).values(state=MatchState.VANISHED, routes=[]))
    db.session.commit()
    assert "documents wait until you choose one" in page(signed_in, customer)


@pytest.mark.parametrize(("address", "is_waiting"), [("0184:12345674", False), ("0088:5798000000018", True)])
def test_a_change_of_address_waits_for_a_person_and_a_change_of_network_does_not(
    signed_in: FlaskClient, here: Reachable, out_there: Population, submit: Any, address: str, is_waiting: bool
) -> None:
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    act(submit, signed_in, customer, "take", {"route": keys(here, customer)[0]})
    moved = here.match(customer)
    moved.state, moved.routes = MatchState.CHANGED, [{**moved.routes[0], "participant": address}]
    db.session.commit()
    assert ("documents wait until you choose one" in page(signed_in, customer)) is is_waiting
