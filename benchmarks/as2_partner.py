"""An AS2 partner of the benchmarks: opens messages, proves their signature, and signs receipts."""

from __future__ import annotations

import base64
import hashlib

from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from invoiceapp.gateways.as2 import mime, smime
from invoiceapp.gateways.certificates import PrivateKey
from invoiceapp.trust import detached


def answer(
    headers: dict[str, str], body: bytes, own: x509.Certificate, key: PrivateKey, theirs: x509.Certificate
) -> bytes:
    """The HTTP answer with a signed receipt for a message that is signed and encrypted (AES-CBC, PKCS #1 v1.5).

    Names of ``headers`` are lower-case. Raises ``NotSigned`` for one that ``theirs`` did not sign.
    """
    content, signature = mime.parts(mime.parse(_decrypted(body, key)))
    detached.verify(content, mime.parse(signature).content, [theirs])
    mic = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return receipt(headers["message-id"], mic, own, key)


def _decrypted(body: bytes, key: PrivateKey) -> bytes:
    assert isinstance(key, rsa.RSAPrivateKey)
    envelope = cms.ContentInfo.load(body)["content"]
    secret = key.decrypt(envelope["recipient_infos"][0].chosen["encrypted_key"].native, rsa_padding.PKCS1v15())
    info = envelope["encrypted_content_info"]
    start = info["content_encryption_algorithm"]["parameters"].native
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(start)).decryptor()
    padded = decryptor.update(info["encrypted_content"].native) + decryptor.finalize()
    unpadder = padding.PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def receipt(message_id: str, mic: str, certificate: x509.Certificate, key: PrivateKey) -> bytes:
    """The HTTP answer with a signed MDN that the message was processed; ``mic`` is base64 of SHA-256."""
    notification = (
        f"Final-Recipient: rfc822; Partner\r\nOriginal-Message-ID: {message_id}\r\n"
        "Disposition: automatic-action/MDN-sent-automatically; processed\r\n"
        f"Received-Content-MIC: {mic}, sha-256\r\n"
    )
    report = (
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="inner"\r\n\r\n'
        "--inner\r\nContent-Type: text/plain\r\n\r\nThank you.\r\n"
        f"--inner\r\nContent-Type: message/disposition-notification\r\n\r\n{notification}\r\n--inner--\r\n"
    ).encode()
    signature = base64.encodebytes(smime.sign(report, certificate, key, "sha256"))
    body = (
        b"--outer\r\n" + report + b"\r\n--outer\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + signature + b"\r\n--outer--\r\n"
    )
    kind = 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="outer"'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nMessage-ID: <1@partner>\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
