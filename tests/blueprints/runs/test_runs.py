"""The list of runs and one run with its progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.htmx import STOP_POLLING
from invoiceapp.models import Adaptor, FoundDocument, FoundGroup, FoundOutcome, Run, RunState, Stage, db, utcnow

Make = Callable[..., Any]
Submit = Callable[..., Any]


@pytest.fixture
def make_run(adaptor: Adaptor) -> Make:
    def make(state: RunState = RunState.FINISHED, **columns: Any) -> Run:
        values = {"trigger": "manual", "actor": "ejer@example.com", **columns}
        row = Run(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, state=state, **values)
        db.session.add(row)
        db.session.commit()
        return row

    return make


def test_without_runs_the_next_step_is_said(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert "No runs yet" in signed_in.get("/runs").text


def test_the_list_has_who_what_counts_and_the_error_in_words(signed_in: FlaskClient, make_run: Make) -> None:
    make_run(read=41, queued=7, query={"numbers": ["1001", "1002"]})
    make_run(RunState.FAILED, trigger="schedule", actor="system", error={"da": "x", "en": "The token was refused."})
    html = signed_in.get("/runs").text
    for shown in ("ejer@example.com", "41", "Numbers 1001, 1002", "By schedule", "The token was refused."):
        assert shown in html


def test_the_figures_of_a_run_add_up_to_what_was_read(signed_in: FlaskClient, make_run: Make) -> None:
    broken = [{"id": "billy-9", "da": "x", "en": "x"}, {"id": "billy-8", "document": "d", "da": "x", "en": "x"}]
    make_run(read=12, queued=7, not_activated=2, already_exported=2, skipped=2, problems=broken)
    html = signed_in.get("/runs").text
    parts = (
        "7 to be exported",
        "2 not activated or too old",
        "2 exported before",
        "1 left out or on their way already",
    )
    assert " · ".join(parts) in html and "besides, 1 not read" in html


@pytest.mark.parametrize(
    ("outcomes", "shown"),
    [
        ([], ("Search only", "nothing chosen", "Nothing chosen")),
        (["sent", "sent"], ("Manual export", "2 chosen · 1 not chosen", "Finished")),
        (["taken_back", "taken_back"], ("Manual export", "2 chosen · 1 not chosen", "Cancelled")),
        (["sent", "taken_back"], ("Manual export", "2 chosen · 1 not chosen", "The rest was cancelled")),
        (["left_out"], ("Manual export", "1 chosen · 2 not chosen", "Nothing was sent")),
        (["sent", None], ("Manual export", "2 chosen · 1 not chosen", "Under way")),
    ],
)
def test_the_list_tells_a_search_from_an_export_and_says_how_each_ended(
    signed_in: FlaskClient, make_run: Make, make_customer: Make, make_document: Make, outcomes: list[str | None], shown: tuple[str, ...],
) -> None:  # fmt: skip
    run = make_run(only_reads=True, read=3, queued=len(outcomes), not_activated=3, query={"numbers": ["1"]})
    customer = make_customer()
    for number, outcome in enumerate(outcomes):
        db.session.add(
            FoundDocument(
                run_id=run.id, document_id=make_document(customer, str(number)).id, group=FoundGroup.NOT_EXPORTED,
                chosen_at=utcnow(), outcome=outcome and FoundOutcome(outcome),
            )
        )  # fmt: skip
    db.session.commit()
    html = signed_in.get("/runs").text
    for words in shown:
        assert words in html
    assert "not activated or too old" not in html, "figures that mean nothing here"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "Everything new"),
        ({"customer_ids": ["a", "b"]}, "2 customers"),
        ({"first_date": "2026-11-01", "last_date": "2026-11-30"}, "1 Nov 2026 – 30 Nov 2026"),
        ({"first_date": "2026-11-01"}, "From 1 Nov 2026"),
        ({"numbers": [str(n) for n in range(1, 9)]}, "Numbers 1, 2, 3, 4, 5 …"),
    ],
)
def test_what_was_asked_for_is_said_in_words(
    signed_in: FlaskClient, make_run: Make, query: dict[str, Any], words: str
) -> None:
    assert words in signed_in.get(f"/runs/{make_run(query=query).id}").text


def test_a_run_shows_what_it_found_and_where_its_documents_are(
    signed_in: FlaskClient, make_run: Make, make_customer: Make, make_document: Make, make_delivery: Make
) -> None:
    run = make_run(read=5, queued=3, not_activated=1, already_exported=1)
    customer = make_customer()
    make_document(customer, "1001", stage=Stage.QUEUED, run_id=run.id)
    for number, state in (("1002", DeliveryState.DELIVERED), ("1003", DeliveryState.FAILED)):
        make_delivery(make_document(customer, number, run_id=run.id), state, run_id=run.id)
    html = signed_in.get(f"/runs/{run.id}").text
    assert '<progress id="exporting" value="2" max="3">' in html
    assert f"run={run.id}&amp;status=failed" in html
    for number in ("1001", "1002", "1003"):
        assert f"<strong><bdi>{number}</bdi></strong>" in html


def test_skipped_records_are_listed_with_their_reason(signed_in: FlaskClient, make_run: Make) -> None:
    run = make_run(skipped=1, problems=[{"id": "billy-9", "da": "x", "en": "The lines cannot be read."}])
    html = signed_in.get(f"/runs/{run.id}").text
    assert "billy-9" in html
    assert "The lines cannot be read." in html


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"read": 2, "not_activated": 2}, "Nothing was exported"),
        ({"read": 2, "already_exported": 2}, "Everything was exported before"),
        ({}, "Nothing was found"),
    ],
)
def test_a_run_that_exports_nothing_says_why(
    signed_in: FlaskClient, make_run: Make, counts: dict[str, int], words: str
) -> None:
    assert words in signed_in.get(f"/runs/{make_run(**counts).id}").text


@pytest.mark.parametrize(
    ("state", "is_polled", "status"),
    [(RunState.QUEUED, True, 200), (RunState.RUNNING, True, 200), (RunState.FINISHED, False, STOP_POLLING)],
)
def test_a_run_is_polled_until_it_is_done(
    signed_in: FlaskClient, make_run: Make, state: RunState, is_polled: bool, status: int
) -> None:
    run = make_run(state)
    live = f"/runs/{run.id}/live"
    html = signed_in.get(f"/runs/{run.id}").text
    assert (f'hx-get="{live}"' in html) is is_polled
    assert ("<noscript>" in html) is is_polled, "without JavaScript there is a link to reload the page"
    answer = signed_in.get(live)
    assert answer.status_code == status
    assert "<!doctype" not in answer.text.lower()


def test_a_finished_run_is_polled_while_its_documents_are_on_their_way(
    signed_in: FlaskClient, make_run: Make, make_customer: Make, make_document: Make, make_delivery: Make
) -> None:
    run = make_run(queued=1)
    make_delivery(make_document(make_customer(), run_id=run.id), DeliveryState.PENDING, run_id=run.id)
    assert signed_in.get(f"/runs/{run.id}/live").status_code == 200


def test_fetching_now_starts_a_run_for_everything_new(signed_in: FlaskClient, adaptor: Adaptor, submit: Submit) -> None:
    answer = submit(signed_in, "/runs")
    run = db.session.query(Run).one()
    assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")
    assert (run.trigger, run.moves_watermark) == ("manual", True)


def test_fetching_twice_leads_to_the_run_that_is_active(signed_in: FlaskClient, make_run: Make, submit: Submit) -> None:
    run = make_run(RunState.RUNNING)
    answer = submit(signed_in, "/runs", follow_redirects=True)
    assert answer.request.path == f"/runs/{run.id}"
    assert "A run is under way. Everything new is fetched again as soon as it ends." in answer.text
    assert db.session.query(Run).count() == 1


def test_somebody_elses_run_does_not_exist(stranger: FlaskClient, make_run: Make, submit: Submit) -> None:
    run = make_run()
    assert stranger.get(f"/runs/{run.id}").status_code == 404
    assert stranger.get(f"/runs/{run.id}/live").status_code == 404
    assert submit(stranger, f"/runs?adaptor={run.adaptor_id}").status_code == 404


def test_a_reading_says_that_nothing_is_sent(signed_in: FlaskClient, make_run: Make) -> None:
    run = make_run(trigger="reading", only_reads=True, read=12, not_activated=12, query={"first_date": "2025-11-22"})
    html = signed_in.get(f"/runs/{run.id}").text
    assert html.count("Reading: nothing is sent") == 2 and "Everything was read, nothing was sent" in html
    assert "Only read" in html and "Reading: nothing is sent" in signed_in.get("/runs").text


def test_what_a_manual_run_leaves_out_is_named_with_a_link(
    signed_in: FlaskClient, make_run: Make, make_customer: Make, make_document: Make
) -> None:
    document = make_document(make_customer(), "2007", stage=Stage.SKIPPED, error={"da": "x", "en": "x"})
    words = {"da": "Billy har sendt det.", "en": "Billy has sent it."}
    problems = [
        {"id": document.source_id, "number": "2007", "document": document.id, **words},
        {"id": "broken", "da": "Itu", "en": "Broken record"},
    ]
    html = signed_in.get(f"/runs/{make_run(read=2, skipped=2, problems=problems).id}").text
    assert f'href="/documents/{document.id}"><strong>2007</strong>' in html and "Billy has sent it." in html
    assert "<code>broken</code>" in html and "Broken record" in html and "Nothing was found" not in html


def test_documents_that_billy_had_sent_are_counted_on_the_run(
    signed_in: FlaskClient, make_run: Make, make_customer: Make, make_document: Make
) -> None:
    run = make_run(read=1, queued=1)
    make_document(make_customer(), "1", stage=Stage.SKIPPED, run_id=run.id, error={"da": "x", "en": "x"})
    html = signed_in.get(f"/runs/{run.id}").text
    assert 'id="stat-now-skipped"' in html and "status=skipped" in html and html.count("Sent another way") >= 2


def test_nothing_is_fetched_for_a_deactivated_adaptor(signed_in: FlaskClient, adaptor: Adaptor, submit: Submit) -> None:
    adaptor.active = False
    db.session.commit()
    answer = submit(signed_in, f"/runs?adaptor={adaptor.id}", follow_redirects=True)
    assert "The adaptor is deactivated" in answer.text and db.session.query(Run).count() == 0


def test_a_document_left_out_by_its_date_has_a_link_to_the_date(
    signed_in: FlaskClient, adaptor: Adaptor, make_run: Make, make_customer: Make, make_document: Make
) -> None:
    document = make_document(make_customer(), "1485", stage=Stage.LISTED)
    words = {"da": "x", "en": "1485 is too old.", "number": "1485", "document": document.id, "fix": "start_date"}
    html = signed_in.get(f"/runs/{make_run(skipped=1, problems=[{'id': 'billy-9', **words}]).id}").text
    assert "1485 is too old." in html and f'href="/adaptors/general?adaptor={adaptor.id}#field-start_date"' in html
    adaptor.deleted_at = utcnow()
    db.session.commit()
    assert "field-start_date" not in signed_in.get("/runs/" + make_run(problems=[{"id": "billy-9", **words}]).id).text
