"""Signing a program in by the key in its ``Authorization`` header, for one request and without a session."""

from __future__ import annotations

from flask import Response, g, request

from invoiceapp.blueprints.api.problems import problem
from invoiceapp.models import User, db
from invoiceapp.services.people import access
from invoiceapp.services.sign_in import tokens
from invoiceapp.services.sign_in.rates import Rates, TooOften
from invoiceapp.services.sign_in.throttling import Throttled

_SCHEME = "bearer "
_rates = Rates()


def sign_in() -> Response | None:
    """None for a program whose key works; else the answer. A session cookie is not looked at."""
    header = request.headers.get("Authorization", "")
    try:
        if header[: len(_SCHEME)].lower() != _SCHEME:
            raise tokens.Refused
        key = tokens.use(header[len(_SCHEME) :].strip(), request.remote_addr)
        _rates.count(key.id)
    except tokens.Refused as error:
        return problem(401, error.text, {"WWW-Authenticate": 'Bearer realm="invoiceapp"'})
    except Throttled as error:
        return problem(429, error.text, {"Retry-After": str(error.seconds)})
    except TooOften as error:
        return problem(429, error.text, {"Retry-After": str(error.seconds)})
    _act_as(key)
    return None


def _act_as(key: tokens.Key) -> None:
    user = db.session.get_one(User, key.user_id)
    g._login_user = user
    g.api_token, g.token_limit, g.token_adaptors = key.id, key.limit, key.adaptor_ids
    g.membership = next(row for row in access.memberships() if row.subscription_id == key.subscription_id)
