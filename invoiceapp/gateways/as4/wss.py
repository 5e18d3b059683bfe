"""WS-Security 1.1 with attachments: signing and verifying, encrypting and decrypting, by Peppol's algorithms only.

What was verified is returned as the element that the digest was made of; nothing is looked up a second time.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from invoiceapp.trust import chains
from invoiceapp.trust.chains import MALFORMED

from . import ebms, markup, mime
from .errors import EbmsFault, FailedAuthentication, FailedDecryption, PolicyNoncompliance
from .markup import Element, children, only
from .mime import Part
from .names import (
    AES128_GCM,
    ATTACHMENT_CIPHERTEXT,
    ATTACHMENT_CONTENT_ONLY,
    BASE64_BINARY,
    DS,
    ENCRYPTED_KEY_TOKEN,
    EXC_C14N,
    GZIP_TYPE,
    MGF1_SHA256,
    OCTETS,
    PREFIXES,
    RSA_OAEP,
    RSA_SHA256,
    SHA256,
    SOAP,
    WSSE,
    WSSE11,
    WSU,
    X509_V3,
    XENC,
    XENC11,
    q,
)
from .references import Reference

SMALLEST_RSA = 2048
#: Of a signature: the header, the body, each attachment, and what some sign besides (time stamp, certificate).
MOST_REFERENCES = mime.MOST_PARTS + 10
_IV, _TAG = 12, 16
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


@dataclass(frozen=True, slots=True)
class Identity:
    """Our access point: its certificate and the key to it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a signature covers, and by which certificate; whether that is trusted, the caller decides."""

    certificate: x509.Certificate
    messaging: Element
    """The very element whose digest was checked"""
    references: tuple[Reference, ...]
    signed_info: bytes
    """Canonical"""


def common_name(certificate: x509.Certificate) -> str:
    """The CN of the subject: in Peppol the access point's id. Empty where there is none that can be read."""
    try:
        return chains.subject_common_name(certificate) or ""
    except chains.ChainError:
        return ""


def rsa_key(certificate: x509.Certificate, fault: type[EbmsFault]) -> rsa.RSAPublicKey:
    """The public key, of 2048 bits or more. Raises ``fault``."""
    try:
        key = certificate.public_key()
    except MALFORMED:
        raise fault("a certificate without a usable key") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_RSA:
        raise fault("a certificate without RSA of 2048 bits")
    return key


def _add(parent: Element, namespace: str, name: str, text: str | None = None, /, **attributes: str) -> Element:
    added = etree.SubElement(parent, q(namespace, name), attributes)
    added.text = text
    return added


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _security(root: Element) -> Element:
    header = only(root, q(SOAP, "Header"))
    found = children(header, q(WSSE, "Security"))
    if found:
        return found[0]
    security = etree.SubElement(
        header, q(WSSE, "Security"), nsmap={name: PREFIXES[name] for name in ("ds", "xenc")} | {"wsse11": WSSE11}
    )
    security.set(q(SOAP, "mustUnderstand"), "true")
    return security


def _token(name: str, certificate: x509.Certificate) -> Element:
    token = etree.Element(
        q(WSSE, "BinarySecurityToken"), {"EncodingType": BASE64_BINARY, "ValueType": X509_V3, q(WSU, "Id"): name}
    )
    token.text = _b64(certificate.public_bytes(Encoding.DER))
    return token


def _key_info(parent: Element, uri: str, value_type: str | None) -> Element:
    reference = _add(_add(parent, DS, "KeyInfo"), WSSE, "SecurityTokenReference")
    _add(reference, WSSE, "Reference", URI=uri, **({"ValueType": value_type} if value_type else {}))
    return reference


def sign(root: Element, parts: Sequence[Part], identity: Identity) -> Verified:
    """Sign the ebMS header, the body and the attachments (as they are: compressed, not yet encrypted) of an envelope."""
    messaging, body = ebms.messaging_of(root), only(root, q(SOAP, "Body"))
    security = _security(root)
    security.append(_token("signing-certificate", identity.certificate))
    signature = _add(security, DS, "Signature", Id="signature")
    signed_info = _add(signature, DS, "SignedInfo")
    _add(signed_info, DS, "CanonicalizationMethod", Algorithm=EXC_C14N)
    _add(signed_info, DS, "SignatureMethod", Algorithm=RSA_SHA256)
    references = (
        *(Reference.to_element(str(one.get(q(WSU, "Id"))), one) for one in (messaging, body)),
        *(Reference.to_attachment(part.id, part.content) for part in parts),
    )
    for reference in references:
        reference.write(signed_info)
    canonical = markup.canonical(signed_info)
    value = identity.key.sign(canonical, padding.PKCS1v15(), hashes.SHA256())
    _add(signature, DS, "SignatureValue", _b64(value))
    _key_info(signature, "#signing-certificate", X509_V3)
    return Verified(identity.certificate, messaging, references, canonical)


