"""From "Help me activate customers automatically" to the buyers' answers, through the stand-in provider. No Redis."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from invoiceapp.demo import serve, setup
from invoiceapp.demo.billy.company import demo_company
from invoiceapp.demo.billy.customers import contact_id
from invoiceapp.demo.partners import timed_account
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Gateway,
    IncomingMessage,
    IncomingState,
    Match,
    Rendition,
    db,
)
from invoiceapp.services import background, bell
from invoiceapp.services.export import conversion, delivery, outcomes, runs
from invoiceapp.services.reach import accepting, gathering, matching, proposing
from invoiceapp.services.receipts import polling
from invoiceapp.sources.base import DocumentQuery

S = DeliveryState
pytestmark = pytest.mark.server

#: What becomes of an invoice to a customer, and by which format it goes.
BECOMES = {
    "O01": (S.ACKNOWLEDGED, "oioubl-2.1"),
    "O02": (S.DELIVERED, "oioubl-2.1"),
    "V01": (S.ACKNOWLEDGED, "peppol-bis-3"),
    "V11": (S.REJECTED, "oioubl-2.1"),
    "V17": (S.REJECTED, "peppol-bis-3"),
    "K04": (S.REJECTED, "oioubl-2.1"),
    "V08": (S.REJECTED, "peppol-bis-3"),
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Receivers answer, and are asked, without waiting."""
    course = timed_account.course
    monkeypatch.setattr(timed_account, "course", lambda *of: tuple(replace(step, after=0) for step in course(*of)))
    monkeypatch.setattr(outcomes, "FIRST_POLL", timedelta(0))
    monkeypatch.setattr(bell, "ring", lambda *_: None)


def look_up(adaptor_id, customer_ids):
    job_id = matching.start(adaptor_id, "anna", customer_ids)
    while background.execute(job_id, {matching.KIND: matching.run}):
        pass


def numbers_of(company):
    """Of one clean invoice to each customer."""
    contacts, found = company.tables["contacts"], {}
    for invoice in company.tables["invoices"].values():
        key = contacts[invoice["contactId"]]["contactNo"]
        is_clean = invoice["id"] not in company.hard_cases.values() and invoice["invoiceNo"]
        if is_clean and invoice["type"] == "invoice" and (key != "V11" or not invoice["orderNo"]):
            found.setdefault(key, invoice["invoiceNo"])
    return {found[key]: key for key in BECOMES}


def export(adaptor_id, numbers):
    run = runs.start(adaptor_id, trigger="manual", query=DocumentQuery(numbers=tuple(numbers)))
    while runs.execute(run.id):
        pass
    while conversion.convert_due():
        pass
    while delivery.deliver_due():
        pass
    while polling.poll_due():
        pass


def proposed(ids):
    """What the check proposes for customers: kinds of routes, and the gateways that they lead to."""
    ways = gathering.ways(db.session.scalars(select(Adaptor)).one())
    matches = db.session.scalars(select(Match).where(Match.customer_id.in_(ids)))
    routes = [accepting.proposal(match, ways) for match in matches]
    return {route.kind.value for route in routes}, {route.gateway_id for route in routes}


def test_documents_go_out_through_the_provider_and_buyers_answer(app, config):
    with serve.running(config.instance_dir) as found:
        setup.create()
        adaptor = db.session.scalars(select(Adaptor)).one()
        adaptor_id, numbers = adaptor.id, numbers_of(demo_company(serve.addresses.anchor(config.instance_dir)))
        wanted = sorted(
            db.session.scalars(select(Customer.id).where(Customer.source_id.in_(contact_id(key) for key in BECOMES)))
        )
        db.session.rollback()
        look_up(adaptor_id, wanted)
        ids = proposing.acceptable(proposing.ids(adaptor_id))
        gateway = db.session.scalars(select(Gateway).where(Gateway.kind == "sproom")).one()
        assert (gateway.name, gateway.config["base_url"]) == (setup.PROVIDER_NAME, found.providers["sproom"])
        assert proposed(ids) == ({"nemhandel", "peppol"}, {gateway.id})
        db.session.rollback()
        accepted = accepting.accept(adaptor_id, ids, "anna")
        assert ids == wanted and accepted.outcome.changed == len(BECOMES)
        export(adaptor_id, numbers)
        rows = db.session.execute(
            select(Document.number, Delivery, Rendition.format, Rendition.sha256)
            .join(Delivery, Delivery.document_id == Document.id)
            .join(Rendition, Rendition.id == Delivery.rendition_id)
        ).all()
        assert {numbers[number]: (one.state, format_id) for number, one, format_id, _ in rows} == BECOMES
        why = {numbers[number]: (one.error or {}).get("da", "") for number, one, *_ in rows}
        assert "Ordrenummer mangler" in why["V11"] and "Ordrenummer mangler" in why["V17"]
        speakers = {numbers[number]: one.error["by"] for number, one, *_ in rows if one.state is S.REJECTED}
        assert speakers == {"V11": "buyer", "V17": "buyer", "K04": "receiver_system", "V08": "network"}
        messages = db.session.scalars(select(IncomingMessage.state)).all()
        assert set(messages) == {IncomingState.MATCHED} and len(messages) == 5

        assert setup.create() == setup.create()
        kinds = db.session.scalars(select(Gateway.kind)).all()
        assert sorted(kinds) == ["email", "network", "sftp", "sproom"]
        assert found.providers.keys() == {"sproom", "ecourier", "storecove", "recommand", "accesspoint"}
