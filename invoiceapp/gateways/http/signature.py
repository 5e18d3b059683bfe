"""HMAC-SHA256 over the time and the body (RFC 2104).

What is signed: the time as in its header, one full stop, the body byte for byte.
"""

from __future__ import annotations

import hashlib
import hmac


def sign(key: str, timestamp: int, body: bytes) -> str:
    """Lower-case hexadecimal. ``timestamp``: whole seconds since 1970-01-01 00:00 UTC; ``key`` counts as UTF-8."""
    return hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
