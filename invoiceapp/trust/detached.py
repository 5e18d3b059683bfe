"""Is it signed by whom we know? A detached SignedData (RFC 5652) checked against pinned certificates.

No chain is built: who the signer is was agreed before, as when partners exchange certificates, and nobody else's
signature counts, whoever vouches for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from asn1crypto import cms, core
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

DIGESTS: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


class NotSigned(ValueError):
    """No valid signature of any of these; the message is for the log."""


def verify(content: bytes, signature: bytes, certificates: Iterable[x509.Certificate]) -> x509.Certificate:
    """Which of the certificates signed exactly these octets. Raises ``NotSigned``."""
    try:
        return _verify(content, signature, list(certificates))
    except NotSigned:
        raise
    except InvalidSignature:
        raise NotSigned("the signature does not fit") from None
    except Exception as error:
        # asn1crypto reads lazily and raises errors of many classes wherever something is malformed.
        raise NotSigned(f"malformed: {type(error).__name__}") from error


def _verify(content: bytes, signature: bytes, certificates: list[x509.Certificate]) -> x509.Certificate:
    info = cms.ContentInfo.load(signature, strict=True)
    if info["content_type"].native != "signed_data":
        raise NotSigned("no SignedData")
    signers = info["content"]["signer_infos"]
    if len(signers) != 1:
        raise NotSigned(f"{len(signers)} signers instead of one")
    signer = signers[0]
    certificate = _signer_certificate(signer["sid"], certificates)
    name = signer["digest_algorithm"]["algorithm"].native
    if name not in DIGESTS:
        raise NotSigned(f"digest {name} is too weak")
    attributes = signer["signed_attrs"]
    content_type = _only(attributes, "content_type").native
    if content_type != info["content"]["encap_content_info"]["content_type"].native:
        raise NotSigned("another content type was signed")
    if _only(attributes, "message_digest").native != hashlib.new(name, content).digest():
        raise NotSigned("other content was signed")
    _check(certificate.public_key(), signer, _to_be_signed(attributes), DIGESTS[name]())
    return certificate


def _signer_certificate(sid: cms.SignerIdentifier, certificates: list[x509.Certificate]) -> x509.Certificate:
    for certificate in certificates:
        loaded = cms.Certificate.load(certificate.public_bytes(Encoding.DER))
        if sid.name == "issuer_and_serial_number":
            chosen = sid.chosen
            if chosen["issuer"] == loaded.issuer and chosen["serial_number"].native == loaded.serial_number:
                return certificate
        elif sid.chosen.native == loaded.key_identifier:
            return certificate
    raise NotSigned("signed by a certificate that is none of these")


def _only(attributes: cms.CMSAttributes, kind: str) -> core.Asn1Value:
    """RFC 5652 11.1 and 11.2: each stands there once, with one value."""
    found = [attribute["values"] for attribute in attributes if attribute["type"].native == kind]
    if len(found) != 1 or len(found[0]) != 1:
        raise NotSigned(f"signed attribute {kind} is missing or ambiguous")
    return found[0][0]


def _to_be_signed(attributes: cms.CMSAttributes) -> bytes:
    """RFC 5652 5.4: the attributes as a SET OF of their own, not under their tag in the message."""
    return bytes(attributes.untag().dump())


def _check(public: object, signer: cms.SignerInfo, signed: bytes, digest: hashes.HashAlgorithm) -> None:
    algorithm = signer["signature_algorithm"]
    kind, signature = algorithm.signature_algo, signer["signature"].native
    if kind != "rsassa_pss" and _named_digest(algorithm) not in (None, digest.name):
        raise NotSigned("two different digests")
    if kind == "rsassa_pkcs1v15" and isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, signed, padding.PKCS1v15(), digest)
    elif kind == "rsassa_pss" and isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, signed, _pss(algorithm["parameters"], digest), digest)
    elif kind == "ecdsa" and isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, signed, ec.ECDSA(digest))
    else:
        raise NotSigned(f"signature algorithm {kind} does not fit the certificate")


def _named_digest(algorithm: cms.SignedDigestAlgorithm) -> str | None:
    """The digest that the algorithm itself names, as in sha256WithRSAEncryption; None for plain rsaEncryption."""
    name = algorithm["algorithm"].native
    return None if name == "rsassa_pkcs1v15" else str(algorithm.hash_algo)


def _pss(parameters: cms.Any, digest: hashes.HashAlgorithm) -> padding.PSS:
    mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
    if not parameters["hash_algorithm"]["algorithm"].native == mask == digest.name:
        raise NotSigned("two different digests")
    return padding.PSS(padding.MGF1(digest), parameters["salt_length"].native)
