"""Which settings can never work together, and which are unwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from invoiceapp.domain.findings import Finding, Text, Turn, fatal, warning
from invoiceapp.gateways.certificates import Unusable

from .certificates import LABELS, NO_RSA, can_encrypt, is_encrypted, load_certificate, load_pair

_NO_OWN = Text(
    "Der kan ikke signeres uden vores certifikat og nøgle. Lav dem under »Certifikater« på gatewayens side, eller indsæt begge.",
    "Nothing can be signed without our certificate and key. Make them under “Certificates” on the page of the gateway, or paste both.",
)
_NO_PARTNER = Text(
    "Bed partneren om dens certifikat, og læg det op under »Certifikater« på gatewayens side: det bruges til at kryptere og "
    "til at godkende signerede kvitteringer.",
    "Ask the partner for its certificate, and upload it under “Certificates” on the page of the gateway: it is used to encrypt "
    "and to verify signed receipts.",
)
_NO_DATE = Text(
    "Vælg den dato, det næste certifikat gælder fra.", "Choose the date from which the next certificate counts."
)
_NO_NEXT = Text(
    "Indsæt både det næste certifikat og dets nøgle, eller ingen af dem.",
    "Paste both the next certificate and its key, or neither.",
)
_SAME_NAME = Text("De to AS2-navne må ikke være ens.", "The two AS2 names must not be the same.")
_NO_HTTPS = Text(
    "Adgangskoden kan kun sendes til en adresse med https://.",
    "The password can only be sent to an address with https://.",
)
_HALF_LOGIN = Text(
    "Udfyld både brugernavn og adgangskode, eller ingen af dem.", "Fill in both user name and password, or neither."
)


def problems(config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
    """Why a configuration can never work, by field."""
    return {**_missing(config, secrets), **_unreadable(config), **_login(config, secrets)}


def _missing(config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
    # Without any certificate it can be saved: the page of certificates makes ours for a gateway that is there.
    has_own, has_key = bool(config.get("own_certificate")), "own_key" in secrets
    has_next = bool(config.get("own_next_certificate"))
    checks = (
        ("own_certificate", has_key and not has_own, _NO_OWN),
        ("own_key", has_own and not has_key, _NO_OWN),
        ("own_next_certificate", has_next != ("own_next_key" in secrets), _NO_NEXT),
        ("own_switch_on", has_next and not config.get("own_switch_on"), _NO_DATE),
        ("partner_switch_on", config.get("partner_next_certificate") and not config.get("partner_switch_on"), _NO_DATE),
        ("as2_to", config.get("as2_from") == config.get("as2_to"), _SAME_NAME),
    )
    return {name: text for name, is_wrong, text in checks if is_wrong}


def _login(config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
    has_password = "password" in secrets
    if bool(config.get("username")) != has_password:
        return {"password" if config.get("username") else "username": _HALF_LOGIN}
    if has_password and not str(config.get("url") or "").startswith("https://"):
        return {"url": _NO_HTTPS}
    return {}


def _unreadable(config: Mapping[str, Any]) -> dict[str, Text]:
    """Certificates that cannot be read, or are of the wrong kind; pairs that are none, where the key is at hand in clear."""
    found = {}
    for name in LABELS:
        try:
            if config.get(name):
                certificate = load_certificate(str(config[name]))
                if name.startswith("partner") and is_encrypted(config) and not can_encrypt(certificate):
                    found[name] = NO_RSA
        except Unusable as error:
            found[name] = error.text
    for certificate_field, key_field in (("own_certificate", "own_key"), ("own_next_certificate", "own_next_key")):
        if config.get(certificate_field) and config.get(key_field) and certificate_field not in found:
            try:
                load_pair(str(config[certificate_field]), str(config[key_field]))
            except Unusable as error:
                found[key_field] = error.text
    return found


def _missing_certificates(config: Mapping[str, Any]) -> list[Finding]:
    asks_signed = config.get("mdn", "sync") != "none" and config.get("mdn_signed")
    needs = (
        ("own_certificate", config.get("sign"), "IA-AS2-NO-CERTIFICATE", _NO_OWN),
        ("partner_certificate", is_encrypted(config) or asks_signed, "IA-AS2-NO-PARTNER-CERTIFICATE", _NO_PARTNER),
    )
    return [
        fatal(rule, text.da, text.en, turn=Turn.HERE, fix=f"gateway.{field}")
        for field, is_needed, rule, text in needs
        if is_needed and not config.get(field)
    ]


def findings(config: Mapping[str, Any]) -> list[Finding]:
    """A certificate that is missing yet, no receipt, an unsigned one, or a document that travels open."""
    found = _missing_certificates(config)
    if config.get("mdn") == "none":
        found.append(
            warning(
                "IA-AS2-NO-RECEIPT",
                "Uden kvittering (MDN) kan I ikke bevise, at partneren har modtaget dokumentet.",
                "Without a receipt (MDN) you cannot prove that the partner received the document.",
                turn=Turn.HERE,
                fix="gateway.mdn",
            )
        )
    elif not config.get("mdn_signed"):
        found.append(
            warning(
                "IA-AS2-UNSIGNED-RECEIPT",
                "En kvittering uden signatur kan være skrevet af hvem som helst. Bed partneren om at signere.",
                "A receipt without signature can be written by anybody. Ask the partner to sign.",
                turn=Turn.HERE,
                fix="gateway.mdn_signed",
            )
        )
    if not is_encrypted(config) and not str(config.get("url") or "").startswith("https://"):
        found.append(
            warning(
                "IA-AS2-OPEN",
                "Dokumentet sendes uden kryptering og kan læses undervejs. Slå kryptering til, eller brug en https-adresse.",
                "The document is sent without encryption and can be read on its way. Switch encryption on, or use an https "
                "address.",
                turn=Turn.HERE,
                fix="gateway.encrypt",
            )
        )
    return found
