from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from support.population import BIS, OIOUBL, participant

from invoiceapp.discovery.base import Register
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.settings import Settings
from invoiceapp.models import Delivery, Environment, ExportRule, Gateway, Lookup, Match, MatchState, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.configuration import preflight
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.reach import accepting, checking, destination
from invoiceapp.services.reach.destination import NoRoute
from invoiceapp.services.reach.routes import Route

S = MatchState
GLN, OTHER = "5798000000001", "5798000000018"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh_customer", lambda *_: None)


def activated(here, customer, format_id="oioubl-2.1", gateway=None, settings=None):
    """By hand, without a match."""
    db.session.add(
        ExportRule(
            subscription_id=here.subscription.id, adaptor_id=here.adaptor.id, customer_id=customer.id, format=format_id,
            gateway_id=(gateway or here.network).id, settings=settings or {},
        )
    )  # fmt: skip
    db.session.commit()


def go(here, customer, document_type=DocumentType.INVOICE):
    """Asked as the conversion asks: with detached rows and no transaction."""
    rule = here.rule(customer)
    gateway = db.session.get_one(Gateway, rule.gateway_id)
    for row in (rule, gateway):
        db.session.refresh(row)
        db.session.expunge(row)
    db.session.rollback()
    found = destination.of(rule, gateway, document_type)
    assert not db.session().in_transaction()
    return found


def refused(here, customer, document_type=DocumentType.INVOICE):
    with pytest.raises(NoRoute) as caught:
        go(here, customer, document_type)
    finding = caught.value.finding
    assert finding.is_fatal and finding.fix
    return finding.rule


def age(hours):
    """As if everything had been looked up so long ago."""
    then = utcnow() - timedelta(hours=hours)
    db.session.execute(update(Lookup).values(confirmed_at=then))
    db.session.execute(update(Match).values(checked_at=then))
    db.session.commit()


def test_another_gateway_than_the_network_is_taken_as_it_is(here, out_there):
    customer = here.customer()
    activated(
        here, customer, "oioubl-2.1", db.session.scalars(select(Gateway).where(Gateway.name == "NemHandel")).one()
    )
    found = go(here, customer)
    assert (found.gateway.name, found.format, found.participant) == ("NemHandel", "oioubl-2.1", None)
    assert out_there.asked == []


@pytest.mark.parametrize(
    ("offers", "gateway", "format_id"), [(OIOUBL, "NemHandel", "oioubl-2.1"), (BIS, "Peppol", "peppol-bis-3")]
)
def test_the_gateway_and_the_format_are_what_the_receiver_takes(here, out_there, offers, gateway, format_id):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=offers)
    customer = here.customer()
    activated(here, customer)
    found = go(here, customer)
    assert (found.gateway.name, found.format, str(found.participant)) == (gateway, format_id, "0184:12345674")
    assert here.match(customer).state is S.FOUND


def test_a_receiver_that_moved_to_the_other_network_is_followed(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    assert go(here, customer).gateway.name == "NemHandel"
    out_there.companies.clear()
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=BIS)
    assert go(here, customer).gateway.name == "NemHandel"
    age(25)
    assert go(here, customer).gateway.name == "Peppol" and here.match(customer).state is S.CHANGED


