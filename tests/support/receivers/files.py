"""SFTP, the operator's mailbox over it, and FTP."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from invoiceapp.demo.partners import sftp_server

from .base import HOST, PASSWORD, USER, Config, FolderReceiver

with warnings.catch_warnings():
    # It stands on asyncore, and brings its own from Python 3.12 on.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

MAILBOX = "5790000000005"


class SftpReceiver(FolderReceiver):
    kind = "sftp"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._server = sftp_server.SftpServer(folder / "in", folder / "host_key")
        self.folder, self.port = self._server.folder, self._server.port
        rename = sftp_server._Folder._replace

        def watched(inside: Any, old: str, new: str) -> int:
            result = rename(inside, old, new)
            if result == sftp_server.SFTP_OK:
                self.note(Path(new).name, inside._local(new).read_bytes())
            return result

        self._patches = [
            mock.patch.object(sftp_server._Folder, "_replace", watched),
            mock.patch.object(sftp_server, "DEMO_PASSWORD", PASSWORD),
        ]
        for patch in self._patches:
            patch.start()

    def config(self, port: int | None = None) -> Config:
        return {
            "host": HOST, "port": port or self.port, "username": sftp_server.DEMO_USER, "password": PASSWORD,
            "host_key": self._server.host_key, "folder": ".", "connections": 20,
        }  # fmt: skip

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"host_key": f"SHA256:{'A' * 43}"}

    def fill_up(self) -> None:
        self._server.faults.disk_full = True

    def close(self) -> None:
        self._server.close()
        for patch in self._patches:
            patch.stop()


class VansReceiver(SftpReceiver):
    """An operator's mailbox over SFTP."""

    kind = "vans"

    def config(self, port: int | None = None) -> Config:
        own = {"carrier": "sftp", "mailbox": MAILBOX, "expects": "none", "filename": "{type}_{number}_{key8}"}
        return own | {f"sftp_{name}": value for name, value in super().config(port).items()}

    def wrong_login(self, config: Config) -> Config:
        return config | {"sftp_password": "wrong"}

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"sftp_host_key": f"SHA256:{'A' * 43}"}


class FtpReceiver(FolderReceiver):
    kind = "ftp"
    ftp = True

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder / "in"
        self.folder.mkdir(parents=True)
        self._full = False
        authorizer = DummyAuthorizer()
        authorizer.add_user(USER, PASSWORD, str(self.folder), perm="elradfmwMT")
        values = {"authorizer": authorizer, "auth_failed_timeout": 0, "receiver": self}
        self._server = FTPServer((HOST, 0), type("Handler", (_FtpHandler,), values), ioloop=IOLoop())
        self._server.max_cons = 2_000
        self.port = int(self._server.address[1])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ftp-receiver")
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            self._server.ioloop.loop(0.02, False)
        self._server.close_all()

    @property
    def is_full(self) -> bool:
        return self._full

    def config(self, port: int | None = None) -> Config:
        login = {"username": USER, "password": PASSWORD, "security": "none"}
        return {"host": HOST, "port": port or self.port, "folder": ".", "connections": 20, **login}

    def elsewhere(self, config: Config, port: int) -> Config:
        return config | {"security": "implicit", "port": port}

    def fill_up(self) -> None:
        self._full = True

    def close(self) -> None:
        self._over.set()
        self._thread.join(timeout=10)


class _FtpHandler(FTPHandler):
    receiver: FtpReceiver
    _renamed: str | None = None

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        if self.receiver.is_full:
            return self.respond("452 No space left")
        return super().ftp_STOR(file, mode)

    def ftp_RNTO(self, path: str) -> Any:
        self._renamed = path
        return super().ftp_RNTO(path)

    def respond(self, resp: str, *args: Any, **kwargs: Any) -> None:
        path, self._renamed = self._renamed, None
        if path is not None and resp.startswith("250"):
            self.receiver.note(Path(path).name, Path(path).read_bytes())
        super().respond(resp, *args, **kwargs)
