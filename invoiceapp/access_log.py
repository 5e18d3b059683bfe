"""gunicorn's access log without what opens an account: links of mails are keys, and so are codes in addresses."""

from __future__ import annotations

import re
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from . import logs
from .request_ids import HEADER

_IN_PATHS = re.compile(r"(/(?:reset|invitations|account/email|notifications/(?:confirm|unsubscribe))/)[^\s/?\"]+")
_IN_QUERIES = re.compile(r"([?&](?:code|state|token)=)[^\s&\"]+")


def without_keys(text: str) -> str:
    """A request line or an address, with ``…`` where a key stood."""
    return _IN_QUERIES.sub(r"\1…", _IN_PATHS.sub(r"\1…", text))


class AccessLog(Logger):  # type: ignore[misc]
    """For ``--logger-class``."""

    def setup(self, cfg: Any) -> None:
        """Write what ``LOG_FORMAT`` says."""
        super().setup(cfg)
        for log, text in ((self.error_log, self.error_fmt), (self.access_log, self.access_fmt)):
            for handler in log.handlers:
                handler.setFormatter(logs.formatter(text))

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """The line of one request, with the request's name."""
        name = next((value for header, value in resp.headers if header.lower() == HEADER.lower()), "-")
        with logs.bound(request=name):
            super().access(resp, req, environ, request_time)

    def atoms(self, *request: Any) -> dict[str, Any]:
        """What a line is made of; the page before (``f``) may be such a link, too."""
        found: dict[str, Any] = super().atoms(*request)
        return {name: without_keys(value) if isinstance(value, str) else value for name, value in found.items()}
