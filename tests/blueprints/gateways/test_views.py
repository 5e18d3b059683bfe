from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.formatting import local_time
from invoiceapp.gateways.base import CheckStep
from invoiceapp.models import Adaptor, Delivery, Document, Environment, Gateway, db, utcnow
from invoiceapp.services.configuration import gateways

KEY = "SHA256:" + "A" * 43
FORM = {
    "name": "Operatør",
    "host": "sftp.example.com",
    "port": "22",
    "username": "u",
    "password": "geheim",
    "existing": "fail",
}


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner whose key nobody has confirmed."""
    detail = Text(f"Serveren viser »ssh-ed25519 {KEY}«.", f"The server shows “ssh-ed25519 {KEY}”.")
    steps = [
        CheckStep(Text("Find serveren", "Find the server"), True, Text("Svarer.", "Answers.")),
        CheckStep(Text("Fingeraftryk", "Fingerprint"), False, detail),
    ]
    monkeypatch.setattr(gateways, "check", lambda _: steps)


def test_the_empty_list_leads_to_the_first_gateway(signed_in: FlaskClient) -> None:
    assert 'href="/gateways/new"' in signed_in.get("/gateways").text


def test_the_list_shows_what_waits_and_why_one_is_paused(
    signed_in: FlaskClient, gateway: Gateway, make_customer: Callable[..., Any], make_document: Callable[..., Document],
    make_delivery: Callable[..., Delivery],
) -> None:  # fmt: skip
    make_delivery(make_document(make_customer()))
    gateway.paused_at, gateway.paused_reason = utcnow(), {"da": "Forkert adgangskode", "en": "Wrong password"}
    db.session.commit()
    page = signed_in.get("/gateways").text
    assert "Wrong password" in page
    assert re.search(r'<td class="num" data-label="[^"]+">1</td>', page)


def test_the_list_says_what_a_gateway_needs_before_it_can_send(signed_in: FlaskClient, gateway: Gateway) -> None:
    gateway.kind, gateway.config = "sftp", {"host": "sftp.example.com"}
    db.session.commit()
    page = signed_in.get("/gateways").text
    assert "Needs something" in page
    assert "fingerprint is not confirmed" in page
    gateway.config = {**gateway.config, "host_key": KEY, "filename": "{number}"}
    db.session.commit()
    page = signed_in.get("/gateways").text
    assert "Needs something" not in page
    assert "Active" in page


def test_what_keeps_a_gateway_from_sending_stands_out_from_what_is_only_unwise(
    signed_in: FlaskClient, gateway: Gateway
) -> None:
    gateway.kind, gateway.config = "sftp", {"host": "sftp.example.com", "filename": "{number}"}
    db.session.commit()
    fatal, unwise = gateways.advice(gateway)
    notices = signed_in.get(f"/gateways/{gateway.id}").text.split('class="notice notice-')
    tones = {text: one.split('"')[0] for one in notices for text in re.findall("<strong>(.*?)</strong>", one)}
    assert tones[str(escape(fatal.text.en))] == "danger"
    assert tones[str(escape(unwise.text.en))] == "warning"


def test_a_new_gateway_is_saved_with_its_password_encrypted_and_never_shown(
    signed_in: FlaskClient, submit: Any
) -> None:
    answer = submit(signed_in, "/gateways/new/sftp", FORM)
    assert answer.status_code == 303
    row = db.session.query(Gateway).one()
    assert (row.name, row.config["host"]) == ("Operatør", "sftp.example.com")
    assert "geheim" not in str(row.secrets)
    assert "geheim" not in signed_in.get(answer.location).text


def test_wrong_values_come_back_with_what_was_typed_but_without_the_password(
    signed_in: FlaskClient, submit: Any
) -> None:
    answer = submit(signed_in, "/gateways/new/sftp", {**FORM, "port": "99999", "name": ""})
    assert answer.status_code == 422
    assert 'value="sftp.example.com"' in answer.text
    assert 'href="#field-port"' in answer.text
    assert 'href="#field-name"' in answer.text
    assert "geheim" not in answer.text
    assert db.session.query(Gateway).count() == 0


def test_an_unknown_kind_of_gateway_is_not_found(signed_in: FlaskClient) -> None:
    assert signed_in.get("/gateways/new/pigeon").status_code == 404


def test_an_empty_password_keeps_the_saved_one(signed_in: FlaskClient, submit: Any) -> None:
    location = submit(signed_in, "/gateways/new/sftp", FORM).location
    kept = db.session.query(Gateway).one().secrets
    assert submit(signed_in, location, {**FORM, "password": "", "name": "Nyt navn"}).status_code == 303
    db.session.expire_all()
    row = db.session.query(Gateway).one()
    assert (row.name, row.secrets) == ("Nyt navn", kept)


@pytest.mark.usefixtures("unpinned")
def test_the_check_answers_htmx_with_a_fragment_and_others_with_the_page(
    signed_in: FlaskClient, gateway: Gateway, submit: Any
) -> None:
    path = f"/gateways/{gateway.id}/check"
    fragment = submit(signed_in, path, headers={"HX-Request": "true"}).text
    assert "<!doctype" not in fragment.lower()
    assert f'value="ssh-ed25519 {KEY}"' in fragment
    page = submit(signed_in, path).text
    assert page.lower().lstrip().startswith("<!doctype")
    assert f'value="ssh-ed25519 {KEY}"' in page


@pytest.mark.usefixtures("unpinned")
def test_a_confirmed_key_is_never_one_click_away_from_being_replaced(
    signed_in: FlaskClient, gateway: Gateway, submit: Any
) -> None:
    gateway.config = {**gateway.config, "host_key": "SHA256:" + "B" * 43}
    db.session.commit()
    assert 'name="host_key" value="ssh' not in submit(signed_in, f"/gateways/{gateway.id}/check").text
    submit(signed_in, f"/gateways/{gateway.id}/trust", {"host_key": KEY})
    db.session.expire_all()
    assert gateway.config["host_key"] == "SHA256:" + "B" * 43


def test_trusting_a_fingerprint_fills_the_field(signed_in: FlaskClient, gateway: Gateway, submit: Any) -> None:
    assert submit(signed_in, f"/gateways/{gateway.id}/trust", {"host_key": KEY}).status_code == 303
    db.session.expire_all()
    assert gateway.config["host_key"] == KEY


def test_something_else_than_a_fingerprint_is_not_trusted(
    signed_in: FlaskClient, gateway: Gateway, submit: Any
) -> None:
    submit(signed_in, f"/gateways/{gateway.id}/trust", {"host_key": "yes"})
    db.session.expire_all()
    assert "host_key" not in gateway.config


def test_a_paused_gateway_is_started_again(signed_in: FlaskClient, gateway: Gateway, submit: Any) -> None:
    gateway.paused_at, gateway.paused_reason = utcnow(), {"da": "x", "en": "x"}
    db.session.commit()
    assert submit(signed_in, f"/gateways/{gateway.id}/resume").status_code == 303
    db.session.expire_all()
    assert not gateway.is_paused


@pytest.mark.parametrize("action", ["", "/check", "/trust", "/resume", "/pause", "/delete", "/sample", "/resend"])
def test_members_look_but_do_not_change(member: FlaskClient, gateway: Gateway, submit: Any, action: str) -> None:
    assert submit(member, f"/gateways/{gateway.id}{action}", FORM).status_code == 403
    page = member.get(f"/gateways/{gateway.id}").text
    assert "<fieldset disabled" in page
    assert "/check" not in page


@pytest.mark.parametrize("action", ["", "/check", "/trust", "/resume", "/pause", "/delete", "/sample", "/resend"])
def test_other_tenants_find_nothing(stranger: FlaskClient, gateway: Gateway, submit: Any, action: str) -> None:
    assert submit(stranger, f"/gateways/{gateway.id}{action}", FORM).status_code == 404
    assert stranger.get(f"/gateways/{gateway.id}").status_code == 404
    assert gateway.id not in stranger.get("/gateways").text


@pytest.mark.usefixtures("app")
def test_visitors_are_sent_to_sign_in(client: FlaskClient, gateway: Gateway) -> None:
    for path in ("/gateways", f"/gateways/{gateway.id}", "/gateways/new", "/gateways/expiries"):
        answer = client.get(path)
        assert (answer.status_code, "/login" in answer.location) == (302, True)


def version(client: FlaskClient, gateway: Gateway) -> str:
    found = re.search(r'name="version" value="([0-9a-f]+)"', client.get(f"/gateways/{gateway.id}").text)
    assert found is not None
    return found[1]


def test_a_gateway_is_test_or_live(signed_in: FlaskClient, submit: Any) -> None:
    location = submit(signed_in, "/gateways/new/sftp", {**FORM, "environment": "test"}).location
    assert db.session.query(Gateway).one().environment is Environment.TEST
    assert 'value="test" selected' in signed_in.get(location).text
    assert "<span>Test</span>" in signed_in.get("/gateways").text
    answer = submit(signed_in, location, {**FORM, "environment": "moon"})
    assert answer.status_code == 422
    assert 'href="#field-environment"' in answer.text


def test_a_second_click_makes_no_second_gateway(signed_in: FlaskClient, submit: Any) -> None:
    assert [submit(signed_in, "/gateways/new/sftp", FORM).status_code for _ in range(2)] == [303, 422]
    assert db.session.query(Gateway).count() == 1


def test_whoever_was_overtaken_is_told_and_keeps_what_was_typed(
    signed_in: FlaskClient, gateway: Gateway, submit: Any
) -> None:
    shown = version(signed_in, gateway)
    gateway.config = {**gateway.config, "folder": "somebody-elses"}
    db.session.commit()
    path = f"/gateways/{gateway.id}"
    answer = submit(signed_in, path, {**FORM, "version": shown})
    assert answer.status_code == 409
    assert 'value="sftp.example.com"' in answer.text
    assert "geheim" not in answer.text
    db.session.expire_all()
    assert gateway.config["folder"] == "somebody-elses"
    assert submit(signed_in, path, {**FORM, "version": version(signed_in, gateway)}).status_code == 303


def test_setting_a_gateway_live_says_how_many_documents_stop(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Callable[..., Any],
    make_document: Callable[..., Document], make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    row = make_delivery(make_document(make_customer()))
    adaptor.environment = gateway.environment = Environment.TEST
    db.session.commit()
    path, form = f"/gateways/{gateway.id}", {**FORM, "host": "127.0.0.1"}
    page = submit(signed_in, path, {**form, "environment": "live"}, follow_redirects=True).text
    assert "1 document of a test adaptor that waited is stopped" in page
    db.session.refresh(row)
    assert row.state is DeliveryState.BLOCKED
    page = submit(signed_in, path, {**form, "environment": "test"}, follow_redirects=True).text
    assert "1 document that was stopped is tried again" in page


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_new_gateway_leads_back_to_pages_of_ours_only(signed_in: FlaskClient, submit: Any, back: str) -> None:
    assert f'name="next" value="{back}"' not in signed_in.get("/gateways/new/sftp", query_string={"next": back}).text
    assert submit(signed_in, "/gateways/new/sftp", {**FORM, "next": back}).location.startswith("/gateways/")


def test_a_new_gateway_becomes_the_default_of_the_adaptor_that_waits_for_it(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    back = f"/adaptors/general?adaptor={adaptor.id}"
    page = signed_in.get("/gateways/new", query_string={"next": back, "default_of": adaptor.id}).text
    assert f"default_of={adaptor.id}" in page
    answer = submit(signed_in, "/gateways/new/sftp", {**FORM, "next": back, "default_of": adaptor.id})
    assert answer.location == back
    db.session.expire_all()
    assert adaptor.default_gateway_id == db.session.query(Gateway).one().id


def test_a_live_gateway_does_not_become_the_default_of_a_test_adaptor(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    adaptor.environment = Environment.TEST
    db.session.commit()
    page = submit(
        signed_in,
        "/gateways/new/sftp",
        {**FORM, "environment": "live", "default_of": adaptor.id},
        follow_redirects=True,
    )
    assert "It is not the default gateway of “Billy”." in page.text
    db.session.expire_all()
    assert (adaptor.default_gateway_id, db.session.query(Gateway).count()) == (None, 1)


def test_a_new_gateway_for_another_tenants_adaptor_is_not_made(
    stranger: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    assert submit(stranger, "/gateways/new/sftp", {**FORM, "default_of": adaptor.id}).status_code == 404
    assert db.session.query(Gateway).count() == 0


def test_a_gateway_that_nothing_needs_is_deleted(signed_in: FlaskClient, gateway: Gateway, submit: Any) -> None:
    path = f"/gateways/{gateway.id}/delete"
    assert "Delete for good" in signed_in.get(path).text
    assert submit(signed_in, path).location == "/gateways"
    assert db.session.query(Gateway).count() == 0


def test_a_gateway_in_use_stays_and_says_by_what(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Callable[..., Any],
    make_document: Callable[..., Document], make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    adaptor.name, adaptor.default_gateway_id = "<i>A</i>", gateway.id
    make_delivery(make_document(make_customer()))
    path = f"/gateways/{gateway.id}/delete"
    for answer in (signed_in.get(path), submit(signed_in, path)):
        assert f'href="/customers?adaptor={adaptor.id}"' in answer.text
        assert f'href="/adaptors/general?adaptor={adaptor.id}#field-default_gateway"' in answer.text
        assert "Pause it instead" in answer.text
        assert "1 document is on its way through it" in answer.text
        assert "<i>A</i>" not in answer.text
        assert "Delete for good" not in answer.text
    assert answer.status_code == 409
    assert db.session.query(Gateway).count() == 1


def test_a_gateway_is_paused_by_hand(signed_in: FlaskClient, gateway: Gateway, submit: Any) -> None:
    submit(signed_in, f"/gateways/{gateway.id}/pause")
    db.session.expire_all()
    assert gateway.is_paused
    assert "Start it again" in signed_in.get(f"/gateways/{gateway.id}").text


def test_the_first_gateway_becomes_the_default_and_the_page_says_so(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    page = submit(signed_in, "/gateways/new/sftp", FORM, follow_redirects=True).text
    assert page.count("“Operatør” is the default gateway of “Billy”.") == 1
    db.session.expire_all()
    assert adaptor.default_gateway_id == db.session.query(Gateway).one().id


def test_a_gateway_without_password_and_key_is_refused_at_both_fields(signed_in: FlaskClient, submit: Any) -> None:
    answer = submit(signed_in, "/gateways/new/sftp", {**FORM, "password": ""})
    assert answer.status_code == 422
    assert 'href="#field-password"' in answer.text
    assert 'href="#field-private_key"' in answer.text
    assert db.session.query(Gateway).count() == 0


def test_a_pause_tells_others_why_and_who(signed_in: FlaskClient, gateway: Gateway, submit: Any) -> None:
    submit(signed_in, f"/gateways/{gateway.id}/pause", {"reason": "They move <servers>"})
    page = signed_in.get(f"/gateways/{gateway.id}").text
    assert "They move &lt;servers&gt;" in page
    assert "Paused by ejer@example.com" in page
    assert "They move &lt;servers&gt;" in signed_in.get("/gateways").text


def test_a_machine_that_does_not_answer_shows_when_it_is_tried_next(
    signed_in: FlaskClient, gateway: Gateway, submit: Any
) -> None:
    gateway.failing_since, gateway.retry_at = utcnow(), utcnow() + timedelta(minutes=10)
    db.session.commit()
    for path in ("/gateways", f"/gateways/{gateway.id}"):
        page = signed_in.get(path).text
        assert "Does not answer" in page
        assert local_time(gateway.retry_at) in page
    submit(signed_in, f"/gateways/{gateway.id}/resume")
    assert "Does not answer" not in signed_in.get("/gateways").text


@pytest.mark.usefixtures("partner")
def test_fields_stand_under_their_headings_and_name_what_they_depend_on(signed_in: FlaskClient) -> None:
    page = signed_in.get("/gateways/new/fake").text
    assert re.search(
        r"<legend>Access</legend>.*field-auth.*field-password.*</fieldset>.*field-certificate", page, re.DOTALL
    )
    assert page.count("<legend>Access</legend>") == 1
    assert 'data-only-when="auth" data-only-values="basic"' in page
    assert re.search(r'type="date"\s+id="field-switch_on"', page)
    assert re.search(r'type="url"\s+id="field-url"', page)
    assert re.search(r'<textarea class="form-control code[^>]+id="field-certificate"', page)


@pytest.mark.usefixtures("partner")
def test_a_field_that_does_not_count_is_not_asked_for(signed_in: FlaskClient, submit: Any) -> None:
    form = {"name": "A", "url": "https://partner.example/", "auth": "basic", "password": ""}
    answer = submit(signed_in, "/gateways/new/fake", form)
    assert answer.status_code == 422
    assert submit(signed_in, "/gateways/new/fake", {**form, "auth": "none"}).status_code == 303


@pytest.mark.usefixtures("partner")
def test_each_line_of_the_summary_of_errors_names_its_field(signed_in: FlaskClient, submit: Any) -> None:
    page = submit(signed_in, "/gateways/new/fake", {"name": "", "url": "ftp://x", "switch_on": "never"}).text
    summary = page[page.index("data-error-summary") :]
    for field, label in (("name", "Name: "), ("url", "Address: "), ("switch_on", "Switch on: ")):
        assert f'<a href="#field-{field}">{label}' in summary
