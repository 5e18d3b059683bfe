from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from support.told_registers import CVR, GLN, SILENT, endpoint_of, registered

from invoiceapp.discovery.base import Settings
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import Network, service_for
from invoiceapp.models import Gateway, Lookup, Subscription, db, utcnow
from invoiceapp.services.export import archive
from invoiceapp.services.reach import lookups, silence
from invoiceapp.services.reach.lookups import Outcome

BIS = service_for(Network.PEPPOL, "peppol-bis-3", DocumentType.INVOICE)


def rows() -> list[Lookup]:
    return list(db.session.scalars(select(Lookup).order_by(Lookup.id).execution_options(populate_existing=True)))


def age(row: Lookup, time: timedelta) -> None:
    row.confirmed_at = utcnow() - time
    db.session.commit()


def test_a_yes_a_no_and_no_answer_are_three_things(place, registers):
    registers.said = {"12345674": [registered(CVR)], GLN: SILENT}
    yes = lookups.ask(place, lookups.company("12345674"))
    no = lookups.ask(place, lookups.receiver(CVR))
    silence = lookups.ask(place, lookups.receiver(GLN))
    assert (yes.outcome, no.outcome, silence.outcome) == (
        Outcome.REGISTERED, Outcome.NOT_REGISTERED, Outcome.COULD_NOT_ASK,
    )  # fmt: skip
    assert yes.found == (registered(CVR),) and no.found == () and silence.text == SILENT.text
    assert silence.is_unclear and not silence.is_registered


def test_every_answer_is_kept_with_its_time_and_its_bytes(place, registers):
    registers.said = {"12345674": [registered(CVR)]}
    known = lookups.ask(place, lookups.company("12345674"))
    (row,) = rows()
    assert row.id == known.lookup_id and row.subscription_id == place.subscription_id
    assert (row.register, row.question, row.outcome) == ("nemhandelsregisteret", "12345674", "registered")
    (exchange,) = row.exchanges
    assert exchange["asked"] == "GET 12345674" and exchange["outcome"] == "200" and exchange["at"]
    assert archive.load(exchange["sha256"]) == b"nemhandelsregisteret 12345674"


def test_a_young_answer_is_not_asked_for_again(place, registers):
    registers.said = {"12345674": [registered(CVR)]}
    first, second = (lookups.ask(place, lookups.company("12345674")) for _ in range(2))
    assert registers.asked == ["12345674"] and first == second


def test_an_old_answer_is_asked_for_again_and_confirmed(place, registers):
    registers.said = {"12345674": [registered(CVR)]}
    lookups.ask(place, lookups.company("12345674"))
    (row,) = rows()
    age(row, timedelta(hours=25))
    lookups.ask(place, lookups.company("12345674"))
    (row,) = rows()
    assert len(registers.asked) == 2 and row.times == 2 and row.confirmed_at > utcnow() - timedelta(minutes=1)


def test_not_registered_is_asked_again_after_an_hour(place, registers):
    lookups.ask(place, lookups.receiver(GLN))
    age(rows()[0], timedelta(minutes=61))
    lookups.ask(place, lookups.receiver(GLN))
    assert len(registers.asked) == 2


def test_another_answer_is_another_row(place, registers):
    registers.said = {GLN: [registered(GLN, "Før")]}
    lookups.ask(place, lookups.receiver(GLN))
    registers.said = {GLN: [registered(GLN, "Efter")]}
    known = lookups.ask(place, lookups.receiver(GLN), fresh=True)
    assert [row.answer["found"][0]["name"] for row in rows()] == ["Før", "Efter"]
    assert known.found[0].name == "Efter"


def test_silence_hides_no_answer_and_is_asked_again_at_once(place, registers):
    registers.said = {GLN: [registered(GLN)]}
    lookups.ask(place, lookups.receiver(GLN))
    registers.said = {GLN: SILENT}
    assert lookups.ask(place, lookups.receiver(GLN), fresh=True).is_unclear
    assert lookups.ask(place, lookups.receiver(GLN)).is_registered
    age(rows()[0], timedelta(hours=30))
    assert lookups.ask(place, lookups.receiver(GLN)).is_unclear
    assert [(row.outcome, row.times) for row in rows()] == [("registered", 1), ("could_not_ask", 2)]


def test_what_other_roots_proved_is_asked_anew(place, registers):
    registers.said = {(Network.PEPPOL, CVR, DocumentType.INVOICE): endpoint_of(Network.PEPPOL, CVR, BIS)}
    question = lookups.endpoint(Network.PEPPOL, CVR, BIS)
    lookups.ask(place, question)
    lookups.ask(replace(place, settings=replace(place.settings, anchors={Network.PEPPOL: "PEM"})), question)
    assert len(registers.asked) == 2


def test_what_another_network_said_does_not_count_here(place, registers):
    registers.said = {GLN: [registered(GLN)]}
    lookups.ask(place, lookups.receiver(GLN))
    elsewhere = replace(place, settings=Settings({Network.PEPPOL: "test.example"}))
    lookups.ask(elsewhere, lookups.receiver(GLN))
    assert len(registers.asked) == 2 and len({row.place for row in rows()}) == 2


