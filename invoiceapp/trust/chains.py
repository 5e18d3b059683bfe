"""Certificate chains: from a signer's certificate to a root that somebody here has chosen to trust (RFC 5280 6.1).

Written on ``verify_directly_issued_by`` because the verifier of ``cryptography`` follows the rules of the public web,
which the certificates of Peppol and of the Danish state do not, and names no reason when it says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

#: Certificates that a partner may send along; a chain of the networks has two or three.
MOST_INTERMEDIATES = 8
SMALLEST_RSA_KEY = 2048
SMALLEST_CURVE = 256
STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
#: Extensions whose demands are met below, or which demand nothing of a signature on a document. Any other one that is
#: critical refuses the certificate (RFC 5280 4.2), name constraints among them.
_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.CertificatePolicies,
    x509.SubjectAlternativeName,
)


#: What ``cryptography`` raises for a certificate, a list or an answer that breaks its own format.
MALFORMED = (
    ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)  # fmt: skip

_T = TypeVar("_T", bound=x509.ExtensionType)


class Reason(StrEnum):
    """Why a certificate is not believed."""

    NO_ANCHORS = "no-anchors"
    """no readable root certificate was given: our own settings"""
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    UNKNOWN_ISSUER = "unknown-issuer"
    """nobody whom we trust has signed it"""
    WEAK = "weak"
    """SHA-1 or MD5, or a key that is too short"""
    NOT_CA = "not-ca"
    """signed by a certificate that may sign none"""
    IS_CA = "is-ca"
    """the signer's own certificate is one that only signs certificates"""
    PATH_LENGTH = "path-length"
    """more links than an issuer allows, or than anybody needs"""
    WRONG_USE = "wrong-use"
    """not made for signatures"""
    NOT_UNDERSTOOD = "not-understood"
    """a critical extension that we do not know, or a certificate that breaks its own format"""
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation-unknown"
    """strictly asked for, and nobody answered"""


class ChainError(Exception):
    """A certificate that is not believed. ``detail`` names it, for the log."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


def verify(
    leaf: x509.Certificate, intermediates: Iterable[x509.Certificate], anchors_pem: str, at: datetime
) -> list[x509.Certificate]:
    """The chain, the signer's certificate first and the anchor last. Raises ``ChainError``.

    ``intermediates`` may come in any order and hold others too (XML Signature 4.5.4 orders nothing). ``anchors_pem``
    holds one or more certificates; one that is no root is an anchor as well. ``at`` knows its zone.
    """
    anchors = _anchors(anchors_pem)
    between = [one for one in dict.fromkeys(intermediates) if one != leaf]
    if len(between) > MOST_INTERMEDIATES:
        raise ChainError(Reason.PATH_LENGTH, f"{len(between)} certificates besides the signer's own")
    try:
        _require_signer(leaf)
        _require_sound(leaf, at)
        return _path([leaf], between, anchors, at)
    except MALFORMED as error:
        raise ChainError(Reason.NOT_UNDERSTOOD, type(error).__name__) from None


def subject_common_name(certificate: x509.Certificate) -> str | None:
    """Common name (CN) of the holder. Raises ``ChainError`` where the name breaks its own format."""
    return _attribute(certificate, NameOID.COMMON_NAME)


def organization_identifier(certificate: x509.Certificate) -> str | None:
    """Registration of the holder's organization (OID 2.5.4.97, ETSI EN 319 412-1 5.1.4): ``NTRDK-12345678``.

    Raises ``ChainError`` where the name breaks its own format.
    """
    return _attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    """One extension's value; None where the certificate has none of the kind. Raises ``ChainError``."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except MALFORMED as error:
        raise ChainError(Reason.NOT_UNDERSTOOD, type(error).__name__) from None


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | None:
    try:
        found = certificate.subject.get_attributes_for_oid(oid)
    except MALFORMED as error:
        raise ChainError(Reason.NOT_UNDERSTOOD, type(error).__name__) from None
    return str(found[0].value) if found else None


def _anchors(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except MALFORMED as error:
        raise ChainError(Reason.NO_ANCHORS, type(error).__name__) from None


def _path(
    path: list[x509.Certificate], between: list[x509.Certificate], anchors: Sequence[x509.Certificate], at: datetime
) -> list[x509.Certificate]:
    """The path continued to an anchor. Each of ``between`` is tried once and taken out, so that a ring of them ends."""
    failures = list[ChainError]()
    for candidate in _issuers_of(path[-1], [*anchors, *between]):
        is_anchor = candidate in anchors
        if not is_anchor and candidate not in between:
            continue
        try:
            # Of an anchor nobody's signature counts: it is trusted because it is here.
            _require_sound(candidate, at, is_signature_weighed=not is_anchor)
            _require_issuer(candidate, below=len(path) - 1)
            if is_anchor:
                return [*path, candidate]
            between.remove(candidate)
            return _path([*path, candidate], between, anchors, at)
        except ChainError as error:
            failures.append(error)
    raise failures[0] if failures else ChainError(Reason.UNKNOWN_ISSUER, path[-1].issuer.rfc4514_string())


def _issuers_of(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    return [one for one in candidates if _has_issued(one, certificate)]


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *MALFORMED):
        return False
    return True


def _require_sound(certificate: x509.Certificate, at: datetime, is_signature_weighed: bool = True) -> None:
    name = certificate.subject.rfc4514_string()
    if at < certificate.not_valid_before_utc:
        raise ChainError(Reason.NOT_YET_VALID, f"{name}, from {certificate.not_valid_before_utc.isoformat()}")
    if at > certificate.not_valid_after_utc:
        raise ChainError(Reason.EXPIRED, f"{name}, until {certificate.not_valid_after_utc.isoformat()}")
    if is_signature_weighed and not isinstance(_hash_of(certificate), STRONG):
        raise ChainError(Reason.WEAK, f"{name}, signature {certificate.signature_algorithm_oid.dotted_string}")
    if not _is_strong_key(certificate):
        raise ChainError(Reason.WEAK, f"{name}, key")
    for extension in certificate.extensions:
        if extension.critical and not isinstance(extension.value, _UNDERSTOOD):
            raise ChainError(Reason.NOT_UNDERSTOOD, f"{name}, extension {extension.oid.dotted_string}")


def _hash_of(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except MALFORMED:
        return None


def _is_strong_key(certificate: x509.Certificate) -> bool:
    try:
        key = certificate.public_key()
    except MALFORMED:
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= SMALLEST_RSA_KEY
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= SMALLEST_CURVE


def _require_signer(leaf: x509.Certificate) -> None:
    name = leaf.subject.rfc4514_string()
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints and constraints.ca:
        raise ChainError(Reason.IS_CA, name)
    usage = extension(leaf, x509.KeyUsage)
    if usage and not (usage.digital_signature or usage.content_commitment):
        raise ChainError(Reason.WRONG_USE, name)


def _require_issuer(certificate: x509.Certificate, below: int) -> None:
    """``below``: how many intermediate certificates stand between it and the signer's (RFC 5280 4.2.1.9)."""
    name = certificate.subject.rfc4514_string()
    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    if not (constraints and constraints.ca) or (usage and not usage.key_cert_sign):
        raise ChainError(Reason.NOT_CA, name)
    if constraints.path_length is not None and below > constraints.path_length:
        raise ChainError(Reason.PATH_LENGTH, name)
