"""A name for each web request: in every line that is logged for it, and in its answer's ``X-Request-ID``.

A proxy in front may have named it already; anything that does not look like a name is replaced.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request

from . import logs, tracing
from .models import new_id

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{7,99}")


def init_app(app: Flask) -> None:
    """Name every request. Call this before what may answer one."""
    app.before_request(_begin)
    app.after_request(_tell)
    app.teardown_request(_end)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    logs.begin()
    tracing.about(request=given if _WELL_FORMED.fullmatch(given) else new_id())


def _tell(response: Response) -> Response:
    response.headers[HEADER] = logs.ids()["request"]
    return response


def _end(_error: BaseException | None) -> None:
    # The thread goes on to somebody else's request.
    logs.begin()
