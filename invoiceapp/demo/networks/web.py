"""A Flask app by https on loopback, in a thread of the calling process."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import threading

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from .pki import Identity

HOST = "127.0.0.1"


class _QuietHandler(WSGIRequestHandler):
    """Does not log: what people read is the demo's own log."""

    #: Otherwise the body waits some 40 ms for the acknowledgement of the head (RFC 896).
    disable_nagle_algorithm = True

    def log(self, *_: object) -> None:
        """Nothing."""


def listening(kind: socket.SocketKind, port: int) -> socket.socket:
    """A bound socket: at the wanted port where it is free, else at any."""
    for wanted in (port, 0):
        found = socket.socket(socket.AF_INET, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
        try:
            found.bind((HOST, wanted))
        except OSError:
            found.close()
            continue
        return found
    raise OSError("no free port")


class HttpsServer:
    """A running server; also a context manager that closes it."""

    def __init__(self, name: str, app: Flask, identity: Identity, port: int = 0) -> None:
        with listening(socket.SOCK_STREAM, port) as own:
            own.listen(128)
            self._server = make_server(
                HOST, 0, app, threaded=True, request_handler=_QuietHandler, fd=own.fileno()
            )  # fmt: skip
        context = _context(identity)
        # The handshake belongs to the connection's own thread: nobody waits for a client that says nothing.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )  # fmt: skip
        self._server.ssl_context = context
        self.port = self._server.port
        self.url = f"https://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering and give the port back."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> HttpsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads a pair from files only. mkstemp gives 0600.
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(identity.certificate + identity.key)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return context
