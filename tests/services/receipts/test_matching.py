"""Receipts move deliveries forward, stay as evidence where they come too late, and never reach anybody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.answers import OURS, THEIRS, answer, aperak, contrl

from invoiceapp.domain.delivery import DeliveryState, Mover, may_move
from invoiceapp.gateways.base import Verdict
from invoiceapp.models import (
    Attempt,
    Delivery,
    Event,
    Gateway,
    IncomingMessage,
    IncomingState,
    Receipt,
    Subscription,
    db,
    utcnow,
)
from invoiceapp.services.delivery.moves import LeaseLost
from invoiceapp.services.export import archive
from invoiceapp.services.export.delivery import claim
from invoiceapp.services.receipts import applying, edifact, matching

S = DeliveryState
POSTED = {"content-type": "multipart/report"}
MATCHED, WAITING, UNREADABLE = IncomingState.MATCHED, IncomingState.WAITING, IncomingState.UNREADABLE


def moved(delivery, *states):
    for state in states:
        db.session.execute(db.update(Delivery).where(Delivery.id == delivery.id).values(state=state))
    db.session.commit()


def a_day_ago(message):
    message.created_at = utcnow() - matching.PATIENCE - timedelta(minutes=1)
    db.session.commit()


def test_what_has_waited_for_a_while_is_not_read_again_at_every_tick(sent, arrive, monkeypatch):
    """Strangers' messages would keep the clock busy all day."""
    message = arrive(answer(contrl(interchange="777")))
    assert message.state is WAITING
    read = []
    monkeypatch.setattr(matching, "match_safely", lambda message_id: bool(read.append(message_id)))
    for age, count in ((timedelta(minutes=1), 1), (timedelta(hours=1), 0), (timedelta(hours=25), 1)):
        read.clear()
        message.created_at = utcnow() - age
        db.session.commit()
        matching.match_waiting()
        assert len(read) == count, age


@pytest.mark.parametrize(
    ("said", "state", "kind"),
    [
        (contrl(), S.DELIVERED, "contrl"),
        (contrl(action="8"), S.DELIVERED, "contrl"),
        (contrl(action="4", error="23"), S.REJECTED, "contrl"),
        (aperak(), S.ACKNOWLEDGED, "aperak"),
        (aperak(name="294"), S.DELIVERED, "aperak"),
        (aperak(name="313", error="Ukendt ordre"), S.REJECTED, "aperak"),
    ],
)
def test_an_answer_moves_what_was_handed_over(sent, arrive, left, said, state, kind):
    delivery = sent()
    assert arrive(answer(said)).state is MATCHED
    found = left(delivery)
    assert (found.state, found.kinds, found.events) == (state, [kind], [state.value])


def test_a_contrl_and_then_an_aperak_that_rejects_end_in_rejected(sent, arrive, left):
    delivery = sent()
    arrive(answer(contrl()))
    arrive(answer(aperak(name="313", error="Forkert pris")))
    assert left(delivery).state is S.REJECTED
    row = db.session.get_one(Delivery, delivery.id)
    assert row.error["class"] == "Rejected"
    assert "Forkert pris" in row.error["da"]
    assert "Forkert pris" in row.error["en"]
    assert "aperak" in row.error["detail"]


def test_an_outcome_that_nobody_knew_is_known_then(sent, arrive, left):
    delivery = sent(state=S.OUTCOME_UNKNOWN, error={"class": "Unknown", "da": "?", "en": "?"})
    arrive(answer(contrl()))
    assert left(delivery).state is S.DELIVERED
    row = db.session.get_one(Delivery, delivery.id)
    assert (row.error, row.next_at) == (None, None)
    assert row.finished_at is not None


def test_the_clock_for_a_late_answer_stops(sent, arrive):
    delivery = sent()
    delivery.next_at = utcnow() + timedelta(hours=1)
    db.session.commit()
    arrive(answer(contrl()))
    assert db.session.get_one(Delivery, delivery.id, populate_existing=True).next_at is None


