"""Requests in the audit log: each that may change something ends as one entry, and so do downloads and sign-ins."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from flask import Flask, Response, g, message_flashed, request
from flask_login import current_user, user_logged_out
from flask_security import signals
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from invoiceapp.models import Membership, User, db, new_id
from invoiceapp.services import audit
from invoiceapp.services.audit import Acting, Actor
from invoiceapp.services.audit.acts import CHOICES, DOWNLOADS
from invoiceapp.services.audit.naming import name_of
from invoiceapp.services.audit.values import clean
from invoiceapp.services.database import transaction
from invoiceapp.services.errors import ServiceError
from invoiceapp.services.people import access

log = logging.getLogger(__name__)

_TOKEN, _ACTOR, _PLACE, _ACTS, _REFUSED = (
    f"invoiceapp.audit.{name}" for name in ("token", "actor", "place", "acts", "refused")
)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGIN = "security.login"
#: Where a form that is shown again, with 200, means that what was typed is not right.
_RETRIED = frozenset(
    {
        _LOGIN, "security.verify", "security.change_password", "security.reset_password", "security.mf_recovery",
        "security.two_factor_token_validation", "security.two_factor_setup_validate",
    }
)  # fmt: skip
#: These sign people in or out, and are acts of the subscription besides.
_JOINING = "invitations.accept"
_BESIDES = frozenset({_JOINING, "people.leave"})
_UNPROCESSABLE = 422
#: Called by partners' machines; what they hand in has events of its own.
_MACHINES = frozenset({"inbound.post"})
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_VISITOR = Actor("visitor", "")
_SIGNALS = {
    signals.password_changed: "password.changed",
    signals.password_reset: "password.reset",
    signals.change_email_confirmed: "email.changed",
    signals.tf_profile_changed: "second_factor.changed",
    signals.tf_disabled: "second_factor.off",
    signals.wan_registered: "passkey.added",
    signals.wan_deleted: "passkey.removed",
    signals.user_authenticated: "sign_in",
    user_logged_out: "sign_out",
}


def init_app(app: Flask) -> None:
    """After the policy check, so that the person is known; what that refuses is noted all the same."""
    app.before_request(_begin)
    app.after_request(_note)
    app.teardown_request(_end)
    for signal, act in _SIGNALS.items():
        signal.connect(_receiver(act), app, weak=False)
    message_flashed.connect(_flashed, app)


def refused() -> None:
    """The request that is being answered did nothing, although its answer is an ordinary page or a redirect."""
    request.environ[_REFUSED] = True


def _flashed(_app: Flask, category: str, **_more: object) -> None:
    """What a service refuses is told on the next page, while its exception is handled. Where something was done, it was done."""
    if category == "success":
        request.environ[_REFUSED] = False
    elif isinstance(sys.exception(), ServiceError):
        request.environ.setdefault(_REFUSED, True)


def _receiver(act: str) -> Any:
    def receive(_app: Flask, user: Any = None, **_more: object) -> None:
        if user is None or not getattr(user, "is_authenticated", False):
            return
        actor = Actor("person", str(user.email), str(user.id))
        request.environ.setdefault(_ACTS, []).append((act, actor))
        if act == "sign_in":
            request.environ[_ACTOR] = actor

    return receive


def _begin() -> None:
    environ = request.environ
    if request.method not in _READING:
        # Now, while the person's row is at hand anyway.
        _who(), _where()
    context = Acting(_who, _where, request.remote_addr, new_id())
    environ[_TOKEN] = audit.begin(context)


def _end(_error: BaseException | None) -> None:
    token = request.environ.pop(_TOKEN, None)
    if token is not None:
        # A response that is streamed may end in another context, which nobody acts in.
        with suppress(ValueError):
            audit.end(token)


def _who() -> Actor:
    environ = request.environ
    if _ACTOR not in environ:
        environ[_ACTOR] = _VISITOR
        if current_user.is_authenticated:
            kind = "token" if g.get("api_token") else "person"
            environ[_ACTOR] = Actor(kind, str(current_user.email), str(current_user.id))
    actor: Actor = environ[_ACTOR]
    return actor


def _where() -> str | None:
    environ = request.environ
    if environ.get(_PLACE) is None:
        try:
            environ[_PLACE] = access.membership().subscription_id
        except ServiceError:
            return None
    return str(environ[_PLACE])


def _note(response: Response) -> Response:
    """One entry, in a transaction of its own; that it cannot be written must not hide what was done."""
    acts = request.environ.pop(_ACTS, [])
    try:
        if _TOKEN not in request.environ:
            # It was answered before: refused, for instance.
            _begin()
        if acts or _is_worth_it(response.status_code):
            # Whatever is open now has been read for the page, or would be lost at the end of the request.
            db.session.rollback()
            with transaction():
                _note_sign_ins(acts)
                if not acts or request.endpoint in _BESIDES:
                    _note_request(response)
    except Exception:
        log.exception("AUDIT: the entry of %s %s could not be written", request.method, clean(request.path, 200))
        db.session.rollback()
    return response


def _is_worth_it(status: int) -> bool:
    endpoint = request.endpoint
    if endpoint is None or endpoint in _MACHINES:
        return False
    if request.method in _READING:
        return endpoint in DOWNLOADS and request.method == "GET" and status in (200, 206)
    # What strangers send in vain would fill the log for nothing; of what they try at the sign-in, a part is enough.
    return _who().kind != "visitor" or (status < 400 and _strangers.may_write())


def _note_request(response: Response) -> None:
    endpoint, status = str(request.endpoint), response.status_code
    address = {name: str(value) for name, value in (request.view_args or {}).items()}
    named = next((name for name in reversed(address) if name.endswith("_id")), None)
    after: dict[str, Any] = {"status": status}
    if len(address) > (named is not None):
        after["address"] = {name: value for name, value in address.items() if name != named}
    if fields := _fields():
        after["fields"] = fields
    if chosen := _chosen(endpoint):
        after["choice"] = chosen
    kind = named.removesuffix("_id") if named else ""
    of = f"{kind}/{address[named]}" if named else None
    outcome = _outcome(endpoint, status)
    if endpoint == _LOGIN and outcome != "done":
        _note_failed_sign_in(after)
        return
    if endpoint == _JOINING and outcome == "done":
        if _who().kind == "visitor":
            # They have a user, and are to sign in first.
            return
        # Told where they are now.
        request.environ.pop(_PLACE, None)
    place = _where()
    name = name_of(kind, address[named], place) if named else ""
    audit.note(endpoint, subscription_id=place, of=of, name=name, after=after, outcome=outcome)


def _outcome(endpoint: str, status: int) -> str:
    if status >= 500:
        return "failed"
    if status == _UNPROCESSABLE:
        return "invalid"
    is_retried = status == 200 and request.method == "POST" and endpoint in _RETRIED
    return "refused" if status >= 400 or is_retried or request.environ.get(_REFUSED) else "done"


def _chosen(endpoint: str) -> str:
    """Which of an act's fixed buttons was pressed; never anything else."""
    try:
        found = request.form.get("verdict", "") if endpoint.startswith("approvals.") else ""
    except HTTPException:
        return ""
    return found if (endpoint, found) in CHOICES else ""


