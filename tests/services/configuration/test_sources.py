from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from invoiceapp.models import Adaptor, Customer, db
from invoiceapp.services.configuration import customer_reading, sources
from invoiceapp.services.errors import InvalidInput
from invoiceapp.sources.base import CredentialsRefused, SourceCustomer, SourceUnavailable

pytestmark = pytest.mark.server
TOKEN = "demo-token"


def again(adaptor: Adaptor) -> Adaptor:
    return db.session.get_one(Adaptor, adaptor.id, populate_existing=True)


@pytest.fixture
def unconnected(adaptor: Adaptor) -> Adaptor:
    adaptor.organization, adaptor.source_config = None, {}
    db.session.commit()
    return adaptor


def test_connecting_keeps_the_company_the_rates_and_the_sealed_token(unconnected, billy):
    organization = sources.connect(unconnected.id, {"token": TOKEN, "base_url": billy.url})
    row = again(unconnected)
    assert row.organization["name"] == organization.name == "Nordlys Kontor & Service ApS"
    assert row.organization[sources.TAX_RATES] and row.source_checked_at is not None and row.source_error is None
    assert TOKEN not in str(row.source_config) + str(row.source_secrets)
    with sources.open_source(row) as source:
        assert source.check().id == organization.id


def test_a_refused_token_keeps_nothing(unconnected, billy):
    with pytest.raises(CredentialsRefused):
        sources.connect(unconnected.id, {"token": "wrong", "base_url": billy.url})
    assert again(unconnected).organization is None and again(unconnected).source_secrets == {}


def test_a_refused_new_token_leaves_the_old_one_at_work(connected, billy):
    with pytest.raises(CredentialsRefused):
        sources.connect(connected.id, {"token": "wrong", "base_url": billy.url})
    with sources.open_source(again(connected)) as source:
        assert source.check().name.startswith("Nordlys")


def test_an_empty_token_means_the_stored_one(connected, billy):
    sources.connect_from_form(connected.id, {"token": "", "base_url": billy.url})
    with sources.open_source(again(connected)) as source:
        assert source.check().name.startswith("Nordlys")


def test_a_kept_token_does_not_follow_to_another_address(connected):
    with pytest.raises(InvalidInput) as caught:
        sources.connect_from_form(connected.id, {"token": "", "base_url": "https://evil.example/v2"})
    assert "token" in caught.value.errors
    assert "127.0.0.1" in again(connected).source_config["base_url"]


def test_another_company_needs_a_persons_yes(connected, billy):
    billy.api.faults.other_company = True
    with pytest.raises(sources.CompanyChanged) as caught:
        sources.connect(connected.id, {"token": TOKEN, "base_url": billy.url})
    assert "Sydlys Handel" in caught.value.text.da and "Nordlys" in caught.value.text.da
    assert again(connected).organization["name"].startswith("Nordlys")
    sources.connect(connected.id, {"token": TOKEN, "base_url": billy.url}, confirm_change=True)
    assert again(connected).organization["name"].startswith("Sydlys")


@pytest.mark.parametrize(
    ("raw", "field"),
    [({"token": "", "base_url": ""}, "token"), ({"token": "x", "base_url": "http://evil.example/v2"}, "base_url")],
)
def test_wrong_input_is_refused_before_anything_is_asked(unconnected, billy, raw, field):
    with pytest.raises(InvalidInput) as caught:
        sources.connect_from_form(unconnected.id, raw)
    assert field in caught.value.errors


def test_a_failing_source_is_told_in_its_own_words(unconnected, billy):
    with pytest.raises(sources.SourceFailed) as caught:
        sources.connect_from_form(unconnected.id, {"token": "wrong", "base_url": billy.url})
    assert "adgangsnøglen" in caught.value.text.da


def test_customers_are_read_once_and_brought_up_to_date(connected, billy):
    def count() -> int:
        return db.session.scalar(select(func.count()).select_from(Customer)) or 0

    before = count()
    contact = next(one for one in billy.api.store.tables["contacts"].values() if one["isCustomer"])
    contact["name"] = "Nyt Navn ApS"
    assert customer_reading.refresh_customers(connected.id) == before == count() > 20
    assert db.session.scalars(select(Customer.name).where(Customer.source_id == contact["id"])).one() == "Nyt Navn ApS"


def test_a_failed_read_is_remembered_and_forgotten_after_a_good_one(connected, billy):
    billy.api.faults.down = True
    with pytest.raises(SourceUnavailable):
        customer_reading.refresh_customers(connected.id)
    assert "Billy svarer ikke" in again(connected).source_error["da"]
    with pytest.raises(sources.SourceFailed):
        customer_reading.read_now(connected.id)
    billy.api.faults.down = False
    customer_reading.read_now(connected.id)
    assert again(connected).source_error is None


def test_no_transaction_is_open_while_customers_are_read(connected, billy, monkeypatch):
    import requests

    real, seen = requests.Session.send, set()

    def send(*arguments, **options):
        seen.add(db.session().in_transaction())
        return real(*arguments, **options)

    monkeypatch.setattr(requests.Session, "send", send)
    customer_reading.refresh_customers(connected.id)
    sources.connect(connected.id, {"token": TOKEN, "base_url": billy.url})
    assert seen == {False}


def test_every_source_has_help_in_both_languages(app):
    danish, english = sources.help_of("billy", "da"), sources.help_of("billy", "en")
    assert danish and english and danish != english


def customer(source_id: str, **values: Any) -> SourceCustomer:
    texts = dict.fromkeys(("number", "registration_no", "gln", "country", "city", "email"))
    return SourceCustomer(source_id, **{"name": "Kunde", **texts, "is_archived": False, **values})


def test_texts_longer_than_their_columns_are_cut_and_a_country_is_never_guessed(adaptor):
    texts = dict.fromkeys(("name", "number", "registration_no", "gln", "country", "city", "email"), "Denmark" * 200)
    sources._store_customers(adaptor.id, adaptor.subscription_id, [customer("a", **texts)])
    row = db.session.scalars(select(Customer)).one()
    lengths = [len(text or "") for text in (row.name, row.number, row.registration_no, row.gln, row.city, row.email)]
    assert lengths == [500, 100, 100, 50, 200, 255] and row.country is None


def test_two_readings_at_once_keep_each_customer_once(app, adaptor, monkeypatch):
    adaptor_id, subscription_id = adaptor.id, adaptor.subscription_id
    db.session.commit()
    start, real = threading.Barrier(2), sources._apply

    def slowly(row: Customer, read: SourceCustomer) -> None:
        threading.Event().wait(0.2)
        real(row, read)

    def read() -> None:
        with app.app_context():
            start.wait()
            sources._store_customers(adaptor_id, subscription_id, [customer("a"), customer("b")])
            db.session.remove()

    monkeypatch.setattr(sources, "_apply", slowly)
    with ThreadPoolExecutor(2) as pool:
        for found in [pool.submit(read) for _ in range(2)]:
            found.result()
    assert sorted(db.session.scalars(select(Customer.source_id))) == ["a", "b"]
