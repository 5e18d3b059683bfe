"""Opens one PKCS#12 file in a process of its own: how long that takes is up to whoever made the file (RFC 7292 B, RFC 8018).

A script of its own, so that it starts without the rest of the program. Standard input: one line of JSON
(``content`` in base64, ``password``). Standard output: one line of JSON, with ``error`` (``password``, ``form`` or
``keys``), or ``key`` and ``certificate`` (PEM; ``certificate`` is None where none belongs to the key) and ``left_out``.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from asn1crypto import pkcs12 as asn1
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

_KEY_BAGS = frozenset({"key_bag", "pkcs8_shrouded_key_bag"})


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


def opened(content: bytes, password: str) -> dict[str, Any]:
    """What the module's docstring says of the output."""
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
    return {
        "key": found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "certificate": own[0].public_bytes(Encoding.PEM).decode() if len(own) == 1 else None,
        "left_out": len(certificates) - len(own),
    }


def _public(certificate: x509.Certificate) -> Any:
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(opened(base64.b64decode(asked["content"]), asked["password"]), sys.stdout)
