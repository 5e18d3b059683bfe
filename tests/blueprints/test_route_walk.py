"""Every address × method × everybody who might call it, compared with what the views declare.

The views are replaced by one that says that it was reached, so that all of them can be called as everybody. What they do
is tested elsewhere; who gets that far is tested here, and for every route: one without a policy, or with a parameter that
``PARAMETERS`` does not know, fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from conftest import _sign_in
from flask import Flask
from flask.testing import FlaskClient
from support.everything import PARAMETERS, World, address, make_world
from werkzeug.routing import Rule

from invoiceapp.blueprints.policy import OPERATOR, PUBLIC, ROLES, SELF, SHARED, SUBSCRIPTION, Policy, of_endpoint
from invoiceapp.domain.permissions import Action, Role
from invoiceapp.models import db
from invoiceapp.services.people import nothing_shared

REACHED = "reached"
#: Programs, by the scope of their API token.
KEYS = ("read", "operate")
LEVELS = ("viewer", "operator", "editor", "manager")
#: Who has which level on everything that is shared here; None: it does not exist for them.
LEVEL_OF: dict[str, str | None] = {
    **{level: level for level in LEVELS}, "admin": "manager", "owner": "manager", "auditor": "viewer", "outsider": None,
    "stranger": None,
}  # fmt: skip
ROLE_OF = {
    "admin": Role.ADMIN, "owner": Role.OWNER, "auditor": Role.AUDITOR, "stranger": Role.OWNER,
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    endpoint: str
    method: str
    path: str
    names_rows: bool
    policy: Policy


def _calls(app: Flask, world: World) -> list[Call]:
    rules = list(app.url_map.iter_rules())
    unknown = {
        f"{rule.endpoint}: {rule.arguments - PARAMETERS.keys()}" for rule in rules if rule.arguments - PARAMETERS.keys()
    }
    assert not unknown, "give these parameters a value in PARAMETERS"
    found = []
    for rule in rules:
        declared = of_endpoint(app, rule.endpoint)
        assert declared is not None, f"{rule.endpoint} declares no policy"
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        found += [Call(rule.endpoint, one, *_path(rule, world), declared) for one in sorted(methods)]
    return found


def _path(rule: Rule, world: World) -> tuple[str, bool]:
    return address(rule, world), any(name in world.ids for name in rule.arguments)


def _stub(app: Flask) -> None:
    for endpoint, view in list(app.view_functions.items()):
        declared = of_endpoint(app, endpoint)

        def reached(**_arguments: Any) -> str:
            return REACHED

        reached.policy = declared  # type: ignore[attr-defined]
        app.view_functions[endpoint] = reached
        assert view is not reached


def _expected(call: Call, who: str) -> Any:
    """What the answer must be: reached, or a status."""
    policy = call.policy
    # All of them ask from this machine.
    if policy.kind in (PUBLIC, OPERATOR):
        return REACHED
    if policy.is_for_tokens:
        return _of_key(policy, who)
    if who in ("anonymous", "expired", *KEYS):
        return 302
    if policy.kind == SELF:
        return REACHED
    if who == "suspended":
        return 403
    if who == "stranger" and call.names_rows:
        return 404
    if policy.kind == SUBSCRIPTION:
        return REACHED if ROLE_OF.get(who, Role.MEMBER) in ROLES[policy.what] else 403
    return _of_level(call, who)


def _of_key(policy: Policy, who: str) -> Any:
    """API tokens are the owner's, so that only their scope keeps them back."""
    if who not in KEYS:
        return 401
    return REACHED if policy.what == "view" or (who == "operate" and policy.what == "operate") else 403


def _of_level(call: Call, who: str) -> Any:
    assert call.policy.kind in SHARED
    level = LEVEL_OF[who]
    if level is None:
        # Without a row in the address there is nothing that could be theirs or not: the page says that there is nothing yet.
        return 404 if call.names_rows else REACHED
    wanted = Action[call.policy.what.upper()].value
    return REACHED if LEVELS.index(level) >= LEVELS.index(wanted) else 403


def _answer(client: FlaskClient, call: Call, headers: dict[str, str]) -> Any:
    answer = client.open(call.path, method=call.method, headers=headers)
    if answer.status_code in (302, 303):
        return 302
    return REACHED if answer.status_code == 200 and answer.text == REACHED else answer.status_code


def test_every_route_lets_in_whom_it_declares_and_nobody_else(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # The page that says so stands instead of the view, for those who are let in and have no adaptor.
    monkeypatch.setattr(nothing_shared, "is_so", lambda: False)
    world = make_world(lambda user: _sign_in(app, user))
    world.people["anonymous"] = (app.test_client(), {})
    world.people |= {scope: (app.test_client(), headers) for scope, headers in world.keys.items()}
    app.config["WTF_CSRF_ENABLED"] = False
    calls = _calls(app, world)
    _stub(app)
    wrong = []
    for who, (client, headers) in world.people.items():
        for call in calls:
            expected = _expected(call, who)
            found = _answer(client, call, headers)
            db.session.rollback()
            if found != expected:
                wrong.append(
                    f"{who}: {call.method} {call.path} ({call.endpoint}, {call.policy.name}): {found}, not {expected}"
                )
    assert len(calls) > 150 and not wrong, "\n".join(wrong[:60])


def test_every_answer_carries_the_security_headers(app: Flask) -> None:
    """For visitors: pages, refusals, redirects, static files, and addresses that do not exist."""
    world = make_world(lambda user: _sign_in(app, user))
    client = app.test_client()
    paths = {call.path for call in _calls(app, world)} | {"/no-such-page", "/static/no-such-file"}
    for path in sorted(paths):
        for method in ("GET", "POST"):
            answer = client.open(path, method=method)
            headers = answer.headers
            assert headers["X-Content-Type-Options"] == "nosniff", (method, path)
            assert "unsafe" not in headers["Content-Security-Policy"], (method, path)
            assert "default-src 'none'" in headers["Content-Security-Policy"], (method, path)
            assert headers["Referrer-Policy"] == "same-origin", (method, path)
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin", (method, path)
            assert path.startswith("/static") or headers["Cache-Control"] == "no-store", (method, path)
            # Test databases are made without migrations.
            assert answer.status_code < 500 or path == "/readyz", (method, path)
            answer.close()
