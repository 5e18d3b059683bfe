"""Opens one PKCS#12 or PEM file in a process of its own: how long that takes is up to whoever made it (RFC 7292 B, RFC 8018).

A script of its own, so that it starts without the rest of the program. Standard input: one line of JSON
(``content`` in base64, ``password``). Standard output: one line of JSON, with ``error`` (``password``, ``form``,
``keys`` or ``certificate``), or ``key`` and ``certificate`` (PEM; ``certificate`` is None where none belongs to the key)
and ``others`` (a list of PEM, in the file's order).
"""

from __future__ import annotations

import base64
import json
import re
import sys
from typing import Any

from asn1crypto import pkcs12 as asn1
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

_KEY_BAGS = frozenset({"key_bag", "pkcs8_shrouded_key_bag"})
#: RFC 7468 10 and 11, and the older forms that name the algorithm.
_PEM_KEY_BEGINS = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")
_PEM_KEY = re.compile(rb"-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)


def opened(content: bytes, password: str) -> dict[str, Any]:
    """What the module's docstring says of the output."""
    # A file's name proves nothing.
    return _opened_pem(content, password) if b"-----BEGIN " in content else _opened_pkcs12(content, password)


def _opened_pem(content: bytes, password: str) -> dict[str, Any]:
    if len(_PEM_KEY_BEGINS.findall(content)) != 1:
        return {"error": "keys"}
    block = _PEM_KEY.search(content)
    if block is None:
        return {"error": "form"}
    # The label of PKCS#8, or the header of the older forms (RFC 1421 4.6.1.1).
    is_encrypted = b"ENCRYPTED" in block[0]
    try:
        key = load_pem_private_key(block[0], password.encode() if is_encrypted else None)
    except (ValueError, TypeError):
        return {"error": "password" if is_encrypted else "form"}
    except UnsupportedAlgorithm:
        return {"error": "form"}
    try:
        own, *others = x509.load_pem_x509_certificates(content)
    except ValueError:
        return {"error": "certificate"}
    return _answer(key, own if _public(own) == key.public_key() else None, others)


def _opened_pkcs12(content: bytes, password: str) -> dict[str, Any]:
    try:
        keys = _keys_in_sight(content)
    except (ValueError, TypeError, KeyError, AttributeError):
        return {"error": "form"}
    try:
        # Some programs make files without password by an empty one, others by none at all.
        found = pkcs12.load_pkcs12(content, password.encode() or None)
    except UnsupportedAlgorithm:
        return {"error": "form"}
    except ValueError:
        return {"error": "password"}
    if found.key is None or keys > 1:
        return {"error": "keys"}
    certificates = [one.certificate for one in (found.cert, *found.additional_certs) if one is not None]
    own = [one for one in certificates if _public(one) == found.key.public_key()]
    return _answer(found.key, own[0] if len(own) == 1 else None, [one for one in certificates if one not in own])


def _keys_in_sight(content: bytes) -> int:
    """How many keys the file has outside encrypted parts, where all known programs put them. Raises ``ValueError``."""
    parts = asn1.Pfx.load(content).authenticated_safe
    bags = [
        bag
        for part in parts
        if part["content_type"].native == "data"
        for bag in asn1.SafeContents.load(part["content"].native)
    ]
    return sum(bag["bag_id"].native in _KEY_BAGS for bag in bags)


def _answer(key: Any, own: x509.Certificate | None, others: list[x509.Certificate]) -> dict[str, Any]:
    return {
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "certificate": own and _pem(own),
        "others": [_pem(one) for one in others],
    }


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _public(certificate: x509.Certificate) -> Any:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(opened(base64.b64decode(asked["content"]), asked["password"]), sys.stdout)