def test_what_is_young_is_not_asked_again_and_what_is_old_is(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    activated(here, customer)
    for _ in range(3):
        go(here, customer)
    assert len(out_there.asked) == 1
    age(25)
    go(here, customer)
    assert len(out_there.asked) == 2


def test_how_old_is_a_setting_of_the_gateway(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    here.network.config = {"lookup": "live", "max_age_hours": 2}
    db.session.commit()
    customer = here.customer()
    activated(here, customer)
    go(here, customer)
    age(3)
    go(here, customer)
    assert len(out_there.asked) == 2


def test_nobody_to_ask_only_delays(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    activated(here, customer)
    go(here, customer)
    out_there.silent |= set(Register)
    assert go(here, customer).gateway.name == "NemHandel"
    age(25)
    with pytest.raises(ServiceError, match="does not answer"):
        go(here, customer)
    assert here.match(customer).state is S.ERROR
    out_there.silent.clear()
    assert go(here, customer).gateway.name == "NemHandel"


def test_who_is_provably_not_registered_gets_nothing(here, out_there):
    customer = here.customer()
    activated(here, customer)
    assert refused(here, customer) == "IA-NETWORK-NOT-FOUND" and here.match(customer).state is S.NOT_FOUND


def test_who_was_accepted_and_has_vanished_gets_nothing(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    out_there.forget("0184:12345674")
    age(25)
    assert refused(here, customer) == "IA-NETWORK-VANISHED"


def test_nothing_moves_to_another_address_before_a_person_has_agreed(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", f"0088:{GLN}", "0184:12345674")
    customer = here.customer(gln=GLN)
    checking.again(customer.id)
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    assert str(go(here, customer).participant) == f"0088:{GLN}"
    out_there.forget(f"0088:{GLN}")
    age(25)
    assert refused(here, customer) == "IA-NETWORK-VANISHED" and here.match(customer).state is S.CHANGED
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    assert str(go(here, customer).participant) == "0184:12345674"


def test_an_address_that_the_books_do_not_name_waits_for_a_person(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer(gln=GLN)
    activated(here, customer)
    assert refused(here, customer) == "IA-NETWORK-UNCONFIRMED"


def test_one_of_several_is_never_chosen(here, out_there):
    out_there.register("12345674", "Kommunen", "0184:12345674", f"0088:{GLN}", f"0088:{OTHER}")
    customer = here.customer("Kommunen")
    activated(here, customer)
    assert refused(here, customer) == "IA-NETWORK-SEVERAL"
    accepting.choose(customer.id, participant(f"0088:{OTHER}"), "anna")
    assert str(go(here, customer).participant) == f"0088:{OTHER}"


def test_the_address_that_the_user_has_set_is_the_only_one(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    activated(here, customer, settings={"customer": {"endpoint": {"scheme": "0088", "value": GLN}}})
    assert refused(here, customer) == "IA-NETWORK-ADDRESS"


def test_another_gln_in_the_books_counts_at_once(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", f"0088:{GLN}", f"0088:{OTHER}")
    customer = here.customer(gln=GLN)
    activated(here, customer)
    assert str(go(here, customer).participant) == f"0088:{GLN}"
    customer.gln = OTHER
    db.session.commit()
    assert str(go(here, customer).participant) == f"0088:{OTHER}"


def test_what_was_accepted_ends_where_the_books_name_another_address(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", f"0088:{GLN}", f"0088:{OTHER}")
    customer = here.customer(gln=GLN)
    checking.again(customer.id)
    accepting.accept(here.adaptor.id, [customer.id], "anna")
    assert str(go(here, customer).participant) == f"0088:{GLN}"
    customer.gln = OTHER
    db.session.commit()
    assert str(go(here, customer).participant) == f"0088:{OTHER}"
    out_there.forget(f"0088:{OTHER}")
    age(25)
    assert refused(here, customer) == "IA-NETWORK-UNCONFIRMED"


def test_while_the_better_address_cannot_be_asked_about_nothing_goes_to_another(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    out_there.silent_about.add(f"0088:{GLN}")
    customer = here.customer(gln=GLN)
    activated(here, customer)
    with pytest.raises(ServiceError, match="does not answer"):
        go(here, customer)


def test_a_pinned_route_is_taken_also_where_a_better_one_exists(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL + BIS)
    customer = here.customer()
    checking.again(customer.id)
    accepting.take(customer.id, "peppol|0184:12345674|peppol-bis-3", "anna", pin=True)
    assert go(here, customer).gateway.name == "Peppol"
    out_there.companies.clear()
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=OIOUBL)
    age(25)
    assert refused(here, customer) == "IA-NETWORK-VANISHED"


def test_a_network_that_no_gateway_reaches_is_named(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    activated(here, customer)
    db.session.execute(
        update(Gateway).where(Gateway.name == "NemHandel").values(environment=Environment.TEST, kind="gone")
    )
    db.session.commit()
    assert refused(here, customer) == "IA-NETWORK-NO-GATEWAY"


def test_a_test_adaptor_never_reaches_a_live_gateway(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    here.adaptor.environment = here.network.environment = Environment.TEST
    db.session.commit()
    customer = here.customer()
    activated(here, customer)
    assert refused(here, customer) == "IA-NETWORK-NO-GATEWAY"
    here.gateway("NemHandel test", "fake-nemhandel", environment=Environment.TEST)
    assert go(here, customer).gateway.name == "NemHandel test"


def test_a_receiver_of_invoices_only_gets_no_credit_notes(here, out_there):
    invoices = tuple(offer for offer in BIS if "Invoice-2" in offer.document_id.value)
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=invoices)
    customer = here.customer()
    activated(here, customer)
    assert go(here, customer).gateway.name == "Peppol"
    assert refused(here, customer, DocumentType.CREDIT_NOTE) == "IA-NETWORK-DOCUMENT-TYPE"


def test_the_document_names_the_address_that_it_goes_to(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", f"0088:{GLN}")
    customer = here.customer(gln=GLN)
    activated(here, customer)
    assert go(here, customer).addressed(Settings()).customer.endpoint == participant(f"0088:{GLN}")


def test_of_two_gateways_into_a_network_the_most_used_is_taken_and_a_paused_one_is_not(here, out_there, make_document):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    activated(here, customer)
    often = here.gateway("Ny udbyder", "fake-nemhandel")
    assert go(here, customer).gateway.name == "NemHandel"
    db.session.add(
        Delivery(
            subscription_id=here.subscription.id, adaptor_id=here.adaptor.id, document_id=make_document(customer).id,
            gateway_id=often.id, state=DeliveryState.DELIVERED, findings=[], format="oioubl-2.1",
            transport="fake-nemhandel", idem_key="k",
        )
    )  # fmt: skip
    db.session.commit()
    assert go(here, customer).gateway.name == "Ny udbyder"
    db.session.execute(update(Gateway).where(Gateway.name == "Ny udbyder").values(paused_at=utcnow()))
    db.session.commit()
    assert go(here, customer).gateway.name == "NemHandel"


def test_a_pinned_route_keeps_the_gateway_that_a_person_chose_with_it(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    activated(here, customer)
    checking.again(customer.id)
    chosen = here.match(customer).routes[0]
    here.gateway("Aaa før alle andre", "fake-nemhandel")
    accepting.take(customer.id, accepting.route_key(Route.from_dict(chosen)), "anna", pin=True)
    match = here.match(customer)
    first = db.session.query(Gateway).filter_by(name="NemHandel").one()
    match.pinned = {**match.pinned, "gateway_id": first.id}
    db.session.commit()
    assert go(here, customer).gateway.name == "NemHandel"
    here.match(customer).pinned = None
    db.session.commit()
    assert go(here, customer).gateway.name == "Aaa før alle andre"