def verify(root: Element, parts: Sequence[Part], *, needs_body: bool = True) -> Verified:
    """Check the one signature of an envelope: whole, over exactly this ebMS header, this body and these attachments.

    ``parts`` are decrypted. Raises ``EbmsFault``.
    """
    security = ebms.security_of(root)
    signatures = children(security, q(DS, "Signature"))
    if not signatures:
        raise PolicyNoncompliance("not signed")
    if len(list(root.iter(q(DS, "Signature")))) > 1:
        raise FailedAuthentication("more than one signature")
    known = markup.by_id(root)
    certificate = _signing_certificate(signatures[0], known)
    signed_info = only(signatures[0], q(DS, "SignedInfo"), FailedAuthentication)
    canonical = _check_value(signatures[0], signed_info, certificate)
    references = _references(signed_info)
    messaging, body = ebms.messaging_of(root), only(root, q(SOAP, "Body"), FailedAuthentication)
    covered = _check_references(references, known, {part.id: part.content for part in parts})
    wanted = [messaging, body] if needs_body else [messaging]
    if not all(any(one is element for one in covered) for element in wanted):
        raise FailedAuthentication("the signature does not cover the header and the body")
    return Verified(certificate, messaging, references, canonical)


def _references(signed_info: Element) -> tuple[Reference, ...]:
    """Few, and none twice: whoever writes to us may sign with any certificate, and each costs us a digest."""
    elements = children(signed_info, q(DS, "Reference"))
    if len(elements) > MOST_REFERENCES:
        raise FailedAuthentication("more references than anybody needs")
    found = tuple(Reference.parse(one) for one in elements)
    if len({one.uri for one in found}) < len(found):
        raise FailedAuthentication("a reference that stands twice")
    return found


def _signing_certificate(signature: Element, known: Mapping[str, Element]) -> x509.Certificate:
    fault = FailedAuthentication
    holder = only(only(signature, q(DS, "KeyInfo"), fault), q(WSSE, "SecurityTokenReference"), fault)
    uri = only(holder, q(WSSE, "Reference"), fault).get("URI") or ""
    token = known.get(uri.removeprefix("#")) if uri.startswith("#") else None
    if token is None or token.tag != q(WSSE, "BinarySecurityToken"):
        raise FailedAuthentication("the signature names no certificate")
    if token.get("ValueType") != X509_V3:
        raise FailedAuthentication("the certificate is no X509v3 token")
    try:
        return x509.load_der_x509_certificate(markup.octets(token, fault))
    except MALFORMED:
        raise FailedAuthentication("the certificate cannot be read") from None


