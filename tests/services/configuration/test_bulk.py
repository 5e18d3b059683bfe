"""Many customers at once: at once, or slice by slice as a job that nothing can lose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from invoiceapp.models import (
    Adaptor,
    Customer,
    Environment,
    ExportRule,
    Gateway,
    Job,
    JobState,
    Readiness,
    Stage,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import background, bell
from invoiceapp.services.configuration import bulk, changes, preflight, rules
from invoiceapp.services.configuration.bulk import Selection, Started, Summary
from invoiceapp.services.configuration.customers import Filter
from invoiceapp.services.configuration.rules import Outcome
from invoiceapp.services.errors import Conflict, InvalidInput, ServiceError

HANDLERS = {bulk.KIND: bulk.run}
EVERYBODY = Selection(everything=Filter())


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is checked again, instead of checking it; and nobody waits for Redis."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(preflight, "refresh", lambda adaptor_id, actor="system": seen.append((adaptor_id, actor)))
    monkeypatch.setattr(preflight, "refresh_customer", lambda customer_id: seen.append((customer_id, "")))
    monkeypatch.setattr(bell, "ring", lambda *_: None)
    return seen


@pytest.fixture
def crowd(adaptor: Adaptor, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``crowd(23)``: so many customers without rules; small numbers are many here."""
    monkeypatch.setattr(bulk, "MOST_NOW", 5)
    monkeypatch.setattr(bulk, "MOST_CHECKED", 2)
    monkeypatch.setattr(rules, "CHUNK", 4)
    monkeypatch.setattr(background, "SLICE", 0.0)

    def make(count: int, **columns: Any) -> list[str]:
        owner = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id}
        rows = [
            Customer(
                **owner,
                source_id=new_id(),
                name=f"Kunde {number}",
                raw={},
                gln="5798000000001",
                country="DK",
                **columns,
            )
            for number in range(count)
        ]
        db.session.add_all(rows)
        db.session.commit()
        return sorted(row.id for row in rows)

    return make


def active_ids() -> list[str]:
    return sorted(db.session.scalars(select(ExportRule.customer_id).where(ExportRule.active)))


def job_of(started: Outcome | Started) -> Job:
    assert isinstance(started, Started)
    return db.session.get_one(Job, started.job_id, populate_existing=True)


def work(job: Job, most: int = 100) -> int:
    """Slices until the job ended."""
    for count in range(1, most):
        if not background.execute(job.id, HANDLERS):
            return count
    raise AssertionError("the job does not end")


def activate(adaptor: Adaptor, gateway: Gateway, selection: Selection) -> Outcome | Started:
    return bulk.activate(adaptor.id, selection, "peppol-bis-3", gateway.id, "ejer@example.com")


def test_few_are_activated_at_once_and_checked_again_one_by_one(adaptor, gateway, crowd, checked):
    ids = crowd(2)
    assert activate(adaptor, gateway, Selection(tuple(ids))) == Outcome(done=2)
    assert active_ids() == ids and sorted(checked) == [(one, "") for one in ids]


def test_some_are_activated_at_once_and_checked_again_together(adaptor, gateway, crowd, checked):
    ids = crowd(5)
    assert activate(adaptor, gateway, EVERYBODY) == Outcome(done=5)
    assert active_ids() == ids and checked == [(adaptor.id, "ejer@example.com")]


@pytest.mark.parametrize("count", [3, 9])
def test_who_gets_another_format_or_gateway_has_it_in_the_history(adaptor, gateway, crowd, count):
    ids = crowd(count)
    same, moved, fresh = ids[0], ids[1:-1], ids[-1]
    for one in ids[:-1]:
        rules.activate(adaptor.id, [one], "peppol-bis-3" if one == same else "oioubl-2.1", gateway.id)
    rules.deactivate(adaptor.id, moved[:1])
    started = activate(adaptor, gateway, Selection(tuple(ids)))
    if isinstance(started, Started):
        work(job_of(started))
    found = changes.of_adaptor(adaptor.id).changes
    assert sorted(change.customer_id for change in found) == moved and fresh not in moved
    for change in found:
        assert (change.kind, change.actor) == ("customer", "ejer@example.com")
        assert (change.before, change.after) == (
            {"rule": {"format": "oioubl-2.1"}},
            {"rule": {"format": "peppol-bis-3"}},
        )


def test_the_history_of_many_is_one_statement(adaptor, gateway, crowd, monkeypatch):
    monkeypatch.setattr(rules, "CHUNK", 500)
    inserts: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO settings_change"):
            inserts.append(statement)

    ids = crowd(5)
    rules.activate(adaptor.id, ids, "oioubl-2.1", gateway.id)
    event.listen(db.engine, "before_cursor_execute", note)
    assert activate(adaptor, gateway, Selection(tuple(ids))) == Outcome(changed=5)
    assert len(inserts) == 1 and len(changes.of_adaptor(adaptor.id).changes) == 5


