"""The stand-in on a loopback port, in a thread of the calling process."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from flask import Blueprint
from werkzeug.serving import WSGIRequestHandler, make_server

from .api import PREFIX, Api, create_api
from .company import Company
from .faults import Faults


class _QuietHandler(WSGIRequestHandler):
    """Does not log each request: the demo's own log is what people read."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


class Server:
    """A running stand-in; also a context manager that closes it."""

    def __init__(
        self, host: str, port: int, company: Company, token: str, faults: Faults | None = None,
        pages: Iterable[Blueprint] = (),
    ) -> None:  # fmt: skip
        app = create_api(company, token=token, faults=faults)
        # Before it listens: whoever comes back to a restarted stand-in asks at once, and then Flask takes no more pages.
        for blueprint in pages:
            app.register_blueprint(blueprint)
        self.api: Api = app.extensions["billy"]
        """Its ``store`` and ``faults`` may be used while it runs"""
        self._server = make_server(host, port, app, threaded=True, request_handler=_QuietHandler)
        self.root = f"http://{host}:{self._server.server_port}"
        """Where ``/_demo/…`` and ``/download/…`` lie"""
        self.url = self.root + PREFIX
        """The API's base address, to be used in place of Billy's"""
        self._thread = threading.Thread(target=self._server.serve_forever, name="billy-stand-in", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(
    host: str,
    port: int,
    company: Company,
    token: str = "demo-token",  # noqa: S107 - opens nothing but the demo
    faults: Faults | None = None,
    pages: Iterable[Blueprint] = (),
) -> Server:
    """Start the stand-in, with other ``pages`` beside it; port 0 takes a free one. Raises ``OSError`` where the port is taken."""
    return Server(host, port, company, token, faults, pages)
