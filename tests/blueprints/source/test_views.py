from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.formatting import day
from invoiceapp.htmx import STOP_POLLING
from invoiceapp.models import Adaptor, Run, RunState, User, db
from invoiceapp.services.configuration import customers


@pytest.fixture(autouse=True)
def english(user: User) -> None:
    """Tests read the msgids, whatever translations are compiled."""
    user.language = "en"
    db.session.commit()


def _reload(adaptor: Adaptor) -> Adaptor:
    db.session.expire_all()
    return adaptor


@pytest.mark.server
def test_a_right_token_connects_and_then_customers_and_rates_are_read(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    adaptor.organization = None
    db.session.commit()
    answer = submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "right", "base_url": billy})
    assert answer.status_code == 303
    company = _reload(adaptor).organization or {}
    assert company["name"] == "Nordlys Kontor & Service ApS"
    assert "Salgsmoms" in {rate["name"] for rate in company["tax_rates"]}
    page = signed_in.get("/source").text
    assert "Nordlys Kontor &amp; Service ApS" in page
    assert 'value="right"' not in page
    submit(signed_in, f"/source/{adaptor.id}/read")
    assert customers.counts(adaptor.id)["customers"] > 10


@pytest.mark.server
def test_a_wrong_token_is_told_in_words_and_never_shown_again(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    answer = submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "wrong-token-x", "base_url": billy})
    assert answer.status_code == 422
    assert "Billy refused" in answer.text
    assert f'value="{billy}"' in answer.text
    assert "wrong-token-x" not in answer.text
    assert _reload(adaptor).source_secrets == {}


@pytest.mark.server
def test_another_company_is_taken_only_when_confirmed(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    path, data = f"/source/{adaptor.id}/connect", {"token": "right", "base_url": billy}
    answer = submit(signed_in, path, data)
    assert answer.status_code == 422
    assert 'name="confirm"' in answer.text
    assert (_reload(adaptor).organization or {})["id"] == "org"
    assert submit(signed_in, path, {**data, "confirm": "1"}).status_code == 303
    assert (_reload(adaptor).organization or {})["id"] != "org"


def test_a_reading_that_fails_is_remembered_for_the_page(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert adaptor.source_secrets == {}
    assert submit(signed_in, f"/source/{adaptor.id}/read").status_code == 303
    assert _reload(adaptor).source_error is not None


def test_a_missing_token_is_a_field_error(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    answer = submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "", "base_url": "ftp://x"})
    assert answer.status_code == 422
    assert 'href="#field-token"' in answer.text
    assert 'href="#field-base_url"' in answer.text
    assert 'value="ftp://x"' in answer.text


@pytest.mark.parametrize("action", ["connect", "read", "test"])
def test_members_see_the_source_but_do_not_change_it(
    member: FlaskClient, adaptor: Adaptor, submit: Any, action: str
) -> None:
    assert submit(member, f"/source/{adaptor.id}/{action}").status_code == 403
    assert "<fieldset disabled" in member.get("/source").text


@pytest.mark.parametrize("action", ["connect", "read", "test"])
def test_other_tenants_find_no_source(stranger: FlaskClient, adaptor: Adaptor, submit: Any, action: str) -> None:
    assert submit(stranger, f"/source/{adaptor.id}/{action}").status_code == 404
    assert stranger.get(f"/source?adaptor={adaptor.id}").status_code == 404


@pytest.mark.server
def test_after_connecting_the_last_year_is_read_in_the_background(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    adaptor.organization = None
    db.session.commit()
    submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "right", "base_url": billy})
    run = db.session.query(Run).one()
    assert (run.only_reads, run.state, run.actor) == (True, RunState.QUEUED, "ejer@example.com")
    page = signed_in.get("/source").text
    assert f'href="/runs/{run.id}"' in page
    assert f'hx-get="/source/{adaptor.id}/state"' in page
    assert signed_in.get(f"/source/{adaptor.id}/state").status_code == 200
    run.state = RunState.FINISHED
    db.session.commit()
    assert signed_in.get(f"/source/{adaptor.id}/state").status_code == STOP_POLLING


@pytest.mark.server
def test_a_test_shows_the_company_and_keeps_nothing(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    path, data = f"/source/{adaptor.id}/test", {"token": "right", "base_url": billy}
    page = submit(signed_in, path, data)
    assert page.status_code == 200
    assert "It opens Nordlys Kontor &amp; Service ApS (CVR " in page.text
    assert "That is another company than “Eksempel ApS”" in page.text
    assert 'value="right"' not in page.text
    fragment = submit(signed_in, path, data, headers={"HX-Request": "true"}).text
    assert "It opens Nordlys Kontor" in fragment
    assert "<!doctype" not in fragment.lower()
    row = _reload(adaptor)
    assert (row.source_secrets, (row.organization or {})["id"]) == ({}, "org")
    assert db.session.query(Run).count() == 0


@pytest.mark.server
def test_a_test_that_fails_says_why_and_changes_nothing(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    path = f"/source/{adaptor.id}/test"
    page = submit(signed_in, path, {"token": "wrong-token-x", "base_url": billy})
    assert page.status_code == 422
    assert "Billy" in page.text
    assert "wrong-token-x" not in page.text
    assert "the connection that is saved stays in use" in page.text
    fragment = submit(signed_in, path, {"token": "", "base_url": billy}, headers={"HX-Request": "true"})
    assert "The connection works" not in fragment.text
    assert 'role="alert"' in fragment.text
    assert _reload(adaptor).source_secrets == {}


def test_an_unconnected_adaptor_is_offered_the_usual_address(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    adaptor.source_config, adaptor.organization = {}, None
    db.session.commit()
    assert 'name="base_url" value="https://' in signed_in.get("/source").text


def test_the_page_says_what_was_read(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any
) -> None:
    make_document(make_customer(), issue_date=date(2026, 3, 7))
    adaptor.source_secrets = {"token": "v1.x.y"}
    db.session.commit()
    page = signed_in.get("/source").text
    assert day(date(2026, 3, 7)) in page
    assert "is never shown again" in page
    assert "v1.x.y" not in page
    assert "Next: see your customers" in page
    assert page.count("<ol>") == 1


def test_other_tenants_do_not_see_what_was_read(stranger: FlaskClient, adaptor: Adaptor) -> None:
    assert stranger.get(f"/source/{adaptor.id}/state").status_code == 404
