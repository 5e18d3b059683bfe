from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from support.told_registers import GLN, SILENT, endpoint_of

from invoiceapp.discovery.base import Offer, Registered
from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import OIOUBL_RESPONSE, Network, service_for
from invoiceapp.gateways.base import Unavailable, Unknown, registry
from invoiceapp.models import Delivery, Lookup, Rendition, db, utcnow
from invoiceapp.services.configuration import gateways
from invoiceapp.services.export import delivery

S = DeliveryState
BIS = service_for(Network.PEPPOL, "peppol-bis-3", DocumentType.INVOICE)
KEY = (Network.PEPPOL, GLN, DocumentType.INVOICE)


@pytest.fixture
def access_point(partner, gateway, monkeypatch):
    """The partner, when it wants to know where to send."""
    wanting = type("AccessPoint", (partner,), {"wants_endpoint": True, "networks": frozenset({Network.PEPPOL})})
    monkeypatch.setitem(registry(), "fake", wanting)
    return wanting


@pytest.fixture
def here(registers):
    registers.said[KEY] = endpoint_of(Network.PEPPOL, GLN, BIS)
    return registers


def test_the_endpoint_is_looked_up_just_before_it_leaves(access_point, here, ready):
    row = ready()
    delivery.deliver_due()
    (sent,) = access_point.sent
    assert sent.endpoint.url == "https://ap.example/as4" and sent.endpoint.participant == GLN
    assert row.state is S.DELIVERED and here.asked == [KEY]


def test_a_young_answer_is_used_again_for_the_next_document(access_point, here, ready):
    ready("1001")
    ready("1002")
    delivery.deliver_due()
    assert len(access_point.sent) == 2 and here.asked == [KEY]


def test_an_old_answer_is_checked_before_sending(access_point, here, ready):
    ready("1001")
    delivery.deliver_due()
    db.session.execute(update(Lookup).values(confirmed_at=utcnow() - timedelta(hours=7)))
    db.session.commit()
    ready("1002")
    delivery.deliver_due()
    assert here.asked == [KEY, KEY]


def test_after_a_failed_try_the_register_is_asked_anew(access_point, here, ready):
    row = ready()
    access_point.outcomes.append(Unavailable(Text("Partneren sagde nej.", "The partner said no.")))
    delivery.deliver_due()
    db.session.execute(update(Delivery).values(next_at=utcnow()))
    db.session.commit()
    delivery.deliver_due()
    assert here.asked == [KEY, KEY] and row.state is S.DELIVERED


MOVED = endpoint_of(Network.PEPPOL, GLN, BIS, url="https://other-ap.example/as4")


def tried_again(row):
    db.session.execute(update(Delivery).values(next_at=utcnow()))
    db.session.commit()
    delivery.deliver_due()
    db.session.refresh(row)


def test_what_may_have_arrived_is_not_repeated_at_another_access_point(access_point, here, ready):
    """There nobody knows the message: the receiver would get the invoice twice."""
    assert access_point.replays is Replay.SAFE
    row = ready()
    access_point.outcomes.append(Unknown(Text("Intet svar.", "No answer.")))
    delivery.deliver_due()
    here.said[KEY] = MOVED
    tried_again(row)
    assert row.state is S.OUTCOME_UNKNOWN and row.next_at is None and len(access_point.sent) == 1
    assert "flyttet" in row.error["da"]


def test_what_provably_did_not_arrive_follows_the_receiver(access_point, here, ready):
    row = ready()
    access_point.outcomes.append(Unavailable(Text("Partneren sagde nej.", "The partner said no.")))
    delivery.deliver_due()
    here.said[KEY] = MOVED
    tried_again(row)
    assert row.state is S.DELIVERED and [one.endpoint.url for one in access_point.sent][-1] == MOVED.url


def test_one_receivers_access_point_that_is_busy_stops_nothing_for_the_others(access_point, here, ready, gateway):
    """Each receiver has another machine, and none may ask us to leave all of them alone."""
    first, second = ready("1001"), ready("1002")
    access_point.outcomes.append(Unavailable(Text("Travlt.", "Busy."), "HTTP 503", 3_600))
    delivery.deliver_due()
    db.session.refresh(gateway)
    assert (first.state, second.state) == (S.PENDING, S.DELIVERED) and gateway.retry_at is None


def test_no_longer_registered_is_rejected_and_nothing_leaves(access_point, registers, ready):
    row = ready()
    delivery.deliver_due()
    assert row.state is S.REJECTED and access_point.sent == []
    assert "ikke (længere) tilmeldt Peppol" in row.error["da"] and "Matchede kunder" in row.error["da"]


