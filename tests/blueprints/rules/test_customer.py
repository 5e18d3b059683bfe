"""One customer: activation, five groups of settings, conflicts and copying."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import (
    Adaptor,
    Customer,
    Delivery,
    Document,
    ExportRule,
    Gateway,
    Problem,
    ProblemDocument,
    SettingsChange,
    Stage,
    Subscription,
    db,
)
from invoiceapp.services.configuration import saving
from invoiceapp.services.configuration.settings import SECTIONS, declared, resolve

Make = Callable[..., Any]


def version_on(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="version" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def again(customer: Customer) -> ExportRule:
    db.session.expire_all()
    assert customer.rule is not None
    return customer.rule


def own(customer: Customer, /, **groups: dict[str, Any]) -> None:
    assert customer.rule is not None
    customer.rule.settings = groups
    db.session.commit()


def test_the_five_groups_stand_in_order_and_each_has_its_own_form(signed_in: FlaskClient, make_customer: Make) -> None:
    customer = make_customer("A")
    page = signed_in.get(f"/customers/{customer.id}").text
    assert re.findall(r'id="tab-([a-z]+)"', page) == list(SECTIONS)
    for name in SECTIONS:
        page = signed_in.get(f"/customers/{customer.id}?group={name}").text
        assert f'name="group" value="{name}"' in page
        assert f'id="save-{name}"' in page
        assert page.count("<h1") == 1


def test_htmx_gets_the_group_only(signed_in: FlaskClient, make_customer: Make) -> None:
    customer = make_customer("A")
    part = signed_in.get(f"/customers/{customer.id}?group=supplier", headers={"HX-Request": "true"}).text
    assert 'name="group" value="supplier"' in part
    assert "<!doctype" not in part.lower()


def test_enter_in_a_field_saves_and_sets_nothing_back(signed_in: FlaskClient, make_customer: Make) -> None:
    customer = make_customer("A")
    own(customer, customer={"orderNumber": "PO-1"})
    form = signed_in.get(f"/customers/{customer.id}?group=customer").text.partition('id="settings-form"')[2]
    first = re.search(r"<button[^>]*>", form)
    assert first
    assert 'type="submit"' in first[0]
    assert "name=" not in first[0]


def test_own_settings_are_kept_and_blocked_documents_are_tried_again(
    signed_in: FlaskClient, make_customer: Make, make_document: Callable[..., Document],
    make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    customer = make_customer("A")
    document = make_document(customer)
    make_delivery(document, DeliveryState.BLOCKED)
    data = {
        "group": "customer", "customer.endpoint.scheme": "0088", "customer.endpoint.value": "5798000000001",
        "general.note": "not of this group",
    }  # fmt: skip
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data, follow_redirects=True)
    assert again(customer).settings == {"customer": {"endpoint": {"scheme": "0088", "value": "5798000000001"}}}
    db.session.refresh(document)
    assert document.stage is Stage.QUEUED
    assert ": 1." in answer.text
    assert 'id="tab-customer" aria-current="true"' in answer.text


def test_before_saving_it_says_what_waits_and_after_it_leads_there(
    signed_in: FlaskClient, make_customer: Make, make_document: Callable[..., Document],
    make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    customer, other = make_customer("A"), make_customer("B")
    stopped = [make_document(customer) for _ in range(2)]
    for document, state in ((stopped[0], DeliveryState.BLOCKED), (stopped[1], DeliveryState.PENDING)):
        make_delivery(document, state)
    make_delivery(make_document(customer), DeliveryState.DELIVERED)
    problem = Problem(
        subscription_id=customer.subscription_id, adaptor_id=customer.adaptor_id, key="k", rule="r", turn="us",
        text={"da": "Mangler", "en": "Lacks"}, customer_id=customer.id,
    )  # fmt: skip
    db.session.add(problem)
    db.session.flush()
    db.session.add(ProblemDocument(problem_id=problem.id, document_id=stopped[0].id))
    db.session.commit()
    path, telling = f"/customers/{customer.id}", 'id="waiting-documents"'
    form = signed_in.get(f"{path}?group=customer").text.partition('id="settings-form"')[2]
    assert re.search(rf"{telling}.*?\b2 ", form.partition('id="save-customer"')[0], re.DOTALL)
    assert telling not in signed_in.get(f"/customers/{other.id}?group=customer").text
    data = {"group": "customer", "customer.orderNumber": "PO-1"}
    answer = submit(signed_in, f"{path}/settings", data, headers={"HX-Request": "true"}, follow_redirects=True)
    told = answer.text.partition('class="section-messages"')[2].partition("settings-form")[0]
    assert ": 2." in told, "above the form, where htmx scrolls to"
    for address in (f"/?adaptor={customer.adaptor_id}&amp;customer={customer.id}", f"/problems/{problem.id}"):
        assert f'href="{address}"' in told and signed_in.get(unescape(address)).status_code == 200
    assert telling not in answer.text


def test_what_waits_is_tried_again_even_if_nothing_was_changed_and_that_is_told(
    signed_in: FlaskClient, make_customer: Make, make_document: Callable[..., Document],
    make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    customer = make_customer("A")
    make_delivery(make_document(customer), DeliveryState.BLOCKED)
    answer = submit(signed_in, f"/customers/{customer.id}/settings", {"group": "customer"}, follow_redirects=True)
    assert ": 1." in answer.text and "/undo" not in answer.text


def test_an_emptied_field_inherits_again(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    customer = make_customer("A")
    own(customer, customer={"name": "Eget navn"})
    data = {"group": "customer", "customer.name": "", "customer.endpoint.scheme": "0088", "customer.endpoint.value": ""}
    submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert again(customer).settings == {}


def test_one_field_is_set_back_by_its_button_and_the_others_are_kept(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    own(customer, customer={"orderNumber": "PO-1", "buyerReference": "REF"}, general={"note": "Hej"})
    page = signed_in.get(f"/customers/{customer.id}?group=customer").text
    assert 'name="reset" value="customer.orderNumber"' in page
    assert 'name="reset" value="customer.accountingCost"' not in page
    data = {
        "group": "customer", "customer.orderNumber": "PO-1", "customer.buyerReference": "REF 2",
        "reset": "customer.orderNumber",
    }  # fmt: skip
    submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert again(customer).settings == {"customer": {"buyerReference": "REF 2"}, "general": {"note": "Hej"}}


def test_a_whole_group_is_set_back_and_no_other(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    customer = make_customer("A")
    own(customer, customer={"orderNumber": "PO-1", "buyerReference": "REF"}, general={"note": "Hej"})
    data = {"group": "customer", "customer.orderNumber": "x", "customer.buyerReference": "y", "reset_all": "1"}
    submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert again(customer).settings == {"general": {"note": "Hej"}}


def test_a_field_that_does_not_exist_cannot_be_set_back(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    own(customer, general={"note": "Hej"})
    data = {"group": "customer", "reset": "general.note"}
    assert submit(signed_in, f"/customers/{customer.id}/settings", data).status_code == 303
    assert again(customer).settings == {"general": {"note": "Hej"}}


def test_a_wrong_setting_is_shown_at_its_field_and_nothing_is_kept(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    data = {"group": "customer", "customer.country": "Danmark", "customer.name": "Nyt navn"}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert answer.status_code == 422
    assert 'href="#field-customer.country"' in answer.text
    assert 'aria-describedby="field-customer.country-hint field-customer.country-error"' in answer.text
    assert 'value="Nyt navn"' in answer.text
    assert again(customer).settings == {}


def test_every_value_says_where_it_comes_from(signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make) -> None:
    adaptor.settings = {"supplier": {"phone": "12345678"}}
    db.session.commit()
    customer = make_customer("Bageren", city="Viborg", email="post@bageren.example")
    own(customer, customer={"orderNumber": "PO-7"})

    def page(name: str) -> str:
        return unescape(signed_in.get(f"/customers/{customer.id}?group={name}").text)

    assert "Arvet fra fællesindstillingerne: 12345678" in page("supplier")
    assert "Arvet fra Billy: Viborg" in page("customer")
    assert "Arvet fra Billy: GLN/EAN 5798000000001" in page("customer")
    assert "Egen værdi." in page("customer")
    assert 'placeholder="5"' in page("general")
    assert "Arvet fra standardværdien" not in page("general")
    assert "Arvet fra SFTP: {type}_{number}_{key8}" in page("gateway")
    assert "Arvet fra Billy: post@bageren.example" in page("gateway")
    assert "BT-13" in page("customer")


def test_the_page_lists_the_customers_latest_documents(
    signed_in: FlaskClient, make_customer: Make, make_document: Callable[..., Document]
) -> None:
    customer = make_customer("A")
    document = make_document(customer, number="4711")
    assert f'href="/documents/{document.id}">4711</a>' in signed_in.get(f"/customers/{customer.id}").text


def test_format_and_gateway_are_chosen_in_their_groups(
    signed_in: FlaskClient, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A")
    data = {"group": "format", "format": "edifact-d96a"}
    submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert again(customer).format == "edifact-d96a"
    assert "formats.edifact-d96a.profile" in signed_in.get(f"/customers/{customer.id}?group=format").text
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    submit(signed_in, f"/customers/{customer.id}/settings", {"group": "gateway", "gateway": other.id})
    assert (again(customer).gateway_id, again(customer).active) == (other.id, True)
    change = db.session.query(SettingsChange).order_by(SettingsChange.id.desc()).first()
    assert (change.before, change.after) == ({"rule": {"gateway": gateway.id}}, {"rule": {"gateway": other.id}})


def test_a_gateway_of_another_tenant_is_refused_and_both_choices_are_offered(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    tenant = Subscription(name="Fremmed A/S")
    db.session.add(tenant)
    db.session.flush()
    foreign = Gateway(subscription_id=tenant.id, name="Fremmed", kind="sftp", config={}, secrets={})
    db.session.add(foreign)
    db.session.commit()
    customer = make_customer("A")
    before = again(customer).gateway_id
    data = {"group": "gateway", "gateway": foreign.id}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert answer.status_code == 422
    assert 'href="#field-gateway"' in answer.text
    assert 'id="field-format"' in answer.text
    assert again(customer).gateway_id == before


def test_a_customer_that_was_never_activated_can_be_mended_first(
    signed_in: FlaskClient, adaptor: Adaptor, gateway: Gateway, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    # With one gateway that one is proposed; which of two, a person says.
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    data = {"group": "customer", "customer.orderNumber": "PO-1"}
    refused = submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert refused.status_code == 422
    assert 'tabindex="-1" data-error-summary' in refused.text
    assert 'value="PO-1"' in refused.text
    adaptor.default_gateway_id = gateway.id
    db.session.commit()
    assert submit(signed_in, f"/customers/{customer.id}/settings", data).status_code == 303
    rule = again(customer)
    assert (rule.active, rule.format, rule.settings) == (False, "oioubl-2.1", {"customer": {"orderNumber": "PO-1"}})
    page = signed_in.get(f"/customers/{customer.id}").text
    assert f'name="gateway" value="{gateway.id}"' in page


def test_a_stale_form_is_refused_with_what_was_typed_and_what_is_stored_now(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    path = f"/customers/{customer.id}/settings"
    stale = version_on(signed_in, f"/customers/{customer.id}?group=customer")
    saving.save_overrides(customer.id, {"customer.orderNumber": "ANNAS"}, actor="anna@example.com")
    data = {"group": "customer", "version": stale, "customer.orderNumber": "MIN", "customer.buyerReference": ""}
    answer = submit(signed_in, path, data)
    assert answer.status_code == 409
    assert answer.text.count("data-error-summary") == 1
    assert 'value="MIN"' in answer.text
    assert re.search(r'id="save-customer">[^<]+', answer.text)
    assert 'id="save-customer">Gem</button>' not in answer.text
    stored = answer.text.split('class="field-stored"')
    assert len(stored) == 2
    assert "ANNAS" in stored[1]
    assert "anna@example.com" in stored[1]
    assert again(customer).settings == {"customer": {"orderNumber": "ANNAS"}}
    fresh = re.search(r'name="version" value="([^"]+)"', answer.text)
    assert fresh
    assert submit(signed_in, path, data | {"version": fresh[1]}).status_code == 303
    assert again(customer).settings == {"customer": {"orderNumber": "MIN"}}


def test_a_field_says_where_its_value_comes_from_only_if_another_level_decides(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make
) -> None:
    customer = make_customer("A")
    path = f"/customers/{customer.id}?group=general"
    assert 'class="field-origin"' not in signed_in.get(path).text
    adaptor.settings = {"general": {"embedPdf": False, "note": "Hej"}}
    db.session.commit()
    page = signed_in.get(path).text
    assert page.count('class="field-origin"') == 2
    assert '<option value="">Arv: Nej</option>' in page


def test_htmx_gets_the_conflict_with_a_status_that_it_swaps(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    customer = make_customer("A")
    data = {"group": "customer", "version": "old", "customer.orderNumber": "MIN"}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert 'class="field-stored"' in answer.text


def test_the_other_groups_do_not_disturb(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    customer = make_customer("A")
    seen = version_on(signed_in, f"/customers/{customer.id}?group=general")
    saving.save_overrides(customer.id, {"customer.orderNumber": "ANNAS", "format": "edifact-d96a"})
    data = {"group": "general", "version": seen, "general.note": "Hej"}
    assert submit(signed_in, f"/customers/{customer.id}/settings", data).status_code == 303
    assert again(customer).settings == {"customer": {"orderNumber": "ANNAS"}, "general": {"note": "Hej"}}


def test_the_same_form_sent_twice_changes_once(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    customer = make_customer("A")
    seen = version_on(signed_in, f"/customers/{customer.id}?group=general")
    data = {"group": "general", "version": seen, "general.note": "Hej"}
    answers = [submit(signed_in, f"/customers/{customer.id}/settings", data).status_code for _ in range(2)]
    assert answers == [303, 303]
    assert db.session.query(SettingsChange).count() == 1


def test_what_was_saved_can_be_undone_at_once(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    customer = make_customer("A")
    data = {"group": "general", "general.note": "Hej"}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data, follow_redirects=True)
    path = re.search(r'action="(/settings/changes/[^"]+/undo)"', answer.text)
    assert path
    undone = submit(signed_in, path[1])
    assert undone.headers["Location"] == f"/customers/{customer.id}?group=general"
    assert again(customer).settings == {}


@pytest.mark.parametrize(
    ("name", "key", "typed", "address"),
    [
        ("customer", "customer.orderNumberPattern", "4500##", "order-number?pattern=4500%23%23"),
        ("gateway", "gateway.fileName", "{number}", "file-name?template=%7Bnumber%7D"),
    ],
)
def test_without_javascript_a_button_shows_the_example(
    signed_in: FlaskClient, make_customer: Make, submit: Any, name: str, key: str, typed: str, address: str
) -> None:
    customer = make_customer("A")
    page = signed_in.get(f"/customers/{customer.id}?group={name}").text
    assert f'name="example" value="{key}"' in page
    data = {"group": name, key: typed, "example": key}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert answer.headers["Location"] == f"/customers/{customer.id}/{address}"
    assert signed_in.get(answer.headers["Location"]).status_code == 200
    assert again(customer).settings == {}


AWKWARD = {
    "markup": "<script>alert(1)</script>\"'>",
    "right to left": "\N{RIGHT-TO-LEFT OVERRIDE}אבג\N{ARABIC LETTER ALEF}",
    "emoji": "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{WOMAN}",
    "too long": "x" * 10_001,
    "control": "a\x01b",
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("name", SECTIONS)
def test_no_field_breaks_whatever_is_typed_and_nothing_invalid_is_stored(
    signed_in: FlaskClient, make_customer: Make, submit: Any, name: str, text: str
) -> None:
    customer = make_customer("A", format="edifact-d96a")
    groups = {"format": ["formats.edifact-d96a"]}.get(name, [name])
    keys = {f"{group}.{field.name}": field for group in groups for field in declared(group)}
    typed = {f"{key}.value" if field.type == "participant" else key: text for key, field in keys.items()}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", {"group": name, **typed})
    assert answer.status_code in (303, 422)
    assert "<script>alert" not in answer.text
    if answer.status_code == 422:
        assert again(customer).settings == {}
        assert text in unescape(answer.text)
    for key, field in keys.items():
        one = submit(
            signed_in, f"/customers/{customer.id}/settings",
            {"group": name, f"{key}.value" if field.type == "participant" else key: text},
        )  # fmt: skip
        assert one.status_code in (303, 422), key
        if one.status_code == 422:
            assert f'href="#field-{key}"' in one.text
    # What was stored is what the mapping can read.
    resolve({}, again(customer).settings)
    assert "<script>alert" not in signed_in.get(f"/customers/{customer.id}?group={name}").text


@pytest.mark.parametrize("action", ["rule", "stop", "settings", "copy"])
def test_members_see_a_customer_but_do_not_change_it(
    member: FlaskClient, make_customer: Make, submit: Any, action: str
) -> None:
    customer: Customer = make_customer("A")
    own(customer, general={"note": "Hej"})
    assert submit(member, f"/customers/{customer.id}/{action}").status_code == 403
    page = member.get(f"/customers/{customer.id}").text
    assert "<fieldset disabled" in page
    assert 'name="reset"' not in page
    assert 'id="save-general"' not in page


@pytest.mark.parametrize("action", ["rule", "stop", "settings", "copy"])
def test_other_tenants_find_no_customer(stranger: FlaskClient, make_customer: Make, submit: Any, action: str) -> None:
    customer: Customer = make_customer("A")
    assert submit(stranger, f"/customers/{customer.id}/{action}").status_code == 404
    assert stranger.get(f"/customers/{customer.id}").status_code == 404
    assert stranger.get(f"/customers/{customer.id}/copy").status_code == 404


def test_a_customer_is_activated_and_deactivated(
    signed_in: FlaskClient, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    path = f"/customers/{customer.id}/rule"
    wrong = submit(signed_in, path, {"format": "peppol-bis-3", "gateway": "x"})
    assert wrong.status_code == 422
    assert 'href="#activation-gateway"' in wrong.text
    submit(signed_in, path, {"format": "peppol-bis-3", "gateway": gateway.id})
    assert again(customer).active
    submit(signed_in, f"/customers/{customer.id}/stop")
    assert not again(customer).active


def copy_to(
    client: FlaskClient, submit: Any, customer: Customer, step: str, targets: list[Customer], *sections: str
) -> Any:
    data = {"step": step, "ids": [row.id for row in targets], "sections": list(sections)}
    return submit(client, f"/customers/{customer.id}/copy", data)


def test_settings_are_copied_after_a_preview(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    giver, first, second = (make_customer(name) for name in ("A", "B", "C"))
    own(giver, customer={"orderNumberPolicy": "required", "name": "Kun A"})
    form = signed_in.get(f"/customers/{giver.id}/copy").text
    assert f'value="{first.id}"' in form
    assert f'name="ids" value="{giver.id}"' not in form
    preview = copy_to(signed_in, submit, giver, "preview", [first, second], "customer")
    assert 'value="copy"' in preview.text
    assert again(first).settings == {}
    assert copy_to(signed_in, submit, giver, "copy", [first, second], "customer").status_code == 303
    assert again(first).settings == again(second).settings == {"customer": {"orderNumberPolicy": "required"}}


def test_copying_to_nobody_or_nothing_is_said_on_top(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    giver = make_customer("A")
    own(giver, general={"note": "Hej"})
    answer = copy_to(signed_in, submit, giver, "preview", [], "customer")
    assert answer.status_code == 422
    assert 'href="#ids"' in answer.text
    assert 'href="#sections"' in answer.text


def test_a_search_keeps_what_is_ticked(signed_in: FlaskClient, make_customer: Make, submit: Any) -> None:
    giver, ticked, found, other = (make_customer(name) for name in ("A", "Bageren", "Kommunen", "Zebra"))
    own(giver, general={"note": "Hej"})
    data = {"step": "search", "q": "kommun", "ids": [ticked.id], "sections": ["general"]}
    page = submit(signed_in, f"/customers/{giver.id}/copy", data).text
    boxes = re.findall(r'name="ids" value="([^"]+)"', page)
    assert boxes == [ticked.id, found.id]
    assert other.id not in page
    row = page.split(f'name="ids" value="{ticked.id}"')[1].partition(">")[0]
    assert "checked" in row


def test_the_search_finds_names_in_any_case_as_the_list_does(
    signed_in: FlaskClient, make_customer: Make, submit: Any
) -> None:
    giver, found = make_customer("Giver"), make_customer("ÆRØ Kommune")
    make_customer("Odense")
    own(giver, general={"note": "Hej"})
    data = {"step": "search", "q": "ærø", "everything": "1", "sections": ["general"]}
    page = submit(signed_in, f"/customers/{giver.id}/copy", data).text
    assert re.findall(r'name="ids" value="([^"]+)"', page) == [found.id]
    submit(signed_in, f"/customers/{giver.id}/copy", data | {"step": "copy"})
    assert again(found).settings == {"general": {"note": "Hej"}}


def test_the_activation_form_moves_no_active_customer(
    signed_in: FlaskClient, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A")
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    data = {"format": "oioubl-2.1", "gateway": other.id}
    answer = submit(signed_in, f"/customers/{customer.id}/rule", data)
    assert (again(customer).format, customer.rule.gateway_id) == ("peppol-bis-3", gateway.id)
    assert answer.headers["Location"] == f"/customers/{customer.id}?group=format"
    assert "Kunden er allerede aktiveret" in signed_in.get(answer.headers["Location"]).text


def test_a_customer_at_rest_is_activated_as_its_page_says_or_not_at_all(
    signed_in: FlaskClient, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A", active=False)
    page = signed_in.get(f"/customers/{customer.id}").text
    form = page.partition(f'action="/customers/{customer.id}/rule"')[2].partition("</form>")[0]
    data = dict(re.findall(r'name="(version|format|gateway)" value="([^"]*)"', form))
    assert set(data) == {"version", "format", "gateway"}
    saving.save_overrides(customer.id, {"format": "oioubl-2.1"})
    submit(signed_in, f"/customers/{customer.id}/rule", data)
    assert (again(customer).active, customer.rule.format) == (False, "oioubl-2.1")


def test_where_the_other_choice_was_changed_both_are_shown(
    signed_in: FlaskClient, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A")
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    seen = version_on(signed_in, f"/customers/{customer.id}?group=format")
    saving.save_overrides(customer.id, {"gateway": other.id})
    data = {"group": "format", "version": seen, "format": "oioubl-2.1"}
    answer = submit(signed_in, f"/customers/{customer.id}/settings", data)
    assert answer.status_code == 409
    assert f'<option value="{other.id}" selected' in answer.text
    assert again(customer).format == "peppol-bis-3"
    data["version"] = re.findall(r'name="version" value="([^"]+)"', answer.text)[-1]
    assert submit(signed_in, f"/customers/{customer.id}/settings", data).status_code == 303
    assert (again(customer).format, customer.rule.gateway_id) == ("oioubl-2.1", other.id)


def ids(page: str) -> list[str]:
    return re.findall(r'\bid="([^"]+)"', page)


@pytest.mark.parametrize("group", ["format", "gateway"])
def test_a_customer_that_was_never_activated_has_one_field_for_its_format_with_the_proposal(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, gateway: Gateway, submit: Any, group: str
) -> None:
    customer = make_customer("A", active=None)
    page = signed_in.get(f"/customers/{customer.id}?group={group}").text
    assert len(ids(page)) == len(set(ids(page)))
    assert f"field-{group}" in ids(page)
    proposed = saving.proposed_format(adaptor, customer) if group == "format" else gateway.id
    select = page.partition(f'id="field-{group}"')[2].partition("</select>")[0]
    assert f'<option value="{proposed}" selected' in select
    submit(signed_in, f"/customers/{customer.id}/settings", {"group": "format", "format": "edifact-d96a"})
    rule = again(customer)
    assert (rule.active, rule.format, rule.gateway_id) == (False, "edifact-d96a", gateway.id)


def test_without_any_gateway_the_format_stands_there_and_leads_to_a_new_gateway(
    signed_in: FlaskClient, adaptor: Adaptor, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    db.session.delete(gateway)
    db.session.commit()
    for group in ("format", "gateway"):
        page = signed_in.get(f"/customers/{customer.id}?group={group}").text
        assert f"field-{group}" in ids(page)
        assert f"default_of={adaptor.id}" in page.partition('id="settings"')[2]
    answer = submit(signed_in, f"/customers/{customer.id}/settings", {"group": "format", "format": "edifact-d96a"})
    assert answer.status_code == 422
    db.session.expire_all()
    assert customer.rule is None


def test_among_several_gateways_none_is_chosen_for_the_person(
    signed_in: FlaskClient, make_customer: Make, gateway: Gateway, submit: Any
) -> None:
    customer = make_customer("A", active=None)
    other = Gateway(subscription_id=gateway.subscription_id, name="Anden", kind="email", config={}, secrets={})
    db.session.add(other)
    db.session.commit()
    path = f"/customers/{customer.id}/settings"
    assert submit(signed_in, path, {"group": "format", "format": "peppol-bis-3", "gateway": ""}).status_code == 422
    data = {"group": "format", "format": "peppol-bis-3", "gateway": other.id}
    assert submit(signed_in, path, data).status_code == 303
    assert (again(customer).active, again(customer).gateway_id) == (False, other.id)
