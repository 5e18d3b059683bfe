"""The audit trail in the browser, and what each request leaves in it."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from invoiceapp import auditing
from invoiceapp.models import AuditEntry, Gateway, Role, db
from invoiceapp.models.audit import INSTALLATION
from invoiceapp.services import audit
from invoiceapp.services.audit import queries as audit_queries
from invoiceapp.services.audit import verify as audit_verify
from invoiceapp.services.audit import words as audit_words
from invoiceapp.services.audit.acts import ACTS, CHOICES, DOWNLOADS, SIGN_INS
from invoiceapp.services.database import transaction
from tests.conftest import PASSWORD
from tests.support.people import joined


def entries(**wanted: Any) -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry).filter_by(**wanted).order_by(AuditEntry.id)))


def acts() -> list[str]:
    return [entry.act for entry in entries()]


def test_every_route_that_changes_something_has_words(app: Flask):
    """A new one is added to services/audit/acts.py."""
    reading = {"GET", "HEAD", "OPTIONS"}
    changing = {rule.endpoint for rule in app.url_map.iter_rules() if (rule.methods or set()) - reading}
    assert changing - ACTS.keys() == set()
    assert DOWNLOADS.keys() - {rule.endpoint for rule in app.url_map.iter_rules()} == set()


def test_every_address_that_hands_out_a_file_is_noted(app: Flask):
    """A new one is added to services/audit/acts.py."""
    gets = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())]
    handing = {rule.endpoint for rule in gets if hands_out(app.view_functions[rule.endpoint])}
    assert handing - DOWNLOADS.keys() == set()
    assert {"proof.file", "evidence.file", "documents.xml", "main.documents_csv"} <= handing


def hands_out(view: Any, seen: frozenset[Any] = frozenset()) -> bool:
    """Whether a view, or a function of ours that it calls, names the header or the argument that makes a file of an answer."""
    if not inspect.isfunction(view):
        return False
    view = inspect.unwrap(view)
    if view in seen or not view.__module__.startswith("invoiceapp.blueprints"):
        return False
    code = view.__code__
    words = {word for one in code.co_consts for word in (one if isinstance(one, tuple) else (one,))}
    called = [view.__globals__[name] for name in code.co_names if name in view.__globals__]
    return not words.isdisjoint({"Content-Disposition", "as_attachment"}) or any(
        hands_out(one, seen | {view}) for one in called
    )


def test_a_post_is_one_act_and_what_it_changed(signed_in, user, gateway, submit):
    answer = submit(signed_in, f"/gateways/{gateway.id}/pause", {"reason": "S3CR3T reason", "reason2": "x"})
    assert answer.status_code == 303
    change, act = entries(chain=gateway.subscription_id)
    assert (act.act, act.outcome, act.object_kind, act.object_id) == ("gateways.pause", "done", "gateway", gateway.id)
    assert act.after == {"status": 303, "fields": {"reason": 1, "reason2": 1}}
    assert (change.act, change.object_kind, change.before["paused_at"]) == ("changed", "gateway", None)
    for entry in (change, act):
        assert (entry.actor_kind, entry.actor, entry.user_id, entry.ip) == ("person", user.email, user.id, "127.0.0.1")
    assert change.request_id == act.request_id
    assert audit_verify.verify(gateway.subscription_id).is_whole


def test_an_act_costs_two_statements_beside_its_row(signed_in, gateway, submit):
    from sqlalchemy import event

    submit(signed_in, "/inbox/read")
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *found: statements.append(found[2]))
    submit(signed_in, "/inbox/read")
    assert [one.split()[0] for one in statements if "audit" in one] == ["UPDATE", "INSERT", "UPDATE"]


def test_what_was_refused_is_told(signed_in, member, stranger, gateway, submit):
    assert submit(member, f"/gateways/{gateway.id}/delete").status_code == 403
    assert submit(stranger, f"/gateways/{gateway.id}/delete").status_code == 404
    assert signed_in.post(f"/gateways/{gateway.id}/pause").status_code == 400
    assert [(entry.act, entry.outcome, entry.after["status"]) for entry in entries()] == [
        ("gateways.delete", "refused", 403), ("gateways.delete", "refused", 404), ("gateways.pause", "refused", 400),
    ]  # fmt: skip
    chains = {entry.actor: entry.chain for entry in entries()}
    assert chains["fremmed@example.com"] != gateway.subscription_id


def test_reading_and_polls_leave_nothing(signed_in, adaptor, client):
    for path in ("/", "/gateways", "/audit", "/dashboard/live"):
        signed_in.get(path)
        signed_in.get(path, headers={"HX-Request": "true"})
    client.post("/gateways/nothing/delete")
    client.post("/no/such/address")
    assert entries() == []


def test_downloads_are_told(signed_in, adaptor):
    assert signed_in.get("/documents.csv").status_code == 200
    assert signed_in.get("/audit/export.jsonl").status_code == 200
    assert acts() == ["main.documents_csv", "audit.export_lines"]


def token(client) -> str:
    import re

    page = client.get("/login").get_data(as_text=True)
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]  # type: ignore[index]


def sign_in(client, email: str, password: str, **headers: str) -> int:
    data = {"email": email, "password": password, "csrf_token": token(client)}
    return client.post("/login", data=data, headers=headers).status_code


def test_signing_in_and_out_is_told_and_failing_to(app, client, user, subscription):
    sign_in(client, user.email, "wrong-S3CR3T")
    sign_in(client, "nobody@example.org", "wrong-S3CR3T")
    sign_in(client, "S3CR3T-password-in-the-wrong-field", "x")
    sign_in(app.test_client(), user.email, PASSWORD)
    found = [(entry.act, entry.actor, entry.outcome, entry.chain) for entry in entries() if entry.act in SIGN_INS]
    assert found == [
        ("sign_in.failed", user.email, "refused", subscription.id),
        ("sign_in.failed", "nobody@example.org", "refused", INSTALLATION),
        ("sign_in.failed", "", "refused", INSTALLATION),
        ("sign_in", user.email, "done", subscription.id),
    ]
    written = json.dumps([[entry.actor, entry.before, entry.after] for entry in entries()])
    assert "S3CR3T" not in written


def test_signing_out_is_told(signed_in, user, submit):
    submit(signed_in, "/logout")
    assert [(entry.act, entry.actor) for entry in entries()] == [("sign_out", user.email)]


def test_what_strangers_type_cannot_forge_or_flood_the_log(app, client, monkeypatch):
    monkeypatch.setattr(auditing, "_strangers", auditing._Strangers())
    monkeypatch.setattr(auditing._Strangers, "MOST", 2)
    agent = "Mozilla \u00e6 " + "x" * 5000
    for _ in range(4):
        sign_in(client, "a\u202eb@example.org", "x", **{"User-Agent": agent})
    found = entries()
    assert len(found) == 2
    assert found[0].actor == "a\\u202eb@example.org"
    assert len(found[0].after["agent"]) == 200


def test_an_entry_that_cannot_be_written_hides_nothing_that_was_done(signed_in, gateway, submit, monkeypatch, caplog):
    def broken(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("no space")

    monkeypatch.setattr(auditing, "_note_request", broken)
    assert submit(signed_in, f"/gateways/{gateway.id}/pause").status_code == 303
    assert db.session.get_one(Gateway, gateway.id, populate_existing=True).is_paused
    assert [entry.act for entry in entries()] == ["changed"]
    assert "AUDIT: the entry of POST" in caplog.text


# The page


@pytest.fixture
def trail(subscription) -> None:
    for number in range(60):
        with transaction(), audit.acting(f"person{number % 2}@example.com", ip="192.0.2.1"):
            audit.note(
                "gateways.save" if number % 3 else "sign_in.failed", subscription_id=subscription.id, of=f"gateway/G{number}",
                name=f"<b>Gateway {number}</b>", outcome="done" if number % 3 else "refused", after={"status": number},
            )  # fmt: skip


def test_the_page_shows_the_newest_first_in_sentences(signed_in, trail):
    page = signed_in.get("/audit").get_data(as_text=True)
    assert "person1@example.com gemte gatewayen &lt;b&gt;Gateway 59&lt;/b&gt;" in page
    assert "Gateway 9&lt;" not in page
    older = signed_in.get("/audit?before=11").get_data(as_text=True)
    assert "Gateway 9&lt;" in older
    assert "Gateway 10&lt;" not in older
    submit_language = signed_in.get("/audit", headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "<html" not in submit_language


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("person=person1@", 30), ("person=PERSON1@example.com", 30), ("what=sign_ins", 20), ("what=acts", 40),
        ("what=refused", 20), ("what=changes", 0), ("object=G7", 1), ("from=2099-01-01", 0), ("to=2001-01-01", 0),
        ("from=2001-01-01&to=2099-01-01", 60), ("from=nonsense&before=nonsense&what=nonsense", 60), ("person=%25", 0),
        ("to=9999-12-31", 60), ("before=99999999999999999999", 60),
    ],
)  # fmt: skip
def test_the_filter_is_in_the_address(signed_in, trail, query, count):
    page = signed_in.get(f"/audit?{query}")
    assert page.status_code == 200
    assert page.get_data(as_text=True).count('data-label="Nr."') + page.get_data(as_text=True).count(
        'data-label="No."'
    ) == min(count, audit_queries.PAGE)
    file = signed_in.get(f"/audit/export.csv?{query}").get_data(as_text=True)
    assert file.count("<b>Gateway") == 2 * count  # in the sentence, and in a column of its own


def test_old_and_new_are_shown_without_secrets(signed_in, subscription, gateway):
    with audit.acting("a@example.com"), transaction() as session:
        session.refresh(gateway)
        gateway.name, gateway.secrets = "Ny", {"password": "v1.S3CR3T"}
    page = signed_in.get("/audit").get_data(as_text=True)
    assert "ændrede gatewayen" in page
    assert "<bdi>SFTP</bdi>" in page
    assert "<bdi>Ny</bdi>" in page
    assert "S3CR3T" not in page


def test_the_export_is_whole_and_verifies(signed_in, trail):
    import io

    content = signed_in.get("/audit/export.jsonl").get_data(as_text=True)
    [found] = audit_verify.verify_file(io.StringIO(content))
    # With the entry that tells of this download.
    assert (found.count, found.is_whole) == (61, True)


def test_verify_now_says_what_was_checked(signed_in, trail, subscription, submit):
    submit(signed_in, "/audit/verify")
    page = signed_in.get("/audit").get_data(as_text=True)
    assert audit_queries.page(subscription.id, audit_queries.Filter()).entries[1].hash in page
    kind = db.engine.dialect.name
    with transaction() as session:
        session.execute(
            text("DROP TRIGGER audit_entry_unchanged" + (" ON audit_entry" if kind == "postgresql" else ""))
        )
        session.execute(text("UPDATE audit_entry SET actor = 'x' WHERE seq = 30"))
    submit(signed_in, "/audit/verify")
    assert "Linjens indhold er ændret." in signed_in.get("/audit").get_data(as_text=True)


def test_another_subscription_sees_nothing_and_members_may_not(stranger, member, trail):
    assert "Gateway" not in stranger.get("/audit/export.csv").get_data(as_text=True)
    for path in ("/audit", "/audit/export.csv", "/audit/export.jsonl"):
        assert member.get(path).status_code == 403


def told(client, query: str = "") -> str:
    """The page's text, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", client.get(f"/audit{query}").get_data(as_text=True)))


