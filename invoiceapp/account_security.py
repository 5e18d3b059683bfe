"""Flask-Security as we use it: which of its routes are open, and what happens around them (settings: account_settings).

Its pages are ours (templates/security), its mails are not used (``account_mail``), and its JSON answers are switched off:
only pages of ours use these routes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import (
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_security import signals
from flask_security.proxies import _security

from invoiceapp.services.sign_in import account_links, account_mail, second_factors, throttling

from . import freshness
from .account_forms import WrongAtSetup
from .account_settings import PAGE
from .domain.findings import Text
from .extensions import security
from .htmx import hx_redirect
from .languages import say
from .services.errors import ServiceError

log = logging.getLogger(__name__)

#: Flask-Security's routes, which cannot carry ``@policy``. Those of the middle of a sign-in look after themselves.
ACCOUNT_ROUTES: Mapping[str, str] = {
    "security.login": "public",
    "security.logout": "self",
    "security.verify": "self",
    "security.change_password": "self",
    "security.forgot_password": "public",
    "security.reset_password": "public",
    "security.two_factor_setup": "self",
    "security.two_factor_setup_validate": "self",
    "security.two_factor_token_validation": "public",
    "security.two_factor_rescue": "public",
    "security.tf_select": "public",
    "security.mf_recovery_codes": "self",
    "security.mf_recovery": "public",
    "security.wan_register": "self",
    "security.wan_register_response": "self",
    "security.wan_signin": "public",
    "security.wan_signin_response": "public",
    "security.wan_delete": "self",
    "security.wan_verify": "self",
    "security.wan_verify_response": "self",
}
#: Registered whatever the settings, and not used: 404.
CLOSED_ROUTES = frozenset({"security.two_factor_rescue"})
#: What somebody may do whose subscription asks for a second factor that they do not have yet.
_TO_A_SECOND_FACTOR = frozenset(ACCOUNT_ROUTES) | {
    "static", "main.set_language", "account.security", "account.confirm_email", "account.confirm_email_now",
    "oidc.start", "oidc.returned", "oidc.finish",
}  # fmt: skip


def init_app(app: Flask) -> None:
    """After Flask-Security's own ``init_app``."""
    security.want_json(lambda _request: False)
    security.reauthn_handler(lambda _within, _grace: cast(Response, freshness.to_verify()))
    views = app.view_functions
    for endpoint in CLOSED_ROUTES:
        views[endpoint] = _closed
    views["security.forgot_password"] = forgot_password
    views["security.two_factor_setup_validate"] = _keeping_the_picture(views["security.two_factor_setup_validate"])
    # To somebody who is signed in, Flask-Security's would answer by signing them out.
    views["security.two_factor_token_validation"] = _for_visitors(views["security.two_factor_token_validation"])
    app.before_request(_lead_to_a_second_factor)
    for signal, receiver in _NOTICES:
        signal.connect(receiver, app)


def _closed(**_values: str) -> ResponseReturnValue:
    abort(404)


def _for_visitors(view: Callable[..., Any]) -> Callable[..., Any]:
    def open_to_visitors(**values: str) -> ResponseReturnValue:
        answer: ResponseReturnValue = redirect(PAGE) if current_user.is_authenticated else view(**values)
        return answer

    return open_to_visitors


def _keeping_the_picture(view: Callable[..., Any]) -> Callable[..., Any]:
    """A code that is wrong is written again, below the same picture: the app has scanned it already."""

    def with_the_same_secret(token: str) -> ResponseReturnValue:
        try:
            answer: ResponseReturnValue = view(token=token)
        except WrongAtSetup as wrong:
            values = _security.totp_factory.fetch_setup_values(wrong.form.tf_totp_secret, current_user)
            page = render_template(
                "security/two_factor_setup.html", two_factor_setup_form=wrong.form, two_factor_verify_code_form=wrong.form,
                chosen_method="authenticator", state_token=token, authr_qrcode=values["image"], authr_key=values["key"],
            )  # fmt: skip
            return page, 422
        return answer

    return with_the_same_secret


