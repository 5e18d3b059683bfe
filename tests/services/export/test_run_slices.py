"""A run in slices is the same run: nothing is missed, and nothing is counted twice, wherever a slice ends."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import fakeredis
import pytest
from sqlalchemy import func, select
from support.listed_books import ListedBooks

from invoiceapp.jobs.worker import AppWorker
from invoiceapp.models import Adaptor, Customer, Document, FoundDocument, Run, RunState, Stage, db, utcnow
from invoiceapp.services import background, bell, stopping
from invoiceapp.services.configuration import customer_reading, rules, sources
from invoiceapp.services.export import run_cursor, run_queue, run_reading, runs
from invoiceapp.sources.base import DocumentQuery
from invoiceapp.sources.billy import client as billy_client
from invoiceapp.sources.billy.source import BillySource

COUNTS = ("read", "queued", "not_activated", "already_exported", "skipped")


class Killed(BaseException):
    """No handler of ours sees a killed process."""


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> ListedBooks:
    """The books of every adaptor, 23 documents on pages of 5."""
    found = ListedBooks(23)
    monkeypatch.setattr(sources, "open_source", lambda _adaptor: BillySource({"token": "t"}, found))
    monkeypatch.setattr(BillySource, "PAGE_SIZE", 5)
    return found


@pytest.fixture
def opened(books: ListedBooks, gateway: Any) -> Callable[[Adaptor], Adaptor]:
    """``opened(adaptor)``: two of its four customers are activated."""

    def activate(adaptor: Adaptor) -> Adaptor:
        customer_reading.read_customers(adaptor.id, BillySource({"token": "t"}, books))
        ids = db.session.scalars(
            select(Customer.id).where(Customer.adaptor_id == adaptor.id).order_by(Customer.source_id)
        ).all()
        rules.activate(adaptor.id, ids[:2], "peppol-bis-3", gateway.id)
        return adaptor

    return activate


@pytest.fixture
def ready(adaptor: Adaptor, opened: Callable[[Adaptor], Adaptor]) -> Adaptor:
    return opened(adaptor)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice ends at the first place where it may."""
    monkeypatch.setattr(background, "SLICE", 0.0)


def start(adaptor: Adaptor, **options: Any) -> str:
    return runs.start(adaptor.id, trigger="manual", **options).id


def fresh(run_id: str) -> Run:
    return db.session.get_one(Run, run_id, populate_existing=True)


def to_its_end(run_id: str) -> int:
    """How many slices it took."""
    slices = 1
    while runs.execute(run_id):
        slices += 1
        assert slices < 200
    assert fresh(run_id).state is RunState.FINISHED, fresh(run_id).error
    return slices


def counted(run_id: str) -> list[str]:
    found = select(Document.source_id).where(Document.read_run_id == run_id).order_by(Document.source_id)
    return list(db.session.scalars(found))


def outcome(run_id: str) -> dict[str, Any]:
    """All that a run leaves, without ids of ours."""
    run = fresh(run_id)
    adaptor = db.session.get_one(Adaptor, run.adaptor_id, populate_existing=True)
    rows = db.session.execute(
        select(Document.source_id, Document.number, Document.stage, Document.net, Document.run_id.is_not(None)).where(
            Document.adaptor_id == adaptor.id
        )
    )
    groups = db.session.execute(
        select(Document.source_id, FoundDocument.group)
        .join(Document, Document.id == FoundDocument.document_id)
        .where(FoundDocument.run_id == run_id)
    )
    problems = [{name: text for name, text in one.items() if name != "document"} for one in run.problems]
    return {
        "counts": {name: getattr(run, name) for name in COUNTS}, "state": run.state, "problems": problems,
        "watermark": adaptor.watermark, "retry": adaptor.retry_ids, "cursor": run.cursor,
        "rows": sorted(map(tuple, rows)), "groups": sorted(map(tuple, groups)),
    }  # fmt: skip


def break_one(books: ListedBooks, key: str) -> None:
    books.invoices[key]["currencyId"] = "kr."


