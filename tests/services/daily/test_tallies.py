from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import func, insert, select

from invoiceapp.models import Adaptor, Document, Stage, Tally, db, new_id
from invoiceapp.services.daily import listing, tallies
from invoiceapp.services.daily.tallies import TakenMeanwhile
from invoiceapp.services.database import transaction


def take_all(adaptor_id: str) -> None:
    with transaction():
        tallies.fold(adaptor_id, tallies.take(adaptor_id, tallies.news(adaptor_id)))


def rows(adaptor_id: str) -> list[tuple[str, int, bool]]:
    query = select(Tally.status, Tally.documents, Tally.is_news).where(Tally.adaptor_id == adaptor_id)
    return sorted((row.status, row.documents, row.is_news) for row in db.session.execute(query))


def test_news_become_one_row_a_day_and_status_and_what_is_none_goes(adaptor, make_customer, make_document):
    customer = make_customer()
    documents = [make_document(customer, str(number), stage=Stage.LISTED) for number in range(3)]
    documents[0].stage = Stage.QUEUED
    db.session.commit()
    documents[0].stage = Stage.HANDLED
    db.session.commit()
    assert len(rows(adaptor.id)) == 7
    take_all(adaptor.id)
    assert rows(adaptor.id) == [("handled", 1, False), ("listed", 2, False)]
    documents[1].stage = Stage.HANDLED
    make_document(customer, "of another day", stage=Stage.HANDLED, issue_date=date(2026, 1, 1))
    take_all(adaptor.id)
    assert rows(adaptor.id) == [("handled", 1, False), ("handled", 2, False), ("listed", 1, False)]
    assert listing.counts([adaptor.id])["handled"] == 3


def test_only_adaptors_with_news_have_moved(adaptor, subscription, make_customer, make_document):
    other = Adaptor(id=new_id(), subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    assert tallies.moved() == []
    make_document(make_customer())
    assert tallies.moved() == [adaptor.id]
    take_all(adaptor.id)
    assert tallies.moved() == []


def test_what_moves_after_the_news_were_read_stays_news(adaptor, make_customer, make_document):
    customer = make_customer()
    make_document(customer, "1")
    seen = tallies.news(adaptor.id)
    make_document(customer, "2")
    with transaction():
        tallies.take(adaptor.id, seen)
    assert tallies.moved() == [adaptor.id] and len(tallies.news(adaptor.id)) == 1


def test_news_are_taken_once_and_the_second_changes_nothing(adaptor, make_customer, make_document):
    customer = make_customer()
    make_document(customer, "1")
    seen = tallies.news(adaptor.id)
    take_all(adaptor.id)
    make_document(customer, "2")
    more = tallies.news(adaptor.id)
    before = rows(adaptor.id)
    with pytest.raises(TakenMeanwhile), transaction():
        tallies.take(adaptor.id, seen + more)
    assert rows(adaptor.id) == before


def test_who_counts_while_others_move_and_take_always_finds_every_document(app, adaptor, make_customer, make_document):
    customer, adaptor_id = make_customer(), adaptor.id
    ids = [make_document(customer, str(number), stage=Stage.LISTED).id for number in range(12)]
    stop = threading.Event()

    def move() -> None:
        with app.app_context():
            for stage in (Stage.QUEUED, Stage.HANDLED):
                for one in ids:
                    with transaction() as session:
                        session.get_one(Document, one, populate_existing=True).stage = stage
            stop.set()

    def take() -> int:
        done = 0
        with app.app_context():
            while not stop.wait(0.01):
                try:
                    take_all(adaptor_id)
                    done += 1
                except TakenMeanwhile:
                    pass
        return done

    db.session.commit()
    totals = set()
    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(work) for work in (move, take, take)]
        while not stop.wait(0.01):
            totals.add(listing.counts([adaptor_id])["total"])
            db.session.rollback()
        taken = [one.result() for one in working[1:]]
    take_all(adaptor_id)
    assert totals == {12} and sum(taken) > 0
    assert rows(adaptor_id) == [("handled", 12, False)]


def test_a_large_backlog_is_taken_in_parts(adaptor, monkeypatch):
    monkeypatch.setattr(tallies, "MOST_NEWS", 40)
    monkeypatch.setattr(tallies, "_CHUNK", 7)
    one = {"adaptor_id": adaptor.id, "day": date(2026, 1, 1), "status": "listed", "documents": 1, "is_news": True}
    db.session.execute(insert(Tally), [one] * 100)
    db.session.commit()
    for left in (60, 20, 0):
        take_all(adaptor.id)
        assert db.session.scalar(select(func.count()).where(Tally.is_news)) == left
    assert rows(adaptor.id) == [("listed", 100, False)]
