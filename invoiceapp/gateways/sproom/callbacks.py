"""What Sproom posts to us (webhooks), and the signature that proves it: SHA256withRSA over the body as it came."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from invoiceapp.gateways.providers import Notice, as_reference, members, told

#: Lower-case name of the header with the signature in base64.
SIGNATURE = "x-signature"
#: The kind that says something of what we sent; "documentReceived" is about another document.
CHANGED = "documentStatusChanged"
_SMALLEST_KEY = 2048


def read(content: bytes) -> Notice | None:
    """What a callback says of a document; None where it is none of Sproom's, or about no document."""
    body = members(content)
    document = as_reference(body.get("documentId"))
    if document is None or not isinstance(body.get("webhookType"), str):
        return None
    word = body.get("documentStatus") if body["webhookType"] == CHANGED else ""
    return Notice(document, word if isinstance(word, str) else "", told(body.get("statusDetails")))


def public_key(text: str) -> rsa.RSAPublicKey:
    """From PEM, or from the base64 between its lines. Raises ``ValueError``."""
    try:
        if "-----BEGIN" in text:
            found = serialization.load_pem_public_key(text.strip().encode())
        else:
            found = serialization.load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (UnsupportedAlgorithm, binascii.Error, UnicodeError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, rsa.RSAPublicKey) or found.key_size < _SMALLEST_KEY:
        raise ValueError("not an RSA key of 2048 bits or more")
    return found


def is_signed_with(key: str, content: bytes, signature: str) -> bool:
    """Whether the signature (base64) is of these bytes. Raises ``ValueError`` where the key cannot be used."""
    known = public_key(key)
    try:
        known.verify(base64.b64decode(signature, validate=True), content, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
