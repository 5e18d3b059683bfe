"""Certificates that break their own format, where anybody may send one: an answer for the sender, never a traceback."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from invoiceapp.gateways import certificates
from invoiceapp.gateways.as2.certificates import load_certificate as load_as2
from invoiceapp.gateways.as4.keys import load_certificate as load_as4
from invoiceapp.gateways.as4.wss import common_name
from invoiceapp.gateways.certificates import Unusable

VERSION = bytes.fromhex("a003020102")


@pytest.fixture
def of_no_version(conversation) -> bytes:
    """The partner's certificate (DER) with a version that X.509 does not have."""
    der = conversation.ours.certificate.public_bytes(Encoding.DER)
    assert der.count(VERSION) == 1
    return der.replace(VERSION, VERSION[:-1] + b"\x09")


def test_a_token_of_no_version_is_refused_in_the_protocols_own_words(conversation, sealed, of_no_version):
    def change(root):
        for token in root.iter("{*}BinarySecurityToken"):
            token.text = base64.b64encode(of_no_version).decode()

    assert conversation.fault(sealed, conversation.altered(sealed, change)) == "EBMS:0101"


@pytest.mark.parametrize("load", [load_as2, load_as4])
def test_a_pasted_one_is_refused_in_words(load, of_no_version):
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(of_no_version).decode()}-----END CERTIFICATE-----\n"
    with pytest.raises(Unusable):
        load(pem)
    assert certificates.are_certificates(pem) is False


def test_a_name_that_cannot_be_read_is_no_name(conversation):
    der = conversation.ours.certificate.public_bytes(Encoding.DER)
    name = conversation.ours.certificate.subject.public_bytes()
    # The type of the text becomes BIT STRING.
    at = name.index(b"POP000001") - 2
    broken = der.replace(name, name[:at] + b"\x03" + name[at + 1 :])
    assert common_name(x509.load_der_x509_certificate(broken)) == ""
