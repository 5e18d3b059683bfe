"""Receipts that come later, to our own address."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from support.as2_partner import PROCESSED, enclose, report, unsigned
from support.outbound import LOOPBACK

from invoiceapp.gateways.as2 import As2Transport
from invoiceapp.gateways.base import Incoming, Unreadable, Verdict

MESSAGE_ID = "<mfrggzdfmztwq2lkmfrggzdfmztwq2lkmfrggzdfmztwq2lkabcd@firma-as2>"


@pytest.fixture
def opened(partner, config):
    partner.answer = lambda message: (202, {}, b"")
    made = config(url=partner.url, mdn="async", mdn_url="https://vi.example/inbound/7", mdn_hours=6)
    with As2Transport(made, LOOPBACK) as one:
        yield one


def _incoming(answer):
    _, headers, body = answer
    return Incoming("request-1", body, headers)


@pytest.mark.server
def test_the_whole_way(partner, opened, consignment):
    one = consignment()
    ids = opened.wire_ids(one)
    receipt = opened.send(one)
    assert (receipt.final, receipt.proves_arrival, receipt.due) == (False, False, timedelta(hours=6))
    (message,) = partner.received
    assert message.headers["receipt-delivery-option"] == "https://vi.example/inbound/7"
    incoming = _incoming(partner.signed_receipt(message))
    assert opened.key_of(incoming) == one.key
    later = opened.read(incoming, ids)
    assert later.verdict is Verdict.ARRIVED
    assert later.evidence["mic"] == ids["mic"]
    assert later.reference == "<mdn-1@partner>"


@pytest.mark.server
def test_a_receipt_that_comes_at_once_counts_at_once(partner, opened, consignment):
    partner.answer = partner.signed_receipt
    receipt = opened.send(consignment())
    assert receipt.final
    assert receipt.proves_arrival


@pytest.mark.server
@pytest.mark.parametrize("changes", [{"disposition": PROCESSED.replace("processed", "processed/error: authentication-failed")}, {"mic": f"{base64.b64encode(bytes(32)).decode()}, sha256"}], ids=["no", "mic"])  # fmt: skip
def test_a_signed_no_is_a_rejection(partner, opened, consignment, changes):
    opened.send(consignment())
    incoming = _incoming(partner.signed_receipt(partner.received[0], **changes))
    later = opened.read(incoming, opened.wire_ids(consignment()))
    assert later.verdict is Verdict.REJECTED
    assert later.text is not None


@pytest.mark.server
def test_a_later_receipt_for_other_bytes_says_that_the_partner_has_something(partner, opened, consignment):
    opened.send(consignment())
    other = f"{base64.b64encode(bytes(32)).decode()}, sha256"
    later = opened.read(
        _incoming(partner.signed_receipt(partner.received[0], mic=other)), opened.wire_ids(consignment())
    )
    assert later.verdict is Verdict.REJECTED
    assert "noget andet, end vi sendte" in later.text.da


@pytest.mark.server
def test_a_later_duplicate_counts_by_its_mic_only(partner, opened, consignment):
    opened.send(consignment())
    disposition = PROCESSED.replace("processed", "processed/warning: duplicate-document")
    message, ids = partner.received[0], opened.wire_ids(consignment())
    later = opened.read(_incoming(partner.signed_receipt(message, disposition=disposition)), ids)
    assert later.verdict is Verdict.ARRIVED
    without = _incoming(partner.signed_receipt(message, disposition=disposition, mic=None))
    with pytest.raises(Unreadable) as caught:
        opened.read(without, ids)
    assert "set før" in caught.value.text.da


@pytest.mark.server
def test_anothers_signature_is_unreadable(partner, opened, consignment, pairs):
    opened.send(consignment())
    message = partner.received[0]
    octets = report(message.message_id, f"{message.mic}, sha256")
    headers, body = enclose(octets, partner.sign(octets, by=pairs["stranger"]))
    incoming = Incoming("request-1", body, headers)
    assert opened.key_of(incoming) == consignment().key
    with pytest.raises(Unreadable):
        opened.read(incoming, opened.wire_ids(consignment()))


@pytest.mark.parametrize("about", ["<abc@another-firm>", "<abc>", "", "<../../x@firma-as2>"])
def test_a_receipt_about_another_message_has_no_key(config, about):
    headers, body = unsigned(report(about, None))
    assert As2Transport(config()).key_of(Incoming("1", body, headers)) is None


@pytest.mark.parametrize("ids", [{}, {"message_id": MESSAGE_ID}, {"mic": "?", "mic_algorithm": "sha256"}], ids=str)
def test_without_what_went_out_nothing_is_proved(config, ids):
    headers, body = unsigned(report(MESSAGE_ID, None))
    with pytest.raises(Unreadable):
        As2Transport(config(mdn_signed=False)).read(Incoming("1", body, headers), ids)


def test_something_else_is_unreadable(config):
    with pytest.raises(Unreadable):
        As2Transport(config()).key_of(Incoming("1", b"hello", {"content-type": "text/plain"}))
