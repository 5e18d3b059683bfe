"""The common settings: groups, the preview of a change, conflicts and undo."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.models import Adaptor, SettingsChange, db
from invoiceapp.services.configuration import saving
from invoiceapp.services.configuration.settings import OF_THE_ADAPTOR, SECTIONS, declared, resolve

Make = Callable[..., Any]

#: The notice that app.js moves the focus to, and its title.
FOCUSED = re.compile(r'tabindex="-1" data-error-summary>.*?<strong>([^<]+)</strong>', re.DOTALL)


@pytest.fixture(scope="module")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


def again(adaptor: Adaptor) -> Adaptor:
    db.session.expire_all()
    return adaptor


def test_common_settings_are_kept_beside_the_vat_categories(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    adaptor.settings = {"vat": {"old": {"category": "G"}}}
    db.session.commit()
    data = {"group": "general", "general.roundingLimit": "0,25", "supplier.bankRegistration": "1234"}
    assert submit(signed_in, f"/settings/{adaptor.id}", data).status_code == 303
    assert again(adaptor).settings == {
        "vat": {"old": {"category": "G"}},
        "general": {"roundingLimit": Decimal("0.25")},
    }


def test_each_group_shows_the_settings_that_make_sense_for_all(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    make_customer(format="edifact-d96a")
    for name in SECTIONS:
        page = signed_in.get(f"/settings?group={name}").text
        shown = set(re.findall(r'name="([a-z]+\.[A-Za-z]+)(?:\.value)?"', page))
        if name == "format":
            assert 'name="formats.edifact-d96a.profile"' in page
        else:
            wanted = {f"{name}.{field.name}" for field in declared(name, common=True)}
            assert shown == wanted - {f"general.{one}" for one in OF_THE_ADAPTOR}


def test_a_wrong_common_setting_keeps_what_was_typed(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    data = {"group": "supplier", "supplier.bankRegistration": "12", "supplier.name": "Ny"}
    answer = submit(signed_in, f"/settings/{adaptor.id}", data)
    assert answer.status_code == 422
    assert re.search(r'<a href="#field-supplier\.bankRegistration">Registreringsnummer: [^<]+</a>', answer.text)
    assert 'value="Ny"' in answer.text
    assert again(adaptor).settings == {}


def test_customers_with_a_value_of_their_own_are_counted_and_named(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    customer = make_customer("Kommunen")
    saving.save_overrides(customer.id, {"supplier.phone": "11111111"})
    page = signed_in.get("/settings?group=supplier").text
    assert f'href="/customers/{customer.id}?group=supplier#field-supplier.phone"' in page
    assert page.count('class="field-customers"') == 1


def test_only_what_another_level_decides_is_said_below_a_field(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    page = signed_in.get("/settings?group=general").text
    assert re.search(r'<option value="">(Default|Standard): Nej</option>', page)
    assert 'class="field-origin"' not in page
    adaptor.settings = {"general": {"embedPdf": True}}
    db.session.commit()
    assert signed_in.get("/settings?group=general").text.count('class="field-origin"') == 1


def test_a_change_that_touches_active_customers_is_shown_before_it_is_saved(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, make_document: Make, submit: Any, company: Company
) -> None:
    customer = make_customer("Kommunen")
    make_document(customer, "4711", bundle=company.bundle(company.hard_cases["mixed_rates"]))
    data = {"group": "general", "general.note": "Tak <b>for</b> handlen"}
    preview = submit(signed_in, f"/settings/{adaptor.id}", data)
    assert preview.status_code == 200
    assert again(adaptor).settings == {}
    text = unescape(preview.text)
    assert 'class="diff-added"' in text
    assert "<cbc:Note>Tak &lt;b&gt;for&lt;/b&gt; handlen</cbc:Note>" in text
    assert 'name="general.note" value="Tak &lt;b&gt;for&lt;/b&gt; handlen"' in preview.text
    back = submit(signed_in, f"/settings/{adaptor.id}", data | {"back": "1"})
    assert 'value="Tak &lt;b&gt;for&lt;/b&gt; handlen"' in back.text
    assert again(adaptor).settings == {}
    saved = submit(signed_in, f"/settings/{adaptor.id}", data | {"confirm": "1"})
    assert saved.status_code == 303
    assert again(adaptor).settings == {"general": {"note": "Tak <b>for</b> handlen"}}


def test_the_preview_repeats_the_button_that_sets_a_field_back(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    adaptor.settings = {"general": {"note": "Hej", "paymentTerms": "Netto 8"}}
    db.session.commit()
    make_customer()
    data = {"group": "general", "general.note": "Hej", "general.paymentTerms": "Netto 8", "reset": "general.note"}
    preview = submit(signed_in, f"/settings/{adaptor.id}", data)
    repeated = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', preview.text))
    assert repeated["reset"] == "general.note"
    submit(signed_in, f"/settings/{adaptor.id}", {**repeated, "confirm": "1"})
    assert again(adaptor).settings == {"general": {"paymentTerms": "Netto 8"}}


def test_a_stale_form_is_refused_already_before_the_preview(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    make_customer()
    seen = re.search(r'name="version" value="([^"]+)"', signed_in.get("/settings?group=general").text)
    assert seen
    saving.save_common(adaptor.id, {"general.note": "Annas"}, actor="anna@example.com")
    data = {"group": "general", "general.note": "Min", "version": seen[1]}
    answer = submit(signed_in, f"/settings/{adaptor.id}", data)
    assert answer.status_code == 409
    assert FOCUSED.findall(answer.text) == ["Ændret af en anden"]
    stored = answer.text.split('class="field-stored"')[1]
    assert "Annas" in stored
    assert "anna@example.com" in stored
    assert 'value="Min"' in answer.text
    assert again(adaptor).settings == {"general": {"note": "Annas"}}
    other = re.search(r'name="version" value="([^"]+)"', signed_in.get("/settings?group=supplier").text)
    assert other
    data = {"group": "supplier", "supplier.phone": "1", "version": other[1], "confirm": "1"}
    assert submit(signed_in, f"/settings/{adaptor.id}", data).status_code == 303


def test_nothing_new_is_said_and_makes_no_history(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any
) -> None:
    make_customer()
    assert submit(signed_in, f"/settings/{adaptor.id}", {"group": "general", "general.note": ""}).status_code == 303
    assert db.session.query(SettingsChange).count() == 0


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "‮אבג", "😀" * 50, "x" * 10_001, "a\x02b"])
def test_no_common_field_breaks_whatever_is_typed(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, submit: Any, name: str, text: str
) -> None:
    make_customer(format="edifact-d96a", active=False)
    groups = {"format": ["formats.edifact-d96a"]}.get(name, [name])
    for group in groups:
        for field in declared(group, common=True):
            key = f"{group}.{field.name}"
            typed = {f"{key}.value" if field.type == "participant" else key: text}
            answer = submit(signed_in, f"/settings/{adaptor.id}", {"group": name, **typed})
            assert answer.status_code in (303, 422), key
            assert "<script>alert" not in answer.text
            is_free = field.type not in ("boolean", "choice")
            assert answer.status_code == 303 or not is_free or text in unescape(answer.text)
    resolve(again(adaptor).settings, {})


def test_members_see_the_settings_but_do_not_change_them(member: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert submit(member, f"/settings/{adaptor.id}").status_code == 403
    page = member.get("/settings").text
    assert "<fieldset disabled" in page
    assert 'id="save-general"' not in page


def test_other_tenants_find_no_settings(stranger: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert submit(stranger, f"/settings/{adaptor.id}").status_code == 404
    assert stranger.get(f"/settings?adaptor={adaptor.id}").status_code == 404
