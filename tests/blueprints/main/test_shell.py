"""Language switch, error pages and the menu."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from sqlalchemy import text

from invoiceapp.blueprints.main import links
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.formatting import STATES
from invoiceapp.models import Adaptor, User, db
from invoiceapp.services.errors import Conflict, ServiceError
from invoiceapp.services.export.archive import ArchiveCorrupt
from invoiceapp.services.people.access import NotAllowed, NotYours


def _token(client: FlaskClient, path: str = "/login") -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_the_language_is_kept_for_visitors_and_leads_back(client: FlaskClient) -> None:
    data = {"csrf_token": _token(client), "language": "en", "next": "/login?next=/runs"}
    answer = client.post("/language", data=data)
    assert (answer.status_code, answer.location) == (303, "/login?next=/runs")
    with client.session_transaction() as session:
        assert session["language"] == "en"


def test_the_language_is_kept_for_the_signed_in_person_everywhere(signed_in: FlaskClient, user: User) -> None:
    signed_in.post("/language", data={"csrf_token": _token(signed_in, "/"), "language": "en", "next": "/"})
    db.session.refresh(user)
    assert user.language == "en"


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "evil", ""]
)
def test_the_language_switch_leads_to_no_other_site(client: FlaskClient, address: str) -> None:
    data = {"csrf_token": _token(client), "language": "da", "next": address}
    assert client.post("/language", data=data).location == "/"


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/customers/none/settings", "/customers/none"),
        ("/source/some-id/connect?x=1", "/source"),
        ("/nowhere/at/all", "/"),
    ],
)
def test_the_language_switch_on_a_refused_form_leads_to_the_page_it_stands_on(
    client: FlaskClient, address: str, page: str
) -> None:
    data = {"csrf_token": _token(client), "language": "en", "next": address}
    assert client.post("/language", data=data).location == page


def test_a_language_that_we_do_not_speak_is_refused(client: FlaskClient) -> None:
    assert client.post("/language", data={"csrf_token": _token(client), "language": "xx"}).status_code == 400


def test_a_post_without_token_gets_the_page_about_old_pages(client: FlaskClient) -> None:
    with client.session_transaction() as session:
        session["language"] = "en"
    answer = client.post("/language", data={"language": "da"})
    assert answer.status_code == 400
    assert "page had been open for a long time" in answer.text


def test_an_unknown_address_gets_a_page(client: FlaskClient) -> None:
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert "<!doctype html>" in answer.text


def test_a_fragment_gets_one_line_instead_of_an_error_page(client: FlaskClient) -> None:
    answer = client.get("/no-such-page", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.text) == (404, "<p>404</p>")


REFUSED = Text("Der kører allerede en eksport.", "An export is already running.")


@pytest.fixture
def raising(app: Flask, signed_in: FlaskClient) -> Iterator[FlaskClient]:
    """A client of an app with pages that refuse; ``/raise/<kind>``."""
    errors: dict[str, Exception] = {
        "yours": NotYours(),
        "allowed": NotAllowed(),
        "conflict": Conflict(REFUSED),
        "corrupt": ArchiveCorrupt(REFUSED),
        "service": ServiceError(REFUSED),
        "bug": RuntimeError("secret detail"),
    }

    @policy("public")
    def refuse(kind: str) -> str:
        raise errors[kind]

    app.add_url_rule("/raise/<kind>", "raise", refuse)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield signed_in


@pytest.mark.parametrize(("kind", "status"), [("yours", 404), ("allowed", 403)])
def test_missing_rights_answer_like_pages_that_do_not_exist_or_are_forbidden(
    raising: FlaskClient, kind: str, status: int
) -> None:
    assert raising.get(f"/raise/{kind}").status_code == status


@pytest.mark.parametrize(("kind", "status"), [("conflict", 409), ("corrupt", 404), ("service", 422)])
def test_a_services_refusal_is_shown_in_its_own_words(raising: FlaskClient, kind: str, status: int) -> None:
    answer = raising.get(f"/raise/{kind}")
    assert answer.status_code == status
    assert REFUSED.en in answer.text


def test_a_fault_of_ours_shows_a_reference_and_no_detail(raising: FlaskClient) -> None:
    answer = raising.get("/raise/bug")
    assert answer.status_code == 500
    assert re.search(r"<code>[0-9A-Z]{26}</code>", answer.text)
    assert "secret detail" not in answer.text


def test_the_error_page_works_while_the_database_does_not(
    raising: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.session.execute(text("ALTER TABLE membership RENAME TO membership_gone"))
    db.session.execute(text("ALTER TABLE user_account RENAME TO user_gone"))
    db.session.commit()
    answer = raising.get("/")
    assert answer.status_code == 500
    assert "<!doctype html>" in answer.text


def test_the_menu_names_the_page_that_is_open(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert re.search(r'href="/runs" aria-current="page"', signed_in.get("/runs").text)


def test_a_screen_that_is_not_installed_has_no_address(app: Flask) -> None:
    with app.test_request_context():
        assert links.optional_url("no_such.screen") is None


@pytest.mark.parametrize(
    ("fix", "start"),
    [
        ("customer.endpoint", "/documents/D"),
        ("source.invoice", "/documents/D"),
        ("unheard.of", "/documents/D"),
        (None, None),
    ],
)
def test_without_a_page_of_its_own_a_fix_leads_to_the_document(app: Flask, fix: str | None, start: str | None) -> None:
    with app.test_request_context():
        link = links.fix_link(fix, "D", customer_id=None)
        assert (link.url if link else None) == start
        assert links.fix_link("source.invoice", "D", None, on_document=True) is None


def test_every_state_has_danish_words(app: Flask) -> None:
    with app.test_request_context():
        words = {}
        for language in ("da", "en"):
            with force_locale(language):
                words[language] = {state: str(look.label) for state, look in STATES.items()}
        assert [state for state in STATES if words["da"][state] == words["en"][state]] == []
