"""Who may call a view: declared at the view, checked once before it, and refused where nothing is declared.

``public``; ``self``: signed in, about oneself; ``operator``: who runs the installation, by its key; ``subscription:view|audit|admin|own`` by the role in the subscription;
``adaptor:…``, ``gateway:…``, ``template:view|operate|edit|manage`` by the level on the row that the address names
(``domain/permissions.py``). What may not be seen does not exist: 404.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, flash, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security import auth_required

from invoiceapp import freshness
from invoiceapp.account_security import ACCOUNT_ROUTES
from invoiceapp.current import config
from invoiceapp.domain.permissions import Action, Role
from invoiceapp.htmx import is_htmx
from invoiceapp.languages import say
from invoiceapp.models import Shared
from invoiceapp.services.people import access, nothing_shared

from . import operators, tenancy

View = TypeVar("View", bound=Callable[..., Any])

log = logging.getLogger(__name__)

PUBLIC, SELF, SUBSCRIPTION, OPERATOR = "public", "self", "subscription", "operator"
#: Roles behind ``subscription:…``.
ROLES: Mapping[str, frozenset[Role]] = {
    "view": frozenset(Role),
    "audit": frozenset({Role.OWNER, Role.ADMIN, Role.AUDITOR}),
    "admin": frozenset({Role.OWNER, Role.ADMIN}),
    "own": frozenset({Role.OWNER}),
}
#: Kinds of what is shared.
SHARED = frozenset({"adaptor", "gateway", "template"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What a view asks of its caller."""

    kind: str
    what: str = ""
    is_fresh: bool = False
    """Whether the person must have signed in, or shown who they are, a short while ago"""
    is_for_tokens: bool = False
    """Called by programs with an API token, never with a session"""

    @property
    def name(self) -> str:
        """As it is declared."""
        return f"{self.kind}:{self.what}" if self.what else self.kind

    @property
    def ask(self) -> access.Ask:
        """For ``access``."""
        return access.Ask(self.kind, Action[self.what.upper()] if self.kind in SHARED else None)


def parse(name: str, *, fresh: bool = False, token: bool = False) -> Policy:
    """Raises ``ValueError`` for a name that means nothing."""
    kind, _colon, what = name.partition(":")
    is_known = (
        (kind in (PUBLIC, SELF, OPERATOR) and not what)
        or (kind == SUBSCRIPTION and what in ROLES)
        or (kind in SHARED and what.upper() in Action.__members__)
    )
    if not is_known:
        raise ValueError(f"no such policy: {name}")
    return Policy(kind, what, fresh, token)


def policy(name: str, *, fresh: bool = False, token: bool = False) -> Callable[[View], View]:
    """Declare who may call the view, such as ``adaptor:operate``.

    ``fresh``: only shortly after signing in. ``token``: for programs, with an API token. Raises ``ValueError``.
    """
    declared = parse(name, fresh=fresh, token=token)

    def declare(view: View) -> View:
        view.policy = declared  # type: ignore[attr-defined]
        return view

    return declare


#: Of views that are not ours.
_OTHERS: dict[str, Policy] = {"static": Policy(PUBLIC)}


def of_endpoint(app: Flask, endpoint: str) -> Policy | None:
    """What was declared; None where nothing was, which nobody may call."""
    found: Policy | None = getattr(app.view_functions.get(endpoint), "policy", None)
    if found is not None:
        return found
    return parse(ACCOUNT_ROUTES[endpoint]) if endpoint in ACCOUNT_ROUTES else _OTHERS.get(endpoint)


def is_open(endpoint: str, about: Shared | None) -> bool:
    """Whether the signed-in person may call a page, of ``about`` where it is about something shared: for menus."""
    found = of_endpoint(current_app, endpoint)
    if found is None:
        return False
    if found.kind in (PUBLIC, SELF):
        return True
    if found.kind == SUBSCRIPTION:
        return access.membership().role in ROLES[found.what]
    return about is None or found.ask.action is None or access.may(found.ask.action, about)


#: Pages about adaptors that ask for no level on one.
_ABOUT_ADAPTORS = frozenset({"main.dashboard", "problems.index", "figures.index"})
#: Where administrators activate an adaptor, and others have nothing to do before one is shared with them.
_ACTIVATING = frozenset({"adaptors.index", "adaptors.catalogue"})


