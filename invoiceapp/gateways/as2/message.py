"""From a consignment to one AS2 message (RFC 4130, RFC 5402): compress, sign, encrypt, in this order.

Everything up to the signature is the same in every attempt, and so is the MIC
that the partner must answer with; only the keys of the encryption are new.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from typing import Any

from cryptography import x509

from invoiceapp.gateways.base import Consignment, safe_filename
from invoiceapp.gateways.certificates import PrivateKey

from . import mime
from .certificates import Keys, is_encrypted
from .identity import domain_of, header_name, message_id
from .mdn import Mic
from .smime import compress, encrypt, sign

DEFAULT_SUBJECT = "{type} {number}"
_TYPES = {"invoice": "Faktura", "creditNote": "Kreditnota"}
_PKCS7 = "application/pkcs7-mime"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is signed and encrypted."""

    message_id: str
    document: mime.Entity
    body: mime.Entity
    """The document, or its compressed form"""
    mic: Mic

    @property
    def mic_text(self) -> str:
        """Base64, as it stands in a receipt."""
        return base64.b64encode(self.mic.digest).decode("ascii")


def draft(consignment: Consignment, config: Mapping[str, Any]) -> Draft:
    """What of the message is the same in every attempt."""
    encodes = config.get("transfer_encoding") != "binary"
    document = mime.part(
        {
            "Content-Type": _one_line(consignment.payload.media_type),
            "Content-Disposition": f'attachment; filename="{_filename(consignment)}"',
        },
        consignment.payload.content,
        encode=encodes and _is_wrapped(config),
    )
    body = document
    if config.get("compress"):
        headers = {
            "Content-Type": f"{_PKCS7}; smime-type=compressed-data; name=smime.p7z",
            "Content-Disposition": "attachment; filename=smime.p7z",
        }
        body = mime.part(headers, compress(document.octets), encode=encodes and _is_secured(config))
    digest = _digest(config)
    mic = Mic(hashlib.new(digest, _hashed(document, body, config)).digest(), digest)
    return Draft(message_id(consignment, str(config["as2_from"])), document, body, mic)


def seal(prepared: Draft, config: Mapping[str, Any], keys: Keys) -> mime.Entity:
    """The message signed and encrypted with the keys of the day; its headers belong into those of HTTP."""
    sealed = prepared.body
    if keys.own is not None:
        sealed = _signed(sealed, prepared.message_id, _digest(config), *keys.own)
    if keys.partner is not None:
        sealed = _enveloped(sealed, config, keys.partner)
    return sealed


def http_headers(
    prepared: Draft, sealed: mime.Entity, consignment: Consignment, config: Mapping[str, Any]
) -> dict[str, str]:
    """Headers of the request: those of AS2, the wish for a receipt, and those of the content."""
    ours = str(config["as2_from"])
    headers = {
        # RFC 5402 5: from 1.1 on it can be compressed.
        "AS2-Version": "1.1",
        "AS2-From": header_name(ours),
        "AS2-To": header_name(str(config["as2_to"])),
        "Message-ID": prepared.message_id,
        "Subject": _subject(consignment, config),
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
        "MIME-Version": "1.0",
        "User-Agent": "invoiceapp",
    }
    if config.get("mdn") != "none":
        headers["Disposition-Notification-To"] = f"as2@{domain_of(ours)}"
    if config.get("mdn") != "none" and config.get("mdn_signed"):
        headers["Disposition-Notification-Options"] = (
            "signed-receipt-protocol=optional, pkcs7-signature; "
            f"signed-receipt-micalg=optional, {_mic_name(_digest(config))}"
        )
    if config.get("mdn") == "async":
        headers["Receipt-Delivery-Option"] = str(config.get("mdn_url") or "")
    # RFC 4130 5.2.2: HTTP carries octets and knows no transfer encoding.
    return headers | {name: value for name, value in sealed.headers if name != "Content-Transfer-Encoding"}


def _is_secured(config: Mapping[str, Any]) -> bool:
    return bool(config.get("sign")) or is_encrypted(config)


def _is_wrapped(config: Mapping[str, Any]) -> bool:
    """Whether the document lies inside another entity, and not bare in the HTTP body."""
    return _is_secured(config) or bool(config.get("compress"))


def _digest(config: Mapping[str, Any]) -> str:
    return str(config.get("digest") or "sha256")


def _mic_name(digest: str) -> str:
    """RFC 8551 3.5.3.2."""
    return f"{digest[:3]}-{digest[3:]}"


def _hashed(document: mime.Entity, body: mime.Entity, config: Mapping[str, Any]) -> bytes:
    """What the MIC is computed over (RFC 4130 7.3.1, RFC 5402 4)."""
    if config.get("sign"):
        return body.octets
    return document.octets if _is_wrapped(config) else document.body


def _signed(
    body: mime.Entity, identifier: str, digest: str, certificate: x509.Certificate, key: PrivateKey
) -> mime.Entity:
    # Longer than any line of the content could repeat by chance, and the same in every attempt.
    boundary = f"=_{hashlib.sha256(identifier.encode()).hexdigest()[:48]}"
    signature = mime.part(
        {
            "Content-Type": "application/pkcs7-signature; name=smime.p7s",
            "Content-Disposition": "attachment; filename=smime.p7s",
        },
        sign(body.octets, certificate, key, digest),
        encode=True,
    )
    kind = (
        f'multipart/signed; protocol="application/pkcs7-signature"; micalg={_mic_name(digest)}; boundary="{boundary}"'
    )
    return mime.Entity((("Content-Type", kind),), mime.joined(boundary, (body.octets, signature.octets)))


def _enveloped(inner: mime.Entity, config: Mapping[str, Any], partner: x509.Certificate) -> mime.Entity:
    cipher = str(config["encrypt"])
    kind = "authEnveloped-data" if cipher.endswith("-gcm") else "enveloped-data"
    headers = {
        "Content-Type": f"{_PKCS7}; smime-type={kind}; name=smime.p7m",
        "Content-Disposition": "attachment; filename=smime.p7m",
    }
    transport = str(config.get("key_transport") or "pkcs1v15")
    return mime.part(headers, encrypt(inner.octets, partner, cipher, transport), encode=False)


def _filename(consignment: Consignment) -> str:
    return safe_filename(consignment.payload.filename)


def _subject(consignment: Consignment, config: Mapping[str, Any]) -> str:
    """The template with its tokens replaced in one pass; what is not ASCII is encoded (RFC 2047)."""
    values = {
        "{number}": consignment.document_no,
        "{type}": _TYPES.get(consignment.document_type, consignment.document_type),
        "{sender}": consignment.sender_name,
        "{receiver}": consignment.receiver_name,
    }
    template = str(config.get("subject") or DEFAULT_SUBJECT)
    text = re.sub(r"\{(?:number|type|sender|receiver)\}", lambda token: values[token[0]], template)
    return Header(_one_line(text)[:200], "us-ascii" if text.isascii() else "utf-8", maxlinelen=10_000).encode(
        linesep=""
    )


def _one_line(text: str) -> str:
    """Without control characters: nothing of an invoice may add a header."""
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", text).strip()
