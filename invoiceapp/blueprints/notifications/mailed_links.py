"""The links of our mails. They work without sign-in, and only a POST acts: programs that look at mails open every link."""

from __future__ import annotations

from flask import redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import refresh

from invoiceapp.blueprints.policy import policy
from invoiceapp.extensions import csrf
from invoiceapp.languages import say
from invoiceapp.models import Recipient, Subscription, db
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.notifications import recipients

from .blueprint import blueprint


def _speak(row: Recipient) -> None:
    """The receiver's language, until they choose another one."""
    session.setdefault("language", row.tongue)
    refresh()


def _dead(error: ServiceError) -> tuple[str, int]:
    return render_template("notifications/dead_link.html", message=say(error.text)), 404


@blueprint.get("/confirm/<token>")
@policy("public")
def ask_to_confirm(token: str) -> ResponseReturnValue:
    """Ask whether the address wants to be told."""
    try:
        row = recipients.asked(token)
    except ServiceError as error:
        return _dead(error)
    _speak(row)
    company = db.session.get_one(Subscription, row.subscription_id).name
    return render_template("notifications/confirm.html", address=row.address, company=company, token=token)


@blueprint.post("/confirm/<token>")
@policy("public")
def confirm(token: str) -> ResponseReturnValue:
    """The address wants to be told."""
    try:
        recipients.confirm(token)
    except ServiceError as error:
        return _dead(error)
    return redirect(url_for(".confirmed"), 303)


@blueprint.get("/confirmed")
@policy("public")
def confirmed() -> str:
    """After a confirmation; the link itself has worked its once."""
    return render_template(
        "notifications/done.html",
        title=_("Thank you"),
        text=_("You are told from now on. Every mail has a link to stop it again."),
    )


@blueprint.get("/unsubscribe/<token>")
@policy("public")
def ask_to_unsubscribe(token: str) -> ResponseReturnValue:
    """Ask whether the mails should stop."""
    try:
        row = recipients.of_unsubscribe(token)
    except ServiceError as error:
        return _dead(error)
    _speak(row)
    return render_template("notifications/unsubscribe.html", address=row.address, token=token)


@blueprint.post("/unsubscribe/<token>")
@policy("public")
def unsubscribe(token: str) -> ResponseReturnValue:
    """No mails any more. Mail programs post here by themselves (RFC 8058): no session, no redirection."""
    try:
        row = recipients.unsubscribe(token)
    except ServiceError as error:
        return _dead(error)
    _speak(row)
    text = _("%(address)s gets no more mails from here.", address=row.address)
    return render_template("notifications/done.html", title=_("The mails have stopped"), text=text)


csrf.exempt(unsubscribe)
