"""What is asked while other documents are converted: the same answers at the same place, within bounds."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from flask import has_app_context
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Delivery, Document, Stage, db, utcnow
from invoiceapp.services import bell, stopping
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import ahead, archive, conversion, runs
from invoiceapp.sources.base import Channel, NotFound, SentItself, SourceUnavailable
from invoiceapp.sources.billy.client import BillyClient
from invoiceapp.sources.billy.source import BillySource

S = DeliveryState
DOWN = SourceUnavailable(Text("Billy svarer ikke.", "Billy does not answer."))
NUMBERS = ("1001", "1002", "1003", "1004", "1005")
SECONDS = 10


def again(document_id: str) -> Document:
    return db.session.get_one(Document, document_id, populate_existing=True)


def only_delivery(document_id: str) -> Delivery:
    return db.session.scalars(select(Delivery).where(Delivery.document_id == document_id)).one()


def threads_left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.fixture
def waiting(queued) -> list[str]:
    """Ids of five documents, in the order in which they are converted."""
    return [queued(number).id for number in NUMBERS]


@pytest.fixture
def while_the_first(monkeypatch):
    """``while_the_first(act)``: what happens while the first document of the batch is rendered."""

    def arrange(act):
        real, acts = conversion.render, [act]

        def render(*given, **more):
            while acts:
                acts.pop()()
            return real(*given, **more)

        monkeypatch.setattr(conversion, "render", render)

    return arrange


def heard_of(shelf, count: int) -> threading.Event:
    """Set once ``shelf`` was asked for so many PDFs."""
    heard, real = threading.Event(), shelf.pdf

    def pdf(source, document_id):
        answer = real(source, document_id)
        if len(shelf.asked) >= count:
            heard.set()
        return answer

    shelf.pdf = pdf
    return heard


def test_the_next_ones_are_asked_about_while_the_first_is_converted(waiting, shelf, while_the_first):
    heard = heard_of(shelf, len(waiting))
    while_the_first(lambda: heard.wait(SECONDS) or pytest.fail("nobody asks ahead"))
    assert conversion.convert_due() == len(waiting)
    assert {only_delivery(key).state for key in waiting} == {S.PENDING}
    assert len(shelf.asked) == len(set(shelf.asked)) == len(waiting), "each is asked about once"


def test_what_asks_ahead_knows_neither_app_nor_database_and_uses_each_source_alone(waiting, shelf, monkeypatch):
    used, together = Counter(), []

    def pdf(source, _document_id):
        used[id(source)] += 1
        together.append((used[id(source)], has_app_context()))
        threading.Event().wait(0.01)
        used[id(source)] -= 1
        return b"%PDF"

    monkeypatch.setattr(BillySource, "pdf", pdf)
    conversion.convert_due()
    assert together == [(1, False)] * len(waiting)


@pytest.mark.parametrize("number", [0, 3])
def test_an_error_of_one_is_told_at_its_turn_and_spoils_no_other(waiting, shelf, number):
    bad, real = again(waiting[number]).source_id, shelf.pdf

    def pdf(source, document_id):
        real(source, document_id)
        if document_id == bad:
            raise DOWN
        return b"%PDF"

    shelf.pdf = pdf
    conversion.convert_due()
    for key in waiting:
        document = again(key)
        if document.source_id == bad:
            assert (document.stage, document.tries) == (Stage.QUEUED, 1)
            assert document.error["da"] == "Billy svarer ikke." and document.lease_until > utcnow()
        else:
            assert document.stage is Stage.CONVERTED


def test_a_fault_of_ours_in_a_thread_is_told_as_one_in_the_worker(waiting, shelf):
    def pdf(_source, _document_id):
        raise ZeroDivisionError

    shelf.pdf = pdf
    conversion.convert_due()
    assert all("prøver igen" in again(key).error["da"] and again(key).tries == 1 for key in waiting)


def test_what_needs_no_question_is_not_asked_about(waiting, shelf, adaptor):
    kept, adaptor_id = archive.store(b"%PDF kept"), adaptor.id
    db.session.get_one(Adaptor, adaptor_id).settings = {
        "general": {"alreadyMailed": "send", "alreadyEinvoiced": "send"}
    }
    for key in waiting[1:]:
        again(key).pdf_sha256 = kept
    db.session.commit()
    first = again(waiting[0]).source_id
    conversion.convert_due()
    assert shelf.asked == [first] and shelf.asked_about == []


def test_what_the_settings_leave_out_or_a_start_date_excludes_is_not_asked_about(waiting, shelf, adaptor):
    adaptor.settings = {"general": {"documentTypes": "credit-notes"}}
    db.session.commit()
    conversion.convert_due()
    assert shelf.asked == [] and {again(key).stage for key in waiting} == {Stage.LISTED}


def test_one_that_is_skipped_for_its_own_sending_needs_no_pdf(waiting, shelf):
    shelf.sent = [SentItself(Channel.EINVOICE, None, "received")]
    conversion.convert_due()
    assert shelf.asked == [] and len(shelf.asked_about) == len(waiting)
    assert {again(key).stage for key in waiting} == {Stage.SKIPPED}


def test_settings_saved_meanwhile_are_obeyed_by_those_that_were_asked_about_before(
    waiting, shelf, adaptor, while_the_first
):
    adaptor_id = adaptor.id
    db.session.get_one(Adaptor, adaptor_id).settings = {"general": {"alreadyMailed": "send"}}
    db.session.commit()
    heard = heard_of(shelf, len(waiting))

    def save():
        assert heard.wait(SECONDS)
        db.session.get_one(Adaptor, adaptor_id).settings = {}
        db.session.commit()

    while_the_first(save)
    conversion.convert_due()
    both = [frozenset(Channel)] * (len(waiting) - 1)
    assert shelf.asked_about == [frozenset({Channel.EINVOICE})] * len(waiting) + both


def test_an_answer_that_waited_too_long_is_asked_for_anew(waiting, shelf, monkeypatch):
    monkeypatch.setattr(ahead, "FRESH", -1)
    conversion.convert_due()
    counted = Counter(shelf.asked)
    assert set(counted.values()) == {2} and len(counted) == len(waiting)


def test_no_more_documents_are_asked_about_than_may_wait(waiting, shelf, while_the_first, monkeypatch):
    monkeypatch.setattr(ahead, "MOST_AHEAD", 2)
    heard, asked = heard_of(shelf, 3), []

    def look():
        assert heard.wait(SECONDS)
        asked[:] = shelf.asked

    while_the_first(look)
    conversion.convert_due()
    assert len(asked) == 3 and len(shelf.asked) == len(waiting)


def test_no_more_is_held_than_fits_into_memory(app, monkeypatch):
    """Each is as large as all may be together: only one at a time waits for its turn."""
    monkeypatch.setattr(ahead, "MOST_BYTES", 1_000)
    asked, most = [], []

    class Large:
        label = BillySource.label

        def check(self):
            raise AssertionError("its company is not known")

        def pdf(self, document_id):
            asked.append(document_id)
            return bytes(1_000)

        def close(self):
            asked.append("closed")

    monkeypatch.setattr(ahead.sources, "opener", lambda _adaptor: Large)
    monkeypatch.setattr(ahead, "THREADS", 1)
    adaptor = Adaptor(id="a", organization=None)
    ids = [str(number) for number in range(ahead.MOST_AHEAD * 2)]

    def ask_for(document_id):
        return ahead.Question(document_id, adaptor, lambda source: source.pdf(document_id))

    with ahead.Ahead() as some:
        some.expect(map(ask_for, ids))
        for document_id in ids:
            some.turn_of(document_id)
            most.append(len(some._asked))
            assert len(some.source(adaptor).pdf(document_id)) == 1_000
    # Before the first answer nobody knows how large they are.
    assert set(most[ahead.MOST_AHEAD + 1 : -1]) == {1}
    assert Counter(asked)["closed"] >= 1 and threads_left() == []


def test_a_batch_that_is_given_back_leaves_no_thread_and_no_open_source(waiting, shelf, while_the_first, monkeypatch):
    opened, closed, asked = [], [], threading.Event()
    real = BillySource.__init__

    def count(source, *given, **more):
        real(source, *given, **more)
        opened.append(source)

    monkeypatch.setattr(BillySource, "__init__", count)
    monkeypatch.setattr(BillySource, "close", lambda source: closed.append(source))
    monkeypatch.setattr(stopping, "asked", asked.is_set)
    while_the_first(asked.set)
    conversion.convert_due()
    assert threads_left() == [] and set(map(id, opened)) == set(map(id, closed)) and opened
    # PostgreSQL claims in no certain order.
    rest = [document for document in map(again, waiting) if document.stage is not Stage.CONVERTED]
    assert len(rest) == len(waiting) - 1
    assert {(one.stage, one.lease_token, one.tries) for one in rest} == {(Stage.QUEUED, None, 0)}


def test_a_worker_that_is_struck_down_within_a_batch_leaves_no_thread(waiting, while_the_first):
    def strike():
        raise KeyboardInterrupt

    while_the_first(strike)
    with pytest.raises(KeyboardInterrupt):
        conversion.convert_due()
    assert threads_left() == []


def test_another_companys_books_are_asked_nothing_whoever_asks(waiting, shelf):
    shelf.company = shelf.company.__class__("another", "En anden ApS", "1", "DK", "DKK")
    conversion.convert_due()
    assert (shelf.asked, shelf.asked_about, shelf.checked) == ([], [], 1)
    assert all("En anden ApS" in again(key).error["da"] and again(key).tries == 1 for key in waiting)


def test_one_that_needs_no_question_waits_too_where_the_books_are_anothers(waiting, shelf, adaptor):
    adaptor.settings = {"general": {"alreadyMailed": "send", "alreadyEinvoiced": "send"}}
    again(waiting[0]).pdf_sha256 = archive.store(b"%PDF kept")
    shelf.company = shelf.company.__class__("another", "En anden ApS", "1", "DK", "DKK")
    db.session.commit()
    conversion.convert_due(1)
    assert again(waiting[0]).stage is Stage.QUEUED and "En anden ApS" in again(waiting[0]).error["da"]


def test_a_token_that_cannot_be_read_keeps_back_its_own_adaptors_documents_only(
    waiting, copied, second, shelf, monkeypatch
):
    other = second(organization=None)
    bad, real = copied(again(waiting[0]), other, number="9001").id, conversion.sources.opener

    def opener(adaptor):
        if adaptor.id == other:
            raise ServiceError(Text("En gemt adgangskode kan ikke læses.", "A saved password cannot be read."))
        return real(adaptor)

    monkeypatch.setattr(conversion.sources, "opener", opener)
    conversion.convert_due()
    assert again(bad).stage is Stage.QUEUED and "adgangskode" in again(bad).error["da"]
    assert {again(key).stage for key in waiting} == {Stage.CONVERTED}


def test_one_that_waits_for_another_adaptors_document_is_not_asked_about_each_time_that_is_looked_at(waiting, shelf):
    for key in waiting:
        again(key).error = {"da": "venter", "en": "waits", "holder": "somebody"}
    db.session.commit()
    works = conversion.loading.of_batch(conversion.claim())
    assert len(works) == len(waiting) and conversion.expecting.questions(works.values()) == []


@pytest.mark.parametrize(("limit", "told_before"), [(2, ["convert"]), (len(NUMBERS) + 1, [])])
def test_a_full_batch_wakes_another_worker_before_its_own_work(
    waiting, while_the_first, monkeypatch, limit, told_before
):
    told, before = [], []
    monkeypatch.setattr(bell, "ring", lambda task, *_ids: bool(told.append(task)) or True)
    while_the_first(lambda: before.extend(told))
    conversion.convert_due(limit)
    assert before == told_before and told == [*told_before, "deliver"]


@pytest.fixture
def calls(monkeypatch) -> Counter[str]:
    """What Billy is asked, by kind."""
    counted: Counter[str] = Counter()
    real_json, real_download = BillyClient._json, BillyClient.download

    def json(client, path, params):
        counted[path.split("/")[1]] += 1
        return real_json(client, path, params)

    def download(client, url):
        counted["pdf"] += 1
        return real_download(client, url)

    monkeypatch.setattr(BillyClient, "_json", json)
    monkeypatch.setattr(BillyClient, "download", download)
    return counted


@pytest.mark.server
@pytest.mark.parametrize(
    ("general", "of_each"),
    [
        ({}, ["invoiceLogs"]),
        ({"alreadyMailed": "send"}, ["invoiceLogs"]),
        ({"alreadyEinvoiced": "send"}, []),
    ],
)
def test_a_document_takes_its_record_its_log_and_its_pdf_and_a_batch_one_look_at_the_company(
    activated, calls, general, of_each
):
    adaptor_id = activated.id
    activated.settings = {"general": general}
    db.session.commit()
    runs.execute(runs.start(adaptor_id, trigger="manual", actor="test").id)
    calls.clear()
    count = conversion.convert_due(20)
    assert count == 20
    # One that Billy has sent itself needs no PDF, and of some Billy has none.
    pdfs = db.session.scalars(select(Document.id).where(Document.pdf_sha256.is_not(None), ~Document.pdf_is_own)).all()
    expected = dict.fromkeys(("invoices", *of_each), count) | {"organization": 1, "pdf": len(pdfs)}
    assert dict(calls) == expected and 0 < len(pdfs) <= count


def test_a_document_that_is_gone_at_the_source_goes_on_with_a_pdf_of_ours(waiting, shelf):
    shelf.sent = shelf.answer = NotFound(Text("Væk.", "Gone."))
    conversion.convert_due()
    assert all(again(key).pdf_is_own for key in waiting)
