"""The person's own API keys, and for owners and administrators those of their subscription."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from invoiceapp import account_security
from invoiceapp.blueprints.policy import policy
from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Action
from invoiceapp.models import Adaptor, ApiToken, Role, TokenScope
from invoiceapp.services.errors import InvalidInput
from invoiceapp.services.people import access
from invoiceapp.services.sign_in import tokens

from .blueprint import blueprint

_NEW_KEY = Text("Ny API-nøgle på din konto", "New API key on your account")
_MADE = Text("Der er lavet en ny API-nøgle til din bruger.", "A new API key was made for your account.")


def scopes() -> list[tuple[str, str, str]]:
    """What a key may do, as choices: value, words and what that means."""
    return [
        (TokenScope.READ.value, _("Read only"), _("Documents, their files and status. Nothing can be changed.")),
        (
            TokenScope.OPERATE.value,
            _("Read and run"),
            _("Also start runs, send again and handle documents, as far as you may yourself."),
        ),
    ]


def _may_run() -> bool:
    """Whether "read and run" would give more than "read": not for auditors, nor for whoever may only look at all there is."""
    if access.membership().role is Role.AUDITOR:
        return False
    seen = access.open_to(access.of_subscription(Adaptor))
    return not seen or any(access.may(Action.OPERATE, row) for row in seen)


def _offered() -> list[tuple[str, str, str]]:
    return [one for one in scopes() if one[0] != TokenScope.OPERATE.value or _may_run()]


def looks() -> dict[str, tuple[str, str, str]]:
    """Words, colour and icon by ``tokens.Standing``."""
    return {
        "works": (_("Works"), "green", "check"),
        "ends_soon": (_("Ends soon"), "orange", "clock"),
        "expired": (_("Expired"), "secondary", "ban"),
        "revoked": (_("Revoked"), "secondary", "ban"),
        "no_access": (_("No access at the moment"), "orange", "lock"),
    }


def _list_context(rows: list[ApiToken]) -> dict[str, Any]:
    return {
        "rows": rows,
        "standing": tokens.standing,
        "looks": looks(),
        "scopes": {value: words for value, words, _meaning in scopes()},
    }


@blueprint.get("/account/api-keys")
@policy("self")
def index() -> str:
    """The person's own keys, of all their subscriptions."""
    sees_all = bool(access.memberships()) and access.is_administrator()
    rows = tokens.of_person(str(current_user.id))
    return render_template("tokens/page.html", sees_all=sees_all, **_list_context(rows))


def _new(values: dict[str, Any], errors: dict[str, Text] | None = None) -> str:
    return render_template(
        "tokens/new.html", values=values, errors=errors or {}, has_errors=bool(errors), scopes=_offered(),
        adaptors=access.adaptors(), subscription=access.subscription(), most_days=tokens.MOST_DAYS,
        longest_name=tokens.LONGEST_NAME, is_in_several=len(access.memberships()) > 1,
    )  # fmt: skip


@blueprint.get("/account/api-keys/new")
@policy("self", fresh=True)
def new() -> str:
    """The form of a new key for the subscription that is shown."""
    return _new({"scope": TokenScope.READ.value, "days": str(tokens.DEFAULT_DAYS), "adaptors": []})


@blueprint.post("/account/api-keys/new")
@policy("self", fresh=True)
def make() -> ResponseReturnValue:
    """Make it, and show it: this answer is the only place where it can be read."""
    form = request.form
    access.enter(form.get("subscription", ""))
    values: dict[str, Any] = {name: form.get(name, "").strip() for name in ("name", "scope", "days")}
    values["adaptors"] = form.getlist("adaptors")
    try:
        text = tokens.make(
            access.membership(), values["name"], values["scope"], values["days"], values["adaptors"],
            [one.id for one in access.adaptors()],
        )  # fmt: skip
    except InvalidInput as error:
        return _new(values, error.errors), 422
    account_security.tell(_MADE, current_user, subject=_NEW_KEY)
    return render_template("tokens/made.html", text=text, name=values["name"])


@blueprint.post("/account/api-keys/<api_token_id>/revoke")
@policy("self")
def revoke(api_token_id: str) -> ResponseReturnValue:
    """End one of one's own, at once."""
    tokens.revoke(api_token_id, access.actor(), user_id=str(current_user.id))
    flash(_("The key is revoked. Programs that use it are refused from now on."), "success")
    return redirect(url_for(".index"), 303)


@blueprint.get("/api-keys")
@policy("subscription:admin")
def everybodys() -> str:
    """All keys for the subscription, whoever has made them."""
    return render_template("tokens/everybodys.html", **_list_context(tokens.of_subscription(access.subscription().id)))


@blueprint.post("/api-keys/<api_token_id>/revoke")
@policy("subscription:admin")
def revoke_anybodys(api_token_id: str) -> ResponseReturnValue:
    """End one, at once."""
    tokens.revoke(api_token_id, access.actor(), subscription_id=access.subscription().id)
    flash(_("The key is revoked. Programs that use it are refused from now on."), "success")
    return redirect(url_for(".everybodys"), 303)
