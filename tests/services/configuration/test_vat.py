from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.settings import settings_from
from invoiceapp.domain.tax import VatCategory
from invoiceapp.domain.vat_guess import guess
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.codelists import codes
from invoiceapp.models import Adaptor, SettingsChange, Stage, db, utcnow
from invoiceapp.services.configuration import changes, vat, vat_proposals
from invoiceapp.services.configuration.vat_proposals import Usage, propose
from invoiceapp.services.configuration.versions import ChangedMeanwhile
from invoiceapp.services.errors import InvalidInput
from invoiceapp.sources.base import registry as sources
from invoiceapp.sources.billy.vat import VatMapper

ZERO = Decimal(0)
RATES = [
    {"id": "full", "name": "Salgsmoms", "rate": Decimal("0.25")},
    {"id": "none", "name": "Momsfri", "rate": ZERO},
    {"id": "eu", "name": "EU-salg", "rate": ZERO},
]
Make = Callable[..., Any]


@pytest.fixture
def adaptor(adaptor: Adaptor) -> Adaptor:
    """With three tax rates."""
    adaptor.organization = {**(adaptor.organization or {}), "tax_rates": RATES}
    db.session.commit()
    return adaptor


@pytest.fixture
def sold(make_customer: Make, make_document: Make) -> Callable[..., None]:
    """``sold("none", "DE", days=…)``: a document that uses a rate."""
    customers: list[Any] = []

    def make(rate: str, country: str | None, days: int = 1, has_vat: bool = True) -> None:
        customers[:] = customers or [make_customer()]
        bundle = {
            "organization": {"hasVat": has_vat},
            "contact": {"countryId": country},
            "invoice": {"lines": [{"taxRateId": rate}, {"taxRateId": rate}]},
        }
        make_document(customers[0], bundle=bundle, issue_date=(utcnow() - timedelta(days=days)).date())

    return make


# --- proposals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "percent", "countries", "category", "reason"),
    [
        ("Salgsmoms", 25, {"DK": 9}, "S", "25 %, solgt til DK."),
        ("Salgsmoms", Decimal("12.5"), {}, "S", "12,5 %, ikke brugt de sidste 12 måneder."),
        ("Reverse charge", 0, {"DE": 2, "SE": 1}, "AE", "0 %, navnet siger »reverse«, solgt til DE og SE."),
        ("EU-ydelse omvendt betalingspligt", 0, {"DE": 1}, "AE", "0 %, navnet siger »omvendt«, solgt til DE."),
        ("EU-ydelse", 0, {"DE": 1}, "AE", "0 %, navnet siger »ydelse«, solgt til DE."),
        ("EU-varesalg", 0, {"SE": 1}, "K", "0 %, navnet siger »vare«, solgt til SE."),
        ("Momsfri", 0, {"DK": 4}, "E", "0 %, solgt til DK."),
        ("Momsfri", 0, {None: 4}, "E", "0 %, solgt til kunder uden land."),
        ("Eksport", 0, {"NO": 1, "US": 1, "GB": 1, "CH": 1, "JP": 1, "AU": 1}, "G",
         "0 %, solgt til NO, US, GB, CH og 2 andre lande."),
        ("EU-varesalg", 0, {}, "K", "0 %, navnet siger »vare«, ikke brugt de sidste 12 måneder."),
        ("EU-ydelser", 0, {}, "AE", "0 %, navnet siger »ydelse«, ikke brugt de sidste 12 måneder."),
        ("Eksport", 0, {}, "G", "0 %, ikke brugt de sidste 12 måneder."),
        ("Fritaget", 0, {}, "E", "0 %, ikke brugt de sidste 12 måneder."),
        ("Ukendt", 0, {}, None, "0 %, ikke brugt de sidste 12 måneder. Vælg, når den tages i brug."),
        ("EU", 0, {}, None, "0 %, ikke brugt de sidste 12 måneder. Vælg, når den tages i brug."),
    ],
)  # fmt: skip
def test_a_proposal_says_what_it_rests_on(name, percent, countries, category, reason):
    found = propose(name, Decimal(percent), Usage(sum(countries.values()), countries), True)
    assert (found.category, found.reason.da, found.blocks) == (category, reason, False)
    assert found.reason.en.endswith(".")


def test_where_documents_are_stopped_the_proposal_asks_for_the_choice():
    found = propose("EU-salg", ZERO, Usage(3, {"DE": 2, "DK": 1}), True)
    assert (found.category, found.blocks) == (None, True)
    assert found.reason.da == "0 %, solgt til DE og DK. Vælg, om det er varer (K) eller ydelser (AE)."
    assert found.reason.en == "0%, sold to DE and DK. Choose whether it is goods (K) or services (AE)."


