from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import event, insert, select
from support.moving import bring

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.jobs import tasks
from invoiceapp.models import Adaptor, Problem, ProblemDocument, Stage, db, new_id
from invoiceapp.services.daily import causes, listing, problems, tallies
from invoiceapp.services.database import transaction

S = DeliveryState
FINDING = {
    "rule": "BR-A", "severity": "fatal", "text": {"da": "Mangler EAN", "en": "No EAN"}, "turn": "source",
    "term": None, "location": None, "fix": "source.invoice",
}  # fmt: skip


@pytest.fixture
def block(make_customer, make_document, make_delivery):
    """``block(number, finding=FINDING)``: a document that one finding stops."""
    customer = make_customer()

    def make(number, finding=FINDING):
        return make_delivery(make_document(customer, number), S.BLOCKED, findings=[finding], next_at=None)

    return make


def all_problems() -> list[Problem]:
    db.session.expire_all()
    return list(db.session.scalars(select(Problem).order_by(Problem.id)))


def documents_of(problem: Problem) -> set[str]:
    query = select(ProblemDocument.document_id).where(ProblemDocument.problem_id == problem.id)
    return set(db.session.scalars(query))


def test_a_problem_opens_with_its_first_document_grows_and_is_resolved_with_the_last(adaptor, block):
    first = block("1")
    tasks.note_problems()
    [problem] = all_problems()
    assert problem.is_open and (problem.documents, problem.numbers, problem.status) == (1, ["1"], "blocked")
    second = block("2")
    tasks.note_problems()
    [problem] = all_problems()
    assert (problem.documents, problem.numbers) == (2, ["2", "1"])
    assert documents_of(problem) == {first.document_id, second.document_id}
    bring(first, S.SUPERSEDED)
    bring(second, S.SUPERSEDED)
    db.session.commit()
    tasks.note_problems()
    [problem] = all_problems()
    assert not problem.is_open and problems.of_adaptors([adaptor.id]) == []
    assert documents_of(problem) == {first.document_id, second.document_id}


def test_the_same_cause_after_it_was_resolved_is_a_new_problem(block):
    one = block("1")
    tasks.note_problems()
    bring(one, S.CANCELLED)
    db.session.commit()
    tasks.note_problems()
    [old] = all_problems()
    old.resolved_at -= problems.REOPENED_WITHIN
    block("2")
    tasks.note_problems()
    assert [problem.is_open for problem in all_problems()] == [False, True]


def test_a_cause_that_comes_back_at_once_is_the_same_problem(block):
    one = block("1")
    tasks.note_problems()
    began = all_problems()[0].created_at
    bring(one, S.CANCELLED)
    db.session.commit()
    tasks.note_problems()
    assert not all_problems()[0].is_open
    two = block("2")
    tasks.note_problems()
    [problem] = all_problems()
    assert (problem.is_open, problem.created_at, problem.documents) == (True, began, 1)
    assert documents_of(problem) == {one.document_id, two.document_id}


def test_what_is_only_converted_again_keeps_its_problem_open(block):
    document = block("1").document
    tasks.note_problems()
    for stage in (Stage.QUEUED, Stage.CONVERTED, Stage.HANDLED):
        document.stage = stage
        db.session.commit()
        tasks.note_problems()
        [problem] = all_problems()
        assert problem.is_open is (stage is not Stage.HANDLED)


def test_released_documents_stay_with_an_open_problem_and_those_that_another_stops_do_not(block):
    released, other, still = (block(number) for number in "123")
    tasks.note_problems()
    bring(released, S.DELIVERED)
    other.findings = [FINDING | {"rule": "BR-B"}]
    # Converted again.
    other.document.stage = Stage.QUEUED
    db.session.commit()
    other.document.stage = Stage.CONVERTED
    db.session.commit()
    tasks.note_problems()
    first, second = all_problems()
    assert (first.documents, documents_of(first)) == (1, {released.document_id, still.document_id})
    assert (second.rule, documents_of(second)) == ("BR-B", {other.document_id})


def test_only_differences_are_written_and_nothing_is_asked_for_each_problem(
    adaptor, block, make_customer, make_document
):
    for number in range(30):
        block(str(number), FINDING | {"rule": f"BR-{number}"})
    first = _statements(adaptor.id)
    make_document(make_customer("New", source_id="new"), "new", stage=Stage.LISTED)
    again = _statements(adaptor.id)
    assert len(first) < 25 and len(again) < 20 and len(all_problems()) == 30
    assert not [one for one in again if one.split()[0] in ("INSERT", "UPDATE", "DELETE") and "problem" in one]
    # Whoever converts waits for the adaptor: nothing but the fold comes after its lock.
    locked = next(n for n, one in enumerate(first) if one.startswith("SELECT adaptor.id \n"))
    assert not [one for one in first[locked:] if "problem" in one or "FROM document" in one]


