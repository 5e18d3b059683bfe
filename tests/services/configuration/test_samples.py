from __future__ import annotations

from datetime import UTC, datetime

import pytest

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text, has_fatal
from invoiceapp.formats.base import registry as formats
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.gateways.base import Refused, Rejected, Unavailable, Unknown
from invoiceapp.models import Attempt, Delivery, Document, Event, db, utcnow
from invoiceapp.services.configuration import samples
from invoiceapp.services.errors import InvalidInput

ACTOR = "ida@example.com"
NO = Text("Nej.", "No.")
MAIL = Field("recipient", Text("Fast modtager", "Fixed recipient"), FieldType.EMAIL)


@pytest.fixture
def mail(partner, monkeypatch):
    monkeypatch.setattr(partner, "fields", (*partner.fields, MAIL))


def test_the_example_is_named_by_its_minute_in_denmark_and_marked_as_a_test():
    found = samples.invoice(datetime(2026, 11, 22, 12, 5, tzinfo=UTC), "Værkstedet ApS", "12345674")
    assert (found.number, found.note) == ("TEST-20261122-1305", "TEST – må ikke bogføres / do not book")
    assert (found.seller.name, found.seller.legal_id) == ("Værkstedet ApS", "12345674")
    assert found.buyer.name.startswith("TEST") and not found.payment


def test_an_example_of_a_company_without_a_good_number_has_one_for_tests():
    assert (
        samples.invoice(utcnow(), "A", "12345678").seller.legal_id
        == samples.invoice(utcnow(), None, None).seller.legal_id
    )


@pytest.mark.parametrize("format_id", [fmt.id for fmt in formats().values() if not fmt.draws])
def test_every_format_writes_the_example_without_settings_and_the_rules_like_it(format_id):
    fmt, now = formats()[format_id], utcnow()
    example = samples.invoice(now, None, None)
    parameters = samples._parameters(fmt, now)
    assert not has_fatal(fmt.check(example, parameters))
    content = fmt.write(example, parameters)
    assert not has_fatal(Validator(None).validate(content, fmt, example.type).findings)
    assert b"TEST" in content


def test_edifact_carries_the_test_flag(gateway, partner):
    samples.send(gateway.id, "edifact-d96a", "", ACTOR)
    [sent] = partner.sent
    opening = sent.payload.content.split(b"'")[1]
    assert opening.startswith(b"UNB") and opening.endswith(b"+1")


def test_only_formats_that_the_gateway_takes_are_offered(gateway, partner, monkeypatch):
    assert {fmt.id for fmt in samples.formats_of(gateway)} == set(formats())
    monkeypatch.setattr(partner, "accepts", frozenset({"csv"}))
    assert [fmt.id for fmt in samples.formats_of(gateway)] == ["csv"]
    with pytest.raises(InvalidInput) as caught:
        samples.send(gateway.id, "json", "", ACTOR)
    assert set(caught.value.errors) == {"format"} and partner.sent == []


def test_a_sample_is_sent_and_leaves_a_line_in_the_history_only(gateway, adaptor, partner):
    gateway.paused_at = utcnow()
    db.session.commit()
    sent = samples.send(gateway.id, "peppol-bis-3", "", ACTOR)
    [consignment] = partner.sent
    assert (sent.outcome, sent.receipt.evidence["sha256"]) == ("accepted", consignment.payload.sha256)
    assert (consignment.document_no, consignment.format) == (sent.number, "peppol-bis-3")
    assert (consignment.sender_name, consignment.sender.scheme) == ("Eksempel ApS", "0088")
    assert consignment.payload.filename.startswith(f"invoice-{sent.number}")
    event = db.session.query(Event).one()
    assert (event.kind, event.actor, event.document_id) == ("sample_sent", ACTOR, None)
    assert event.data["gateway"] == gateway.id and event.data["outcome"] == "accepted"
    assert [db.session.query(model).count() for model in (Document, Delivery, Attempt)] == [0, 0, 0]
    assert gateway.is_paused


def test_each_sample_has_a_key_of_its_own(gateway, partner):
    for _ in range(2):
        samples.send(gateway.id, "csv", "", ACTOR)
    first, second = (one.key for one in partner.sent)
    assert first != second and len(first) == 32 and first.isalnum() and first.islower()


@pytest.mark.parametrize("failure", [Refused, Rejected, Unavailable, Unknown])
def test_a_sample_that_fails_tells_how_and_pauses_nothing(gateway, partner, failure):
    partner.outcomes.append(failure(NO))
    sent = samples.send(gateway.id, "csv", "", ACTOR)
    assert (sent.outcome, sent.error.text) == (failure.__name__.lower(), NO)
    db.session.refresh(gateway)
    assert not gateway.is_paused
    assert db.session.query(Event).one().data["outcome"] == sent.outcome


def test_a_fault_in_the_transport_is_unknown(gateway, partner):
    partner.outcomes.append(ZeroDivisionError("x"))
    assert samples.send(gateway.id, "csv", "", ACTOR).outcome == "unknown"


@pytest.mark.usefixtures("mail")
def test_a_mail_needs_an_address_unless_the_gateway_has_one(gateway, partner):
    assert samples.needs_address(gateway)
    for typed in ("", "a@b.dk, c@d.dk"):
        with pytest.raises(InvalidInput) as caught:
            samples.send(gateway.id, "csv", typed, ACTOR)
        assert set(caught.value.errors) == {"address"}
    samples.send(gateway.id, "csv", ACTOR, ACTOR)
    assert [one.receiver_email for one in partner.sent] == [ACTOR]
    gateway.config = {**gateway.config, "recipient": "fast@example.com"}
    db.session.commit()
    assert not samples.needs_address(gateway)
    samples.send(gateway.id, "csv", "", ACTOR)
    assert partner.sent[-1].receiver_email is None


def test_what_the_server_showed_is_remembered(gateway, partner, monkeypatch):
    def shown(self, consignment):
        self.seen["host_key"] = "SHA256:abc"
        return partner.received(consignment)

    monkeypatch.setattr(partner, "send", shown)
    samples.send(gateway.id, "csv", "", ACTOR)
    db.session.refresh(gateway)
    assert gateway.seen["host_key"] == "SHA256:abc"


def test_the_usual_format_is_the_one_of_most_customers(gateway, make_customer):
    assert samples.usual_format(gateway) is None
    for name, fmt in (("A", "csv"), ("B", "oioubl-2.1"), ("C", "oioubl-2.1")):
        make_customer(name, format=fmt)
    assert samples.usual_format(gateway) == "oioubl-2.1"


@pytest.mark.parametrize("kind", ["network", "sproom", "peppol"])
def test_a_network_gets_no_samples(gateway, kind):
    gateway.kind, gateway.config = kind, {}
    db.session.commit()
    assert not samples.is_possible(gateway) and samples.formats_of(gateway) == []
