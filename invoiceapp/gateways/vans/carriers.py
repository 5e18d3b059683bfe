"""The transports that may lie underneath: their fields, taken over under a prefix, and their configuration.

Nothing of them is copied; what they declare, check and do counts here as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Finding, Text
from invoiceapp.gateways.base import Expiry, KeyPair, PartnerCertificate, Transport
from invoiceapp.gateways.file_drop import Mailbox

#: In the order in which they are offered.
KINDS = ("sftp", "ftp", "as2")
CARRIER = "carrier"
#: The gateway has its own, which knows the mailboxes.
FILENAME = "filename"


@cache
def carrier_class(kind: str) -> type[Transport]:
    """A transport by its kind. Not by the registry, which is still being filled when the fields below are made."""
    package = __package__.rpartition(".")[0]
    transport: type[Transport] = importlib.import_module(f"{package}.{kind}").TRANSPORT
    return transport


def kind_of(config: Mapping[str, Any]) -> str:
    """The carrier that a configuration chose."""
    chosen = config.get(CARRIER)
    return chosen if chosen in KINDS else KINDS[0]


def choices() -> tuple[tuple[str, Text], ...]:
    """For the field that chooses one."""
    return tuple((kind, carrier_class(kind).label) for kind in KINDS)


def receiving_kinds() -> tuple[str, ...]:
    """Carriers whose partners answer by requests of their own."""
    return tuple(kind for kind in KINDS if carrier_class(kind).receives)


def inbound_field() -> str | None:
    """The first carrier's field for our own address; see ``Transport.inbound_field``."""
    fields = (f"{kind}_{carrier_class(kind).inbound_field}" for kind in KINDS if carrier_class(kind).inbound_field)
    return next(fields, None)


def header_names() -> frozenset[str]:
    """Those of all carriers."""
    return frozenset().union(*(carrier_class(kind).header_names for kind in KINDS))


def collecting_kinds() -> tuple[str, ...]:
    """Carriers whose servers have folders to read answers from."""
    return tuple(kind for kind in KINDS if issubclass(carrier_class(kind), Mailbox))


def fields() -> tuple[Field, ...]:
    """The fields of all carriers, each shown with its carrier only."""
    return tuple(
        _taken_over(field, kind) for kind in KINDS for field in carrier_class(kind).fields if field.name != FILENAME
    )


def _taken_over(field: Field, kind: str) -> Field:
    above = (f"{kind}_{field.only_when[0]}", field.only_when[1]) if field.only_when else (CARRIER, (kind,))
    label = carrier_class(kind).label
    group = field.group or Text(f"Forbindelse: {label.da}", f"Connection: {label.en}")
    return replace(field, name=f"{kind}_{field.name}", only_when=above, group=group)


def config_of(config: Mapping[str, Any], filename: str) -> dict[str, Any]:
    """The chosen carrier's own configuration."""
    own = _own(config)
    return {**own, FILENAME: filename}


def _own(config: Mapping[str, Any]) -> dict[str, Any]:
    prefix = f"{kind_of(config)}_"
    return {name.removeprefix(prefix): value for name, value in config.items() if name.startswith(prefix)}


def problems(config: Mapping[str, Any], secrets: Collection[str], filename: str) -> dict[str, Text]:
    """The chosen carrier's, by the names that the fields have here."""
    kind = kind_of(config)
    its_secrets = {name.removeprefix(f"{kind}_") for name in secrets if name.startswith(f"{kind}_")}
    found = carrier_class(kind).problems(config_of(config, filename), its_secrets)
    return {_name(kind, name): text for name, text in found.items()}


def findings(config: Mapping[str, Any], filename: str) -> list[Finding]:
    """The chosen carrier's warnings, each leading to the field here."""
    kind = kind_of(config)
    return [_leading_here(found, kind) for found in carrier_class(kind).findings(config_of(config, filename))]


def _leading_here(found: Finding, kind: str) -> Finding:
    group, _, name = (found.fix or "").rpartition(".")
    return replace(found, fix=f"{group}.{_name(kind, name)}") if group == "gateway" else found


def expiries(config: Mapping[str, Any]) -> list[Expiry]:
    """What of the chosen carrier's configuration ends one day."""
    kind = kind_of(config)
    return [replace(found, field=_name(kind, found.field)) for found in carrier_class(kind).expiries(_own(config))]


def key_pairs() -> tuple[KeyPair, ...]:
    """Pairs that this program can make for any of the carriers."""
    return tuple(_prefixed(pair, kind) for kind in KINDS for pair in carrier_class(kind).key_pairs)


def partner_certificates() -> tuple[PartnerCertificate, ...]:
    """Of any of the carriers."""
    return tuple(
        PartnerCertificate(
            one.label, _name(kind, one.certificate), _name(kind, one.next_certificate), _name(kind, one.switch_on)
        )
        for kind in KINDS
        for one in carrier_class(kind).partner_certificates
    )


def _prefixed(pair: KeyPair, kind: str) -> KeyPair:
    def named(name: str | None) -> str | None:
        return name and _name(kind, name)

    return KeyPair(
        pair.label, _name(kind, pair.certificate), _name(kind, pair.key),
        named(pair.next_certificate), named(pair.next_key), named(pair.switch_on),
    )  # fmt: skip


def _name(kind: str, name: str) -> str:
    """A carrier's field as it is called here."""
    return name if name == FILENAME else f"{kind}_{name}"
