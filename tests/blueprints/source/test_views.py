from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Stage, db
from invoiceapp.services.configuration import customers

RATES = [
    {"id": "full", "name": "Salgsmoms", "rate": Decimal("0.25")},
    {"id": "none", "name": "Momsfri", "rate": Decimal(0)},
]


@pytest.fixture
def with_rates(adaptor: Adaptor) -> Adaptor:
    """An adaptor whose tax rates were read."""
    adaptor.organization = {**(adaptor.organization or {}), "tax_rates": RATES}
    db.session.commit()
    return adaptor


def _reload(adaptor: Adaptor) -> Adaptor:
    db.session.expire_all()
    return adaptor


def test_without_an_adaptor_the_catalogue_is_shown_and_activates_one(signed_in: FlaskClient, submit: Any) -> None:
    assert 'name="kind" value="billy"' in signed_in.get("/source").text
    answer = submit(signed_in, "/source/activate", {"kind": "billy", "name": "Min virksomhed"})
    row = db.session.query(Adaptor).one()
    assert (answer.status_code, row.name, row.source_kind) == (303, "Min virksomhed", "billy")
    assert row.id in answer.location
    assert f'action="/source/{row.id}/connect"' in signed_in.get("/source").text


def test_a_system_that_is_not_in_the_catalogue_is_not_activated(signed_in: FlaskClient, submit: Any) -> None:
    submit(signed_in, "/source/activate", {"kind": "abacus"})
    assert db.session.query(Adaptor).count() == 0


@pytest.mark.server
def test_a_right_token_connects_and_then_customers_and_rates_are_read(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    adaptor.organization = None
    db.session.commit()
    answer = submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "right", "base_url": billy})
    assert answer.status_code == 303
    company = _reload(adaptor).organization or {}
    assert company["name"] == "Nordlys Kontor & Service ApS"
    assert "Salgsmoms" in {rate["name"] for rate in company["tax_rates"]}
    page = signed_in.get("/source").text
    assert "Nordlys Kontor &amp; Service ApS" in page
    assert 'value="right"' not in page
    submit(signed_in, f"/source/{adaptor.id}/read")
    assert customers.counts(adaptor.id)["customers"] > 10


@pytest.mark.server
def test_a_wrong_token_is_told_in_words_and_never_shown_again(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    answer = submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "wrong-token-x", "base_url": billy})
    assert answer.status_code == 422
    assert "Billy afviste" in answer.text
    assert f'value="{billy}"' in answer.text
    assert "wrong-token-x" not in answer.text
    assert _reload(adaptor).source_secrets == {}


@pytest.mark.server
def test_another_company_is_taken_only_when_confirmed(
    signed_in: FlaskClient, adaptor: Adaptor, billy: str, submit: Any
) -> None:
    path, data = f"/source/{adaptor.id}/connect", {"token": "right", "base_url": billy}
    answer = submit(signed_in, path, data)
    assert answer.status_code == 422
    assert 'name="confirm"' in answer.text
    assert (_reload(adaptor).organization or {})["id"] == "org"
    assert submit(signed_in, path, {**data, "confirm": "1"}).status_code == 303
    assert (_reload(adaptor).organization or {})["id"] != "org"


