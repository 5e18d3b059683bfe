"""Whether an SMP's answer is what somebody said whom the network trusts: its XML signature and the signer's chain."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from invoiceapp.domain.findings import Text
from invoiceapp.trust import chains
from invoiceapp.trust.chains import ChainError, Reason

from .base import CouldNotAsk

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
#: What Peppol demands, RSA with SHA-256, and what is as strong.
_CONFIGURATION = SignatureConfiguration(
    location="./",
    expect_references=1,
    signature_methods=frozenset(
        {
            SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
            SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1,
            SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512,
        }
    ),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
    # The certificate is the key that counts; a KeyValue beside it is not read.
    ignore_ambiguous_key_info=True,
)  # fmt: skip
#: What ``signxml`` lets through of a signature that makes no sense: of ``base64``, ``lxml``, and of its own look-ups.
_SENSELESS = (ValueError, TypeError, KeyError, IndexError, AttributeError, NotImplementedError)

_NO_ANCHORS = Text(
    "Rodcertifikaterne for netværket mangler i gatewayens indstillinger (eller kan ikke læses), så vi kan ikke se, om svaret "
    "er ægte. Indsæt dem i PEM-form.",
    "The network's root certificates are missing from the gateway's settings (or cannot be read), so we cannot tell whether the "
    "answer is genuine. Paste them in PEM form.",
)
_NOT_SIGNED = Text(
    "Modtagerens registrering er ikke underskrevet, som netværket kræver, så vi tror ikke på den. Modtagerens udbyder skal "
    "rette det.",
    "The receiver's registration is not signed as the network demands, so we do not believe it. The receiver's provider must "
    "correct that.",
)
_ALTERED = Text(
    "Underskriften på modtagerens registrering passer ikke til indholdet, så nogen har ændret det, eller der er en fejl. Intet "
    "sendes på det grundlag. Kontakt modtagerens udbyder, hvis det bliver ved.",
    "The signature on the receiver's registration does not fit its content: somebody has altered it, or it is faulty. Nothing is "
    "sent on that ground. Contact the receiver's provider if it goes on.",
)
_FOREIGN = Text(
    "Modtagerens registrering er underskrevet af en, som netværkets rodcertifikater ikke står inde for, så vi tror ikke på den. "
    "Kontrollér rodcertifikaterne i gatewayens indstillinger; er de rigtige, så kontakt modtagerens udbyder.",
    "The receiver's registration is signed by somebody for whom the network's root certificates do not vouch, so we do not "
    "believe it. Check the root certificates in the gateway's settings; if they are right, contact the receiver's provider.",
)
_OUTDATED = Text(
    "Certifikatet bag underskriften på modtagerens registrering gælder ikke i dag, så vi tror ikke på den. Modtagerens udbyder "
    "skal forny det.",
    "The certificate behind the signature on the receiver's registration is not valid today, so we do not believe it. The "
    "receiver's provider must renew it.",
)
_UNFIT = Text(
    "Certifikatet bag underskriften på modtagerens registrering opfylder ikke netværkets krav, så vi tror ikke på den. "
    "Modtagerens udbyder skal rette det.",
    "The certificate behind the signature on the receiver's registration does not meet the network's demands, so we do not "
    "believe it. The receiver's provider must correct that.",
)
_WORDS = {
    Reason.NO_ANCHORS: _NO_ANCHORS,
    Reason.UNKNOWN_ISSUER: _FOREIGN,
    Reason.EXPIRED: _OUTDATED,
    Reason.NOT_YET_VALID: _OUTDATED,
}


class _Verifier(XMLVerifier):
    """With the right inclusive C14N of what the JDK signs, and so most SMPs: a SignedInfo without prefix.

    libxml2 writes ``xmlns=""`` two levels below an element that inherits its default namespace (signxml's issue 193); an
    element that is a root itself declares what it uses.
    """

    def _c14n(self, nodes: Any, algorithm: Any, inclusive_ns_prefixes: Any = None) -> bytes:
        root = etree.fromstring(etree.tostring(nodes, with_tail=False))
        canonical: bytes = super()._c14n(root, algorithm, inclusive_ns_prefixes)
        return canonical


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and by whom."""

    root: Any
    """The document's root element, without the signature"""
    signer: x509.Certificate


def verified(root: Any, anchors: str, at: datetime) -> Signed:
    """The signed part of a document that carries its signature (enveloped). Raises ``CouldNotAsk``.

    ``anchors``: root certificates (PEM), the issuing ones too where answers do not carry them.
    """
    if not anchors.strip():
        raise CouldNotAsk(_NO_ANCHORS, "no root certificates")
    found = _certificates(root)
    signer = next((one for one in found if not _is_ca(one)), found[0])
    try:
        chains.verify(signer, found, anchors, at)
    except ChainError as error:
        raise CouldNotAsk(_WORDS.get(error.reason, _UNFIT), f"signer: {error}") from None
    return Signed(_content(root, signer, at), signer)


def _certificates(root: Any) -> list[x509.Certificate]:
    elements = root.findall(f"{_DS}Signature/{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    if not elements or len(elements) > chains.MOST_INTERMEDIATES + 1:
        raise CouldNotAsk(_NOT_SIGNED, f"{len(elements)} certificates")
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(one.text or "")) for one in elements]
    except chains.MALFORMED as error:
        raise CouldNotAsk(_NOT_SIGNED, f"certificate: {type(error).__name__}") from None


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        constraints = chains.extension(certificate, x509.BasicConstraints)
    except ChainError:
        return False
    return bool(constraints and constraints.ca)


def _content(root: Any, signer: x509.Certificate, at: datetime) -> Any:
    """What the signature holds for, read anew from the octets that it covers."""
    reference = root.find(f"{_DS}Signature/{_DS}SignedInfo/{_DS}Reference")
    # The whole document and nothing else: a signed part that has been moved elsewhere is no answer.
    if reference is None or reference.get("URI") != "":
        raise CouldNotAsk(_NOT_SIGNED, "not signed as a whole")
    try:
        result = _Verifier().verify(root, x509_cert=signer, expect_config=replace(_CONFIGURATION, verification_time=at))
    except (SignXMLException, InvalidSignature, etree.LxmlError, *_SENSELESS) as error:
        raise CouldNotAsk(_ALTERED, f"signature: {type(error).__name__}") from None
    assert not isinstance(result, list)
    if result.signed_xml is None or result.signed_xml.tag != root.tag:
        raise CouldNotAsk(_NOT_SIGNED, "something else is signed")
    return result.signed_xml
