"""What ties a browser's signed cookie to its row of ``sign_in_session`` (services/sign_in/sessions.py).

A cookie alone signs nobody in: the row must be alive at every request. At sign-in everything that was in the cookie
before is dropped, so that nobody can prepare a session for somebody else (session fixation).
"""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, flash, g, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import user_logged_out
from flask_security import logout_user, user_authenticated

from invoiceapp import auditing
from invoiceapp.domain.findings import Text
from invoiceapp.htmx import hx_redirect, is_htmx
from invoiceapp.languages import say
from invoiceapp.models import SignInKind, User
from invoiceapp.services.sign_in import sessions, throttling

#: Between two steps: what the first one was, where it was no password.
FIRST_STEP = "first_step"
_TOKEN = "sign_in"  # noqa: S105 - the name of a cookie's entry
#: In the request, so that its row is looked at once.
_VERDICT = "invoiceapp.sign_in"
#: What Flask-Login and Flask-Security have just written at sign-in, and the language that the visitor chose.
_KEPT = ("_user_id", "_fresh", "_id", "fs_cc", "fs_paa", "identity.id", "identity.auth_type", "language")
#: Of a session that is left: how the other cookies are to be cleared, and the language.
_LEFT = ("_remember", "fs_cc", "language")
_KINDS = {"webauthn": SignInKind.PASSKEY, "oauth": SignInKind.OIDC, "oidc": SignInKind.OIDC}
_SECOND_STEPS = {
    "security.two_factor_token_validation": SignInKind.PASSWORD_CODE,
    "security.mf_recovery": SignInKind.PASSWORD_RECOVERY,
    "security.wan_signin_response": SignInKind.PASSWORD_PASSKEY,
}
_NOT_DONE = Text("Det, du trykkede på, er ikke gjort.", "What you pressed was not done.")


def init_app(app: Flask) -> None:
    """After Flask-Security's ``init_app``, and before anything that asks who may do what."""
    user_authenticated.connect(_begin, app)
    user_logged_out.connect(_end, app)
    manager: Any = app.extensions["security"].login_manager
    by_uniquifier = manager._user_callback
    manager.user_loader(lambda uniquifier: by_uniquifier(uniquifier) if _over(uniquifier) is None else None)
    # Flask-Security's own tokens, in headers, addresses and JSON bodies, would need no row.
    manager.request_loader(lambda _request: None)
    app.before_request(_leave_when_over)


def current_token() -> str | None:
    """Of the session that asks; only for services."""
    token = session.get(_TOKEN)
    return token if isinstance(token, str) else None


def go_on_as(user: User) -> None:
    """This browser stays signed in to an account whose uniquifier has just changed (``services.sign_in.sessions.keep``)."""
    if g.get("_login_user") == user:
        session["_user_id"] = session["identity.id"] = user.fs_uniquifier


def _begin(_app: Flask, user: User, authn_via: list[str] | None = None, **_more: object) -> None:
    """Somebody has signed in, all factors done, or signs in anew with a password that they have just changed."""
    kind = _kind(authn_via)
    kept, replaced = {name: session[name] for name in _KEPT if name in session}, current_token()
    session.clear()
    session.update(kept)
    # Flask-WTF keeps what it put into the session here as well.
    g.pop("csrf_token", None)
    session[_TOKEN] = sessions.begin(
        str(user.id), kind, request.remote_addr, request.user_agent.string, replaced=replaced
    )
    request.environ.pop(_VERDICT, None)
    sessions.forget_old()
    throttling.forget_old()


def _kind(authn_via: list[str] | None) -> SignInKind:
    """Flask-Security does not say it after a second step; where that was taken does."""
    if not authn_via and FIRST_STEP not in session:
        return _SECOND_STEPS.get(request.endpoint or "", SignInKind.PASSWORD)
    return next((_KINDS[way] for way in authn_via or [session[FIRST_STEP]] if way in _KINDS), SignInKind.PASSWORD)


def _end(_app: Flask, **_more: object) -> None:
    """Somebody signs out."""
    token, left = current_token(), {name: session[name] for name in _LEFT if name in session}
    session.clear()
    session.update(left)
    if token is not None:
        sessions.sign_out(token)


def _over(uniquifier: str) -> Text | None:
    """Why this request's session is over; None while it is alive."""
    if _VERDICT not in request.environ:
        try:
            # A page that was left open asks for news by itself.
            is_act = request.method not in ("GET", "HEAD") or not is_htmx()
            sessions.require_alive(current_token(), uniquifier, is_act=is_act)
        except sessions.SignedOut as error:
            request.environ[_VERDICT] = error.text
        else:
            request.environ[_VERDICT] = None
    verdict: Text | None = request.environ[_VERDICT]
    return verdict


def _leave_when_over() -> ResponseReturnValue | None:
    """Say why, and lead to the sign-in page and back; pages that ask for no session answer themselves."""
    if request.endpoint == "static" or "_user_id" not in session:
        return None
    why = _over(str(session["_user_id"]))
    if why is None:
        return None
    session.pop(_TOKEN, None)
    logout_user()
    is_question = request.method in ("GET", "HEAD")
    flash(say(why) if is_question else f"{say(why)} {say(_NOT_DONE)}", "warning")
    if not is_question:
        auditing.refused()
    if _is_for_everybody():
        return None
    # Not above: pages know this module.
    from invoiceapp.blueprints.main.way_back import page_looked_at

    return hx_redirect(url_for("security.login", next=page_looked_at()))


def _is_for_everybody() -> bool:
    """Whether the page answers without a session, as the sign-in page itself does."""
    # Not above: pages know this module.
    from invoiceapp.blueprints.policy import PUBLIC, of_endpoint

    found = of_endpoint(current_app, request.endpoint or "")
    return found is not None and (found.kind == PUBLIC or found.is_for_tokens)
