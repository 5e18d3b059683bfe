"""Which language a page speaks: the signed-in person's, else the session's, else Danish.

Danish is not negotiated away by a browser that happens to speak English: the
switch is one click on every page.
"""

from __future__ import annotations

from flask import Flask, has_request_context, session
from flask_babel import get_locale
from flask_login import current_user

from invoiceapp.domain.findings import Text

LANGUAGES = ("da", "en")


def init_app(app: Flask) -> None:
    """Let every template say what services and the domain tell."""
    app.add_template_global(say)


def selected() -> str:
    """``da`` or ``en``."""
    if not has_request_context():
        return "da"
    chosen = getattr(current_user, "language", None) or session.get("language")
    return chosen if chosen in LANGUAGES else "da"


def current() -> str:
    """The language of the page being made."""
    return str(get_locale() or "da")


def say(message: Text | dict[str, str] | None) -> str:
    """A two-language message (or its stored form) in the page's language."""
    if message is None:
        return ""
    text = message if isinstance(message, Text) else Text(message["da"], message["en"])
    return text.in_language(current())
