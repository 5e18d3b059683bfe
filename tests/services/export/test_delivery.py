from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from invoiceapp.domain.delivery import RETRY_PLAN, DeliveryState, Replay
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.gateways.base import Receipt as WireReceipt
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.models import Attempt, Delivery, Event, Gateway, Receipt, Rendition, db, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.configuration import gateways
from invoiceapp.services.database import transaction
from invoiceapp.services.export import archive, delivery, recovery, standing
from invoiceapp.services.export.delivery import LeaseLost

S = DeliveryState
NO = Text("Partneren sagde nej.", "The partner said no.")


def attempts(row: Delivery) -> list[Attempt]:
    return list(db.session.scalars(select(Attempt).where(Attempt.delivery_id == row.id).order_by(Attempt.number)))


def receipts(row: Delivery) -> list[Receipt]:
    return list(db.session.scalars(select(Receipt).where(Receipt.delivery_id == row.id)))


def events(row: Delivery) -> list[str]:
    return list(db.session.scalars(select(Event.kind).where(Event.delivery_id == row.id).order_by(Event.id)))


def take_over(row_id: str) -> None:
    """What recovery does to an expired lease, seen from the old holder: another fence."""
    with transaction() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.id == row_id)
            .values(state=S.PENDING, fence=Delivery.fence + 1)
            .execution_options(synchronize_session=False)
        )


def seconds_until_next(row: Delivery) -> float:
    return (row.next_at - utcnow()).total_seconds()


def test_a_due_delivery_is_sent_and_proved(ready, partner):
    row = ready(idem_key="key-1")
    assert delivery.deliver_due() == 1
    assert row.state is S.DELIVERED and row.tries == 1 and row.next_at is None and row.lease_owner is None
    assert row.remote_ref == "key-1.xml" and row.error is None and row.first_sent_at and row.finished_at
    assert [(a.number, a.outcome, a.wire_ids) for a in attempts(row)] == [(1, "accepted", {"name": "key-1.xml"})]
    assert [r.evidence["sha256"] for r in receipts(row)] == [row_sha256(row)]
    assert events(row) == ["sending", "delivered"]
    assert delivery.deliver_due() == 0 and len(partner.sent) == 1


def row_sha256(row: Delivery) -> str:
    return db.session.get_one(Rendition, row.rendition_id).sha256


def test_the_partner_gets_the_archived_bytes_and_the_names_of_both_sides(ready, partner):
    row = ready("77", idem_key="key-2")
    pdf = archive.store(b"%PDF-1.7 page")
    row.document.pdf_sha256 = pdf
    row.document.bundle = {"organization": {"name": "Eksempel ApS"}}
    db.session.commit()
    delivery.deliver_due()
    sent = partner.sent[0]
    assert sent.key == "key-2" and sent.payload.content == b"<Invoice>77</Invoice>"
    assert [(file.filename, file.content) for file in sent.companions] == [("invoice-77.pdf", b"%PDF-1.7 page")]
    assert (sent.sender, sent.receiver) == (Participant("0184", "12345674"), Participant("0088", "5798000000001"))
    assert (sent.sender_name, sent.receiver_name) == ("Eksempel ApS", "Kommune Eksempel")


def test_a_document_that_is_a_pdf_itself_takes_no_second_pdf_along(ready, partner):
    row = ready("78")
    row.document.pdf_sha256 = archive.store(b"%PDF-1.7 page")
    db.session.get_one(Rendition, row.rendition_id).media_type = "application/pdf"
    db.session.commit()
    delivery.deliver_due()
    assert partner.sent[0].companions == ()


def test_no_transaction_is_open_while_bytes_travel(ready, partner):
    open_while_sending = []

    def look(consignment):
        open_while_sending.append(db.session().in_transaction())
        return partner.received(consignment)

    partner.outcomes += [look, look]
    ready("1"), ready("2")
    delivery.deliver_due()
    assert open_while_sending == [False, False]


def test_the_attempt_and_its_wire_ids_are_committed_before_the_first_byte(ready, partner, app):
    row = ready(idem_key="key-3")
    seen = []

    def look(consignment):
        def other_connection() -> None:
            with app.app_context():
                found = db.session.get_one(Delivery, row_id)
                seen.append((found.state, found.tries, [(a.wire_ids, a.outcome) for a in attempts(found)]))

        thread = threading.Thread(target=other_connection)
        thread.start()
        thread.join()
        return partner.received(consignment)

    row_id = row.id
    partner.outcomes.append(look)
    delivery.deliver_due()
    assert seen == [(S.SENDING, 1, [({"name": "key-3.xml"}, None)])]


