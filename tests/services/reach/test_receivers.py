from __future__ import annotations

from dataclasses import replace

import pytest
from support.population import Directory

from invoiceapp.domain.network import REGISTERS
from invoiceapp.models import Subscription, db
from invoiceapp.services import bell
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.reach import checking, lookups, receivers

GLN = "5798000000001"
#: What ``adaptor`` says is the company's own number.
OWN = "0184:12345674"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)


def declare(here, *participants, **more):
    values = {"name": "Eksempel ApS", "format_ids": ["oioubl-2.1"], "email": "ind@eksempel.dk", "actor": "anna"} | more
    db.session.commit()
    receivers.declare(here.subscription.id, participants=participants, **values)


@pytest.fixture
def other(here):
    row = Subscription(name="Fremmed A/S")
    db.session.add(row)
    db.session.commit()
    return row


def test_nobody_is_found_before_they_say_so(here, other, out_there):
    assert receivers.own(here.subscription.id) is None and receivers.listed(other.id) == {}


def test_the_others_find_who_has_declared_and_oneself_does_not(here, other, out_there):
    declare(here, "0184: 12 34 56 74 ".replace(" ", ""), "0198:12345674")
    found = receivers.listed(other.id)
    assert sorted(found) == [OWN, "0198:DK12345674"]
    assert (found[OWN].name, found[OWN].formats, found[OWN].email) == (
        "Eksempel ApS",
        ("oioubl-2.1",),
        "ind@eksempel.dk",
    )
    assert receivers.listed(here.subscription.id) == {}


def test_who_withdraws_is_found_no_more_and_can_come_back(here, other, out_there):
    declare(here, OWN)
    receivers.withdraw(here.subscription.id, "anna")
    assert receivers.listed(other.id) == {} and receivers.own(here.subscription.id).participants == [OWN]
    declare(here, OWN)
    assert list(receivers.listed(other.id)) == [OWN]


def test_nobody_can_declare_somebody_elses_address(here, other, out_there):
    out_there.register("87654321", "En anden", f"0088:{GLN}")
    for stolen in ("0184:87654321", f"0088:{GLN}"):
        with pytest.raises(InvalidInput) as caught:
            declare(here, OWN, stolen)
        assert "hører ikke til jeres virksomhed" in caught.value.errors["participants"].da
    assert receivers.listed(other.id) == {}


def test_a_gln_that_the_register_lists_under_the_company_is_its_own(here, other, out_there):
    out_there.register("12345674", "Eksempel ApS", f"0088:{GLN}")
    declare(here, f"0088:{GLN}")
    assert list(receivers.listed(other.id)) == [f"0088:{GLN}"]


@pytest.mark.parametrize(
    ("production", "asked"), [(True, REGISTERS["live"].register_url), (False, "https://mine.example")]
)
def test_in_production_no_register_of_ones_own_proves_an_address(here, app, out_there, monkeypatch, production, asked):
    """Else anybody could run one that lists the addresses of others, and get their invoices."""
    seen = []
    monkeypatch.setattr(
        lookups, "Discovery", lambda settings, _: seen.append(settings.register_url) or Directory(out_there)
    )
    app.extensions["invoiceapp.config"] = replace(app.extensions["invoiceapp.config"], production=production)
    here.network.config = {"lookup": "own", "register_url": "https://mine.example"}
    with pytest.raises(InvalidInput):
        declare(here, f"0088:{GLN}")
    assert set(seen) == {asked}


def test_everything_that_is_wrong_is_said_at_once(here, out_there):
    with pytest.raises(InvalidInput) as caught:
        declare(here, "0184:1234", name=" ", format_ids=["wingdings"], email="ingen")
    assert sorted(caught.value.errors) == ["email", "formats", "name", "participants"]


def test_an_empty_declaration_is_refused(here, out_there):
    with pytest.raises(InvalidInput):
        declare(here, "", "  ")


def test_a_customer_that_uses_this_system_too_is_proposed(here, other, out_there, monkeypatch):
    """The customer of one subscription is another subscription, found by its number."""
    declare(here, OWN)
    found = receivers.listed(other.id)
    monkeypatch.setattr(receivers, "listed", lambda _id: found)
    here.gateway("E-mail", "email")
    customer = here.customer("Eksempel", "12345674")
    checking.again(customer.id)
    route = here.match(customer).routes[0]
    assert (route["kind"], route["email"], route["participant"]) == ("local", "ind@eksempel.dk", OWN)
