"""Many documents at once: the summary tells the truth, and each document is done once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update
from support.moving import unguarded

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    Event,
    Job,
    JobState,
    Stage,
    Subscription,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services import background, bell
from invoiceapp.services.daily import bulk_actions, bulk_jobs
from invoiceapp.services.daily.bulk_actions import CHANGED_SINCE, Selection
from invoiceapp.services.daily.listing import Filter
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export import actions
from invoiceapp.sources.base import SourceUnavailable

S = DeliveryState
HANDLERS = {bulk_jobs.KIND: bulk_jobs.run}
EVERYTHING = Selection(everything=Filter())
ACTOR = "ejer@example.com"


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for Redis."""
    monkeypatch.setattr(bell, "ring", lambda *_: None)


def ids_of(deliveries: list[Delivery]) -> tuple[str, ...]:
    return tuple(one.document_id for one in deliveries)


def work(job_id: str) -> Job:
    """The job at its end."""
    while background.execute(job_id, HANDLERS):
        pass
    return db.session.get_one(Job, job_id, populate_existing=True)


def start(adaptor: Adaptor, selection: Selection, name: str, note: str = "Aftalt") -> str:
    return bulk_jobs.start(adaptor.id, selection, name, note, ACTOR)


def states() -> dict[str, int]:
    db.session.expire_all()
    return {
        state.value: count
        for state, count in db.session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
    }


def events(kind: str) -> int:
    return db.session.scalar(select(func.count()).where(Event.kind == kind)) or 0


def test_the_summary_says_how_many_and_why_not_the_rest(
    adaptor: Adaptor, ready: Callable[..., Delivery], make_document: Any
) -> None:
    failed = [ready("1", S.FAILED), ready("2", S.FAILED)]
    credit = ready("3", S.FAILED)
    credit.document.type = DocumentType.CREDIT_NOTE
    arrived = ready("4", S.DELIVERED, first_sent_at=utcnow())
    db.session.commit()
    now = utcnow()

    found = bulk_actions.summary(adaptor.id, Selection(ids_of([*failed, credit, arrived]), until=now), now)

    assert (found.total.documents, found.total.amounts) == (4, {"DKK": Decimal(250)})
    assert [(status, one.documents) for status, one in found.by_status] == [("failed", 3), ("delivered", 1)]
    again = found.possible["try-again"]
    assert (again.can.documents, again.can.amounts) == (3, {"DKK": Decimal(125)})
    [(reason, left)] = again.left_out
    assert (reason.da, left.documents, left.amounts) == ("Er modtaget af modtageren.", 1, {"DKK": Decimal(125)})
    assert found.possible["send-again"].can.documents == 1
    assert found.possible["rebuild"].can.documents == 0


def test_what_was_sent_is_not_built_anew_and_what_breaks_the_rules_is_not_sent(
    adaptor: Adaptor, ready: Callable[..., Delivery]
) -> None:
    ready("1", S.CANCELLED, first_sent_at=utcnow())
    ready("2", S.CANCELLED, findings=[{"severity": "fatal", "rule": "R"}])
    found = bulk_actions.summary(adaptor.id, EVERYTHING, utcnow()).possible
    assert (found["rebuild"].can.documents, found["send-again"].can.documents) == (1, 1)
    assert [reason.en for reason, _ in found["rebuild"].left_out] == [
        "Were sent before, and what was sent cannot be built anew."
    ]
    assert [reason.en for reason, _ in found["send-again"].left_out] == ["Break the rules and cannot be sent."]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("try-again", S.FAILED, "pending"),
        ("mark-received", S.OUTCOME_UNKNOWN, "accepted"),
        ("handle-outside", S.REJECTED, "handled"),
        ("handle-outside", S.BLOCKED, "handled"),
        ("cancel", S.PENDING, "cancelled"),
        ("send-again", S.DELIVERED, "pending"),
    ],
)
def test_an_action_is_done_to_each_document(
    adaptor: Adaptor, ready: Callable[..., Delivery], name: str, before: DeliveryState, after: str
) -> None:
    ids = ids_of([ready(number, before) for number in ("1", "2", "3")])
    job = work(start(adaptor, Selection(ids), name))
    result = bulk_jobs.result_of(job)
    assert (job.state, job.done, job.total, result.succeeded) == (JobState.FINISHED, 3, 3, 3)
    assert not result.failed
    assert not result.left_out_count
    assert set(db.session.scalars(select(Document.status))) == {after}