def test_a_promise_to_pass_it_on_is_accepted_but_not_delivered(ready, partner):
    partner.proves_arrival = False
    row = ready()
    delivery.deliver_due()
    assert row.state is S.ACCEPTED and len(receipts(row)) == 1


def test_a_later_receipt_is_waited_for(ready, partner):
    partner.outcomes.append(WireReceipt("ref", {"mdn": "later"}, proves_arrival=True, final=False))
    row = ready()
    delivery.deliver_due()
    assert row.state is S.ACCEPTED


def test_a_holder_that_wakes_up_too_late_sends_nothing(ready, partner, gateway):
    row = ready()
    [lease] = delivery.claim()
    take_over(row.id)
    with pytest.raises(LeaseLost):
        delivery.begin(lease, {"name": "x"}, standing.opened(gateway))
    assert attempts(row) == [] and row.tries == 0 and row.state is S.PENDING


def test_a_late_success_is_believed_where_nobody_else_sends(ready, partner):
    row = ready()

    def slow(consignment):
        take_over(row.id)
        return partner.received(consignment)

    partner.outcomes.append(slow)
    delivery.deliver_due()
    assert row.state is S.DELIVERED and row.finished_at is not None and row.remote_ref
    assert len(receipts(row)) == 1 and attempts(row)[0].outcome == "accepted"
    assert events(row) == ["sending", "late_receipt"]


def test_a_late_success_is_evidence_only_while_somebody_else_sends(ready, partner):
    row = ready()

    def slow(consignment):
        take_over(row.id)
        row.next_at = utcnow()
        db.session.commit()
        [heir] = delivery.claim()
        assert heir.delivery_id == row.id
        return partner.received(consignment)

    partner.outcomes.append(slow)
    delivery.deliver_due()
    assert row.state is S.LEASED and len(receipts(row)) == 1


@pytest.mark.parametrize("replay", list(Replay))
def test_what_only_a_person_can_find_out_is_neither_repeated_nor_asked(ready, partner, replay):
    partner.replays = replay
    row = ready()
    partner.outcomes.append(Unknown(NO, needs_person=True))
    delivery.deliver_due()
    assert row.state is S.OUTCOME_UNKNOWN and row.next_at is None


def test_a_repetition_never_goes_to_another_place_than_the_try_that_may_have_arrived(ready, partner, gateway):
    row = ready()
    partner.outcomes.append(Unknown(NO))
    delivery.deliver_due()
    assert row.state is S.PENDING, "safe to repeat"
    gateway.config = {**gateway.config, "host": "other.example"}
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert len(partner.sent) == 1 and row.state is S.OUTCOME_UNKNOWN and "indstillinger er ændret" in row.error["da"]
    assert row.next_at is None


def test_what_provably_did_not_arrive_may_go_to_another_place(ready, partner, gateway):
    row = ready()
    partner.outcomes.append(Unavailable(NO))
    delivery.deliver_due()
    gateway.config = {**gateway.config, "host": "other.example"}
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert len(partner.sent) == 2 and row.state is S.DELIVERED


def test_a_late_failure_is_kept_on_its_attempt_and_moves_nothing(ready, partner):
    row = ready()

    def slow(_consignment):
        take_over(row.id)
        raise Rejected(NO)

    partner.outcomes.append(slow)
    delivery.deliver_due()
    assert row.state is S.PENDING and row.error is None
    assert attempts(row)[0].outcome == "rejected" and attempts(row)[0].finished_at is not None


def test_a_taken_over_delivery_does_not_stop_the_rest_of_the_batch(ready, partner):
    first, second = ready("1"), ready("2")

    def slow(consignment):
        take_over(first.id)
        return partner.received(consignment)

    partner.outcomes.append(slow)
    assert delivery.deliver_due() == 2
    assert second.state is S.DELIVERED


def test_unavailable_waits_for_the_second_try(ready, partner):
    partner.outcomes.append(Unavailable(NO, "no route"))
    row = ready()
    delivery.deliver_due()
    assert row.state is S.PENDING and row.tries == 1 and 20 < seconds_until_next(row) < 40
    assert row.error == {"da": NO.da, "en": NO.en, "class": "Unavailable", "detail": "no route"}
    assert [a.outcome for a in attempts(row)] == ["unavailable"] and receipts(row) == []
    assert events(row) == ["sending", "try_unavailable"]
    assert delivery.deliver_due() == 0


