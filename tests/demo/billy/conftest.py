from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from invoiceapp.demo.billy.api import Api, create_api
from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.demo.billy.records import loads

ANCHOR = date(2026, 11, 22)
TOKEN = {"X-Access-Token": "demo-token"}

Get = Callable[..., Any]


@pytest.fixture(scope="session")
def company() -> Company:
    return demo_company(ANCHOR)


@pytest.fixture
def client(company: Company) -> FlaskClient:
    return create_api(company).test_client()


@pytest.fixture
def api(client: FlaskClient) -> Api:
    found: Api = client.application.extensions["billy"]
    return found


@pytest.fixture
def get(client: FlaskClient) -> Get:
    """GET below /v2 with the right token; the JSON, decimals exact, after checking the status."""

    def fetch(path: str, status: int = 200, **query: Any) -> Any:
        answer = client.get(f"/v2{path}", query_string=query, headers=TOKEN)
        assert answer.status_code == status, answer.text
        return loads(answer.data)

    return fetch