def test_a_rate_that_means_different_things_abroad_is_better_left_open():
    found = propose("Momsfri", ZERO, Usage(3, {"DK": 2, "NO": 1}), True)
    assert (found.category, found.blocks) == (None, False)
    assert (
        found.reason.da == "0 %, solgt til DK og NO. Lad den stå åben, så vælges der efter kundens land (DK: E, NO: G)."
    )


def test_without_vat_registration_every_sale_is_outside_the_scope_of_vat():
    found = propose("Momsfri", ZERO, Usage(1, {"DK": 1}), False)
    assert found.category == "O"
    assert found.reason.da == "0 %, virksomheden er ikke momsregistreret, solgt til DK."


def test_a_rate_that_cannot_be_read_gets_no_proposal():
    assert propose("x", None, Usage(), True).category is None


@pytest.mark.parametrize(
    "name", ["Momsfri", "EU-salg", "EU-varesalg", "EU-ydelse", "Omvendt betalingspligt", "Eksport"]
)
@pytest.mark.parametrize("country", ["DK", "DE", "NO", None])
@pytest.mark.parametrize("has_vat", [True, False])
def test_a_proposal_is_what_the_conversion_would_choose_for_these_customers(name, country, has_vat):
    chosen = propose(name, ZERO, Usage(1, {country: 1}), has_vat)
    mapper = VatMapper({"r": {"name": name, "rate": ZERO}}, {}, country, has_vat)
    found = mapper.of("r")
    is_stopped = [finding.fix for finding in mapper.findings if finding.is_fatal] == ["vat.r"]
    assert chosen.blocks is is_stopped
    assert is_stopped or chosen.category is found.category is guess(ZERO, name, country, has_vat)


def test_documents_of_the_last_twelve_months_are_counted_by_rate_and_country(adaptor, sold):
    for country, days in (("DK", 1), ("DK", 2), ("SE", 300), ("NO", 400)):
        sold("none", country, days)
    looked = vat_proposals.look(adaptor)
    assert looked.by_rate == {"none": Usage(3, {"DK": 2, "SE": 1})}
    assert (looked.documents, looked.is_sample, looked.seller_has_vat) == (3, False, True)


def test_only_the_newest_documents_are_looked_into_where_there_are_many(adaptor, sold, monkeypatch):
    for days in (1, 2, 3):
        sold("none", "DK", days, has_vat=days > 1)
    monkeypatch.setattr(vat_proposals, "MOST_DOCUMENTS", 2)
    looked = vat_proposals.look(adaptor)
    assert (looked.documents, looked.is_sample, looked.by_rate["none"].documents) == (2, True, 2)
    assert looked.seller_has_vat is False, "the newest document tells"


@pytest.mark.parametrize(
    "bundle", [{}, {"invoice": []}, {"invoice": {"lines": [1]}, "contact": {}, "organization": {}}]
)
def test_a_bundle_that_cannot_be_read_used_no_rate(adaptor, make_customer, make_document, bundle):
    make_document(make_customer(), bundle=bundle, issue_date=utcnow().date())
    assert vat_proposals.look(adaptor).by_rate == {}


def test_rates_with_a_category_get_no_proposal(adaptor, sold):
    sold("none", "DK")
    adaptor.settings = {"vat": {"none": {"category": "E"}}}
    rows = {row.rate.id: row for row in vat.rows(adaptor, vat_proposals.look(adaptor))}
    assert rows["none"].proposal is None and rows["none"].usage.documents == 1
    assert rows["full"].proposal is not None and rows["full"].proposal.category == "S"


def test_proposals_fill_what_is_open_and_nothing_else(adaptor, sold):
    sold("none", "DK")
    rows = vat.rows(adaptor, vat_proposals.look(adaptor))
    typed = {"full.category": "", "none.category": "Z", "eu.category": ""}
    assert vat.with_proposals(rows, typed, "all") == typed
    emptied = {"full.category": "", "none.category": "", "eu.category": ""}
    for wanted in ("all", "none"):
        assert vat.with_proposals(rows, emptied, wanted) == {**emptied, "none.category": "E"}
    for wanted in ("", "eu", "full", "gone"):
        assert vat.with_proposals(rows, emptied, wanted) == emptied


# --- saving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"none.category": "X"}, "Ukendt momskategori"),
        ({"none.category": "S"}, "over 0 %"),
        ({"full.category": "Z"}, "skal have kategori S"),
        ({"none.category": "Z", "none.reason": "Aviser"}, "må ikke have grund"),
        ({"none.category": "E", "none.code": "VATEX-EU-999"}, "findes ikke på listen"),
        ({"none.category": "E", "none.code": "VATEX-EU-AE"}, "hører til kategori AE"),
        ({"none.category": "AE", "none.code": "VATEX-EU-J"}, "hører til kategori E"),
        ({"none.category": "E", "none.code": "a b"}, "Ukendt fritagelseskode"),
        ({"none.category": "E", "none.reason": "x" * 201}, "højst 200 tegn"),
        ({"none.category": "E", "none.reason": "a\nb"}, "én linje"),
        ({"none.category": "", "none.reason": "Undervisning"}, "Vælg også en kategori"),
    ],
)
def test_a_choice_that_receivers_would_refuse_is_refused_here(adaptor, typed, says):
    with pytest.raises(InvalidInput) as refused:
        vat.save(adaptor.id, typed)
    assert list(refused.value.errors) == [next(iter(typed)).partition(".")[0]]
    assert says in next(iter(refused.value.errors.values())).da
    db.session.expire_all()
    assert adaptor.settings == {}


