"""Fragments for htmx, pages for everybody else."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import DictLoader

from invoiceapp import htmx

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    app.jinja_loader = DictLoader({"page": "<main>{% include 'part' %}</main>", "part": "{{ what }}"})
    htmx.init_app(app)
    app.add_url_rule("/", "index", lambda: htmx.render_page_or_fragment("page", "part", what="rows"))
    app.add_url_rule("/save", "save", lambda: htmx.hx_redirect("/done?a=1"), methods=["POST"])
    app.add_url_rule(
        "/answer",
        "answer",
        lambda: htmx.hx_response(
            "late",
            htmx.STOP_POLLING,
            trigger={"saved": {"id": 7}},
            retarget="#out",
            reswap="innerHTML show:top",
            push_url="/list",
        ),
    )
    app.add_url_rule("/plain", "plain", lambda: htmx.hx_response("row", trigger="saved"))
    return app.test_client()


def test_htmx_gets_the_fragment_and_others_the_page_around_the_same_fragment(client: FlaskClient) -> None:
    assert client.get("/", headers=HTMX).text == "rows"
    assert client.get("/").text == "<main>rows</main>"


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_boosted_links_and_restored_history_get_the_whole_page(client: FlaskClient, header: str) -> None:
    assert client.get("/", headers={**HTMX, header: "true"}).text == "<main>rows</main>"


def test_every_answer_varies_on_the_htmx_header(client: FlaskClient) -> None:
    assert "HX-Request" in client.get("/").vary
    assert "HX-Request" in client.get("/missing").vary


def test_redirect_is_a_header_for_htmx_and_see_other_without_javascript(client: FlaskClient) -> None:
    fragment = client.post("/save", headers=HTMX)
    assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (204, "/done?a=1")
    page = client.post("/save")
    assert (page.status_code, page.location) == (303, "/done?a=1")
    assert "HX-Redirect" not in page.headers


def test_response_headers_are_those_asked_for(client: FlaskClient) -> None:
    answer = client.get("/answer")
    assert (answer.status_code, answer.text) == (286, "late")
    assert answer.headers["HX-Trigger"] == '{"saved": {"id": 7}}'
    assert answer.headers["HX-Retarget"] == "#out"
    assert answer.headers["HX-Reswap"] == "innerHTML show:top"
    assert answer.headers["HX-Push-Url"] == "/list"


def test_headers_not_asked_for_are_not_sent(client: FlaskClient) -> None:
    answer = client.get("/plain")
    assert answer.headers["HX-Trigger"] == "saved"
    assert not {"HX-Retarget", "HX-Reswap", "HX-Push-Url"} & set(answer.headers.keys())
