"""What was chosen is exported, sent again or taken back; every chosen document has one outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from support.manual_export import ALL, adds_up, outcomes, places, rows
from support.moving import bring

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import (
    Customer,
    Delivery,
    Document,
    Event,
    FoundDocument,
    FoundGroup,
    FoundOutcome,
    Job,
    JobState,
    Run,
    RunState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services import background
from invoiceapp.services.configuration import rules
from invoiceapp.services.daily import choosing, exporting, finding
from invoiceapp.services.daily.finding import Choice
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions, runs
from invoiceapp.sources.base import SourceUnavailable

S, G, Became = DeliveryState, FoundGroup, FoundOutcome
Make = Callable[..., Any]


# --- export ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def listed(make_customer: Make, make_document: Make) -> Callable[[int], list[Document]]:
    def make(count: int) -> list[Document]:
        customer = make_customer()
        return [make_document(customer, str(number), stage=Stage.LISTED) for number in range(count)]

    return make


def test_all_of_a_group_are_queued_and_counted(run, note, work, listed, monkeypatch):
    monkeypatch.setattr(exporting, "CHUNK", 3)
    note(*listed(7))
    assert choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer") == 7
    assert adds_up(run).figures == {finding.WAITING: 7}
    job = work(finding.EXPORT)
    assert (job.state, job.done, job.total) == (JobState.FINISHED, 7, 7)
    assert set(outcomes(run).values()) == {Became.SENT}
    assert db.session.execute(select(Document.stage, Document.run_id).distinct()).all() == [(Stage.QUEUED, run.id)]
    assert adds_up(run).figures == {"queued": 7} and finding.groups(run.id)[G.NOT_EXPORTED].documents == 0
    assert db.session.get_one(Run, run.id, populate_existing=True).queued == 7


def test_a_second_click_chooses_nothing_twice(run, note, listed):
    note(*listed(2))
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    with pytest.raises(Conflict):
        choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    assert db.session.scalars(select(Job.kind)).all() == [finding.EXPORT]


def test_nothing_is_chosen_where_the_job_cannot_start(run, note, listed, monkeypatch):
    note(*listed(2))
    monkeypatch.setattr(choosing, "_require_idle", lambda _adaptor_id: None)
    background.start(run.adaptor_id, finding.EXPORT, parameters={"run": "another"})
    with pytest.raises(Conflict):
        choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    db.session.rollback()
    assert adds_up(run).chosen == 0


def test_while_billy_is_read_nothing_can_be_chosen(run, note, listed):
    note(*listed(1))
    run.state = RunState.RUNNING
    db.session.commit()
    with pytest.raises(Conflict):
        choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")


def test_what_changed_meanwhile_is_told_for_each_document(
    adaptor, run, note, work, make_customer, make_document, make_delivery
):
    names = ("fine", "deactivated", "taken", "left", "broken")
    made = {name: make_document(make_customer(name), name, stage=Stage.LISTED) for name in names}
    note(*made.values())
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    rules.deactivate(adaptor.id, [made["deactivated"].customer_id])
    made["taken"].stage = Stage.QUEUED
    made["left"].stage = Stage.CONVERTED
    made["broken"].stage, made["broken"].error = Stage.UNUSABLE, {"da": "Annulleret.", "en": "Voided."}
    db.session.commit()
    make_delivery(made["left"], S.DELIVERED)
    work(finding.EXPORT)
    assert outcomes(run) == {name: Became.SENT if name == "fine" else Became.LEFT_OUT for name in names}
    told = {number: row.text["en"] for number, row in rows(run).items() if row.text}
    assert "no longer activated" in told["deactivated"] and "on its way already" in told["taken"]
    assert "exported meanwhile" in told["left"] and told["broken"] == "Voided."
    assert adds_up(run).figures == {"queued": 1, "left_out": 4}


def test_an_adaptor_switched_off_stops_the_export_and_it_can_go_on_later(adaptor, run, note, work, listed):
    note(*listed(2))
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    adaptor.active = False
    db.session.commit()
    job = work(finding.EXPORT)
    assert job.state is JobState.FAILED and "deactivated" in job.error["en"]
    assert adds_up(run).figures == {finding.WAITING: 2}
    adaptor.active = True
    db.session.commit()
    choosing.go_on(run.id, "ejer")
    assert work(finding.EXPORT).state is JobState.FINISHED and adds_up(run).figures == {"queued": 2}


# --- sending again -----------------------------------------------------------------------------------------------------


def deliveries(number: str) -> list[S]:
    query = select(Delivery.state).join(Document, Document.id == Delivery.document_id).where(Document.number == number)
    return list(db.session.scalars(query.order_by(Delivery.id)))


def test_what_has_left_goes_again_only_with_a_reason(run, note, work, ready):
    ready("1", S.DELIVERED, first_sent_at=utcnow())
    note(*db.session.scalars(select(Document)))
    with pytest.raises(ServiceError):
        choosing.export(run.id, ALL[G.EXPORTED], "ejer", "  ")
    assert adds_up(run).chosen == 0
    choosing.export(run.id, ALL[G.EXPORTED], "ejer", "Modtageren har mistet den")
    work(finding.EXPORT)
    assert deliveries("1") == [S.SUPERSEDED, S.PENDING] and outcomes(run) == {"1": Became.SENT}
    event = db.session.scalars(select(Event).where(Event.kind == "sent_again")).one()
    assert (event.actor, event.data["note"]) == ("ejer", "Modtageren har mistet den")


def test_each_kind_of_earlier_sending_goes_again_in_its_own_way(run, note, work, ready, make_document):
    ready("failed", S.FAILED, first_sent_at=utcnow())
    pending = ready("pending")
    make_document(pending.document.customer, "billys", stage=Stage.SKIPPED, error={"da": "x", "en": "x"})
    ready("delivered", S.DELIVERED, first_sent_at=utcnow())
    note(*db.session.scalars(select(Document)))
    choosing.export(run.id, ALL[G.EXPORTED], "ejer", "fordi")
    work(finding.EXPORT)
    assert outcomes(run) == {
        "failed": Became.SENT,
        "pending": Became.LEFT_OUT,
        "billys": Became.SENT,
        "delivered": Became.SENT,
    }
    assert deliveries("failed") == [S.PENDING], "nothing had arrived: the same one goes, with the same ids"
    assert deliveries("pending") == [S.PENDING]
    assert db.session.scalar(select(Document.stage).where(Document.number == "billys")) is Stage.QUEUED
    assert adds_up(run).figures == {"pending": 2, "queued": 1, "left_out": 1}


def test_what_somebody_else_sent_again_meanwhile_is_not_sent_a_third_time(run, note, work, ready):
    first = ready("1", S.DELIVERED, first_sent_at=utcnow())
    note(*db.session.scalars(select(Document)))
    choosing.export(run.id, ALL[G.EXPORTED], "ejer", "fordi")
    second = db.session.get_one(Delivery, actions.send_again(first, "kollega", "også jeg"))
    bring(second, S.DELIVERED)
    db.session.commit()
    work(finding.EXPORT)
    assert deliveries("1") == [S.SUPERSEDED, S.DELIVERED] and outcomes(run) == {"1": Became.LEFT_OUT}


@pytest.mark.parametrize("moment", ["after the action", "after the note"])
def test_a_worker_that_dies_after_sending_again_does_not_send_it_twice(run, note, work, ready, monkeypatch, moment):
    for number in ("1", "2"):
        ready(number, S.DELIVERED, first_sent_at=utcnow())
    note(*db.session.scalars(select(Document)))
    choosing.export(run.id, ALL[G.EXPORTED], "ejer", "fordi")

    class Died(BaseException):
        """No handler of ours sees a killed process."""

    def die(*_arguments: Any) -> None:
        raise Died

    with monkeypatch.context() as patched, pytest.raises(Died):
        target, name = (exporting, "settle") if moment == "after the action" else (background.Progress, "step")
        if name == "step":
            real = background.Progress.step
            patched.setattr(target, name, lambda self, done, cursor=None: die() if done else real(self, done, cursor))
        else:
            patched.setattr(target, name, die)
        work(finding.EXPORT)
    db.session.rollback()
    db.session.execute(update(Job).values(lease_until=utcnow() - timedelta(seconds=1)))
    for one in db.session.scalars(select(Delivery).where(Delivery.state == S.PENDING)).all():
        bring(one, S.DELIVERED)
    db.session.commit()
    assert work(finding.EXPORT).state is JobState.FINISHED
    assert [len(deliveries(one)) for one in "12"] == [2, 2]
    assert outcomes(run) == {"1": Became.SENT, "2": Became.SENT}


def test_a_document_taken_out_before_is_read_again_and_built_anew(
    run, note, work, make_customer, make_document, make_delivery, monkeypatch
):
    document = make_document(make_customer(), "1001")
    make_delivery(document, S.CANCELLED)
    note(document)
    built = []
    monkeypatch.setattr(actions, "rebuild", lambda row, actor: built.append((row.number, actor)))
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    work(finding.EXPORT)
    assert built == [("1001", "ejer")] and outcomes(run) == {"1001": Became.SENT}


@pytest.fixture
def taken_out(note, make_customer, make_document, make_delivery) -> list[Document]:
    """Three documents that go one by one: their deliveries were cancelled before they left."""
    customer = make_customer()
    documents = [make_document(customer, number) for number in "123"]
    for document in documents:
        make_delivery(document, S.CANCELLED, next_at=None)
    note(*documents)
    return documents


def test_one_document_that_meets_a_fault_does_not_stop_the_others(run, work, taken_out, monkeypatch, caplog):
    def odd(document: Document, _actor: str) -> None:
        if document.number == "1":
            raise KeyError("odd record")

    monkeypatch.setattr(actions, "rebuild", odd)
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    assert work(finding.EXPORT).state is JobState.FINISHED
    assert outcomes(run) == {"1": Became.LEFT_OUT, "2": Became.SENT, "3": Became.SENT}
    assert "unexpected fault" in rows(run)["1"].text["en"] and "odd record" in caplog.text


def test_a_fault_after_a_document_was_handed_over_does_not_deny_that_it_was(run, note, work, ready, monkeypatch):
    ready("1", S.DELIVERED, first_sent_at=utcnow())
    note(*db.session.scalars(select(Document)))
    real = actions.send_again

    def faulty(*arguments: Any) -> None:
        real(*arguments)
        raise KeyError("afterwards")

    monkeypatch.setattr(actions, "send_again", faulty)
    choosing.export(run.id, ALL[G.EXPORTED], "ejer", "fordi")
    work(finding.EXPORT)
    assert outcomes(run) == {"1": Became.SENT} and deliveries("1") == [S.SUPERSEDED, S.PENDING]


def test_while_billy_cannot_be_reached_the_export_stops_at_once_and_goes_on_later(run, work, taken_out, monkeypatch):
    asked = []

    def unreachable(document: Document, _actor: str) -> None:
        asked.append(document.number)
        raise ServiceError(Text("Billy svarer ikke.", "Billy does not answer.")) from SourceUnavailable(Text("x", "x"))

    with monkeypatch.context() as patched:
        patched.setattr(actions, "rebuild", unreachable)
        choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
        job = work(finding.EXPORT)
    assert (job.state, job.error["en"], asked) == (JobState.FAILED, "Billy does not answer.", ["1"])
    assert adds_up(run).figures == {finding.WAITING: 3}
    monkeypatch.setattr(actions, "rebuild", lambda *_: None)
    choosing.go_on(run.id, "ejer")
    assert work(finding.EXPORT).state is JobState.FINISHED and set(outcomes(run).values()) == {Became.SENT}


# --- cancelling the rest -----------------------------------------------------------------------------------------------


def test_cancelling_the_rest_takes_back_what_has_not_left(run, note, work, listed, make_delivery, monkeypatch):
    names = ("waiting", "converting", "pending", "sending", "delivered", "blocked")
    made = dict(zip(names, listed(len(names)), strict=True))
    note(*made.values())
    choosing.export(run.id, Choice(G.NOT_EXPORTED, tuple(made[name].id for name in names[1:])), "ejer")
    work(finding.EXPORT)
    for name in names[2:]:
        made[name].stage = Stage.CONVERTED
        db.session.commit()
        make_delivery(made[name], S(name), first_sent_at=utcnow() if name in ("sending", "delivered") else None)
    choosing.export(run.id, Choice(G.NOT_EXPORTED, (made["waiting"].id,)), "ejer")
    # At once, and a second click changes nothing.
    choosing.cancel_rest(run.id, "ejer")
    choosing.cancel_rest(run.id, "ejer")
    by_name = {name: rows(run)[made[name].number].outcome for name in names}
    assert by_name == {
        "waiting": Became.TAKEN_BACK, "converting": Became.TAKEN_BACK, "pending": Became.TAKEN_BACK, "sending": Became.SENT,
        "delivered": Became.SENT, "blocked": Became.SENT,
    }  # fmt: skip
    db.session.expire_all()
    status = {name: made[name].status for name in names}
    assert status == {
        "waiting": "listed", "converting": "listed", "pending": "cancelled", "sending": "pending",
        "delivered": "delivered", "blocked": "blocked",
    }  # fmt: skip
    figures = adds_up(run).figures
    assert figures == {"taken_back": 3, "pending": 1, "delivered": 1, "blocked": 1}


def test_an_action_that_had_happened_when_the_export_was_cancelled_is_told_as_it_is(
    run, note, work, ready, monkeypatch
):
    ready("1", S.DELIVERED, first_sent_at=utcnow())
    note(*db.session.scalars(select(Document)))
    choosing.export(run.id, ALL[G.EXPORTED], "ejer", "fordi")
    real = actions.send_again

    def cancelled_meanwhile(*arguments: Any) -> str:
        new = real(*arguments)
        db.session.execute(update(Delivery).where(Delivery.id == new).values(state=S.LEASED))
        db.session.commit()
        choosing.cancel_rest(run.id, "ejer")
        return new

    monkeypatch.setattr(actions, "send_again", cancelled_meanwhile)
    work(finding.EXPORT)
    work(finding.TAKE_BACK)
    assert outcomes(run) == {"1": Became.SENT} and adds_up(run).figures == {"pending": 1}


# --- what was found a while ago ----------------------------------------------------------------------------------------


@pytest.mark.server
def test_what_was_voided_since_it_was_found_is_left_out_and_the_rest_is_as_billy_has_it_now(
    connected, billy, gateway, work
):
    ids = list(db.session.scalars(select(Customer.id)))
    rules.activate(connected.id, ids, "peppol-bis-3", gateway.id)
    run = runs.find(connected.id, "ejer", numbers=["1001", "1002", "1003"])
    runs.execute(run.id)
    assert places(run) == dict.fromkeys(("1001", "1002", "1003"), G.NOT_EXPORTED)
    invoices = {one["invoiceNo"]: one for one in billy.api.store.tables["invoices"].values()}
    invoices["1001"]["state"], invoices["1002"]["orderNo"] = "voided", "PO-LATER"
    choosing.export(run.id, ALL[G.NOT_EXPORTED], "ejer")
    db.session.execute(update(FoundDocument).values(read_at=utcnow() - timedelta(hours=1)))
    db.session.commit()
    assert work(finding.EXPORT).state is JobState.FINISHED
    assert outcomes(run) == {"1001": Became.LEFT_OUT, "1002": Became.SENT, "1003": Became.SENT}
    assert "no longer approved" in rows(run)["1001"].text["en"]
    assert db.session.scalar(select(Document.order_number).where(Document.number == "1002")) == "PO-LATER"
    assert adds_up(run).figures == {"queued": 2, "left_out": 1}
