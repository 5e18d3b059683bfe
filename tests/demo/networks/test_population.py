"""Who is registered: what the walk through the demo counts on."""

from __future__ import annotations

import pytest

from invoiceapp.demo.billy import customers
from invoiceapp.demo.networks.population import OWN_GLN, Condition, demo_population
from invoiceapp.demo.setup import GLN
from invoiceapp.domain.identifiers import Participant, cvr_from
from invoiceapp.domain.network import Network

N, P = Network.NEMHANDEL, Network.PEPPOL
CONTACTS = {one["contactNo"]: one for one in customers.contacts()}


@pytest.fixture(scope="module")
def population():
    return demo_population()


def own_gln(population, number):
    return population.get(Participant("0088", CONTACTS[number]["ean"]))


def company(population, number):
    return population.of_company(cvr_from(CONTACTS[number]["registrationNo"]))


def networks_of(listing):
    return {one.network for one in listing.offers}


def test_it_is_the_same_every_time(population):
    assert demo_population().all() == population.all()


def test_more_than_sixty_customers_can_be_looked_up_and_most_are_registered(population):
    active = [one for one in CONTACTS.values() if one["isCustomer"] and not one["isArchived"]]
    companies = [one for one in active if one["type"] == "company"]
    registered = [one for one in companies if company(population, one["contactNo"])]
    assert len(companies) > 60 and len(registered) > 55


def test_every_participant_is_well_formed_and_stands_once(population):
    names = [str(one.participant).casefold() for one in population.all()]
    assert len(set(names)) == len(names)
    assert all(one.participant.is_well_formed for one in population.all())


def test_public_bodies_take_oioubl_by_nemhandel_only(population):
    usual = [own_gln(population, f"O{number:02}") for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11)]
    assert all(networks_of(one) == {N} for one in usual)
    assert all("OIOUBL" in str(offer.document_id) for one in usual for offer in one.offers)


def test_companies_take_bis_by_peppol_and_some_take_both(population):
    assert all(networks_of(company(population, f"V{number:02}")[0]) == {P} for number in range(1, 9))
    assert networks_of(company(population, "V09")[0]) == networks_of(own_gln(population, "O14")) == {N, P}


def test_some_have_another_gln_than_billy_or_none(population):
    for number in ("O10", "X02", "X03"):
        [other] = company(population, number)
        assert other.participant.scheme == "0088" and own_gln(population, number) is None
    assert [one.participant.scheme for one in company(population, "O12")] == ["0184"]


def test_one_company_has_several_glns_to_choose_from(population):
    assert CONTACTS["X01"]["ean"] == "" and len(company(population, "X01")) == 3
    assert len(company(population, "O18")) == 3 and own_gln(population, "O18")


def test_some_are_not_registered_but_known_by_name(population):
    for number in ("O22", "K07", "V14", "V15", "X07"):
        assert company(population, number) == []
        assert population.companies[CONTACTS[number]["registrationNo"]] == CONTACTS[number]["name"]


def test_one_has_moved_to_peppol(population):
    assert networks_of(own_gln(population, "O23")) == {P}


def test_registrations_are_out_of_order_in_every_way(population):
    found = {one.condition for one in population.all()}
    assert found == set(Condition)


def test_foreign_schemes_are_on_peppol(population):
    abroad = {one.participant.scheme for one in population.all() if one.country != "DK"}
    assert abroad == {"0007", "0192", "0208", "9930", "9944"}


def test_production_units_and_se_numbers_occur(population):
    assert {one.participant.scheme for one in population.all()} >= {"0096", "0198"}


def test_some_are_registered_by_another_name_than_in_billy(population):
    names = {contact["name"] for contact in CONTACTS.values()}
    assert sum(one.name not in names for one in population.all()) >= 5


def test_the_company_itself_takes_answers_only(population):
    own = population.get(Participant("0088", GLN))
    assert OWN_GLN == GLN and {one.role for one in own.offers} == {"Supplier"}
    assert networks_of(own) == {N, P}


def test_a_registration_can_come_go_and_change(population):
    other = demo_population()
    listing = own_gln(other, "O01")
    other.remove(listing.participant)
    assert other.get(listing.participant) is None
    other.put(listing)
    assert other.get(listing.participant) == listing
    other.remove(listing.participant)
    other.replace(population)
    assert other.all() == population.all()