@pytest.mark.parametrize(("tries", "step"), list(enumerate(RETRY_PLAN))[1:])
def test_each_pause_is_the_plans_with_a_spread(ready, partner, tries, step):
    partner.outcomes.append(Unavailable(NO))
    row = ready(tries=tries - 1)
    delivery.deliver_due()
    assert row.state is S.PENDING
    assert step * 0.8 - 10 <= seconds_until_next(row) <= step * 1.2


@pytest.mark.parametrize(("asked", "least", "most"), [(45, 40, 45), (7200, 55, 60)])
def test_retry_after_is_respected_within_reason(ready, partner, asked, least, most):
    partner.outcomes.append(Unavailable(NO, retry_after=asked))
    row = ready()
    delivery.deliver_due()
    assert least <= seconds_until_next(row) <= most


def test_a_used_up_plan_ends_in_failed(ready, partner):
    partner.outcomes.append(Unavailable(NO))
    row = ready(tries=len(RETRY_PLAN) - 1)
    delivery.deliver_due()
    assert row.state is S.FAILED and row.next_at is None and row.finished_at is not None


def test_a_used_up_plan_never_calls_an_unknown_outcome_failed(ready, partner):
    partner.outcomes.append(Unknown(NO))
    row = ready(tries=len(RETRY_PLAN) - 1)
    delivery.deliver_due()
    assert row.state is S.OUTCOME_UNKNOWN and row.finished_at is None


def test_a_used_up_plan_after_an_unclear_try_never_says_that_nothing_arrived(ready, partner):
    row = ready(tries=len(RETRY_PLAN) - 2)
    partner.outcomes.append(Unknown(NO))
    delivery.deliver_due()
    assert row.state is S.PENDING
    row.next_at = utcnow()
    db.session.commit()
    partner.outcomes.append(Unavailable(NO))
    delivery.deliver_due()
    assert row.state is S.OUTCOME_UNKNOWN


def test_a_used_up_plan_after_a_yes_whose_receipt_never_came_never_says_that_nothing_arrived(ready, partner):
    row = ready(tries=len(RETRY_PLAN) - 2)
    partner.outcomes.append(WireReceipt("ref", {}, proves_arrival=False, final=False, due=timedelta(hours=4)))
    delivery.deliver_due()
    assert recovery.expire_receipts(utcnow() + timedelta(hours=5)) == 1
    # As after the partner was asked, or a repetition was found to be safe.
    row.state, row.next_at, row.tries = S.PENDING, utcnow(), len(RETRY_PLAN) - 1
    db.session.commit()
    partner.outcomes.append(Unavailable(NO))
    delivery.deliver_due()
    assert row.state is S.OUTCOME_UNKNOWN


def test_a_no_after_an_unclear_try_does_not_hide_what_may_have_arrived(ready, partner):
    """A partner that has the document from the first try refuses its number the second time."""
    row = ready()
    partner.outcomes += [Unknown(NO), Rejected(Text("Nummeret er brugt.", "The number is in use."))]
    delivery.deliver_due()
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert (row.state, row.next_at, row.finished_at) == (S.OUTCOME_UNKNOWN, None, None)
    assert row.error["en"].startswith("The number is in use.") and "may have arrived" in row.error["en"]
    assert [one.outcome for one in attempts(row)] == ["unknown", "rejected"]


def test_the_second_try_has_the_same_ids(ready, partner):
    partner.outcomes.append(Unavailable(NO))
    row = ready(idem_key="key-4")
    delivery.deliver_due()
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert row.state is S.DELIVERED and row.error is None
    assert [(a.number, a.wire_ids["name"]) for a in attempts(row)] == [(1, "key-4.xml"), (2, "key-4.xml")]


def test_rejected_is_final(ready, partner):
    partner.outcomes.append(Rejected(NO))
    row = ready()
    delivery.deliver_due()
    assert row.state is S.REJECTED and row.next_at is None and row.finished_at is not None
    assert delivery.deliver_due() == 0


def test_an_unknown_outcome_is_repeated_with_the_same_ids_where_that_is_safe(ready, partner):
    partner.outcomes.append(Unknown(NO))
    row = ready()
    delivery.deliver_due()
    assert row.state is S.PENDING and seconds_until_next(row) > 20


