"""What the settings say that more than a pattern is needed to read; each reader raises ``FieldInvalid``."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from invoiceapp.domain.fields import FieldInvalid
from invoiceapp.domain.findings import Text

from .fields import FIELDS, HEADER_NAME_PATTERN

#: Headers that belong to the connection and its framing (RFC 9110 7.6.1), and those that other settings or we ourselves set.
OWN_HEADERS = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "content-length", "content-type", "content-encoding", "expect",
        "accept-encoding", "authorization", "cookie", "idempotency-key",
    }
)  # fmt: skip
#: Of 4xx, only "I have it already" can be a yes.
_CAN_BE_SUCCESS = frozenset({*range(200, 300), 409})


def address(raw: str, key: str = "") -> str:
    """An address that others cannot read along with: ``https://``, or this machine. ``{key}`` is the only token."""
    without = raw.replace("{key}", "")
    if re.search(r"[{}]", without) or "{key}" in urlsplit(raw).netloc:
        raise FieldInvalid(
            Text(
                "Adressen kan kun rumme {key}, og kun efter servernavnet.",
                "The address can only hold {key}, and only after the server name.",
            )
        )
    parts = urlsplit(without)
    if parts.scheme != "https" and not _is_this_machine(parts.hostname or ""):
        raise FieldInvalid(
            Text(
                "Skriv en adresse, der begynder med https://. Uden kryptering kan der kun sendes til denne maskine.",
                "Write an address that begins with https://. Without encryption only this machine can be sent to.",
            )
        )
    return raw.replace("{key}", quote(key, safe=""))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def status_address(raw: str, key: str = "") -> str:
    """The address to ask for one consignment at."""
    if "{key}" not in raw:
        raise FieldInvalid(Text("Adressen skal rumme {key}.", "The address must hold {key}."))
    return address(raw, key)


def header_value(raw: str) -> str:
    """A value that can stand in a header (RFC 9110 5.5) and means the same to everybody: printable ASCII."""
    value = raw.strip()
    if not re.fullmatch(r"[\x20-\x7e]{1,4000}", value):
        raise FieldInvalid(
            Text(
                "En header kan kun rumme bogstaverne A-Z, cifre og almindelige tegn, på én linje.",
                "A header can only hold the letters A-Z, digits and usual signs, on one line.",
            )
        )
    return value


def fixed_headers(raw: str) -> dict[str, str]:
    """``Name: value`` on each line."""
    found: dict[str, str] = {}
    for line in _lines(raw):
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(HEADER_NAME_PATTERN, name):
            raise FieldInvalid(
                Text(f"Skriv »Navn: værdi«, ikke »{line[:60]}«.", f"Write “Name: value”, not “{line[:60]}”.")
            )
        if name.lower() in OWN_HEADERS:
            raise FieldInvalid(Text(f"Headeren {name} kan ikke sættes her.", f"The header {name} cannot be set here."))
        if name.lower() in {known.lower() for known in found}:
            raise FieldInvalid(Text(f"{name} står der to gange.", f"{name} stands there twice."))
        found[name] = header_value(value)
    return found


def form_fields(raw: str) -> list[tuple[str, str]]:
    """``name=value`` on each line."""
    found = []
    for line in _lines(raw):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise FieldInvalid(
                Text(f"Skriv »navn=værdi«, ikke »{line[:60]}«.", f"Write “name=value”, not “{line[:60]}”.")
            )
        found.append((name.strip(), value.strip()))
    return found


def _lines(raw: str) -> list[str]:
    """Only what a form sends ends a line; other separators stay, for ``header_value`` to refuse."""
    return [line.strip() for line in re.split(r"\r\n|\n", raw) if line.strip()]


