"""Self-signed certificates and their keys, for AS2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """A self-signed certificate and its key, as PEM and as files."""

    certificate: str
    key: str
    certificate_path: Path
    key_path: Path

    @property
    def loaded(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def both(self) -> str:
        return self.key + self.certificate


def make_pair(folder: Path, name: str, key: Any, days: int = 400, more: Any = None) -> Pair:
    """A pair that is valid for ``days`` from now; ``more`` is a further extension."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=400))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if more is not None:
        builder = builder.add_extension(more, critical=False)
    certificate = builder.not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256()).public_bytes(PEM)
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate)
    paths[1].write_bytes(private)
    return Pair(certificate.decode(), private.decode(), *paths)


def make_pairs(folder: Path, *names: str) -> dict[str, Pair]:
    """RSA pairs by name."""
    return {name: make_pair(folder, name, rsa.generate_private_key(65537, 2048)) for name in names}