def test_a_no_that_is_final_is_never_an_old_one(access_point, registers, ready):
    row = ready("1001")
    delivery.deliver_due()
    assert row.state is S.REJECTED and registers.asked == [KEY]
    registers.said[KEY] = endpoint_of(Network.PEPPOL, GLN, BIS)
    age_by(timedelta(minutes=2))
    row = ready("1002")
    delivery.deliver_due()
    assert row.state is S.DELIVERED and registers.asked == [KEY, KEY]


def age_by(time):
    db.session.execute(update(Lookup).values(confirmed_at=utcnow() - time))
    db.session.commit()


def test_a_register_that_does_not_answer_only_delays(access_point, registers, ready):
    registers.said[KEY] = SILENT
    row = ready()
    delivery.deliver_due()
    assert row.state is S.PENDING and access_point.sent == [] and "kunne ikke slås op" in row.error["da"]


def test_an_ended_registration_is_not_used(access_point, registers, ready):
    registers.said[KEY] = endpoint_of(Network.PEPPOL, GLN, BIS, active_until=utcnow() - timedelta(days=1))
    row = ready()
    delivery.deliver_due()
    assert row.state is S.REJECTED and access_point.sent == []


def test_a_document_without_an_address_goes_nowhere(access_point, here, ready):
    row = ready()
    db.session.execute(update(Rendition).values(receiver=None))
    db.session.commit()
    delivery.deliver_due()
    assert row.state is S.REJECTED and "GLN" in row.error["da"] and here.asked == []


def test_a_format_that_the_network_does_not_carry_goes_nowhere(access_point, here, ready):
    row = ready()
    db.session.execute(update(Rendition).values(format="oioubl-2.1"))
    db.session.commit()
    delivery.deliver_due()
    assert row.state is S.REJECTED and "Peppol" in row.error["da"] and here.asked == []


def test_other_transports_ask_nobody(partner, gateway, registers, ready):
    ready()
    delivery.deliver_due()
    (sent,) = partner.sent
    assert sent.endpoint is None and registers.asked == [] and db.session.scalar(select(Lookup)) is None


def test_participants_are_those_of_the_document(access_point, registers, ready):
    other = Participant("0184", "12345674")
    registers.said[(Network.PEPPOL, other, DocumentType.INVOICE)] = endpoint_of(Network.PEPPOL, other, BIS)
    ready()
    db.session.execute(update(Rendition).values(receiver=str(other)))
    db.session.commit()
    delivery.deliver_due()
    assert [sent.endpoint.participant for sent in access_point.sent] == [other]


OURS = Participant("0184", "12345674")
RESPONSES = OIOUBL_RESPONSE


@pytest.fixture
def answerable(access_point, monkeypatch):
    """The access point, when it must be able to hear answers."""
    monkeypatch.setattr(access_point, "must_be_registered_for", RESPONSES)
    return access_point


def ourselves(*offered):
    return [Registered(OURS, "Os", offers=tuple(Offer(Network.PEPPOL, document_id=one) for one in offered))]


def test_nothing_is_sent_before_our_own_registration_is_confirmed(answerable, here, ready, gateway):
    here.said[(Network.PEPPOL, OURS)] = ourselves(BIS.document_id)
    row = ready()
    delivery.deliver_due()
    assert row.state is S.PENDING and answerable.sent == [] and "ApplicationResponse" in row.error["da"]
    db.session.refresh(gateway)
    assert gateway.is_paused


def test_once_we_are_registered_the_next_start_of_the_gateway_sends(answerable, here, ready, gateway):
    """A kept no would pause it again, for an hour."""
    row = ready()
    delivery.deliver_due()
    assert row.state is S.PENDING and answerable.sent == []
    here.said[(Network.PEPPOL, OURS)] = ourselves(RESPONSES)
    age_by(timedelta(minutes=2))
    gateways.resume(gateway.id)
    delivery.deliver_due()
    assert row.state is S.DELIVERED


def test_registered_to_hear_answers_we_may_send(answerable, here, ready):
    here.said[(Network.PEPPOL, OURS)] = ourselves(RESPONSES)
    row = ready()
    delivery.deliver_due()
    assert row.state is S.DELIVERED and len(answerable.sent) == 1


def test_where_our_own_registration_cannot_be_looked_up_it_waits(answerable, here, ready, gateway):
    here.said[(Network.PEPPOL, OURS)] = SILENT
    row = ready()
    delivery.deliver_due()
    db.session.refresh(gateway)
    assert row.state is S.PENDING and answerable.sent == [] and not gateway.is_paused
