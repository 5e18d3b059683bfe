"""Declared fields of how receivers are looked up, for every kind that needs it.

Nothing is asked from here: ``services/reach`` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.domain.network import Network

from .certificates import CA_UNREADABLE, are_certificates

LOOKUP = Text("Opslag", "Look-up")
OWN = ("lookup", ("own",))
ZONE_PATTERN = r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


_WHERE = Field(
    "lookup",
    Text("Slå op i", "Look up in"),
    FieldType.CHOICE,
    required=True,
    choices=(
        ("live", Text("Netværkene i drift", "The live networks")),
        ("test", Text("Testnetværkene", "The test networks")),
        ("own", Text("Andre adresser", "Other addresses")),
    ),
    default="live",
    help=Text(
        "Hvor vi finder ud af, hvem der kan modtage og hvor. Vælg drift, medmindre I afprøver.",
        "Where we find out who can receive, and where. Choose live unless you are testing.",
    ),
    group=LOOKUP,
)


def _zone(network: Network) -> Field:
    name = network.label
    return Field(
        f"{network.value}_zone", Text(f"SML-zone for {name}", f"SML zone of {name}"), pattern=ZONE_PATTERN,
        group=LOOKUP, only_when=OWN,
    )  # fmt: skip


def _anchors(network: Network) -> Field:
    name = network.label
    return Field(
        f"{network.value}_anchors",
        Text(f"Rodcertifikater for {name}s registre (SMP)", f"Root certificates of {name}'s registers (SMP)"),
        FieldType.MULTILINE,
        help=Text(
            "I PEM-form, flere efter hinanden: netværkets rodcertifikat og de udstedende certifikater. Med dem kontrolleres "
            "registrets underskrift. Et eget access point sender intet uden; har I en udbyder, må feltet være tomt.",
            "In PEM, one after the other: the network's root certificate and the issuing ones. With them the register's signature "
            "is verified. An access point of your own sends nothing without; with a provider this may stay empty.",
        ),
        group=LOOKUP,
    )


NAME_SERVER = Field(
    "name_server",
    Text("Navneserver (DNS)", "Name server (DNS)"),
    pattern=r"[A-Za-z0-9.:\[\]-]{1,80}",
    help=Text("Adresse, evt. med port: 192.0.2.1:53. Tomt: serverens egen.", "Address, with a port if need be: 192.0.2.1:53. Empty: the server's own."),
    group=LOOKUP,
    only_when=OWN,
)  # fmt: skip
REGISTER_URL = Field(
    "register_url", Text("NemHandelsregisterets adresse", "Address of NemHandelsregisteret"), FieldType.URL,
    group=LOOKUP, only_when=OWN,
)  # fmt: skip
DIRECTORY_URL = Field(
    "directory_url", Text("Peppol Directorys adresse", "Address of the Peppol Directory"), FieldType.URL,
    group=LOOKUP, only_when=OWN,
)  # fmt: skip
LOOKUP_CA = Field(
    "lookup_ca",
    Text("Registrenes eget rodcertifikat (TLS)", "The registers' own root certificate (TLS)"),
    FieldType.MULTILINE,
    group=LOOKUP,
    only_when=OWN,
)


def lookup_fields(*networks: Network, registers: bool = False) -> tuple[Field, ...]:
    """The fields for these networks; ``registers`` adds the ones that are searched by company and name."""
    own = (
        *(_zone(network) for network in networks),
        NAME_SERVER,
        *((REGISTER_URL, DIRECTORY_URL) if registers else ()),
        LOOKUP_CA,
    )
    return (_WHERE, *own, *(_anchors(network) for network in networks))


def problems(config: Mapping[str, Any]) -> dict[str, Text]:
    """Root certificates that cannot be read, by field."""
    names = [*(f"{network.value}_anchors" for network in Network), LOOKUP_CA.name]
    return {name: CA_UNREADABLE for name in names if config.get(name) and not are_certificates(str(config[name]))}
