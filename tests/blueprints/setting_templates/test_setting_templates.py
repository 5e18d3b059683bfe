"""From a customer to a template to other customers, and who may."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from invoiceapp.models import Adaptor, Customer, SettingTemplate, db

PATH = "/setting-templates"


@pytest.fixture
def giver(make_customer: Any) -> Customer:
    row: Customer = make_customer("Giver")
    row.rule.settings = {"general": {"note": "Tak for handlen"}}  # type: ignore[union-attr]
    db.session.commit()
    return row


@pytest.fixture
def template(signed_in: FlaskClient, giver: Customer, submit: Any) -> SettingTemplate:
    form = {"name": "Standard", "sections": ["general"]}
    assert submit(signed_in, f"{PATH}/from-customer/{giver.id}", form).status_code == 303
    return db.session.scalars(select(SettingTemplate)).one()


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status
    return answer.get_data(as_text=True)


def test_a_template_is_made_shown_renamed_and_deleted(
    signed_in: FlaskClient, giver: Customer, template: SettingTemplate, submit: Any
) -> None:
    path = f"{PATH}/{template.id}"
    assert template.settings == {"general": {"note": "Tak for handlen"}}
    assert "Tak for handlen" in text_of(signed_in, path) and "Standard" in text_of(signed_in, PATH)
    assert submit(signed_in, f"{PATH}/from-customer/{giver.id}", {"name": "Standard"}).status_code == 422
    version = text_of(signed_in, path).partition('name="version" value="')[2].partition('"')[0]
    assert submit(signed_in, path, {"name": "Offentlige", "version": version}).status_code == 303
    assert submit(signed_in, path, {"name": "Private", "version": version}).status_code == 409
    assert text_of(signed_in, f"{path}/delete")
    assert submit(signed_in, f"{path}/delete").status_code == 303
    assert "Offentlige" not in text_of(signed_in, PATH).partition("flash-messages")[0]
    assert signed_in.get(path).status_code == 404


def test_customers_get_it_after_a_look_at_old_and_new(
    signed_in: FlaskClient, adaptor: Adaptor, template: SettingTemplate, make_customer: Any, submit: Any
) -> None:
    getter = make_customer("Modtager A/S")
    getter.rule.settings = {"general": {"note": "Før"}}
    db.session.commit()
    path = f"{PATH}/{template.id}/customers/{adaptor.id}"
    assert "Modtager A/S" in text_of(signed_in, path)
    assert submit(signed_in, path, {"step": "preview"}).status_code == 422
    page = submit(signed_in, path, {"step": "preview", "ids": getter.id}).get_data(as_text=True)
    assert "Før" in page and "Tak for handlen" in page
    given = submit(signed_in, path, {"step": "give", "ids": getter.id})
    assert given.headers["Location"].startswith("/settings/history") and "undo" in text_of(
        signed_in, given.headers["Location"]
    )
    db.session.expire_all()
    assert getter.rule.settings == {"general": {"note": "Tak for handlen"}}


def test_the_common_settings_get_it(
    signed_in: FlaskClient, adaptor: Adaptor, template: SettingTemplate, submit: Any
) -> None:
    path = f"{PATH}/{template.id}/common/{adaptor.id}"
    assert "Tak for handlen" in text_of(signed_in, path)
    assert submit(signed_in, path).status_code == 303
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "Tak for handlen"}}
    form = {"name": "Fælles", "sections": "general"}
    assert submit(signed_in, f"{PATH}/from-adaptor/{adaptor.id}", form).status_code == 303


def test_an_operator_of_the_template_who_may_not_edit_the_adaptor_gives_nothing(
    member: FlaskClient, adaptor: Adaptor, giver: Customer, template: SettingTemplate, submit: Any
) -> None:
    assert "Tak for handlen" in text_of(member, f"{PATH}/{template.id}")
    for path in (f"{PATH}/{template.id}/customers/{adaptor.id}", f"{PATH}/{template.id}/common/{adaptor.id}"):
        assert member.get(path).status_code == 403
        assert submit(member, path, {"step": "give", "ids": giver.id}).status_code == 403
    for path in (f"{PATH}/from-customer/{giver.id}", f"{PATH}/{template.id}/delete"):
        assert member.get(path).status_code == 403


def test_an_editor_of_the_adaptor_who_only_sees_the_template_gives_nothing(
    member: FlaskClient, adaptor: Adaptor, template: SettingTemplate, submit: Any
) -> None:
    adaptor.grants, template.grants = [{"to": "everybody", "level": "editor"}], [{"to": "everybody", "level": "viewer"}]
    db.session.commit()
    path = f"{PATH}/{template.id}/common/{adaptor.id}"
    assert submit(member, path).status_code == 403
    template.grants = []
    db.session.commit()
    assert submit(member, path).status_code == 404
    assert adaptor.settings == {}


def test_templates_of_elsewhere_do_not_exist(
    stranger: FlaskClient, adaptor: Adaptor, template: SettingTemplate, submit: Any
) -> None:
    assert "Standard" not in text_of(stranger, PATH)
    for path in ("", "/delete", f"/customers/{adaptor.id}", f"/common/{adaptor.id}"):
        assert stranger.get(f"{PATH}/{template.id}{path}").status_code == 404
        assert submit(stranger, f"{PATH}/{template.id}{path}", {"name": "x"}).status_code == 404
