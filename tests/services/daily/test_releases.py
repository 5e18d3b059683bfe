"""Fix once, release many: one job for all that a problem stopped, and figures that say where they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Job, Problem, Stage, db, utcnow
from invoiceapp.services import background, bell
from invoiceapp.services.configuration import releasing
from invoiceapp.services.daily import bulk_jobs, listing, problems, releases
from invoiceapp.services.daily.listing import Filter, View
from invoiceapp.services.daily.releases import Whereabouts
from invoiceapp.services.errors import Conflict
from invoiceapp.services.export import actions

S = DeliveryState
ACTOR = "ejer@example.com"
MISSING = [
    {
        "severity": "fatal", "rule": "R-1", "turn": "here", "fix": "customer.gln",
        "text": {"da": "Kunden har intet EAN-nummer.", "en": "The customer has no EAN."},
    }
]  # fmt: skip
Make = Callable[..., Delivery]


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell, "ring", lambda *_: None)


def problem_of(adaptor: Adaptor) -> Problem:
    problems.refresh(adaptor.id)
    [found] = problems.of_adaptors([adaptor.id])
    return found


def work(job_id: str) -> Job:
    while background.execute(job_id, {bulk_jobs.KIND: bulk_jobs.run}):
        pass
    return db.session.get_one(Job, job_id, populate_existing=True)


def test_all_documents_of_a_blocked_problem_are_rebuilt_and_no_others(
    adaptor: Adaptor, ready: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("1", "2", "3"):
        ready(number, S.BLOCKED, findings=MISSING)
    problem = problem_of(adaptor)
    ready("9", S.BLOCKED, findings=[MISSING[0] | {"rule": "R-2"}])
    rebuilt: list[str] = []
    monkeypatch.setattr(actions, "rebuild", lambda document, _actor: rebuilt.append(document.number))

    job = work(releases.release(problem, ACTOR))

    assert sorted(rebuilt) == ["1", "2", "3"]
    assert (job.done, job.total) == (3, 3)
    found = releases.job_of(problem)
    assert found is not None
    assert found.id == job.id


@pytest.mark.parametrize(
    ("state", "name"),
    [(S.BLOCKED, "rebuild"), (S.FAILED, "try-again"), (S.OUTCOME_UNKNOWN, "ask-again"), (S.REJECTED, None)],
)
def test_what_releases_depends_on_where_the_documents_are(
    adaptor: Adaptor, ready: Make, state: DeliveryState, name: str | None
) -> None:
    ready("1", state, findings=MISSING if state is S.BLOCKED else [])
    action = releases.release_of(problem_of(adaptor))
    assert (action.name if action else None) == name


def test_what_was_rejected_is_not_released_but_can_be_handled_outside(adaptor: Adaptor, ready: Make) -> None:
    ready("1", S.REJECTED)
    problem = problem_of(adaptor)
    with pytest.raises(Conflict):
        releases.release(problem, ACTOR)
    work(releases.handle_outside(problem, "Sendt med posten", ACTOR))
    problems.refresh(adaptor.id)
    assert problems.of_adaptors([adaptor.id]) == []
    assert [one.id for one in releases.resolved([adaptor.id])] == [problem.id]
    assert releases.whereabouts(problem.id) == Whereabouts(elsewhere=1)
    assert releases.release_of(problem) is None


def test_the_page_knows_at_once_what_the_settings_have_released_already(adaptor: Adaptor, ready: Make) -> None:
    made = [ready(str(number), S.BLOCKED, findings=MISSING) for number in range(5)]
    problem = problem_of(adaptor)
    assert releases.whereabouts(problem.id) == Whereabouts(stopped=5)
    concerned = [one.document_id for one in made[:3]]
    assert releasing.let_go(Document.id.in_(concerned)) == 3
    found = releases.whereabouts(problem.id)
    assert found == Whereabouts(stopped=2, on_the_way=3)
    assert (found.released, found.total) == (3, 5)
    problems.refresh(adaptor.id)
    assert (problem.documents, releases.whereabouts(problem.id)) == (2, found)
    still = [row.document.id for row in listing.page([adaptor.id], View(Filter(problem_id=problem.id))).rows]
    assert still == [one.document_id for one in reversed(made[3:])]
    job = work(releases.handle_outside(problem, "Fax", ACTOR))
    assert (job.total, bulk_jobs.result_of(job).left_out_count) == (2, 0)


def test_a_problem_that_comes_back_names_the_one_of_now(adaptor: Adaptor, ready: Make) -> None:
    delivery = ready("1", S.BLOCKED, findings=MISSING)
    old = problem_of(adaptor)
    assert releases.successor(old) is None
    delivery.document.stage = Stage.HANDLED
    db.session.commit()
    problems.refresh(adaptor.id)
    assert releases.successor(old) is None
    old.resolved_at = utcnow() - timedelta(hours=1)
    delivery.document.stage = Stage.CONVERTED
    db.session.commit()
    now = problem_of(adaptor)
    found = releases.successor(old)
    assert found is not None
    assert found.id == now.id != old.id


def test_problems_resolved_long_ago_are_no_longer_listed(adaptor: Adaptor, ready: Make) -> None:
    ready("1", S.FAILED)
    problem = problem_of(adaptor)
    problem.resolved_at = utcnow() - timedelta(days=31)
    db.session.commit()
    assert releases.resolved([adaptor.id]) == []
