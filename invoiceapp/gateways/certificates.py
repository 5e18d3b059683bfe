"""Certificates and keys in a configuration: reading ours, what of the partner's is trusted, and when they end."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.outbound.tls import CertificateUnreadable, client_context
from invoiceapp.trust.chains import MALFORMED

from .base import Expiry, Refused

CA_UNREADABLE = Text(
    "Rodcertifikatet kan ikke læses. Indsæt det igen i PEM-form, med linjerne BEGIN og END.",
    "The root certificate cannot be read. Paste it again in PEM form, with its BEGIN and END lines.",
)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
SMALLEST_RSA = 2048


class Unusable(ValueError):
    """A certificate or key that cannot be used; ``text`` says why. Quotes nothing of a key."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def load_key(text: str) -> PrivateKey:
    """A private key in PEM without passphrase: RSA of 2048 bits or more, or an elliptic curve. Raises ``Unusable``."""
    try:
        key = serialization.load_pem_private_key(text.strip().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's words may quote the key.
        raise Unusable(
            Text(
                "Den private nøgle kan ikke læses. Indsæt hele nøglefilen i PEM-form, uden adgangskode.",
                "The private key cannot be read. Paste the whole key file in PEM, without a passphrase.",
            )
        ) from None
    if isinstance(key, ec.EllipticCurvePrivateKey) or (
        isinstance(key, rsa.RSAPrivateKey) and key.key_size >= SMALLEST_RSA
    ):
        return key
    raise Unusable(
        Text(
            "Nøglen er for svag eller af en anden slags. Lav et nyt nøglepar med RSA på mindst 2048 bit.",
            "The key is too weak or of another kind. Make a new key pair with RSA of 2048 bits or more.",
        )
    )


def tls_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    """Verifies certificate and name, against the private root (``common_fields.CA_CERTIFICATE``) where one is given.

    Raises ``Refused``.
    """
    try:
        return client_context(ca=config.get("ca_certificate"))
    except CertificateUnreadable as error:
        raise Refused(CA_UNREADABLE, str(error)) from None


def are_certificates(text: str) -> bool:
    """Whether it is PEM with one certificate or more."""
    try:
        return bool(x509.load_pem_x509_certificates(text.encode()))
    except MALFORMED:
        return False


def ends_of(field: Field, config: Mapping[str, Any]) -> list[Expiry]:
    """The first to end of the certificates (PEM) in a field; nothing where there are none to be read."""
    try:
        found = x509.load_pem_x509_certificates(str(config.get(field.name) or "").encode())
    except MALFORMED:
        return []
    first = min(found, key=lambda one: one.not_valid_after_utc)
    return [Expiry(field.name, field.label, first.not_valid_after_utc, first.fingerprint(hashes.SHA256()).hex())]