def test_an_act_and_what_it_changed_are_one_line_in_words(signed_in, gateway, submit):
    submit(signed_in, f"/gateways/{gateway.id}/pause", {"reason": "x"})
    page = signed_in.get("/audit").get_data(as_text=True)
    assert page.count('<td class="num"') == 1
    text = told(signed_in)
    assert "satte gatewayen på pause SFTP" in text and "Sat på pause" in text
    for technical in ("303", "reason2", "csrf", "T00:", gateway.id + " "):
        assert technical not in text


def test_leaving_says_so_and_what_was_refused_says_so_too(app, signed_in, user, subscription, submit):
    assert submit(signed_in, "/people/leave").status_code == 303
    [refused] = entries(act="people.leave")
    assert refused.outcome == "refused"
    assert f"{user.email} forlod virksomheden (blev afvist)" in told(signed_in)
    karen = joined(subscription, "karen@example.com", Role.MEMBER)
    client = app.test_client()
    sign_in(client, karen.user.email, PASSWORD)
    submit(client, "/people/leave")
    assert entries(act="people.leave")[-1].outcome == "done"
    assert "karen@example.com forlod virksomheden" in told(signed_in)
    assert "karen@example.com forlod virksomheden (blev" not in told(signed_in)
    assert "karen@example.com forlod virksomheden" in told(signed_in, "?what=changes")


