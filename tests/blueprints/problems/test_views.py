"""The problem page: what happened, whose turn, fix once, release many."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from invoiceapp.domain.delivery import NEEDS_PERSON, DeliveryState
from invoiceapp.models import Adaptor, Customer, Delivery, Document, Gateway, Job, Problem, Stage, User, db, utcnow
from invoiceapp.services import bell
from invoiceapp.services.daily import problems

S = DeliveryState
Submit = Callable[..., TestResponse]
MISSING = [
    {
        "severity": "fatal", "rule": "R-1", "turn": "here", "fix": "customer.gln",
        "text": {"da": "Kunden har intet EAN-nummer. Skriv det.", "en": "The customer has no EAN. Write it."},
    }
]  # fmt: skip


@pytest.fixture(autouse=True)
def english(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.language = "en"
    db.session.commit()
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def stopped(adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any) -> Callable[..., Problem]:
    """``stopped(3, state)``: a problem with so many documents of one customer."""

    def make(count: int, state: DeliveryState = S.BLOCKED) -> Problem:
        customer: Customer = make_customer("Kommune X")
        for number in range(count):
            document: Document = make_document(customer, str(number + 1))
            make_delivery(document, state, findings=MISSING if state is S.BLOCKED else [])
        problems.refresh(adaptor.id)
        [found] = problems.of_adaptors([adaptor.id])
        return found

    return make


def text_of(response: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))).split())


def jobs() -> int:
    return db.session.scalar(select(func.count()).select_from(Job)) or 0


def test_the_page_names_the_cause_the_fix_and_the_release(
    signed_in: FlaskClient, stopped: Callable[..., Problem]
) -> None:
    problem = stopped(20)
    page = signed_in.get(f"/problems/{problem.id}")
    text = text_of(page)
    assert "Kommune X: The customer has no EAN: 20 documents" in text
    assert text.index("Your turn, here") < text.index("1. Correct it") < text.index("Build and send all 20 again")
    assert f'href="/customers/{problem.customer_id}?group=' in page.get_data(as_text=True)
    assert "20 documents wait for the correction." in text


def test_one_click_releases_all_and_two_make_one_job(
    signed_in: FlaskClient, submit: Submit, stopped: Callable[..., Problem]
) -> None:
    problem = stopped(3)
    first, second = (submit(signed_in, f"/problems/{problem.id}/release") for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    assert jobs() == 1
    assert "Read again and rebuild" in text_of(signed_in.get(f"/problems/{problem.id}/live?steps=111"))
    changed = signed_in.get(f"/problems/{problem.id}/live?steps=101")
    assert (changed.status_code, changed.headers["HX-Refresh"]) == (286, "true")


def test_the_poll_says_truthfully_what_is_on_its_way(signed_in: FlaskClient, stopped: Callable[..., Problem]) -> None:
    problem = stopped(5)
    for document in db.session.scalars(select(Document).limit(3)):
        document.stage = Stage.QUEUED
    db.session.commit()
    problems.refresh(problem.adaptor_id)
    live = signed_in.get(f"/problems/{problem.id}/live?steps=101")
    assert live.status_code == 200
    assert "3 of 5 are already on their way or have arrived. 2 still wait for the correction." in text_of(live)


def test_a_resolved_problem_says_when_and_what_became_of_its_documents(
    signed_in: FlaskClient, adaptor: Adaptor, stopped: Callable[..., Problem]
) -> None:
    problem = stopped(2)
    for delivery in db.session.scalars(select(Delivery)):
        delivery.state = S.PENDING
    db.session.commit()
    problems.refresh(adaptor.id)
    live = signed_in.get(f"/problems/{problem.id}/live?steps=101")
    assert (live.status_code, live.headers["HX-Refresh"]) == (286, "true")
    text = text_of(signed_in.get(f"/problems/{problem.id}"))
    assert "Resolved" in text
    assert "2 documents are on their way or have arrived." in text
    assert "1. Correct it" not in text
    index = text_of(signed_in.get("/problems"))
    assert "Nothing needs you" in index
    assert "Resolved in the last 30 days Kommune X: The customer has no EAN" in index


def test_what_was_rejected_offers_what_is_allowed_and_says_so(
    signed_in: FlaskClient, submit: Submit, stopped: Callable[..., Problem]
) -> None:
    problem = stopped(2, S.REJECTED)
    page = signed_in.get(f"/problems/{problem.id}")
    assert "What has been sent cannot be built anew." in text_of(page)
    assert 'id="release"' not in page.get_data(as_text=True)
    assert submit(signed_in, f"/problems/{problem.id}/release").location == f"/problems/{problem.id}"
    other = submit(signed_in, f"/bulk?adaptor={problem.adaptor_id}&problem={problem.id}", {"everything": "1"})
    assert "Mark as handled outside · 2 of 2 documents" in text_of(other)
    assert jobs() == 0


def test_all_are_handled_outside_with_a_reason(
    signed_in: FlaskClient, submit: Submit, stopped: Callable[..., Problem]
) -> None:
    problem = stopped(2)
    refused = submit(signed_in, f"/problems/{problem.id}/handle", {"note": " "})
    assert refused.status_code == 422
    long = submit(signed_in, f"/problems/{problem.id}/handle", {"note": "Sendt med posten " * 100})
    assert long.status_code == 422
    assert "Sendt med posten Sendt" in text_of(long)
    assert jobs() == 0
    assert "/bulk/jobs/" in submit(signed_in, f"/problems/{problem.id}/handle", {"note": "Fax"}).location


def test_problems_of_the_adaptor_itself_have_a_fix_and_no_documents(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway
) -> None:
    problem = Problem(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, level="adaptor", key="k", rule="gateway.paused",
        text={"da": "Gatewayen er sat på pause.", "en": "The gateway is paused."}, turn="here", gateway_id=gateway.id,
        changed_at=utcnow(),
    )  # fmt: skip
    db.session.add(problem)
    db.session.commit()
    page = signed_in.get(f"/problems/{problem.id}")
    assert page.status_code == 200
    assert f'href="/gateways/{gateway.id}"' in page.get_data(as_text=True)
    assert "2. Send the documents" not in text_of(page)


def test_members_may_release(member: FlaskClient, submit: Submit, stopped: Callable[..., Problem]) -> None:
    assert "/bulk/jobs/" in submit(member, f"/problems/{stopped(1).id}/release").location


def test_strangers_see_and_do_nothing(stranger: FlaskClient, submit: Submit, stopped: Callable[..., Problem]) -> None:
    problem = stopped(1)
    for address in (
        f"/problems/{problem.id}",
        f"/problems/{problem.id}/live",
        f"/problems?adaptor={problem.adaptor_id}",
    ):
        assert stranger.get(address).status_code == 404
    assert "no EAN" not in text_of(stranger.get("/problems"))
    for name in ("release", "handle"):
        assert submit(stranger, f"/problems/{problem.id}/{name}", {"note": "x"}).status_code == 404
    assert jobs() == 0


def test_many_causes_are_read_page_by_page(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    kept = {"subscription_id": adaptor.subscription_id, "adaptor_id": adaptor.id, "rule": "R", "turn": "here"}
    db.session.add_all(
        Problem(key=str(n), text={"da": f"Fejl {n}.", "en": f"Fault {n}."}, documents=1, **kept)
        for n in range(problems.PAGE + 2)
    )
    db.session.commit()
    first = signed_in.get("/problems").get_data(as_text=True)
    more = re.search(r'id="more" href="([^"]+)"', first)
    assert first.count('id="problem-') == problems.PAGE
    assert more is not None
    second = signed_in.get(unescape(more[1])).get_data(as_text=True)
    assert (second.count('id="problem-'), 'id="more"' in second, 'id="first"' in second) == (2, False, True)
    dashboard = signed_in.get("/").get_data(as_text=True)
    assert dashboard.count('id="problem-') == problems.PAGE
    assert f"{problems.PAGE + 2} causes" in dashboard
    assert 'id="causes-all"' in dashboard


@pytest.mark.parametrize("state", sorted(S))
def test_whatever_needs_a_person_is_on_the_desk_and_nothing_else_is(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any, state: S
) -> None:
    findings = MISSING if state is S.BLOCKED else []
    make_delivery(make_document(make_customer("Kommune X")), state, findings=findings)
    problems.refresh(adaptor.id)
    page = signed_in.get("/problems")
    assert ("1 document ·" in text_of(page)) is (state in NEEDS_PERSON)
    assert ("Nothing needs you" in text_of(page)) is (state not in NEEDS_PERSON)
    for problem in problems.of_adaptors([adaptor.id]):
        one = signed_in.get(f"/problems/{problem.id}")
        assert "Mark all as handled outside" in text_of(one)
        assert ("Ask and decide" in text_of(one)) is (state is S.OUTCOME_UNKNOWN)