def test_the_evidence_names_the_bytes_and_what_they_say(sent, arrive):
    delivery = sent()
    message = arrive(answer(contrl(action="4", error="23")), name="CONTRL_8841.edi")
    row = db.session.query(Receipt).filter_by(delivery_id=delivery.id).one()
    attempt = db.session.query(Attempt).filter_by(delivery_id=delivery.id).one()
    assert (row.kind, row.reference, row.attempt_id) == ("contrl", "CONTRL_8841.edi", attempt.id)
    assert (row.evidence["sha256"], row.evidence["interchange"]) == (message.sha256, "17")
    assert row.evidence["verdict"] == "rejected"
    assert row.evidence["findings"][0]["rule"] == "EDI-CONTRL-ERROR"
    assert archive.load(message.sha256) == answer(contrl(action="4", error="23"))


@pytest.mark.parametrize("state", [S.SENDING, S.LEASED])
def test_an_answer_that_overtakes_our_own_record_waits_for_it(sent, arrive, left, state):
    delivery = sent(state=state)
    message = arrive(answer(contrl()))
    assert message.state is WAITING
    assert "being sent" in message.outcome[0]["en"]
    assert left(delivery) == type(left(delivery))(state, [], [])
    moved(delivery, *([S.SENDING] if state is S.LEASED else []), S.ACCEPTED)
    assert matching.match_waiting() == 1
    assert left(delivery).state is S.DELIVERED


@pytest.mark.parametrize(("said", "state"), [(contrl(), S.DELIVERED), (contrl(action="4"), S.REJECTED)])
def test_what_waits_for_its_next_try_is_not_sent_again_once_an_earlier_one_is_answered(sent, arrive, left, said, state):
    delivery = sent(state=S.PENDING)
    assert arrive(answer(said)).state is MATCHED
    assert left(delivery).state is state
    assert claim() == []


def test_an_answer_to_an_earlier_sending_ends_no_later_one_that_has_not_left(sent, arrive, left):
    delivery = sent(state=S.PENDING)
    db.session.query(Attempt).filter_by(delivery_id=delivery.id).update({"outcome": "unavailable"})
    db.session.commit()
    message = arrive(answer(aperak()))
    assert (message.state, left(delivery).state) == (WAITING, S.PENDING)
    a_day_ago(message)
    matching.match_waiting()
    assert left(delivery).state is S.PENDING


def test_after_a_day_it_is_kept_as_evidence_only(sent, arrive, left):
    delivery = sent(state=S.SENDING)
    message = arrive(answer(contrl()))
    a_day_ago(message)
    assert matching.match_waiting() == 1
    found = left(delivery)
    assert (found.state, found.kinds, found.events) == (S.SENDING, ["contrl"], ["late_receipt"])


@pytest.mark.parametrize("state", [S.SUPERSEDED, S.CANCELLED, S.REJECTED, S.ACKNOWLEDGED, S.BLOCKED])
def test_what_has_ended_is_not_moved_and_the_answers_stay_as_evidence(sent, arrive, left, state):
    delivery = sent(state=state)
    for said in (contrl(), contrl(action="4"), aperak()):
        assert arrive(answer(said)).state is MATCHED
    found = left(delivery)
    assert (found.state, found.kinds) == (state, ["contrl", "contrl", "aperak"])
    assert found.events == ["late_receipt"] * 3


def test_the_same_file_again_changes_nothing(sent, arrive, left):
    delivery = sent()
    first = arrive(answer(contrl()))
    again = arrive(answer(contrl()))
    assert (again.id, again.times) == (first.id, 2)
    assert left(delivery).kinds == ["contrl"]
    assert left(delivery).events == ["delivered"]


def test_the_same_answer_in_another_file_is_evidence_only(sent, arrive, left):
    delivery = sent()
    arrive(answer(contrl()))
    arrive(answer(contrl(), reference="8842"))
    found = left(delivery)
    assert (found.state, found.kinds) == (S.DELIVERED, ["contrl", "contrl"])
    assert found.events == ["delivered", "late_receipt"]


