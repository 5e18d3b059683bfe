"""Private keys in every common form."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from invoiceapp.domain.fields import FieldInvalid, parse
from invoiceapp.gateways.base import Refused
from invoiceapp.gateways.sftp.fields import FIELDS
from invoiceapp.gateways.sftp.keys import HostKeyPin, load_private_key

ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
ECDSA = ec.generate_private_key(ec.SECP256R1())
OPENSSH, PKCS1, PKCS8 = s.PrivateFormat.OpenSSH, s.PrivateFormat.TraditionalOpenSSL, s.PrivateFormat.PKCS8


def pem(key, form, passphrase=None):
    lock = s.BestAvailableEncryption(passphrase) if passphrase else s.NoEncryption()
    return key.private_bytes(s.Encoding.PEM, form, lock).decode()


@pytest.mark.parametrize(
    ("key", "form", "name"),
    [
        (ED25519, OPENSSH, "ssh-ed25519"),
        (ED25519, PKCS8, "ssh-ed25519"),
        (RSA, OPENSSH, "ssh-rsa"),
        (RSA, PKCS1, "ssh-rsa"),
        (RSA, PKCS8, "ssh-rsa"),
        (ECDSA, OPENSSH, "ecdsa-sha2-nistp256"),
        (ECDSA, PKCS1, "ecdsa-sha2-nistp256"),
        (ECDSA, PKCS8, "ecdsa-sha2-nistp256"),
    ],
)
@pytest.mark.parametrize("passphrase", [None, "kodeord"])
def test_a_key_is_read(key, form, name, passphrase):
    text = pem(key, form, passphrase.encode() if passphrase else None)
    loaded = load_private_key(text, passphrase)
    assert loaded.get_name() == name
    assert loaded.can_sign()


def test_a_key_pasted_in_a_browser_is_read():
    text = "\n  " + pem(ED25519, OPENSSH).replace("\n", "\r\n") + "\r\n"
    assert load_private_key(text, None).can_sign()


@pytest.mark.parametrize(
    ("text", "passphrase"),
    [
        ("no key", None),
        (pem(RSA, PKCS8)[:500], None),
        (pem(ED25519, OPENSSH, b"right"), "wrong"),
        (pem(ED25519, OPENSSH, b"right"), None),
        (pem(RSA, PKCS8, b"right"), "wrong"),
        (pem(dsa.generate_private_key(2048), PKCS8), None),
    ],
    ids=["text", "cut off", "wrong passphrase", "no passphrase", "wrong passphrase, PKCS#8", "DSA"],
)
def test_a_key_that_cannot_be_used_is_refused_and_not_shown(text, passphrase):
    with pytest.raises(Refused) as caught:
        load_private_key(text, passphrase)
    assert (text[40:80] or text) not in f"{caught.value.text}{caught.value.detail}"
    assert caught.value.__cause__ is None


def test_a_pin_with_a_key_type_asks_for_that_type_only():
    offered = ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256")
    assert HostKeyPin.parse("ssh-rsa SHA256:x").algorithms(offered) == ["rsa-sha2-512", "rsa-sha2-256"]
    assert HostKeyPin.parse("SHA256:x").algorithms(offered) == list(offered)


@pytest.mark.parametrize("text", ["SHA256:abc", "MD5:" + "A" * 43, "dsa SHA256:" + "A" * 43, "SHA256:" + "A" * 44])
def test_the_form_refuses_what_is_no_fingerprint(text):
    field = next(f for f in FIELDS if f.name == "host_key")
    with pytest.raises(FieldInvalid):
        parse(field, text)
