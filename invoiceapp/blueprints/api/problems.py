"""Refusals as programs read them: RFC 9457, with our words in both languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response

from invoiceapp.domain.findings import Text

MEDIA_TYPE = "application/problem+json"


def problem(status: int, text: Text, headers: Mapping[str, str] | None = None) -> Response:
    """The answer. ``detail`` is English, ``words`` has both languages."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": text.en,
        "words": {"da": text.da, "en": text.en},
    }
    return Response(json.dumps(body, ensure_ascii=False), status, dict(headers or {}), content_type=MEDIA_TYPE)