def success_codes(raw: str) -> frozenset[int]:
    """``200-299``, ``201,202``."""
    codes: set[int] = set()
    for part in raw.split(","):
        match = re.fullmatch(r"\s*([0-9]{3})(?:\s*-\s*([0-9]{3}))?\s*", part, re.ASCII)
        found = set(range(int(match[1]), int(match[2] or match[1]) + 1)) if match else set()
        if not found or not found <= _CAN_BE_SUCCESS:
            raise FieldInvalid(
                Text(
                    "Skriv koder fra 200 til 299, eller 409, f.eks. 200-299 eller 201,409.",
                    "Write codes from 200 to 299, or 409, for example 200-299 or 201,409.",
                )
            )
        codes |= found
    return frozenset(codes)


def pointer(raw: str) -> tuple[str, ...]:
    """The steps of a JSON pointer (RFC 6901)."""
    if not raw.startswith("/") or re.search(r"~(?![01])", raw):
        raise FieldInvalid(Text("Begynd med »/«, f.eks. /data/id.", "Begin with “/”, for example /data/id."))
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in raw[1:].split("/"))


_READERS: dict[str, Callable[[str], Any]] = {
    "url": address,
    "status_url": status_address,
    "headers": fixed_headers,
    "form_fields": form_fields,
    "success": success_codes,
    "answer_pointer": pointer,
    "reference_pointer": pointer,
}

#: What a choice cannot do without: (field, value) and the fields that must then be filled in.
_NEEDS = {
    ("auth", "bearer"): ("token",),
    ("auth", "header"): ("auth_value",),
    ("auth", "basic"): ("username", "password"),
    ("signature", "hmac-sha256"): ("signature_key",),
    ("answer_check", "text"): ("answer_text",),
    ("answer_check", "json"): ("answer_pointer", "answer_value"),
}
_DEFAULTS = {field.name: field.default for field in FIELDS}
_MISSING = Text("Skal udfyldes.", "Must be filled in.")
_PAIR = ("certificate", "private_key")
NO_PAIR = Text(
    "Der mangler et certifikat, så der sendes ikke. Lad systemet lave et under Certifikater, eller indsæt jeres eget.",
    "There is no certificate, so nothing is sent. Let the system make one under Certificates, or paste your own.",
)


def lacks_pair(config: Mapping[str, Any]) -> bool:
    """Whether it is to show a certificate that it does not have yet: such a gateway can be saved, and cannot send."""
    return config.get("auth") == "certificate" and not config.get("certificate")


def problems(config: Mapping[str, Any], secrets: frozenset[str]) -> dict[str, Text]:
    """Why a configuration cannot work, by field."""
    found = {
        name: _MISSING
        for (choice, value), names in _NEEDS.items()
        if config.get(choice) == value
        for name in names
        if not config.get(name) and name not in secrets
    }
    if config.get("auth") == "certificate":
        given = [name for name in _PAIR if config.get(name) or name in secrets]
        # Neither is fine: the page of certificates makes a pair for a gateway that is saved.
        found |= {name: _MISSING for name in _PAIR if len(given) == 1 and name not in given}
    for name, read in _READERS.items():
        try:
            if config.get(name):
                read(config[name])
        except FieldInvalid as error:
            found[name] = error.text
    return found or _clashes(config)


def _clashes(config: Mapping[str, Any]) -> dict[str, Text]:
    """Two settings that would write the same header, or one that is ours."""
    taken = {name.lower() for name in fixed_headers(config.get("headers") or "")} | OWN_HEADERS
    if config.get("auth") not in ("bearer", "basic"):
        # Some receivers want a key of another form there: "Authorization: ApiKey …".
        taken -= {"authorization"}
    found = {}
    for name in _named_headers(config):
        header = str(config.get(name) or _DEFAULTS[name])
        if header.lower() in taken:
            found[name] = Text(f"{header} bruges allerede.", f"{header} is already in use.")
        taken.add(header.lower())
    return found


def _named_headers(config: Mapping[str, Any]) -> list[str]:
    """The fields that name a header which counts with the choices made."""
    names = ["auth_header"] if config.get("auth") == "header" else []
    return names + (["signature_header", "timestamp_header"] if config.get("signature") == "hmac-sha256" else [])
