"""What goes on the wire, opened with OpenSSL's command line and by the RFCs' own words."""

from __future__ import annotations

import base64
import email
import email.header
import hashlib
import zlib

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from invoiceapp.gateways.as2 import As2Transport, message, smime
from invoiceapp.gateways.as2.certificates import keys_of, today
from invoiceapp.gateways.base import Payload

XML = b"<Invoice>\xc3\xa6\xc3\xb8\xc3\xa5</Invoice>\n"


@pytest.fixture
def small(consignment):
    return consignment(key="abc", payload=Payload(XML, "faktura.xml", "application/xml; charset=utf-8"))


@pytest.fixture
def seal(config, small):
    def run(**changes):
        made = config(**changes)
        return message.seal(message.draft(small, made), made, keys_of(made, today()))

    return run


#: Written out from RFC 4130 7.3.1, not by the code.
PART = (
    b"Content-Type: application/xml; charset=utf-8\r\n"
    b'Content-Disposition: attachment; filename="faktura.xml"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    b"PEludm9pY2U+w6bDuMOlPC9JbnZvaWNlPgo=\r\n"
)


def _sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


@pytest.mark.parametrize(
    ("changes", "hashed"),
    [
        ({"sign": True, "encrypt": "none"}, PART),
        ({"sign": True}, PART),
        ({"sign": False}, PART),
        ({"sign": False, "compress": True}, PART),
        ({"sign": False, "encrypt": "none", "compress": True}, PART),
        ({"sign": False, "encrypt": "none"}, XML),
    ],
    ids=["signed", "signed-encrypted", "encrypted", "compressed-encrypted", "compressed", "bare"],
)
def test_the_mic_is_over_what_the_rfcs_say(config, small, changes, hashed):
    ids = As2Transport(config(**changes)).wire_ids(small)
    assert ids == {"message_id": "<abc@firma-as2>", "mic": _sha256(hashed), "mic_algorithm": "sha256"}


def test_of_compressed_and_signed_the_compressed_part_is_hashed(config, small, seal):
    ids = As2Transport(config(compress=True)).wire_ids(small)
    sealed = seal(encrypt="none", compress=True)
    boundary = sealed.parameter("boundary").encode()
    signed = sealed.body.split(b"--" + boundary + b"\r\n")[1].removesuffix(b"\r\n")
    assert ids["mic"] == _sha256(signed)
    compressed = cms.ContentInfo.load(base64.b64decode(signed.partition(b"\r\n\r\n")[2]))
    inner = zlib.decompress(compressed["content"]["encap_content_info"]["content"].native)
    assert inner == PART


def test_the_bare_document_is_the_body_of_the_request(seal):
    sealed = seal(sign=False, encrypt="none")
    assert sealed.body == XML


def test_openssl_verifies_the_signature_with_our_certificate_alone(seal, openssl, pairs):
    verified = openssl(
        seal(encrypt="none").octets, "-verify", "-noverify", "-nointern", "-certfile", pairs["own"].certificate_path
    )
    assert verified == PART


def test_openssl_finds_a_changed_message(seal, openssl, pairs):
    octets = seal(encrypt="none").octets.replace(b"PEludm9p", b"PEludm9q")
    with pytest.raises(Exception, match="non-zero exit status"):
        openssl(octets, "-verify", "-noverify", "-nointern", "-certfile", pairs["own"].certificate_path)


@pytest.mark.parametrize("encrypt", ["aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"])
@pytest.mark.parametrize("key_transport", ["pkcs1v15", "oaep"])
def test_openssl_decrypts_what_is_for_the_partner(seal, openssl, pairs, encrypt, key_transport):
    der = seal(sign=False, encrypt=encrypt, key_transport=key_transport).body
    pair = pairs["partner"]
    assert openssl(der, "-decrypt", "-inform", "DER", "-inkey", pair.key_path, "-recip", pair.certificate_path) == PART


def test_the_algorithms_in_the_envelope_are_the_chosen_ones(seal):
    info = cms.ContentInfo.load(seal(sign=False, encrypt="aes256-cbc", key_transport="oaep").body)
    recipient = info["content"]["recipient_infos"][0].chosen["key_encryption_algorithm"]
    assert recipient["algorithm"].native == "rsaes_oaep"
    assert recipient["parameters"]["hash_algorithm"]["algorithm"].native == "sha256"
    algorithm = info["content"]["encrypted_content_info"]["content_encryption_algorithm"]["algorithm"]
    assert algorithm.native == "aes256_cbc"


