"""A browser without JavaScript, and without a window: keeps its cookies and sends the token of the page that it saw."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Visitor:
    """``page`` is the text of the page that was seen last."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = ""

    @classmethod
    def new(cls, app: Flask) -> Visitor:
        """Somebody who has never been here."""
        return cls(app.test_client())

    def open(self, path: str, **options: Any) -> TestResponse:
        """Look at a page, redirects and all."""
        answer = self.client.get(path, follow_redirects=True, **options)
        self.page = answer.text
        return answer

    def post(self, path: str, fields: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form of the page; redirects are not followed. What is to be done after the answer is done."""
        found = re.search(r'name="csrf-token" content="([^"]+)"', self.page)
        assert found, self.page
        answer = self.client.post(path, data={"csrf_token": found[1], **(fields or {})}, **options)
        self.page = answer.text or self.page
        answer.close()
        return answer

    def send(self, page: str, fields: dict[str, Any] | None = None, action: str | None = None) -> TestResponse:
        """Open a page and send its form."""
        self.open(page)
        return self.post(action or page, fields)

    def action(self, contains: str) -> str:
        """Where a form of the page is sent to."""
        found = [one for one in re.findall(r'action="([^"]+)"', self.page) if contains in one]
        assert found, self.page
        return found[0].replace("&amp;", "&")

    def sign_in(self, email: str, password: str, way_back: str = "") -> TestResponse:
        """The first step."""
        return self.send("/login" + way_back, {"email": email, "password": password})

    def is_signed_in(self) -> bool:
        """All steps."""
        return self.client.get("/account/security").status_code == 200
