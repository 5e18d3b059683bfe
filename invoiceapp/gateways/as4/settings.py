"""Which settings can never work together, and what is missing yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from invoiceapp.domain.findings import Finding, Text, Turn, fatal, warning
from invoiceapp.gateways.certificates import Unusable, are_certificates
from invoiceapp.trust.revocation import Policy

from .keys import MISSING, load_certificate, load_identity

_NO_NEXT = Text(
    "Indsæt både det næste certifikat og dets nøgle, eller ingen af dem.",
    "Paste both the next certificate and its key, or neither.",
)
_NO_DATE = Text(
    "Vælg den dato, det næste certifikat gælder fra.", "Choose the date from which the next certificate counts."
)
_NO_ROOTS = Text(
    "Rodcertifikaterne kan ikke læses. Indsæt dem i PEM-form, med linjerne BEGIN og END.",
    "The root certificates cannot be read. Paste them in PEM, with their BEGIN and END lines.",
)
_NO_ANCHORS = Text(
    "Uden netværkets rodcertifikater kan modtagernes access points ikke kontrolleres, og så sendes intet. Indsæt dem i "
    "gatewayens indstillinger.",
    "Without the network's root certificates the receivers' access points cannot be verified, and then nothing is sent. Paste "
    "them into the settings of the gateway.",
)


def problems(config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
    """Why a configuration can never work, by field."""
    return {**_missing(config, secrets), **_unreadable(config)}


def _missing(config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
    # Without any certificate it can be saved: the page of certificates takes the file for a gateway that is there.
    has_own, has_key = bool(config.get("own_certificate")), "own_key" in secrets
    has_next = bool(config.get("own_next_certificate"))
    checks = (
        ("own_certificate", has_key and not has_own, MISSING),
        ("own_key", has_own and not has_key, MISSING),
        ("own_next_certificate", has_next != ("own_next_key" in secrets), _NO_NEXT),
        ("own_switch_on", has_next and not config.get("own_switch_on"), _NO_DATE),
    )
    return {name: text for name, is_wrong, text in checks if is_wrong}


def _unreadable(config: Mapping[str, Any]) -> dict[str, Text]:
    """Certificates that cannot be read; pairs that are none, where the key is at hand in clear."""
    found = {}
    for name, key in (("own_certificate", "own_key"), ("own_next_certificate", "own_next_key")):
        if not config.get(name):
            continue
        try:
            load_certificate(str(config[name]))
        except Unusable as error:
            found[name] = error.text
            continue
        try:
            if config.get(key):
                load_identity(str(config[name]), str(config[key]))
        except Unusable as error:
            found[key] = error.text
    if config.get("anchors") and not are_certificates(str(config["anchors"])):
        found["anchors"] = _NO_ROOTS
    return found


def findings(config: Mapping[str, Any]) -> list[Finding]:
    """A certificate or roots that are missing yet, and revocation that nobody asks about."""
    found = [
        fatal(rule, text.da, text.en, turn=Turn.HERE, fix=f"gateway.{name}")
        for name, rule, text in (
            ("own_certificate", "IA-AS4-NO-CERTIFICATE", MISSING),
            ("anchors", "IA-AS4-NO-ANCHORS", _NO_ANCHORS),
        )
        if not config.get(name)
    ]
    if config.get("revocation") == Policy.OFF:
        found.append(
            warning(
                "IA-AS4-NO-REVOCATION",
                "Der spørges ikke, om modtagernes certifikater er spærret. Slå det til, undtagen under afprøvning.",
                "Nobody asks whether receivers' certificates were revoked. Switch it on, except for testing.",
                turn=Turn.HERE,
                fix="gateway.revocation",
            )
        )
    return found
