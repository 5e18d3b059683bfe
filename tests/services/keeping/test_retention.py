from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import func, select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.jobs import tasks
from invoiceapp.models import (
    Adaptor,
    Attempt,
    Delivery,
    DiscardedFile,
    Document,
    Event,
    FoundDocument,
    FoundGroup,
    IncomingMessage,
    IncomingState,
    LegalHold,
    NumberedInterchange,
    PreflightResult,
    Problem,
    ProblemDocument,
    Receipt,
    Rendition,
    Retention,
    Run,
    RunState,
    Stage,
    db,
    new_id,
    utcnow,
)  # fmt: skip
from invoiceapp.services import bell
from invoiceapp.services.errors import Conflict, InvalidInput
from invoiceapp.services.export import archive, events
from invoiceapp.services.keeping import deleting, discarding, holds, retention, terms
from invoiceapp.services.keeping.terms import Terms

S = DeliveryState
TODAY = date(2026, 11, 23)
OLD, NEWEST_OLD, YOUNG = date(2019, 5, 5), date(2020, 12, 31), date(2021, 1, 1)


@pytest.fixture(autouse=True)
def today(monkeypatch):
    for module in (retention, deleting, holds):
        monkeypatch.setattr(module, "today", lambda: TODAY)
    monkeypatch.setattr("invoiceapp.services.keeping.incoming.today", lambda: TODAY)


@pytest.fixture
def aged(ready):
    """``aged(number, issue date, state)``: a document that nothing has happened to since, with everything of it."""

    def make(
        number: str, issued: date = OLD, state: S = S.DELIVERED, since: datetime | None = None, **columns: object
    ) -> Document:
        delivery = ready(number, state, next_at=None, **columns)
        document = delivery.document
        attempt = Attempt(delivery_id=delivery.id, number=1, fence=1)
        db.session.add(attempt)
        db.session.flush()
        db.session.add(Receipt(delivery_id=delivery.id, attempt_id=attempt.id, kind="sftp", reference="r", evidence={}))
        events.of_delivery("delivered", delivery)
        document.pdf_sha256 = archive.store(f"%PDF {number}".encode())
        document.issue_date = issued
        db.session.flush()
        moment = since or datetime.combine(issued, datetime.min.time(), UTC)
        db.session.execute(sa.update(Document).where(Document.id == document.id).values(status_at=moment))
        db.session.commit()
        return document

    return make


def kept() -> set[str]:
    return set(db.session.scalars(select(Document.number)))


def grow_old(config) -> None:
    """Files that were stored long ago."""
    for path in config.archive_dir.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))


def files(config) -> set[str]:
    return {path.name for path in config.archive_dir.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("month", "on", "expected"),
    [
        (12, date(2026, 11, 23), date(2020, 12, 31)),
        (12, date(2025, 12, 31), date(2019, 12, 31)),
        (12, date(2026, 1, 1), date(2020, 12, 31)),
        (6, date(2026, 11, 23), date(2021, 6, 30)),
        (6, date(2026, 6, 30), date(2020, 6, 30)),
        (2, date(2029, 2, 28), date(2023, 2, 28)),
        (2, date(2029, 3, 1), date(2024, 2, 29)),
    ],
)
def test_five_years_count_from_the_end_of_the_financial_year(month, on, expected):
    kept_for = Terms((month,), 5, None)
    assert kept_for.last_day_due(on) == expected
    assert kept_for.ends(expected) < on < kept_for.next_day(expected)
    assert kept_for.last_day_due(kept_for.next_day(expected) - timedelta(days=1)) == expected
    assert kept_for.last_day_due(kept_for.next_day(expected)) > expected


def test_the_financial_year_is_the_accounting_systems_else_a_persons_choice_else_the_calendars(adaptor, subscription):
    assert terms.of(subscription.id) == Terms((12,), 5, None)
    terms.save(subscription.id, 7, 3)
    assert terms.of(subscription.id) == Terms((3,), 7, 3)
    adaptor.organization = {**adaptor.organization, "last_month": 6}
    db.session.commit()
    assert terms.of(subscription.id) == Terms((6,), 7, 3)


