from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Expiry, KeyPair
from invoiceapp.models import Event, Gateway, db
from invoiceapp.services import secrets
from invoiceapp.services.configuration import expiries

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LABEL = Text("Vores certifikat", "Our certificate")


@pytest.fixture
def ends(partner, monkeypatch):
    """What ends in so many days from ``NOW``: a list to change."""
    days: list[float] = []
    monkeypatch.setattr(expiries, "utcnow", lambda: NOW)
    found = classmethod(lambda cls, config: [Expiry("certificate", LABEL, NOW + timedelta(days=n), "ab") for n in days])
    monkeypatch.setattr(partner, "expiries", found)
    return days


def next_day():
    """The clock looks at every gateway again."""
    db.session.query(Gateway).update({"expiries_at": None})
    db.session.commit()
    assert expiries.due()
    expiries.check_due()
    assert not expiries.due(), "once a day"


def warnings():
    return [event.data["level"] for event in db.session.query(Event).filter_by(kind="expires").order_by(Event.id)]


@pytest.mark.parametrize(
    ("days", "reached"),
    [
        (61, None),
        (60, 60),
        (30.5, 60),
        (30, 30),
        (14, 14),
        (7.1, 14),
        (7, 7),
        (1.5, 7),
        (1, 1),
        (0.1, 1),
        (0, 0),
        (-9, 0),
    ],
)
def test_levels_are_reached_on_the_day(days, reached):
    assert expiries.level(NOW + timedelta(days=days), NOW) == reached


def test_people_are_warned_once_for_each_level(gateway, ends):
    ends[:] = [90, 59]
    for _ in range(2):
        next_day()
    assert warnings() == [60]
    ends[:] = [59, 6]
    next_day()
    assert warnings() == [60, 7], "14 and 30 have passed meanwhile"
    ends[:] = [-1]
    for _ in range(2):
        next_day()
    assert warnings() == [60, 7, 0]
    event = db.session.query(Event).filter_by(kind="expires").order_by(Event.id.desc()).first()
    assert (event.data["gateway"], event.data["da"], event.subscription_id) == (
        gateway.id,
        LABEL.da,
        gateway.subscription_id,
    )


def test_after_a_renewal_the_warnings_begin_anew(gateway, ends):
    ends[:] = [6]
    next_day()
    ends[:] = [700]
    next_day()
    assert gateway.expiry_level is None
    ends[:] = [6.5]
    next_day()
    assert warnings() == [7, 7]


def test_a_renewal_that_ends_soon_too_is_not_warned_of_for_a_level_that_it_skips(gateway, ends):
    ends[:] = [6]
    next_day()
    ends[:] = [50]
    next_day()
    assert (warnings(), gateway.expiry_level) == ([7], 60)


def test_a_save_warns_of_nothing_and_leaves_that_to_the_clock(gateway, ends):
    ends[:] = [6]
    expiries.refresh(gateway)
    db.session.commit()
    assert (warnings(), gateway.expiry_level) == ([], None)
    next_day()
    assert warnings() == [7]


def test_what_ends_is_listed_soonest_first(gateway, ends):
    ends[:] = [100, 20, -3]
    next_day()
    found = expiries.of_subscription(gateway.subscription_id)
    assert [(one.days_left, one.level) for one in found] == [(-3, 0), (20, 30), (100, None)]
    assert (found[0].label, found[0].fingerprint, found[0].gateway) == (LABEL, "ab", gateway)
    assert [one.days_left for one in expiries.soon(gateway.subscription_id)] == [-3, 20]
    assert expiries.of_subscription("nobody") == []


def test_what_cannot_be_read_keeps_what_was_known(gateway, ends, caplog):
    ends[:] = [6]
    next_day()
    gateway.secrets = {"password": secrets.encrypt("x", "gateway/other/password")}
    db.session.commit()
    ends[:] = []
    next_day()
    assert [one.days_left for one in expiries.endings(gateway)] == [6]
    assert gateway.id in caplog.text
    gateway.kind = "pigeon"
    db.session.commit()
    next_day()
    assert [one.days_left for one in expiries.endings(gateway)] == [6]


def test_nobody_is_warned_of_a_certificate_whose_next_one_is_ready(gateway, ends, partner, monkeypatch):
    pair = KeyPair(LABEL, "certificate", "key", "next_certificate", "next_key", "switch_on")
    monkeypatch.setattr(partner, "key_pairs", (pair,))
    ends[:] = [6]
    gateway.config = {"host": "x", "next_certificate": "PEM", "switch_on": (NOW + timedelta(days=3)).date().isoformat()}
    db.session.commit()
    next_day()
    [one] = expiries.endings(gateway, NOW)
    assert one.level is None and one.replaced_on == (NOW + timedelta(days=3)).date() and one.has_page
    assert warnings() == [] and expiries.soon(gateway.subscription_id) == []
    gateway.config = gateway.config | {"switch_on": (NOW + timedelta(days=9)).date().isoformat()}
    db.session.commit()
    next_day()
    assert warnings() == [7], "it comes too late"
