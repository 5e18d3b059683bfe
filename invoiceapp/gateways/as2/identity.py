"""Who we are and who the partner is, and the id of a message."""

from __future__ import annotations

import re

from invoiceapp.gateways.base import Consignment

#: RFC 4130 6.2: printable ASCII; what is more than plain text stands in quotes.
NAME_PATTERN = r"[\x20-\x7e]{1,128}"
_NEEDS_QUOTES = re.compile(r'[ "\\]')
_MESSAGE_ID = re.compile(r"<([A-Za-z0-9]{1,100})@([a-z0-9-]{1,128})>")


def header_name(name: str) -> str:
    """An AS2 name as it stands in ``AS2-From`` and ``AS2-To``: quoted where it holds a space, quote or backslash."""
    if not _NEEDS_QUOTES.search(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def domain_of(name: str) -> str:
    """What stands behind the @ of our Message-IDs: the AS2 name in letters, digits and dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower())) or "as2"


def message_id(consignment: Consignment, as2_from: str) -> str:
    """``<key@domain>``: the same in every attempt, so that the partner can spot a repetition (RFC 4130 5.5)."""
    return f"<{consignment.key}@{domain_of(as2_from)}>"


def key_of(identifier: str, as2_from: str) -> str | None:
    """The ``Consignment.key`` in one of our Message-IDs; None for an id that is none of ours."""
    found = _MESSAGE_ID.fullmatch(identifier)
    return found[1] if found and found[2] == domain_of(as2_from) else None
