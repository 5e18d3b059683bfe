"""An account whose documents fare as their receivers have it, by a clock that the test turns."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from invoiceapp.demo.networks.population import demo_population
from invoiceapp.demo.partners.buyers import Conduct, demo_conduct
from invoiceapp.demo.partners.providers import is_reachable_in
from invoiceapp.demo.partners.timed_account import TimedAccount
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.formats.base import Unreadable
from invoiceapp.formats.responses import By, Kind, Says, read_response
from invoiceapp.services.export.outcomes import FIRST_POLL

POPULATION = demo_population()


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock):
    def make():
        return TimedAccount(tmp_path, is_reachable_in(POPULATION), demo_conduct(), clock)

    return make


def words(document):
    return [state.word for state in document.states]


@pytest.fixture
def outcome(opened, clock, invoice, receiver):
    """What is known of an invoice when it is asked about for the first time."""

    def find(key, **more):
        account = opened()
        document = account.keep(invoice(receiver(key), **more))
        clock.turn(FIRST_POLL.total_seconds())
        return account.get(document.id)

    return find


def test_states_advance_with_time_and_not_with_questions(opened, clock, invoice, receiver):
    account = opened()
    document = account.keep(invoice(receiver("O02")))
    for _ in range(3):
        account.looked_at(document)
        assert words(account.get(document.id)) == ["Created"]
    seen = []
    for _ in range(4):
        clock.turn(4)
        seen.append(account.get(document.id).state.word)
    assert seen == ["TransmissionStarted", "Sent", "Received", "Received"]


@pytest.mark.parametrize("key", ["O01", "V01"])
def test_a_buyer_who_accepts_sends_a_response_that_says_so(outcome, receiver, key):
    is_oioubl = key == "O01"
    found = outcome(key, oioubl=is_oioubl)
    [response] = found.responses
    said = read_response(response.content)
    assert found.state.word == "Approved"
    assert (said.says, said.by) == (Says.ACCEPTED, By.BUYER)
    assert said.kind is (Kind.OIOUBL if is_oioubl else Kind.INVOICE_RESPONSE)
    assert (said.sender, said.sender_name) == (receiver(key), "Kunde <& Søn>")
    assert (said.reference, said.document_date.isoformat()) == ("1001", "2026-11-02")
    assert said.document_uuid == ("9756b4d0-8815-1029-857a-e388fe63f399" if is_oioubl else None)


@pytest.mark.parametrize(
    ("key", "order", "word", "why"),
    [
        ("V11", None, "ApplicationReponseBusinessReject", "Ordrenummer mangler"),
        ("V11", "PO-7", "ApplicationReponseBusinessReject", "Ordrenummer PO-7 findes ikke hos os"),
        ("V17", None, "Rejected", "Ordrenummer mangler"),
    ],
)
def test_a_buyer_who_rejects_says_why(outcome, key, order, word, why):
    found = outcome(key, order=order, oioubl=key == "V11")
    said = read_response(found.responses[0].content)
    assert (found.state.word, found.state.message, words(found)[-2]) == (word, why, "Received")
    assert (said.says, said.by) == (Says.REJECTED, By.BUYER) and said.reasons[0].text.da.endswith(why)


def test_a_credit_note_is_answered_as_one(outcome):
    found = outcome("O01", root="CreditNote")
    assert read_response(found.responses[0].content).document_type is DocumentType.CREDIT_NOTE


def test_a_system_that_cannot_read_it_says_so_for_the_buyer(outcome):
    found = outcome("K04")
    said = read_response(found.responses[0].content)
    assert found.state.word == "ApplicationReponseTechnicalReject" and "Received" not in words(found)
    assert (said.says, said.by) == (Says.NOT_DELIVERED, By.RECEIVER_SYSTEM)


@pytest.mark.parametrize(
    "key", ["V08", "O24", "X12"], ids=["access point gone", "registration ended", "never registered"]
)
def test_where_nobody_receives_nothing_is_sent(outcome, key):
    found = outcome(key)
    assert words(found) == ["Created", "TransmissionStarted", "EndpointNotFound"] and not found.responses


def test_whoever_is_registered_can_be_reached(opened, receiver):
    account = opened()
    assert account.reaches(f"GLN:{receiver('O01').value}") and account.reaches(f"DK:CVR:{receiver('V01').value}")
    assert not account.reaches("GLN:5798000000001") and not account.reaches("DK:CVR:12345674")


def test_a_restart_forgets_neither_documents_nor_their_keys_nor_the_time(opened, clock, invoice, receiver):
    first = opened().keep(invoice(receiver("O01")), key="K-1")
    clock.turn(60)
    account = opened()
    assert account.news() == []
    found = account.with_key("K-1")
    assert (found.id, found.content, found.state.word) == (first.id, first.content, "Approved")
    [response] = found.responses
    assert account.get(response.id) is response
    assert opened().get(response.id).content == response.content


def test_news_are_told_once_in_order(opened, clock, invoice, receiver):
    account = opened()
    document = account.keep(invoice(receiver("O02")))
    clock.turn(7)
    account.get(document.id)
    assert [(one, state.word) for one, state in account.news()] == [
        (document.id, "Created"), (document.id, "TransmissionStarted"), (document.id, "Sent"),
    ]  # fmt: skip
    assert account.news() == []


def test_what_nobody_can_read_is_not_kept(opened, tmp_path):
    with pytest.raises(Unreadable):
        opened().keep(b"<Invoice/>")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_is_no_document(opened, tmp_path, invoice, receiver):
    kept = opened().keep(invoice(receiver("O02")))
    path = tmp_path / f"{kept.id}.json"
    path.rename(path.with_suffix(".part"))
    assert opened().newest_first() == []


def test_people_see_number_and_receiver(opened, tmp_path, invoice, receiver):
    kept = opened().keep(invoice(receiver("O01"), number="1488"))
    facts = json.loads((tmp_path / f"{kept.id}.json").read_text())["facts"]
    assert facts == {
        "number": "1488", "receiver": f"Kunde <& Søn> ({receiver('O01')})", "format": "OIOUBL",
    }  # fmt: skip


def test_every_conduct_has_somebody_who_is_registered():
    shown = {conduct for address, conduct in demo_conduct().items() if POPULATION.get(address)}
    assert shown == {*Conduct} - {Conduct.SILENT}
