"""The demo's own certificates: one root for everything, made once and kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from invoiceapp.domain.network import Network

from ..billy import numbers

_BEGIN, _END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2044, 1, 1, tzinfo=UTC)
_ENDED = datetime(2025, 1, 1, tzinfo=UTC)
#: CVR number of the demo's NemHandel access point.
ACCESS_POINT_CVR = numbers.cvr(960)
ACCESS_POINT_SEAT = "POP000001"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Pki:
    """All in PEM. ``root`` issued ``issuing`` and ``tls``; ``issuing`` issued the rest."""

    root: str
    """What registers' signatures and TLS lead to"""
    issuing: str
    tls: Identity
    """Of servers on 127.0.0.1"""
    smp: Identity
    """What SMP answers are signed with"""
    peppol: Identity
    """Access point with a seat id (``POP…``) as its common name"""
    nemhandel: Identity
    """Access point with a system certificate's subject: ``2.5.4.97=NTRDK-<CVR>``"""
    ended: str
    """An access point's certificate that ended long ago"""

    def access_point(self, network: Network) -> Identity:
        """The receiving access point that registrations name."""
        return self.peppol if network is Network.PEPPOL else self.nemhandel


def pki_at(folder: Path) -> Pki:
    """The certificates kept in a folder, made at the first call."""
    path = folder / "pki.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(_texts(make_pki())), encoding="ascii")
        draft.replace(path)
    stored: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    pairs = {name: Identity(*value) for name, value in stored.items() if isinstance(value, list)}
    return Pki(**(stored | pairs))


def _texts(pki: Pki) -> dict[str, str | list[str]]:
    """JSON-ready; an identity is a pair."""
    values = ((name, getattr(pki, name)) for name in Pki.__slots__)
    return {name: [value.certificate, value.key] if isinstance(value, Identity) else value for name, value in values}


def make_pki() -> Pki:
    """New certificates and keys."""
    root = _Authority("Demo Root CA")
    issuing = _Authority("Demo Issuing CA", root)
    access_point, key = _common_name(ACCESS_POINT_SEAT), _new_key()
    nemhandel = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"NTRDK-{ACCESS_POINT_CVR}"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nordlys Adgangspunkt ApS"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "UI:DK-O:G:5b1c1e0e-0000-4000-8000-000000000960"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Demo access point"),
        ]
    )
    return Pki(
        root=root.certificate,
        issuing=issuing.certificate,
        tls=root.issue(_common_name("127.0.0.1"), _new_key(), is_server=True),
        smp=issuing.issue(_common_name("PSM000001"), _new_key()),
        peppol=issuing.issue(access_point, key),
        nemhandel=issuing.issue(nemhandel, _new_key()),
        ended=issuing.issue(access_point, key, end=_ENDED).certificate,
    )


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _common_name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Nordlys Demo"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


class _Authority:
    """Issues certificates; its own is by its parent, or by itself."""

    def __init__(self, name: str, parent: _Authority | None = None) -> None:
        self._key = _new_key()
        self._name = _common_name(name)
        builder = _builder(self._name, self._key, _END).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        signed = (parent or self)._signed(builder.add_extension(_usage(is_authority=True), critical=True))
        self.certificate = _pem(signed)

    def issue(
        self, subject: x509.Name, key: rsa.RSAPrivateKey, *, end: datetime = _END, is_server: bool = False
    ) -> Identity:
        builder = (
            _builder(subject, key, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_authority=False), critical=True)
        )
        if is_server:
            names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")])
            server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(names, critical=False).add_extension(server, critical=False)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(_pem(self._signed(builder)), private.decode())

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            builder.issuer_name(self._name)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip


def _builder(subject: x509.Name, key: rsa.RSAPrivateKey, end: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority, content_commitment=False, key_encipherment=not is_authority,
        data_encipherment=False, key_agreement=False, key_cert_sign=is_authority, crl_sign=is_authority,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
