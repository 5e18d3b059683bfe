"""Bulk actions through their pages: choose, see, confirm, follow; nobody reaches documents of others."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from werkzeug.test import TestResponse

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Delivery, Document, Job, JobState, Rendition, Stage, User, db, new_id
from invoiceapp.services import background, bell
from invoiceapp.services.daily import bulk_jobs
from invoiceapp.services.daily.bulk_actions import Selection
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.export import actions

S = DeliveryState
Submit = Callable[..., TestResponse]


@pytest.fixture(autouse=True)
def english(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests read the msgids; nobody waits for Redis."""
    user.language = "en"
    db.session.commit()
    monkeypatch.setattr(bell, "ring", lambda *_: None)


@pytest.fixture
def made(make_customer: Any, make_document: Any, make_delivery: Any) -> Callable[..., str]:
    """``made("1", state)``: the id of a document with such a delivery."""
    customers: list[Any] = []

    def make(number: str, state: DeliveryState = S.FAILED) -> str:
        customers[:] = customers or [make_customer()]
        document: Document = make_document(customers[0], number)
        make_delivery(document, state)
        return document.id

    return make


def text_of(response: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.get_data(as_text=True))).split())


def hidden(response: TestResponse) -> dict[str, Any]:
    """What the page's form would post."""
    page = response.get_data(as_text=True)
    found: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page):
        if name not in ("csrf_token", "next", "language"):
            found.setdefault(name, []).append(unescape(value))
    return found


def finished(job_id: str) -> None:
    while background.execute(job_id, {bulk_jobs.KIND: bulk_jobs.run}):
        pass
    db.session.expire_all()


def job_id_of(response: TestResponse) -> str:
    assert response.status_code == 303, text_of(response)
    path = urlsplit(response.location).path
    assert path.startswith("/bulk/jobs/"), response.location
    return path.rsplit("/", 1)[1]


def jobs() -> int:
    return db.session.scalar(select(func.count()).select_from(Job)) or 0


