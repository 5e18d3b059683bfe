"""Our key pairs and the partner's certificates: reading them, which one counts on which day, and when they end."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Expiry, KeyPair
from invoiceapp.gateways.certificates import SMALLEST_RSA, PrivateKey, Unusable, load_key
from invoiceapp.trust.chains import MALFORMED

OWN = KeyPair(
    Text("Vores AS2-certifikat", "Our AS2 certificate"),
    certificate="own_certificate",
    key="own_key",
    next_certificate="own_next_certificate",
    next_key="own_next_key",
    switch_on="own_switch_on",
)
LABELS = {
    "own_certificate": Text("Vores certifikat", "Our certificate"),
    "own_next_certificate": Text("Vores næste certifikat", "Our next certificate"),
    "partner_certificate": Text("Partnerens certifikat", "The partner's certificate"),
    "partner_next_certificate": Text("Partnerens næste certifikat", "The partner's next certificate"),
}
#: Around the switch date a partner may still, or already, use the other certificate.
WINDOW = timedelta(days=30)
NO_RSA = Text(
    "Partnerens certifikat kan ikke bruges til kryptering; det skal være RSA på mindst 2048 bit. Bed partneren om et andet.",
    "The partner's certificate cannot be used for encryption; it must be RSA of 2048 bits or more. Ask the partner for another.",
)


_NO_OWN = Text(
    "Vores certifikat eller nøgle mangler. Lav dem under »Certifikater« på gatewayens side, og send partneren certifikatet.",
    "Our certificate or key is missing. Make them under “Certificates” on the page of the gateway, and give the partner the "
    "certificate.",
)
_NO_PARTNER = Text(
    "Partnerens certifikat mangler. Bed partneren om det, og læg det op under »Certifikater« på gatewayens side.",
    "The partner's certificate is missing. Ask the partner for it, and upload it under “Certificates” on the page of the gateway.",
)


def today() -> date:
    """The day by which certificates are chosen (UTC)."""
    return datetime.now(UTC).date()


def load_certificate(text: str) -> x509.Certificate:
    """One certificate in PEM, or in the bare base64 that some systems export. Raises ``Unusable``."""
    try:
        if "-----BEGIN" in text:
            found = x509.load_pem_x509_certificates(text.encode())
        else:
            found = [x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))]
        if len(found) == 1:
            found[0].public_key()
            return found[0]
    except MALFORMED:
        raise Unusable(
            Text(
                "Certifikatet kan ikke læses. Indsæt hele filen med linjerne BEGIN CERTIFICATE og END CERTIFICATE.",
                "The certificate cannot be read. Paste the whole file with its lines BEGIN CERTIFICATE and END CERTIFICATE.",
            )
        ) from None
    raise Unusable(
        Text(
            "Der er flere certifikater i feltet. Indsæt kun det, der hører til AS2-navnet.",
            "There are several certificates in the field. Paste only the one that belongs to the AS2 name.",
        )
    )


def belong_together(certificate: x509.Certificate, key: PrivateKey) -> bool:
    """Whether the certificate is for the key."""
    return certificate.public_key() == key.public_key()


def load_pair(certificate: str, key: str) -> tuple[x509.Certificate, PrivateKey]:
    """A certificate of ours and its key. Raises ``Unusable``."""
    loaded, private = load_certificate(certificate), load_key(key)
    if not belong_together(loaded, private):
        raise Unusable(
            Text(
                "Vores certifikat og private nøgle hører ikke sammen. Indsæt begge fra det samme nøglepar.",
                "Our certificate and private key do not belong together. Paste both from the same key pair.",
            )
        )
    return loaded, private


def own_pair(config: Mapping[str, Any], day: date) -> tuple[x509.Certificate, PrivateKey]:
    """What we sign with on a day: the next pair from its date on. Raises ``Unusable``."""
    names = ("own_certificate", "own_key")
    if config.get("own_next_certificate") and config.get("own_next_key") and _has_switched(config, "own", day):
        names = ("own_next_certificate", "own_next_key")
    certificate, key = (str(config.get(name) or "") for name in names)
    if not (certificate and key):
        raise Unusable(_NO_OWN)
    return load_pair(certificate, key)


def partner_certificate(config: Mapping[str, Any], day: date) -> x509.Certificate:
    """What we encrypt for on a day. Raises ``Unusable``."""
    is_next = config.get("partner_next_certificate") and _has_switched(config, "partner", day)
    return _theirs(config.get("partner_next_certificate" if is_next else "partner_certificate"))


def _theirs(text: object) -> x509.Certificate:
    if not text:
        raise Unusable(_NO_PARTNER)
    return load_certificate(str(text))


@dataclass(frozen=True, slots=True)
class Keys:
    """What one day's messages are signed with and encrypted for; None where they are not."""

    day: date
    own: tuple[x509.Certificate, PrivateKey] | None
    partner: x509.Certificate | None


def keys_of(config: Mapping[str, Any], day: date) -> Keys:
    """The keys of a day. Reading our key takes as long as fifty signatures. Raises ``Unusable``."""
    partner = partner_certificate(config, day) if is_encrypted(config) else None
    if partner is not None and not can_encrypt(partner):
        raise Unusable(NO_RSA)
    return Keys(day, own_pair(config, day) if config.get("sign") else None, partner)


def can_encrypt(certificate: x509.Certificate) -> bool:
    """Whether a key can be wrapped for it; that takes RSA."""
    public = certificate.public_key()
    return isinstance(public, rsa.RSAPublicKey) and public.key_size >= SMALLEST_RSA


def is_encrypted(config: Mapping[str, Any]) -> bool:
    """Whether only the partner can read the messages."""
    return str(config.get("encrypt") or "none") != "none"


def partner_signers(config: Mapping[str, Any], day: date) -> list[x509.Certificate]:
    """By which certificates the partner may have signed on a day; around the switch date both. Raises ``Unusable``."""
    current, following = config.get("partner_certificate"), config.get("partner_next_certificate")
    switch = _switch_date(config, "partner")
    if not following or switch is None:
        return [_theirs(current)]
    wanted = [(current, day <= switch + WINDOW), (following, day >= switch - WINDOW)]
    return [load_certificate(str(text)) for text, counts in wanted if text and counts]


def expiries(config: Mapping[str, Any]) -> list[Expiry]:
    """The ends of all certificates that can be read."""
    found = []
    for name, label in LABELS.items():
        try:
            certificate = load_certificate(str(config.get(name) or ""))
        except Unusable:
            continue
        found.append(Expiry(name, label, certificate.not_valid_after_utc, fingerprint(certificate)))
    return found


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _switch_date(config: Mapping[str, Any], whose: str) -> date | None:
    try:
        return date.fromisoformat(str(config.get(f"{whose}_switch_on") or ""))
    except ValueError:
        return None


def _has_switched(config: Mapping[str, Any], whose: str, day: date) -> bool:
    switch = _switch_date(config, whose)
    return switch is not None and day >= switch
