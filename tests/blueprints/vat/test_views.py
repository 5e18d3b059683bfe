from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.models import Adaptor, Delivery, Document, Stage, db, utcnow
from invoiceapp.services.configuration import vat

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


def test_vat_categories_are_kept_and_blocked_documents_are_tried_again(
    signed_in: FlaskClient, with_rates: Adaptor, make_customer: Callable[..., Any],
    make_document: Callable[..., Document], make_delivery: Callable[..., Delivery], submit: Any,
) -> None:  # fmt: skip
    document = make_document(make_customer())
    make_delivery(document, DeliveryState.BLOCKED)
    data = {"full.category": "S", "none.category": "E", "none.reason": "Undervisning", "none.code": "VATEX-EU-132-1I"}
    answer = submit(signed_in, f"/vat/{with_rates.id}", data)
    assert answer.status_code == 303
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
    answer = submit(signed_in, f"/vat/{with_rates.id}", typed)
    assert answer.status_code == 422
    assert f'href="#vat-{rate}"' in answer.text
    assert _reload(with_rates).settings == {}


def test_a_choice_for_a_rate_that_is_no_longer_listed_stays(
    signed_in: FlaskClient, with_rates: Adaptor, submit: Any
) -> None:
    with_rates.settings = {"vat": {"old": {"category": "G"}}}
    db.session.commit()
    submit(signed_in, f"/vat/{with_rates.id}", {"none.category": "E"})
    assert set(_reload(with_rates).settings["vat"]) == {"old", "none"}


def test_members_see_the_categories_but_do_not_choose_them(
    member: FlaskClient, with_rates: Adaptor, submit: Any
) -> None:
    assert submit(member, f"/vat/{with_rates.id}", {"none.category": "E"}).status_code == 403
    assert "<fieldset disabled" in member.get("/vat").text


def test_other_tenants_find_no_tax_rates(stranger: FlaskClient, with_rates: Adaptor, submit: Any) -> None:
    assert submit(stranger, f"/vat/{with_rates.id}", {"none.category": "E"}).status_code == 404
    assert stranger.get(f"/vat?adaptor={with_rates.id}").status_code == 404


@pytest.fixture
def sold(make_customer: Callable[..., Any], make_document: Callable[..., Document]) -> None:
    """One document in Denmark that uses the rate of 0 %."""
    bundle = {
        "organization": {},
        "contact": {"countryId": "DK"},
        "invoice": {"lines": [{"taxRateId": "none"}]},
    }
    make_document(make_customer(), bundle=bundle, issue_date=utcnow().date())


def test_each_rate_has_a_row_to_link_to_and_says_who_used_it(
    signed_in: FlaskClient, with_rates: Adaptor, sold: None
) -> None:
    page = signed_in.get("/vat").text
    assert 'id="field-vat"' in page
    for rate in RATES:
        assert f'<tr id="field-vat.{rate["id"]}">' in page
    assert "0 %, solgt til DK." in page
    assert "Peppol: kategori E. OIOUBL: ZeroRated (0 %), og grunden står i notefeltet." in page


def test_nothing_holds_until_a_proposal_is_used(
    signed_in: FlaskClient, with_rates: Adaptor, sold: None, submit: Any
) -> None:
    page = signed_in.get("/vat").text
    row = page.split('id="vat-none"')[1].split("</select>")[0]
    assert "selected" not in row
    submit(signed_in, f"/vat/{with_rates.id}", {"full.category": "", "none.category": ""})
    assert _reload(with_rates).settings == {}


@pytest.mark.parametrize(("use", "chosen"), [("all", {"none": "E"}), ("none", {"none": "E"})])
def test_proposals_are_used_all_at_once_or_one_by_one(
    signed_in: FlaskClient, with_rates: Adaptor, sold: None, submit: Any, use: str, chosen: dict[str, str]
) -> None:
    data = {"full.category": "", "none.category": "", "use": use}
    assert submit(signed_in, f"/vat/{with_rates.id}", data).status_code == 303
    stored = _reload(with_rates).settings["vat"]
    assert {rate: choice["category"] for rate, choice in stored.items()} == chosen


def test_what_was_typed_beside_a_used_proposal_is_kept(
    signed_in: FlaskClient, with_rates: Adaptor, sold: None, submit: Any
) -> None:
    data = {"none.category": "", "none.reason": "Undervisning", "use": "all"}
    submit(signed_in, f"/vat/{with_rates.id}", data)
    assert _reload(with_rates).settings["vat"]["none"]["exemptionReason"] == "Undervisning"


def test_what_was_typed_stands_in_the_fields_after_an_error(
    signed_in: FlaskClient, with_rates: Adaptor, submit: Any
) -> None:
    answer = submit(signed_in, f"/vat/{with_rates.id}", {"none.category": "E", "none.code": "VATEX-EU-<b>"})
    assert answer.status_code == 422
    assert 'value="VATEX-EU-&lt;B&gt;"' in answer.text
    assert 'aria-invalid="true"' in answer.text and 'id="vat-none-error"' in answer.text
    assert "<title>Fejl:" in answer.text


def test_two_people_at_once_get_a_message_and_see_what_is_stored(
    signed_in: FlaskClient, with_rates: Adaptor, submit: Any
) -> None:
    shown = vat.version(with_rates)
    submit(signed_in, f"/vat/{with_rates.id}", {"none.category": "E", "version": shown})
    answer = submit(signed_in, f"/vat/{with_rates.id}", {"none.category": "Z", "version": shown})
    assert answer.status_code == 409
    assert "En anden har ændret dette" in answer.text
    row = answer.text.split('<tr id="field-vat.none">')[1].split("</tr>")[0]
    assert '<option value="Z" selected>' in row and "E · Momsfritaget" in row.split("</select>")[1]
    assert _reload(with_rates).settings["vat"]["none"]["category"] == "E"
    again = submit(signed_in, f"/vat/{with_rates.id}", {"none.category": "Z", "version": vat.version(with_rates)})
    assert again.status_code == 303
    assert _reload(with_rates).settings["vat"]["none"]["category"] == "Z"


def test_without_rates_the_page_says_the_next_step(signed_in: FlaskClient, adaptor: Adaptor) -> None:
    assert "Momssatserne er ikke hentet endnu" in signed_in.get("/vat").text


def test_without_an_adaptor_the_page_leads_to_the_catalogue(signed_in: FlaskClient) -> None:
    assert signed_in.get("/vat").status_code == 302
