"""Where the person is signed in, and ending it there."""

from __future__ import annotations

from datetime import timedelta

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user

from invoiceapp.blueprints.policy import policy
from invoiceapp.models import SignInKind, SignInSession
from invoiceapp.services.sign_in import sessions
from invoiceapp.sessions import current_token

from .blueprint import blueprint

#: What browsers and systems call themselves, the most telling first: most claim to be several.
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"), ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@blueprint.get("/sessions")
@policy("self")
def list_sessions() -> str:
    """The sessions that are alive, the person's own only."""
    rows, token = sessions.alive(str(current_user.id)), current_token()
    current = next((row.id for row in rows if sessions.is_current(row, token)), None)
    return render_template(
        "account/sessions.html", rows=rows, current=current, device=_device, way=_way,
        idle_hours=sessions.IDLE // timedelta(hours=1), longest_days=sessions.LONGEST.days,
    )  # fmt: skip


@blueprint.post("/sessions/<session_id>/end")
@policy("self", fresh=True)
def end_session(session_id: str) -> ResponseReturnValue:
    """Sign out there, at once."""
    if sessions.end(str(current_user.id), session_id):
        flash(_("The sign-in is ended."), "success")
    return redirect(url_for(".list_sessions"), 303)


@blueprint.post("/sessions/end-others")
@policy("self", fresh=True)
def end_other_sessions() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    count = sessions.end_others(str(current_user.id), current_token())
    flash(ngettext("%(num)s sign-in is ended.", "%(num)s sign-ins are ended.", count), "success")
    return redirect(url_for(".list_sessions"), 303)


def _device(row: SignInSession) -> str:
    """In words, as far as the browser tells."""
    browser = next((name for sign, name in _BROWSERS if sign in row.user_agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in row.user_agent), None)
    if browser and system:
        return str(_("%(browser)s on %(system)s", browser=browser, system=system))
    return str(browser or system or _("Unknown browser"))


def _way(row: SignInSession) -> str:
    words = {
        SignInKind.PASSWORD: _("Password"),
        SignInKind.PASSWORD_CODE: _("Password and code"),
        SignInKind.PASSWORD_RECOVERY: _("Password and recovery code"),
        SignInKind.PASSWORD_PASSKEY: _("Password and passkey"),
        SignInKind.PASSKEY: _("Passkey"),
        SignInKind.OIDC: _("Your company's sign-in"),
    }
    return str(words[row.kind])