def needs_adaptor(endpoint: str) -> bool:
    """Whether a page is empty for somebody with whom no adaptor is shared."""
    found = of_endpoint(current_app, endpoint)
    if endpoint in _ACTIVATING:
        return not access.is_administrator()
    return endpoint in _ABOUT_ADAPTORS or (found is not None and found.kind == "adaptor")


def _say_nothing_is_shared(found: Policy, endpoint: str) -> ResponseReturnValue | None:
    is_page = request.method == "GET" and not is_htmx() and not found.is_for_tokens
    if not is_page or g.get("about") is not None or not needs_adaptor(endpoint) or not nothing_shared.is_so():
        return None
    return render_template(
        "main/nothing_shared.html", company=access.subscription().name, owners=nothing_shared.whom_to_ask()
    )


def init_app(app: Flask) -> None:
    """Check every request that has found its route, and give templates the questions they ask."""
    app.before_request(check)
    app.add_template_global(freshness.confirm_first_url)
    app.context_processor(
        lambda: {
            "may_configure": access.may_configure,
            "may_operate": access.may_operate,
            "may_manage": access.may_manage,
        }
    )


def check() -> ResponseReturnValue | None:
    """Let the request pass, or answer it."""
    if request.endpoint is None or request.method == "OPTIONS":
        return None
    found = of_endpoint(current_app, request.endpoint)
    if found is None:
        log.error("%s has no policy: nobody may call it", request.endpoint)
        abort(403)
    # Public ones too, unless partners' machines call them (``csrf.exempt``).
    if found.kind != PUBLIC or g.get("csrf_valid"):
        _refuse_foreign_pages()
    if found.kind == PUBLIC:
        return None
    if found.kind == OPERATOR:
        return operators.require()
    refused = _require_person(found)
    if refused is not None:
        return refused
    if not found.is_for_tokens:
        _settle(found)
    if found.kind != SELF:
        g.ask = found.ask
        _enter_named()
        _require_level(found)
        nothing = _say_nothing_is_shared(found, request.endpoint)
        if nothing is not None:
            return nothing
    return freshness.ask_again() if found.is_fresh else None


def _settle(found: Policy) -> None:
    """Where access to what the person looked at has ended, a page shows another; a form is refused.

    Raises ``NotYours``, ``Ended``.
    """
    try:
        access.settle()
    except access.Ended as ended:
        if request.method not in ("GET", "HEAD") and found.kind != SELF:
            access.refuse_ended(ended)
        access.move_on()
        shown = access.subscription().name
        text = _(
            "You no longer have access to %(name)s. You are now looking at %(other)s.",
            name=say(ended.name),
            other=shown,
        )
        flash(text, "warning")


def _require_level(found: Policy) -> None:
    """Raises ``NotYours``, ``NotAllowed``, ``NoMembership``."""
    if found.kind == SUBSCRIPTION:
        if access.membership().role not in ROLES[found.what]:
            raise access.NotAllowed
        return
    named = tenancy.named_shared(found.kind) or (tenancy.chosen_adaptor() if found.kind == "adaptor" else None)
    if named is not None:
        access.about(named)


def _refuse_foreign_pages() -> None:
    """A form that another site has sent: browsers say where it comes from (Fetch Metadata; RFC 6454 section 7)."""
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    is_foreign = site not in (None, "same-origin", "none")
    if not is_foreign and origin is not None:
        is_foreign = not _is_ours(origin)
    if is_foreign:
        log.warning("%s was refused: sent from another site", request.endpoint)
        abort(403)


def _is_ours(origin: str) -> bool:
    """Whether it is the host that was asked, or BASE_URL's: some proxies pass the host without its port."""
    parts = urlsplit(origin)
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    hosts = {host.removesuffix(usual) for host in (request.host, urlsplit(config().base_url).netloc)}
    return parts.netloc.removesuffix(usual) in hosts


def _require_person(found: Policy) -> ResponseReturnValue | None:
    if found.is_for_tokens:
        from . import tokens

        return tokens.sign_in()
    return cast("ResponseReturnValue | None", _signed_in())


@auth_required("session")
def _signed_in() -> None:
    """Flask-Security leads others to the sign-in page."""


def _enter_named() -> None:
    """Act where the row that the address names belongs. A page stays there, so that links of mails simply work."""
    subscription_id = tenancy.named_subscription()
    if subscription_id is None or not access.enter(subscription_id):
        return
    if request.method == "GET" and not is_htmx() and not g.get("api_token"):
        access.stay(subscription_id)
        flash(_("You are now looking at %(name)s.", name=access.subscription().name), "info")
