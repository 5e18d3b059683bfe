"""Documents whose format counts its interchanges, from conversion to a second sending."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.formats.base import registry
from invoiceapp.models import (
    Delivery,
    Document,
    Event,
    InterchangeSequence,
    NumberedInterchange,
    Rendition,
    Stage,
    db,
    utcnow,
)
from invoiceapp.services.export import actions, archive, conversion, delivery, validators

S = DeliveryState
GLNS = {"senderGln": "5798990000005", "receiverGln": "5798990002016"}
EDIFACT = ("edifact-d96a", GLNS)
ENVELOPE = ("peppol-bis-3", {"envelope": "true"})


@pytest.fixture
def numbered(queued, rule_of):
    """``numbered(number, format, options)``: a queued document whose customer gets that format."""

    def make(number, chosen=EDIFACT, edit=None):
        format_id, options = chosen
        document = queued(number, edit)
        rule = rule_of(document)
        rule.format, rule.settings = format_id, {**rule.settings, "formats": {format_id: options}}
        db.session.commit()
        return document

    return make


def newest(document: Document) -> Delivery:
    return db.session.scalars(
        select(Delivery).where(Delivery.document_id == document.id).order_by(Delivery.id.desc())
    ).first()


def rendition(row: Delivery) -> Rendition:
    return db.session.get_one(Rendition, row.rendition_id)


def content(row: Delivery) -> bytes:
    return archive.load(rendition(row).sha256)


def reference(content: bytes) -> str:
    """The control reference of UNB, which UNZ repeats."""
    opening = re.search(rb"UNB\+(?:[^+]*\+){4}([0-9]+)", content)[1]
    assert content.rstrip().endswith(b"UNZ+1+" + opening + b"'")
    return opening.decode()


def instance(content: bytes) -> str:
    return re.search(rb"</TypeVersion><InstanceIdentifier>([^<]+)", content)[1].decode()


def test_each_interchange_of_a_receiver_has_the_next_number(numbered):
    documents = [numbered(number) for number in ("1001", "1002", "1003")]
    conversion.convert_due()
    # Which one comes first is the database's choice.
    assert {reference(content(newest(document))) for document in documents} == {"1", "2", "3"}
    assert [rendition(newest(document)).interchange_id is not None for document in documents] == [True] * 3


def test_converting_the_same_records_again_gives_the_same_bytes(numbered):
    document = numbered("1001")
    conversion.convert_due()
    first = rendition(newest(document)).sha256
    db.session.query(Event).delete()
    db.session.query(Delivery).delete()
    row = db.session.get_one(Document, document.id, populate_existing=True)
    row.stage, row.lease_until = Stage.QUEUED, utcnow() - timedelta(seconds=1)
    db.session.commit()
    conversion.convert_due()
    assert rendition(newest(document)).sha256 == first
    assert db.session.query(NumberedInterchange).count() == 1


def test_a_document_that_is_blocked_takes_no_number(numbered, monkeypatch):
    def without_lines(bundle):
        bundle["invoice"]["lines"] = []

    document = numbered("1001", edit=without_lines)
    conversion.convert_due()
    assert newest(document).state is S.BLOCKED
    assert db.session.query(InterchangeSequence).count() == 0


@pytest.mark.parametrize(("chosen", "told_by"), [(EDIFACT, reference), (ENVELOPE, instance)])
def test_a_second_sending_is_a_new_interchange_of_the_same_message(numbered, partner, chosen, told_by):
    document = numbered("1001", chosen)
    conversion.convert_due()
    delivery.deliver_due()
    first = newest(document)
    actions.send_again(first, "ida@example.com", "The receiver has lost it.")
    second = newest(document)
    assert (second.state, second.supersedes_id) == (S.PENDING, first.id)
    before, after = content(first), content(second)
    assert told_by(before) != told_by(after)
    fmt = registry()[chosen[0]]
    assert fmt.reader(before) == fmt.reader(after)
    kind = document.type
    assert not [found for found in validators.validator().validate(after, fmt, kind).findings if found.is_fatal]
    delivery.deliver_due()
    assert [sent.payload.content for sent in partner.sent] == [before, after]


def test_a_third_sending_counts_on_from_the_second(numbered, partner):
    document = numbered("1001", ("edifact-d96a", {**GLNS, "firstControlReference": "700"}))
    references = []
    for _ in range(3):
        conversion.convert_due()
        delivery.deliver_due()
        references.append(reference(content(newest(document))))
        actions.send_again(newest(document), "ida@example.com", "Lost")
    assert references == ["700", "701", "702"]


def test_a_second_sending_that_does_not_come_about_takes_no_number(numbered, partner):
    document = numbered("1001")
    conversion.convert_due()
    delivery.deliver_due()
    stale = newest(document)
    db.session.expunge(stale)
    actions.send_again(newest(document), "ida@example.com", "Lost")
    with pytest.raises(actions.Conflict):
        actions.send_again(stale, "ida@example.com", "Lost")
    assert db.session.query(NumberedInterchange).count() == 2
    assert db.session.query(InterchangeSequence).one().last == 2


def test_a_format_without_numbers_is_sent_again_byte_for_byte(numbered, partner):
    document = numbered("1001", ("peppol-bis-3", {}))
    conversion.convert_due()
    delivery.deliver_due()
    first = newest(document)
    actions.send_again(first, "ida@example.com", "Lost")
    assert newest(document).rendition_id == first.rendition_id
