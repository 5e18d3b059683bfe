"""Forms that were refused because the person looks at another company by now, in another tab."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, request, session
from flask_login import current_user
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.exc import SQLAlchemyError

from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people import access

from .way_back import page_at_or_above

#: Of Flask-WTF's tokens, which are the session's secret, signed.
_SALT = "wtf-csrf-token"


def switched_to() -> str | None:
    """The company that is looked at now, where the posted form belongs to one that was left; None elsewhere."""
    left = session.get(access.LEFT)
    if not left or _secret() not in left:
        return None
    try:
        return access.subscription().name if current_user.is_authenticated else None
    except (ServiceError, SQLAlchemyError):
        return None


def _secret() -> object:
    """What the posted token signs; None where we have not made it."""
    posted = request.form.get("csrf_token", "")
    try:
        return URLSafeTimedSerializer(str(current_app.secret_key), salt=_SALT).loads(posted)
    except BadData:
        return None


def way_back() -> str:
    """The page that the form stood on."""
    asked = urlsplit(request.referrer or "")
    path = asked.path if asked.netloc == request.host else request.path
    return page_at_or_above(f"{path}?{asked.query}" if asked.query and path == asked.path else path)
