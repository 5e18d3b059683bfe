"""What a user fills in for an FTP gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from invoiceapp.domain.fields import Field, FieldType, grouped
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CA_CERTIFICATE, CONNECTIONS, HOST_PATTERN
from invoiceapp.gateways.file_drop import FIELDS as FILE_FIELDS

EXPLICIT, IMPLICIT, NONE = "explicit", "implicit", "none"
#: RFC 959, and IANA's "ftps" for encryption from the first byte.
_PORT, _IMPLICIT_PORT = 21, 990
PORTS = frozenset({_PORT, _IMPLICIT_PORT})

_SERVER = (
    Field(
        "host",
        Text("Server", "Server"),
        required=True,
        is_address=True,
        pattern=HOST_PATTERN,
        help=Text(
            "Navn eller IP-adresse alene, f.eks. ftp.firma.dk: uden ftp:// foran og uden mappe.",
            "Name or IP address alone, for example ftp.company.com: without ftp:// before it, and without a folder.",
        ),
    ),
    Field(
        "security",
        Text("Kryptering", "Encryption"),
        FieldType.CHOICE,
        choices=(
            (EXPLICIT, Text("FTPS, eksplicit (AUTH TLS)", "FTPS, explicit (AUTH TLS)")),
            (IMPLICIT, Text("FTPS, implicit (port 990)", "FTPS, implicit (port 990)")),
            (NONE, Text("Ingen: adgangskode og fakturaer kan læses undervejs", "None: password and invoices can be read on the way")),
        ),
        default=EXPLICIT,
        help=Text(
            "Vælg eksplicit, medmindre modtageren siger andet. At sende uden kryptering er jeres eget ansvar.",
            "Choose explicit unless the receiver says otherwise. Sending without encryption is your own responsibility.",
        ),
    ),
    Field(
        "port",
        Text("Port", "Port"),
        FieldType.INTEGER,
        smallest=1,
        largest=65_535,
        help=Text("Tom: 21, eller 990 med implicit FTPS.", "Empty: 21, or 990 with implicit FTPS."),
    ),
)  # fmt: skip
_LOGIN = (
    Field("username", Text("Brugernavn", "User name"), required=True),
    Field("password", Text("Adgangskode", "Password"), required=True, secret=True),
)

FIELDS = (
    *grouped(Text("Server", "Server"), _SERVER),
    *grouped(Text("Login", "Login"), _LOGIN),
    *FILE_FIELDS,
    replace(CA_CERTIFICATE, only_when=("security", (EXPLICIT, IMPLICIT))),
    CONNECTIONS,
)


def security_of(config: Mapping[str, Any]) -> str:
    """``EXPLICIT``, ``IMPLICIT`` or ``NONE``."""
    return str(config.get("security") or EXPLICIT)


def port_of(config: Mapping[str, Any]) -> int:
    """The port of the settings, else the usual one of the encryption."""
    return int(config.get("port") or (_IMPLICIT_PORT if security_of(config) == IMPLICIT else _PORT))


def host_of(config: Mapping[str, Any]) -> str:
    """The server's name or address, without the brackets that some write around IPv6."""
    return str(config["host"]).strip("[]")


def folder_of(config: Mapping[str, Any]) -> str:
    """The folder on the server; "." for where the login leads."""
    return str(config.get("folder") or ".")