def test_the_summary_comes_first_and_nothing_has_happened(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    ids = [made("1"), made("2"), made("3", S.DELIVERED)]
    page = submit(signed_in, f"/bulk?adaptor={adaptor.id}", {"ids": ids})
    assert page.status_code == 200
    text = text_of(page)
    assert "What is to be done with 3 documents?" in text
    assert "Try again · 2 of 3 documents · 250.00 DKK" in text
    assert "Cancel the sending · 2 of 3 documents" in text
    again = submit(signed_in, f"/bulk?adaptor={adaptor.id}", {**hidden(page), "action": "try-again"})
    text = text_of(again)
    assert "It is done to 2 of the 3 chosen documents" in text
    assert "1 document ( 125.00 DKK ): Were received by the receiver." in text
    assert jobs() == 0


def test_a_job_is_confirmed_followed_and_its_result_is_kept(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    made("1"), made("2")
    path = f"?adaptor={adaptor.id}&status=failed"
    page = submit(signed_in, f"/bulk{path}", {"everything": "1", "action": "try-again"})
    made("3")
    job_id = job_id_of(submit(signed_in, f"/bulk/start{path}", hidden(page)))
    assert "It starts in a moment, when a worker is free." in text_of(signed_in.get(f"/bulk/jobs/{job_id}"))
    assert signed_in.get(f"/bulk/jobs/{job_id}/live").status_code == 200
    finished(job_id)
    live = signed_in.get(f"/bulk/jobs/{job_id}/live")
    assert live.status_code == 286
    assert "2 are on their way again" in text_of(live)
    assert db.session.scalar(select(func.count()).where(Delivery.state == S.FAILED)) == 1


def test_two_clicks_make_one_job(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    ids = [made("1")]
    page = submit(signed_in, f"/bulk?adaptor={adaptor.id}", {"ids": ids, "action": "cancel"})
    data = {**hidden(page), "note": "Fejl"}
    first, second = (job_id_of(submit(signed_in, f"/bulk/start?adaptor={adaptor.id}", data)) for _ in range(2))
    finished(first)
    third = job_id_of(submit(signed_in, f"/bulk/start?adaptor={adaptor.id}", data))
    assert first == second == third
    assert jobs() == 1


def test_another_click_leads_to_the_job_that_is_going_on(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    ids, path = [made("1")], f"?adaptor={adaptor.id}"
    first = job_id_of(submit(signed_in, f"/bulk/start{path}", {"ids": ids, "action": "try-again"}))
    second = submit(signed_in, f"/bulk/start{path}", {"ids": ids, "action": "cancel"})
    assert job_id_of(second) == first
    assert "Many documents are being worked on already" in text_of(signed_in.get(second.location))


@pytest.mark.parametrize("note", ["", "  ", "x" * 1_001])
def test_a_missing_or_too_long_reason_is_asked_for_with_everything_kept(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str], note: str
) -> None:
    ids = [made("1", S.OUTCOME_UNKNOWN)]
    data = {"ids": ids, "action": "mark-received", "note": note}
    page = submit(signed_in, f"/bulk/start?adaptor={adaptor.id}", data)
    assert page.status_code == 422
    assert hidden(page)["ids"] == ids
    assert note.strip() in text_of(page)
    assert "Please correct this" in text_of(page)
    assert jobs() == 0


def test_sending_again_warns_of_duplicates(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any
) -> None:
    document = make_document(make_customer(), "1")
    rendition = Rendition(
        id=new_id(), subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3", sha256="0" * 64,
        size=1, media_type="application/xml", filename="1.xml",
    )  # fmt: skip
    db.session.add(rendition)
    db.session.commit()
    make_delivery(document, S.DELIVERED, rendition_id=rendition.id)
    page = submit(signed_in, f"/bulk?adaptor={adaptor.id}", {"ids": [document.id], "action": "send-again"})
    assert "Receivers may get these documents twice" in text_of(page)


def test_a_filter_that_is_not_understood_changes_nothing(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    made("1")
    data = {"everything": "1", "action": "try-again"}
    answer = submit(signed_in, f"/bulk/start?adaptor={adaptor.id}&status=nonsense", data, follow_redirects=True)
    assert "The filter can no longer be used" in text_of(answer)
    assert jobs() == 0


def test_nothing_selected_is_said_on_the_list(signed_in: FlaskClient, submit: Submit, adaptor: Adaptor) -> None:
    answer = submit(signed_in, f"/bulk?adaptor={adaptor.id}", {}, follow_redirects=True)
    assert "Select at least one document." in text_of(answer)


def test_the_failed_ones_are_listed_and_tried_again(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, make_customer: Any, make_document: Any, monkeypatch: Any
) -> None:
    document = make_document(make_customer(), "4711", stage=Stage.UNUSABLE)

    def refuse(*_: object) -> None:
        raise ServiceError(Text("Findes ikke i Billy.", "It is not in Billy."))

    with monkeypatch.context() as patch:
        patch.setattr(actions, "rebuild", refuse)
        path = f"/bulk/start?adaptor={adaptor.id}"
        job_id = job_id_of(submit(signed_in, path, {"ids": [document.id], "action": "rebuild"}))
        finished(job_id)
    page = signed_in.get(f"/bulk/jobs/{job_id}")
    text = text_of(page)
    assert "Done, but not with all documents" in text
    assert "1 document : It is not in Billy. See which 4711" in text
    assert f'href="/documents/{document.id}"' in page.get_data(as_text=True)
    monkeypatch.setattr(actions, "rebuild", lambda *_: None)
    rest = job_id_of(submit(signed_in, f"/bulk/jobs/{job_id}/again"))
    finished(rest)
    assert "1 was read again and is being built" in text_of(signed_in.get(f"/bulk/jobs/{rest}"))


def test_a_job_can_be_stopped(
    signed_in: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    ids = [made("1")]
    job_id = job_id_of(submit(signed_in, f"/bulk/start?adaptor={adaptor.id}", {"ids": ids, "action": "try-again"}))
    page = submit(signed_in, f"/bulk/jobs/{job_id}/cancel", follow_redirects=True)
    assert "The work was stopped" in text_of(page)
    assert "Do the rest" in text_of(page)
    finished(job_id)
    assert db.session.scalar(select(Delivery.state)) is S.FAILED


def test_others_reach_neither_documents_nor_jobs(
    stranger: FlaskClient, submit: Submit, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    ids = (made("1"),)
    job_id = bulk_jobs.start(adaptor.id, Selection(ids), "try-again", "", "ejer@example.com")
    data = {"ids": list(ids), "action": "try-again"}
    for address in (f"/bulk?adaptor={adaptor.id}", f"/bulk/start?adaptor={adaptor.id}", "/bulk/start"):
        assert submit(stranger, address, data).status_code == 404
    for action in ("cancel", "again"):
        assert submit(stranger, f"/bulk/jobs/{job_id}/{action}").status_code == 404
    for address in (f"/bulk/jobs/{job_id}", f"/bulk/jobs/{job_id}/live"):
        assert stranger.get(address).status_code == 404
    assert (jobs(), db.session.scalar(select(Job.state))) == (1, JobState.QUEUED)


def test_jobs_of_other_kinds_are_not_shown_here(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    job_id = background.start(adaptor.id, "preflight")
    assert signed_in.get(f"/bulk/jobs/{job_id}").status_code == 404


def test_visitors_are_asked_to_sign_in(client: FlaskClient) -> None:
    assert "/login" in client.get("/bulk/jobs/x").location


def test_the_way_back_keeps_the_filter_and_nothing_else(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    answer = signed_in.get(f"/bulk?adaptor={adaptor.id}&status=failed&endpoint=x&_method=POST&_scheme=ftp&_anchor=y")
    assert (answer.status_code, answer.location) == (302, f"/?status=failed&adaptor={adaptor.id}")


def test_a_poll_does_not_read_what_the_job_is_for(
    signed_in: FlaskClient, adaptor: Adaptor, made: Callable[..., str]
) -> None:
    ids = (made("1", S.FAILED),)
    job_id = bulk_jobs.start(adaptor.id, Selection(ids), "try-again", "", "x")
    asked = list[str]()
    listen = lambda *arguments: asked.append(arguments[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    page = signed_in.get(f"/bulk/jobs/{job_id}/live")
    event.remove(db.engine, "before_cursor_execute", listen)
    assert page.status_code == 200
    assert [one for one in asked if "job.parameters" in one]
    assert not [one for one in asked if "job.items" in one]