@pytest.mark.parametrize("replay", [Replay.UNSAFE, Replay.PROBE])
def test_an_unknown_outcome_waits_for_a_person_where_repeating_is_not_safe(ready, partner, replay):
    partner.replays = replay
    partner.outcomes.append(Unknown(NO))
    row = ready()
    delivery.deliver_due()
    assert (
        row.state is S.OUTCOME_UNKNOWN
        and (row.next_at is None) == (replay is Replay.UNSAFE)
        and attempts(row)[0].outcome == "unknown"
    )
    assert delivery.deliver_due() == 0


@pytest.mark.parametrize(("replay", "state"), [(Replay.SAFE, S.PENDING), (Replay.UNSAFE, S.OUTCOME_UNKNOWN)])
def test_a_fault_in_a_transport_counts_as_unknown_and_the_batch_goes_on(ready, partner, replay, state):
    partner.replays = replay
    partner.outcomes.append(ZeroDivisionError("a fault of ours"))
    first, second = ready("1"), ready("2")
    delivery.deliver_due()
    states = {first.state, second.state}
    assert states == {state, S.DELIVERED}
    broken = first if first.state is state else second
    assert attempts(broken)[0].outcome == "unknown" and broken.error["detail"] == "ZeroDivisionError"


def test_a_fault_before_the_first_byte_fails_with_words_and_the_batch_goes_on(ready, partner, monkeypatch):
    first, second = ready("1", idem_key="a"), ready("2", idem_key="b")

    def wire_ids(self, consignment):
        if consignment.key == "a":
            raise ZeroDivisionError
        return {}

    monkeypatch.setattr(partner, "wire_ids", wire_ids)
    delivery.deliver_due()
    assert first.state is S.FAILED and "fejl i programmet" in first.error["da"] and attempts(first) == []
    assert second.state is S.DELIVERED and [sent.key for sent in partner.sent] == ["b"]


def test_refused_pauses_the_gateway_and_returns_the_batch(ready, partner, gateway):
    rows = [ready(str(number)) for number in range(3)]
    partner.outcomes.append(Refused(NO))
    assert delivery.deliver_due() == 3
    assert len(partner.sent) == 1 and {row.state for row in rows} == {S.PENDING}
    assert sum(row.tries for row in rows) == 1 and {row.lease_owner for row in rows} == {None}
    assert gateway.is_paused and gateway.paused_reason == {"da": NO.da, "en": NO.en}
    assert delivery.deliver_due() == 0 and len(partner.sent) == 1
    gateways.resume(gateway.id)
    assert delivery.deliver_due() == 3 and {row.state for row in rows} == {S.DELIVERED}


def test_another_gateways_part_of_the_batch_goes_on_after_a_refusal(ready, partner, gateway):
    refused = ready("1")
    other = Gateway(subscription_id=gateway.subscription_id, name="B", kind="fake", config={"host": "b"}, secrets={})
    db.session.add(other)
    db.session.commit()
    sent = ready("2")
    sent.gateway_id = other.id
    db.session.commit()
    partner.outcomes.append(Refused(NO))
    delivery.deliver_due()
    assert (refused.state, sent.state) in ((S.PENDING, S.DELIVERED), (S.DELIVERED, S.PENDING))
    assert [gateway.is_paused, other.is_paused].count(True) == 1


def test_a_secret_that_cannot_be_read_pauses_the_gateway_and_sends_nothing(ready, partner, gateway):
    gateway.secrets = {"password": secrets.encrypt("x", "gateway/another/password")}
    db.session.commit()
    row = ready()
    delivery.deliver_due()
    assert gateway.is_paused and "adgangskode" in gateway.paused_reason["da"]
    assert row.state is S.PENDING and row.tries == 0 and partner.sent == []


def test_a_transport_that_is_no_longer_installed_pauses_its_gateway(ready, gateway):
    gateway.kind = "pigeon"
    db.session.commit()
    row = ready()
    delivery.deliver_due()
    assert gateway.is_paused and "pigeon" in gateway.paused_reason["da"] and row.state is S.PENDING


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"<Invoice>9</Invoice>")])
def test_damaged_bytes_are_never_sent(ready, partner, config, damage):
    row, good = ready("1"), ready("2")
    sha256 = row_sha256(row)
    damage(config.archive_dir / sha256[:2] / sha256[2:4] / sha256)
    delivery.deliver_due()
    assert row.state is S.FAILED and "arkiv" in row.error["da"].lower() and attempts(row) == []
    assert good.state is S.DELIVERED and len(partner.sent) == 1


