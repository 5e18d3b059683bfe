from __future__ import annotations

import pytest

from invoiceapp.gateways.base import Incoming, Reply, Unwrapped, registry
from invoiceapp.models import Gateway, IncomingMessage, IncomingState, db
from invoiceapp.services.export import archive
from invoiceapp.services.receipts import receiving
from invoiceapp.services.receipts.receiving import Answer, largest, receive, respond

POSTED = {"Content-Type": "multipart/report", "Message-ID": "<mdn-1@partner>"}


def rows():
    db.session.rollback()
    return db.session.query(IncomingMessage).order_by(IncomingMessage.id).all()


def test_a_receipt_is_stored_and_matched(sent, left, posting, gateway):
    delivery = sent()
    assert receive(gateway.id, f"{delivery.idem_key} arrived".encode(), POSTED) is Answer.STORED
    assert left(delivery).kinds == ["mdn"]
    (row,) = rows()
    assert (row.name, row.state) == ("<mdn-1@partner>", IncomingState.MATCHED)


def test_only_the_header_fields_that_receipts_are_read_by_are_kept(posting, gateway):
    secret = {"Authorization": "Bearer S3CR3T", "Cookie": "session=S3CR3T", "X-Forwarded-For": "10.0.0.1"}
    receive(
        gateway.id, b"key arrived", {**POSTED, **secret, "AS2-From": "P", "MIME-Version": "1.0", "AS2-To": "y" * 9_999}
    )
    kept = rows()[0].headers
    assert set(kept) == {"content-type", "message-id", "as2-from", "as2-to", "mime-version"}
    assert len(kept["as2-to"]) == 2_000


def test_what_does_not_match_yet_is_stored_too(posting, gateway):
    assert receive(gateway.id, b"nokey arrived", POSTED) is Answer.STORED
    assert rows()[0].state is IncomingState.WAITING


@pytest.mark.parametrize("content", ["æ".encode(), b""])
def test_what_is_no_receipt_is_unreadable(posting, gateway, content):
    assert receive(gateway.id, content, POSTED) is Answer.UNREADABLE


def test_the_same_unreadable_again_is_unreadable_again(posting, gateway):
    assert [receive(gateway.id, "æ".encode(), POSTED) for _ in range(2)] == [Answer.UNREADABLE] * 2
    assert [row.times for row in rows()] == [2]


def test_a_gateway_that_takes_no_requests_is_as_one_that_is_not_there(partner, gateway):
    assert largest(gateway.id) is None
    assert receive(gateway.id, b"key arrived", POSTED) is receive("nowhere", b"key arrived", POSTED)
    assert receive("nowhere", b"key arrived", POSTED) is Answer.NO_SUCH_GATEWAY
    assert rows() == []


def test_a_kind_that_this_installation_has_no_more_is_not_there(gateway):
    gateway.kind = "gone"
    db.session.commit()
    assert largest(gateway.id) is None


def test_nobody_can_fill_the_disk_and_real_receipts_still_get_through(sent, left, posting, gateway, monkeypatch):
    monkeypatch.setattr(receiving, "MOST_UNMATCHED", 3)
    delivery = sent()
    answers = [receive(gateway.id, f"key{number} arrived".encode(), POSTED) for number in range(5)]
    assert answers == [Answer.STORED] * 3 + [Answer.TOO_MANY] * 2
    assert receive(gateway.id, "æ".encode(), POSTED) is Answer.TOO_MANY
    assert len(rows()) == 3
    assert receive(gateway.id, f"{delivery.idem_key} arrived".encode(), POSTED) is Answer.STORED
    assert left(delivery).kinds == ["mdn"]


def test_not_even_about_a_document_of_ours_can_somebody_post_for_ever(sent, left, posting, gateway, monkeypatch):
    monkeypatch.setattr(receiving, "MOST", 2)
    delivery = sent()
    answers = [
        receive(gateway.id, f"{delivery.idem_key} arrived{chr(10) * number}".encode(), POSTED) for number in range(4)
    ]
    assert answers == [Answer.STORED] * 2 + [Answer.TOO_MANY] * 2 and len(rows()) == 2


