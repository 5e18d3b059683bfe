from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Submit = Callable[..., TestResponse]


@pytest.fixture
def submit() -> Submit:
    """``submit(client, path, data, **options)``: post with the CSRF token that this client's pages carry."""

    def post(client: FlaskClient, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        page = client.get("/gateways").get_data(as_text=True)
        token = re.search(r'name="csrf-token" content="([^"]+)"', page)
        assert token, page
        return client.post(path, data={"csrf_token": token[1], **(data or {})}, **options)

    return post
