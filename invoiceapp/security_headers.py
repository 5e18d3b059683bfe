"""Security headers on every answer, and content hashes in the addresses of static files (ASVS 5.0 chapter 3.4)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

#: No inline script or style anywhere, so no nonce is needed.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "frame-src 'self'",
        "object-src 'none'",
        "manifest-src 'self'",
    )
)
#: For a file that a page of ours shows in a frame, such as the PDF beside the XML.
EMBEDDED_FILE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ONE_YEAR = 31_536_000


def init_app(app: Flask) -> None:
    """Set the headers after every request, error pages and static files included."""
    app.after_request(_set_headers)
    app.url_defaults(_add_version)


def embeddable(response: Response) -> Response:
    """Let our own pages, and nobody else's, show this file in a frame."""
    response.headers["Content-Security-Policy"] = EMBEDDED_FILE_POLICY
    return response


def _set_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}; includeSubDomains"
    response.headers["Cache-Control"] = _cache_control(response)
    return response


def _cache_control(response: Response) -> str:
    """Pages hold business data and stay out of every cache; a versioned static file never changes."""
    if request.endpoint != "static" or response.status_code >= 400:
        return "no-store"
    return f"public, max-age={ONE_YEAR}, immutable" if "v" in request.args else "no-cache"


def _add_version(endpoint: str, values: dict[str, Any]) -> None:
    """``url_for('static', filename=…)`` gets ``?v=`` and the first digits of the content's hash."""
    if endpoint != "static" or current_app.static_folder is None:
        return
    file = Path(current_app.static_folder, values.get("filename", ""))
    if file.is_file():
        values.setdefault("v", _content_hash(file, file.stat().st_mtime_ns))


@lru_cache(maxsize=64)
def _content_hash(file: Path, _modified: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]
