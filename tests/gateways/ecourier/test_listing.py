"""Looking for our own document before it is sent again: found, proved to be absent, or not to be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from invoiceapp.demo.partners.json_api import ApiAnswer
from invoiceapp.domain.delivery import Replay
from invoiceapp.gateways.base import Unavailable, Unknown
from invoiceapp.gateways.ecourier import listing

pytestmark = pytest.mark.server


def test_a_lost_answer_is_unknown_and_the_document_is_found(ecourier, opened, invoice):
    ecourier.drop_answer = True
    with pytest.raises(Unknown):
        opened().send(invoice())
    found = opened().find(invoice())
    assert found is not None and found.reference == ecourier.account.newest_first()[0].id
    assert (found.evidence["looked_up"], found.final) == (True, False)
    assert opened().replay is Replay.PROBE


def test_what_was_never_sent_is_proved_to_be_absent(ecourier, opened, invoice):
    assert opened().find(invoice()) is None
    assert [call.method for call in ecourier.calls] == ["GET"]


@pytest.mark.parametrize("shows_numbers", [True, False])
def test_only_what_may_be_ours_is_opened(ecourier, opened, invoice, ubl, shows_numbers):
    ecourier.shows_numbers = shows_numbers
    transport = opened()
    transport.send(invoice(ubl(number="other")))
    transport.send(invoice(ubl(root="CreditNote")))
    ecourier.calls.clear()
    assert transport.find(invoice()) is None
    assert len(ecourier.calls) == 1 + (not shows_numbers)


@pytest.mark.parametrize(
    "change",
    [
        {"number": "2026-18"},
        {"seller": "87654321"},
        {"buyer": "5798000000018"},
        {"root": "CreditNote"},
        {"issued": "2025-01-01"},
    ],
)
def test_the_document_of_another_company_or_number_is_not_ours(opened, invoice, ubl, change):
    opened().send(invoice(ubl(**change)))
    assert opened().find(invoice()) is None


def test_a_document_of_the_other_network_is_not_ours(opened, invoice):
    opened().send(invoice(format="oioubl-2.1"))
    assert opened().find(invoice(format="peppol-bis-3")) is None


def test_one_that_failed_is_no_reason_not_to_send_again(ecourier, opened, invoice):
    ecourier.account.move(opened().send(invoice()).reference, "Failed")
    assert opened().find(invoice()) is None


def test_the_newest_of_two_is_meant(opened, invoice):
    transport = opened()
    transport.send(invoice())
    second = transport.send(invoice())
    found = transport.find(invoice())
    assert found is not None and found.reference == second.reference


def test_all_pages_are_read(ecourier, opened, invoice, ubl, monkeypatch):
    monkeypatch.setattr(listing, "PER_PAGE", 2)
    transport = opened()
    mine = transport.send(invoice()).reference
    for number in range(4):
        transport.send(invoice(ubl(number=f"other-{number}")))
    found = transport.find(invoice())
    assert found is not None and found.reference == mine
    assert transport.find(invoice(ubl(number="never"))) is None


def test_what_is_older_than_the_period_is_not_opened(ecourier, opened, invoice):
    transport = opened()
    transport.send(invoice())
    ecourier.account.newest_first()[0].created_at = datetime.now(UTC) - listing.PERIOD - timedelta(hours=1)
    ecourier.calls.clear()
    assert transport.find(invoice()) is None
    assert [call.path for call in ecourier.calls] == ["/v1/documents"]


@pytest.mark.parametrize(("name", "most"), [("MOST_PAGES", 2), ("MOST_OPENED", 3)])
def test_more_than_can_be_read_proves_no_absence(ecourier, opened, invoice, ubl, monkeypatch, name, most):
    monkeypatch.setattr(listing, "PER_PAGE", 2)
    monkeypatch.setattr(listing, name, most)
    ecourier.shows_numbers = False
    transport = opened()
    for number in range(5):
        transport.send(invoice(ubl(number=f"other-{number}")))
    with pytest.raises(Unavailable):
        transport.find(invoice())


NOW = datetime.now(UTC).isoformat()
OLD = (datetime.now(UTC) - timedelta(days=90)).isoformat()
LAST = {"last_page": 1}


@pytest.mark.parametrize(
    "answer",
    [
        ApiAnswer(500), ApiAnswer(401), ApiAnswer(404), ApiAnswer(429), ApiAnswer(200, b"<html>"), ApiAnswer(200, []),
        ApiAnswer(200, {"meta": LAST}), ApiAnswer(200, {"data": []}),
        ApiAnswer(200, {"data": [{"id": "a", "created_at": "yesterday"}], "meta": LAST}),
        ApiAnswer(200, {"data": [{"created_at": NOW}], "meta": LAST}),
        # Asked for the newest first, it gives the oldest first: the period would end the reading too early.
        ApiAnswer(200, {"data": [{"id": "a", "created_at": OLD, "status": "Failed"}, {"id": "b", "created_at": NOW}], "meta": LAST}),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_trusted_proves_no_absence(ecourier, opened, invoice, answer):
    ecourier.instead = answer
    with pytest.raises(Unavailable):
        opened().find(invoice())


def test_a_document_that_cannot_be_read_proves_no_absence(ecourier, opened, invoice):
    ecourier.account.keep(
        b"<Invoice/>", channel="Peppol", **{f"{role}-{part}": "x" for role in ("sender", "recipient") for part in ("scheme", "id")}
    )  # fmt: skip
    with pytest.raises(Unavailable):
        opened().find(invoice())


def test_what_names_no_number_cannot_be_looked_for(ecourier, opened, invoice):
    with pytest.raises(Unavailable):
        opened().find(invoice(b"<Invoice/>"))
    assert ecourier.calls == []


def test_the_wire_ids_are_what_it_is_looked_for_by(opened, invoice, ubl):
    one = invoice(ubl(uuid="6d25b2c1-a7cf-4d10-a835-ad19863f67ff"))
    assert opened().wire_ids(one) == {
        "sha256": one.payload.sha256, "number": "2026-17", "uuid": "6d25b2c1-a7cf-4d10-a835-ad19863f67ff"
    }  # fmt: skip