@pytest.fixture
def until_june(adaptor, subscription):
    """A second company, whose financial year ends with June; the first one's ends with December."""
    adaptor.organization = {**adaptor.organization, "last_month": 12}
    row = Adaptor(
        subscription_id=subscription.id, name="Anden", source_kind="billy", settings={}, organization={"id": "b", "last_month": 6}
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.mark.parametrize(
    ("on", "is_due"), [(date(2026, 1, 2), False), (date(2026, 6, 30), False), (date(2026, 7, 1), True)]
)
def test_where_financial_years_differ_nothing_goes_before_its_own_has_passed(
    aged, subscription, until_june, monkeypatch, on, is_due
):
    for name in ("retention", "deleting", "holds", "incoming"):
        monkeypatch.setattr(f"invoiceapp.services.keeping.{name}.today", lambda: on)
    document = aged("theirs", date(2020, 9, 1))
    db.session.execute(sa.update(Delivery).values(adaptor_id=until_june.id))
    db.session.execute(sa.update(Document).where(Document.id == document.id).values(adaptor_id=until_june.id))
    db.session.commit()
    assert retention.plan(subscription).due == is_due
    deleting.run(subscription.id)
    assert kept() == (set() if is_due else {"theirs"})


def test_where_financial_years_differ_the_plan_says_the_next_day_of_any(until_june, subscription):
    plan = retention.plan(subscription)
    assert plan.last_months == (6, 12)
    assert (plan.until, plan.next_day, plan.next_until) == (date(2020, 12, 31), date(2027, 1, 1), date(2021, 6, 30))


@pytest.mark.parametrize("years", [None, 0, 4, 31])
def test_a_shorter_time_than_the_law_asks_for_is_refused(subscription, years):
    with pytest.raises(InvalidInput) as refused:
        terms.save(subscription.id, years, None)
    assert "years" in refused.value.errors
    if years == 4:
        assert "Bogføringsloven" in refused.value.errors["years"].da
    assert db.session.get(Retention, subscription.id) is None


def test_documents_go_with_everything_of_theirs(aged, subscription, config):
    aged("old"), aged("last day", NEWEST_OLD), aged("young", YOUNG)
    grow_old(config)
    done = deleting.run(subscription.id)
    assert (done.documents, done.files, kept()) == (2, 4, {"young"})
    for model in (Delivery, Attempt, Receipt, Event, Rendition):
        assert db.session.scalar(select(func.count()).select_from(model)) == 1, model
    rendition = db.session.scalars(select(Rendition)).one()
    assert files(config) == {rendition.sha256, db.session.scalars(select(Document.pdf_sha256)).one()}
    assert db.session.get(Retention, subscription.id).done == {
        "documents": 2, "files": 4, "until": "2020-12-31", "is_over": True,
    }  # fmt: skip


def test_every_table_that_points_to_a_document_is_thought_of():
    """A new table must say what becomes of its rows."""
    thought_of = {
        "document": {"event", "delivery", "preflight_result", "found_document", "problem_document", "problem", "rendition", "numbered_interchange",
            "sent_number", "status_change"},
        "delivery": {"receipt", "attempt", "event", "delivery"},
        "rendition": {"delivery"},
        "attempt": {"receipt"},
        "numbered_interchange": {"rendition"},
    }  # fmt: skip
    found: dict[str, set[str]] = {name: set() for name in thought_of}
    for table in db.metadata.tables.values():
        for key in table.foreign_keys:
            if key.column.table.name in found:
                found[key.column.table.name].add(table.name)
    assert found == thought_of


def test_rows_of_every_kind_that_point_to_it_go_too(aged, adaptor, subscription):
    document = aged("old")
    mine = {"subscription_id": subscription.id}
    run = Run(**mine, adaptor_id=adaptor.id, trigger="manual", state=RunState.FINISHED)
    problem = Problem(
        **mine, adaptor_id=adaptor.id, key="k", rule="r", text={"da": "", "en": ""}, turn="here", document_id=document.id,
        resolved_at=utcnow(), numbers=["old"],
    )  # fmt: skip
    db.session.add_all([run, problem])
    db.session.flush()
    numbered = NumberedInterchange(
        **mine, document_id=document.id, sender="a", receiver="b", number=1, fingerprint="f", instance_id="i"
    )
    db.session.add_all(
        [
            FoundDocument(run_id=run.id, document_id=document.id, group=FoundGroup.EXPORTED),
            ProblemDocument(problem_id=problem.id, document_id=document.id),
            PreflightResult(
                **mine, adaptor_id=adaptor.id, document_id=document.id, customer_id=document.customer_id, format="f",
                fingerprint="", may_leave=True,
            ),
            numbered,
        ]
    )  # fmt: skip
    db.session.flush()
    db.session.execute(sa.update(Rendition).values(interchange_id=numbered.id))
    db.session.commit()
    assert deleting.run(subscription.id).documents == 1
    problem = db.session.get_one(Problem, problem.id, populate_existing=True)
    assert (problem.document_id, problem.numbers, kept()) == (None, [], set())


@pytest.mark.parametrize("state", [S.BLOCKED, S.PENDING, S.LEASED, S.SENDING, S.OUTCOME_UNKNOWN])
def test_what_has_not_ended_is_never_deleted(aged, subscription, state):
    aged("old", state=state)
    assert deleting.run(subscription.id).documents == 0 and kept() == {"old"}
    assert retention.plan(subscription).open == 1


def test_what_waits_for_its_conversion_or_for_a_receipt_is_never_deleted(aged, subscription):
    awaits = aged("receipt", state=S.ACCEPTED)
    db.session.execute(sa.update(Delivery).where(Delivery.document_id == awaits.id).values(next_at=utcnow()))
    queued = aged("queued")
    db.session.execute(sa.update(Document).where(Document.id == queued.id).values(stage=Stage.QUEUED))
    db.session.execute(sa.update(Document).values(status_at=datetime(2019, 6, 1, tzinfo=UTC)))
    db.session.commit()
    assert deleting.run(subscription.id).documents == 0


def test_an_old_invoice_that_was_sent_lately_is_kept_as_long_as_its_evidence(aged, subscription):
    aged("old", since=datetime(2024, 1, 1, tzinfo=UTC))
    assert deleting.run(subscription.id).documents == 0


@pytest.mark.parametrize("scope", ["subscription", "adaptor", "customer", "document"])
def test_a_hold_keeps_what_it_names_and_nothing_else(aged, subscription, adaptor, scope, make_customer):
    _held, other = aged("held"), aged("other")
    elsewhere = make_customer("En anden")
    db.session.execute(sa.update(Document).where(Document.id == other.id).values(customer_id=elsewhere.id))
    db.session.commit()
    what = {"subscription": "", "adaptor": adaptor.id, "customer": "Kommune Eksempel", "document": "held"}[scope]
    (row,) = holds.place(subscription.id, scope, what, "Retssag", "anna@example.com", "2027-01-01")
    plan = retention.plan(subscription)
    keeps_both = scope in ("subscription", "adaptor")
    assert (plan.due, plan.held) == ((0, 2) if keeps_both else (1, 1))
    deleting.run(subscription.id)
    assert kept() == ({"held", "other"} if keeps_both else {"held"})
    holds.lift(row.id, "bo@example.com")
    with pytest.raises(Conflict):
        holds.lift(row.id, "bo@example.com")
    deleting.run(subscription.id)
    assert kept() == set()
    assert (row.lifted_by, row.reason, row.made_by) == ("bo@example.com", "Retssag", "anna@example.com")


@pytest.mark.parametrize(("scope", "what"), [("customer", "Kommune Eksempel"), ("document", "7")])
def test_a_hold_keeps_all_that_have_the_name_or_the_number(aged, subscription, adaptor, make_customer, scope, what):
    first, second, _other = aged("6"), aged("7"), aged("8")
    elsewhere = Adaptor(subscription_id=subscription.id, name="Anden", source_kind="billy", settings={})
    db.session.add(elsewhere)
    same, someone = make_customer("Kommune Eksempel"), make_customer("En anden")
    db.session.flush()
    same.adaptor_id = elsewhere.id
    if scope == "customer":
        moved = {first: {"customer_id": same.id}, _other: {"customer_id": someone.id}}
    else:
        moved = {first: {"number": "7", "adaptor_id": elsewhere.id, "type": "creditNote"}}
    for document, values in moved.items():
        db.session.execute(sa.update(Document).where(Document.id == document.id).values(**values))
    db.session.commit()
    ids = {first.id, second.id}
    rows = holds.place(subscription.id, scope, what, "Retssag", "anna@example.com")
    assert len(rows) == 2
    deleting.run(subscription.id)
    assert set(db.session.scalars(select(Document.id))) == ids


def test_of_what_a_person_may_not_see_there_is_no_hold_to_tell_of(aged, subscription, adaptor):
    aged("held")
    nothing, everything = frozenset(), frozenset({adaptor.id})
    with pytest.raises(InvalidInput):
        holds.place(subscription.id, "document", "held", "r", "anna@example.com", only_of=nothing)
    assert len(holds.place(subscription.id, "document", "held", "r", "anna@example.com", only_of=everything)) == 1
    assert holds.of_subscription(subscription.id, nothing) == []
    assert len(holds.of_subscription(subscription.id, everything)) == 1
    assert (retention.plan(subscription, nothing).held, retention.plan(subscription, everything).held) == (0, 1)


def test_a_hold_ends_after_its_last_day(aged, subscription):
    aged("held")
    holds.place(subscription.id, "subscription", "", "Revision", "anna@example.com", TODAY.isoformat())
    assert retention.plan(subscription).due == 0
    db.session.execute(sa.update(LegalHold).values(until=TODAY - timedelta(days=1)))
    db.session.commit()
    assert retention.plan(subscription).due == 1


@pytest.mark.parametrize(
    ("scope", "what", "reason", "until", "wrong"),
    [
        ("nothing", "", "r", "", {"scope"}),
        ("customer", "Ukendt", "r", "", {"what"}),
        ("document", "", " ", "2026-11-22", {"what", "reason", "until"}),
        ("subscription", "", "r", "i morgen", {"until"}),
    ],
)
def test_a_hold_needs_something_to_keep_and_a_reason(subscription, scope, what, reason, until, wrong):
    with pytest.raises(InvalidInput) as refused:
        holds.place(subscription.id, scope, what, reason, "anna@example.com", until)
    assert set(refused.value.errors) == wrong


def test_a_hold_cannot_name_what_is_somebody_elses(subscription, aged):
    document = aged("theirs")

    with pytest.raises(InvalidInput):
        holds.place(new_id(), "document", document.id, "r", "fremmed@example.com")


def test_a_file_that_something_else_refers_to_stays(aged, subscription, config):
    old, young = aged("old"), aged("young", YOUNG)
    shared = old.pdf_sha256
    db.session.execute(sa.update(Document).where(Document.id == young.id).values(pdf_sha256=shared))
    db.session.commit()
    grow_old(config)
    deleting.run(subscription.id)
    assert shared in files(config) and archive.load(shared)
    assert db.session.scalar(select(func.count()).select_from(DiscardedFile)) == 0


def test_a_file_that_was_just_stored_again_waits(aged, subscription, config):
    document = aged("old")
    name = document.pdf_sha256
    grow_old(config)
    archive.store(archive.load(name))
    deleting.run(subscription.id)
    assert files(config) == {name} and db.session.scalars(select(DiscardedFile.sha256)).all() == [name]
    grow_old(config)
    discarding.remove(10)
    assert files(config) == set() and db.session.scalars(select(DiscardedFile.sha256)).all() == []


@pytest.mark.server
def test_files_go_from_an_object_store_too_once_they_are_old_enough(in_bucket, aged, subscription):
    aged("old")
    deleting.run(subscription.id)
    assert len(in_bucket.objects) == 2
    in_bucket.changed_at = {key: utcnow() - timedelta(hours=2) for key in in_bucket.objects}
    discarding.remove(10)
    assert in_bucket.objects == {} and db.session.scalars(select(DiscardedFile.sha256)).all() == []


def test_a_kill_between_rows_and_files_leaves_nothing_behind(aged, subscription, config, monkeypatch):
    aged("old")
    grow_old(config)
    with monkeypatch.context() as killed:
        killed.setattr(discarding, "remove", lambda _most: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deleting.run(subscription.id)
    assert kept() == set() and len(files(config)) == 2
    deleting.run(subscription.id)
    assert files(config) == set()


def test_messages_about_what_is_gone_go_too(aged, subscription, gateway, config):
    old, young = aged("old"), aged("young", YOUNG)
    for document in (old, young):
        content = f"receipt {document.number}".encode()
        db.session.add(
            IncomingMessage(
                subscription_id=subscription.id, gateway_id=gateway.id, name="x", sha256=archive.store(content), size=1,
                state=IncomingState.MATCHED, outcome=[{"delivery": document.delivery_id}],
                created_at=datetime(2019, 6, 1, tzinfo=UTC),
            )
        )  # fmt: skip
    db.session.commit()
    grow_old(config)
    deleting.run(subscription.id)
    (left,) = db.session.scalars(select(IncomingMessage)).all()
    assert left.outcome == [{"delivery": young.delivery_id}] and len(files(config)) == 3


def test_a_plan_says_when_more_goes_and_how_much(aged, subscription):
    aged("old"), aged("next year", YOUNG), aged("later", date(2023, 1, 1))
    plan = retention.plan(subscription)
    assert (plan.due, plan.next_due, plan.until) == (1, 1, date(2020, 12, 31))
    assert (plan.next_day, plan.next_until) == (date(2027, 1, 1), date(2021, 12, 31))
    assert kept() == {"old", "next year", "later"}


def test_the_night_deletes_in_batches_and_looks_once_a_day(aged, subscription, monkeypatch):
    monkeypatch.setattr(deleting, "BATCH", 2)
    monkeypatch.setattr(deleting, "SLICE", 0)
    monkeypatch.setattr(retention, "utcnow", lambda: datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
    for number in range(5):
        aged(str(number))
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", lambda task, *_ids: bool(rung.append(task)) or True)
    assert retention.is_due()
    tasks.delete_due()
    assert len(kept()) == 3 and rung == ["delete_due"]
    while rung:
        rung.pop()
        tasks.delete_due()
    assert kept() == set() and not retention.is_due()
    assert db.session.get(Retention, subscription.id).done["documents"] == 5


def test_before_two_at_night_nothing_is_deleted(aged, monkeypatch):
    aged("old")
    monkeypatch.setattr(retention, "utcnow", lambda: datetime(2026, 11, 23, 0, 30, tzinfo=UTC))
    assert not retention.is_due()