@pytest.mark.parametrize("by_ids", [True, False])
def test_more_are_a_job_with_progress(adaptor, gateway, crowd, checked, by_ids):
    ids = crowd(23)
    job = job_of(activate(adaptor, gateway, Selection(tuple(reversed(ids))) if by_ids else EVERYBODY))
    assert (job.kind, job.state, job.actor) == ("bulk", JobState.QUEUED, "ejer@example.com") and active_ids() == []
    assert job.parameters["change"] == "activate"
    seen = []
    while background.execute(job.id, HANDLERS):
        db.session.refresh(job)
        seen.append((job.done, job.total))
        assert len(active_ids()) == job.done and checked == []
    db.session.refresh(job)
    assert seen == [(4, 23), (8, 23), (12, 23), (16, 23), (20, 23)]
    assert (job.state, job.done, job.total) == (JobState.FINISHED, 23, 23) and active_ids() == ids
    assert bulk.outcome_of(job.result) == Outcome(done=23) and checked == [(adaptor.id, "ejer@example.com")]


def test_a_slice_goes_on_until_its_time_is_up(adaptor, gateway, crowd, monkeypatch):
    crowd(23)
    monkeypatch.setattr(background, "SLICE", 1e9)
    assert work(job_of(activate(adaptor, gateway, EVERYBODY))) == 1 and len(active_ids()) == 23


def test_who_matches_a_filter_that_the_work_itself_changes_is_done_once(adaptor, gateway, crowd):
    crowd(23, is_new=True)
    wanted = Selection(everything=Filter(show="inactive"))
    job = job_of(activate(adaptor, gateway, wanted))
    work(job)
    assert len(active_ids()) == 23 and db.session.scalar(select(func.count(Customer.id)).where(Customer.is_new)) == 0
    db.session.refresh(job)
    assert bulk.outcome_of(job.result) == Outcome(done=23)


def test_a_filter_holds_for_the_whole_job(adaptor, gateway, crowd):
    danish, swedish = crowd(9), crowd(9, city="Malmö")
    work(job_of(activate(adaptor, gateway, Selection(everything=Filter(text="malmö")))))
    assert active_ids() == swedish and not set(danish) & set(swedish)


def test_who_appears_while_the_job_goes_on_was_not_meant(adaptor, gateway, crowd):
    meant = crowd(9)
    job = job_of(activate(adaptor, gateway, EVERYBODY))
    background.execute(job.id, HANDLERS)
    crowd(3)
    work(job)
    assert active_ids() == meant


@pytest.mark.parametrize("breaks_at", [1, 2, 5])
def test_a_worker_that_dies_leaves_the_rest_to_the_next_one(adaptor, gateway, crowd, monkeypatch, breaks_at):
    ids = crowd(23)
    job = job_of(activate(adaptor, gateway, EVERYBODY))
    calls, real = [0], rules.activate_chunk

    def dies(*arguments: Any) -> Outcome:
        calls[0] += 1
        outcome = real(*arguments)
        if calls[0] == breaks_at:
            # Neither Exception nor rollback of ours: what a killed process leaves is what was committed.
            raise KeyboardInterrupt
        return outcome

    monkeypatch.setattr(rules, "activate_chunk", dies)
    with pytest.raises(KeyboardInterrupt):
        work(job)
    db.session.rollback()
    db.session.refresh(job)
    assert job.state is JobState.RUNNING and len(active_ids()) == job.done == (breaks_at - 1) * 4
    assert not background.execute(job.id, HANDLERS)  # its lease holds
    db.session.execute(update(Job).values(lease_until=utcnow()))
    db.session.commit()
    work(job)
    db.session.refresh(job)
    assert (job.state, job.done, job.total) == (JobState.FINISHED, 23, 23)
    assert active_ids() == ids and bulk.outcome_of(job.result) == Outcome(done=23)


def test_an_error_in_a_slice_is_tried_again_from_where_it_was(adaptor, gateway, crowd, monkeypatch, caplog):
    ids = crowd(12)
    job = job_of(activate(adaptor, gateway, EVERYBODY))
    failures, real = [ZeroDivisionError(), ZeroDivisionError()], rules.activate_chunk

    def fails(*arguments: Any) -> Outcome:
        outcome = real(*arguments)
        if failures:
            raise failures.pop()
        return outcome

    monkeypatch.setattr(rules, "activate_chunk", fails)
    work(job)
    db.session.refresh(job)
    assert job.state is JobState.FINISHED and active_ids() == ids and bulk.outcome_of(job.result) == Outcome(done=12)
    assert caplog.text.count("unexpected error") == 2


def test_asking_twice_starts_one_job(adaptor, gateway, crowd):
    crowd(9)
    started = activate(adaptor, gateway, EVERYBODY)
    with pytest.raises(Conflict):
        activate(adaptor, gateway, EVERYBODY)
    with pytest.raises(Conflict):
        bulk.deactivate(adaptor.id, EVERYBODY)
    assert bulk.active_job(adaptor.id).id == job_of(started).id
    work(job_of(started))
    assert bulk.active_job(adaptor.id) is None
    assert isinstance(bulk.deactivate(adaptor.id, EVERYBODY), Started)


