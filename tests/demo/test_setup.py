"""The demo company from its first start to the last file at its partners. No Redis."""

from __future__ import annotations

from collections import Counter

import pytest
import requests
from sqlalchemy import func, select

from invoiceapp.demo import serve, setup
from invoiceapp.demo.networks.sml import ZONES
from invoiceapp.demo.partners import Arrivals
from invoiceapp.demo.partners.sproom_api import DEMO_TOKEN, WEBHOOK
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Delivery,
    Document,
    Gateway,
    Receipt,
    Rendition,
    Run,
    RunState,
    Schedule,
    Subscription,
    User,
    db,
)
from invoiceapp.services.export import conversion, delivery, runs

S = DeliveryState
pytestmark = pytest.mark.server


def run_now() -> Run:
    run_id = runs.start(db.session.scalars(select(Adaptor.id)).one(), trigger="manual").id
    while runs.execute(run_id):
        pass
    return db.session.get_one(Run, run_id, populate_existing=True)


def work() -> None:
    """What workers do until nothing is left."""
    while conversion.convert_due():
        pass
    while delivery.deliver_due():
        pass


def test_the_whole_company_is_delivered_once_byte_for_byte(app, config):
    with serve.running(config.instance_dir):
        lines = setup.create()
        arrivals = Arrivals(config.instance_dir / "demo" / "received")
        run = run_now()
        work()
        assert run.state is RunState.FINISHED and run.read > 450 and run.problems == []
        sent = dict(
            db.session.execute(
                select(Rendition.sha256, Delivery)
                .join(Delivery, Delivery.rendition_id == Rendition.id)
                .where(Delivery.state.in_((S.DELIVERED, S.ACCEPTED)))
            ).all()
        )
        arrived = Counter(
            found.sha256 for found in arrivals.all() if found.sha256 in sent or found.name.endswith((".xml", ".edi"))
        )
        assert len(sent) >= 400 and arrived == Counter(dict.fromkeys(sent, 1))
        assert {delivery.format for delivery in sent.values()} == {
            "oioubl-2.1", "peppol-bis-3", "edifact-d96a", "facturx"
        }  # fmt: skip
        states = Counter(db.session.scalars(select(Delivery.state)))
        assert set(states) == {S.DELIVERED, S.ACCEPTED, S.BLOCKED} and states[S.BLOCKED] < 40
        assert db.session.scalar(select(func.count()).select_from(Attempt)) == len(sent)
        assert db.session.scalar(select(func.count()).select_from(Receipt)) == len(sent)

        assert setup.create() == lines
        before = len(arrivals.all())
        again = run_now()
        work()
        assert again.state is RunState.FINISHED and len(arrivals.all()) == before
        assert Counter(db.session.scalars(select(Delivery.state))) == states
        for model, count in ((Subscription, 1), (User, 1), (Adaptor, 1), (Document, run.read)):
            assert db.session.scalar(select(func.count()).select_from(model)) == count


def test_the_stand_ins_are_started_only_where_none_run(app, config):
    setup.create()
    adaptor = db.session.scalars(select(Adaptor)).one()
    assert adaptor.organization["name"].startswith("Nordlys")
    assert db.session.scalars(select(Schedule.timing)).one()["minutes"] == 2
    with serve.running(config.instance_dir) as found, setup.at_hand():
        current = db.session.get_one(Adaptor, adaptor.id, populate_existing=True).source_config["base_url"]
        assert current == found.billy_url


def test_the_gateway_of_the_network_looks_up_in_the_stand_ins(app, config):
    with serve.running(config.instance_dir) as found:
        setup.create()
    gateway = db.session.scalars(select(Gateway).where(Gateway.kind == "network")).one()
    assert gateway.name == setup.NETWORK_NAME and gateway.config["lookup"] == "own"
    assert gateway.config["name_server"] == f"127.0.0.1:{found.dns_port}"
    assert gateway.config["register_url"] == found.register_url
    assert gateway.config["directory_url"] == found.directory_url
    for name in ("lookup_ca", "nemhandel_anchors", "peppol_anchors"):
        assert gateway.config[name].strip() == found.ca.strip()
    assert {gateway.config["nemhandel_zone"], gateway.config["peppol_zone"]} == set(ZONES.values())


def test_the_page_says_how_to_sign_in(app, config):
    lines = "\n".join(setup.create())
    assert setup.EMAIL in lines and setup.password() in lines and config.base_url in lines
    user = db.session.scalars(select(User)).one()
    assert user.email == setup.EMAIL and user.password.startswith("$argon2id$")


def test_the_provider_is_told_where_to_report_news_once_for_each_address(app, config):
    with serve.running(config.instance_dir) as found:
        setup.create()
        setup.create()
        gateway = db.session.scalars(select(Gateway).where(Gateway.kind == "sproom")).one()
        headers = {"Authorization": f"Bearer {DEMO_TOKEN}"}
        told = requests.get(f"{found.providers['sproom']}/webhooks", headers=headers, timeout=5).json()
    assert told == [{"type": WEBHOOK, "url": f"{config.base_url}/inbound/{gateway.id}"}]
