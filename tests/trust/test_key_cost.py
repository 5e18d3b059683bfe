"""How long a key takes to open is up to whoever made it: what would take for ever is not even tried."""

from __future__ import annotations

import base64
import struct

import pytest
from asn1crypto import core, keys, pem, pkcs12
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from cryptography.hazmat.primitives.serialization import pkcs12 as writer
from support.pki import make_pki

from invoiceapp.gateways.base import Refused
from invoiceapp.gateways.sftp.keys import load_private_key
from invoiceapp.trust.key_cost import (
    MOST_BCRYPT_ROUNDS,
    MOST_ROUNDS,
    MOST_SCRYPT_TURNS,
    _Scrypt,
    is_affordable_key,
    is_affordable_pkcs12,
)

KEY = ed25519.Ed25519PrivateKey.generate()
USUAL = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def armored(content: bytes, kind: str = "ENCRYPTED PRIVATE KEY") -> bytes:
    return pem.armor(kind, content)


def pbkdf2(rounds: int) -> bytes:
    info = keys.EncryptedPrivateKeyInfo.load(USUAL)
    info["encryption_algorithm"]["parameters"]["key_derivation_func"]["parameters"]["iteration_count"] = rounds
    return armored(info.dump(force=True))


def scrypt(cost: int, block: int, turns: int) -> bytes:
    """By OID, which asn1crypto has no name for."""
    info = keys.EncryptedPrivateKeyInfo.load(USUAL)
    scheme = info["encryption_algorithm"]["parameters"]["encryption_scheme"].dump()
    asked = _Scrypt({"salt": b"12345678", "cost": cost, "block": block, "turns": turns})
    derivation = sequence(core.ObjectIdentifier("1.3.6.1.4.1.11591.4.11").dump(), asked.dump())
    algorithm = sequence(core.ObjectIdentifier("1.2.840.113549.1.5.13").dump(), sequence(derivation, scheme))
    return armored(sequence(algorithm, info["encrypted_data"].dump()))


def sequence(*parts: bytes) -> bytes:
    made = core.Sequence()
    made.contents = b"".join(parts)
    return bytes(made.dump())


def bcrypt(rounds: int) -> bytes:
    few = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1).build(b"secret")
    lines = KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, few).splitlines()
    content = base64.b64decode(b"".join(lines[1:-1]))
    # cipher, kdf, then the options: a salt of 16 octets and the rounds
    at = content.index(b"bcrypt") + len(b"bcrypt") + 4 + 4 + 16
    content = content[:at] + struct.pack(">I", rounds) + content[at + 4 :]
    return b"\n".join([lines[0], base64.b64encode(content), lines[-1]]) + b"\n"


AFFORDABLE = {
    "not encrypted": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "openssh, not encrypted": KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    "usual": armored(USUAL),
    "pbkdf2 at the limit": pbkdf2(MOST_ROUNDS),
    "scrypt as openssl": scrypt(16384, 8, 1),
    "bcrypt as ssh-keygen": bcrypt(24),
    "bcrypt at the limit": bcrypt(MOST_BCRYPT_ROUNDS),
    "no key at all": b"hello",
}
BOMBS = {
    "pbkdf2": pbkdf2(2**31 - 1),
    "scrypt of much memory": scrypt(2**30, 8, 1),
    "scrypt of many turns": scrypt(16384, 8, MOST_SCRYPT_TURNS + 1),
    "bcrypt": bcrypt(2**32 - 1),
    "one behind another": armored(USUAL) + pbkdf2(2**31 - 1),
    "cut": armored(USUAL[:40]),
    "no base64": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n!\n-----END ENCRYPTED PRIVATE KEY-----\n",
}


@pytest.mark.parametrize("content", AFFORDABLE.values(), ids=AFFORDABLE)
def test_keys_as_programs_make_them_are_opened(content: bytes) -> None:
    assert is_affordable_key(content)


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_seen_before_it_is_opened(content: bytes) -> None:
    assert not is_affordable_key(content)


@pytest.mark.parametrize("content", [BOMBS["pbkdf2"], BOMBS["bcrypt"]], ids=["pbkdf2", "bcrypt"])
def test_a_pasted_sftp_key_that_is_a_bomb_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(Refused) as refused:
        load_private_key(content.decode(), "secret")
    assert "far too long" in refused.value.text.en


def test_the_rounds_that_are_read_are_those_that_count() -> None:
    """One round more than the maker wrote opens nothing."""
    load_ssh_private_key(bcrypt(1), b"secret")
    with pytest.raises(ValueError):
        load_ssh_private_key(bcrypt(2), b"secret")


def p12(**changes: int) -> bytes:
    holder = make_pki("Cost").root
    few = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(100).hmac_hash(hashes.SHA256()).build(b"secret")
    found = pkcs12.Pfx.load(writer.serialize_key_and_certificates(b"n", holder.key, holder.certificate, None, few))
    if "mac" in changes:
        found["mac_data"]["iterations"] = changes["mac"]
    if "part" in changes:
        safe = found.authenticated_safe
        for part in safe:
            if part["content_type"].native == "encrypted_data":
                algorithm = part["content"]["encrypted_content_info"]["content_encryption_algorithm"]
                algorithm["parameters"]["key_derivation_func"]["parameters"]["iteration_count"] = changes["part"]
        found["auth_safe"] = {"content_type": "data", "content": safe.dump(force=True)}
    return bytes(found.dump(force=True))


@pytest.mark.parametrize("changes", [{"mac": 2**31 - 1}, {"part": 2**31 - 1}], ids=["mac", "part"])
def test_rounds_of_a_pkcs12_file_are_counted(changes: dict[str, int]) -> None:
    assert is_affordable_pkcs12(p12())
    assert not is_affordable_pkcs12(p12(**changes))


def test_what_is_no_pkcs12_is_left_to_whoever_opens_it() -> None:
    assert is_affordable_pkcs12(b"no file at all")