def test_the_limit_is_each_gateways_own(posting, gateway, monkeypatch):
    monkeypatch.setattr(receiving, "MOST_UNMATCHED", 1)
    other = Gateway(
        subscription_id=gateway.subscription_id, name="Anden", kind="fake", config={"host": "x"}, secrets={}
    )
    db.session.add(other)
    db.session.commit()
    assert receive(gateway.id, b"key1 arrived", POSTED) is Answer.STORED
    assert receive(other.id, b"key2 arrived", POSTED) is Answer.STORED


def test_a_fault_in_matching_is_not_the_partners_business(posting, gateway, monkeypatch):
    def broken(_message_id):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(receiving.matching, "match", broken)
    assert receive(gateway.id, b"key arrived", POSTED) is Answer.STORED


def test_without_the_archive_the_partner_is_to_send_again(posting, gateway, monkeypatch):
    def full(_content):
        raise archive.ArchiveUnavailable(receiving.matching._NOT_YET)

    monkeypatch.setattr(archive, "store", full)
    assert receive(gateway.id, b"key arrived", POSTED) is Answer.TRY_AGAIN
    assert rows() == []


@pytest.fixture
def wrapping(partner, gateway, monkeypatch):
    """The partner, when what it posts is ``<id> <document>`` in a protocol that wants an answer."""

    def unwrap(self, incoming: Incoming) -> Unwrapped:
        if incoming.content == b"forged":
            return Unwrapped(None, Reply(200, b"error signal", "application/soap+xml"))
        name, _, document = incoming.content.partition(b" ")
        kept = Incoming(name.decode(), document, {"content-type": "application/xml"})
        return Unwrapped(kept, Reply(200, b"receipt", "application/soap+xml"), Reply(200, b"4001"))

    kind = type("Wrapping", (partner,), {"unwraps": True, "unwrap": unwrap})
    monkeypatch.setitem(registry(), "fake", kind)
    return kind


def test_what_comes_in_a_protocol_is_opened_kept_and_answered(wrapping, gateway):
    assert respond(gateway.id, b"msg-1 <Response/>", {}) == Reply(200, b"receipt", "application/soap+xml")
    (row,) = rows()
    assert (row.name, archive.load(row.sha256)) == ("msg-1", b"<Response/>")


def test_what_is_refused_is_answered_and_not_kept(wrapping, gateway):
    assert respond(gateway.id, b"forged", {}).content == b"error signal"
    assert rows() == []


def test_the_same_message_again_gets_its_receipt_again_and_is_one(wrapping, gateway):
    answers = [respond(gateway.id, b"msg-1 <Response/>", {}).content for _ in range(2)]
    assert answers == [b"receipt"] * 2
    assert [row.times for row in rows()] == [2]


def test_another_message_under_a_used_id_is_refused(wrapping, gateway):
    respond(gateway.id, b"msg-1 <Response/>", {})
    assert respond(gateway.id, b"msg-1 <Other/>", {}).content == b"4001"
    assert len(rows()) == 1


def test_no_receipt_is_given_for_what_could_not_be_kept(wrapping, gateway, monkeypatch):
    def full(_content):
        raise archive.ArchiveUnavailable(receiving.matching._NOT_YET)

    monkeypatch.setattr(archive, "store", full)
    assert respond(gateway.id, b"msg-1 <Response/>", {}).status == 503 and rows() == []


def test_messages_that_carry_documents_may_be_larger(wrapping, gateway, partner):
    assert largest(gateway.id) == receiving.LARGEST_WRAPPED > receiving.LARGEST


def test_nobody_can_post_for_ever_in_a_protocol_either(wrapping, gateway, monkeypatch):
    monkeypatch.setattr(receiving, "MOST", 1)
    answers = [respond(gateway.id, f"msg-{number} <Response/>".encode(), {}).status for number in range(2)]
    assert answers == [200, 429] and len(rows()) == 1
