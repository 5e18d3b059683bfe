"""A customer whose gateway is the network: the document is built for what was found, names that address, and leaves there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support import population, reachable
from support.population import BIS

from invoiceapp.discovery.base import Register
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Customer, Delivery, Document, Gateway, Rendition, Stage, db
from invoiceapp.services import bell
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import archive, conversion, delivery
from invoiceapp.services.reach import checking

S = DeliveryState
ADDRESS = "0184:12345674"


@pytest.fixture
def out_there(monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    return population.install(monkeypatch)


@pytest.fixture
def waiting(monkeypatch, partner, subscription, adaptor, out_there, queued, rule_of):
    """A document of a customer whose gateway is the network."""
    here = reachable.install(monkeypatch, partner, subscription, adaptor)
    document = queued()
    customer = db.session.get_one(Customer, document.customer_id)
    customer.registration_no, customer.country, customer.gln = "12345674", "DK", None
    rule_of(document).gateway_id = here.network.id
    db.session.commit()
    return document.id


def test_while_the_network_gateway_is_paused_nothing_goes_its_way(waiting, out_there):
    out_there.register("12345674", "Bageriet", ADDRESS, offers=BIS)
    network = db.session.scalars(select(Gateway).where(Gateway.kind == "network")).one()
    gateways.pause_by_person(network.id, "anna")
    assert conversion.convert_due() == 0
    assert db.session.get_one(Document, waiting).stage is Stage.QUEUED
    gateways.resume(network.id)
    assert conversion.convert_due() == 1
    assert only_delivery(waiting).state is S.PENDING


def only_delivery(document_id):
    db.session.expire_all()
    return db.session.scalars(
        select(Delivery).where(Delivery.document_id == document_id, Delivery.state != S.SUPERSEDED)
    ).one()


def test_it_leaves_by_the_gateway_that_was_found_and_names_its_address(waiting, out_there, partner):
    out_there.register("12345674", "Bageriet", ADDRESS, offers=BIS)
    conversion.convert_due()
    row = only_delivery(waiting)
    assert row.state is S.PENDING, row.findings
    assert (db.session.get_one(Gateway, row.gateway_id).name, row.format) == ("Peppol", "peppol-bis-3")
    rendition = db.session.get_one(Rendition, row.rendition_id)
    assert rendition.receiver == ADDRESS
    assert b'<cbc:EndpointID schemeID="0184">12345674</cbc:EndpointID>' in archive.load(rendition.sha256)
    delivery.deliver_due()
    assert only_delivery(waiting).state is S.DELIVERED and str(partner.sent[0].receiver) == ADDRESS


def test_who_is_not_registered_blocks_the_document_with_words(waiting, out_there, partner):
    conversion.convert_due()
    row = only_delivery(waiting)
    assert row.state is S.BLOCKED and [one["rule"] for one in row.findings] == ["IA-NETWORK-NOT-FOUND"]
    delivery.deliver_due()
    assert partner.sent == []


def test_a_blocked_document_leaves_once_the_receiver_is_registered(waiting, out_there, partner):
    conversion.convert_due()
    out_there.register("12345674", "Bageriet", ADDRESS, offers=BIS)
    checking.again(db.session.get_one(Document, waiting).customer_id, max_age=timedelta(0))
    db.session.expire_all()
    assert db.session.get_one(Document, waiting).stage is Stage.QUEUED
    conversion.convert_due()
    delivery.deliver_due()
    assert only_delivery(waiting).state is S.DELIVERED and len(partner.sent) == 1


def test_registers_that_do_not_answer_let_it_wait(waiting, out_there, partner):
    out_there.silent |= set(Register)
    conversion.convert_due()
    db.session.expire_all()
    document = db.session.get_one(Document, waiting)
    assert document.stage is Stage.QUEUED and "svarer ikke" in document.error["da"]
    assert db.session.scalars(select(Delivery)).all() == []
