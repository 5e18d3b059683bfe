from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from invoiceapp.models import Adaptor, Customer, db, utcnow
from invoiceapp.services import pacing
from invoiceapp.services.configuration import customer_reading, sources
from invoiceapp.services.configuration.environments import AdaptorDeleted
from invoiceapp.services.errors import InvalidInput
from invoiceapp.sources.base import CredentialsRefused, SourceUnavailable

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


def test_a_source_is_opened_in_any_thread_and_keeps_its_companys_pace(app, config, connected, monkeypatch):
    app.extensions["invoiceapp.config"] = dataclasses.replace(config, billy_requests_per_second=1000)
    taken = []
    monkeypatch.setattr(pacing.OwnPace, "reserve", lambda pace, _most: taken.append(pace) or 0)
    opener, other = sources.opener(again(connected)), sources.opener(again(connected))

    def ask() -> str:
        with opener() as source:
            return source.check().name

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result().startswith("Nordlys")
    with other() as source:
        source.check()
    assert len(taken) == 2 and taken[0] is taken[1]


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


def test_the_other_companys_books_are_read_from_their_beginning(connected, billy):
    connected.watermark, connected.retry_ids = "2026-11-01T10:00:00", ["a"]
    db.session.commit()
    sources.connect(connected.id, {"token": TOKEN, "base_url": billy.url})
    assert again(connected).watermark == "2026-11-01T10:00:00"
    billy.api.faults.other_company = True
    sources.connect(connected.id, {"token": TOKEN, "base_url": billy.url}, confirm_change=True)
    row = again(connected)
    assert (row.watermark, row.retry_ids, row.customers_read_at) == (None, [], None)


def test_trying_keeps_nothing(unconnected, billy):
    tried = sources.try_from_form(unconnected.id, {"token": TOKEN, "base_url": billy.url})
    assert (tried.organization.name, tried.other_than) == ("Nordlys Kontor & Service ApS", None)
    assert (again(unconnected).organization, again(unconnected).source_secrets) == (None, {})
    with pytest.raises(sources.SourceFailed):
        sources.try_from_form(unconnected.id, {"token": "wrong", "base_url": billy.url})


def test_a_deleted_adaptor_is_not_connected_again(unconnected, billy):
    unconnected.deleted_at = utcnow()
    db.session.commit()
    with pytest.raises(AdaptorDeleted):
        sources.connect(unconnected.id, {"token": TOKEN, "base_url": billy.url})


def test_what_was_read_is_counted(connected, make_document):
    customer = db.session.query(Customer).first()
    for number, day in (("1", 3), ("2", 9)):
        make_document(customer, number, issue_date=date(2026, 3, day))
    read = sources.read_so_far(again(connected))
    assert read.customers > 20 and (read.documents, read.newest) == (2, date(2026, 3, 9)) and read.rates > 3


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
