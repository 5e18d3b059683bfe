"""To the identity provider and back.

The way there is a plain link, because browsers hold back forms that lead to another site (form-action of our CSP). The way
back shows a form that sends itself: a question by GET changes nothing here.
"""

from __future__ import annotations

import time

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_security import login_user

from invoiceapp.account_security import tell
from invoiceapp.blueprints.main.way_back import is_here, page_at_or_above
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.extensions import security
from invoiceapp.languages import say
from invoiceapp.models import User, db
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.sign_in import oidc, throttling
from invoiceapp.sessions import FIRST_STEP

blueprint = Blueprint("oidc", __name__, url_prefix="/oidc")

_KEPT = "oidc"
_SIGN_IN, _VERIFY, _LINK = "sign-in", "verify", "link"
_LINKED = Text(
    "Du kan nu logge ind med din konto hos firmaets login-tjeneste.",
    "You can now sign in with your account at your company's login service.",
)


@blueprint.app_template_global()
def oidc_label() -> str:
    """What its button says; nothing where there is no provider."""
    known = oidc.provider()
    return known.label if known else ""


@blueprint.app_template_filter()
def oidc_linked(user: User) -> bool:
    """Whether the person can sign in there."""
    return oidc.is_linked(str(user.id))


@blueprint.get("/start")
@policy("public")
def start() -> ResponseReturnValue:
    """To the provider: to sign in, or for somebody who is signed in, to show anew who they are."""
    purpose = _VERIFY if current_user.is_authenticated else _SIGN_IN
    try:
        throttling.check("login", address=request.remote_addr)
        throttling.check("oidc", address=request.remote_addr)
        throttling.failed("oidc", address=request.remote_addr)
        return redirect(_ask(purpose, request.args.get("next", "")))
    except ServiceError as error:
        return _back_to_start(purpose, error)


@blueprint.post("/link")
@policy("self", fresh=True)
def link() -> ResponseReturnValue:
    """Connect an account there with the person: a page with the way there."""
    try:
        address = _ask(_LINK, url_for("account.security"))
    except ServiceError as error:
        return _back_to_start(_LINK, error)
    return render_template("oidc/link.html", address=address)


def _ask(purpose: str, way_back: str) -> str:
    if oidc.provider() is None:
        abort(404)
    address, asked = oidc.ask(again=purpose == _VERIFY)
    session[_KEPT] = asked.to_json() | {"purpose": purpose, "next": way_back if is_here(way_back) else ""}
    return address


@blueprint.get("/callback")
@policy("public")
def returned() -> ResponseReturnValue:
    """Back from the provider, with a code that is used by the form of this page."""
    if oidc.provider() is None:
        abort(404)
    state, code = request.args.get("state", ""), request.args.get("code", "")
    if not state or not code or _KEPT not in session:
        flash(_("Nobody was signed in. Start again."), "warning")
        return redirect(url_for("security.login"))
    return render_template("oidc/callback.html", state=state, code=code)


@blueprint.post("/callback")
@policy("public")
def finish() -> ResponseReturnValue:
    """Believe the provider, or not. What was asked counts once."""
    if oidc.provider() is None:
        abort(404)
    kept = session.pop(_KEPT, None)
    if kept is None:
        flash(_("Nobody was signed in. Start again."), "warning")
        return redirect(url_for("security.login"), 303)
    purpose, way_back = kept.pop("purpose"), kept.pop("next")
    person = current_user.id if current_user.is_authenticated else None
    # Nothing is kept waiting while the provider is asked.
    db.session.rollback()
    try:
        account = oidc.answered(oidc.Asked(**kept), request.form.get("state", ""), request.form.get("code", ""))
        return _ENDINGS[purpose](account, person, way_back)
    except ServiceError as error:
        throttling.failed("login", address=request.remote_addr)
        return _back_to_start(purpose, error)


def _sign_in(account: oidc.Account, _person: str | None, way_back: str) -> ResponseReturnValue:
    user = db.session.get_one(User, oidc.sign_in(account))
    answer: ResponseReturnValue | None = security.two_factor_plugins.tf_enter(user, False, "oidc", next_loc=way_back)
    if answer is not None:
        session[FIRST_STEP] = "oidc"
        return answer
    with transaction():
        login_user(user, remember=False, authn_via=["oidc"])
    return redirect(page_at_or_above(way_back), 303)


def _verify(account: oidc.Account, person: str | None, way_back: str) -> ResponseReturnValue:
    oidc.require_same(person or "", account)
    session["fs_paa"] = time.time()
    flash(_("Thank you. You can go on."), "success")
    return redirect(page_at_or_above(way_back), 303)


def _link(account: oidc.Account, person: str | None, _way_back: str) -> ResponseReturnValue:
    if person is None:
        return redirect(url_for("security.login"), 303)
    oidc.link(person, account)
    tell(_LINKED, db.session.get_one(User, person))
    flash(_("The account is connected. You can sign in with it from now on."), "success")
    return redirect(url_for("account.security"), 303)


_ENDINGS = {_SIGN_IN: _sign_in, _VERIFY: _verify, _LINK: _link}


def _back_to_start(purpose: str, error: ServiceError) -> ResponseReturnValue:
    flash(say(error.text), "error")
    page = {_SIGN_IN: "security.login", _VERIFY: "security.verify", _LINK: "account.security"}[purpose]
    return redirect(url_for(page), 303)


@blueprint.post("/unlink")
@policy("self", fresh=True)
def unlink() -> ResponseReturnValue:
    """Sign in there no more."""
    if oidc.provider() is None:
        abort(404)
    try:
        oidc.unlink(current_user.id)
        flash(_("The connection is removed."), "success")
    except ServiceError as error:
        flash(say(error.text), "error")
    return redirect(url_for("account.security"), 303)
