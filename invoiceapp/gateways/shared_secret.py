"""Callbacks that show a secret agreed on beforehand, in a header: compared without keeping it.

What is kept of a request lies in the database in clear, so of such a header only a fingerprint may be.
"""

from __future__ import annotations

import hashlib
import hmac

#: Names (lower-case) of header fields that hold such a secret.
HEADERS = frozenset({"authorization"})


def fingerprint(value: str) -> str:
    """What may be kept of a header that holds a secret."""
    return f"sha256:{hashlib.sha256(value.strip().encode()).hexdigest()}"


def shows(kept: str | None, expected: str) -> bool:
    """Whether the header, of which ``fingerprint`` was kept, held the value that was agreed on."""
    return hmac.compare_digest(kept or "", fingerprint(expected))
