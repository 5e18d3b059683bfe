"""The connection test of an SFTP gateway, step by step."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import paramiko

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Deadline, Refused, run_steps

from .failures import while_writing
from .keys import HostKeyPin
from .session import greet, log_in, open_session, reach


class ConnectionTest:
    """Steps that build on one another; each returns what it found or raises a ``TransportError``."""

    def __init__(self, config: Mapping[str, Any], deadline: Deadline) -> None:
        self._config = config
        self._deadline = deadline
        self._connection: socket.socket
        self._ssh: paramiko.Transport | None = None

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails; closes the connection."""
        try:
            return run_steps(
                (
                    (Text("Find serveren", "Find the server"), self._reach),
                    (Text("Serverens fingeraftryk", "Fingerprint of the server"), self._greet),
                    (Text("Log ind", "Log in"), self._log_in),
                    (Text("Mappen", "The folder"), self._look_at_folder),
                )
            )
        finally:
            if self._ssh is not None:
                self._ssh.close()

    def _reach(self) -> Text:
        self._connection = reach(self._config, self._deadline)
        return Text("Serveren svarer.", "The server answers.")

    def _greet(self) -> Text:
        self._ssh = greet(self._connection, HostKeyPin.parse(self._config.get("host_key")), self._deadline)
        found = self._ssh.get_remote_server_key().fingerprint
        return Text(f"{found} er den bekræftede nøgle.", f"{found} is the confirmed key.")

    def _log_in(self) -> Text:
        assert self._ssh is not None
        log_in(self._ssh, self._config)
        return Text("Brugeren er godkendt.", "The user is accepted.")

    def _look_at_folder(self) -> Text:
        assert self._ssh is not None
        session = open_session(self._ssh, self._deadline)
        folder = self._config.get("folder") or "."
        try:
            is_folder = session.is_folder(folder, self._deadline)
        except Exception as error:
            # As in send(): paramiko may raise any class.
            raise while_writing(error, folder) from error
        if not is_folder:
            raise Refused(Text(f"»{folder}« er ikke en mappe.", f"“{folder}” is not a folder."))
        return Text(f"»{folder}« findes.", f"“{folder}” exists.")
