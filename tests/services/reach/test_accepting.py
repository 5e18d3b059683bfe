from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete as sa_delete
from sqlalchemy import select
from support.population import BIS, OIOUBL, participant

from invoiceapp.models import Environment, Gateway, MatchState, SettingsChange, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import changes, preflight, rules
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError
from invoiceapp.services.reach import accepting, checking, gathering, receivers
from invoiceapp.services.reach.routes import Listed, Route, RouteKind

S = MatchState
GLN, OTHER = "5798000000001", "5798000000018"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh_customer", lambda *_: None)


def looked_up(here, *customers):
    for customer in customers:
        checking.again(customer.id)
    return [customer.id for customer in customers]


def key_of(here, customer, wanted):
    stored = map(Route.from_dict, here.match(customer).routes)
    return next(accepting.route_key(route) for route in stored if wanted(route))


def test_accepting_gives_each_customer_its_own_format_by_the_network(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL)
    out_there.register("87654321", "Fælleden", "0184:87654321", offers=BIS)
    first, second = here.customer(), here.customer("Fælleden", "87654321")
    ids = looked_up(here, first, second)
    assert accepting.summary(here.adaptor.id, ids).by_format == (
        ("nemhandel", "oioubl-2.1", 1), ("peppol", "peppol-bis-3", 1),
    )  # fmt: skip
    accepted = accepting.accept(here.adaptor.id, ids, "anna")
    assert accepted.outcome.done == 2 and accepted.left_out == 0
    pairs = [(rule.format, rule.gateway_id, rule.active) for rule in map(here.rule, (first, second))]
    assert pairs == [("oioubl-2.1", here.network.id, True), ("peppol-bis-3", here.network.id, True)]
    row = here.match(first)
    assert (row.accepted["participant"], row.accepted_by, row.is_new) == ("0184:12345674", "anna", False)