def test_documents_are_read_again_and_rebuilt(
    adaptor: Adaptor, ready: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt: list[str] = []
    monkeypatch.setattr(actions, "rebuild", lambda document, actor: rebuilt.append(f"{document.number} {actor}"))
    ids = ids_of([ready("1", S.BLOCKED), ready("2", S.BLOCKED)])
    work(start(adaptor, Selection(ids), "rebuild"))
    assert sorted(rebuilt) == [f"1 {ACTOR}", f"2 {ACTOR}"]


def test_partners_are_asked_again_where_they_can_be(
    adaptor: Adaptor, ready: Callable[..., Delivery], partner: Any
) -> None:
    ready("1", S.OUTCOME_UNKNOWN)
    no = ready("2", S.OUTCOME_UNKNOWN, tries=99)
    result = bulk_jobs.result_of(work(start(adaptor, EVERYTHING, "ask-again")))
    assert result.succeeded == 1
    [reason] = result.failed
    assert "kan ikke spørges herfra" in reason.text.da
    assert reason.listed == [(no.document_id, "2")]


def test_a_partial_failure_is_listed_by_reason(
    adaptor: Adaptor, ready: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ready(str(number), S.BLOCKED) for number in range(5)]
    gone = Text("Findes ikke i Billy.", "Not in Billy.")

    def rebuild(document: Document, _actor: str) -> None:
        if document.number in ("1", "3"):
            raise ServiceError(gone)
        if document.number == "4":
            raise RuntimeError("a fault of ours")

    monkeypatch.setattr(actions, "rebuild", rebuild)
    job = work(start(adaptor, EVERYTHING, "rebuild"))
    result = bulk_jobs.result_of(job)
    assert (job.state, job.done, result.succeeded, result.failed_count) == (JobState.FINISHED, 5, 2, 3)
    assert [(one.documents, {number for _, number in one.listed}) for one in result.failed] == [
        (2, {"1", "3"}),
        (1, {"4"}),
    ]
    assert result.failed[0].text == gone
    assert {document_id for document_id, _ in result.failed[0].listed} == {rows[1].document_id, rows[3].document_id}


def test_a_source_that_does_not_answer_stops_the_job_once(
    adaptor: Adaptor, ready: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        ready(str(number), S.BLOCKED)
    asked: list[str] = []
    words = Text("Billy svarer ikke.", "Billy does not answer.")

    def rebuild(document: Document, _actor: str) -> None:
        asked.append(document.number)
        raise ServiceError(words) from SourceUnavailable(words)

    monkeypatch.setattr(actions, "rebuild", rebuild)
    job = work(start(adaptor, EVERYTHING, "rebuild"))
    assert (job.state, job.done, len(asked), job.error) == (JobState.FAILED, 0, 1, {"da": words.da, "en": words.en})
    monkeypatch.setattr(actions, "rebuild", lambda *_: None)
    again = work(bulk_jobs.again(job, ACTOR))
    assert bulk_jobs.result_of(again).succeeded == 3


@pytest.mark.parametrize("name", ["send-again", "try-again"])
def test_a_worker_that_dies_between_action_and_note_repeats_none(
    adaptor: Adaptor, ready: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    state = S.DELIVERED if name == "send-again" else S.FAILED
    for number in range(4):
        ready(str(number), state)
    job_id = start(adaptor, EVERYTHING, name)
    step, calls = background.Progress.step, iter(range(100))

    def dying(progress: background.Progress, *arguments: Any) -> None:
        if next(calls) in (1, 3):
            raise SystemExit
        step(progress, *arguments)

    monkeypatch.setattr(background.Progress, "step", dying)
    for _ in range(2):
        with pytest.raises(SystemExit):
            background.execute(job_id, HANDLERS)
        # What was sent meanwhile could be sent again, but for the job's own memory.
        with unguarded():
            db.session.execute(
                update(Delivery).where(Delivery.state == S.PENDING).values(state=state, fence=Delivery.fence + 1)
            )
        db.session.execute(update(Job).values(lease_until=utcnow() - timedelta(hours=1)))
        db.session.commit()
    job = work(job_id)
    result = bulk_jobs.result_of(job)
    assert (job.state, job.done, result.succeeded, result.left_out_count) == (JobState.FINISHED, 4, 4, 0)
    assert events("sent_again" if name == "send-again" else "tried_again") == 4


def test_no_delivery_is_sent_again_twice_even_by_two_jobs_with_the_same_list(
    adaptor: Adaptor, ready: Callable[..., Delivery]
) -> None:
    ready("1", S.DELIVERED)
    first = db.session.get_one(Job, start(adaptor, EVERYTHING, "send-again"))
    parameters, items = dict(first.parameters), first.items
    work(first.id)
    second = work(
        background.start(adaptor.id, bulk_jobs.KIND, actor="anden@example.com", parameters=parameters, items=items)
    )
    assert bulk_jobs.result_of(second).left_out_count == 1
    assert states() == {"superseded": 1, "pending": 1}


def test_a_cancelled_job_stops_and_the_rest_can_be_done_later(
    adaptor: Adaptor, ready: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        ready(str(number), S.FAILED)
    monkeypatch.setattr(background, "SLICE", 0.0)
    job_id = start(adaptor, EVERYTHING, "try-again")
    background.execute(job_id, HANDLERS)
    assert background.cancel(job_id, adaptor.id)
    job = work(job_id)
    assert (job.state, job.done, bulk_jobs.result_of(job).succeeded) == (JobState.CANCELLED, 1, 1)
    rest = work(bulk_jobs.again(job, ACTOR))
    assert (rest.total, bulk_jobs.result_of(rest).succeeded) == (3, 3)
    assert states() == {"pending": 4}
    with pytest.raises(ServiceError):
        bulk_jobs.again(job, ACTOR)


def test_everything_is_what_the_summary_showed_and_nothing_later(
    adaptor: Adaptor, ready: Callable[..., Delivery]
) -> None:
    old, moved = ready("1", S.FAILED), ready("2", S.FAILED)
    wanted = Filter(status="failed")
    now = utcnow()
    db.session.execute(update(Document).values(status_at=now - timedelta(seconds=1)))
    db.session.commit()
    assert bulk_actions.summary(adaptor.id, Selection(everything=wanted, until=now), now).total.documents == 2
    db.session.execute(
        update(Document).where(Document.id == moved.document_id).values(status_at=now + timedelta(seconds=1))
    )
    db.session.commit()
    ready("3", S.FAILED)

    job = db.session.get_one(Job, start(adaptor, Selection(everything=wanted, until=now), "try-again"))
    ready("4", S.FAILED)

    assert bulk_jobs.items_of(job) == [old.id]
    assert [(one.text, one.documents) for one in bulk_jobs.result_of(job).left_out_before] == [(CHANGED_SINCE, 2)]
    assert work(job.id).done == 1
    assert states() == {"pending": 1, "failed": 3}


def test_what_moved_on_after_the_click_is_left_out_with_its_reason(
    adaptor: Adaptor, ready: Callable[..., Delivery]
) -> None:
    ready("1", S.FAILED)
    gone = ready("2", S.FAILED)
    job_id = start(adaptor, EVERYTHING, "try-again")
    actions.cancel(gone, "anden@example.com", "")
    result = bulk_jobs.result_of(work(job_id))
    assert result.succeeded == 1
    assert [(one.text.en, one.listed) for one in result.left_out] == [("Were cancelled.", [(gone.document_id, "2")])]


def test_the_second_click_gives_the_same_job_even_when_the_first_has_ended(
    adaptor: Adaptor, ready: Callable[..., Delivery]
) -> None:
    ready("1", S.DELIVERED)
    selection = Selection(everything=Filter(), until=utcnow() + timedelta(seconds=1))
    first = start(adaptor, selection, "send-again")
    assert start(adaptor, selection, "send-again") == first
    work(first)
    assert start(adaptor, selection, "send-again") == first
    assert events("sent_again") == 1


def test_another_summary_waits_for_the_first_job(adaptor: Adaptor, ready: Callable[..., Delivery]) -> None:
    ready("1", S.FAILED)
    start(adaptor, EVERYTHING, "try-again")
    with pytest.raises(Conflict):
        start(adaptor, EVERYTHING, "cancel")


def test_documents_of_others_are_not_touched(
    adaptor: Adaptor, ready: Callable[..., Delivery], make_document: Any, make_customer: Any
) -> None:
    mine = ready("1", S.FAILED)
    other = Subscription(name="Fremmed A/S")
    db.session.add(other)
    db.session.flush()
    theirs = Adaptor(subscription_id=other.id, name="Fremmed", source_kind="billy", source_config={}, settings={})
    db.session.add(theirs)
    db.session.commit()
    foreign = make_document(make_customer("Fremmed"), "9", stage=Stage.UNUSABLE)
    db.session.execute(
        update(Document).where(Document.id == foreign.id).values(adaptor_id=theirs.id, subscription_id=other.id)
    )
    db.session.commit()
    ids = (mine.document_id, foreign.id, new_id())
    found = bulk_actions.summary(adaptor.id, Selection(ids), utcnow())
    assert (found.total.documents, found.unknown) == (1, 2)
    work(start(adaptor, Selection(ids), "handle-outside"))
    assert db.session.get_one(Document, foreign.id, populate_existing=True).status == "unusable"
    with pytest.raises(ServiceError):
        start(adaptor, Selection((foreign.id,)), "handle-outside")


def test_a_reason_is_needed_before_anything_starts(adaptor: Adaptor, ready: Callable[..., Delivery]) -> None:
    ready("1", S.DELIVERED)
    with pytest.raises(ServiceError):
        start(adaptor, EVERYTHING, "send-again", " ")
    assert bulk_jobs.active(adaptor.id) is None


def test_five_thousand_documents_are_all_accounted_for(
    adaptor: Adaptor, make_customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer: Customer = make_customer()
    row = {
        "subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id, "customer_id": customer.id,
        "customer_source_id": "c", "customer_name": "K", "type": DocumentType.INVOICE, "issue_date": utcnow().date(),
        "currency": "DKK", "net": Decimal(1), "vat": Decimal(0), "bundle": {}, "bundle_sha256": "0", "stage": Stage.UNUSABLE,
        "status": "unusable",
    }  # fmt: skip
    db.session.execute(
        Document.__table__.insert(),
        [row | {"id": new_id(), "source_id": str(n), "number": str(n)} for n in range(5_000)],
    )
    db.session.commit()
    done: set[str] = set()

    def handle(document: Document, _actor: str, _note: str) -> None:
        done.add(document.id)
        if document.number.endswith("7"):
            raise ServiceError(Text(f"Nej til {document.number}", f"No to {document.number}"))

    monkeypatch.setattr(actions, "handle_outside", handle)
    monkeypatch.setattr(background, "SLICE", 1e9)
    monkeypatch.setattr(
        background.Progress, "step", lambda self, done, _cursor: setattr(self, "done", self.done + done)
    )
    job = work(start(adaptor, EVERYTHING, "handle-outside"))
    result = bulk_jobs.result_of(job)
    assert len(done) == 5_000
    assert (result.succeeded, result.failed_count) == (4_500, 500)
    assert len(result.failed) == bulk_jobs.MOST_REASONS + 1
    assert result.failed[0].text.en == "Other reasons; look at the documents."
    assert sum(len(one.listed) for one in result.failed) <= bulk_jobs.MOST_LISTED


def test_more_than_can_be_taken_is_refused_in_words(
    adaptor: Adaptor, ready: Callable[..., Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "MOST", 1)
    ready("1"), ready("2")
    with pytest.raises(ServiceError, match="More than 1 documents"):
        bulk_actions.summary(adaptor.id, EVERYTHING, utcnow())
