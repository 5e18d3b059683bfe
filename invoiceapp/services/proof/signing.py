"""Signed by this installation: detached signatures (CMS, RFC 5652) beside files, and PAdES inside PDFs.

The key is the installation's own, made when it is first needed and kept encrypted in the database. Its certificate is
signed by itself: it proves that a file comes from here and was not changed, not who we are. Whoever has to rely on it
compares its fingerprint with the one that the page of proofs shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from urllib.parse import urlsplit

from asn1crypto import cms, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs7,
)
from cryptography.x509.oid import NameOID
from sqlalchemy import Select, select

from invoiceapp.current import config
from invoiceapp.domain.findings import Text
from invoiceapp.models import SigningKey, new_id, utcnow
from invoiceapp.services import secrets
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.trust import chains
from invoiceapp.trust.detached import NotSigned
from invoiceapp.trust.detached import verify as verify_detached

_YEARS = 20
_FIELD = "Signature"


@dataclass(frozen=True, slots=True)
class Signed:
    """Whose signature holds."""

    fingerprint: str
    """SHA-256 of the certificate, in hexadecimal digits"""
    name: str
    at: datetime | None
    """When, as the signer's own clock says"""
    is_ours: bool
    """Whether this installation has made it"""


class SignatureInvalid(ServiceError):
    """The signature does not belong to these bytes, or is none of the signers that are known."""


def certificate_pem() -> bytes:
    """The certificate of the key that signs now."""
    return _current().certificate.encode()


def fingerprint() -> str:
    """Its SHA-256, in hexadecimal digits."""
    return chains.fingerprint(x509.load_pem_x509_certificate(certificate_pem()))


def sign(content: bytes) -> bytes:
    """A detached signature of the bytes, DER (``.p7s``), with the certificate and the time in it."""
    row = _current()
    certificate = x509.load_pem_x509_certificate(row.certificate.encode())
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    return builder.add_signer(certificate, _key_of(row), hashes.SHA256()).sign(Encoding.DER, options)


def verify(content: bytes, signature: bytes, certificate: bytes | None = None) -> Signed:
    """Whose signature of exactly these bytes it is: this installation's, or that of ``certificate`` (PEM).

    With ``certificate``, nothing is asked of the database. Raises ``SignatureInvalid``.
    """
    pems = [certificate] if certificate else _known()
    try:
        signer = verify_detached(content, signature, [x509.load_pem_x509_certificate(pem) for pem in pems])
    except (NotSigned, ValueError) as error:
        raise SignatureInvalid(
            Text(
                "Underskriften passer ikke: filen er ændret, eller den er ikke underskrevet her.",
                "The signature does not fit: the file was changed, or it was not signed here.",
            )
        ) from error
    name = chains.subject_common_name(signer) or ""
    return Signed(chains.fingerprint(signer), name, _signing_time(signature), certificate is None)


def sign_pdf(pdf: bytes, reason: str) -> bytes:
    """The PDF with our signature in it (PAdES-B, an update behind the bytes given), for readers that show signatures."""
    # 0.3 s and 140 modules, which only a process that signs PDFs pays for.
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import PdfSignatureMetadata, SimpleSigner
    from pyhanko.sign import sign_pdf as embed_signature
    from pyhanko.sign.fields import SigSeedSubFilter
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    row = _current()
    own = asn1_x509.Certificate.load(
        x509.load_pem_x509_certificate(row.certificate.encode()).public_bytes(Encoding.DER)
    )
    key = _key_of(row).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer = SimpleSigner(
        signing_cert=own,
        signing_key=keys.PrivateKeyInfo.load(key),
        cert_registry=SimpleCertificateStore(),  # type: ignore[no-untyped-call]
    )
    about = PdfSignatureMetadata(
        field_name=_FIELD, md_algorithm="sha256", reason=reason, subfilter=SigSeedSubFilter.PADES
    )
    signed = embed_signature(IncrementalPdfFileWriter(BytesIO(pdf)), about, signer)
    return bytes(signed.getvalue())


def _current() -> SigningKey:
    """The oldest key; the first one is made here. Where two processes make one at once, the older one signs from then on."""
    with transaction() as session:
        row = session.scalar(_oldest())
        if row is None:
            session.add(_made())
            session.flush()
            row = session.scalars(_oldest()).one()
        session.expunge(row)
    return row


def _oldest() -> Select[SigningKey]:
    return select(SigningKey).order_by(SigningKey.created_at, SigningKey.id).limit(1)


def _known() -> list[bytes]:
    with transaction() as session:
        return [pem.encode() for pem in session.scalars(select(SigningKey.certificate).order_by(SigningKey.id))]


def _made() -> SigningKey:
    key, now, row_id = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC), new_id()
    host = urlsplit(config().base_url).hostname or "invoiceapp"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"invoiceapp {host}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return SigningKey(
        id=row_id, created_at=utcnow(), certificate=certificate.public_bytes(Encoding.PEM).decode(),
        secrets={"key": secrets.encrypt(pem, f"signing_key/{row_id}/key")},
    )  # fmt: skip


def _key_of(row: SigningKey) -> ec.EllipticCurvePrivateKey:
    pem = secrets.decrypt(row.secrets["key"], f"signing_key/{row.id}/key")
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("a signing key is on an elliptic curve")
    return key


def _signing_time(signature: bytes) -> datetime | None:
    """Of a signature that was checked before."""
    signer = cms.ContentInfo.load(signature)["content"]["signer_infos"][0]
    for attribute in signer["signed_attrs"]:
        if attribute["type"].native == "signing_time":
            at: datetime = attribute["values"][0].native
            return at
    return None
