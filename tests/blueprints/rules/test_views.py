from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.models import Adaptor, Customer, Delivery, Document, ExportRule, Gateway, Stage, db
from invoiceapp.services.configuration import customers, sources

Make = Callable[..., Any]


def test_without_a_source_the_page_leads_to_it(signed_in: FlaskClient) -> None:
    assert 'href="/source"' in signed_in.get("/customers").text


def test_a_connected_source_without_customers_offers_to_read_them(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert f'action="/customers/{adaptor.id}/read"' in signed_in.get("/customers").text


def test_search_and_filter_narrow_the_list_and_htmx_gets_the_rows_only(
    signed_in: FlaskClient, make_customer: Make
) -> None:
    make_customer("Aarhus Kommune")
    make_customer("Bageren", active=None, gln=None)
    page = signed_in.get("/customers?q=aarhus").text
    assert "Aarhus Kommune" in page
    assert "Bageren" not in page
    rows = signed_in.get("/customers?show=inactive", headers={"HX-Request": "true"}).text
    assert "Bageren" in rows
    assert "Aarhus Kommune" not in rows
    assert "<!doctype" not in rows.lower()


def test_the_list_says_what_a_customer_lacks(signed_in: FlaskClient, make_customer: Make) -> None:
    make_customer("Bageren", active=None, gln=None, country=None)
    page = signed_in.get("/customers").text
    assert "Mangler EAN eller CVR" in page
    assert "Mangler land" in page


def test_the_next_page_follows_by_key_without_repeating_anybody(
    signed_in: FlaskClient, make_customer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        make_customer(f"Kunde {number}")
    monkeypatch.setattr(customers.page, "__defaults__", (2,))
    seen, path = [], "/customers"
    while path:
        page = signed_in.get(path).text
        seen += [f"Kunde {n}" for n in range(5) if f">Kunde {n}</a>" in page]
        _, _, rest = page.partition('rel="next"')
        head = page[: len(page) - len(rest)]
        path = head.rpartition('href="')[2].partition('"')[0].replace("&amp;", "&") if rest else ""
    assert seen == [f"Kunde {n}" for n in range(5)]


def test_the_selected_customers_are_activated_and_others_are_not(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    chosen, other = make_customer("A", active=None), make_customer("B", active=None)
    data = {"ids": [chosen.id], "format": "oioubl-2.1", "gateway": gateway.id}
    assert submit(signed_in, f"/customers/{adaptor.id}/activate", data).status_code == 303
    found = db.session.query(ExportRule).all()
    assert [(row.customer_id, row.format, row.active) for row in found] == [(chosen.id, "oioubl-2.1", True)]
    assert other.id not in {row.customer_id for row in found}


def test_everything_means_everything_that_matches_the_filter(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    for name in ("Kommune A", "Kommune B", "Bageren"):
        make_customer(name, active=None)
    data = {"everything": "1", "q": "kommune", "format": "peppol-bis-3", "gateway": gateway.id}
    submit(signed_in, f"/customers/{adaptor.id}/activate", data)
    assert customers.counts(adaptor.id) == {"customers": 3, "active": 2}


def test_a_wrong_choice_asks_again_with_the_same_customers(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    data = {"ids": [customer.id], "format": "peppol-bis-3", "gateway": "unknown"}
    answer = submit(signed_in, f"/customers/{adaptor.id}/activate", data)
    assert answer.status_code == 422
    assert f'name="ids" value="{customer.id}"' in answer.text
    assert 'href="#field-gateway"' in answer.text


def test_without_javascript_a_page_asks_for_format_and_gateway(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    answer = submit(signed_in, f"/customers/{adaptor.id}/activate?ask=1", {"ids": [customer.id]})
    assert answer.status_code == 200
    assert 'name="format"' in answer.text
    assert db.session.query(ExportRule).count() == 0


def test_selecting_nobody_changes_nothing(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert submit(signed_in, f"/customers/{adaptor.id}/activate", {"format": "x"}).status_code == 303


def test_deactivating_keeps_the_settings(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    customer.rule.settings = {"customer": {"name": "Eget navn"}}
    db.session.commit()
    submit(signed_in, f"/customers/{adaptor.id}/deactivate", {"ids": [customer.id]})
    db.session.expire_all()
    assert (customer.rule.active, customer.rule.settings["customer"]["name"]) == (False, "Eget navn")


def test_own_settings_are_kept_and_blocked_documents_are_tried_again(
    signed_in: FlaskClient, make_customer: Make, make_document: Callable[..., Document],
    make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    customer = make_customer("A")
    document = make_document(customer)
    make_delivery(document, DeliveryState.BLOCKED)
    data = {"customer.endpoint.scheme": "0088", "customer.endpoint.value": "5798000000001", "general.embedPdf": "false"}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data, follow_redirects=True)
    db.session.expire_all()
    assert customer.rule.settings == {
        "general": {"embedPdf": False},
        "customer": {"endpoint": {"scheme": "0088", "value": "5798000000001"}},
    }
    assert document.stage is Stage.QUEUED
    assert ": 1." in answer.text


def test_an_emptied_field_inherits_again(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    customer = make_customer("A")
    customer.rule.settings = {"customer": {"name": "Eget navn"}}
    db.session.commit()
    submit(signed_in, f"/customers/{customer.id}/settings", {"customer.name": "", "customer.endpoint.scheme": "0088"})
    db.session.expire_all()
    assert customer.rule.settings == {}


def test_a_wrong_setting_is_shown_at_its_field_and_nothing_is_kept(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    data = {"customer.country": "Danmark", "customer.name": "Nyt navn"}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert answer.status_code == 422
    assert 'href="#field-customer.country"' in answer.text
    assert 'value="Nyt navn"' in answer.text
    db.session.expire_all()
    assert customer.rule.settings == {}


def test_empty_fields_say_what_they_inherit_and_from_where(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    adaptor.settings = {"supplier": {"phone": "12345678"}}
    db.session.commit()
    customer = make_customer("Bageren", city="Viborg")
    page = signed_in.get(f"/customers/{customer.id}").text
    for inherited in ("12345678", "Viborg", "GLN/EAN 5798000000001"):
        assert inherited in page.split('id="field-customer.endpoint-scheme"')[1]


def test_the_page_lists_the_customers_latest_documents(
    signed_in: FlaskClient, make_customer: Make, make_document: Callable[..., Document]
) -> None:
    customer = make_customer("A")
    document = make_document(customer, number="4711")
    assert f'href="/documents/{document.id}">4711</a>' in signed_in.get(f"/customers/{customer.id}").text


@pytest.mark.parametrize("action", ["rule", "stop", "settings"])
def test_members_see_a_customer_but_do_not_change_it(
    member: FlaskClient, make_customer: Make, submit: Any, action: str
) -> None:
    customer: Customer = make_customer("A")
    assert submit(member, f"/customers/{customer.id}/{action}").status_code == 403
    assert "<fieldset disabled" in member.get(f"/customers/{customer.id}").text


@pytest.mark.parametrize("action", ["rule", "stop", "settings"])
def test_other_tenants_find_no_customer(stranger: FlaskClient, make_customer: Make, submit: Any, action: str) -> None:
    customer: Customer = make_customer("A")
    assert submit(stranger, f"/customers/{customer.id}/{action}").status_code == 404
    assert stranger.get(f"/customers/{customer.id}").status_code == 404


@pytest.mark.parametrize("action", ["activate", "deactivate", "read"])
def test_members_do_not_change_many(member: FlaskClient, adaptor: Adaptor, submit: Any, action: str) -> None:
    assert submit(member, f"/customers/{adaptor.id}/{action}").status_code == 403


@pytest.mark.parametrize("action", ["activate", "deactivate", "read"])
def test_other_tenants_find_no_list(stranger: FlaskClient, adaptor: Adaptor, submit: Any, action: str) -> None:
    assert submit(stranger, f"/customers/{adaptor.id}/{action}").status_code == 404
    assert stranger.get(f"/customers?adaptor={adaptor.id}").status_code == 404


def test_a_source_that_cannot_be_read_is_told_in_words(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> int:
        raise sources.SourceFailed(Text("Billy svarer ikke.", "Billy does not answer."))

    monkeypatch.setattr(sources, "read_now", fail)
    assert "Billy svarer ikke." in submit(signed_in, f"/customers/{adaptor.id}/read", follow_redirects=True).text


def test_activating_says_that_older_documents_go_by_manual_export_only(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make,
    make_document: Callable[..., Document], submit: Any,
) -> None:  # fmt: skip
    customer = make_customer("A", active=None)
    data = {"ids": [customer.id], "format": "oioubl-2.1", "gateway": gateway.id}
    path = f"/customers/{adaptor.id}/activate"
    assert "Manuel eksport.</div>" not in submit(signed_in, path, data, follow_redirects=True).text
    for number in "12":
        make_document(customer, number, stage=Stage.LISTED)
    told = "2 ældre dokumenter sendes ikke af sig selv: vælg dem under Manuel eksport."
    assert told in submit(signed_in, path, data, follow_redirects=True).text
    assert told in submit(signed_in, f"/customers/{customer.id}/rule", data, follow_redirects=True).text
