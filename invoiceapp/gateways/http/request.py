"""A consignment as one HTTP request: the body, and the headers that let us in, sign and name it."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from invoiceapp.domain.fields import FieldInvalid
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Consignment, Payload, Refused, safe_filename
from invoiceapp.gateways.file_drop import DEFAULT_FILENAME

from .settings import fixed_headers, form_fields, header_value
from .signature import sign


@dataclass(frozen=True, slots=True)
class Body:
    """What stands under the headers."""

    content: bytes
    media_type: str


def body_of(consignment: Consignment, config: Mapping[str, Any]) -> Body:
    """The same bytes for the same consignment and settings, so that a repetition is recognised. Raises ``FieldInvalid``."""
    if config.get("body") != "multipart":
        return Body(consignment.payload.content, consignment.payload.media_type)
    parts = [_field(name, value) for name, value in form_fields(config.get("form_fields") or "")]
    files = [(config.get("file_field") or "file", consignment.payload)]
    if config.get("with_pdf"):
        pdfs = (one for one in consignment.companions if one.media_type == "application/pdf")
        files += [(config.get("pdf_field") or "pdf", pdf) for pdf in pdfs]
    stem = file_stem(consignment, config)
    parts += [_file(name, stem, payload) for name, payload in files]
    return _multipart(parts, consignment.key)


def file_stem(consignment: Consignment, config: Mapping[str, Any]) -> str:
    """The name of its files in a form, without extension."""
    return consignment.stem(str(config.get("filename") or DEFAULT_FILENAME))


def _quoted(name: str) -> str:
    """As browsers write names in a form (HTML standard, multipart/form-data encoding)."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _field(name: str, value: str) -> bytes:
    return f'Content-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}'.encode()


def _file(name: str, stem: str, payload: Payload) -> bytes:
    filename = stem + PurePosixPath(safe_filename(payload.filename)).suffix
    head = f'Content-Disposition: form-data; name="{_quoted(name)}"; filename="{_quoted(filename)}"\r\n'
    return f"{head}Content-Type: {payload.media_type}\r\n\r\n".encode() + payload.content


def _multipart(parts: list[bytes], key: str) -> Body:
    """RFC 7578. The boundary comes from the key and is lengthened until no part holds it."""
    boundary = "part-" + hashlib.sha256(key.encode()).hexdigest()[:32]
    while any(boundary.encode() in part for part in parts):
        boundary = "part-" + hashlib.sha256(boundary.encode()).hexdigest()[:32]
    line = f"--{boundary}".encode()
    content = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
    return Body(content, f"multipart/form-data; boundary={boundary}")


def headers_of(config: Mapping[str, Any], body: bytes = b"") -> dict[str, str]:
    """The headers of every request: the fixed ones, who we are, the signature. Raises ``Refused``."""
    try:
        fixed = fixed_headers(config.get("headers") or "")
        return {"Accept": "*/*", "User-Agent": "invoiceapp"} | fixed | _access(config) | _signature(config, body)
    except FieldInvalid as error:
        raise unusable(error) from error


def _access(config: Mapping[str, Any]) -> dict[str, str]:
    auth = config.get("auth")
    if auth == "bearer":
        return {"Authorization": "Bearer " + header_value(config.get("token") or "")}
    if auth == "header":
        return {config.get("auth_header") or "X-Api-Key": header_value(config.get("auth_value") or "")}
    if auth == "basic":
        return {"Authorization": "Basic " + basic(config)}
    return {}


def basic(config: Mapping[str, Any]) -> str:
    """The pair in base64 (RFC 7617, in UTF-8)."""
    pair = f"{config.get('username') or ''}:{config.get('password') or ''}"
    return base64.b64encode(pair.encode()).decode()


def _signature(config: Mapping[str, Any], body: bytes) -> dict[str, str]:
    if config.get("signature") != "hmac-sha256":
        return {}
    key, now = (config.get("signature_key") or "").strip(), int(time.time())
    if not key:
        raise FieldInvalid(Text("Den fælles nøgle mangler.", "The shared key is missing."))
    return {
        config.get("timestamp_header") or "X-Timestamp": str(now),
        config.get("signature_header") or "X-Signature": sign(key, now, body),
    }


def unusable(error: FieldInvalid) -> Refused:
    """Settings that were stored and yet cannot be used, such as a token with a line break in it."""
    return Refused(
        Text(
            f"Gatewayens indstillinger kan ikke bruges, så intet er sendt: {error.text.da} Ret dem, og kør forbindelsestesten.",
            f"The settings of the gateway cannot be used, so nothing was sent: {error.text.en} Correct them, and run the "
            "connection test.",
        ),
        str(error),
    )
