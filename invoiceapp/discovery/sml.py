"""Where a participant's registration lies: the SML, a zone in DNS (Peppol SML 1.3, Identifiers 4.4 POLICY 7)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from dns.rdatatype import NAPTR

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import PARTICIPANT_SCHEME

from .asking import Asking
from .base import CouldNotAsk
from .dns import NameServers

_SERVICE = b"meta:smp"
_PATTERNS = ("^.*$", ".*")

_NO_ZONE = Text(
    "Netværkets adressebog (zonen {zone}) findes ikke, så ingen kan slås op. Ret \"andre adresser\" i indstillingerne; "
    "ellers er fejlen hos netværket, og vi prøver igen senere.",
    "The network's address book (the zone {zone}) does not exist, so nobody can be looked up. Correct \"other addresses\" in "
    "the settings; otherwise the fault is the network's, and we try again later.",
)  # fmt: skip
_NOT_UNDERSTOOD = Text(
    "Modtageren står i netværkets adressebog, men oplysningen om, hvor registreringen ligger, kan ikke forstås. "
    "Modtagerens udbyder skal rette den.",
    "The receiver is in the network's address book, but where its registration lies cannot be understood. "
    "The receiver's provider must correct that.",
)
_NOT_ENCRYPTED = Text(
    "Modtagerens registrering ligger på en adresse uden kryptering (http), og den tror vi ikke på. Netværket kræver https; "
    "modtagerens udbyder skal rette det.",
    "The receiver's registration lies at an address without encryption (http), which we do not believe. The network demands "
    "https; the receiver's provider must correct that.",
)


def name_of(participant: Participant, zone: str) -> str:
    """The name in DNS under which a participant is registered."""
    digest = hashlib.sha256(str(participant).lower().encode()).digest()
    label = base64.b32encode(digest).decode().rstrip("=")
    return f"{label}.{PARTICIPANT_SCHEME}.{zone.strip('.')}."


def smp_address(participant: Participant, zone: str, servers: NameServers, asking: Asking) -> str | None:
    """Where the participant's SMP is, without a slash at the end; None where it is not registered. Raises ``CouldNotAsk``."""
    records = servers.ask(name_of(participant, zone), NAPTR, asking)
    if records is not None:
        return _address(records)
    # A zone that is not there knows nobody, which proves nothing.
    if not servers.exists(f"{zone.strip('.')}.", asking):
        raise CouldNotAsk(Text(_NO_ZONE.da.format(zone=zone), _NO_ZONE.en.format(zone=zone)), f"no zone {zone}")
    return None


def require_https(url: str) -> str:
    """The address, without a slash at the end. Raises ``CouldNotAsk`` for one of another form."""
    try:
        parts = urlsplit(url)
        is_plain = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        raise CouldNotAsk(_NOT_UNDERSTOOD, url[:200]) from None
    if parts.scheme.lower() == "http":
        raise CouldNotAsk(_NOT_ENCRYPTED, url[:200])
    if (
        parts.scheme.lower() != "https"
        or not is_plain
        or "?" in url
        or "#" in url
        or not url.isprintable()
        or " " in url
    ):
        raise CouldNotAsk(_NOT_UNDERSTOOD, url[:200])
    return url.rstrip("/")


def _address(records: Iterable[Any]) -> str:
    """Of the first record, by order and preference (RFC 3403 4.1), that can be used."""
    ours = [one for one in records if one.service.lower() == _SERVICE and one.flags.lower() == b"u"]
    failures = list[CouldNotAsk]()
    for one in sorted(ours, key=lambda record: (record.order, record.preference)):
        try:
            return require_https(_replacement(one.regexp))
        except CouldNotAsk as error:
            failures.append(error)
    raise failures[0] if failures else CouldNotAsk(_NOT_UNDERSTOOD, "no record of an SMP")


def _replacement(regexp: bytes) -> str:
    """What a substitution (RFC 3402 3.2) makes of every name: ``!^.*$!https://…!``."""
    text = regexp.decode("utf-8", "replace")
    parts = text[1:].split(text[0]) if text else []
    if len(parts) != 3 or parts[0] not in _PATTERNS or parts[2] not in ("", "i") or "\\" in parts[1]:
        raise CouldNotAsk(_NOT_UNDERSTOOD, f"NAPTR {text[:200]}")
    return parts[1]