def test_received_before_means_arrived_where_it_was_sent_twice(sent, arrive, left):
    delivery = sent(tries=2)
    arrive(answer(contrl(action="4", error="26")))
    assert left(delivery).state is S.DELIVERED


def test_received_before_is_a_rejection_where_it_was_sent_once(sent, arrive, left):
    """The partner knows the number from something else, and has dropped ours."""
    delivery = sent(tries=1)
    arrive(answer(contrl(action="4", error="26")))
    assert left(delivery).state is S.REJECTED


def test_received_before_beside_another_error_is_a_rejection(sent, arrive, left):
    delivery = sent(tries=2)
    arrive(answer(contrl(action="4", error="26'UCM+1+INVOIC:D:96A:UN:EAN008+4+13")))
    assert left(delivery).state is S.REJECTED


def test_one_file_may_answer_several(sent, arrive, left):
    first, second = sent("1001", reference="17"), sent("1002", reference="18")
    message = arrive(answer(contrl("17"), contrl("18", action="4", error="12")))
    assert message.state is MATCHED
    assert [entry["delivery"] for entry in message.outcome] == [first.id, second.id]
    assert (left(first).state, left(second).state) == (S.DELIVERED, S.REJECTED)


def test_a_part_that_waits_does_not_repeat_the_part_that_is_done(sent, arrive, left):
    first, second = sent("1001", reference="17"), sent("1002", S.SENDING, reference="18")
    message = arrive(answer(contrl("17"), contrl("18")))
    assert message.state is WAITING
    moved(second, S.ACCEPTED)
    matching.match_waiting()
    assert (left(first).kinds, left(second).kinds) == (["contrl"], ["contrl"])
    assert db.session.get_one(IncomingMessage, message.id, populate_existing=True).state is MATCHED


def test_a_part_that_is_nobodys_is_given_up_without_the_part_that_is_ours(sent, arrive, left):
    first = sent("1001", reference="17")
    message = arrive(answer(contrl("17"), contrl("99")))
    assert message.state is WAITING
    a_day_ago(message)
    matching.match_waiting()
    assert message.state is MATCHED
    assert "nothing that was sent" in message.outcome[1]["en"]
    assert left(first).kinds == ["contrl"]


@pytest.mark.parametrize(
    "content",
    [
        answer(contrl("99")),
        answer(contrl(), sender=OURS, receiver=THEIRS),
        answer(contrl(), sender="5790000000029"),
        answer(contrl(), receiver="5790000000029"),
        answer(aperak("1009")),
        answer("APERAK:D:96A:UN:EAN003'BGM+312+1+9'"),
    ],
)
def test_what_answers_nothing_of_ours_waits_a_day_and_is_given_up(sent, arrive, left, content):
    delivery = sent()
    message = arrive(content)
    assert message.state is WAITING
    assert matching.match_waiting() == 0
    a_day_ago(message)
    assert matching.match_waiting() == 1
    assert message.state is UNREADABLE
    assert message.outcome[0]["delivery"] is None
    assert "nothing that was sent" in message.outcome[0]["en"]
    assert left(delivery).kinds == []


def test_an_aperak_for_a_number_that_two_documents_have_is_not_guessed(sent, arrive, left):
    first, second = sent("1001", reference="17"), sent("1002", reference="18")
    second.document.number = "1001"
    db.session.commit()
    assert arrive(answer(aperak("1001"))).state is WAITING
    assert left(first).kinds == left(second).kinds == []


def test_an_aperak_goes_to_the_newest_sending_of_its_document(sent, arrive, left, make_delivery):
    old = sent(state=S.SUPERSEDED)
    new = make_delivery(old.document, S.ACCEPTED, rendition_id=old.rendition_id, next_at=None)
    arrive(answer(aperak()))
    assert (left(old).kinds, left(new).state) == ([], S.ACKNOWLEDGED)