KINDS: dict[str, Callable[[str], str]] = {
    "everything new": lambda adaptor_id: runs.start(adaptor_id, trigger="schedule").id,
    "a range of days": lambda adaptor_id: runs.start(
        adaptor_id, trigger="manual", query=DocumentQuery(first_date=date(2026, 1, 1))
    ).id,
    "numbers, of which some do not exist": lambda adaptor_id: runs.start(
        adaptor_id, trigger="manual", query=DocumentQuery(numbers=("1002", "1019", "9998"))
    ).id,
    "ids, of which one is gone": lambda adaptor_id: runs.start(
        adaptor_id, trigger="reconciliation", query=DocumentQuery(ids=("inv0003", "gone", "inv0021", "inv0001"))
    ).id,
    "a manual search": lambda adaptor_id: runs.find(adaptor_id, "ejer@example.com", first_date=date(2026, 1, 1)).id,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("page", "chunk"), [(1, 50), (7, 2)])
def test_many_slices_leave_what_one_long_slice_leaves(
    ready, second, opened, books, monkeypatch, kind, page, chunk
):  # fmt: skip
    other = opened(db.session.get_one(Adaptor, second()))
    for key in ("inv0004", "inv0017"):
        break_one(books, key)
    for adaptor in (ready, other):
        adaptor.settings = {"general": {"documentTypes": "invoices"}}
        adaptor.retry_ids = ["gone", "inv0009", "inv0017", "gone too"]
    db.session.commit()
    monkeypatch.setattr(BillySource, "PART", 1)
    whole = KINDS[kind](ready.id)
    assert to_its_end(whole) == 1
    monkeypatch.setattr(BillySource, "PAGE_SIZE", page)
    monkeypatch.setattr(run_reading, "_CHUNK", chunk)
    monkeypatch.setattr(background, "SLICE", 0.0)
    sliced = KINDS[kind](other.id)
    assert to_its_end(sliced) > 3
    assert outcome(sliced) == outcome(whole)
    assert fresh(sliced).read == len(counted(sliced)) > 0


