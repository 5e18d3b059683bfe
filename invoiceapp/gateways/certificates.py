"""Certificates in a configuration: what of the partner's is trusted, and when they end."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.outbound.tls import CertificateUnreadable, client_context

from .base import Expiry, Refused

CA_UNREADABLE = Text(
    "Rodcertifikatet kan ikke læses. Indsæt det igen i PEM-form, med linjerne BEGIN og END.",
    "The root certificate cannot be read. Paste it again in PEM form, with its BEGIN and END lines.",
)


def tls_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    """Verifies certificate and name, against the private root (``common_fields.CA_CERTIFICATE``) where one is given.

    Raises ``Refused``.
    """
    try:
        return client_context(ca=config.get("ca_certificate"))
    except CertificateUnreadable as error:
        raise Refused(CA_UNREADABLE, str(error)) from None


def ends_of(field: Field, config: Mapping[str, Any]) -> list[Expiry]:
    """The first to end of the certificates (PEM) in a field; nothing where there are none to be read."""
    try:
        found = x509.load_pem_x509_certificates(str(config.get(field.name) or "").encode())
    except ValueError:
        return []
    first = min(found, key=lambda one: one.not_valid_after_utc)
    return [Expiry(field.name, field.label, first.not_valid_after_utc, first.fingerprint(hashes.SHA256()).hex())]
