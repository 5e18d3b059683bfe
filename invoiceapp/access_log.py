"""gunicorn's access log without what opens an account: links of mails are keys, and so are codes in addresses."""

from __future__ import annotations

import re
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

_IN_PATHS = re.compile(r"(/(?:reset|invitations|account/email|notifications/(?:confirm|unsubscribe))/)[^\s/?\"]+")
_IN_QUERIES = re.compile(r"([?&](?:code|state|token)=)[^\s&\"]+")


def without_keys(text: str) -> str:
    """A request line or an address, with ``…`` where a key stood."""
    return _IN_QUERIES.sub(r"\1…", _IN_PATHS.sub(r"\1…", text))


class AccessLog(Logger):  # type: ignore[misc]
    """For ``--logger-class``."""

    def atoms(self, *request: Any) -> dict[str, Any]:
        """What a line is made of; the page before (``f``) may be such a link, too."""
        found: dict[str, Any] = super().atoms(*request)
        return {name: without_keys(value) if isinstance(value, str) else value for name, value in found.items()}
