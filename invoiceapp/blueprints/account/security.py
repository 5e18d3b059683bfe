"""How the person signs in, and their e-mail address. The acts themselves are Flask-Security's pages."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_security import signals

from invoiceapp.account_security import tell
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.languages import say
from invoiceapp.models import User, db
from invoiceapp.services.errors import InvalidInput, ServiceError
from invoiceapp.services.sign_in import account_links, account_mail, second_factors, throttling
from invoiceapp.sessions import current_token, go_on_as

from .blueprint import blueprint

_MOVED = Text(
    "Din bruger har fået en anden e-mail. Du kan ikke længere logge ind med denne adresse.",
    "Your account has another e-mail now. You can no longer sign in with this address.",
)


@blueprint.get("/security")
@policy("self")
def security() -> str:
    """Everything about signing in, on one page."""
    user: User = current_user
    return render_template(
        "account/security.html", passkeys=user.webauthn, recovery_codes=len(user.mf_recovery_codes or []),
        has_second_factor=second_factors.has_second_factor(user),
        lacks_second_factor=second_factors.lacks_second_factor(user),
    )  # fmt: skip


def _email_page(email: str, error: str = "") -> str:
    return render_template("account/email.html", email=email, error=error, has_mail=account_mail.is_possible())


@blueprint.get("/email")
@policy("self", fresh=True)
def change_email() -> str:
    """Another address, or a link to confirm the one that is there."""
    return _email_page(current_user.email)


@blueprint.post("/email")
@policy("self", fresh=True)
def send_email_link() -> ResponseReturnValue:
    """Mail a link to the new address. One that somebody else has is answered in the same way."""
    email = request.form.get("email", "")[:255]
    who: dict[str, Any] = {"account": current_user.email, "address": request.remote_addr}
    try:
        throttling.check("reset", **who)
        throttling.failed("reset", **who)
        address = account_links.ask_to_confirm(current_user.id, email)
    except InvalidInput as error:
        return _email_page(email, say(error.errors["email"])), 422
    except ServiceError as error:
        return _email_page(email, say(error.text)), 422
    flash(_("A link is on its way to %(email)s. It works for 2 hours.", email=address), "info")
    return redirect(url_for(".security"), 303)


@blueprint.get("/email/<token>")
@policy("public")
def confirm_email(token: str) -> ResponseReturnValue:
    """What the link confirms; looking at it changes nothing, because programs open links in mails."""
    try:
        address = account_links.proposed(token)
    except ServiceError as error:
        return _refused(token, error)
    return render_template("account/confirm_email.html", address=address, token=token)


@blueprint.post("/email/<token>")
@policy("public")
def confirm_email_now(token: str) -> ResponseReturnValue:
    """Make it the person's address, and tell the old one."""
    try:
        address = account_links.confirm(token, current_token() if current_user.is_authenticated else None)
    except ServiceError as error:
        return _refused(token, error)
    if address.new != address.old:
        user = db.session.get_one(User, address.user_id)
        go_on_as(user)
        signals.change_email_confirmed.send(current_app._get_current_object(), user=user, old_email=address.old)  # type: ignore[attr-defined]
        tell(_MOVED, user, to=address.old)
    flash(_("The address %(email)s is confirmed.", email=address.new), "success")
    return redirect(url_for(".security"), 303)


def _refused(token: str, error: ServiceError) -> ResponseReturnValue:
    return render_template("account/confirm_email.html", address=None, token=token, refusal=say(error.text)), 410
