"""Addresses that lead back to a page: after the language switch, and after signing in anew."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import current_app, request, url_for
from flask.typing import ResponseValue
from flask_security.decorators import default_unauthn_handler
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from invoiceapp.extensions import security
from invoiceapp.htmx import hx_redirect, is_htmx

#: No page of ours has a longer address, and looking for the page above takes time with the square of the length.
LONGEST_ADDRESS = 2000


def is_here(address: str) -> bool:
    """Whether ``address`` is a path of ours: no scheme, no host, and nothing that browsers read as one."""
    if len(address) > LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return address.startswith("/") and not (parts.scheme or parts.netloc or "\\" in address or address[1:2] == "/")


def page_at_or_above(address: str) -> str:
    """``address``, or the nearest one above it that shows a page; the dashboard where it is not one of ours.

    A refused form stands at an address that only takes POST. The chosen adaptor is kept on the way up.
    """
    if not is_here(address):
        return url_for("main.dashboard")
    path, mark, query = address.partition("?")
    if _shows_page(path):
        return path + mark + query
    chosen: dict[str, Any] = {name: values[0] for name, values in parse_qs(query).items() if name == "adaptor"}
    while path.count("/") > 1:
        path = path.rpartition("/")[0]
        if _shows_page(path):
            return path + (f"?{urlencode(chosen)}" if chosen else "")
    return url_for("main.dashboard", **chosen)


def page_looked_at() -> str:
    """The page that the person looks at: of a fragment, the one around it."""
    if is_htmx():
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        return page_at_or_above(f"{shown.path}?{shown.query}" if shown.query else shown.path)
    return page_at_or_above(request.full_path if request.query_string else request.path)


def _shows_page(path: str) -> bool:
    try:
        current_app.url_map.bind("localhost").match(path, method="GET")
    except RequestRedirect:
        return True
    except (MethodNotAllowed, NotFound):
        return False
    return True


@security.unauthn_handler
def ask_to_sign_in(mechanisms: list[str], headers: dict[str, str] | None = None) -> ResponseValue:
    """Flask-Security's way to the sign-in page, but back to a page: after it, the browser asks by GET.

    What a form posted while nobody was signed in is not carried out afterwards.
    """
    answer: ResponseValue = default_unauthn_handler(mechanisms, headers)  # type: ignore[no-untyped-call]
    if is_htmx():
        # The sign-in page does not fit into a fragment.
        return hx_redirect(url_for("security.login", next=page_looked_at()))
    if request.method not in ("GET", "HEAD") and isinstance(answer, Response) and answer.location:
        answer.location = url_for("security.login", next=page_looked_at())
    return answer