def test_a_lost_lease_in_a_returned_batch_stays_with_its_new_holder(ready, partner):
    first, second = ready("1"), ready("2")
    ids = {first.id, second.id}

    def refuse(consignment):
        for row_id in ids:
            state = db.session.scalar(select(Delivery.state).where(Delivery.id == row_id))
            if state is S.LEASED:
                take_over(row_id)
        raise Refused(NO)

    partner.outcomes.append(refuse)
    delivery.deliver_due()
    assert {first.fence, second.fence} == {1, 2} and {first.state, second.state} == {S.PENDING}


def test_each_attempt_is_one_row_and_nothing_is_deleted(ready, partner):
    row = ready()
    for _ in range(3):
        partner.outcomes.append(Unavailable(NO))
        row.next_at = utcnow()
        db.session.commit()
        delivery.deliver_due()
    assert db.session.scalar(select(func.count()).select_from(Attempt)) == 3 == row.tries
    assert [a.number for a in attempts(row)] == [1, 2, 3] and [a.fence for a in attempts(row)] == [1, 2, 3]


def test_an_archive_that_is_away_for_a_minute_fails_nothing(ready, partner, config):
    row = ready()
    away = config.archive_dir.with_name("away")
    config.archive_dir.rename(away)
    delivery.deliver_due()
    assert row.state is S.PENDING and row.next_at > utcnow() and partner.sent == []
    away.rename(config.archive_dir)
    row.next_at = utcnow()
    db.session.commit()
    delivery.deliver_due()
    assert row.state is S.DELIVERED


def test_damaged_bytes_after_an_unclear_try_are_not_called_failed(ready, partner, config):
    partner.outcomes.append(Unknown(NO))
    row = ready()
    delivery.deliver_due()
    row.next_at = utcnow()
    db.session.commit()
    for path in config.archive_dir.rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    delivery.deliver_due()
    assert row.state is S.OUTCOME_UNKNOWN


def test_a_batch_that_takes_too_long_gives_the_rest_back(ready, partner, monkeypatch):
    rows = [ready(str(number)) for number in (1, 2, 3)]
    monkeypatch.setattr(delivery, "_BUDGET", -1)
    delivery.deliver_due()
    assert {row.state for row in rows} == {S.PENDING} and partner.sent == []


def test_the_transport_learns_whether_an_earlier_try_may_have_arrived(ready, partner):
    row = ready()
    partner.outcomes += [Unavailable(NO), Unknown(NO)]
    for _ in range(3):
        db.session.execute(update(Delivery).values(next_at=utcnow()))
        db.session.commit()
        delivery.deliver_due()
    assert [sent.may_have_arrived for sent in partner.sent] == [False, False, True]
    assert row.state is S.DELIVERED


def test_what_the_partner_remembers_of_a_try_that_it_did_not_take_explains_a_repetition(ready, partner):
    ready()
    partner.outcomes += [Unavailable(NO, is_remembered=True), Unknown(NO)]
    for _ in range(3):
        db.session.execute(update(Delivery).values(next_at=utcnow()))
        db.session.commit()
        delivery.deliver_due()
    assert [sent.may_have_arrived for sent in partner.sent] == [False, False, False]


@pytest.mark.parametrize("is_taken_over", [False, True])
def test_who_stood_still_after_noting_its_try_sends_nothing_and_says_so(ready, partner, monkeypatch, is_taken_over):
    row = ready()
    begin, now = delivery.begin, delivery.time.monotonic

    def stand_still(*arguments, **options):
        attempt_id = begin(*arguments, **options)
        if is_taken_over:
            take_over(row.id)
        monkeypatch.setattr(delivery.time, "monotonic", lambda: now() + delivery.LEASE.total_seconds())
        return attempt_id

    monkeypatch.setattr(delivery, "begin", stand_still)
    delivery.deliver_due()
    found = db.session.get_one(Delivery, row.id, populate_existing=True)
    assert partner.sent == [] and found.state is S.PENDING
    assert [one.outcome for one in attempts(row)] == ["unavailable"], "so that a later try knows that nothing arrived"