@pytest.mark.parametrize(("encrypt", "octets"), [("aes128-gcm", 16), ("aes256-gcm", 32)])
def test_gcm_is_decrypted_by_hand(seal, pairs, encrypt, octets):
    """RFC 5083 and RFC 5084, step by step: the tag stands apart and its length is told."""
    info = cms.ContentInfo.load(seal(sign=False, encrypt=encrypt).body)
    assert info["content_type"].dotted == "1.2.840.113549.1.9.16.1.23"
    content = info["content"]
    private = serialization.load_pem_private_key(pairs["partner"].key.encode(), None)
    wrapped = content["recipient_infos"][0].chosen["encrypted_key"].native
    key = private.decrypt(wrapped, padding.PKCS1v15())
    assert len(key) == octets
    inside = content["auth_encrypted_content_info"]
    nonce, tag_length = inside["content_encryption_algorithm"]["parameters"].native.values()
    assert (len(nonce), tag_length, len(content["mac"].native)) == (12, 16, 16)
    sealed = inside["encrypted_content"].native + content["mac"].native
    assert AESGCM(key).decrypt(nonce, sealed, None) == PART


def test_every_encryption_has_its_own_key_and_nonce(seal, pairs):
    private = serialization.load_pem_private_key(pairs["partner"].key.encode(), None)
    seen = set()
    for _ in range(3):
        content = cms.ContentInfo.load(seal(sign=False, encrypt="aes128-gcm").body)["content"]
        wrapped = content["recipient_infos"][0].chosen["encrypted_key"].native
        seen.add(private.decrypt(wrapped, padding.PKCS1v15()))
        seen.add(content["auth_encrypted_content_info"]["content_encryption_algorithm"]["parameters"].dump())
    assert len(seen) == 6


def test_a_signature_names_the_digest_that_was_chosen(seal, pairs):
    sealed = seal(encrypt="none", digest="sha512")
    assert sealed.parameter("micalg") == "sha-512"
    part = email.message_from_bytes(sealed.octets).get_payload()[1]
    info = cms.ContentInfo.load(part.get_payload(decode=True))["content"]
    signer = info["signer_infos"][0]
    assert signer["digest_algorithm"]["algorithm"].native == "sha512"
    attributes = signer["signed_attrs"].untag().dump()
    pairs["own"].loaded.public_key().verify(signer["signature"].native, attributes, padding.PKCS1v15(), hashes.SHA512())


def test_everything_but_signature_and_keys_is_the_same_in_each_attempt(config, small):
    made = config(compress=True, encrypt="none")
    one, other = message.draft(small, made), message.draft(small, made)
    assert one == other
    first, second = (message.seal(draft, made, keys_of(made, today())) for draft in (one, other))
    assert first.headers == second.headers


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"document_no": "17"}, "Faktura 17"),
        ({"document_no": "17", "document_type": "creditNote"}, "Kreditnota 17"),
        ({"document_no": "17\r\nBcc: x"}, "Faktura 17 Bcc: x"),
        ({"document_no": "{sender}"}, "Faktura {sender}"),
        ({"document_no": "ÆØÅ" * 50}, "Faktura " + "ÆØÅ" * 50),
    ],
    ids=str,
)
def test_the_subject_is_one_line_of_ascii(config, consignment, changes, subject):
    made = config(sign=False, encrypt="none")
    one = consignment(**changes)
    prepared = message.draft(one, made)
    shown = message.http_headers(prepared, prepared.body, one, made)["Subject"]
    assert shown.isascii()
    assert "\n" not in shown
    assert str(email.header.make_header(email.header.decode_header(shown))) == subject


def test_no_name_of_a_file_adds_a_header(config, consignment):
    one = consignment(payload=Payload(XML, 'a"\r\nX-Evil: 1\r\n.xml', "application/xml\r\nX-Evil: 2"))
    octets = message.draft(one, config()).document.octets
    assert b"\r\nX-Evil" not in octets


def test_compression_makes_it_smaller(consignment, config):
    one = consignment()
    whole, small = (
        len(message.seal(message.draft(one, made), made, keys_of(made, today())).body)
        for made in (config(), config(compress=True))
    )
    assert small < whole / 4


def test_an_unknown_algorithm_is_a_mistake_of_ours(pairs):
    with pytest.raises(KeyError):
        smime.encrypt(b"", pairs["partner"].loaded, "des", "pkcs1v15")
