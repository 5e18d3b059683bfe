"""The general page of an adaptor, its rest and its end."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Environment, Gateway, NewCustomers, db

S = DeliveryState


@pytest.fixture
def form(adaptor: Adaptor, gateway: Gateway) -> dict[str, str]:
    """What the page would post after some changes."""
    return {
        "name": "Nyt navn", "description": "Om os", "environment": "live", "new_customers": "ignore",
        "default_format": "peppol-bis-3", "default_gateway": gateway.id, "start_date": "2026-10-01",
        "general.documentTypes": "invoices", "general.alreadyMailed": "", "general.alreadyEinvoiced": "send",
        "general.holdMinutes": "30", "general.approveFirst": "true",
    }  # fmt: skip


def again(adaptor: Adaptor) -> Adaptor:
    return db.session.get_one(Adaptor, adaptor.id, populate_existing=True)


def version(client: FlaskClient, path: str = "/adaptors/general") -> str:
    found = re.search(r'name="version" value="([0-9a-f]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_all_of_the_page_is_kept_at_once(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, submit: Any, form: dict[str, str]
) -> None:
    answer = submit(signed_in, f"/adaptors/{adaptor.id}/general", {**form, "version": version(signed_in)})
    assert answer.status_code == 303
    row = again(adaptor)
    assert (row.name, row.description, row.environment) == ("Nyt navn", "Om os", Environment.LIVE)
    assert (row.default_format, row.default_gateway_id) == ("peppol-bis-3", gateway.id)
    assert (row.new_customers, row.start_date) == (NewCustomers.IGNORE, date(2026, 10, 1))
    assert row.settings == {
        "general": {"documentTypes": "invoices", "alreadyEinvoiced": "send", "holdMinutes": 30, "approveFirst": True}
    }
    page = signed_in.get("/adaptors/general").text
    assert 'value="2026-10-01"' in page
    assert '<option value="invoices" selected>' in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "name"),
        ({"environment": "moon"}, "environment"),
        ({"new_customers": "shout"}, "new_customers"),
        ({"start_date": "i går"}, "start_date"),
        ({"default_format": "papyrus"}, "default_format"),
        ({"default_gateway": "someone-elses"}, "default_gateway"),
        ({"environment": "test"}, "default_gateway"),
        ({"general.holdMinutes": "99999999"}, "general.holdMinutes"),
        ({"description": "x" * 2001}, "description"),
    ],
)
def test_one_wrong_value_is_told_at_its_field_and_nothing_of_the_page_is_kept(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, form: dict[str, str], wrong: dict[str, str], field: str
) -> None:
    answer = submit(signed_in, f"/adaptors/{adaptor.id}/general", {**form, **wrong})
    assert answer.status_code == 422
    assert f'href="#field-{field}"' in answer.text
    assert 'value="2026-10-01"' in answer.text or field == "start_date"
    row = again(adaptor)
    assert (row.name, row.settings, row.start_date) == ("Billy", {}, None)


def test_whoever_was_overtaken_is_told_and_may_save_again(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, form: dict[str, str]
) -> None:
    shown = version(signed_in)
    adaptor.description = "Skrevet af en anden"
    db.session.commit()
    path = f"/adaptors/{adaptor.id}/general"
    answer = submit(signed_in, path, {**form, "version": shown})
    assert answer.status_code == 409
    assert 'value="Nyt navn"' in answer.text
    assert again(adaptor).name == "Billy"
    found = re.search(r'name="version" value="([0-9a-f]+)"', answer.text)
    assert found is not None
    assert submit(signed_in, path, {**form, "version": found[1]}).status_code == 303
    assert again(adaptor).description == "Om os"


def test_a_second_click_is_in_nobodys_way(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, form: dict[str, str]
) -> None:
    data = {**form, "version": version(signed_in)}
    assert [submit(signed_in, f"/adaptors/{adaptor.id}/general", data).status_code for _ in range(2)] == [303, 303]


def test_setting_an_adaptor_to_test_says_how_many_documents_stop(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any, submit: Any
) -> None:
    row = make_delivery(make_document(make_customer()))
    data = {"environment": "test", "default_gateway": ""}
    page = submit(signed_in, f"/adaptors/{adaptor.id}/general", data, follow_redirects=True).text
    assert "1 document that waited is stopped" in page
    db.session.refresh(row)
    assert row.state is S.BLOCKED


def test_a_default_gateway_that_became_live_later_is_pointed_at(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway
) -> None:
    adaptor.environment, adaptor.default_gateway_id = Environment.TEST, gateway.id
    db.session.commit()
    assert "The default gateway cannot be used" in signed_in.get("/adaptors/general").text


def test_the_schedules_are_told_in_words_and_changed_on_their_own_page(
    signed_in: FlaskClient, adaptor: Adaptor, make_schedule: Any
) -> None:
    page = signed_in.get("/adaptors/general").text
    assert "Only by hand" in page and f'href="/schedules?adaptor={adaptor.id}"' in page
    row = make_schedule()
    assert "Every 15 minutes" in (page := signed_in.get("/adaptors/general").text) and "Next time:" in page
    row.next_at = None
    db.session.commit()
    assert "Paused: nothing runs by itself now." in signed_in.get("/adaptors/general").text


def test_deactivating_says_what_waits_and_reactivating_lets_it_go(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any, submit: Any
) -> None:
    row = make_delivery(make_document(make_customer()))
    assert "1 document waits to be sent" in signed_in.get(f"/adaptors/{adaptor.id}/deactivate").text
    submit(signed_in, f"/adaptors/{adaptor.id}/deactivate")
    assert not again(adaptor).active
    assert "The adaptor is deactivated" in signed_in.get("/adaptors/general").text
    db.session.refresh(row)
    assert row.state is S.PENDING
    page = submit(signed_in, f"/adaptors/{adaptor.id}/reactivate", follow_redirects=True).text
    assert "1 document waited" in page
    assert again(adaptor).active


def test_deleting_asks_for_the_name_and_says_what_it_means(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any, submit: Any
) -> None:
    row = make_delivery(make_document(make_customer()))
    path = f"/adaptors/{adaptor.id}/delete"
    assert "1 document that has not been sent yet is taken out." in signed_in.get(path).text
    answer = submit(signed_in, path, {"confirmation": "Bily"})
    assert answer.status_code == 422
    assert 'href="#field-confirmation"' in answer.text
    assert 'value="Bily"' in answer.text
    assert again(adaptor).deleted_at is None
    assert submit(signed_in, path, {"confirmation": " Billy "}).status_code == 303
    assert again(adaptor).deleted_at is not None
    db.session.refresh(row)
    assert row.state is S.CANCELLED


def test_while_something_is_being_sent_nothing_is_deleted(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Any, make_document: Any, make_delivery: Any, submit: Any
) -> None:
    make_delivery(make_document(make_customer()), S.SENDING)
    answer = submit(signed_in, f"/adaptors/{adaptor.id}/delete", {"confirmation": "Billy"})
    assert answer.status_code == 409
    assert "Nothing was deleted" in answer.text
    assert again(adaptor).deleted_at is None
