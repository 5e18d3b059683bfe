"""Requests that no page of ours makes are refused before any view sees them."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, request

from .blueprint import blueprint
from .errors import plain_refusal

_NUL = "\0"


def _has_nul() -> bool:
    if _NUL in request.path:
        return True
    return any(
        _NUL in name or _NUL in value
        for values in (request.args, request.form)
        for name, value in values.items(multi=True)
    )


def _has_impossible_way_back() -> bool:
    """Whether a ``next`` is no address at all: Flask-Security and we would take it apart."""
    ways = [*request.args.getlist("next"), *request.form.getlist("next")]
    try:
        for way in ways:
            # Read with slashes turned too, as browsers do.
            urlsplit(way), urlsplit(way.replace("\\", "/"))
    except ValueError:
        return True
    return False


@blueprint.before_app_request
def refuse_unreadable() -> Response | None:
    """400 for a NUL byte in path, parameters or form, which PostgreSQL's text cannot hold, and for no way back."""
    return plain_refusal() if _has_nul() or _has_impossible_way_back() else None