def test_two_at_the_same_moment_in_opposite_directions_are_one_job(adaptor, gateway, crowd, monkeypatch):
    ids = crowd(9)
    activate(adaptor, gateway, EVERYBODY)
    # Neither saw the other one's job: the database decides.
    monkeypatch.setattr(background, "active", lambda *_: None)
    with pytest.raises(Conflict, match="Many customers are being changed already"):
        bulk.deactivate(adaptor.id, Selection(tuple(ids)))
    assert db.session.scalar(select(func.count(Job.id))) == 1


def test_deactivation_is_a_job_too_and_keeps_settings(adaptor, gateway, crowd, checked):
    crowd(9)
    work(job_of(activate(adaptor, gateway, EVERYBODY)))
    db.session.execute(update(ExportRule).values(settings={"customer": {"name": "Eget"}}))
    db.session.commit()
    checked.clear()
    job = job_of(bulk.deactivate(adaptor.id, Selection(everything=Filter(show="active"))))
    work(job)
    db.session.refresh(job)
    assert active_ids() == [] and bulk.outcome_of(job.result) == Outcome(done=9) and checked == []
    kept = db.session.scalars(select(ExportRule).execution_options(populate_existing=True)).all()
    assert [rule.settings for rule in kept] == [{"customer": {"name": "Eget"}}] * 9


@pytest.mark.parametrize(
    "columns",
    [{"active": False}, {"deleted_at": utcnow()}, {"environment": Environment.TEST}],
    ids=["off", "deleted", "test"],
)
def test_a_job_whose_adaptor_changes_meanwhile_stops_with_words(adaptor, gateway, crowd, columns):
    crowd(12)
    job = job_of(activate(adaptor, gateway, EVERYBODY))
    background.execute(job.id, HANDLERS)
    for name, value in columns.items():
        setattr(adaptor, name, value)
    db.session.commit()
    work(job)
    db.session.refresh(job)
    assert job.state is JobState.FAILED and job.error["da"] and len(active_ids()) == job.done == 4
    assert bulk.outcome_of(job.result) == Outcome(done=4)


def test_what_cannot_be_is_refused_before_a_job_starts(adaptor, gateway, crowd):
    crowd(12)
    with pytest.raises(InvalidInput):
        bulk.activate(adaptor.id, EVERYBODY, "word", gateway.id)
    adaptor.active = False
    db.session.commit()
    with pytest.raises(ServiceError):
        activate(adaptor, gateway, EVERYBODY)
    assert db.session.scalar(select(func.count(Job.id))) == 0


def test_ids_of_others_are_counted_and_left_alone(adaptor, gateway, crowd):
    ids = crowd(2)
    assert activate(adaptor, gateway, Selection((*ids, *ids, new_id()))) == Outcome(done=2, refused=1)
    job = job_of(activate(adaptor, gateway, Selection((*ids, *(new_id() for _ in range(9))))))
    work(job)
    db.session.refresh(job)
    assert bulk.outcome_of(job.result) == Outcome(already=2, refused=9) and active_ids() == ids


@pytest.mark.parametrize("change", ["summary", "activate", "deactivate", "keep_off"])
def test_more_ids_than_one_statement_takes_are_refused_in_words(adaptor, gateway, change):
    selection = Selection(("x",) * (rules.MOST_AT_ONCE + 1))
    more = ("peppol-bis-3", gateway.id) if change == "activate" else ()
    with pytest.raises(ServiceError):
        getattr(bulk, change)(adaptor.id, selection, *more)


def test_the_summary_says_how_many_are_active_and_how_many_need_something(adaptor, make_customer):
    rows = [
        make_customer("A"), make_customer("B", active=False, readiness=Readiness.NEEDS),
        make_customer("C", active=None, gln=None), make_customer("D", readiness=Readiness.READY, gln=None),
        make_customer("E", is_archived=True),
    ]  # fmt: skip
    assert bulk.summary(adaptor.id, EVERYBODY) == Summary(customers=4, active=2, needs=2)
    assert bulk.summary(adaptor.id, Selection((rows[1].id, new_id()))) == Summary(customers=1, active=0, needs=1)
    assert bulk.summary(adaptor.id, Selection(everything=Filter(text="nobody"))) == Summary(0, 0, 0)


def test_keeping_new_customers_off_is_a_decision_and_changes_no_rule(adaptor, make_customer):
    rows = [make_customer(name, active=None, is_new=True) for name in "ABC"]
    old = make_customer("D")
    assert bulk.keep_off(adaptor.id, Selection((rows[0].id, old.id, new_id()))) == 1
    assert bulk.keep_off(adaptor.id, Selection(everything=Filter(show="new", text="b"))) == 1
    db.session.expire_all()
    assert [row.is_new for row in rows] == [False, False, True] and active_ids() == [old.id]


def test_documents_that_were_read_before_are_counted_in_the_job(adaptor, gateway, crowd, make_document):
    ids = crowd(9)
    for number, customer_id in enumerate((ids[0], ids[0], ids[8])):
        make_document(db.session.get_one(Customer, customer_id), str(number), stage=Stage.LISTED)
    job = job_of(activate(adaptor, gateway, EVERYBODY))
    work(job)
    db.session.refresh(job)
    assert bulk.outcome_of(job.result) == Outcome(done=9, waiting=3)