@pytest.mark.parametrize("content", [b"\x00\x01", b"<xml/>", b"UNB+UNOC:3+A+B+261102:1015+9'UNZ+0+9'", b"UNA"])
def test_what_is_no_answer_is_unreadable_at_once_and_says_why(arrive, content):
    message = arrive(content)
    assert message.state is UNREADABLE
    assert message.outcome[0]["da"]
    assert message.outcome[0]["en"]


def test_another_gateways_answers_never_match(sent, arrive, left, gateway):
    other = Gateway(
        subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={"host": "x"}, secrets={}
    )  # fmt: skip
    db.session.add(other)
    db.session.commit()
    delivery = sent()
    assert arrive(answer(contrl()), at=other).state is WAITING
    assert arrive(answer(aperak()), at=other).state is WAITING
    assert left(delivery).kinds == []


def test_another_tenants_answers_never_match(sent, arrive, left, posting, gateway):
    tenant = Subscription(name="Fremmed A/S")
    db.session.add(tenant)
    db.session.flush()
    theirs = Gateway(subscription_id=tenant.id, name="Deres", kind="fake", config={"host": "x"}, secrets={})
    db.session.add(theirs)
    db.session.commit()
    delivery = sent()
    for content, headers in (
        (answer(contrl()), {}),
        (answer(aperak()), {}),
        (f"{delivery.idem_key} arrived".encode(), POSTED),
    ):
        assert arrive(content, headers, at=theirs).state is WAITING
    assert left(delivery).kinds == []


def test_a_delivery_that_moves_at_the_same_moment_is_tried_again(sent, arrive, left, monkeypatch):
    delivery = sent()
    real, met = applying.move, []

    def race(*arguments, **values):
        if not met:
            met.append(arguments)
            raise LeaseLost
        real(*arguments, **values)

    monkeypatch.setattr(applying, "move", race)
    assert arrive(answer(contrl())).state is WAITING
    assert left(delivery).kinds == []
    assert matching.match_waiting() == 1
    assert left(delivery).kinds == ["contrl"]


def test_a_file_that_the_archive_cannot_read_now_waits(sent, arrive, left, monkeypatch):
    delivery = sent()
    with monkeypatch.context() as patch:
        patch.setattr(
            archive, "load", lambda _sha256: (_ for _ in ()).throw(archive.ArchiveUnavailable(matching._NOT_YET))
        )
        assert arrive(answer(contrl())).state is WAITING
    matching.match_waiting()
    assert left(delivery).state is S.DELIVERED


def test_one_message_that_breaks_us_keeps_no_other_waiting(sent, arrive, left, monkeypatch):
    first, second = sent("1001", S.SENDING, reference="17"), sent("1002", S.SENDING, reference="18")
    arrive(answer(contrl("17")))
    arrive(answer(contrl("18")))
    moved(first, S.ACCEPTED)
    moved(second, S.ACCEPTED)
    real = edifact.delivery_of

    def broken(found, *rest):
        if found.interchange_reference == "17":
            raise RuntimeError("a fault of ours")
        return real(found, *rest)

    monkeypatch.setattr(edifact, "delivery_of", broken)
    assert matching.match_waiting() == 1
    assert left(second).state is S.DELIVERED


@pytest.mark.parametrize(
    ("verdict", "state"), [("arrived", S.DELIVERED), ("acknowledged", S.ACKNOWLEDGED), ("rejected", S.REJECTED)]
)
def test_a_posted_receipt_moves_what_it_names(sent, arrive, left, posting, verdict, state):
    delivery = sent()
    assert arrive(f"{delivery.idem_key} {verdict}".encode(), POSTED).state is MATCHED
    found = left(delivery)
    assert (found.state, found.kinds) == (state, ["mdn"])
    (event,) = db.session.query(Event).filter_by(delivery_id=delivery.id)
    assert event.data["reference"] == f"<{delivery.idem_key}@partner>"
    assert event.data.get("da") == ("Kan ikke dekrypteres." if verdict == "rejected" else None)