def _check_value(signature: Element, signed_info: Element, certificate: x509.Certificate) -> bytes:
    """The canonical SignedInfo that the signature value fits to."""
    fault = FailedAuthentication
    form = only(signed_info, q(DS, "CanonicalizationMethod"), fault)
    method = only(signed_info, q(DS, "SignatureMethod"), fault)
    if form.get("Algorithm") != EXC_C14N or method.get("Algorithm") != RSA_SHA256:
        raise FailedAuthentication("signed by another algorithm")
    canonical = markup.canonical(signed_info, markup.prefix_list(form))
    value = markup.octets(only(signature, q(DS, "SignatureValue"), fault), fault)
    try:
        rsa_key(certificate, fault).verify(value, canonical, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise FailedAuthentication("the signature does not fit") from None
    return canonical


def _check_references(
    references: Sequence[Reference], known: Mapping[str, Element], attachments: Mapping[str, bytes]
) -> list[Element]:
    """The elements that are signed. Every attachment must be."""
    covered, seen = [], set()
    for reference in references:
        seen.add(reference.uri)
        name = reference.uri.removeprefix("cid:" if reference.is_attachment else "#")
        if reference.is_attachment:
            content = attachments.get(name)
            actual = None if content is None else Reference.to_attachment(name, content).digest
        else:
            element = known.get(name) if reference.uri.startswith("#") else None
            actual = None if element is None else _digest(element, reference.inclusive)
            if element is not None:
                covered.append(element)
        if actual != reference.digest:
            raise FailedAuthentication("a digest does not fit")
    if not {f"cid:{name}" for name in attachments} <= seen:
        raise FailedAuthentication("an attachment is not signed")
    return covered


def _digest(element: Element, inclusive: tuple[str, ...]) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(markup.canonical(element, inclusive))
    return digest.finalize()


def encrypt(root: Element, parts: Sequence[Part], receiver: x509.Certificate) -> list[Part]:
    """Encrypt the attachments for the receiver and describe that in the header, before the signature.

    Raises ``PolicyNoncompliance`` for a certificate that nothing can be encrypted for.
    """
    public = rsa_key(receiver, PolicyNoncompliance)
    security = _security(root)
    content_key = AESGCM.generate_key(128)
    key = etree.Element(q(XENC, "EncryptedKey"), Id="encrypted-key", nsmap={"xenc": XENC, "ds": DS})
    method = _add(key, XENC, "EncryptionMethod", Algorithm=RSA_OAEP)
    _add(method, DS, "DigestMethod", Algorithm=SHA256)
    etree.SubElement(method, q(XENC11, "MGF"), {"Algorithm": MGF1_SHA256}, nsmap={"xenc11": XENC11})
    _key_info(key, "#encryption-certificate", X509_V3)
    _add(_add(key, XENC, "CipherData"), XENC, "CipherValue", _b64(public.encrypt(content_key, _OAEP)))
    listed = _add(key, XENC, "ReferenceList")
    data = []
    for number, part in enumerate(parts):
        _add(listed, XENC, "DataReference", URI=f"#encrypted-data-{number}")
        data.append(_encrypted_data(f"encrypted-data-{number}", part.id))
    # A receiver decrypts before it verifies, and reads the header from the top.
    for position, element in enumerate([_token("encryption-certificate", receiver), key, *data]):
        security.insert(position, element)
    return [Part(part.id, _sealed(content_key, part.content), OCTETS) for part in parts]


def _sealed(key: bytes, content: bytes) -> bytes:
    """Initialization vector, ciphertext, tag (XML Encryption 1.1, 5.2.4)."""
    vector = os.urandom(_IV)
    return vector + AESGCM(key).encrypt(vector, content, None)


def _encrypted_data(name: str, content_id: str) -> Element:
    data = etree.Element(
        q(XENC, "EncryptedData"), {"Id": name, "MimeType": GZIP_TYPE, "Type": ATTACHMENT_CONTENT_ONLY},
        nsmap={"xenc": XENC, "ds": DS},
    )  # fmt: skip
    _add(data, XENC, "EncryptionMethod", Algorithm=AES128_GCM)
    _key_info(data, "#encrypted-key", None).set(q(WSSE11, "TokenType"), ENCRYPTED_KEY_TOKEN)
    source = _add(_add(data, XENC, "CipherData"), XENC, "CipherReference", URI=f"cid:{content_id}")
    _add(_add(source, XENC, "Transforms"), DS, "Transform", Algorithm=ATTACHMENT_CIPHERTEXT)
    return data


def decrypt(root: Element, parts: Sequence[Part], ours: Sequence[rsa.RSAPrivateKey]) -> list[Part]:
    """The attachments in clear, still compressed. All must be encrypted, by one of our keys. Raises ``EbmsFault``."""
    security = ebms.security_of(root)
    keys = children(security, q(XENC, "EncryptedKey"))
    if not keys:
        raise PolicyNoncompliance("not encrypted")
    if len(keys) > 1:
        raise FailedDecryption("more than one encrypted key")
    content_key = _content_key(keys[0], ours)
    listed = only(keys[0], q(XENC, "ReferenceList"), FailedDecryption)
    named = {one.get("URI") for one in children(listed, q(XENC, "DataReference"))}
    sources: dict[str, None] = {}
    for data in children(security, q(XENC, "EncryptedData")):
        if f"#{data.get('Id')}" in named:
            sources[_source(data)] = None
    if set(sources) != {part.id for part in parts} or not parts:
        raise PolicyNoncompliance("an attachment is not encrypted")
    return [Part(part.id, _unsealed(content_key, part.content), GZIP_TYPE) for part in parts]


def _content_key(encrypted: Element, ours: Sequence[rsa.RSAPrivateKey]) -> bytes:
    fault = FailedDecryption
    method = only(encrypted, q(XENC, "EncryptionMethod"), fault)
    digest = only(method, q(DS, "DigestMethod"), fault).get("Algorithm")
    mask = only(method, q(XENC11, "MGF"), fault).get("Algorithm")
    if (method.get("Algorithm"), digest, mask) != (RSA_OAEP, SHA256, MGF1_SHA256):
        raise FailedDecryption("the key is wrapped by another algorithm")
    value = markup.octets(only(only(encrypted, q(XENC, "CipherData"), fault), q(XENC, "CipherValue"), fault), fault)
    for key in ours:
        try:
            found = key.decrypt(value, _OAEP)
        except ValueError:
            continue
        if len(found) == 16:
            return found
    raise FailedDecryption("not encrypted for our certificate")


def _source(data: Element) -> str:
    fault = FailedDecryption
    method = only(data, q(XENC, "EncryptionMethod"), fault).get("Algorithm")
    source = only(only(data, q(XENC, "CipherData"), fault), q(XENC, "CipherReference"), fault)
    uri = source.get("URI") or ""
    if (method, data.get("Type")) != (AES128_GCM, ATTACHMENT_CONTENT_ONLY) or not uri.startswith("cid:"):
        raise FailedDecryption("encrypted by another algorithm")
    return uri.removeprefix("cid:")


def _unsealed(key: bytes, content: bytes) -> bytes:
    if len(content) < _IV + _TAG:
        raise FailedDecryption("cut on its way")
    try:
        return AESGCM(key).decrypt(content[:_IV], content[_IV:], None)
    except InvalidTag:
        raise FailedDecryption("changed on its way") from None
