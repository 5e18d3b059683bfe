"""Our access point's certificates and keys, and which certificates of others are believed."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Deadline, Expiry, KeyPair
from invoiceapp.gateways.certificates import Unusable, ends_of, load_key
from invoiceapp.outbound.http import HttpClient
from invoiceapp.trust import chains, revocation
from invoiceapp.trust.chains import MALFORMED
from invoiceapp.trust.revocation import Kept, Policy

from .fields import ANCHORS, OWN_CERTIFICATE, OWN_NEXT_CERTIFICATE
from .wss import Identity

OWN = KeyPair(
    Text("Vores access points certifikat", "Our access point's certificate"),
    certificate="own_certificate",
    key="own_key",
    next_certificate="own_next_certificate",
    next_key="own_next_key",
    switch_on="own_switch_on",
    is_issued=True,
)
#: Seconds for all questions about revocation of one certificate: less than a delivery takes.
PATIENCE = 10.0
_CURRENT, _NEXT = ("own_certificate", "own_key"), ("own_next_certificate", "own_next_key")

MISSING = Text(
    "Access pointets certifikat eller nøgle mangler. Læg den fil op, som udstederen gav jer, under »Certifikater« på gatewayens side.",
    "The access point's certificate or key is missing. Upload the file that the authority gave you under “Certificates” on the "
    "page of the gateway.",
)
_UNREADABLE = Text(
    "Certifikatet kan ikke læses. Læg hele filen op igen, med linjerne BEGIN CERTIFICATE og END CERTIFICATE.",
    "The certificate cannot be read. Upload the whole file again, with its lines BEGIN CERTIFICATE and END CERTIFICATE.",
)
_NO_RSA = Text(
    "Access pointets certifikat skal være RSA på mindst 2048 bit. Bed udstederen om et andet.",
    "The access point's certificate must be RSA of 2048 bits or more. Ask the authority for another.",
)
_NO_PAIR = Text(
    "Certifikat og privat nøgle hører ikke sammen. Læg begge op fra den samme fil.",
    "Certificate and private key do not belong together. Upload both from the same file.",
)


def today() -> date:
    """The day by which certificates are chosen (UTC)."""
    return datetime.now(UTC).date()


def certificate_of(config: Mapping[str, Any], day: date) -> x509.Certificate:
    """Our certificate of a day, whether or not there is a key to it. Raises ``Unusable``."""
    text = str(config.get((_NEXT if _has_switched(config, day) else _CURRENT)[0]) or "")
    if not text:
        raise Unusable(MISSING)
    return load_certificate(text)


def identity_of(config: Mapping[str, Any], day: date) -> Identity:
    """What we sign with on a day: the next pair from its date on. Raises ``Unusable``."""
    return _load(config, *(_NEXT if _has_switched(config, day) else _CURRENT))


def identities_of(config: Mapping[str, Any], day: date) -> list[Identity]:
    """All pairs that others may still, or already, have encrypted for; the one of the day first. Raises ``Unusable``."""
    names = [_NEXT, _CURRENT] if _has_switched(config, day) else [_CURRENT, _NEXT]
    return [_load(config, *pair) for pair in names if pair is names[0] or all(config.get(name) for name in pair)]


def _has_switched(config: Mapping[str, Any], day: date) -> bool:
    try:
        switch = date.fromisoformat(str(config.get("own_switch_on") or ""))
    except ValueError:
        return False
    return day >= switch and all(config.get(name) for name in _NEXT)


def load_certificate(text: str) -> x509.Certificate:
    """The first certificate of PEM text: those of the authority may follow. Raises ``Unusable``."""
    try:
        found = x509.load_pem_x509_certificates(text.encode())[0]
        found.public_key()
    except MALFORMED:
        raise Unusable(_UNREADABLE) from None
    return found


def load_identity(certificate: str, key: str) -> Identity:
    """A pair of PEM texts. Raises ``Unusable``."""
    loaded, private = load_certificate(certificate), load_key(key)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise Unusable(_NO_RSA)
    if loaded.public_key() != private.public_key():
        raise Unusable(_NO_PAIR)
    return Identity(loaded, private)


def _load(config: Mapping[str, Any], certificate: str, key: str) -> Identity:
    texts = [str(config.get(name) or "") for name in (certificate, key)]
    if not all(texts):
        raise Unusable(MISSING)
    return load_identity(*texts)


def expiries(config: Mapping[str, Any]) -> list[Expiry]:
    """The ends of our certificates and of the first to end of the anchors."""
    return [expiry for field in (OWN_CERTIFICATE, OWN_NEXT_CERTIFICATE, ANCHORS) for expiry in ends_of(field, config)]


@dataclass(frozen=True, slots=True)
class Believed:
    """Which certificates of access points are believed: a chain to the anchors, and nobody has revoked it."""

    anchors: str
    """PEM"""
    policy: Policy
    kept: MutableMapping[str, Kept] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Believed:
        """Of a gateway's configuration."""
        return cls(str(config.get(ANCHORS.name) or ""), Policy(config.get("revocation") or Policy.SOFT))

    def require(self, certificate: x509.Certificate, client: HttpClient, patience: float = PATIENCE) -> None:
        """Raises ``chains.ChainError``. ``client`` asks who revokes certificates, ``patience`` seconds at most."""
        chain = chains.verify(certificate, (), self.anchors, datetime.now(UTC))
        revocation.check(chain, self.policy, client, Deadline(patience, patience / 2), self.kept)