def test_only_what_was_found_is_accepted_and_the_rest_is_counted(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    out_there.register("22222222", "Kommunen", f"0088:{GLN}", f"0088:{OTHER}")
    found, several, nobody, unchecked = (
        here.customer(), here.customer("Kommunen", "22222222"), here.customer("Ingen", "33333333"),
        here.customer("Ny", "44444444"),
    )  # fmt: skip
    looked_up(here, found, several, nobody)
    ids = [one.id for one in (found, several, nobody, unchecked)]
    summary = accepting.summary(here.adaptor.id, ids)
    assert (summary.ready, summary.undecided, summary.not_found, summary.left_out) == (1, 1, 2, 3)
    accepted = accepting.accept(here.adaptor.id, ids, "anna")
    assert accepted.outcome.done == 1 and accepted.left_out == 3
    assert [here.rule(one) for one in (several, nobody, unchecked)] == [None, None, None]


def test_without_a_gateway_into_the_network_nothing_is_activated(here, out_there, adaptor):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    adaptor.environment = Environment.TEST
    here.network.environment = Environment.TEST
    db.session.commit()
    customer = here.customer()
    ids = looked_up(here, customer)
    # The gateways into the networks are live: a test adaptor never reaches them.
    assert accepting.summary(here.adaptor.id, ids).no_gateway == 1
    assert accepting.accept(here.adaptor.id, ids, "anna").outcome.done == 0 and here.rule(customer) is None


def delete(name):
    db.session.execute(sa_delete(Gateway).where(Gateway.name == name))
    db.session.commit()


def test_what_was_found_before_a_provider_was_there_is_accepted_without_a_new_look_up(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    delete("NemHandel")
    customer = here.customer()
    ids = looked_up(here, customer)
    key = key_of(here, customer, lambda route: route.kind is RouteKind.NEMHANDEL)
    assert accepting.summary(here.adaptor.id, ids).no_gateway == 1
    with pytest.raises(ServiceError, match="None of your gateways reaches NemHandel"):
        accepting.take(customer.id, key, "anna")
    provider = here.gateway("Ny udbyder", "fake-nemhandel")
    assert accepting.summary(here.adaptor.id, ids).ready == 1
    assert accepting.accept(here.adaptor.id, ids, "anna").outcome.done == 1
    assert here.match(customer).accepted["gateway_id"] == provider.id


def test_a_gateway_that_was_deleted_since_is_replaced_or_missed(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    ids = looked_up(here, customer)
    delete("NemHandel")
    summary = accepting.summary(here.adaptor.id, ids)
    assert (summary.ready, summary.no_gateway) == (0, 1)
    assert accepting.accept(here.adaptor.id, ids, "anna").left_out == 1 and here.rule(customer) is None
    other = here.gateway("Den anden", "fake-nemhandel")
    accepting.take(customer.id, key_of(here, customer, lambda route: route.kind is RouteKind.NEMHANDEL), "anna")
    assert here.match(customer).accepted["gateway_id"] == other.id


def test_an_active_customer_is_moved_with_a_line_in_its_history(here, out_there, make_customer):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = make_customer("Bageriet Hjørnet", gln=None, registration_no="12345674")
    ids = looked_up(here, customer)
    assert accepting.accept(here.adaptor.id, ids, "anna").outcome.changed == 1
    (line,) = db.session.scalars(select(SettingsChange).where(SettingsChange.customer_id == customer.id))
    assert (line.actor, line.after["rule"]["gateway"]) == ("anna", here.network.id)
    changes.undo(line.id, "bo")
    assert here.rule(customer).gateway_id != here.network.id


def test_an_address_that_the_books_do_not_name_becomes_the_customers_own(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer(gln=GLN)
    ids = looked_up(here, customer)
    assert accepting.summary(here.adaptor.id, ids).readdressed == 1
    assert accepting.accept(here.adaptor.id, ids, "anna").readdressed == 1
    assert here.rule(customer).settings == {"customer": {"endpoint": {"scheme": "0184", "value": "12345674"}}}
    (line,) = db.session.scalars(select(SettingsChange).where(SettingsChange.customer_id == customer.id))
    assert line.after == {"customer": {"endpoint": {"scheme": "0184", "value": "12345674"}}}


def test_the_address_in_the_books_needs_no_setting(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", f"0088:{GLN}")
    customer = here.customer(gln=GLN)
    accepting.accept(here.adaptor.id, looked_up(here, customer), "anna")
    assert here.rule(customer).settings == {}


def test_all_or_nothing(here, out_there, monkeypatch):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL)
    out_there.register("87654321", "Fælleden", "0184:87654321", offers=BIS)
    customers = here.customer(), here.customer("Fælleden", "87654321")
    ids = looked_up(here, *customers)
    activate = rules.activate_chunk

    def fails_at_peppol(adaptor, piece, format_id, gateway_id):
        if format_id == "peppol-bis-3":
            raise RuntimeError
        return activate(adaptor, piece, format_id, gateway_id)

    monkeypatch.setattr(rules, "activate_chunk", fails_at_peppol)
    with pytest.raises(RuntimeError):
        accepting.accept(here.adaptor.id, ids, "anna")
    assert [here.rule(one) for one in customers] == [None, None] and here.match(customers[0]).accepted is None


def test_accepting_twice_changes_nothing_more(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    ids = looked_up(here, here.customer())
    accepting.accept(here.adaptor.id, ids, "anna")
    outcome = accepting.accept(here.adaptor.id, ids, "anna").outcome
    assert (outcome.done, outcome.changed, outcome.already) == (0, 0, 1)


def test_who_was_found_by_another_way_since_the_page_was_made_is_left_out(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=BIS)
    customer = here.customer()
    ids = looked_up(here, customer)
    seen_at = utcnow()
    out_there.companies.clear()
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL)
    checking.again(customer.id, max_age=timedelta(0))
    accepted = accepting.accept(here.adaptor.id, ids, "anna", seen_at=seen_at)
    assert (accepted.outcome.done, accepted.left_out) == (0, 1) and here.rule(customer) is None
    assert accepting.accept(here.adaptor.id, ids, "anna", seen_at=utcnow()).outcome.done == 1


def test_who_was_first_found_since_the_page_was_made_is_left_out(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=BIS)
    customer, seen_at = here.customer(), utcnow()
    ids = looked_up(here, customer)
    assert accepting.accept(here.adaptor.id, ids, "anna", seen_at=seen_at).left_out == 1 and here.rule(customer) is None
    assert accepting.accept(here.adaptor.id, ids, "anna", seen_at=utcnow()).outcome.done == 1


def test_a_pinned_route_that_has_vanished_is_not_replaced_by_accepting(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=BIS)
    customer = here.customer()
    ids = looked_up(here, customer)
    accepting.take(customer.id, key_of(here, customer, lambda route: route.kind is RouteKind.PEPPOL), "anna", pin=True)
    out_there.companies.clear()
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL)
    checking.again(customer.id, max_age=timedelta(0))
    assert (
        here.match(customer).state is S.VANISHED
        and accepting.proposal(here.match(customer), gathering.ways(here.adaptor)) is None
    )
    assert accepting.accept(here.adaptor.id, ids, "anna").left_out == 1


def test_customers_of_another_adaptor_are_left_out(here, out_there, stranger):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    ids = looked_up(here, here.customer())
    other = type(here.adaptor)(subscription_id=here.subscription.id, name="Anden", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    assert accepting.accept(other.id, ids, "anna").outcome.done == 0


def test_a_switched_off_adaptor_accepts_nothing(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    ids = looked_up(here, here.customer())
    here.adaptor.active = False
    db.session.commit()
    with pytest.raises(ServiceError, match="switched off"):
        accepting.accept(here.adaptor.id, ids, "anna")


def test_a_person_takes_e_mail_for_one_customer_that_is_found_nowhere(here, out_there):
    mail = here.gateway("E-mail", "email")
    customer = here.customer(email="faktura@kunde.dk")
    looked_up(here, customer)
    accepting.take(customer.id, key_of(here, customer, lambda route: route.kind is RouteKind.EMAIL), "anna")
    assert (here.rule(customer).gateway_id, here.rule(customer).format) == (mail.id, "pdf")
    assert here.match(customer).accepted["kind"] == "email"


def test_a_pinned_route_is_kept_when_a_better_one_appears(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=BIS)
    customer = here.customer()
    looked_up(here, customer)
    accepting.take(customer.id, key_of(here, customer, lambda route: route.kind is RouteKind.PEPPOL), "anna", pin=True)
    out_there.companies.clear()
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL + BIS)
    checking.again(customer.id, max_age=timedelta(0))
    row = here.match(customer)
    assert [route["kind"] for route in row.routes] == ["peppol", "nemhandel"] and row.state is S.FOUND
    accepting.unpin(customer.id)
    assert [route["kind"] for route in here.match(customer).routes] == ["nemhandel", "peppol"]


def test_a_route_that_is_gone_is_refused_with_words(here, out_there):
    customer = here.customer()
    looked_up(here, customer)
    with pytest.raises(Conflict, match="way is gone"):
        accepting.take(customer.id, "nemhandel|0184:12345674|oioubl-2.1", "anna")


def test_a_route_without_a_gateway_is_refused_with_what_to_do(here, out_there):
    customer = here.customer(email="faktura@kunde.dk")
    looked_up(here, customer)
    with pytest.raises(ServiceError, match="no gateway for e-mail"):
        accepting.take(customer.id, key_of(here, customer, lambda route: route.kind is RouteKind.EMAIL), "anna")


def test_choosing_among_several_makes_the_address_the_customers_own_and_finds_it(here, out_there):
    out_there.register("12345674", "Kommunen", f"0088:{GLN}", f"0088:{OTHER}")
    customer = here.customer("Kommunen")
    ids = looked_up(here, customer)
    assert here.match(customer).state is S.SEVERAL
    accepting.choose(customer.id, participant(f"0088:{OTHER}"), "anna")
    row = here.match(customer)
    assert row.state is S.FOUND and row.participant == f"0088:{OTHER}"
    assert here.rule(customer).settings["customer"]["endpoint"] == {"scheme": "0088", "value": OTHER}
    assert not here.rule(customer).active
    accepting.accept(here.adaptor.id, ids, "anna")
    assert here.rule(customer).active


def test_a_wrong_address_cannot_be_chosen(here, out_there):
    customer = here.customer()
    looked_up(here, customer)
    with pytest.raises(InvalidInput):
        accepting.choose(customer.id, participant("0088:5798000000002"), "anna")


def test_dismissing_takes_it_off_the_list_and_changes_nothing_else(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    ids = looked_up(here, customer)
    assert accepting.dismiss(here.adaptor.id, ids) == 1 and accepting.dismiss(here.adaptor.id, ids) == 0
    assert not here.match(customer).is_new and here.match(customer).state is S.FOUND and here.rule(customer) is None


def test_a_receiver_of_this_installation_gets_its_mail_at_the_address_that_it_named(here, out_there, monkeypatch):
    here.gateway("E-mail", "email")
    listed = Listed("Bageriet Hjørnet", participant("0184:12345674"), ("json",), "ind@bageriet.dk")
    monkeypatch.setattr(receivers, "listed", lambda _: {"0184:12345674": listed})
    customer = here.customer(email="kontor@bageriet.dk")
    ids = looked_up(here, customer)
    assert here.match(customer).state is S.FOUND and here.match(customer).routes[0]["kind"] == "local"
    # What somebody says of himself is no register's word: never taken with the others, only when a person chooses it.
    accepting.accept(here.adaptor.id, ids, "anna")
    assert here.rule(customer) is None
    local = Route.from_dict(here.match(customer).routes[0])
    accepting.take(customer.id, accepting.route_key(local), "anna")
    rule = here.rule(customer)
    assert rule.format == "json" and rule.settings == {"gateway": {"receiverEmail": "ind@bageriet.dk"}}