def _fields() -> dict[str, int]:
    """Names of what a form sent, and how many of each; never what."""
    try:
        found = Counter(clean(name, 60) for name, _value in request.form.items(multi=True) if name != "csrf_token")
    except HTTPException:
        return {}
    return dict(found.most_common(50))


def _agent() -> str:
    return clean(request.user_agent.string, 200)


def _note_sign_ins(acts: list[tuple[str, Actor]]) -> None:
    """To all subscriptions of the person: each wants to know."""
    for act, actor in acts:
        places = db.session.scalars(select(Membership.subscription_id).where(Membership.user_id == actor.user_id)).all()
        for place in places or (None,):
            audit.note(
                act, subscription_id=place, of=f"user/{actor.user_id}", actor=actor,
                after={"agent": _agent()},
            )  # fmt: skip


def _note_failed_sign_in(after: dict[str, Any]) -> None:
    """For known and unknown people with the same work, so that nothing tells them apart: one question, one entry."""
    typed = request.form.get("email", "")[:256].strip()
    # Some type their password here.
    email = typed.lower() if _EMAIL.fullmatch(typed) else ""
    place = db.session.scalar(
        select(Membership.subscription_id).join(Membership.user)
        .where(User.email == clean(email, 255)).order_by(Membership.id).limit(1)
    )  # fmt: skip
    audit.note(
        "sign_in.failed", subscription_id=place, actor=Actor("visitor", email), outcome="refused",
        after={**after, "agent": _agent(), **_strangers.left_out()},
    )  # fmt: skip


class _Strangers:
    """So many entries a minute of people who have not signed in; the next one says how many more there were."""

    MOST = 120

    def __init__(self) -> None:
        self._lock, self._minute, self._written, self._left_out = threading.Lock(), 0, 0, 0

    def may_write(self) -> bool:
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._written = minute, 0
            self._written += 1
            self._left_out += self._written > self.MOST
            return self._written <= self.MOST

    def left_out(self) -> dict[str, int]:
        with self._lock:
            found, self._left_out = self._left_out, 0
        return {"left_out": found} if found else {}


_strangers = _Strangers()
