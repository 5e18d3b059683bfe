"""The SFTP transport: upload under a temporary name, confirm the size, rename."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text, Turn, warning
from invoiceapp.gateways.base import CheckStep, Consignment, Deadline, Receipt, Transport, TransportError

from .check import ConnectionTest
from .failures import name_taken, not_permitted, rename_refused, while_renaming, while_writing
from .fields import DEFAULT_FILENAME, FIELDS
from .keys import HostKeyPin
from .naming import RemoteFile, remote_files
from .session import STEP, Session, greet, log_in, open_session, reach

Rename = Callable[[str, str, Deadline], None]
_NO_SECRET = Text("Udfyld adgangskode, privat nøgle eller begge dele.", "Fill in password, private key or both.")


class SftpTransport(Transport):
    """Puts files on an SFTP server. One connection serves all sends of an instance."""

    kind = "sftp"
    label = Text("SFTP", "SFTP")
    description = Text(
        "Lægger filen i en mappe på modtagerens SFTP-server.",
        "Puts the file in a folder on the receiver's SFTP server.",
    )
    fields = FIELDS

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._session: Session | None = None
        self._folder = str(config.get("folder") or ".")
        self._replaces = config.get("existing") == "replace"
        self._consumes = bool(config.get("consumes"))

    @property
    def replay(self) -> Replay:
        """Safe, as a retry finds its own file; not where the receiver takes the file away."""
        return Replay.UNSAFE if self._consumes else Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``filename``: the document's name on the server, without folder."""
        return {"filename": PurePosixPath(remote_files(consignment, self.config)[0].path).name}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Neither password nor key: no server lets anybody in like that."""
        either = ("password", "private_key")
        return {} if {*either} & {*secrets} else dict.fromkeys(either, _NO_SECRET)

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """An unconfirmed host key; names that two documents could share."""
        found = []
        if not config.get("host_key"):
            found.append(
                warning(
                    "IA-SFTP-HOST-KEY",
                    "Serverens fingeraftryk er ikke bekræftet. Der sendes ikke, før det er.",
                    "The server's fingerprint is not confirmed. Nothing is sent until it is.",
                    turn=Turn.HERE,
                    fix="gateway.host_key",
                )
            )
        if "{key8}" not in (config.get("filename") or DEFAULT_FILENAME):
            found.append(
                warning(
                    "IA-SFTP-FILENAME",
                    "Uden {key8} kan to fakturaer få samme filnavn, f.eks. fra to regnskaber med samme nummerserie.",
                    "Without {key8} two invoices can get the same file name, e.g. from two books with equal numbers.",
                    turn=Turn.HERE,
                    fix="gateway.filename",
                )
            )
        return found

    def close(self) -> None:
        """Give the connection back."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def check(self) -> list[CheckStep]:
        """Server, host key, login, folder. Writes nothing."""
        return ConnectionTest(self.config, Deadline(self.DEADLINE, STEP)).run()

    def send(self, consignment: Consignment) -> Receipt:
        """Upload, confirm the size, rename. ``reference`` is the remote path."""
        deadline = Deadline(self.DEADLINE, STEP)
        try:
            return self._deliver(remote_files(consignment, self.config), deadline)
        except TransportError:
            # What failed once is not used again.
            self.close()
            raise

    def _opened(self, deadline: Deadline) -> Session:
        """The session of this instance; a new one where there is none or it broke."""
        if self._session is None or not self._session.is_open:
            self.close()
            ssh = greet(reach(self.config, deadline), HostKeyPin.parse(self.config.get("host_key")), deadline)
            try:
                log_in(ssh, self.config)
                self._session = open_session(ssh, deadline)
            except TransportError:
                ssh.close()
                raise
        return self._session

    def _deliver(self, files: list[RemoteFile], deadline: Deadline) -> Receipt:
        session = self._opened(deadline)
        document, *companions = files
        try:
            if not self._consumes and self._is_there(session, document, deadline):
                return _receipt(session, document, already_there=True)
            for file in files:
                session.write(file.part, file.payload.content, deadline)
            for companion in companions:
                self._publish(session, companion, deadline)
            deadline.step()
        except TransportError:
            raise
        except Exception as error:
            # Of any class, see session.greet(). The document has no final name yet: it is not delivered.
            raise while_writing(error, self._folder) from error
        try:
            self._publish(session, document, deadline)
        except TransportError:
            raise
        except Exception as error:
            raise while_renaming(error) from error
        return _receipt(session, document, already_there=False)

    def _is_there(self, session: Session, file: RemoteFile, deadline: Deadline) -> bool:
        """Whether an earlier attempt delivered it. Raises ``Rejected`` where another file has its name."""
        if session.size(file.path, deadline) is None:
            return False
        if session.holds(file.path, file.payload.content, deadline):
            return True
        if not self._replaces:
            raise name_taken(file.path)
        return False

    def _publish(self, session: Session, file: RemoteFile, deadline: Deadline) -> None:
        """Rename the part file. Raises a ``TransportError`` where the server says no, else paramiko's error."""
        if self._replaces and self._renamed(session.rename_over, session, file, deadline):
            return
        # Also for servers that lack posix-rename; it never overwrites.
        if self._renamed(session.rename, session, file, deadline):
            return
        if session.size(file.path, deadline) is None:
            raise rename_refused(file.path)
        if session.holds(file.path, file.payload.content, deadline):
            session.remove(file.part, deadline)
            return
        if not self._replaces:
            raise name_taken(file.path)
        session.remove(file.path, deadline)
        if not self._renamed(session.rename, session, file, deadline):
            raise rename_refused(file.path)

    def _renamed(self, rename: Rename, session: Session, file: RemoteFile, deadline: Deadline) -> bool:
        """Whether the server renamed it; False is its definite no. Raises where no answer came."""
        try:
            rename(file.part, file.path, deadline)
        except OSError as error:
            if not session.answered(error):
                raise
            if isinstance(error, PermissionError):
                raise not_permitted(self._folder, str(error)) from error
            return False
        return True


def _receipt(session: Session, file: RemoteFile, *, already_there: bool) -> Receipt:
    evidence = {
        "path": file.path,
        "size": len(file.payload.content),
        "sha256": file.payload.sha256,
        "host_key": session.host_key,
        "server": session.banner,
        "already_there": already_there,
    }
    return Receipt(file.path, evidence, proves_arrival=True)
