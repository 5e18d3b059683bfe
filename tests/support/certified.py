"""A transport with certificates of every declared shape, and files as people upload them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Consignment, Expiry, KeyPair, PartnerCertificate, Receipt, Transport
from invoiceapp.gateways.certificates import ends_of


def _certificate(name: str) -> Field:
    return Field(name, Text(name, name), FieldType.MULTILINE)


def _key(name: str) -> Field:
    return Field(name, Text(name, name), FieldType.MULTILINE, secret=True, is_kept_here=True)


def _day(name: str) -> Field:
    return Field(name, Text(name, name), FieldType.DATE)


class Certified(Transport):
    """``own``: a pair with a next one. ``plain``: a pair without. ``partner``: the partner's. ``root``: another certificate."""

    kind: ClassVar[str] = "certified"
    label: ClassVar[Text] = Text("Prøve", "Fake")
    description: ClassVar[Text] = Text("Til prøver.", "For tests.")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("auth", Text("Login", "Login"), FieldType.CHOICE, default="all",
              choices=(("all", Text("Alt", "All")), ("none", Text("Intet", "None")))),
        _certificate("own"), _key("own_key"), _certificate("own_next"), _key("own_next_key"), _day("own_on"),
        Field("plain", Text("Ren", "Plain"), FieldType.MULTILINE, only_when=("auth", ("all",))), _key("plain_key"),
        _certificate("partner"), _certificate("partner_next"), _day("partner_on"), _certificate("root"),
    )  # fmt: skip
    key_pairs: ClassVar[tuple[KeyPair, ...]] = (
        KeyPair(Text("Vores", "Our certificate"), "own", "own_key", "own_next", "own_next_key", "own_on"),
        KeyPair(Text("Klient", "Client certificate"), "plain", "plain_key"),
    )
    partner_certificates: ClassVar[tuple[PartnerCertificate, ...]] = (
        PartnerCertificate(Text("Deres", "Their certificate"), "partner", "partner_next", "partner_on"),
    )

    @property
    def replay(self) -> Replay:
        return Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        return {}

    def check(self) -> list[CheckStep]:
        return []

    def send(self, consignment: Consignment) -> Receipt:
        raise NotImplementedError

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """The partner's must be RSA, as for encryption; and a complaint about a field that nobody touches here."""
        found = {"auth": Text("Noget andet.", "Something else.")}
        for name in ("partner", "partner_next"):
            if config.get(name):
                key = x509.load_pem_x509_certificate(config[name].encode()).public_key()
                if not isinstance(key, rsa.RSAPublicKey):
                    found[name] = Text("Det skal være RSA.", "It must be RSA.")
        return found

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        return [one for field in cls.fields if field.name in ("own", "own_next") for one in ends_of(field, config)]


@cache
def key(name: str = "a", bits: int = 2048) -> rsa.RSAPrivateKey:
    """One for each name, made once."""
    return rsa.generate_private_key(65537, bits)


def certificate(
    name: str, private: Any = None, *, starts: int = -10, ends: int = 400, issuer: str | None = None, signer: Any = None
) -> x509.Certificate:
    """Valid from and to so many days from now."""
    private = private or key(name)
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)]))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts))
        .not_valid_after(now + timedelta(days=ends))
        .sign(signer or private, hashes.SHA256())
    )


def pem(loaded: x509.Certificate) -> bytes:
    return loaded.public_bytes(Encoding.PEM)


def key_pem(private: Any, password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))


def p12(
    private: Any, loaded: x509.Certificate | None, *others: x509.Certificate, password: bytes = b"hemmelig"
) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"x", private, loaded, others or None, BestAvailableEncryption(password)
    )


def elliptic() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
