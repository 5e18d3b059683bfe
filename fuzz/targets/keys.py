"""Certificates, keys, PKCS#12, and what authorities say of certificates."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509 import ocsp
from support.pki import Holder, Pki, make_pki

from invoiceapp.gateways import certificates as gateway_certificates
from invoiceapp.gateways.as2 import certificates as as2_certificates
from invoiceapp.gateways.base import Refused
from invoiceapp.gateways.sftp.keys import load_private_key
from invoiceapp.gateways.sproom.callbacks import public_key
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.http import Answer
from invoiceapp.services.configuration import certificate_files, pair_child
from invoiceapp.trust import chains, revocation

from ..engine import Target

_FAST = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(100).hmac_hash(hashes.SHA256()).build(b"secret")


@cache
def pki() -> Pki:
    return make_pki("Keys")


@cache
def holder() -> Holder:
    url = x509.UniformResourceIdentifier("http://ca.example/list")
    point = x509.DistributionPoint([url], None, None, None)
    responder = x509.AccessDescription(
        x509.oid.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ca.example/ocsp")
    )
    return pki().holder(
        "Leaf",
        extensions=[
            (x509.CRLDistributionPoints([point]), False),
            (x509.AuthorityInformationAccess([responder]), False),
        ],
    )


def pair(content: bytes) -> object:
    """In this process, not in one of its own as in the product."""
    found = [pair_child.opened(content, password) for password in ("secret", "")]
    return tuple((one.get("error"), one.get("certificate") is None) for one in found)


def _pairs() -> Iterator[bytes]:
    one = holder()
    yield pkcs12.serialize_key_and_certificates(b"n", one.key, one.certificate, [pki().intermediate.certificate], _FAST)
    yield pkcs12.serialize_key_and_certificates(None, one.key, one.certificate, None, NoEncryption())
    yield (one.key_pem + one.pem).encode()


def certificate(content: bytes) -> object:
    """A certificate that somebody sent: by every way in which one is read."""
    found = certificate_files.read_certificate(content)
    certificate_files.certificates(content)
    return bool(found.subject.rfc4514_string() and chains.fingerprint(found))


def chain(content: bytes) -> object:
    """A signer's certificate that came with a message."""
    try:
        found = x509.load_der_x509_certificate(content)
    except chains.MALFORMED:
        return None
    chains.organization_identifier(found)
    path = chains.verify(found, [pki().intermediate.certificate], pki().root_pem, datetime.now(UTC))
    return len(path)


def pasted(content: bytes) -> object:
    """Texts pasted into a gateway's settings."""
    text = content.decode("utf-8", "replace")
    outcomes = []
    for read in (
        as2_certificates.load_certificate, gateway_certificates.load_key, gateway_certificates.are_certificates,
        public_key, lambda pem: load_private_key(pem, "secret"), lambda pem: load_private_key(pem, None),
        lambda pem: chains.verify(holder().certificate, [], pem, datetime.now(UTC)),
    ):  # fmt: skip
        try:
            outcomes.append(type(read(text)).__name__)
        except (gateway_certificates.Unusable, Refused, chains.ChainError) as error:
            outcomes.append(type(error).__name__)
        except ValueError as error:
            if read is not public_key:
                raise
            outcomes.append(type(error).__name__)
    return tuple(outcomes)


def pasted_certificate(content: bytes) -> object:
    """The same, with what the lines of a certificate hold as the input."""
    lines = base64.encodebytes(content)
    return pasted(b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n")


def pasted_key(content: bytes) -> object:
    """An encrypted key whose maker chose how long it takes to open."""
    lines = base64.encodebytes(content)
    return pasted(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + lines + b"-----END ENCRYPTED PRIVATE KEY-----\n")


def _encrypted() -> Iterator[bytes]:
    yield holder().key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def _pasted() -> Iterator[bytes]:
    key = ed25519.Ed25519PrivateKey.generate()
    yield holder().pem.encode()
    yield (holder().pem + pki().intermediate_pem).encode()
    yield holder().key_pem.encode()
    yield key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    few = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1).build(b"secret")
    yield key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, few)
    yield holder().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    public = holder().key.public_key()
    yield public.public_bytes(Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class _Authority:
    """In place of the HTTP client: what the authority answers is the input."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def request(self, *_: object, **__: object) -> Answer:
        return Answer(200, {}, self.content)


def revoked(content: bytes) -> object:
    path = [holder().certificate, pki().intermediate.certificate]
    said = revocation.check(path, revocation.Policy.SOFT, _Authority(content), Deadline(60, 60), {})  # type: ignore[arg-type]
    return len(said)


def _said() -> Iterator[bytes]:
    now, issuer = datetime.now(UTC), pki().intermediate
    yield pki().crl()
    yield pki().crl(holder().certificate)
    answer = ocsp.OCSPResponseBuilder().add_response(
        holder().certificate,
        issuer.certificate,
        hashes.SHA1(),
        ocsp.OCSPCertStatus.GOOD,
        now,
        now + timedelta(days=1),
        None,
        None,
    )
    yield (
        answer.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
        .sign(issuer.key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def _sent() -> Iterator[bytes]:
    one = holder().certificate
    yield one.public_bytes(Encoding.DER)
    yield pkcs7.serialize_certificates([one, pki().intermediate.certificate], Encoding.DER)


TARGETS = (
    Target("pkcs12", pair, _pairs, (), "der"),
    Target("certificate-file", certificate, _sent, (certificate_files.FileUnusable,), "der"),
    Target("certificate-chain", chain, lambda: [holder().certificate.public_bytes(Encoding.DER)], (chains.ChainError,), "der"),
    Target("pasted-keys", pasted, _pasted, (), "lines"),
    Target("pasted-certificate", pasted_certificate, lambda: [holder().certificate.public_bytes(Encoding.DER)], (), "der"),
    Target("pasted-encrypted-key", pasted_key, _encrypted, (), "der"),
    Target("revocation", revoked, _said, (chains.ChainError,), "der"),
)  # fmt: skip
