"""The API: who may call it, what it answers, and that its description is true."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import select, update
from support.moving import bring

from invoiceapp.blueprints.api import openapi
from invoiceapp.blueprints.tokens import signing_in
from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Delivery,
    Document,
    Membership,
    Role,
    Run,
    RunState,
    Subscription,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.sign_in.rates import Rates

S = DeliveryState
PROBLEM = "application/problem+json"
#: Of which ``{document_id}`` stands for somebody else's row, or one that is not there.
ROUTES = [
    ("GET", "/adaptors"), ("POST", "/adaptors/{adaptor_id}/runs"), ("GET", "/runs/{run_id}"), ("GET", "/documents"),
    ("GET", "/documents/{document_id}"), ("GET", "/documents/{document_id}/xml"), ("GET", "/documents/{document_id}/pdf"),
    ("POST", "/documents/{document_id}/actions"),
]  # fmt: skip


def is_true(method: str, path: str, answer) -> None:
    """The answer is what the description says."""
    described = openapi.document()
    operation = described["paths"][path][method.lower()]
    content = operation["responses"][str(answer.status_code)].get("content", {})
    media_type = answer.headers["Content-Type"].partition(";")[0]
    assert media_type in content, (path, answer.status_code, media_type)
    schema = content[media_type].get("schema")
    if schema:
        Draft202012Validator({**described, **schema}, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
            answer.get_json(force=True)
        )


@pytest.fixture
def document(make_customer, make_document, make_delivery, make_rendition) -> Document:
    row = make_document(make_customer(), "1001", order_number="4500")
    make_delivery(row, S.FAILED, rendition_id=make_rendition(row).id)
    db.session.refresh(row)
    return row


@pytest.fixture
def run(adaptor) -> Run:
    row = Run(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, trigger="manual", state=RunState.FAILED,
        problems=[{"id": "x", "da": "Kan ikke læses", "en": "Cannot be read"}], error={"da": "Nej", "en": "No", "class": "X"},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


@pytest.fixture
def foreign(user) -> Adaptor:
    """In another subscription, of which the same person is the owner too."""
    other = Subscription(name="Fremmed A/S")
    db.session.add(other)
    db.session.flush()
    db.session.add(Membership(subscription_id=other.id, user_id=user.id, role=Role.OWNER))
    row = Adaptor(subscription_id=other.id, name="B", source_kind="billy", settings={})
    db.session.add(row)
    db.session.commit()
    return row


def test_the_description_has_exactly_the_routes(app):
    described = {
        (method.upper(), f"/api/v1{path}") for path, methods in openapi.document()["paths"].items() for method in methods
    }  # fmt: skip
    routes = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes
    assert {(method, path.removeprefix("/api/v1")) for method, path in routes} == {*ROUTES, ("GET", "/openapi.json")}


def test_everybody_may_read_the_description_and_its_schemas_are_schemas(client):
    described = client.get("/api/v1/openapi.json").get_json()
    assert described == json.loads(json.dumps(openapi.document()))
    assert described["openapi"].startswith("3.1")
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_without_a_key_nothing_is_answered_even_to_somebody_who_is_signed_in(signed_in):
    wrong: tuple[dict[str, str], ...] = ({}, {"Authorization": "Basic YTpi"})
    for (method, path), headers in [*product(ROUTES, wrong), (ROUTES[0], {"Authorization": "Bearer nonsense"})]:
        answer = signed_in.open(f"/api/v1{path.format(adaptor_id='x', run_id='x', document_id='x')}", method=method,
                                headers=headers)  # fmt: skip
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
        is_true(method, path, answer)


def test_a_key_opens_no_page_and_leaves_no_session(ask, key):
    page = ask("/api/v1/../../gateways")
    assert page.status_code in (302, 404)
    assert ask("/adaptors").headers.getlist("Set-Cookie") == []


def test_ids_of_another_subscription_do_not_exist_even_where_its_person_belongs_to_both(ask, foreign):
    theirs = Document(
        subscription_id=foreign.subscription_id, adaptor_id=foreign.id, customer_source_id="c", customer_name="C",
        source_id="d", type="invoice", number="1", issue_date=datetime(2026, 11, 2).date(), currency="DKK", net=1, vat=0,
        bundle={}, bundle_sha256="0" * 64,
    )  # fmt: skip
    run = Run(subscription_id=foreign.subscription_id, adaptor_id=foreign.id, trigger="manual", state=RunState.FINISHED)
    db.session.add_all([theirs, run])
    db.session.commit()
    foreign_ids = {"adaptor_id": foreign.id, "run_id": run.id, "document_id": theirs.id}
    no_ids = {"adaptor_id": "01NONE", "run_id": "01NONE", "document_id": "01NONE"}
    for (method, path), ids in product([pair for pair in ROUTES if "{" in pair[1]], (foreign_ids, no_ids)):
        answer = ask(path.format(**ids), method, json={"action": "cancel"})
        assert answer.status_code == 404
        is_true(method, path, answer)
    assert ask(f"/documents?adaptor={foreign.id}").status_code == 404
    assert ask("/adaptors").get_json() == {"adaptors": []}


def test_a_key_to_read_starts_and_sends_nothing(ask, make_key, document, adaptor):
    to_read = make_key(scope="read")
    for path in (f"/adaptors/{adaptor.id}/runs", f"/documents/{document.id}/actions"):
        answer = ask(path, "POST", key=to_read, json={"action": "try-again", "delivery": document.delivery_id})
        assert (answer.status_code, answer.mimetype) == (403, PROBLEM)
    assert ask(f"/documents/{document.id}", key=to_read).get_json()["actions"] == []
    assert ask("/adaptors", key=to_read).get_json()["adaptors"][0]["may"] == ["view"]
    assert db.session.scalars(select(Run)).all() == []


def test_an_owner_operates_by_key_but_never_changes_settings(ask, make_customer, make_document, make_delivery):
    waiting = make_document(make_customer())
    finding = {
        "rule": "IA-APPROVE-FIRST", "severity": "fatal", "text": {"da": "Godkend", "en": "Approve"}, "turn": "here",
        "term": None, "location": None, "fix": "customer.approval",
    }  # fmt: skip
    make_delivery(waiting, S.BLOCKED, findings=[finding])
    shown = ask(f"/documents/{waiting.id}").get_json()
    assert "approve" not in [one["name"] for one in shown["actions"]]
    body = {"action": "approve", "delivery": shown["delivery"]["id"]}
    assert ask(f"/documents/{waiting.id}/actions", "POST", json=body).status_code == 409


def test_a_key_for_chosen_adaptors_knows_of_no_other(ask, make_key, document, adaptor, subscription):
    other = Adaptor(subscription_id=subscription.id, name="B", source_kind="billy", settings={})
    db.session.add(other)
    db.session.commit()
    for_other = make_key(adaptor_ids=[other.id])
    assert [row["id"] for row in ask("/adaptors", key=for_other).get_json()["adaptors"]] == [other.id]
    assert ask("/documents", key=for_other).get_json()["documents"] == []
    assert ask(f"/documents/{document.id}", key=for_other).status_code == 404
    assert ask(f"/adaptors/{adaptor.id}/runs", "POST", key=for_other).status_code == 404
    assert ask(f"/documents/{document.id}").status_code == 200


def test_a_member_sees_by_key_what_is_shared_with_them_and_loses_it_at_once(
    app, ask, make_key, adaptor, subscription, document
):
    person = User(email="m@example.com", active=True, fs_uniquifier=new_id())
    db.session.add(person)
    db.session.flush()
    member = Membership(subscription_id=subscription.id, user_id=person.id, role=Role.MEMBER)
    db.session.add(member)
    db.session.commit()
    theirs = make_key(of=person)
    assert ask(f"/documents/{document.id}", key=theirs).status_code == 200
    adaptor.grants = [{"to": "admins", "level": "manager"}]
    db.session.commit()
    assert ask(f"/documents/{document.id}", key=theirs).status_code == 404
    member.suspended_at = utcnow()
    db.session.commit()
    answer = ask("/adaptors", key=theirs)
    assert (answer.status_code, answer.mimetype) == (401, PROBLEM)


def test_every_answer_is_what_the_description_says(ask, document, adaptor, run):
    db.session.execute(update(Document).values(pdf_sha256=None))
    db.session.commit()
    pairs = [
        ("GET", "/adaptors", "/adaptors"),
        ("GET", "/documents", "/documents"),
        ("GET", "/documents/{document_id}", f"/documents/{document.id}"),
        ("GET", "/runs/{run_id}", f"/runs/{run.id}"),
        ("POST", "/adaptors/{adaptor_id}/runs", f"/adaptors/{adaptor.id}/runs"),
        ("GET", "/documents/{document_id}/xml", f"/documents/{document.id}/xml"),
        ("GET", "/documents/{document_id}/pdf", f"/documents/{document.id}/pdf"),
    ]
    for method, path, address in pairs:
        is_true(method, path, ask(address, method))


def test_a_document_tells_its_facts_its_status_in_both_languages_and_its_story(ask, document):
    shown = ask(f"/documents/{document.id}").get_json()
    assert (shown["number"], shown["net"], shown["vat"], shown["total"]) == ("1001", "100.00", "25.00", "125.00")
    assert shown["status"] == {"code": "failed", "words": {"da": "Ikke sendt", "en": "Not sent"}}
    assert shown["order_numbers"] == {"customer": "4500", "supplier": None}
    assert shown["files"] == {"xml": f"/api/v1/documents/{document.id}/xml", "pdf": None}
    named = {one["name"]: one for one in shown["actions"]}
    assert named["try-again"]["words"] == {"da": "Prøv igen", "en": "Try again"}


def test_files_have_the_hash_of_their_bytes_and_are_not_sent_twice(ask, document):
    first = ask(f"/documents/{document.id}/xml")
    assert (first.data, first.mimetype) == (b"<Invoice/>", "application/xml")
    assert "attachment" in first.headers["Content-Disposition"]
    again = ask(f"/documents/{document.id}/xml", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert ask(f"/documents/{document.id}/pdf").status_code == 404


def test_a_run_is_started_and_a_second_one_follows_the_active_one(ask, adaptor):
    first = ask(f"/adaptors/{adaptor.id}/runs", "POST")
    assert first.status_code == 202
    address = first.headers["Location"]
    assert address.endswith(first.get_json()["url"]) and first.get_json()["state"] == "queued"
    db.session.execute(update(Run).values(state=RunState.RUNNING))
    db.session.commit()
    assert ask(f"/adaptors/{adaptor.id}/runs", "POST").get_json()["id"] == first.get_json()["id"]
    row = db.session.scalars(select(Run)).one()
    assert (row.actor, row.again_by, row.trigger) == ("ejer@example.com", "ejer@example.com", "manual")


def test_an_adaptor_that_is_switched_off_runs_nothing(ask, adaptor):
    adaptor.active = False
    db.session.commit()
    answer = ask(f"/adaptors/{adaptor.id}/runs", "POST")
    assert answer.status_code == 409
    is_true("POST", "/adaptors/{adaptor_id}/runs", answer)
    assert set(answer.get_json(force=True)["words"]) == {"da", "en"}


def test_an_action_that_is_called_twice_is_done_once(ask, document):
    path, template = f"/documents/{document.id}/actions", "/documents/{document_id}/actions"
    body = {"action": "send-again", "note": "Aftalt med modtageren", "delivery": document.delivery_id}
    for state, expected in ((S.DELIVERED, 200), (None, 409)):
        if state:
            bring(document.delivery_id, state)
            db.session.execute(update(Delivery).values(first_sent_at=utcnow()))
            db.session.commit()
        answer = ask(path, "POST", json=body)
        assert answer.status_code == expected, answer.text
        is_true("POST", template, answer)
    assert len(db.session.scalars(select(Delivery)).all()) == 2


SENSELESS: list[tuple[int, dict[str, Any]]] = [
    (415, {"data": "action=cancel"}),
    (400, {"data": "{", "content_type": "application/json"}),
    (400, {"json": ["cancel"]}),
    (400, {"json": {"action": 7}}),
    (409, {"json": {"action": "no-such-action"}}),
    (409, {"json": {"action": "try-again", "delivery": "01OTHER"}}),
    (422, {"json": {"action": "handle-outside", "delivery": None}}),
]


def test_a_body_that_makes_no_sense_does_nothing(ask, document):
    for status, options in SENSELESS:
        body = options.get("json")
        if isinstance(body, dict) and body.get("delivery", "") is None:
            body["delivery"] = document.delivery_id
        answer = ask(f"/documents/{document.id}/actions", "POST", **options)
        assert answer.status_code == status, answer.text
        is_true("POST", "/documents/{document_id}/actions", answer)
    assert db.session.scalars(select(Delivery.state)).all() == [S.FAILED]


UNREADABLE = [
    "status=gone", "from=yesterday", "changed_since=2026-11-01T00:00:00", "limit=0", "limit=201", "limit=x", "after=x",
    "stauts=failed", f"number={'1' * 201}",
]  # fmt: skip


def test_a_filter_that_cannot_be_read_is_refused_and_not_left_out(ask):
    for query in UNREADABLE:
        answer = ask(f"/documents?{query}")
        assert answer.status_code == 400, query
        is_true("GET", "/documents", answer)


def test_documents_are_filtered_and_paged(ask, make_customer, make_document, make_delivery, adaptor):
    customer, other = make_customer("A"), make_customer("B")
    rows = [make_document(customer, f"10{number:02}") for number in range(5)]
    make_document(other, "ab-9")
    make_delivery(rows[2], S.FAILED)

    def numbers(query: str) -> list[str]:
        return [one["number"] for one in ask(f"/documents?{query}").get_json()["documents"]]

    assert numbers("status=failed") == ["1002"] == numbers("status=person")
    assert numbers(f"customer={other.id}") == ["ab-9"] == numbers("number=AB-9")
    assert numbers("number=100") == []
    assert numbers("from=2026-11-03") == [] and len(numbers("from=2026-11-02&to=2026-11-02")) == 6
    assert len(numbers(f"adaptor={adaptor.id}")) == 6
    met, address = [], "/documents?limit=4"
    while address:
        answer = ask(address).get_json()
        met += [one["number"] for one in answer["documents"]]
        address = answer["next"]
    assert sorted(met) == ["1000", "1001", "1002", "1003", "1004", "ab-9"]


def test_who_asks_for_changes_gets_them_in_the_order_in_which_they_happened(ask, make_customer, make_document):
    rows = [make_document(make_customer(), str(number)) for number in range(4)]
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for row, minutes in zip(rows, (30, 10, 20, 0), strict=True):
        row.status_at = start + timedelta(minutes=minutes)
    db.session.commit()
    met, address = [], f"/documents?limit=1&changed_since={quote((start + timedelta(minutes=10)).isoformat())}"
    while address:
        answer = ask(address).get_json()
        met += [one["number"] for one in answer["documents"]]
        address = answer["next"]
    assert met == ["1", "2", "0"]


def test_a_program_that_calls_too_often_is_told_when_to_come_back(ask, monkeypatch):
    monkeypatch.setattr(signing_in, "_rates", Rates(calls=1))
    assert ask("/adaptors").status_code == 200
    answer = ask("/adaptors")
    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 60
    is_true("GET", "/adaptors", answer)


def test_who_guesses_keys_is_told_when_to_come_back(ask):
    wrong = f"ia_{'0' * 12}_{'A' * 43}"
    found = [ask("/adaptors", key=wrong) for _guess in range(21)]
    assert [one.status_code for one in found] == [401] * 20 + [429]
    assert int(found[-1].headers["Retry-After"]) >= 1


def test_a_page_of_another_site_cannot_use_a_key(ask, adaptor):
    answer = ask(f"/adaptors/{adaptor.id}/runs", "POST", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.mimetype) == (403, PROBLEM)


def test_a_fault_of_ours_is_told_without_what_happened(app, ask, monkeypatch):
    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("invoiceapp.services.people.access.adaptors", lambda: 1 // 0)
    answer = ask("/adaptors")
    assert (answer.status_code, answer.mimetype) == (500, PROBLEM)
    assert "ZeroDivision" not in answer.text