def test_what_has_to_be_confirmed_first_is_not_told_as_done(signed_in, submit):
    with signed_in.session_transaction() as session:
        session["fs_paa"] = 0
    submit(signed_in, "/people/leave")
    assert [entry.outcome for entry in entries(act="people.leave")] == ["refused"]


def test_a_typing_error_was_not_saved_and_not_refused(signed_in, user, submit):
    assert submit(signed_in, "/people/groups", {"name": ""}).status_code == 422
    assert f"{user.email} oprettede en gruppe (blev ikke gemt)" in told(signed_in)
    assert "oprettede en gruppe" not in told(signed_in, "?what=refused")


def test_a_role_is_told_from_what_to_what(signed_in, subscription, submit):
    bo = joined(subscription, "bo@example.com", Role.MEMBER)
    submit(signed_in, f"/people/members/{bo.id}", {"role": "admin", "last_day": ""})
    assert "ændrede rollen for bo@example.com fra Medarbejder til Administrator" in told(signed_in)


def test_each_action_on_a_document_has_a_sentence_with_its_number(app, signed_in, make_customer, make_document, submit):
    document = make_document(make_customer(), "1485")
    submit(signed_in, f"/documents/{document.id}/cancel")
    assert "annullerede afsendelsen af dokument 1485 (blev afvist)" in told(signed_in)
    rule = next(one for one in app.url_map.iter_rules("documents.act"))
    names = set(re.findall(r"[a-z]+(?:-[a-z]+)*", re.search(r"any\((.*?)\)", rule.rule)[1]))  # type: ignore[index]
    assert {("documents.act", name) for name in names} <= CHOICES.keys()


