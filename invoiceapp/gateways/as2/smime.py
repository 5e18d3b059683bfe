"""Sign, encrypt and compress (RFC 8551, RFC 5652, RFC 5083, RFC 3274): CMS structures from octets."""

from __future__ import annotations

import os
import zlib

from asn1crypto import algos, cms, core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from invoiceapp.gateways.certificates import PrivateKey
from invoiceapp.trust.detached import DIGESTS

#: Bits of the key and asn1crypto's name, by the gateway's choice.
CIPHERS = {
    "aes128-cbc": (128, "aes128_cbc"),
    "aes256-cbc": (256, "aes256_cbc"),
    "aes128-gcm": (128, "aes128_gcm"),
    "aes256-gcm": (256, "aes256_gcm"),
}
_BLOCK = 16
#: RFC 5084 3.2 recommends twelve octets; the tag is never cut short.
_NONCE, _TAG = 12, 16


class GcmParameters(core.Sequence):  # type: ignore[misc]
    """RFC 5084 3.2, which asn1crypto lacks."""

    _fields = [("nonce", core.OctetString), ("tag_length", core.Integer, {"default": 12})]


def sign(content: bytes, certificate: x509.Certificate, key: PrivateKey, digest: str) -> bytes:
    """A detached SignedData (DER) over the octets, with signed attributes and our certificate."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, DIGESTS[digest]())
    # Binary: the library must not touch line ends, which are CRLF already.
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities]
    return builder.sign(Encoding.DER, options)


def compress(content: bytes) -> bytes:
    """CompressedData (RFC 3274, DER) with zlib."""
    data = {
        "version": "v0",
        "compression_algorithm": {"algorithm": "zlib"},
        "encap_content_info": {"content_type": "data", "content": zlib.compress(content, 6)},
    }
    return _content_info("compressed_data", cms.CompressedData(data))


def encrypt(content: bytes, certificate: x509.Certificate, cipher: str, transport: str) -> bytes:
    """EnvelopedData, or AuthEnvelopedData for GCM, for one receiver (DER).

    ``transport``: how the key is wrapped, ``pkcs1v15`` or ``oaep``. The certificate's key must be RSA.
    """
    bits, name = CIPHERS[cipher]
    key = os.urandom(bits // 8)
    recipient = _recipient(certificate, key, transport)
    if cipher.endswith("-gcm"):
        return _gcm(content, key, name, recipient)
    return _cbc(content, key, name, recipient)


def _recipient(certificate: x509.Certificate, key: bytes, transport: str) -> cms.RecipientInfo:
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    if transport == "oaep":
        sha256 = {"algorithm": "sha256"}
        algorithm = {
            "algorithm": "rsaes_oaep",
            "parameters": algos.RSAESOAEPParams(
                {"hash_algorithm": sha256, "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": sha256}}
            ),
        }
        mask = rsa_padding.MGF1(hashes.SHA256())
        wrapped = public.encrypt(key, rsa_padding.OAEP(mask, hashes.SHA256(), None))
    else:
        algorithm = {"algorithm": "rsaes_pkcs1v15"}
        wrapped = public.encrypt(key, rsa_padding.PKCS1v15())
    loaded = cms.Certificate.load(certificate.public_bytes(Encoding.DER))
    rid = {"issuer": loaded.issuer, "serial_number": loaded.serial_number}
    return cms.RecipientInfo(
        "ktri",
        {
            "version": "v0",
            "rid": cms.RecipientIdentifier("issuer_and_serial_number", rid),
            "key_encryption_algorithm": algorithm,
            "encrypted_key": wrapped,
        },
    )


def _cbc(content: bytes, key: bytes, name: str, recipient: cms.RecipientInfo) -> bytes:
    start = os.urandom(_BLOCK)
    padder = padding.PKCS7(_BLOCK * 8).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    encrypted = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
    algorithm = cms.EncryptionAlgorithm({"algorithm": name, "parameters": start})
    data = {"version": "v0", "recipient_infos": [recipient], "encrypted_content_info": _encrypted(algorithm, encrypted)}
    return _content_info("enveloped_data", cms.EnvelopedData(data))


def _gcm(content: bytes, key: bytes, name: str, recipient: cms.RecipientInfo) -> bytes:
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, content, None)
    algorithm = cms.EncryptionAlgorithm(
        {"algorithm": name, "parameters": GcmParameters({"nonce": nonce, "tag_length": _TAG})}
    )
    data = {
        "version": "v0",
        "recipient_infos": [recipient],
        "auth_encrypted_content_info": _encrypted(algorithm, sealed[:-_TAG]),
        "mac": sealed[-_TAG:],
    }
    return _content_info("authenticated_enveloped_data", cms.AuthEnvelopedData(data))


def _encrypted(algorithm: cms.EncryptionAlgorithm, content: bytes) -> dict[str, object]:
    return {"content_type": "data", "content_encryption_algorithm": algorithm, "encrypted_content": content}


def _content_info(kind: str, content: object) -> bytes:
    return bytes(cms.ContentInfo({"content_type": kind, "content": content}).dump())