def _lead_to_a_second_factor() -> ResponseReturnValue | None:
    """Whoever needs a second factor and has none gets to the page that makes one, and nowhere else."""
    if request.endpoint in _TO_A_SECOND_FACTOR or not current_user.is_authenticated:
        return None
    if not second_factors.lacks_second_factor(current_user):
        return None
    return hx_redirect(PAGE)


def forgot_password() -> ResponseReturnValue:
    """Ask for a link. Known and unknown addresses get the same answer in the same time: who it is, and whether anybody,
    is looked up when the answer has been sent.
    """
    if request.method == "GET" or not account_mail.is_possible():
        return render_template("security/forgot_password.html", has_mail=account_mail.is_possible(), email="", error="")
    email = request.form.get("email", "").strip()[:255]
    error = "" if "@" in email else _("Write your e-mail address.")
    try:
        who = {"account": email.lower(), "address": request.remote_addr}
        throttling.check("reset", **who)
    except throttling.Throttled as refusal:
        error = say(refusal.text)
    if error:
        return render_template("security/forgot_password.html", has_mail=True, email=email, error=error), 422
    throttling.failed("reset", **who)
    after_response(lambda: account_links.mail_reset(email))
    flash(_("If the address has an account here, a mail with a link is on its way to it."), "info")
    return redirect(url_for("security.forgot_password"), 303)


def after_response(act: Callable[[], None]) -> None:
    """Do it when the visitor has their answer, such as a mail: they do not wait, and cannot see whether it is done.

    No transaction of the request is open then. What fails is in the log.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run() -> None:
        with app.app_context():
            try:
                act()
            except ServiceError as error:
                log.warning("a mail about an account was not sent: %s", error)

    @after_this_request
    def attach(response: Response) -> Response:
        response.call_on_close(run)
        return response


def tell(happened: Text, user: Any, to: str | None = None, subject: Text = account_mail.CHANGED) -> None:
    """Mail a person that their sign-in was changed, after the answer; nothing where there is no mail server."""
    address, language = to or user.email, user.language
    if account_mail.is_possible():
        after_response(lambda: account_mail.send_notice(address, language, happened, subject))


def _telling(happened: Text) -> Callable[..., None]:
    def receive(_app: Flask, user: Any, **_details: Any) -> None:
        tell(happened, user)

    return receive


def _factor_gone(_app: Flask, user: Any, **_details: Any) -> None:
    second_factors.forget_recovery_codes(user)
    tell(_FACTOR_GONE, user)


def _passkey_gone(_app: Flask, user: Any, name: str, **_details: Any) -> None:
    user.webauthn[:] = [key for key in user.webauthn if key.name != name]
    second_factors.forget_recovery_codes(user)
    tell(_PASSKEY_GONE, user)


_FACTOR_GONE = Text(
    "Login beder ikke længere om en kode fra din app.", "Sign-in no longer asks for a code from your app."
)
_PASSKEY_GONE = Text("En passkey er slettet fra din bruger.", "A passkey was deleted from your account.")
_NOTICES: tuple[tuple[Any, Callable[..., None]], ...] = (
    (signals.password_changed, _telling(Text("Din adgangskode er ændret.", "Your password was changed."))),
    (signals.password_reset, _telling(Text("Din adgangskode er valgt på ny.", "Your password was chosen anew."))),
    (
        signals.tf_profile_changed,
        _telling(Text("Login beder nu om en kode fra din app.", "Sign-in now asks for a code from your app.")),
    ),
    (signals.tf_disabled, _factor_gone),
    (signals.wan_registered, _telling(Text("Din bruger har fået en ny passkey.", "Your account has a new passkey."))),
    (signals.wan_deleted, _passkey_gone),
)