def test_a_reading_that_fails_is_remembered_for_the_page(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    assert adaptor.source_secrets == {}
    assert submit(signed_in, f"/source/{adaptor.id}/read").status_code == 303
    assert _reload(adaptor).source_error is not None


def test_a_missing_token_is_a_field_error(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    answer = submit(signed_in, f"/source/{adaptor.id}/connect", {"token": "", "base_url": "ftp://x"})
    assert answer.status_code == 422
    assert 'href="#field-token"' in answer.text
    assert 'href="#field-base_url"' in answer.text
    assert 'value="ftp://x"' in answer.text


def test_vat_categories_are_kept_and_blocked_documents_are_tried_again(
    signed_in: FlaskClient, with_rates: Adaptor, make_customer: Callable[..., Any],
    make_document: Callable[..., Document], make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    document = make_document(make_customer())
    make_delivery(document, DeliveryState.BLOCKED)
    data = {"full.category": "S", "none.category": "E", "none.reason": "Undervisning", "none.code": "VATEX-EU-132-1I"}
    answer = submit(signed_in, f"/source/{with_rates.id}/vat", data)
    assert (answer.status_code, answer.location.endswith("#field-vat")) == (303, True)
    assert _reload(with_rates).settings["vat"] == {
        "full": {"category": "S", "exemptionReason": None, "exemptionCode": None},
        "none": {"category": "E", "exemptionReason": "Undervisning", "exemptionCode": "VATEX-EU-132-1I"},
    }
    assert document.stage is Stage.QUEUED


@pytest.mark.parametrize(
    ("typed", "rate"),
    [
        ({"full.category": "E"}, "full"),
        ({"none.category": "S"}, "none"),
        ({"none.category": "E", "none.code": "a b"}, "none"),
    ],
)
def test_a_category_that_cannot_be_right_is_refused_at_its_rate(
    signed_in: FlaskClient, with_rates: Adaptor, submit: Any, typed: dict[str, str], rate: str
) -> None:
    answer = submit(signed_in, f"/source/{with_rates.id}/vat", typed)
    assert answer.status_code == 422
    assert f'href="#vat-{rate}"' in answer.text
    assert _reload(with_rates).settings == {}


def test_a_choice_for_a_rate_that_is_no_longer_listed_stays(
    signed_in: FlaskClient, with_rates: Adaptor, submit: Any
) -> None:
    with_rates.settings = {"vat": {"old": {"category": "G"}}}
    db.session.commit()
    submit(signed_in, f"/source/{with_rates.id}/vat", {"none.category": "E"})
    assert set(_reload(with_rates).settings["vat"]) == {"old", "none"}


def test_common_settings_are_kept_beside_the_vat_categories(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    adaptor.settings = {"vat": {"old": {"category": "G"}}}
    db.session.commit()
    data = {"general.roundingLimit": "0,25", "supplier.bankRegistration": "1234"}
    assert submit(signed_in, f"/source/{adaptor.id}/settings", data).status_code == 303
    assert _reload(adaptor).settings == {
        "vat": {"old": {"category": "G"}},
        "general": {"roundingLimit": Decimal("0.25")},
        "supplier": {"bankRegistration": "1234"},
    }


def test_a_wrong_common_setting_keeps_what_was_typed(signed_in: FlaskClient, adaptor: Adaptor, submit: Any) -> None:
    answer = submit(
        signed_in, f"/source/{adaptor.id}/settings", {"supplier.bankRegistration": "12", "supplier.name": "Ny"}
    )
    assert answer.status_code == 422
    assert 'href="#field-supplier.bankRegistration"' in answer.text
    assert 'value="Ny"' in answer.text
    assert _reload(adaptor).settings == {}


def test_a_schedule_sets_the_next_run_and_by_hand_removes_it(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any
) -> None:
    path = f"/source/{adaptor.id}/schedule"
    submit(signed_in, path, {"interval": "15", "start_date": "2026-11-01"})
    _reload(adaptor)
    assert (adaptor.interval_minutes, adaptor.start_date) == (15, date(2026, 11, 1))
    assert adaptor.next_run_at is not None
    submit(signed_in, path, {"interval": "", "start_date": ""})
    _reload(adaptor)
    assert (adaptor.interval_minutes, adaptor.next_run_at, adaptor.start_date) == (None, None, None)


@pytest.mark.parametrize(
    "typed",
    [{"interval": "7"}, {"interval": "abc"}, {"interval": "None"}, {"interval": "5", "start_date": "i går"}],
)
def test_an_impossible_schedule_changes_nothing(
    signed_in: FlaskClient, adaptor: Adaptor, submit: Any, typed: dict[str, str]
) -> None:
    assert submit(signed_in, f"/source/{adaptor.id}/schedule", typed).status_code == 422
    assert _reload(adaptor).interval_minutes is None


@pytest.mark.parametrize("action", ["connect", "read", "vat", "settings", "schedule"])
def test_members_see_the_source_but_do_not_change_it(
    member: FlaskClient, adaptor: Adaptor, submit: Any, action: str
) -> None:
    assert submit(member, f"/source/{adaptor.id}/{action}").status_code == 403
    assert "<fieldset disabled" in member.get("/source").text


@pytest.mark.parametrize("action", ["connect", "read", "vat", "settings", "schedule"])
def test_other_tenants_find_no_source(stranger: FlaskClient, adaptor: Adaptor, submit: Any, action: str) -> None:
    assert submit(stranger, f"/source/{adaptor.id}/{action}").status_code == 404
    assert stranger.get(f"/source?adaptor={adaptor.id}").status_code == 404