def _statements(adaptor_id: str) -> list[str]:
    asked = list[str]()
    listen = lambda *arguments: asked.append(arguments[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    problems.refresh(adaptor_id)
    event.remove(db.engine, "before_cursor_execute", listen)
    return asked


def test_others_write_while_causes_are_looked_for(app, adaptor, block, monkeypatch):
    block("1")
    look, adaptor_id = causes.of_adaptor, adaptor.id
    db.session.commit()

    def write() -> None:
        with app.app_context(), transaction() as session:
            session.get_one(Adaptor, adaptor_id).name = "Written meanwhile"

    def slow(one):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write).result(timeout=10)
        return look(one)

    monkeypatch.setattr(causes, "of_adaptor", slow)
    problems.refresh(adaptor_id)
    assert adaptor.name == "Written meanwhile" and len(all_problems()) == 1


def test_an_adaptor_that_raises_keeps_no_other_from_being_looked_at(adaptor, block, monkeypatch, caplog):
    block("1")
    monkeypatch.setattr(problems, "dirty", lambda: ["no such adaptor", adaptor.id])
    tasks.note_problems()
    assert len(all_problems()) == 1 and "no such adaptor" in caplog.text


def test_open_problems_are_read_page_by_page(adaptor, block):
    for number in range(5):
        for _ in range(1 + number % 2):
            block(new_id(), FINDING | {"rule": f"BR-{number}"})
    tasks.note_problems()
    problems.sync(adaptor.id, problems.ADAPTOR, [replace(causes.of_adaptor(adaptor.id)[0], key="k", document_ids=())])
    db.session.commit()
    everything = problems.of_adaptors([adaptor.id])
    found: list[Problem] = []
    while part := problems.of_adaptors([adaptor.id], 2, problems.cursor(found[-1]) if found else ""):
        found += part
    assert [row.documents for row in found] == [0, 2, 2, 1, 1, 1] and found == everything
    assert problems.count([adaptor.id]) == 6
    for nonsense in ("x", "document~~", "document~²~x", "document~9~\0"):
        assert problems.of_adaptors([adaptor.id], None, nonsense) == everything


def test_what_has_not_moved_is_not_looked_for_again(adaptor, block, monkeypatch):
    block("1")
    assert problems.dirty() == [adaptor.id]
    tasks.note_problems()
    assert problems.dirty() == []
    monkeypatch.setattr(causes, "of_adaptor", None)
    tasks.note_problems()


def test_what_moves_while_causes_are_looked_for_is_looked_at_next_time(adaptor, block, monkeypatch):
    block("1")
    look = causes.of_adaptor

    def late(adaptor_id):
        found = look(adaptor_id)
        block("2")
        return found

    monkeypatch.setattr(causes, "of_adaptor", late)
    problems.refresh(adaptor.id)
    monkeypatch.undo()
    assert problems.of_adaptors([adaptor.id])[0].documents == 1 and problems.dirty() == [adaptor.id]
    tasks.note_problems()
    assert problems.of_adaptors([adaptor.id])[0].documents == 2


def test_who_looked_earlier_and_comes_later_changes_nothing(adaptor, block, monkeypatch):
    block("1")
    look = causes.of_adaptor

    def overtaken(adaptor_id):
        found = look(adaptor_id)
        monkeypatch.undo()
        block("2")
        problems.refresh(adaptor_id)
        return found

    monkeypatch.setattr(causes, "of_adaptor", overtaken)
    problems.refresh(adaptor.id)
    assert problems.of_adaptors([adaptor.id])[0].documents == 2 and problems.dirty() == []


def test_a_worker_that_dies_before_the_end_loses_nothing(adaptor, block, monkeypatch):
    block("1")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tallies, "fold", die)
    with pytest.raises(KeyboardInterrupt):
        problems.refresh(adaptor.id)
    monkeypatch.undo()
    assert problems.dirty() == [adaptor.id] and listing.counts([adaptor.id])["blocked"] == 1
    tasks.note_problems()
    assert len(problems.of_adaptors([adaptor.id])) == 1


def test_two_who_look_at_once_open_one_problem(app, adaptor, block):
    block("1")
    adaptor_id = adaptor.id
    db.session.commit()

    def look() -> None:
        with app.app_context():
            problems.refresh(adaptor_id)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(look) for _ in range(2)]:
            done.result()
    assert len(all_problems()) == 1


def test_problems_of_the_adaptor_itself_are_kept_apart(adaptor, block):
    block("1")
    tasks.note_problems()
    [found] = causes.of_adaptor(adaptor.id)
    problems.sync(adaptor.id, problems.ADAPTOR, [])
    db.session.commit()
    assert [(row.level, row.key) for row in problems.of_adaptors([adaptor.id])] == [("document", found.key)]


def test_whether_anything_moved_is_one_look_at_the_news_however_many_adaptors(adaptor, block):
    columns = {"subscription_id": adaptor.subscription_id, "source_kind": "billy", "settings": {}}
    db.session.execute(insert(Adaptor), [{**columns, "id": new_id(), "name": str(n)} for n in range(300)])
    block("1")
    wanted, asked = adaptor.id, list[str]()
    listen = lambda *arguments: asked.append(arguments[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    assert problems.dirty() == [wanted]
    event.remove(db.engine, "before_cursor_execute", listen)
    assert [one for one in asked if "FROM tally" in one and "is_news" in one] == [asked[-1]]
    assert not [one for one in asked if "FROM adaptor" in one]