def test_a_posted_receipt_that_is_forged_is_unreadable_and_changes_nothing(sent, arrive, left, posting):
    delivery = sent()
    message = arrive(f"{delivery.idem_key} arrived forged".encode(), POSTED)
    assert message.state is UNREADABLE
    assert message.outcome[0]["en"] == "The signature does not fit."
    assert left(delivery).kinds == []


def test_a_posted_receipt_before_the_first_try_waits(ready, arrive, left, posting):
    delivery = ready("1001", S.LEASED)
    assert arrive(f"{delivery.idem_key} arrived".encode(), POSTED).state is WAITING
    assert left(delivery).kinds == []


def test_a_posted_receipt_fits_any_of_the_tries(sent, arrive, left, posting):
    delivery = sent(tries=2)
    newest = db.session.query(Attempt).filter_by(delivery_id=delivery.id).order_by(Attempt.id.desc()).first()
    newest.wire_ids = {"name": "another"}
    db.session.commit()
    arrive(f"{delivery.idem_key} arrived".encode(), POSTED)
    assert left(delivery).state is S.DELIVERED


def test_a_posted_receipt_for_an_unknown_key_waits_and_is_given_up(arrive, posting):
    message = arrive(b"nokey arrived", POSTED)
    assert message.state is WAITING
    a_day_ago(message)
    matching.match_waiting()
    assert message.state is UNREADABLE


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_path_is_made_of_moves_that_a_matcher_may_make(state, verdict):
    at = state
    for step in applying.path(state, verdict):
        assert may_move(at, step, Mover.MATCHER)
        at = step


#: What may come, in any order and number: answers to ours (in distinct files), to others', and what we do meanwhile.
_MESSAGES = {
    "contrl": answer(contrl()),
    "contrl again": answer(contrl(), reference="2"),
    "contrl no": answer(contrl(action="4", error="12")),
    "had before": answer(contrl(action="4", error="26")),
    "aperak": answer(aperak()),
    "aperak no": answer(aperak(name="313", error="nej")),
    "foreign": answer(contrl("99")),
    "garbage": b"garbage",
}
_OWN_MOVES = ("begin", "accept", "lose", "tick")
_FORWARD = [S.PENDING, S.SENDING, S.OUTCOME_UNKNOWN, S.ACCEPTED, S.DELIVERED, S.ACKNOWLEDGED, S.REJECTED]
_OURS = {
    "begin": (S.PENDING, [S.LEASED, S.SENDING]), "accept": (S.SENDING, [S.ACCEPTED]), "lose": (S.SENDING, [S.OUTCOME_UNKNOWN]),
}  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(st.sampled_from([*_MESSAGES, *_OWN_MOVES]), max_size=10))
def test_whatever_comes_in_whatever_order_states_only_move_forward(sent, arrive, left, story):
    for model in (Event, Receipt, IncomingMessage):
        db.session.query(model).delete()
    count = db.session.query(Delivery).count() + 1
    delivery = sent(str(5000 + count), S.PENDING, reference=str(count), tries=2)
    bystander = sent(str(7000 + count), S.ACCEPTED, reference=str(100_000 + count))
    mine = {name: content.replace(b"UCI+17+", b"UCI+%d+" % count).replace(b"IV:1001", b"IV:%d" % (5000 + count))
            for name, content in _MESSAGES.items()}  # fmt: skip
    seen = [S.PENDING]
    for step in story:
        if step in mine:
            arrive(mine[step])
        elif step == "tick":
            matching.match_waiting()
        elif seen[-1] is _OURS[step][0]:
            moved(delivery, *_OURS[step][1])
        now = left(delivery)
        assert _FORWARD.index(now.state) >= _FORWARD.index(seen[-1])
        assert not (seen[-1] is S.ACKNOWLEDGED and now.state is not S.ACKNOWLEDGED)
        seen.append(now.state)
    assert len(now.kinds if story else []) <= len({*story} & {*mine} - {"foreign", "garbage"})
    assert left(bystander) == type(left(bystander))(S.ACCEPTED, [], [])