def test_whoever_accepts_an_invitation_did_it(app, signed_in, subscription, submit):
    from invoiceapp.models import Membership
    from invoiceapp.services.people import invitations

    owner = db.session.scalars(select(Membership)).one()
    sent = invitations.invite(subscription.id, owner.user_id, "ny@example.com", owner.role, [], "")
    client, path = app.test_client(), sent.link[sent.link.index("/invitations/") :]
    typed = {"name": "Ny", "password": "en ganske lang sætning", "password_again": "en ganske lang sætning"}
    assert client.post(path, data={**typed, "csrf_token": token(client)}).status_code == 303
    text = told(signed_in)
    assert "ny@example.com tog imod invitationen" in text
    assert "ny@example.com blev medlem" in text
    assert "ikke var logget ind" not in text


def test_four_eyes_settings_say_which(signed_in, submit):
    submit(signed_in, "/approvals/settings", {"accounts": "true", "factor": "5"})
    assert "gemte, hvad der kræver to personer: ny bankkonto eller FIK-kreditor" in told(signed_in)


def test_an_approval_says_what_and_how(subscription, user):
    def entry(act: str, **values: Any) -> AuditEntry:
        shown = {"actor": user.email, "actor_kind": "person", "object_name": "", "outcome": "done", "after": {}}
        return AuditEntry(act=act, **{**shown, **values})

    decided = entry("approvals.decide", after={"choice": "refuse"})
    value = entry("changed", object_kind="approval", object_name="bankkonto DK50", after={"state": "refused"})
    assert audit_words.sentence(decided, [value]).da == f"{user.email} afviste bankkonto DK50"


def test_days_the_wrong_way_round_are_said(signed_in, trail):
    assert "Den sidste dag ligger før den første" in told(signed_in, "?from=2026-12-01&to=2026-11-01") or (
        "The last day is before the first." in told(signed_in, "?from=2026-12-01&to=2026-11-01")
    )


def test_all_acts_read_well(app):
    for name, words in (ACTS | SIGN_INS).items():
        assert words.da[0].islower() or words.da[0] == "A", name
        assert words.en, name
