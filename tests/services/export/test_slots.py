"""How many connections all workers together have open to one machine."""

from datetime import timedelta

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Delivery, HostSlot, db, utcnow
from invoiceapp.services.export import delivery, slots


def rows(host="partner.example"):
    db.session.expire_all()
    return [row for row in db.session.query(HostSlot).order_by(HostSlot.number) if row.host == host]


def test_no_more_are_taken_than_there_are(app):
    with slots.taken("a", 2) as first, slots.taken("a", 2) as second, slots.taken("a", 2) as third:
        assert (first.number, second.number, third) == (1, 2, None)
    with slots.taken("a", 2) as again:
        assert again.number == 1


def test_each_machine_has_its_own(app):
    with slots.taken("a", 1) as first, slots.taken("b", 1) as second:
        assert first and second


def test_a_machine_without_a_limit_takes_no_row(app):
    with slots.taken(None, 1) as one, slots.taken(None, 1) as two:
        assert one and two and one.renew()
    assert db.session.query(HostSlot).count() == 0


def test_a_gateway_that_allows_fewer_waits_where_others_fill_the_first_places(app):
    with slots.taken("a", 5), slots.taken("a", 5):
        with slots.taken("a", 2) as found:
            assert found is None
        with slots.taken("a", 3) as found:
            assert found.number == 3


def test_the_slot_of_a_dead_worker_is_free_again_by_itself(app):
    dead = slots._take("a", 1)
    assert slots._take("a", 1) is None
    db.session.query(HostSlot).update({"until": utcnow() - timedelta(seconds=1)})
    db.session.commit()
    heir = slots._take("a", 1)
    assert heir.number == dead.number and heir.token != dead.token
    dead.renewed = utcnow() - slots.HOLD
    assert not dead.renew() and slots._take("a", 1) is None


def test_a_slot_is_renewed_well_before_it_ends(app):
    with slots.taken("a", 1) as slot:
        before = rows("a")[0].until
        assert slot.renew() and rows("a")[0].until == before, "not at every document"
        slot.renewed = utcnow() - slots.HOLD / 2
        assert slot.renew() and rows("a")[0].until > before


def test_deliveries_wait_a_moment_where_the_machine_is_full(ready, gateway, partner):
    row = ready()
    with slots.taken("partner.example", 2), slots.taken("partner.example", 2):
        delivery.deliver_due()
        found = db.session.get_one(Delivery, row.id, populate_existing=True)
        assert partner.sent == [] and found.state is DeliveryState.PENDING and found.tries == 0
        assert utcnow() < found.next_at < utcnow() + timedelta(seconds=11)
    found.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert len(partner.sent) == 1 and [row.token for row in rows()] == [None, None]


def test_a_lost_slot_ends_the_batch_and_loses_no_document(ready, gateway, partner, monkeypatch):
    for number in range(3):
        ready(str(number))
    answers = iter([True, False])
    monkeypatch.setattr(slots.Slot, "renew", lambda _slot: next(answers))
    delivery.deliver_due()
    assert len(partner.sent) == 1
    states = sorted(row.state.value for row in db.session.query(Delivery))
    assert states == ["delivered", "pending", "pending"]
