from __future__ import annotations

import pytest

from invoiceapp.models import Gateway, IncomingMessage, IncomingState, db
from invoiceapp.services.export import archive
from invoiceapp.services.receipts import receiving
from invoiceapp.services.receipts.receiving import Answer, receive, takes

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
    assert not takes(gateway.id)
    assert receive(gateway.id, b"key arrived", POSTED) is receive("nowhere", b"key arrived", POSTED)
    assert receive("nowhere", b"key arrived", POSTED) is Answer.NO_SUCH_GATEWAY
    assert rows() == []


def test_a_kind_that_this_installation_has_no_more_is_not_there(gateway):
    gateway.kind = "gone"
    db.session.commit()
    assert not takes(gateway.id)


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
