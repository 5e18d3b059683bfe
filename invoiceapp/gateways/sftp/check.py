"""The connection test of an SFTP gateway, step by step."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import paramiko

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Deadline, Refused, run_steps
from invoiceapp.gateways.steps import network_steps
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard

from .failures import PARTNER, while_connecting, while_writing
from .keys import HostKeyPin
from .session import Session, greet, log_in, open_session
from .watchdog import Watchdog


class ConnectionTest:
    """Steps that build on one another; each returns what it found or raises a ``TransportError``."""

    def __init__(
        self, config: Mapping[str, Any], guard: Guard, deadline: Deadline, watchdog: Watchdog, usual: frozenset[int]
    ) -> None:
        self._config, self._guard, self._usual = config, guard, usual
        self._deadline, self._watchdog = deadline, watchdog
        self._host, self._port = str(config["host"]), int(config.get("port") or 22)
        self._folder = str(config.get("folder") or ".")
        self._ssh: paramiko.Transport | None = None
        self._session: Session
        self.host_key: str | None = None
        """The fingerprint that the server showed, once it was the confirmed one"""

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails; closes the connection."""
        try:
            return run_steps(
                (
                    *network_steps(self._guard, self._host, self._port, self._deadline, PARTNER, self._usual),
                    (Text("Serverens fingeraftryk", "Fingerprint of the server"), self._greet),
                    (Text("Log ind", "Log in"), self._log_in),
                    (Text("Mappen", "The folder"), self._look_at_folder),
                    (Text("Skriv og slet en prøvefil", "Write and delete a test file"), self._write_and_delete),
                )
            )
        finally:
            if self._ssh is not None:
                self._ssh.close()

    def _greet(self) -> Text:
        try:
            connection = self._guard.connect(self._host, self._port, self._deadline, self._usual)
        except OutboundError as error:
            raise while_connecting(error) from error
        self._watchdog.watch(connection)
        self._ssh = greet(connection, HostKeyPin.parse(self._config.get("host_key")), self._deadline)
        self.host_key = found = self._ssh.get_remote_server_key().fingerprint
        return Text(f"{found} er den bekræftede nøgle.", f"{found} is the confirmed key.")

    def _log_in(self) -> Text:
        assert self._ssh is not None
        log_in(self._ssh, self._config)
        self._session = open_session(self._ssh, self._deadline)
        return Text("Brugeren er godkendt.", "The user is accepted.")

    def _look_at_folder(self) -> Text:
        folder = self._folder
        try:
            is_folder = self._session.is_folder(folder, self._deadline)
        except Exception as error:
            # As in send(): paramiko may raise any class.
            raise while_writing(error, folder) from error
        if not is_folder:
            raise Refused(Text(f"»{folder}« er ikke en mappe.", f"“{folder}” is not a folder."))
        return Text(f"»{folder}« findes.", f"“{folder}” exists.")

    def _write_and_delete(self) -> Text:
        # Neither a document's name nor that of a part file, so that no receiver takes it for an invoice.
        path = str(PurePosixPath(self._folder) / f".connection-test-{secrets.token_hex(4)}")
        try:
            self._session.touch(path, self._deadline)
        except Exception as error:
            raise while_writing(error, self._folder) from error
        try:
            self._session.remove(path, self._deadline)
        except Exception as error:
            if not self._session.answered(error):
                raise while_writing(error, self._folder) from error
            return Text(
                f"Filen blev skrevet, men må ikke slettes. Det er i orden; bed modtageren om at fjerne »{path}«.",
                f"The file was written but may not be deleted. That is fine; ask the receiver to remove “{path}”.",
            )
        return Text("Filen blev skrevet og slettet igen.", "The file was written and deleted again.")