class Trouble:
    """What happens between two requests, by chance: documents come or go, pages get another size, workers die and stop.

    Not come and go: one of each between two pages leaves the total as it was, and only the night's reconciliation notices.
    """

    def __init__(self, seed: int, books: ListedBooks, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance, self.books, self.patch = random.Random(seed), books, monkeypatch
        self.lasting = set(books.invoices)
        self.left = [self.void] * 4 if seed % 2 else [self.book] * 8
        self.left += [self.resize] * 8 + [self.die] * 4 + [self.stop] * 4
        self.chance.shuffle(self.left)

    def __call__(self, path: str) -> None:
        if path == "/invoices" and self.left and self.chance.random() < 0.5:
            self.left.pop()()

    def book(self) -> None:
        self.books.book()

    def void(self) -> None:
        key = self.chance.choice(sorted(self.lasting))
        self.lasting.discard(key)
        self.books.invoices[key]["state"] = "voided"

    def resize(self) -> None:
        self.patch.setattr(BillySource, "PAGE_SIZE", self.chance.choice((2, 3, 7)))

    def die(self) -> None:
        raise Killed

    def stop(self) -> None:
        self.patch.setattr(stopping, "asked", lambda: self.chance.random() < 0.3)


def come_what_may(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers take slice after slice, each a new one where the last died or stopped."""
    for _ in range(300):
        monkeypatch.setattr(stopping, "asked", lambda: False)
        try:
            runs.execute(run_id)
        except Killed:
            abandon(run_id)
        if fresh(run_id).state is not RunState.RUNNING:
            return


def abandon(run_id: str) -> None:
    """As if the lease of a dead worker had run out."""
    fresh(run_id).lease_until = utcnow() - timedelta(seconds=1)
    db.session.commit()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_between_two_requests_nothing_is_missed_or_counted_twice(ready, books, monkeypatch, seed):
    books.before = trouble = Trouble(seed, books, monkeypatch)
    monkeypatch.setattr(run_reading.Work, "is_over", property(lambda _work: trouble.chance.random() < 0.5))
    monkeypatch.setattr(run_reading, "_CHUNK", trouble.chance.choice((1, 3, 50)))
    monkeypatch.setattr(billy_client, "MAX_PASSES", 20)
    run_id = start(ready)
    come_what_may(run_id, monkeypatch)
    run, read = fresh(run_id), counted(run_id)
    assert (run.state, run.error) == (RunState.FINISHED, None)
    assert trouble.lasting <= set(read) and run.read == len(read)
    assert (run.queued, run.not_activated) == (queued := stage_count(Stage.QUEUED), run.read - queued)
    newest = max(one["approvedTime"] for one in books.invoices.values() if one["id"] in read)
    assert db.session.get_one(Adaptor, ready.id, populate_existing=True).watermark == newest


def stage_count(stage: Stage) -> int:
    return db.session.scalar(select(func.count()).where(Document.stage == stage)) or 0


def test_a_list_that_shrinks_between_two_slices_is_read_again_from_its_start(ready, books, short):
    """Without the largest total of the first slice nobody would notice: what lies on page 1 now was on page 2."""
    run_id = start(ready)
    assert runs.execute(run_id) and fresh(run_id).read == 5
    books.invoices["inv0002"]["state"] = "voided"
    to_its_end(run_id)
    assert counted(run_id) == sorted(books.invoices) and fresh(run_id).read == fresh(run_id).skipped + 23


def test_a_list_that_shrinks_in_every_pass_ends_the_run_with_words(ready, books, short):
    run_id, gone = start(ready), iter(sorted(books.invoices))

    def shrink(path: str) -> None:
        if path == "/invoices":
            books.invoices[next(gone)]["state"] = "voided"

    books.before = shrink
    while runs.execute(run_id):
        pass
    run = fresh(run_id)
    assert run.state is RunState.FAILED and "blev ved med at ændre sig" in run.error["da"] and run.cursor is None


def test_what_is_approved_between_two_slices_is_read_too(ready, books, short):
    run_id = start(ready)
    assert runs.execute(run_id)
    key = books.book()
    to_its_end(run_id)
    assert key in counted(run_id) and fresh(run_id).read == 24


def test_a_slice_whose_worker_is_killed_goes_on_where_its_last_chunk_ended(ready, books, short, monkeypatch):
    monkeypatch.setattr(run_reading, "_CHUNK", 2)
    run_id, real, kept = start(ready), run_reading._keep, []
    assert runs.execute(run_id)

    def die(*arguments: Any) -> None:
        kept.append(1)
        if len(kept) == 3:
            raise Killed
        real(*arguments)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(run_reading, "_keep", die)
        runs.execute(run_id)
    begun = fresh(run_id).started_at
    assert fresh(run_id).read == 9 and not runs.execute(run_id), "its lease still runs"
    abandon(run_id)
    books.asked.clear()
    to_its_end(run_id)
    run = fresh(run_id)
    assert (run.read, run.queued + run.not_activated, run.started_at) == (23, 23, begun)
    assert "/contacts" not in books.asked, "customers are read once"
    assert books.asked.count("/invoices") == 4, "the first page is not read again"


def test_a_worker_that_is_asked_to_stop_leaves_the_rest_to_the_next(ready, books, monkeypatch):
    monkeypatch.setattr(run_reading, "_CHUNK", 2)
    run_id, real = start(ready), run_reading._keep

    def stop(*arguments: Any) -> None:
        real(*arguments)
        monkeypatch.setattr(stopping, "asked", lambda: True)

    with monkeypatch.context() as patched:
        patched.setattr(run_reading, "_keep", stop)
        assert runs.execute(run_id) is True, "somebody is to be rung for"
    run = fresh(run_id)
    assert (run.state, run.read, run.lease_until < utcnow()) == (RunState.RUNNING, 2, True)
    monkeypatch.setattr(stopping, "asked", lambda: False)
    assert to_its_end(run_id) == 1 and fresh(run_id).read == 23 == len(counted(run_id))


def test_a_worker_that_is_asked_to_stop_while_it_reads_customers_has_them_read_again(ready, books, monkeypatch):
    run_id = start(ready)
    monkeypatch.setattr(stopping, "asked", lambda: True)
    assert runs.execute(run_id) is True and fresh(run_id).read == 0
    monkeypatch.setattr(stopping, "asked", lambda: False)
    books.asked.clear()
    assert to_its_end(run_id) == 1 and "/contacts" in books.asked


def test_a_small_companys_run_ends_while_a_big_one_has_slices_left(ready, second, opened, books, short, app):
    app.extensions["invoiceapp.redis"] = app.extensions["invoiceapp.bell"] = fakeredis.FakeStrictRedis(version=(7,))
    small = opened(db.session.get_one(Adaptor, second()))
    small.watermark = books.invoices["inv0021"]["approvedTime"]
    db.session.commit()
    big_id, small_id = start(ready), start(small)
    worker = AppWorker.serving([bell.Kind.FETCH], bell.bell_connection())
    worker.take_turns(burst=True, max_jobs=2)
    assert [(fresh(one).state, fresh(one).read) for one in (big_id, small_id)] == [
        (RunState.RUNNING, 5), (RunState.FINISHED, 3),
    ]  # fmt: skip
    worker.take_turns(burst=True)
    assert fresh(big_id).state is RunState.FINISHED and fresh(big_id).read == 23


def test_what_is_asked_for_between_two_slices_follows(ready, short):
    run_id = start(ready)
    assert runs.execute(run_id) and run_queue.ask_again(ready.id, "anna@nordlys.dk")
    to_its_end(run_id)
    assert run_queue.active(ready.id).actor == "anna@nordlys.dk"


def test_settings_that_change_between_two_slices_do_not_change_the_list(ready, books, short):
    run_id = start(ready)
    assert runs.execute(run_id)
    ready.watermark, ready.start_date = "2027-01-01T00:00:00", date(2027, 1, 1)
    db.session.commit()
    to_its_end(run_id)
    assert counted(run_id) == sorted(books.invoices)


def test_an_adaptor_that_is_switched_off_between_two_slices_reads_no_more(ready, short):
    run_id = start(ready)
    assert runs.execute(run_id)
    ready.active = False
    db.session.commit()
    assert runs.execute(run_id) is False
    assert fresh(run_id).state is RunState.FAILED and fresh(run_id).read == 5


def test_another_company_is_not_read_on_where_the_first_one_was_left(ready, short):
    run_id = start(ready)
    assert runs.execute(run_id)
    ready.organization = {**ready.organization, "id": "another"}
    db.session.commit()
    assert runs.execute(run_id) is False
    assert fresh(run_id).state is RunState.FAILED and "anden virksomhed" in fresh(run_id).error["da"]


def test_a_slice_that_was_taken_over_lets_nothing_go(ready, short, monkeypatch):
    run_id, real = start(ready), run_reading._let_go

    def taken_over(work: run_reading.Work) -> None:
        fresh(run_id).lease_token = "somebody else"
        db.session.commit()
        real(work)

    monkeypatch.setattr(run_reading, "_let_go", taken_over)
    assert runs.execute(run_id) is False
    run = fresh(run_id)
    assert run.state is RunState.RUNNING and run.lease_until > utcnow()


def test_a_run_that_the_release_before_left_half_read_is_counted_from_its_start(ready):
    """It noted no cursor."""
    run_id = start(ready)
    run = fresh(run_id)
    run.state, run.read, run.queued, run.lease_until = RunState.RUNNING, 9, 9, utcnow() - timedelta(seconds=1)
    db.session.commit()
    to_its_end(run_id)
    assert fresh(run_id).read == 23


def test_what_a_slice_leaves_to_the_next_stays_small(ready, books, short, monkeypatch):
    monkeypatch.setattr(run_cursor, "MOST_NAMED", 2)
    monkeypatch.setattr(run_cursor, "MOST_RETRIES", 3)
    for key in books.invoices:
        break_one(books, key)
    run_id = start(ready)
    while runs.execute(run_id):
        cursor = fresh(run_id).cursor
        assert len(cursor["unread"]["first"]) <= 2 and len(cursor["failed"]) <= 3
    run = fresh(run_id)
    assert (run.skipped, [one["id"] for one in run.problems]) == (23, ["inv0001", "inv0002", "…"])
    assert run.problems[-1]["da"] == "Yderligere 21 poster kunne heller ikke læses."
    assert db.session.get_one(Adaptor, ready.id, populate_existing=True).retry_ids == ["inv0021", "inv0022", "inv0023"]
