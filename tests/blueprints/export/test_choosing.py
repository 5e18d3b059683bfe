"""The page of what was found, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.htmx import STOP_POLLING
from invoiceapp.models import (
    Adaptor,
    Document,
    ExportRule,
    FoundDocument,
    FoundGroup,
    FoundOutcome,
    Gateway,
    Job,
    JobState,
    Problem,
    ProblemDocument,
    Run,
    RunState,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services.daily import finding
from invoiceapp.services.export import found

Make = Callable[..., Any]
Submit = Callable[..., Any]


@pytest.fixture
def run(adaptor: Adaptor) -> Run:
    row = Run(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", only_reads=True,
        actor="ejer@example.com", query={"numbers": ["1"]}, state=RunState.FINISHED,
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def documents(
    adaptor: Adaptor, run: Run, make_customer: Make, make_document: Make, make_delivery: Make
) -> dict[str, Document]:
    """One in each group, by its name."""
    active, asleep = make_customer("Aktiv ApS"), make_customer("Sovende ApS", active=None)
    made = {
        "not_exported": make_document(active, "1001", stage=Stage.LISTED),
        "not_activated": make_document(asleep, "1002", stage=Stage.LISTED),
        "exported": make_document(active, "1003"),
        "unfit": make_document(active, "1004", stage=Stage.UNUSABLE, error={"da": "Kladde.", "en": "A draft."}),
    }
    make_delivery(made["exported"], DeliveryState.DELIVERED, first_sent_at=utcnow())
    found.keep(run, adaptor, [one.source_id for one in made.values()])
    db.session.commit()
    return made


def _finish_jobs() -> None:
    for job in db.session.scalars(select(Job)):
        job.state = JobState.FINISHED
    db.session.commit()


def _row(run: Run, document: Document) -> FoundDocument:
    return db.session.get_one(FoundDocument, (run.id, document.id), populate_existing=True)


def test_the_page_lists_the_groups_with_numbers_amounts_and_reasons(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document]
) -> None:
    html = signed_in.get(f"/runs/{run.id}").text
    for shown in (
        "Not activated",
        "Not exported",
        "Already exported",
        "Cannot be exported",
        "A draft.",
        "125.00",
        "SFTP",
    ):
        assert shown in html
    assert f'action="/export/{run.id}/export?ask=1"' in html and f"/export/{run.id}/activate?ask=1" in html


def test_a_large_group_is_shown_in_part_and_alone_page_by_page(
    signed_in: FlaskClient, adaptor: Adaptor, run: Run, make_customer: Make, make_document: Make
) -> None:
    customer = make_customer()
    rows = [make_document(customer, f"{number:04}", stage=Stage.LISTED) for number in range(60)]
    found.keep(run, adaptor, [one.source_id for one in rows])
    db.session.commit()
    html = signed_in.get(f"/runs/{run.id}").text
    assert html.count('name="ids"') == 15 and "All 60 of this group" in html
    assert signed_in.get(f"/runs/{run.id}?group=not_exported").text.count('name="ids"') == 50
    assert signed_in.get(f"/runs/{run.id}?group=nonsense").status_code == 200


def test_the_page_is_polled_while_billy_is_read_and_fetched_anew_afterwards(signed_in: FlaskClient, run: Run) -> None:
    run.state = RunState.RUNNING
    db.session.commit()
    assert "for=reading" in signed_in.get(f"/runs/{run.id}").text
    live = f"/runs/{run.id}/live?for=reading"
    assert signed_in.get(live, headers={"HX-Request": "true"}).status_code == 200
    run.state = RunState.FINISHED
    db.session.commit()
    answer = signed_in.get(live, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"/runs/{run.id}"
    assert signed_in.get(live).location == f"/runs/{run.id}"


def test_an_export_is_summed_up_first_and_then_goes_on_in_the_background(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    chosen = {"group": "not_exported", "ids": [documents["not_exported"].id]}
    asked = submit(signed_in, f"/export/{run.id}/export?ask=1", chosen)
    assert asked.status_code == 200 and "Export 1 document" in asked.text and "Aktiv ApS" in asked.text
    assert _row(run, documents["not_exported"]).chosen_at is None
    answer = submit(signed_in, f"/export/{run.id}/export", chosen)
    assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")
    assert _row(run, documents["not_exported"]).chosen_at is not None
    assert db.session.scalars(select(Job.kind)).all() == [finding.EXPORT]
    html = signed_in.get(f"/runs/{run.id}").text
    assert '<progress id="exporting" value="0" max="1">' in html and 'id="cancel-rest"' in html
    assert "4 found: 1 chosen for export and listed above, 3 still to choose from below." in html
    assert 'name="ids"' not in html and "An export is going on." in html and 'id="find-again-exported"' in html
    again = submit(signed_in, f"/export/{run.id}/export", chosen, follow_redirects=True)
    assert "already going on" in again.text


def test_once_everything_is_handed_over_the_page_is_fetched_anew_and_offers_its_choices_again(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    submit(signed_in, f"/export/{run.id}/export", {"group": "not_exported", "everything": "1"})
    live = f"/runs/{run.id}/live?for=exporting&group=exported"
    assert signed_in.get(live, headers={"HX-Request": "true"}).status_code == 200
    _finish_jobs()
    answer = signed_in.get(live, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"/runs/{run.id}?group=exported"
    assert 'name="ids"' in signed_in.get(answer.headers["HX-Redirect"]).text


def test_a_question_that_is_reloaded_leads_back_to_what_was_found(signed_in: FlaskClient, run: Run) -> None:
    for path in ("activate?ask=1", "export?ask=1", "dry-run", "cancel"):
        answer = signed_in.get(f"/export/{run.id}/{path}")
        assert (answer.status_code, answer.location) == (303, f"/runs/{run.id}")


def test_nothing_is_exported_where_nothing_was_chosen(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    for path in ("export?ask=1", "export", "dry-run", "activate?ask=1", "activate"):
        answer = submit(signed_in, f"/export/{run.id}/{path}", {"group": "not_exported"}, follow_redirects=True)
        assert "Choose at least one document" in answer.text
    assert submit(signed_in, f"/export/{run.id}/export", {"group": "all"}).status_code == 400


def test_sending_again_asks_why_and_keeps_what_was_chosen(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    chosen = {"group": "exported", "everything": "1"}
    asked = submit(signed_in, f"/export/{run.id}/export?ask=1", chosen).text
    assert "may get the documents twice" in asked and 'name="everything" value="1"' in asked
    refused = submit(signed_in, f"/export/{run.id}/export", chosen | {"reason": " "})
    assert refused.status_code == 422 and "Write a reason." in refused.text and "<title>Error:" in refused.text
    submit(signed_in, f"/export/{run.id}/export", chosen | {"reason": "Lost by the receiver"})
    assert _row(run, documents["exported"]).reason == "Lost by the receiver"


def test_a_member_does_not_activate(
    member: FlaskClient, run: Run, documents: dict[str, Document], gateway: Gateway, submit: Submit
) -> None:
    chosen = {"group": "not_activated", "everything": "1", "format": "peppol-bis-3", "gateway": gateway.id}
    assert submit(member, f"/export/{run.id}/activate", chosen).status_code == 403
    assert "/activate" not in member.get(f"/runs/{run.id}").text
    assert _row(run, documents["not_activated"]).group is FoundGroup.NOT_ACTIVATED


def test_an_owner_activates_in_place(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], gateway: Gateway, submit: Submit
) -> None:
    chosen = {"group": "not_activated", "ids": [documents["not_activated"].id]}
    path = f"/export/{run.id}/activate"
    pair = {"format": "peppol-bis-3", "gateway": gateway.id}
    assert "Activate 1 customer" in submit(signed_in, f"{path}?ask=1", chosen).text
    refused = submit(signed_in, path, chosen | {"format": "peppol-bis-3", "gateway": ""})
    assert refused.status_code == 422 and "Choose a gateway." in refused.text
    done = submit(signed_in, path, chosen | pair, follow_redirects=True)
    assert "Customers activated: 1." in done.text and "Nothing is sent yet" in done.text
    assert "Their invoices are sent from the next run on" not in done.text, "what was found waits for a person"
    assert _row(run, documents["not_activated"]).group is FoundGroup.NOT_EXPORTED
    assert len(db.session.scalars(select(ExportRule).where(ExportRule.active)).all()) == 2


def test_a_member_may_try_and_export(
    member: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    chosen = {"group": "not_exported", "everything": "1"}
    assert submit(member, f"/export/{run.id}/dry-run", chosen).status_code == 303
    assert "for=trying" in member.get(f"/runs/{run.id}").text
    assert submit(member, f"/export/{run.id}/export", chosen).status_code == 303
    assert set(db.session.scalars(select(Job.kind))) == {finding.DRY_RUN, finding.EXPORT}


def test_the_figures_add_up_and_lead_to_their_documents(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document]
) -> None:
    outcomes = {"not_exported": FoundOutcome.LEFT_OUT, "exported": FoundOutcome.SENT}
    for name, outcome in outcomes.items():
        row = _row(run, documents[name])
        row.chosen_at, row.outcome = utcnow(), outcome
    _row(run, documents["not_exported"]).text = {"da": "x", "en": "It had changed."}
    db.session.commit()
    html = signed_in.get(f"/runs/{run.id}").text
    assert '<progress id="exporting" value="2" max="2">' in html and "It had changed." in html
    assert "cancel-rest" not in html and signed_in.get(f"/runs/{run.id}/live").status_code == STOP_POLLING
    only = signed_in.get(f"/runs/{run.id}/live?show=left_out").text
    assert "1001" in only and "<strong>1003</strong>" not in only


def test_what_was_tried_and_stopped_is_not_called_finished_and_leads_to_its_cause(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], make_delivery: Make
) -> None:
    stopped = documents["not_exported"]
    words = {"da": "CVR mangler.", "en": "The CVR number is missing."}
    make_delivery(stopped, DeliveryState.BLOCKED, findings=[{"rule": "r", "severity": "fatal", "turn": "here", "text": words}])  # fmt: skip
    taken_back = documents["not_activated"]
    for document, outcome in ((stopped, FoundOutcome.SENT), (taken_back, FoundOutcome.TAKEN_BACK)):
        row = _row(run, document)
        row.chosen_at, row.outcome = utcnow(), outcome
    db.session.commit()
    html = signed_in.get(f"/runs/{run.id}").text
    assert '<progress id="exporting" value="1" max="1">' in html, "what was taken back was not tried"
    assert "1 needs somebody to act, 1 taken back before it was sent." in html
    assert "The CVR number is missing." in html and "The causes are being put together." in html
    assert signed_in.get(f"/runs/{run.id}/live").status_code == 200, "the cause comes in a moment"

    problem = Problem(
        subscription_id=run.subscription_id, adaptor_id=run.adaptor_id, key="k", rule="r", text=words, turn="here",
        status="blocked", document_id=stopped.id, documents=1,
    )  # fmt: skip
    db.session.add(problem)
    db.session.flush()
    db.session.add(ProblemDocument(problem_id=problem.id, document_id=stopped.id))
    db.session.commit()
    html = signed_in.get(f"/runs/{run.id}").text
    assert html.count(f'href="/problems/{problem.id}"') == 2, "under its cause, and beside the document"
    assert signed_in.get(f"/runs/{run.id}/live").status_code == STOP_POLLING


def test_handed_over_is_not_received(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], make_delivery: Make
) -> None:
    make_delivery(documents["not_exported"], DeliveryState.ACCEPTED)
    for name in ("not_exported", "exported"):
        row = _row(run, documents[name])
        row.chosen_at, row.outcome = utcnow(), FoundOutcome.SENT
    db.session.commit()
    html = signed_in.get(f"/runs/{run.id}").text
    assert '<span class="stat-label">Received</span> <strong>1</strong>' in html
    assert '<span class="stat-label">Sent</span> <strong>2</strong>' in html


def test_a_dry_run_is_summed_up_and_keeps_what_was_chosen(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    chosen = documents["not_exported"]
    data = {"group": "not_exported", "ids": [chosen.id], "alone": "1", "after": "1000~x"}
    answer = submit(signed_in, f"/export/{run.id}/dry-run", data)
    assert answer.location == f"/runs/{run.id}?group=not_exported&after=1000~x"
    _row(run, chosen).verdict = {"may_leave": False, "format": None, "gateway": None, "findings": [{"da": "x", "en": "No line."}]}  # fmt: skip
    db.session.commit()
    _finish_jobs()
    html = signed_in.get(f"/runs/{run.id}").text
    assert html.count("Dry run: 0 would be sent, 1 would be stopped") == 2, "at the top, and over the group"
    assert "No line." in html and "What would happen" in html
    assert re.search(rf'value="{chosen.id}"[^>]*checked', html)
    db.session.scalars(select(Job)).one().actor = "kollega@example.com"
    db.session.commit()
    assert not re.search(rf'value="{chosen.id}"[^>]*checked', signed_in.get(f"/runs/{run.id}").text)


def test_an_export_that_stopped_can_go_on_or_be_cancelled(
    signed_in: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    _row(run, documents["not_exported"]).chosen_at = utcnow()
    db.session.commit()
    html = signed_in.get(f"/runs/{run.id}").text
    assert "has stopped before the end" in html and 'id="go-on"' in html
    submit(signed_in, f"/export/{run.id}/continue")
    assert "has stopped" not in signed_in.get(f"/runs/{run.id}").text
    submit(signed_in, f"/export/{run.id}/cancel")
    assert "Taken back" in signed_in.get(f"/runs/{run.id}").text
    assert {job.kind: job.state.value for job in db.session.scalars(select(Job))} == {
        finding.EXPORT: "cancelled", finding.TAKE_BACK: "finished",
    }  # fmt: skip


def test_somebody_elses_finding_does_not_exist(
    stranger: FlaskClient, run: Run, documents: dict[str, Document], submit: Submit
) -> None:
    data = {"group": "not_exported", "everything": "1"}
    for path in ("export", "export?ask=1", "dry-run", "activate", "look-again", "cancel", "continue"):
        assert submit(stranger, f"/export/{run.id}/{path}", data).status_code == 404
    assert stranger.get(f"/export/{run.id}/activate?ask=1").status_code == 404
    assert stranger.get(f"/runs/{run.id}").status_code == stranger.get(f"/runs/{run.id}/live").status_code == 404


def test_a_run_that_finds_nothing_for_a_person_has_nothing_to_choose(
    signed_in: FlaskClient, run: Run, submit: Submit
) -> None:
    run.trigger = "schedule"
    db.session.commit()
    assert submit(signed_in, f"/export/{run.id}/export", {"group": "not_exported"}).status_code == 404
