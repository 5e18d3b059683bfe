"""What an auditor may call changes nothing: of the whole product's routes, whatever is added to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from support.filling import contents, fill
from werkzeug.routing import Rule

from invoiceapp.blueprints import policy, tenancy
from invoiceapp.domain.four_eyes import Kind
from invoiceapp.models import (
    Approval,
    ApprovalState,
    Membership,
    Role,
    SignInKind,
    Subscription,
    User,
    db,
    new_id,
    utcnow,
)
from invoiceapp.services.sign_in import sessions, tokens

#: Rows of one subscription that belong together: those of this turn. Its adaptor is not deleted.
TURN = 2
#: One's own inbox and wishes, and what only looks: they answer whatever the role is.
OWN = frozenset(
    {
        "inbox.open_notice", "inbox.mark", "inbox.mark_all", "notifications.save_wishes", "notifications.save_hours",
        "notifications.want_mail", "documents.compare", "audit.verify",
        # Copies of what they see; the bell of a pack rings for nothing where nothing is selected.
        "evidence.start", "evidence.cancel", "evidence.verify",
    }
)  # fmt: skip
#: Ends one's own membership, and nothing else; and what names its rows in the form (below).
APART = frozenset({"people.leave", "approvals.decide"})
#: What those write, and what every request writes.
WRITTEN = {"recipient", "notification_preference", "notice", "sign_in_session", "sign_in_failure", "api_token"}


@pytest.fixture
def world(app: Flask) -> dict[str, str]:
    """Rows in every table; ids by the names that addresses use."""
    with db.engine.begin() as connection:
        fill(connection, "a")
        # What everybody is asked about is read as such.
        for table in db.metadata.sorted_tables:
            if "grants" in table.columns:
                connection.execute(text(f"UPDATE {table.name} SET grants = '[]'"))
    subscription_id = sorted(db.session.scalars(select(Subscription.id)))[TURN]
    found = {"subscription_id": subscription_id}
    for name, model in tenancy.NAMED.items():
        query = select(model.id).where(model.subscription_id == subscription_id)
        found[name] = db.session.scalars(query).one()
    return found


def signed_in_as_auditor(app: Flask, subscription_id: str) -> tuple[FlaskClient, Membership]:
    user = User(email="revisor@example.com", active=True, fs_uniquifier=new_id())
    db.session.add(user)
    db.session.flush()
    last_day = (utcnow() + timedelta(days=10)).date()
    member = Membership(subscription_id=subscription_id, user_id=user.id, role=Role.AUDITOR, last_day=last_day)
    db.session.add(member)
    db.session.commit()
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(
            {
                "_user_id": user.fs_uniquifier, "_fresh": True, "fs_cc": "set", "fs_paa": utcnow().timestamp(),
                "identity.auth_type": "session",
                "sign_in": sessions.begin(user.id, SignInKind.PASSWORD, "127.0.0.1", "test"),
            }
        )  # fmt: skip
    return client, member


def changing(app: Flask) -> Iterator[tuple[policy.Policy, str, Rule]]:
    """Every route that is not only read, with its policy and method; but the person's own and the public ones."""
    for rule in app.url_map.iter_rules():
        declared = policy.of_endpoint(app, rule.endpoint)
        assert declared is not None, rule.endpoint
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            if declared.kind not in (policy.PUBLIC, policy.SELF):
                yield declared, method, rule


def address(rule: Rule, world: dict[str, str]) -> str:
    """With the rows of ``world``; a word for anything else, the first where some are named."""

    def value(found: re.Match[str]) -> str:
        words = re.match(r"any\('?([\w-]+)", found[1])
        return words[1] if words else world.get(found[1].rpartition(":")[2], "x")

    return re.sub(r"<([^>]+)>", value, rule.rule)


def kept() -> dict[str, Any]:
    """Everything that is in the database but what one's own calls write."""
    db.session.rollback()
    with db.engine.connect() as connection:
        found = contents(connection)
        connection.rollback()
    return {table: rows for table, rows in found.items() if table not in WRITTEN and not table.startswith("audit")}


def test_an_auditor_changes_nothing_by_any_route_of_the_product(app, world):
    # What is asked for here is who may; that a form needs its token is asked elsewhere.
    app.config["WTF_CSRF_ENABLED"] = False
    client, member = signed_in_as_auditor(app, world["subscription_id"])
    key = {"Authorization": f"Bearer {tokens.make(member, 'Revision', 'operate', '9', (), ())}"}
    before, wrong, own = kept(), [], set()
    for declared, method, rule in changing(app):
        path = address(rule, world)
        options = {"headers": key, "json": {}} if declared.is_for_tokens else {}
        named = f"{path}?adaptor={world['adaptor_id']}" if "adaptor" in declared.kind else path
        if rule.endpoint in APART:
            continue
        if rule.endpoint in OWN:
            own.add(rule.endpoint)
            client.open(named, method=method)
            continue
        answer = client.open(named, method=method, **options)
        bare = client.open(path, method=method, **options)
        if answer.status_code != 403 or bare.status_code not in (403, 404):
            wrong.append((method, path, answer.status_code, bare.status_code))
    assert wrong == [], "\n".join(map(str, wrong))
    assert own == OWN
    assert kept() == before


def test_an_auditor_approves_nothing(app, adaptor):
    app.config["WTF_CSRF_ENABLED"] = False
    client, _member = signed_in_as_auditor(app, adaptor.subscription_id)
    waiting = Approval(
        subscription_id=adaptor.subscription_id, adaptor_id=adaptor.id, kind=next(iter(Kind)), scope=adaptor.id,
        fingerprint="f", shown="1234 12345678",
    )  # fmt: skip
    db.session.add(waiting)
    db.session.commit()
    for verdict in ("approve", "refuse"):
        assert client.post("/approvals", data={"verdict": verdict, "ids": waiting.id, "note": "x"}).status_code == 403
    db.session.refresh(waiting)
    assert waiting.state is ApprovalState.WAITING


def test_after_the_last_day_an_auditor_sees_nothing_either(app, adaptor):
    client, member = signed_in_as_auditor(app, adaptor.subscription_id)
    path = f"/runs?adaptor={adaptor.id}"
    assert client.get(path).status_code == 200
    member.last_day = (utcnow() - timedelta(days=2)).date()
    db.session.commit()
    assert client.get(path).status_code in (403, 404)
