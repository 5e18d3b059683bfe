"""A small certificate authority: root, intermediate, whatever they issue, and their list of revoked certificates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
#: One moment for all of a session, so that chains begin and end together.
NOW = datetime.now(UTC)
Extension = tuple[x509.ExtensionType, bool]


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key a name and session: making them is most of the time."""
    return rsa.generate_private_key(65537, bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Any) -> str:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def pem(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(PEM).decode() for one in certificates)


def subject(common_name: str, organization_identifier: str | None = None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
    ]
    if organization_identifier:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, organization_identifier))
    return x509.Name(parts)


def usage(**on: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


CA_USAGE = usage(key_cert_sign=True, crl_sign=True, digital_signature=True)
LEAF_USAGE = usage(digital_signature=True, key_encipherment=True, data_encipherment=True)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any
    is_pss: bool = False
    """Whether it signs with RSASSA-PSS, as the CAs of the Danish state do"""

    @property
    def pem(self) -> str:
        return pem(self.certificate)

    @property
    def key_pem(self) -> str:
        return key_pem(self.key)

    def sign(self, builder: Any, hash_algorithm: Any = None) -> Any:
        """A certificate or a CRL, of its builder."""
        chosen = hash_algorithm or hashes.SHA256()
        if not self.is_pss:
            return builder.sign(self.key, chosen)
        filling = padding.PSS(padding.MGF1(chosen), padding.PSS.DIGEST_LENGTH)
        return builder.sign(self.key, chosen, rsa_padding=filling)

    def issue(
        self, common_name: str, key: Any = None, *, ca: bool = False, path_length: int | None = None,
        valid: tuple[datetime, datetime] | None = None, organization_identifier: str | None = None,
        key_usage: x509.KeyUsage | None = None, extensions: Iterable[Extension] = (), is_pss: bool = False,
        hash_algorithm: Any = None, hosts: Iterable[str] = (),
    ) -> Holder:  # fmt: skip
        """A certificate under this one. ``hosts``: names and addresses for which it serves TLS."""
        holder_key = key or rsa_key(common_name)
        builder = _builder(subject(common_name, organization_identifier), holder_key, valid)
        builder = builder.issuer_name(self.certificate.subject)
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
        builder = builder.add_extension(key_usage or (CA_USAGE if ca else LEAF_USAGE), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        names = [_general_name(host) for host in hosts]
        more = [(x509.SubjectAlternativeName(names), False)] if names else []
        for extension, critical in [*more, *extensions]:
            builder = builder.add_extension(extension, critical=critical)
        return Holder(self.sign(builder, hash_algorithm), holder_key, is_pss)

    def crl(
        self, revoked: Iterable[x509.Certificate] = (), *, updated: datetime | None = None,
        next_update: datetime | None = None, extensions: Iterable[Extension] = (),
    ) -> bytes:  # fmt: skip
        """The list (DER) of what this certificate has revoked."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(updated or NOW - timedelta(hours=1))
        builder = builder.next_update(next_update or NOW + timedelta(days=1))
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOW - timedelta(hours=2)).build())
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return self.sign(builder).public_bytes(serialization.Encoding.DER)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(name: x509.Name, key: Any, valid: tuple[datetime, datetime] | None) -> x509.CertificateBuilder:
    start, end = valid or (NOW - timedelta(days=400), NOW + timedelta(days=400))
    builder = x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def make_root(
    common_name: str = "Test Root", *, key: Any = None, is_pss: bool = False,
    valid: tuple[datetime, datetime] | None = None, path_length: int | None = None,
) -> Holder:  # fmt: skip
    """A self-signed CA."""
    root_key = key or rsa_key(common_name)
    name = subject(common_name)
    builder = _builder(name, root_key, valid).issuer_name(name)
    builder = builder.add_extension(x509.BasicConstraints(True, path_length), critical=True)
    builder = builder.add_extension(CA_USAGE, critical=True)
    unsigned = Holder(None, root_key, is_pss)  # type: ignore[arg-type]
    return Holder(unsigned.sign(builder), root_key, is_pss)


@dataclass(frozen=True)
class Pki:
    """A root and an intermediate, whose PEM both are, and what the intermediate issues."""

    root: Holder
    intermediate: Holder

    @property
    def root_pem(self) -> str:
        return self.root.pem

    @property
    def intermediate_pem(self) -> str:
        return self.intermediate.pem

    def issue(self, common_name: str, **options: Any) -> tuple[str, str]:
        """(certificate, key) as PEM; options of ``Holder.issue``, such as ``organization_identifier="NTRDK-12345678"``."""
        made = self.holder(common_name, **options)
        return made.pem, made.key_pem

    def holder(self, common_name: str, **options: Any) -> Holder:
        """The same, as objects."""
        return self.intermediate.issue(common_name, **options)

    def crl(self, *revoked: x509.Certificate, **options: Any) -> bytes:
        """The intermediate's list (DER); options of ``Holder.crl``."""
        return self.intermediate.crl(revoked, **options)


def make_pki(name: str = "Test", *, is_pss: bool = False) -> Pki:
    """A root and an intermediate; ``is_pss``: they sign with RSASSA-PSS."""
    root = make_root(f"{name} Root", is_pss=is_pss)
    return Pki(root, root.issue(f"{name} Intermediate", ca=True, path_length=0, is_pss=is_pss))


def tls_extension() -> Extension:
    """For a certificate of a TLS server."""
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
