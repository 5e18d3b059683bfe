"""The flow of thirty days in numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Document, Receipt, Stage, db
from invoiceapp.services.daily import flow

S = DeliveryState
TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def adaptor(adaptor):
    adaptor.created_at = NOON - timedelta(days=90)
    db.session.commit()
    return adaptor


@pytest.fixture
def arrived(make_customer, make_document, make_delivery):
    """``arrived(minutes, **document columns)``: read five minutes after its booking, and taken so many after it."""
    customer = make_customer()

    def make(minutes: float, booked: datetime = NOON, state: DeliveryState = S.DELIVERED, **columns) -> Document:
        values = {"issue_date": booked.date(), "approved_at": booked.replace(tzinfo=None).isoformat(), **columns}
        document = make_document(customer, created_at=booked + timedelta(minutes=5), **values)
        delivery = make_delivery(document, state, finished_at=booked + timedelta(days=9))
        db.session.add(
            Receipt(
                delivery_id=delivery.id, kind="wire", reference="x", evidence={},
                created_at=booked + timedelta(minutes=minutes),
            )
        )  # fmt: skip
        db.session.commit()
        return document

    return make


def test_every_day_of_the_period_is_there_and_each_document_once(adaptor, make_customer, make_document, make_delivery):
    customer = make_customer()
    for number, (day, state) in enumerate(((23, S.DELIVERED), (23, S.BLOCKED), (23, S.PENDING), (1, S.ACCEPTED))):
        make_delivery(make_document(customer, str(number), issue_date=date(2026, 11, day)), state)
    make_document(customer, "9", stage=Stage.LISTED, issue_date=TODAY)
    for outside in (date(2026, 10, 24), date(2026, 11, 24)):
        make_document(customer, "x", stage=Stage.LISTED, issue_date=outside)
    found = flow.count([adaptor.id], TODAY)
    assert [one.day for one in found.days] == [date(2026, 10, 25) + timedelta(days=n) for n in range(30)]
    assert found.days[-1].parts == {"arrived": 1, "progress": 1, "person": 1, "rest": 1}
    assert found.parts == {"arrived": 2, "progress": 1, "person": 1, "rest": 1}


def test_times_run_from_booking_to_the_first_receipt(adaptor, arrived):
    for minutes in (10, 12, 300):
        arrived(minutes)
    times = flow.count([adaptor.id], TODAY).times
    assert times.within(50) == timedelta(minutes=12)
    assert times.within(95) == timedelta(minutes=300)
    assert times.classes == [0, 0, 2, 0, 0, 1, 0]


@pytest.mark.parametrize(("percent", "place"), [(1, 0), (50, 9), (95, 18), (100, 19)])
def test_within_names_the_last_of_so_many(percent, place):
    times = flow.Times([timedelta(minutes=n) for n in range(20)])
    assert times.within(percent) == timedelta(minutes=place)
    assert flow.Times([]).within(percent) is None


def test_what_was_booked_before_the_adaptor_is_timed_from_its_reading_and_only_alone(adaptor, arrived):
    adaptor.created_at = NOON + timedelta(minutes=1)
    arrived(10)
    alone = flow.count([adaptor.id], TODAY)
    assert (alone.since_booking, alone.times.sorted) == (False, [timedelta(minutes=5)])
    arrived(30, NOON + timedelta(hours=1))
    both = flow.count([adaptor.id], TODAY)
    assert (both.since_booking, both.times.sorted) == (True, [timedelta(minutes=30)])


def test_a_source_that_keeps_danish_time_is_understood(adaptor, arrived):
    for minutes in (10, 20):
        # Written an hour later than it was: read by UTC, the booking would come after the reading.
        arrived(minutes, approved_at="2026-11-20T13:00:00")
    assert flow.count([adaptor.id], TODAY).times.sorted == [timedelta(minutes=10), timedelta(minutes=20)]


def test_a_time_with_its_zone_is_taken_as_it_is(adaptor, arrived):
    arrived(10, approved_at="2026-11-20T14:00:00+02:00")
    assert flow.count([adaptor.id], TODAY).times.sorted == [timedelta(minutes=10)]


def test_documents_are_counted_by_gateway(adaptor, gateway, arrived, make_customer, make_document, make_delivery):
    arrived(10)
    arrived(20, state=S.ACKNOWLEDGED)
    make_delivery(make_document(make_customer(), "3", issue_date=TODAY), S.FAILED)
    (one,) = flow.count([adaptor.id], TODAY).gateways
    assert (one.gateway_id, one.total) == (gateway.id, 3)
    assert one.parts == {"arrived": 2, "progress": 0, "person": 1, "rest": 0}
    assert one.times.within(50) == timedelta(minutes=10)


def test_only_the_newest_arrivals_are_timed(adaptor, arrived, monkeypatch):
    monkeypatch.setattr(flow, "SAMPLE", 2)
    for minutes in (10, 20, 30):
        arrived(minutes, NOON + timedelta(days=minutes // 10))
    found = flow.count([adaptor.id], date(2026, 11, 25))
    assert found.is_sampled
    assert found.times.sorted == [timedelta(minutes=20), timedelta(minutes=30)]


def test_the_flow_is_counted_again_after_a_minute(adaptor, make_customer, make_document, monkeypatch):
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    monkeypatch.setattr(flow, "utcnow", lambda: now)
    assert flow.of_adaptors([adaptor.id]).parts["rest"] == 0
    make_document(make_customer(), stage=Stage.LISTED, issue_date=TODAY)
    assert flow.of_adaptors([adaptor.id]).parts["rest"] == 0
    monkeypatch.setattr(flow, "utcnow", lambda: now + timedelta(seconds=61))
    assert flow.of_adaptors([adaptor.id]).parts["rest"] == 1


def test_without_documents_there_is_nothing_to_tell(adaptor):
    found = flow.count([adaptor.id], TODAY)
    assert (found.times.sorted, found.gateways, sum(found.parts.values())) == ([], [], 0)
