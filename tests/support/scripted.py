"""A server that says what a test has told it to, byte for byte."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HEAD_END = b"\r\n\r\n"


def response(body: bytes | str, status: int = 200, **headers: str) -> bytes:
    """A whole HTTP answer; ``Retry_After="2"`` is a header."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + HEAD_END + content


class Scripted:
    """``answer`` goes out after each request, then the connection ends; None is silence until ``close``."""

    def __init__(self) -> None:
        self.answer: bytes | None = response("{}")
        self.heads: list[str] = []
        self._over = threading.Event()
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = b""
                while HEAD_END not in head and (more := self.request.recv(4096)):
                    head += more
                outer.heads.append(head.decode())
                if outer.answer is None:
                    outer._over.wait(20)
                else:
                    self.request.sendall(outer.answer)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

            def handle_error(self, *_: object) -> None:
                """Clients may hang up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        """Of the last request, with its query."""
        return self.heads[-1].split(" ")[1]

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@contextmanager
def scripted() -> Iterator[Scripted]:
    """One that runs for as long as the block lasts."""
    server = Scripted()
    try:
        yield server
    finally:
        server.close()
