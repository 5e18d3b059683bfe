"""Against a partner that opens messages with OpenSSL and signs receipts with it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from datetime import date

import pytest
from support.as2_partner import PROCESSED, report, unsigned
from support.outbound import LOOPBACK

from invoiceapp.domain.delivery import Replay
from invoiceapp.gateways.as2 import TRANSPORT, As2Transport, certificates, transport
from invoiceapp.gateways.base import (
    Payload,
    Refused,
    Rejected,
    Unavailable,
    Unknown,
    registry,
)

ENCRYPTIONS = ["none", "aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"]
MESSAGE_ID = "<mfrggzdfmztwq2lkmfrggzdfmztwq2lkmfrggzdfmztwq2lkabcd@firma-as2>"


@pytest.fixture
def send(partner, config, consignment):
    """Sends a consignment to the partner; keyword arguments change the configuration."""

    def run(**changes):
        with As2Transport(config(url=partner.url, **changes), LOOPBACK) as opened:
            return opened.send(consignment())

    return run


def test_the_registry_finds_it():
    assert registry()["as2"] is TRANSPORT is As2Transport


@pytest.mark.parametrize(("dedupes", "replay"), [(True, Replay.SAFE), (False, Replay.UNSAFE)])
def test_it_is_repeated_only_where_the_partner_recognises_the_message_id(config, dedupes, replay):
    assert As2Transport(config(dedupes=dedupes)).replay is replay


def test_the_host_is_that_of_the_address(config):
    assert As2Transport(config(url="https://AS2.Partner.example:4080/x")).host == "as2.partner.example"


@pytest.mark.server
@pytest.mark.parametrize("encrypt", ENCRYPTIONS)
@pytest.mark.parametrize("sign", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "whole"])
def test_the_partner_opens_it_and_its_mic_is_ours(partner, send, consignment, encrypt, sign, compress):
    receipt = send(encrypt=encrypt, sign=sign, compress=compress)
    (message,) = partner.received
    envelope = {"none": (), "aes128-gcm": ("authEnveloped-data",), "aes256-gcm": ("authEnveloped-data",)}
    expected = envelope.get(encrypt, ("enveloped-data",))
    assert message.kinds == (
        *expected,
        *(("multipart/signed",) if sign else ()),
        *(("compressed-data",) if compress else ()),
    )
    assert message.content == consignment().payload.content
    assert message.filename == "invoice.xml"
    assert receipt.proves_arrival
    assert receipt.final
    assert receipt.reference == MESSAGE_ID == message.message_id
    assert receipt.evidence["mic"] == receipt.evidence["sent_mic"] == message.mic


@pytest.mark.server
@pytest.mark.parametrize("changes", [{"transfer_encoding": "binary"}, {"key_transport": "oaep"}, {"compress": True, "transfer_encoding": "binary"}], ids=str)  # fmt: skip
def test_other_wrappings_keep_the_bytes(partner, send, consignment, changes):
    one = consignment()
    # OpenSSL writes CRLF for what it verifies, so that a binary part must have them.
    content = one.payload.content
    send(sign="transfer_encoding" not in changes, **{"encrypt": "aes256-cbc"} | changes)
    assert partner.received[0].content == content


@pytest.mark.server
@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_the_signature_and_the_mic_use_the_chosen_digest(partner, send, digest):
    partner.opener.digest = digest
    partner.answer = lambda message: partner.signed_receipt(message, mic=f"{message.mic}, {digest}")
    receipt = send(digest=digest)
    assert receipt.evidence["mic_algorithm"] == digest
    assert digest.replace("sha", "sha-") in partner.received[0].headers["disposition-notification-options"]


@pytest.mark.server
def test_the_headers_are_those_of_rfc_4130(partner, send):
    send()
    headers = partner.received[0].headers
    assert headers["as2-from"] == "Firma-AS2"
    assert headers["as2-to"] == '"Partner AS2"'
    assert headers["message-id"] == MESSAGE_ID
    assert headers["subject"] == "Faktura 2026-17"
    assert headers["content-type"] == "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
    assert headers["disposition-notification-to"] == "as2@firma-as2"
    assert headers["disposition-notification-options"] == (
        "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-256"
    )
    assert headers["as2-version"] == "1.1"
    assert not {"receipt-delivery-option", "authorization", "content-transfer-encoding"} & {*headers}


@pytest.mark.server
def test_the_login_is_sent_where_there_is_one(partner, send):
    send(username="firma", password="hemmelig")
    assert partner.received[0].headers["authorization"] == f"Basic {base64.b64encode(b'firma:hemmelig').decode()}"


@pytest.mark.server
def test_the_evidence_holds_the_receipt_itself(partner, send, openssl):
    evidence = json.loads(json.dumps(send().evidence))
    octets = f"Content-Type: {evidence['mdn_content_type']}\r\n\r\n".encode() + base64.b64decode(evidence["mdn"])
    verified = openssl(octets, "-verify", "-noverify", "-nointern", "-certfile", partner.own.certificate_path)
    assert evidence["sent_mic"].encode() in verified
    assert evidence["disposition"] == PROCESSED
    assert evidence["signed_by"] == hashlib.sha256(_der(partner.own.certificate)).hexdigest()


def _der(pem: str) -> bytes:
    return base64.b64decode("".join(pem.strip().splitlines()[1:-1]))


@pytest.mark.server
def test_a_retry_has_the_same_message_id_and_mic(partner, config, consignment):
    made = config(url=partner.url, compress=True)
    opened = As2Transport(made, LOOPBACK)
    first = opened.wire_ids(consignment())
    with opened:
        opened.send(consignment())
        opened.send(consignment())
    one, other = partner.received
    assert one.body != other.body
    assert one.message_id == other.message_id == first["message_id"]
    assert one.mic == other.mic == first["mic"]
    assert first["mic_algorithm"] == "sha256"


@pytest.mark.server
@pytest.mark.parametrize("modifier", ["processed/Warning: duplicate-document", "processed/error: duplicate-document"])
def test_a_duplicate_with_our_mic_has_arrived_and_the_evidence_says_so(partner, send, modifier):
    partner.answer = lambda message: partner.signed_receipt(
        message, disposition=PROCESSED.replace("processed", modifier)
    )
    receipt = send()
    assert receipt.proves_arrival
    assert receipt.evidence["duplicate"] is True


ANOTHER_ALGORITHM = "cXVpdGUgYW5vdGhlcg==, sha1"


@pytest.mark.server
@pytest.mark.parametrize("modifier", ["processed/Warning: duplicate-document", "processed/error: duplicate-document"])
@pytest.mark.parametrize("mic", [None, ANOTHER_ALGORITHM])
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_a_duplicate_that_the_partner_need_not_have_read_is_unknown(partner, send, modifier, mic, signed):
    disposition = PROCESSED.replace("processed", modifier)

    def answer(message):
        if signed:
            return partner.signed_receipt(message, disposition=disposition, mic=mic)
        return 200, *unsigned(report(message.message_id, mic, disposition))

    partner.answer = answer
    with pytest.raises(Unknown) as caught:
        send(mdn_signed=signed)
    assert "set før" in caught.value.text.da
    assert "duplicate-document" in caught.value.detail


@pytest.mark.server
def test_a_message_that_could_not_be_read_is_not_taken_for_arrived_when_it_goes_again(partner, send):
    """The partner remembers the Message-ID of what it could not decrypt."""
    partner.answer = lambda message: _disposed("processed/error: decryption-failed")(partner, message)
    with pytest.raises(Refused):
        send()
    partner.answer = lambda message: _disposed("processed/warning: duplicate-document")(partner, message)
    with pytest.raises(Unknown):
        send()
    one, other = partner.received
    assert one.message_id == other.message_id


@pytest.mark.server
def test_a_lost_answer_is_unknown(partner, send):
    partner.answer = lambda message: None
    with pytest.raises(Unknown):
        send()
    assert partner.requests == 1


@pytest.mark.server
@pytest.mark.parametrize(("status", "kind"), [(200, Unknown), (401, Refused), (500, Unknown)])
def test_of_half_an_answer_only_a_no_counts(partner, send, status, kind):
    partner.missing = 10
    partner.answer = lambda message: (status, *partner.signed_receipt(message)[1:])
    with pytest.raises(kind) as caught:
        send()
    assert type(caught.value) is kind


@pytest.mark.server
@pytest.mark.parametrize("status", [200, 202, 204])
def test_no_receipt_where_one_was_wanted_at_once_is_unknown(partner, send, status):
    partner.answer = lambda message: (status, {}, b"")
    with pytest.raises(Unknown):
        send()


@pytest.mark.server
def test_a_partner_that_falls_silent_is_unknown(partner, send, monkeypatch):
    monkeypatch.setattr(transport, "STEP", 0.3)
    waiting = threading.Event()
    partner.answer = lambda message: waiting.wait(5) and None
    with pytest.raises(Unknown):
        send()
    waiting.set()


@pytest.mark.server
def test_half_a_message_is_not_delivered(partner, config, consignment, proxy):
    cut = proxy(partner.port, 1_000)
    with As2Transport(config(url=f"http://127.0.0.1:{cut.port}/"), LOOPBACK) as opened, pytest.raises(Unavailable):
        opened.send(consignment(payload=Payload(bytes(range(256)) * 40_000, "a.xml", "text/xml")))


@pytest.mark.server
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Refused), (400, Rejected), (401, Refused), (403, Refused), (404, Refused), (405, Refused), (408, Unavailable),
        (413, Rejected), (425, Unavailable), (429, Unavailable), (500, Unknown), (502, Unknown), (503, Unavailable),
    ],
)  # fmt: skip
def test_each_status_means_one_thing(partner, send, status, kind):
    partner.answer = lambda message: (status, {"Retry-After": "120"}, b"no")
    with pytest.raises(kind) as caught:
        send()
    assert type(caught.value) is kind
    if kind is Unavailable:
        assert caught.value.retry_after == 120


def _disposed(words):
    return lambda partner, message: partner.signed_receipt(
        message, disposition=PROCESSED.replace("processed", words), mic=None
    )


@pytest.mark.server
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("processed/error: authentication-failed", Refused),
        ("processed/Error: decryption-failed", Refused),
        ("processed/error: insufficient-message-security", Refused),
        ("processed/error: integrity-check-failed", Refused),
        ("processed/error: decompression-failed", Refused),
        ("processed/error: unknown-trading-partner", Refused),
        ("failed/Failure: unsupported format", Refused),
        ("failed/failure: unsupported MIC-algorithms", Refused),
        ("failed/failure: sender-equals-receiver", Refused),
        ("processed/error: unexpected-processing-error", Rejected),
        ("processed/error: invoice number is used", Rejected),
        ("failed", Rejected),
    ],
)
def test_a_signed_no_is_the_partners_no(partner, send, words, kind):
    partner.answer = lambda message: _disposed(words)(partner, message)
    with pytest.raises(kind) as caught:
        send()
    assert type(caught.value) is kind


@pytest.mark.server
def test_the_partners_words_are_shown(partner, send):
    partner.answer = lambda message: _disposed("processed/error: invoice number is used")(partner, message)
    with pytest.raises(Rejected, match="invoice number is used") as caught:
        send()
    assert "invoice number is used" in caught.value.text.da


@pytest.mark.server
@pytest.mark.parametrize("words", ["processed", "processed/warning: duplicate-document"])
def test_a_receipt_for_other_bytes_is_unknown_as_the_partner_has_something(partner, send, words):
    other = base64.b64encode(bytes(32)).decode()
    disposition = PROCESSED.replace("processed", words)
    partner.answer = lambda message: partner.signed_receipt(message, mic=f"{other}, sha-256", disposition=disposition)
    with pytest.raises(Unknown) as caught:
        send()
    assert "kontrolsummerne" in caught.value.text.da


@pytest.mark.server
@pytest.mark.parametrize("name", ["sha256", "sha-256", "SHA-256", " SHA256 "])
def test_the_name_of_the_digest_may_be_written_in_several_ways(partner, send, name):
    partner.answer = lambda message: partner.signed_receipt(message, mic=f"{message.mic},{name}")
    assert send().proves_arrival


@pytest.mark.server
def test_an_unsigned_no_proves_nothing_but_is_told(partner, send):
    words = PROCESSED.replace("processed", "processed/error: decryption-failed")
    partner.answer = lambda message: (200, *unsigned(report(message.message_id, None, words)))
    with pytest.raises(Unknown) as caught:
        send()
    assert "decryption-failed" in caught.value.text.da


@pytest.mark.server
def test_an_unsigned_receipt_counts_where_no_signature_was_wanted(partner, send):
    partner.answer = lambda message: (200, *unsigned(report(message.message_id, f"{message.mic}, sha-256")))
    receipt = send(mdn_signed=False)
    assert receipt.proves_arrival
    assert receipt.evidence["signed_by"] is None
    assert "disposition-notification-options" not in partner.received[0].headers


@pytest.mark.server
@pytest.mark.parametrize("mic", [None, ANOTHER_ALGORITHM])
def test_an_unsigned_receipt_may_lack_a_mic_that_we_know(partner, send, mic):
    partner.answer = lambda message: (200, *unsigned(report(message.message_id, mic)))
    assert send(mdn_signed=False).proves_arrival


@pytest.mark.server
def test_an_unsigned_receipt_with_another_mic_is_unknown(partner, send):
    other = base64.b64encode(bytes(32)).decode()
    partner.answer = lambda message: (200, *unsigned(report(message.message_id, f"{other}, sha256")))
    with pytest.raises(Unknown, match="MIC differs"):
        send(mdn_signed=False)


@pytest.mark.server
def test_without_a_receipt_nothing_is_proved(partner, send):
    partner.answer = lambda message: (200, {}, b"")
    receipt = send(mdn="none")
    assert not receipt.proves_arrival
    assert receipt.final
    assert "disposition-notification-to" not in partner.received[0].headers


@pytest.mark.server
def test_both_certificates_of_the_partner_count_around_the_switch(partner, pairs, send, monkeypatch):
    monkeypatch.setattr(transport, "today", lambda: date(2026, 11, 23))
    new = {"partner_certificate": pairs["stranger"].certificate, "partner_next_certificate": partner.own.certificate}
    assert send(encrypt="none", partner_switch_on="2026-12-20", **new).proves_arrival
    old = {"partner_certificate": partner.own.certificate, "partner_next_certificate": pairs["stranger"].certificate}
    assert send(encrypt="none", partner_switch_on="2026-11-01", **old).proves_arrival
    with pytest.raises(Unknown):
        send(encrypt="none", partner_switch_on="2027-02-01", **new)
    with pytest.raises(Unknown):
        send(encrypt="none", partner_switch_on="2026-10-01", **old)


@pytest.mark.server
@pytest.mark.parametrize(("switch", "signs_with"), [("2026-11-23", "own_next"), ("2026-11-24", "own")])
def test_our_next_pair_signs_from_its_date_on(partner, pairs, send, monkeypatch, switch, signs_with):
    monkeypatch.setattr(transport, "today", lambda: date(2026, 11, 23))
    partner.opener.their_certificate = pairs[signs_with].certificate_path
    following = pairs["own_next"]
    receipt = send(own_next_certificate=following.certificate, own_next_key=following.key, own_switch_on=switch)
    assert receipt.proves_arrival


@pytest.mark.server
def test_we_encrypt_for_the_partners_next_certificate_from_its_date_on(partner, pairs, send):
    day = certificates.today().isoformat()
    send(
        partner_certificate=pairs["stranger"].certificate,
        partner_next_certificate=partner.own.certificate,
        partner_switch_on=day,
    )
    assert partner.received[0].kinds[0] == "enveloped-data"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"own_key": "nonsense"}, "private nøgle"),
        ({"own_certificate": "nonsense"}, "Certifikatet"),
        ({"partner_certificate": "nonsense"}, "Certifikatet"),
        ({"ca_certificate": "nonsense"}, "Rodcertifikatet"),
    ],
    ids=str,
)
def test_unreadable_settings_are_refused_before_anything_is_sent(config, consignment, changes, part):
    with As2Transport(config(**changes), LOOPBACK) as opened, pytest.raises(Refused) as caught:
        opened.send(consignment())
    assert part in caught.value.text.da


def test_a_pair_that_is_none_is_refused(config, consignment, pairs):
    with As2Transport(config(own_key=pairs["stranger"].key)) as opened, pytest.raises(Refused, match="belong together"):
        opened.send(consignment())


def test_a_partner_without_rsa_cannot_be_encrypted_for(config, consignment, pairs):
    made = config(partner_certificate=pairs["curve"].certificate)
    with As2Transport(made) as opened, pytest.raises(Refused, match="RSA"):
        opened.send(consignment())
