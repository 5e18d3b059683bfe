from __future__ import annotations

import pytest
from sqlalchemy import delete
from support.population import BIS

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Gateway, Stage, db
from invoiceapp.services import bell
from invoiceapp.services.configuration import preflight
from invoiceapp.services.reach import accepting, checking, proposing


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    monkeypatch.setattr(preflight, "refresh", lambda *_: None)


def test_what_waits_is_counted_until_it_is_accepted(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    out_there.register("87654321", "Noget Helt Andet", "0184:87654321")
    sure, unsure = here.customer(), here.customer("Xyz Kvadrat", "87654321")
    for one in (sure, unsure):
        checking.again(one.id)
    assert proposing.waiting(here.adaptor.id) == proposing.Waiting(2, 1)
    assert proposing.ids(here.adaptor.id, sure_only=True) == [sure.id]
    accepting.accept(here.adaptor.id, [sure.id], "anna")
    assert proposing.ids(here.adaptor.id) == [unsure.id]
    unsure.is_archived = True
    db.session.commit()
    assert proposing.waiting(here.adaptor.id) == proposing.Waiting()


def test_the_gateways_of_proposals_have_names(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    assert proposing.gateways([customer.id]) == {}
    checking.again(customer.id)
    assert proposing.gateways([customer.id]) == {("nemhandel", "oioubl-2.1"): ["NemHandel"]}
    assert proposing.acceptable([customer.id]) == [customer.id]


def test_proposals_name_the_gateways_that_exist_now(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674")
    customer = here.customer()
    checking.again(customer.id)
    db.session.execute(delete(Gateway).where(Gateway.name == "NemHandel"))
    db.session.commit()
    assert proposing.gateways([customer.id]) == {} and proposing.acceptable([customer.id]) == []
    here.gateway("Ny udbyder", "fake-nemhandel")
    assert proposing.gateways([customer.id]) == {("nemhandel", "oioubl-2.1"): ["Ny udbyder"]}
    assert proposing.acceptable([customer.id]) == [customer.id]


def test_an_empty_gateway_never_stands_before_one_that_works(here, out_there):
    out_there.register("12345674", "Bageriet Hjørnet", "0184:12345674", offers=BIS)
    customer = here.customer()
    # Its name comes first, and it lacks its certificate.
    here.gateway("Adgangspunkt uden certifikat", "peppol", config={})
    checking.again(customer.id)
    assert proposing.gateways([customer.id]) == {("peppol", "peppol-bis-3"): ["Peppol"]}
    db.session.execute(delete(Gateway).where(Gateway.kind == "fake-peppol"))
    db.session.commit()
    assert proposing.gateways([customer.id]) == {("peppol", "peppol-bis-3"): ["Adgangspunkt uden certifikat"]}


def test_documents_that_would_leave_are_told_from_those_that_would_not(
    here, make_customer, make_document, make_delivery
):  # fmt: skip
    customer, other = make_customer("A"), make_customer("B")
    customer.recent_documents = 12
    make_delivery(make_document(customer, "1"), DeliveryState.BLOCKED)
    make_delivery(make_document(other, "2"), DeliveryState.BLOCKED)
    make_document(customer, "3", stage=Stage.LISTED)
    assert proposing.consequences(here.adaptor, [customer.id]) == proposing.Consequences(12, 1, 1)
