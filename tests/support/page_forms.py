"""The forms that a page offers, filled in as they stand there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import html
from werkzeug.test import TestResponse


@dataclass(frozen=True)
class Form:
    """A form as a page offers it, filled in as it stands there."""

    action: str
    fields: tuple[tuple[str, str], ...]
    """Of choices and boxes each possible value, once each"""

    @property
    def data(self) -> dict[str, list[str]]:
        """For the test client."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name, []).append(value)
        return found


def forms(answer: TestResponse) -> list[Form]:
    """Of a page, those that post."""
    if answer.status_code != 200 or "html" not in (answer.content_type or "") or not answer.text.strip():
        return []
    found = []
    for form in html.fromstring(answer.text).iter("form"):
        if (form.get("method") or "").lower() == "post":
            fields = [pair for one in form.iter("input", "select", "textarea", "button") for pair in _values(one)]
            found.append(Form(form.get("action") or answer.request.path, tuple(fields)))
    return found


def _values(element: Any) -> list[tuple[str, str]]:
    name = element.get("name")
    if not name or name == "csrf_token":
        return []
    if element.tag == "select":
        return [(name, option.get("value") or "") for option in element.iter("option")]
    return [(name, element.text or "" if element.tag == "textarea" else element.get("value") or "")]
