"""What goes again one by one is, once it is taken back, where it was before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from support.manual_export import ALL, adds_up, outcomes

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Delivery,
    Document,
    Event,
    FoundDocument,
    FoundGroup,
    FoundOutcome,
    Job,
    JobState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services.daily import choosing, finding
from invoiceapp.services.export import found, resending

S, G, Became = DeliveryState, FoundGroup, FoundOutcome


@pytest.fixture
def exported(run, note, work):
    """``exported(actor="ejer")``: all there is goes again, with a reason."""

    def do(actor="ejer"):
        note(*db.session.scalars(select(Document)))
        choosing.export(run.id, ALL[G.EXPORTED], actor, "fordi")
        work(finding.EXPORT)

    return do


@pytest.fixture
def taken_back(run, work):
    """``taken_back()``: the rest is cancelled, by somebody else than who exported."""

    def do():
        choosing.cancel_rest(run.id, "kollega")
        work(finding.TAKE_BACK)
        db.session.expire_all()

    return do


def place(adaptor, document):
    (row,) = found.current([document.id])
    return found.places(adaptor, [row])[row.id].group


@pytest.mark.parametrize("moment", ["queued", "converted"])
def test_what_billy_has_sent_itself_is_left_out_as_before_and_no_later_run_sends_it(
    adaptor, run, exported, taken_back, make_customer, make_document, make_delivery, moment
):
    why = {"da": "Sendt af Billy.", "en": "Sent by Billy.", "channels": "email"}
    document = make_document(make_customer(), "1", stage=Stage.SKIPPED, error=why)
    exported()
    assert (document.stage, document.send_anyway) == (Stage.QUEUED, True)
    if moment == "converted":
        document.stage = Stage.CONVERTED
        db.session.commit()
        make_delivery(document, S.PENDING)
    taken_back()
    assert outcomes(run) == {"1": Became.TAKEN_BACK}
    assert (document.stage, document.status, document.send_anyway) == (Stage.SKIPPED, "skipped", False)
    assert document.error == why and place(adaptor, document) is G.EXPORTED


def test_what_somebody_wanted_sent_anyway_stays_so_where_the_export_did_not_ask_for_it(
    run, note, work, taken_back, make_customer, make_document
):
    document = make_document(make_customer(), "1", stage=Stage.LISTED, send_anyway=True)
    note(document)
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    work(finding.EXPORT)
    taken_back()
    assert (document.stage, document.send_anyway) == (Stage.LISTED, True)


def test_what_had_failed_and_was_to_be_tried_again_has_failed_as_before(gateway, run, ready, exported, taken_back):
    error = {"class": "Unavailable", "da": "Svarer ikke.", "en": "Does not answer.", "detail": ""}
    delivery = ready("1", S.FAILED, first_sent_at=utcnow(), tries=8, next_at=None, error=error)
    exported()
    db.session.expire_all()
    assert delivery.state is S.PENDING
    taken_back()
    assert (delivery.state, delivery.next_at, delivery.error) == (S.FAILED, None, error)
    assert delivery.document.status == "failed" and adds_up(run).figures == {"taken_back": 1}
    assert db.session.scalars(select(Event.actor).where(Event.kind == "stopped")).all() == ["kollega"]
    assert resending.count(gateway.id, utcnow() - timedelta(minutes=1)).failed == 1, (
        "it can be sent again with the others"
    )


def test_what_was_tried_since_stays_with_the_machine(run, ready, exported, taken_back):
    delivery = ready("1", S.FAILED, first_sent_at=utcnow(), tries=8, next_at=None)
    exported()
    delivery.tries = 1
    db.session.commit()
    taken_back()
    assert delivery.state is S.PENDING and outcomes(run) == {"1": Became.SENT}


def test_what_another_person_tried_again_is_not_taken_back(run, ready, exported, taken_back):
    exported_one, other = (ready(number, S.FAILED, first_sent_at=utcnow(), tries=8, next_at=None) for number in "12")
    other.state, other.tries = S.PENDING, 0
    db.session.commit()
    exported()
    taken_back()
    assert (exported_one.state, other.state) == (S.FAILED, S.PENDING)
    assert outcomes(run) == {"1": Became.TAKEN_BACK, "2": Became.LEFT_OUT}


def test_a_second_sending_that_is_taken_back_does_not_undo_the_first_and_can_be_asked_for_again(
    adaptor, run, note, work, ready, exported, taken_back
):
    first = ready("1", S.DELIVERED, first_sent_at=utcnow(), environment="live")
    adaptor.environment = first.gateway.environment = "live"
    db.session.commit()
    exported()
    taken_back()
    assert outcomes(run) == {"1": Became.TAKEN_BACK} and place(adaptor, first.document) is G.EXPORTED
    row = db.session.get_one(FoundDocument, (run.id, first.document_id))
    row.chosen_at = row.outcome = None
    db.session.commit()
    exported()
    states = db.session.scalars(select(Delivery.state).order_by(Delivery.id)).all()
    assert states == [S.SUPERSEDED, S.SUPERSEDED, S.PENDING] and outcomes(run) == {"1": Became.SENT}


def test_a_later_export_by_somebody_else_does_not_hide_what_this_one_did(adaptor, run, ready, exported, taken_back):
    delivery = ready("1", S.FAILED, first_sent_at=utcnow(), tries=8, next_at=None)
    exported()
    later = Job(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind=finding.EXPORT, actor="tredje",
        parameters={"run": "another"}, state=JobState.FINISHED,
    )  # fmt: skip
    db.session.add(later)
    db.session.commit()
    taken_back()
    assert delivery.state is S.FAILED
