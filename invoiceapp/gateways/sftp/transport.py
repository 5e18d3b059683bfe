"""The SFTP transport: upload under a temporary name, confirm the size, rename."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text, Turn, fatal
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Deadline,
    Receipt,
    Transport,
    TransportError,
    Unknown,
)
from invoiceapp.gateways.file_drop import (
    RemoteFile,
    candidates,
    lacks,
    lost_rename,
    name_findings,
    name_taken,
    pdf_alone,
    remote_files,
    vanished,
    while_marking,
)
from invoiceapp.outbound.errors import OutboundError
from invoiceapp.outbound.guard import Guard

from .check import ConnectionTest
from .failures import (
    not_permitted,
    rename_refused,
    while_connecting,
    while_writing,
)
from .fields import FIELDS
from .keys import HostKeyPin
from .mailbox import SftpMailbox
from .session import Session, greet, log_in, open_session
from .watchdog import Watchdog

#: Seconds that the server may take for one answer.
STEP = 20.0

Rename = Callable[[str, str, Deadline], None]
_NO_SECRET = Text("Udfyld adgangskode, privat nøgle eller begge dele.", "Fill in password, private key or both.")


class SftpTransport(SftpMailbox, Transport):
    """Puts files on an SFTP server. One connection serves all sends of an instance."""

    kind = "sftp"
    label = Text("SFTP", "SFTP")
    description = Text(
        "Lægger filen i en mappe på modtagerens SFTP-server.",
        "Puts the file in a folder on the receiver's SFTP server.",
    )
    proof_means = Text(
        "Filen ligger i modtagerens eller udbyderens system, læst tilbage eller kvitteret.",
        "The file lies in the system of the receiver or the provider, read back or receipted.",
    )
    fields = FIELDS
    PORTS = frozenset({22})

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._session: Session | None = None
        self._folder = str(config.get("folder") or ".")
        self._replaces = config.get("existing") == "replace"
        self._consumes = bool(config.get("consumes"))

    @property
    def replay(self) -> Replay:
        """Safe, as a retry finds its own file; not where the receiver takes the file away."""
        return Replay.UNSAFE if self._consumes else Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``filename``: the document's first choice of a name on the server, without folder."""
        return {"filename": PurePosixPath(remote_files(consignment, self.config)[0].path).name}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """Neither password nor key: no server lets anybody in like that."""
        return lacks(("password", "private_key"), secrets, _NO_SECRET)

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """An unconfirmed host key; names that two documents could share."""
        unconfirmed = fatal(
            "IA-SFTP-HOST-KEY",
            "Serverens fingeraftryk er ikke bekræftet. Der sendes ikke, før det er.",
            "The server's fingerprint is not confirmed. Nothing is sent until it is.",
            turn=Turn.HERE,
            fix="gateway.host_key",
        )
        return [*([] if config.get("host_key") else [unconfirmed]), *name_findings(config)]

    def close(self) -> None:
        """Give the connection back."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def check(self) -> list[CheckStep]:
        """Name, port, host key, login, folder, and a test file that is written and deleted."""
        deadline = Deadline(self.DEADLINE, STEP)
        with Watchdog(self.DEADLINE) as watchdog:
            test = ConnectionTest(self.config, self.guard, deadline, watchdog, self.PORTS)
            steps = test.run()
        if test.host_key and all(step.ok for step in steps):
            self.seen["host_key"] = test.host_key
        return steps

    def send(self, consignment: Consignment) -> Receipt:
        """Upload, confirm the size, rename. ``reference`` is the remote path."""
        deadline = Deadline(self.DEADLINE, STEP)
        try:
            with Watchdog(self.DEADLINE) as watchdog:
                session = self._opened(deadline, watchdog)
                receipt = self._delivered(session, consignment, deadline)
        except TransportError:
            # What failed once is not used again.
            self.close()
            raise
        self.seen["host_key"] = session.host_key
        return receipt

    def _delivered(self, session: Session, consignment: Consignment, deadline: Deadline) -> Receipt:
        """Raises ``TransportError`` only."""
        try:
            return self._deliver(session, remote_files(consignment, self.config), deadline)
        except TransportError:
            raise
        except Exception as error:
            # Of any class, see session.greet(). What can have delivered something tells so itself.
            raise while_writing(error, self._folder) from error

    def _opened(self, deadline: Deadline, watchdog: Watchdog) -> Session:
        """The session of this instance; a new one where there is none or it broke. The watchdog watches over it."""
        if self._session is None or not self._session.is_open:
            self.close()
            try:
                connection = self.guard.connect(
                    str(self.config["host"]), int(self.config.get("port") or 22), deadline, self.PORTS
                )
            except OutboundError as error:
                raise while_connecting(error) from error
            watchdog.watch(connection)
            ssh = greet(connection, HostKeyPin.parse(self.config.get("host_key")), deadline)
            try:
                log_in(ssh, self.config)
                self._session = open_session(ssh, deadline)
            except TransportError:
                ssh.close()
                raise
        else:
            watchdog.watch(self._session.connection)
        return self._session

    def _deliver(self, session: Session, files: list[RemoteFile], deadline: Deadline) -> Receipt:
        """Raises ``TransportError``, or what paramiko raises while nothing can have been delivered."""
        document, *companions = files
        first, found = 1, None
        if not self._consumes:
            first, found = self._look(session, document, deadline)
        if found is None:
            for file in files:
                session.write(file.part, file.payload.content, deadline)
            lies_at = self._publish_all(session, document, companions, first, deadline)
        else:
            lies_at = found
        evidence = {
            "path": lies_at.path,
            "size": len(document.payload.content),
            "sha256": document.payload.sha256,
            "host_key": session.host_key,
            "server": session.banner,
            "already_there": found is not None,
        }
        if self.config.get("done_marker"):
            evidence["done_marker"] = self._mark(session, lies_at, deadline)
        return Receipt(lies_at.path, evidence, proves_arrival=True)

    def _look(self, session: Session, document: RemoteFile, deadline: Deadline) -> tuple[int, RemoteFile | None]:
        """The number of the first name that may be used, and where an earlier attempt put the document.

        All names are looked at: those before the document's may have been freed since.
        Raises ``Rejected`` where other files have them all.
        """
        usable = None
        for number, file in enumerate(candidates(document, self.config), 1):
            is_free = session.size(file.path, deadline) is None
            if not is_free and _is_ours(session, file, deadline):
                return number, file
            if usable is None and (is_free or self._replaces):
                usable = number
        if usable is None:
            raise name_taken(document.path)
        return usable, None

    def _publish_all(
        self, session: Session, document: RemoteFile, companions: list[RemoteFile], first: int, deadline: Deadline
    ) -> RemoteFile:
        """Give all files, which lie there whole, their final names, the document last; under which one that lies.

        Raises ``Unknown`` where a PDF may be out without the document and the receiver takes files at once.
        """
        is_pdf_out = False
        try:
            for companion in companions:
                self._publish(session, companion, first, deadline, self._lost_companion)
                is_pdf_out = True
            return self._publish(session, document, first, deadline, lost_rename)
        except Unknown:
            raise
        except Exception as error:
            if is_pdf_out and self._consumes:
                raise pdf_alone(str(error)) from error
            raise

    def _lost_companion(self, error: Exception) -> TransportError:
        """The final name of a PDF was asked for and no answer came."""
        return pdf_alone(str(error)) if self._consumes else while_writing(error, self._folder)

    def _publish(
        self, session: Session, file: RemoteFile, first: int, deadline: Deadline,
        lost: Callable[[Exception], TransportError],
    ) -> RemoteFile:  # fmt: skip
        """Rename the part file to the first of its names, from the number ``first`` on, that no other file has.

        ``lost`` makes the error of a rename without an answer.
        """
        for number, name in enumerate(candidates(file, self.config), 1):
            if number >= first and self._takes_name(session, name, deadline, lost):
                return name
        raise name_taken(file.path)

    def _takes_name(
        self, session: Session, file: RemoteFile, deadline: Deadline, lost: Callable[[Exception], TransportError]
    ) -> bool:
        """Whether the file lies under its name now; False where another file does."""

        def renamed(rename: Rename) -> bool:
            return self._renamed(rename, session, file, deadline, lost)

        if self._replaces and renamed(session.rename_over):
            return True
        # Also for servers that lack posix-rename; it never overwrites.
        if renamed(session.rename):
            return True
        if session.size(file.path, deadline) is None:
            raise self._unnamed(session, file, deadline)
        if _is_ours(session, file, deadline):
            # It is there, whatever becomes of the part file.
            with suppress(Exception):
                session.remove(file.part, deadline)
            return True
        if not self._replaces:
            return False
        session.remove(file.path, deadline)
        if not renamed(session.rename):
            raise self._unnamed(session, file, deadline)
        return True

    def _unnamed(self, session: Session, file: RemoteFile, deadline: Deadline) -> TransportError:
        """Why a name that is free was refused."""
        return rename_refused(file.path) if session.size(file.part, deadline) is not None else vanished(file.part)

    def _renamed(
        self, rename: Rename, session: Session, file: RemoteFile, deadline: Deadline,
        lost: Callable[[Exception], TransportError],
    ) -> bool:  # fmt: skip
        """Whether the server renamed it; False is its definite no."""
        deadline.step()
        try:
            rename(file.part, file.path, deadline)
        except Exception as error:
            if not session.answered(error):
                raise lost(error) from error
            if isinstance(error, PermissionError):
                raise not_permitted(self._folder, str(error)) from error
            return False
        return True

    def _mark(self, session: Session, file: RemoteFile, deadline: Deadline) -> str:
        """Put the empty ``.done`` file beside the document, unless it lies there; its path."""
        marker = f"{file.path}.done"
        try:
            if self._consumes or session.size(marker, deadline) is None:
                session.touch(marker, deadline)
        except Exception as error:
            raise while_marking(error, marker) from error
        return marker


def _is_ours(session: Session, file: RemoteFile, deadline: Deadline) -> bool:
    """Whether the file on the server has the content; where it cannot be read, size and a name with the key decide."""
    held = session.holds(file.path, file.payload.content, deadline)
    return file.has_key if held is None else held
