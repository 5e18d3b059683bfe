from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.models import Adaptor, SettingsChange, db
from invoiceapp.services.configuration import changes, saving

Make = Callable[..., Any]


def save_note(adaptor: Adaptor, text: str) -> str:
    change_id = saving.save_common(adaptor.id, {"general.note": text}, actor="anna@example.com").change_id
    assert change_id
    return change_id


def test_the_history_says_who_changed_what_from_what_to_what(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    save_note(adaptor, "Før")
    save_note(adaptor, "<b>Efter</b>")
    customer = make_customer("Kommunen")
    saving.save_overrides(customer.id, {"format": "oioubl-2.1", "customer.orderNumberPolicy": "required"})
    adaptor.settings = {**adaptor.settings}
    page = unescape(signed_in.get("/settings/history").text)
    for words in ("anna@example.com", "Før", "<b>Efter</b>", "Kommunen", "OIOUBL 2.1", "Peppol BIS Billing 3"):
        assert words in page
    assert "<b>Efter" not in signed_in.get("/settings/history").text
    one = signed_in.get(f"/settings/history?customer={customer.id}").text
    assert "Kommunen" in one
    assert "anna@example.com" not in one


def test_what_was_not_set_is_the_default_or_inherited(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    customer = make_customer("Kommunen")

    def before(key: str, value: str) -> str:
        saving.save_overrides(customer.id, {key: value})
        page = signed_in.get(f"/settings/history?customer={customer.id}").text
        return page.partition('class="change-value"><bdi>')[2].partition("<")[0]

    by_default, inherited = before("general.embedPdf", "true"), before("general.note", "Hej")
    assert by_default.lower() in ("standard", "default")
    assert inherited == "nedarvet"
    saving.save_overrides(customer.id, {"general.embedPdf": ""})
    saving.save_common(adaptor.id, {"general.embedPdf": "true"})
    assert before("general.embedPdf", "false") == "nedarvet"


def test_a_change_is_undone_from_the_history_and_says_so(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    change_id = save_note(adaptor, "Hej")
    answer = submit(signed_in, f"/settings/changes/{change_id}/undo", {"from": "history"})
    assert answer.headers["Location"] == f"/settings/history?adaptor={adaptor.id}"
    db.session.expire_all()
    assert adaptor.settings == {}
    assert db.session.get_one(SettingsChange, change_id).undone_by == "ejer@example.com"
    page = signed_in.get("/settings/history").text
    assert f"/settings/changes/{change_id}/undo" not in page
    assert page.count("/undo") == 1


def test_undoing_twice_or_too_late_changes_nothing_and_says_why(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    first = save_note(adaptor, "A")
    save_note(adaptor, "B")
    answer = submit(signed_in, f"/settings/changes/{first}/undo", follow_redirects=True)
    assert "Værdierne er ændret igen siden" in answer.text
    second = changes.of_adaptor(adaptor.id).changes[0].id
    submit(signed_in, f"/settings/changes/{second}/undo")
    answer = submit(signed_in, f"/settings/changes/{second}/undo", follow_redirects=True)
    assert "allerede fortrudt" in answer.text
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "A"}}


def test_the_history_is_read_page_by_page(
    signed_in: FlaskClient, adaptor: Adaptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        save_note(adaptor, f"Tekst-{number}")
    monkeypatch.setattr(changes.of_adaptor, "__defaults__", (None, "", 2))
    first = signed_in.get("/settings/history").text
    assert "Tekst-4" in first
    assert "Tekst-1" not in first
    address = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = signed_in.get(unescape(address)).text
    assert "Tekst-2" in second
    assert "Tekst-4" not in second


def test_members_read_the_history_only(member: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    change_id = save_note(adaptor, "Hej")
    page = member.get("/settings/history").text
    assert "Hej" in page
    assert "/undo" not in page
    assert submit(member, f"/settings/changes/{change_id}/undo").status_code == 403


def test_other_tenants_find_no_history(
    stranger: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    change_id = save_note(adaptor, "Hej")
    assert submit(stranger, f"/settings/changes/{change_id}/undo").status_code == 404
    assert stranger.get(f"/settings/history?adaptor={adaptor.id}").status_code == 404
    assert stranger.get(f"/settings/history?customer={make_customer().id}").status_code == 404
