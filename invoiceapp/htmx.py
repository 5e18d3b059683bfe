"""Everything this product knows of htmx on the server; the only module that imports htmx-flask.

htmx-flask 0.1.0 reads the request headers well, but its ``make_response``
refuses most swap values and it sets no ``Vary``; both are done here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, make_response, redirect, render_template, request
from htmx_flask import Htmx

#: htmx reads this status as "stop polling" and still swaps the body in.
STOP_POLLING = 286


def init_app(app: Flask) -> None:
    """Install ``request.htmx``, ``Vary: HX-Request`` and the template test ``is_htmx()``.

    htmx-flask replaces ``app.request_class``: call this before setting another one.
    """
    Htmx(app)
    app.after_request(_vary)
    app.add_template_global(is_htmx)


def _vary(response: Response) -> Response:
    """One address answers with a page or a fragment, so caches must tell them apart (RFC 9110 12.5.5)."""
    response.vary.add("HX-Request")
    return response


def is_htmx() -> bool:
    """Whether the answer should be a fragment.

    False for a boosted link and for htmx restoring its history: both want the whole page.
    """
    headers = request.htmx  # type: ignore[attr-defined]
    return bool(headers) and not headers.boosted and not headers.history_restore_request


def render_page_or_fragment(page: str, fragment: str, **context: Any) -> str:
    """The fragment for htmx, the page that includes it for everybody else. Both get the same ``context``."""
    return render_template(fragment if is_htmx() else page, **context)


def hx_response(
    content: str = "",
    status: int = 200,
    *,
    trigger: str | Mapping[str, Any] | None = None,
    retarget: str | None = None,
    reswap: str | None = None,
    push_url: str | None = None,
) -> Response:
    """A fragment with htmx response headers.

    ``trigger`` is an event name, or event names with their JSON details;
    ``retarget`` a CSS selector; ``reswap`` any ``hx-swap`` value, modifiers too;
    ``push_url`` the address to show. ``status=STOP_POLLING`` ends a poll.
    """
    response = make_response(content, status)
    headers = {
        "HX-Trigger": trigger if trigger is None or isinstance(trigger, str) else json.dumps(trigger),
        "HX-Retarget": retarget,
        "HX-Reswap": reswap,
        "HX-Push-Url": push_url,
    }
    response.headers.update({name: value for name, value in headers.items() if value is not None})
    return response


def hx_redirect(location: str) -> Response:
    """Go to another page after a form: ``HX-Redirect`` for htmx, 303 See Other without JavaScript."""
    if not is_htmx():
        return make_response(redirect(location, 303))
    response = make_response("", 204)
    response.headers["HX-Redirect"] = location
    return response