@pytest.fixture
def other_subscription(app):
    row = Subscription(name="Fremmed A/S")
    db.session.add(row)
    db.session.commit()
    return row


def test_what_another_subscription_was_told_is_not_ours(place, registers, other_subscription):
    registers.said = {GLN: [registered(GLN)]}
    lookups.ask(place, lookups.receiver(GLN))
    lookups.ask(replace(place, subscription_id=other_subscription.id), lookups.receiver(GLN))
    assert len(registers.asked) == 2


def test_many_are_asked_side_by_side_and_each_only_once(place, registers):
    registers.said = {"12345674": [registered(CVR)], GLN: SILENT}
    questions = [lookups.company("12345674"), lookups.receiver(GLN), lookups.company("12345674"), lookups.receiver(CVR)]
    known = lookups.ask_many(place, questions)
    assert len(known) == 3 and len(registers.asked) == 3
    assert [known[one].outcome.value for one in questions[1:]] == ["could_not_ask", "registered", "not_registered"]
    assert 1 <= registers.opened == registers.closed <= 3


def test_one_answer_that_trips_our_code_keeps_no_other_from_being_asked(place, registers, caplog):
    registers.said = {"12345674": [registered(CVR)], GLN: ZeroDivisionError()}
    known = lookups.ask_many(place, [lookups.receiver(GLN), lookups.company("12345674")])
    assert known[lookups.receiver(GLN)].is_unclear and known[lookups.company("12345674")].is_registered
    assert "unexpected error" in caplog.text


def test_a_register_that_hangs_is_left_alone_for_a_while(place, registers, monkeypatch):
    monkeypatch.setattr(silence, "MOST_SILENT", 3)
    numbers = [f"1000000{number}" for number in range(8)]
    registers.said = dict.fromkeys(numbers, SILENT) | {(Network.PEPPOL, CVR): [registered(CVR)]}
    questions = [lookups.company(number) for number in numbers]
    known = lookups.ask_many(place, [*questions, lookups.registration(Network.PEPPOL, CVR)], workers=1)
    assert len(registers.asked) == 4
    assert [known[one].is_unclear for one in questions] == [True] * 8
    assert known[lookups.registration(Network.PEPPOL, CVR)].is_registered
    # In the next round too, but only there and not for ever.
    lookups.ask(place, lookups.company("12345674"))
    assert len(registers.asked) == 4
    lookups.ask(
        replace(place, settings=Settings({}, register_url="https://other.example")), lookups.company("12345674")
    )
    assert len(registers.asked) == 5
    monkeypatch.setattr(silence.SILENCE, "_until", {})
    lookups.ask(place, lookups.company("12345674"), fresh=True)
    assert len(registers.asked) == 6


def test_an_endpoint_is_kept_and_confirmed(place, registers):
    registers.said = {(Network.PEPPOL, CVR, DocumentType.INVOICE): endpoint_of(Network.PEPPOL, CVR, BIS)}
    question = lookups.endpoint(Network.PEPPOL, CVR, BIS)
    known = lookups.ask(place, question)
    assert known.is_registered and known.endpoint.url == "https://ap.example/as4"
    again = lookups.ask(place, question, fresh=True)
    (row,) = rows()
    assert row.times == 2 and again.endpoint.asked_at == row.confirmed_at


def test_registered_but_not_for_this_document_is_a_no(place, registers):
    registers.said = {(Network.PEPPOL, CVR, DocumentType.INVOICE): [registered(CVR)]}
    assert lookups.ask(place, lookups.endpoint(Network.PEPPOL, CVR, BIS)).outcome is Outcome.NOT_REGISTERED


@pytest.fixture
def network_gateway(subscription):
    row = Gateway(
        subscription_id=subscription.id, name="Netværk", kind="network", secrets={}, expiries_at=utcnow(),
        config={"lookup": "own", "peppol_zone": "zone.example", "name_server": "192.0.2.1:5353"},
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row


def test_the_place_is_that_of_the_subscriptions_network_gateway(subscription, gateway, network_gateway):
    found = lookups.place_of(subscription.id)
    assert found is not None and found.settings.zones == {Network.PEPPOL: "zone.example"}
    db.session.delete(network_gateway)
    db.session.commit()
    assert lookups.place_of(subscription.id) is None


def test_answers_lead_to_further_questions(place, registers):
    registers.said = {"12345674": [registered(CVR)]}

    def follow(known):
        yield lookups.company("12345674")
        if lookups.company("12345674") in known:
            yield lookups.registration(Network.PEPPOL, CVR)

    known = lookups.ask_on(place, follow)
    assert list(known) == [lookups.company("12345674"), lookups.registration(Network.PEPPOL, CVR)]
    assert lookups.ask_on(place, follow) == known and len(registers.asked) == 2


def test_after_the_end_nothing_more_is_asked(place, registers):
    assert lookups.ask_on(place, lambda _: [lookups.company("12345674")], until=0) == {}
    assert registers.asked == []
