"""The demo company from its first start to the last file at its partners. No Redis."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select

from invoiceapp.demo import serve, setup
from invoiceapp.demo.partners import Arrivals
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Delivery,
    Document,
    Receipt,
    Rendition,
    Run,
    RunState,
    Subscription,
    User,
    db,
)
from invoiceapp.services.export import conversion, delivery, runs

S = DeliveryState
pytestmark = pytest.mark.server


def run_now() -> Run:
    run_id = runs.start(db.session.scalars(select(Adaptor.id)).one(), trigger="manual").id
    runs.execute(run_id)
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
    assert adaptor.interval_minutes == 2 and adaptor.organization["name"].startswith("Nordlys")
    with serve.running(config.instance_dir) as found, setup.at_hand():
        current = db.session.get_one(Adaptor, adaptor.id, populate_existing=True).source_config["base_url"]
        assert current == found.billy_url


def test_the_page_says_how_to_sign_in(app, config):
    lines = "\n".join(setup.create())
    assert setup.EMAIL in lines and setup.password() in lines and config.base_url in lines
    user = db.session.scalars(select(User)).one()
    assert user.email == setup.EMAIL and user.password.startswith("$argon2id$")