def test_choices_are_kept_with_their_history_and_undone(adaptor):
    adaptor.settings = {"general": {"note": "Hej"}, "vat": {"old": {"category": "G"}}}
    db.session.commit()
    saved = vat.save(adaptor.id, {"none.category": "E", "none.code": "vatex-eu-132-1i"}, actor="ida@example.com")
    db.session.expire_all()
    chosen = {"category": "E", "exemptionReason": None, "exemptionCode": "VATEX-EU-132-1I"}
    assert adaptor.settings == {"general": {"note": "Hej"}, "vat": {"old": {"category": "G"}, "none": chosen}}
    change = db.session.scalars(select(SettingsChange)).one()
    assert (change.id, change.kind, change.actor, change.customer_id) == (
        saved.change_id,
        "vat",
        "ida@example.com",
        None,
    )
    assert (change.before, change.after) == ({}, {"vat": {"none": chosen}})
    changes.undo(change.id, "ida@example.com")
    db.session.expire_all()
    assert adaptor.settings == {"general": {"note": "Hej"}, "vat": {"old": {"category": "G"}}}


def test_an_emptied_category_is_none_and_rates_that_the_form_did_not_have_keep_theirs(adaptor):
    adaptor.settings = {"vat": {"none": {"category": "E"}, "eu": {"category": "K"}}}
    db.session.commit()
    vat.save(adaptor.id, {"none.category": ""})
    db.session.expire_all()
    assert set(adaptor.settings["vat"]) == {"eu"}
    vat.save(adaptor.id, {"eu.category": ""})
    db.session.expire_all()
    assert adaptor.settings == {}


def test_somebody_who_was_overtaken_is_told_and_nothing_is_overwritten(adaptor):
    shown = vat.version(adaptor)
    vat.save(adaptor.id, {"none.category": "E"}, shown=shown)
    db.session.expire_all()
    with pytest.raises(ChangedMeanwhile):
        vat.save(adaptor.id, {"none.category": "Z"}, shown=shown)
    db.session.expire_all()
    assert adaptor.settings["vat"]["none"]["category"] == "E"
    assert vat.save(adaptor.id, {"none.category": "E"}, shown=shown).change_id is None, "a second click on the button"


def test_after_saving_blocked_documents_are_tried_again_and_customers_are_checked_again(
    adaptor, make_customer, make_document, make_delivery, monkeypatch
):
    refreshed: list[tuple[str, str]] = []
    monkeypatch.setattr(vat.preflight, "refresh", lambda *arguments: refreshed.append(arguments))
    document = make_document(make_customer())
    make_delivery(document, DeliveryState.BLOCKED)
    assert vat.save(adaptor.id, {"none.category": "E"}, actor="ida").released == 1
    assert refreshed == [(adaptor.id, "ida")]
    db.session.expire_all()
    assert document.stage is Stage.QUEUED
    vat.save(adaptor.id, {"none.category": "E"}, actor="ida")
    assert len(refreshed) == 1, "nothing has changed"


# --- what receivers see --------------------------------------------------------------------------------------------


def test_every_proposed_code_is_one_that_receivers_know():
    assert set(vat.CODES) <= codes("exemptions")


@pytest.mark.parametrize("category", vat.CATEGORIES, ids=lambda category: category.code.value)
def test_the_page_says_what_a_category_really_becomes(category, company):
    name = "late_fee" if category.code is VatCategory.STANDARD else "exempt"
    bundle = company.bundle(company.hard_cases[name])
    rates = {line["taxRateId"] for line in bundle["invoice"]["lines"]}
    settings = settings_from({"vat": {rate: {"category": category.code.value} for rate in rates}})
    invoice = sources()["billy"].convert(bundle, settings).invoice
    assert invoice is not None

    def said(format_id: str, path: str) -> set[str]:
        root = etree.fromstring(formats()[format_id].write(invoice))
        return {element.text for element in root.iterfind(f".//{{*}}TaxSubtotal/{{*}}TaxCategory/{{*}}{path}")}

    code, _reason = category.exemption
    assert said("peppol-bis-3", "ID") == {category.code.value}
    assert said("peppol-bis-3", "TaxExemptionReasonCode") == ({code} if code else set())
    assert said("oioubl-2.1", "ID") == {category.oioubl}
    assert f"kategori {category.code}" in category.becomes.da and category.oioubl in category.becomes.en
    assert not code or code in category.becomes.en
