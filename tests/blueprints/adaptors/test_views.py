"""All adaptors, the catalogue and activation."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, Environment, Gateway, Run, RunState, db, utcnow

ACTIVATION = {"name": "Min virksomhed", "environment": "live", "gateway": "", "format": "oioubl-2.1"}


def every() -> list[Adaptor]:
    db.session.expire_all()
    return db.session.query(Adaptor).order_by(Adaptor.id).all()


def test_without_an_adaptor_the_source_leads_to_the_catalogue(signed_in: FlaskClient) -> None:
    page = signed_in.get("/source", follow_redirects=True)
    assert page.request.path == "/adaptors"
    assert 'href="/adaptors/activate/billy"' in page.text


def test_the_catalogue_is_searched_and_htmx_gets_the_cards_only(signed_in: FlaskClient) -> None:
    assert "/adaptors/activate/billy" in signed_in.get("/adaptors?q=BILL").text
    cards = signed_in.get("/adaptors?q=abacus", headers={"HX-Request": "true"}).text
    assert "Nothing in the catalogue matches" in cards
    assert "<!doctype" not in cards.lower()


def test_activating_lands_on_general_which_says_the_next_step(signed_in: FlaskClient, submit: Any) -> None:
    assert 'value="Billy"' in signed_in.get("/adaptors/activate/billy").text
    page = submit(signed_in, "/adaptors/activate/billy", ACTIVATION, follow_redirects=True)
    (row,) = every()
    assert (row.name, row.source_kind, row.default_format) == ("Min virksomhed", "billy", "oioubl-2.1")
    assert (page.request.path, page.request.args["adaptor"]) == ("/adaptors/general", row.id)
    assert "Next step: connect the company" in page.text
    assert f'href="/source?adaptor={row.id}"' in page.text


def test_a_second_click_leads_to_the_adaptor_that_the_first_one_made(signed_in: FlaskClient, submit: Any) -> None:
    for _ in range(2):
        page = submit(signed_in, "/adaptors/activate/billy", ACTIVATION, follow_redirects=True)
    (row,) = every()
    assert page.request.args["adaptor"] == row.id
    assert "“Min virksomhed” exists already" in page.text


def test_several_adaptors_of_one_kind_get_names_of_their_own(signed_in: FlaskClient, submit: Any) -> None:
    refused = submit(signed_in, "/adaptors/activate/billy", {**ACTIVATION, "name": " "})
    assert refused.status_code == 422 and not every()
    submit(signed_in, "/adaptors/activate/billy", {**ACTIVATION, "name": "Billy"})
    assert 'value="Billy 2"' in signed_in.get("/adaptors/activate/billy").text
    submit(signed_in, "/adaptors/activate/billy", {**ACTIVATION, "name": "Billy 2"})
    assert [row.name for row in every()] == ["Billy", "Billy 2"]
    page = signed_in.get(f"/adaptors/general?adaptor={every()[1].id}").text
    assert "Switch adaptor" in page
    assert f'href="/vat?adaptor={every()[1].id}"' in page


def test_what_cannot_be_is_refused_at_its_field_and_what_was_typed_stays(
    signed_in: FlaskClient, gateway: Gateway, submit: Any
) -> None:
    typed = {"name": "x" * 201, "environment": "test", "gateway": gateway.id, "format": "oioubl-2.1"}
    answer = submit(signed_in, "/adaptors/activate/billy", typed)
    assert answer.status_code == 422
    assert 'href="#field-name"' in answer.text
    assert 'href="#field-gateway"' in answer.text
    assert f'value="{"x" * 201}"' in answer.text
    assert f'value="{gateway.id}" selected' in answer.text
    assert every() == []


def test_a_gateway_that_is_still_to_be_made_is_made_next_and_becomes_the_default(
    signed_in: FlaskClient, submit: Any
) -> None:
    answer = submit(
        signed_in, "/adaptors/activate/billy", {**ACTIVATION, "environment": "test", "gateway": "new:email"}
    )
    (row,) = every()
    assert answer.location.startswith("/gateways/new/email?")
    page = signed_in.get(answer.location).text
    assert 'value="test" selected' in page
    form = {
        "name": "Mail", "environment": "test", "host": "smtp.example.com", "port": "587", "security": "starttls", "auth": "none",
        "sender": "a@example.com", "recipient": "b@example.com", "default_of": row.id,
        "next": f"/adaptors/general?adaptor={row.id}",
    }  # fmt: skip
    back = submit(signed_in, "/gateways/new/email", form)
    assert (back.status_code, back.location) == (303, form["next"])
    assert every()[0].default_gateway_id == db.session.query(Gateway).one().id


@pytest.mark.parametrize("path", ["/adaptors/activate/abacus", "/adaptors/activate/billy"])
def test_a_system_or_gateway_that_does_not_exist_is_not_found(signed_in: FlaskClient, submit: Any, path: str) -> None:
    assert submit(signed_in, path, {**ACTIVATION, "gateway": "new:pigeon"}).status_code == 404
    assert every() == []


def test_another_tenants_gateway_is_no_destination(stranger: FlaskClient, gateway: Gateway, submit: Any) -> None:
    assert submit(stranger, "/adaptors/activate/billy", {**ACTIVATION, "gateway": gateway.id}).status_code == 422
    assert every() == []


def test_the_list_tells_of_each_adaptor(signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any) -> None:
    make_customer()
    run = Run(subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=RunState.FINISHED)
    db.session.add(run)
    adaptor.environment = Environment.TEST
    db.session.commit()
    page = signed_in.get("/adaptors").text
    assert "Eksempel ApS" in page
    assert f'href="/runs/{run.id}"' in page
    assert f'href="/customers?adaptor={adaptor.id}">1</a>' in page
    assert "<span>Test</span>" in page


def test_a_name_is_text_wherever_it_stands(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    adaptor.name = "<script>alert(1)</script>\u202eevil 🎉"
    adaptor.organization = {"id": "org", "name": "<b>x</b>", "registration_no": None}
    db.session.commit()
    for path in (
        "/adaptors",
        "/adaptors/general",
        f"/adaptors/{adaptor.id}/delete",
        f"/adaptors/{adaptor.id}/deactivate",
        "/source",
    ):
        page = signed_in.get(path).text
        assert "<script>alert" not in page, path
        assert "<b>x</b>" not in page, path


def test_members_see_the_adaptors_and_change_nothing(member: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    page = member.get("/adaptors").text
    assert adaptor.name in page
    assert "/delete" not in page
    assert "activate/billy" not in page
    assert "<fieldset disabled" in member.get("/adaptors/general").text
    for path in ("activate/billy", f"{adaptor.id}/delete", f"{adaptor.id}/deactivate"):
        assert member.get(f"/adaptors/{path}").status_code == 403
    for path in (
        "activate/billy",
        *(f"{adaptor.id}/{a}" for a in ("general", "deactivate", "reactivate", "delete")),
    ):
        assert submit(member, f"/adaptors/{path}", ACTIVATION).status_code == 403


def test_other_tenants_find_no_adaptor(stranger: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert adaptor.id not in stranger.get("/adaptors").text
    assert stranger.get(f"/adaptors/general?adaptor={adaptor.id}").status_code == 404
    for action in ("general", "deactivate", "reactivate", "delete"):
        assert submit(stranger, f"/adaptors/{adaptor.id}/{action}", {"name": "x"}).status_code == 404
    for action in ("deactivate", "delete"):
        assert stranger.get(f"/adaptors/{adaptor.id}/{action}").status_code == 404


def test_visitors_are_sent_to_sign_in(client: FlaskClient, adaptor: Adaptor) -> None:
    for path in ("/adaptors", "/adaptors/general", f"/adaptors/{adaptor.id}/delete", "/adaptors/activate/billy"):
        answer = client.get(path)
        assert (answer.status_code, "/login" in answer.location) == (302, True), path


def test_the_menu_has_headings_and_one_chosen_line(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    page = signed_in.get(f"/adaptors/general?adaptor={adaptor.id}").text
    for heading in ("Daily", "Set up", "Shared by all adaptors"):
        assert f'-title">{heading} <' in page
    assert page.count('aria-current="page"') == 1
    assert f'href="/adaptors/general?adaptor={adaptor.id}" aria-current="page"' in page
    assert "Switch adaptor" not in page


def test_a_page_about_a_customer_keeps_to_its_adaptor_in_the_menu(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any
) -> None:
    first = Adaptor(
        id="0" * 26, subscription_id=adaptor.subscription_id, name="Først", source_kind="billy", settings={}
    )
    db.session.add(first)
    db.session.commit()
    page = signed_in.get(f"/customers/{make_customer().id}").text
    assert f'href="/source?adaptor={adaptor.id}"' in page
    assert f'href="/source?adaptor={first.id}"' not in page


def test_of_a_deleted_adaptor_the_documents_can_be_seen_and_nothing_else(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any, submit: Any
) -> None:
    make_document(make_customer(), "4711")
    adaptor.deleted_at, adaptor.active = utcnow(), False
    db.session.commit()
    page = signed_in.get("/adaptors").text
    assert "Deleted: their documents are kept" in page
    assert f'href="/?adaptor={adaptor.id}"' in page
    dashboard = signed_in.get(f"/?adaptor={adaptor.id}")
    assert dashboard.status_code == 200
    assert "4711" in dashboard.text
    assert "Billy (deleted)" in dashboard.text
    for path in ("/adaptors/general", "/source", "/settings", "/vat", "/customers"):
        assert signed_in.get(f"{path}?adaptor={adaptor.id}").status_code == 409, path
    for action in ("general", "reactivate", "deactivate", "delete"):
        assert submit(signed_in, f"/adaptors/{adaptor.id}/{action}", {"confirmation": adaptor.name}).status_code == 409
    assert signed_in.get("/adaptors/general").status_code == 302, (
        "without a name in the address, no deleted one is chosen"
    )
