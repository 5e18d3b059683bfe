from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from invoiceapp.models import ApiToken, Membership, Rendition, User, db
from invoiceapp.services.export import archive
from invoiceapp.services.sign_in import tokens

Ask = Callable[..., TestResponse]


@pytest.fixture
def make_key(user: User) -> Callable[..., str]:
    """``make_key(of=user, subscription_id=None, scope="operate", adaptor_ids=())``: the text of a new key."""

    def make(of: User | None = None, subscription_id: str | None = None, scope: str = "operate", **values: Any) -> str:
        query = select(Membership).where(Membership.user_id == (of or user).id)
        if subscription_id:
            query = query.where(Membership.subscription_id == subscription_id)
        chosen = values.get("adaptor_ids", ())
        count = len(db.session.scalars(select(ApiToken.id)).all())
        return tokens.make(db.session.scalars(query).one(), f"Key {count}", scope, "90", chosen, chosen)

    return make


@pytest.fixture
def key(make_key: Callable[..., str]) -> str:
    """Of the owner, to operate."""
    return make_key()


@pytest.fixture
def ask(app: Flask, key: str) -> Ask:
    """``ask(path, method="GET", key=None, **options)`` below ``/api/v1``."""

    def call(path: str, method: str = "GET", *, key: str = key, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        # As a program does: nothing is kept from call to call.
        address = path if path.startswith("/api/") else f"/api/v1{path}"
        return app.test_client(use_cookies=False).open(address, method=method, headers=headers, **options)

    return call


@pytest.fixture
def make_rendition(app: Flask) -> Callable[..., Rendition]:
    """``make_rendition(document)``: bytes in the archive."""

    def make(document: Any, content: bytes = b"<Invoice/>") -> Rendition:
        row = Rendition(
            subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
            sha256=archive.store(content), size=len(content), media_type="application/xml", filename="invoice-1001.xml",
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        return row

    return make


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
