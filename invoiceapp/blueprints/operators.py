"""Programs of whoever runs the installation: they show its key, or ask from the machine itself."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from flask import abort, make_response, request
from flask.typing import ResponseReturnValue

from invoiceapp.current import config

#: Whoever asks through a proxy asks from elsewhere, also where the proxy runs on this machine and nobody has told us of it.
_OF_PROXIES = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


def require() -> ResponseReturnValue | None:
    """None lets the request pass; who shows no key, or a wrong one, is told how to."""
    token = config().metrics_token
    if not token:
        return None if _is_near() else abort(403)
    shown = request.headers.get("Authorization", "").partition("Bearer ")[2]
    if hmac.compare_digest(shown.encode(), token.encode()):
        return None
    return make_response("", 401, {"WWW-Authenticate": "Bearer"})


def _is_near() -> bool:
    if any(header in request.headers for header in _OF_PROXIES):
        return False
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
