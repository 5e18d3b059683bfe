from __future__ import annotations

import contextlib
import threading
import time

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Environment,
    Event,
    ExportRule,
    Job,
    JobState,
    Receipt,
    Rendition,
    Run,
    RunState,
    Schedule,
    ScheduleRun,
    Stage,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.configuration import deletion, gateways, general
from invoiceapp.services.configuration.environments import AdaptorDeleted
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.export import archive, conversion, outbox

S = DeliveryState


@pytest.fixture
def full(adaptor, make_customer, make_document, make_schedule, ready):
    """An adaptor with something in every state that is not in a worker's hands."""
    adaptor.source_secrets, adaptor.secret_references = {"token": "v1.x"}, {"token": {"env": "T"}}
    db.session.add(ScheduleRun(schedule_id=make_schedule().id, adaptor_id=adaptor.id, due_at=utcnow()))
    adaptor.retry_ids, adaptor.watermark = ["a"], "2026"
    rows = {state: ready(state.value, state) for state in S if state not in (S.LEASED, S.SENDING)}
    customer = make_customer("Anden")
    make_document(customer, "queued", stage=Stage.QUEUED, lease_token="t", lease_until=utcnow())
    rows[S.BLOCKED].document.stage = Stage.QUEUED
    db.session.add(Receipt(delivery_id=rows[S.DELIVERED].id, kind="sftp", reference="r", evidence={}))
    db.session.add(
        Run(
            subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=RunState.RUNNING,
            lease_token="mine",
        )
    )  # fmt: skip
    db.session.add(
        Job(
            id=new_id(), subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind="preflight",
            state=JobState.RUNNING, lease_token="mine", actor="system",
        )
    )  # fmt: skip
    db.session.commit()
    return rows


def stage(number: str) -> Stage:
    return db.session.scalars(select(Document.stage).where(Document.number == number)).one()


def test_what_waits_is_taken_out_and_all_else_stays_as_it_is(adaptor, full):
    before = deletion.consequences(adaptor.id)
    assert (before.cancelled, before.unqueued, before.unclear, before.kept) == (2, 2, 1, 11)
    states = {row.id: row.state for row in full.values()}
    assert deletion.delete(adaptor.id, "Billy", "ejer@example.com") == 2
    db.session.expire_all()
    for state, row in full.items():
        assert row.state is (S.CANCELLED if state in (S.PENDING, S.BLOCKED) else states[row.id]), state
    told = db.session.scalars(select(Event).where(Event.kind == "cancelled")).all()
    assert {event.delivery_id for event in told} == {full[S.PENDING].id, full[S.BLOCKED].id}
    assert {event.actor for event in told} == {"ejer@example.com"}
    assert stage("queued") is Stage.LISTED and stage("blocked") is Stage.CONVERTED
    assert db.session.scalars(select(Document.lease_token)).all() == [None] * 11


def test_documents_bytes_and_receipts_are_kept_and_credentials_are_not(adaptor, full):
    sha256 = db.session.scalars(select(Rendition.sha256)).all()
    deletion.delete(adaptor.id, " Billy ", "a")
    row = db.session.get_one(Adaptor, adaptor.id, populate_existing=True)
    assert row.deleted_at is not None and not row.active
    assert (row.source_config, row.source_secrets, row.secret_references, row.retry_ids) == ({}, {}, {}, [])
    assert row.default_gateway_id is None and db.session.scalars(select(Schedule)).all() == []
    assert row.organization["name"] == "Eksempel ApS"
    assert db.session.query(Document).count() == 11 and db.session.query(Receipt).count() == 1
    assert db.session.query(ExportRule).count() == 0
    assert all(archive.load(one) for one in sha256)


def test_whoever_reads_or_checks_right_now_loses_the_lease(adaptor, full):
    deletion.delete(adaptor.id, "Billy", "a")
    for model, failed in ((Run, RunState.FAILED), (Job, JobState.FAILED)):
        row = db.session.query(model).one()
        assert (row.state, row.lease_token, row.error["en"]) == (failed, None, "The adaptor was deleted.")


@pytest.mark.parametrize("state", [S.LEASED, S.SENDING])
def test_what_is_being_sent_is_awaited_and_nothing_is_changed(adaptor, full, ready, state):
    ready("in hand", state)
    with pytest.raises(Conflict):
        deletion.delete(adaptor.id, "Billy", "a")
    db.session.expire_all()
    assert full[S.PENDING].state is S.PENDING and adaptor.deleted_at is None and adaptor.source_secrets
    assert stage("queued") is Stage.QUEUED and db.session.query(Run).one().state is RunState.RUNNING


def test_another_name_deletes_nothing(adaptor):
    with pytest.raises(InvalidInput) as caught:
        deletion.delete(adaptor.id, "billy", "a")
    assert set(caught.value.errors) == {"confirmation"}
    assert db.session.get_one(Adaptor, adaptor.id, populate_existing=True).deleted_at is None


def test_a_second_deletion_is_refused(adaptor):
    deletion.delete(adaptor.id, "Billy", "a")
    with pytest.raises(AdaptorDeleted):
        deletion.delete(adaptor.id, "Billy", "a")


def test_other_adaptors_are_left_alone(adaptor, subscription, full):
    other = Adaptor(subscription_id=subscription.id, name="Sydlys", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    deletion.delete(other.id, "Sydlys", "a")
    assert db.session.get_one(Delivery, full[S.PENDING].id, populate_existing=True).state is S.PENDING
    assert stage("queued") is Stage.QUEUED


def apart(app, action, errors):
    """A thread that does it; a deadlock is one of ``errors``."""

    def run():
        with app.app_context(), contextlib.suppress(outbox.SettingsChanged):
            try:
                action()
            except OperationalError as error:
                errors.append(error)

    return threading.Thread(target=run)


@pytest.mark.parametrize("change", ["delete", "test adaptor", "live gateway"])
def test_who_changes_what_a_conversion_asks_for_and_the_conversion_do_not_wait_for_each_other(
    app, adaptor, gateway, make_customer, make_document, make_delivery, monkeypatch, change
):  # fmt: skip
    """The conversion has locked its document and is about to ask for adaptor and gateway.

    PostgreSQL kills one of two that wait for each other; SQLite has one writer at a time.
    """
    if change == "live gateway":
        adaptor.environment = gateway.environment = Environment.TEST
    document_id = make_document(make_customer(), "1001", stage=Stage.QUEUED).id
    adaptor_id, name, gateway_id, subscription_id = adaptor.id, adaptor.name, gateway.id, adaptor.subscription_id
    [(_, token)] = conversion.claim()
    work = conversion.loading.begin(document_id, token)
    make_delivery(db.session.get_one(Document, document_id), S.PENDING)
    changes = {
        "delete": lambda: deletion.delete(adaptor_id, name, "a"),
        "test adaptor": lambda: general.save(adaptor_id, {"environment": "test"}),
        "live gateway": lambda: gateways.keep(
            subscription_id, "fake", "SFTP", {"host": "partner.example"}, gateway_id, environment="live"
        ),
    }
    real, locked, errors = outbox._same_settings, threading.Event(), []

    def slow(asked):
        locked.set()
        time.sleep(0.5)
        return real(asked)

    def person():
        locked.wait(10)
        changes[change]()

    monkeypatch.setattr(outbox, "_same_settings", slow)
    db.session.commit()
    threads = [apart(app, lambda: outbox.keep_blocked(work, [], None), errors), apart(app, person, errors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == [] and not any(thread.is_alive() for thread in threads)
