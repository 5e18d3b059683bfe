from __future__ import annotations

from datetime import UTC, datetime

import pytest

from invoiceapp.models import Adaptor, Environment, Run, RunState, db, utcnow
from invoiceapp.services.configuration import adaptors
from invoiceapp.services.configuration.environments import AdaptorDeleted
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.export import validators


def test_a_new_adaptor_sends_nothing_older_than_the_danish_day(subscription, monkeypatch):
    monkeypatch.setattr(validators, "utcnow", lambda: datetime(2026, 11, 22, 23, 30, tzinfo=UTC))
    row = adaptors.activate(subscription.id, "billy", "  Nordlys  ")
    assert (row.name, row.environment, row.start_date.isoformat()) == ("Nordlys", Environment.LIVE, "2026-11-23")


def test_the_same_name_is_the_same_adaptor_whatever_its_letters(subscription):
    first = adaptors.activate(subscription.id, "billy", "Ærø")
    with pytest.raises(adaptors.AlreadyThere) as caught:
        adaptors.activate(subscription.id, "billy", "ÆRØ ")
    assert caught.value.adaptor_id == first.id
    assert db.session.query(Adaptor).count() == 1


def test_the_name_of_a_deleted_adaptor_is_free_again(subscription):
    first = adaptors.activate(subscription.id, "billy", "Nordlys")
    first.deleted_at = utcnow()
    db.session.commit()
    assert adaptors.activate(subscription.id, "billy", "Nordlys").id != first.id
    assert adaptors.free_name(subscription.id, "billy") == "Billy"


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"name": "a\u2028b"}, {"name"}),
        ({"environment": "x"}, {"environment"}),
        ({"format_id": "papyrus"}, {"format"}),
        ({"gateway_id": "none"}, {"gateway"}),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_nothing_is_kept(subscription, values, fields):
    given = {"name": "Nordlys"} | values
    with pytest.raises(InvalidInput) as caught:
        adaptors.activate(subscription.id, "billy", given.pop("name"), **given)
    assert set(caught.value.errors) == fields
    assert db.session.query(Adaptor).count() == 0


def test_a_test_adaptor_gets_no_live_gateway(subscription, gateway):
    with pytest.raises(InvalidInput) as caught:
        adaptors.activate(subscription.id, "billy", "A", environment="test", gateway_id=gateway.id)
    assert set(caught.value.errors) == {"gateway"}
    gateway.environment = Environment.TEST
    db.session.commit()
    row = adaptors.activate(subscription.id, "billy", "A", environment="test", gateway_id=gateway.id)
    assert row.default_gateway_id == gateway.id


def test_the_overview_counts_each_adaptor_by_itself(adaptor, subscription, make_customer, ready):
    other = adaptors.activate(subscription.id, "billy", "Sydlys")
    make_customer("Sovende", active=False)
    ready("1")
    for state in (RunState.FINISHED, RunState.FAILED):
        db.session.add(Run(subscription_id=subscription.id, adaptor_id=adaptor.id, trigger="manual", state=state))
        db.session.commit()
    mine, theirs = adaptors.overview(subscription.id)
    assert (mine.adaptor.id, mine.active_customers, mine.documents, mine.waiting) == (adaptor.id, 1, 1, 1)
    assert mine.last_run.state is RunState.FAILED
    assert (theirs.adaptor.id, theirs.active_customers, theirs.documents, theirs.waiting) == (other.id, 0, 0, 0)
    assert theirs.last_run is None


def test_every_word_is_searched_in_both_languages(app):
    assert set(adaptors.matching("")) == set(adaptors.matching("billy")) == {"billy"}
    assert adaptors.matching("billy pigeon") == {}


def test_a_deleted_adaptor_is_not_changed(adaptor, gateway):
    adaptor.deleted_at = utcnow()
    db.session.commit()
    for change in (
        lambda: adaptors.set_active(adaptor.id, True),
        lambda: adaptors.set_default_gateway(adaptor.id, gateway.id),
    ):
        with pytest.raises(AdaptorDeleted):
            change()
