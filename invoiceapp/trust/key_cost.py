"""What opening an encrypted key costs, read before anybody tries: its maker chose how long that takes (RFC 8018 4.2)."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from typing import Any

from asn1crypto import core, keys, pkcs12

#: Rounds of PBKDF2 and of the older derivations; programs choose up to a million, which takes half a second.
MOST_ROUNDS = 2_000_000
#: Of OpenSSH's bcrypt, each some ten milliseconds; ``ssh-keygen`` chooses 24.
MOST_BCRYPT_ROUNDS = 256
#: Of scrypt: bytes of memory, and how often it is filled.
MOST_SCRYPT_MEMORY = 128 * 1024 * 1024
MOST_SCRYPT_TURNS = 8

_PEM = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)-----END \1-----", re.DOTALL)
_OPENSSH = b"openssh-key-v1\0"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"
#: What asn1crypto raises, which reads lazily, wherever something is malformed.
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError, struct.error)


class _Scrypt(core.Sequence):  # type: ignore[misc]
    """RFC 7914 7."""

    _fields = [
        ("salt", core.OctetString), ("cost", core.Integer), ("block", core.Integer), ("turns", core.Integer),
        ("length", core.Integer, {"optional": True}),
    ]  # fmt: skip


def is_affordable_key(content: bytes) -> bool:
    """Whether the private keys in PEM are opened in a few seconds; not where that cannot be read."""
    try:
        return all(_is_affordable_block(kind, body) for kind, body in _PEM.findall(content))
    except _MALFORMED:
        return False


def is_affordable_pkcs12(content: bytes) -> bool:
    """Whether what can be seen of a PKCS#12 file is opened in a few seconds; also where it cannot be read at all.

    Keys that lie inside an encrypted part are not seen: whoever opens the file does so within a time.
    """
    try:
        return (
            all(_is_affordable_derivation(one) for one in _derivations(content)) and _mac_rounds(content) <= MOST_ROUNDS
        )
    except _MALFORMED:
        return True


def _is_affordable_block(kind: bytes, body: bytes) -> bool:
    if kind == b"ENCRYPTED PRIVATE KEY":
        info = keys.EncryptedPrivateKeyInfo.load(base64.b64decode(body))
        return _is_affordable_derivation(info["encryption_algorithm"])
    if kind == b"OPENSSH PRIVATE KEY":
        return _bcrypt_rounds(base64.b64decode(body)) <= MOST_BCRYPT_ROUNDS
    # The oldest form derives its key in one round.
    return True


def _is_affordable_derivation(algorithm: Any) -> bool:
    if algorithm["algorithm"].native != "pbes2":
        return int(algorithm["parameters"]["iterations"].native) <= MOST_ROUNDS
    derivation = algorithm["parameters"]["key_derivation_func"]
    if derivation["algorithm"].dotted != _SCRYPT:
        return int(derivation["parameters"]["iteration_count"].native) <= MOST_ROUNDS
    asked = _Scrypt.load(derivation["parameters"].dump())
    memory = 128 * asked["cost"].native * asked["block"].native
    return bool(memory <= MOST_SCRYPT_MEMORY and asked["turns"].native <= MOST_SCRYPT_TURNS)


def _bcrypt_rounds(content: bytes) -> int:
    """Of OpenSSH's own form (PROTOCOL.key); 0 where the key is not encrypted."""
    if not content.startswith(_OPENSSH):
        raise ValueError("no OpenSSH key")
    _cipher, rest = _string(content[len(_OPENSSH) :])
    _derivation, rest = _string(rest)
    options, _ = _string(rest)
    if not options:
        return 0
    _salt, rounds = _string(options)
    return int(struct.unpack(">I", rounds)[0])


def _string(content: bytes) -> tuple[bytes, bytes]:
    size = struct.unpack(">I", content[:4])[0]
    return content[4 : 4 + size], content[4 + size :]


def _derivations(content: bytes) -> Iterator[Any]:
    for part in pkcs12.Pfx.load(content).authenticated_safe:
        if part["content_type"].native == "encrypted_data":
            yield part["content"]["encrypted_content_info"]["content_encryption_algorithm"]
        elif part["content_type"].native == "data":
            for bag in pkcs12.SafeContents.load(part["content"].native):
                if bag["bag_id"].native == "pkcs8_shrouded_key_bag":
                    yield bag["bag_value"]["encryption_algorithm"]


def _mac_rounds(content: bytes) -> int:
    mac = pkcs12.Pfx.load(content)["mac_data"]
    return int(mac["iterations"].native) if mac.native is not None else 0
