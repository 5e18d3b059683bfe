"""The FTP transport: upload under a temporary name, confirm the size, look at the final name, rename."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Finding, Text, Turn, warning
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
from invoiceapp.gateways.certificates import CA_UNREADABLE
from invoiceapp.gateways.file_drop import (
    RemoteFile,
    candidates,
    lost_rename,
    name_findings,
    name_taken,
    pdf_alone,
    remote_files,
    vanished,
    while_marking,
)
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.tls import CertificateUnreadable, client_context

from .check import ConnectionTest
from .failures import (
    Stage,
    during,
    is_no,
    meaning,
    rename_refused,
    unseen,
)
from .fields import FIELDS, NONE, PORTS, folder_of, security_of
from .mailbox import FtpMailbox
from .session import Session, open_session

#: Seconds that the server may take for one answer.
STEP = 30.0

#: Makes the error of a rename without an answer.
Lost = Callable[[Exception], TransportError]


class FtpTransport(FtpMailbox, Transport):
    """Puts files on an FTP server. One connection serves all sends of an instance."""

    kind = "ftp"
    label = Text("FTP og FTPS", "FTP and FTPS")
    description = Text(
        "Lægger filen i en mappe på modtagerens FTP-server, krypteret med TLS.",
        "Puts the file in a folder on the receiver's FTP server, encrypted by TLS.",
    )
    yes_means = Text(
        "FTP-serveren har taget filen; den er hverken læst tilbage eller kvitteret.",
        "The FTP server has taken the file; it was neither read back nor receipted.",
    )
    proof_means = Text(
        "Filen ligger i modtagerens eller udbyderens system, læst tilbage eller kvitteret.",
        "The file lies in the system of the receiver or the provider, read back or receipted.",
    )
    fields = FIELDS
    PORTS = PORTS

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._session: Session | None = None
        self._folder = folder_of(config)
        self._replaces = config.get("existing") == "replace"
        self._consumes = bool(config.get("consumes"))

    @property
    def replay(self) -> Replay:
        """Safe, as a retry finds its own file; not where the receiver takes the file away."""
        return Replay.UNSAFE if self._consumes else Replay.SAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``filename``: the document's first choice of a name on the server, without folder."""
        return {"filename": _name(remote_files(consignment, self.config)[0].path)}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """A root certificate that is none."""
        try:
            client_context(ca=config.get("ca_certificate"))
        except CertificateUnreadable:
            return {"ca_certificate": CA_UNREADABLE}
        return {}

    @classmethod
    def findings(cls, config: Mapping[str, Any]) -> list[Finding]:
        """No encryption; names that two documents could share."""
        open_to_all = warning(
            "IA-FTP-PLAIN",
            "Der sendes uden kryptering: alle undervejs kan læse adgangskode og fakturaer og ændre dem. Brug FTPS eller SFTP, "
            "hvis modtageren kan; ellers er det jeres eget ansvar.",
            "Nothing is encrypted: everybody on the way can read the password and the invoices, and change them. Use FTPS or "
            "SFTP where the receiver can; else it is your own responsibility.",
            turn=Turn.HERE,
            fix="gateway.security",
        )
        return [*([open_to_all] if security_of(config) == NONE else []), *name_findings(config)]

    def close(self) -> None:
        """Give the connection back."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def check(self) -> list[CheckStep]:
        """Name, port, encryption, login, folder, and a test file that is written, renamed and deleted."""
        test = ConnectionTest(self.config, self.guard, Deadline(self.DEADLINE, STEP))
        steps = test.run()
        self._note(test.certificate_ends)
        return steps

    def send(self, consignment: Consignment) -> Receipt:
        """Upload, confirm the size, rename. ``reference`` is the remote path."""
        deadline = Deadline(self.DEADLINE, STEP)
        try:
            session = self._opened(deadline)
            # What can have delivered something tells so itself.
            with during(Stage.RENAME, self._folder):
                return self._deliver(session, remote_files(consignment, self.config))
        except TransportError:
            # What failed once is not used again.
            self.close()
            raise

    def _opened(self, deadline: Deadline) -> Session:
        """The session of this instance; a new one where there is none or it does not answer."""
        if self._session is not None:
            self._session.begin(deadline)
            if self._session.is_alive():
                return self._session
            self.close()
        self._session = open_session(self.config, self.guard, deadline)
        self._note(self._session.certificate_ends)
        return self._session

    def _note(self, certificate_ends: str | None) -> None:
        if certificate_ends is not None:
            self.seen["certificate_ends"] = certificate_ends

    def _deliver(self, session: Session, files: list[RemoteFile]) -> Receipt:
        """Raises ``TransportError``, or what a session raises while nothing can have been delivered."""
        document, *companions = files
        first, found, proof, replies = 1, None, "", {}
        if not self._consumes:
            first, found, proof = self._look(session, document)
        if found is None:
            replies["STOR"], proof = session.write(_name(document.part), document.payload.content)
            for companion in companions:
                session.write(_name(companion.part), companion.payload.content)
            found, replies["RNTO"] = self._publish_all(session, document, companions, first)
        evidence = {
            "path": found.path,
            "size": len(document.payload.content),
            "sha256": document.payload.sha256,
            "proved_by": proof,
            "replies": {command: reply[:200] for command, reply in replies.items()},
            "encryption": session.encryption,
            "server": session.server,
            "already_there": not replies,
        }
        if self.config.get("done_marker"):
            evidence["done_marker"] = self._mark(session, found)
        # Without size or content the server's word is all there is, and it says 226 to half a file too.
        return Receipt(found.path, evidence, proves_arrival=bool(proof))

    def _look(self, session: Session, document: RemoteFile) -> tuple[int, RemoteFile | None, str]:
        """The number of the first name that may be used, where an earlier attempt put the document, and what proves that.

        All names are looked at: those before the document's may have been freed since.
        Raises ``Rejected`` where other files have them all.
        """
        usable = None
        for number, file in enumerate(candidates(document, self.config), 1):
            found = session.find(_name(file.path))
            proof = None if found is None else self._proof(session, file, found.size, found.told_by)
            if proof is not None:
                return number, file, proof
            if usable is None and (found is None or self._replaces):
                usable = number
        if usable is None:
            raise name_taken(document.path)
        return usable, None, ""

    def _proof(self, session: Session, file: RemoteFile, size: int | None, told_by: str) -> str | None:
        """The command that proves the file on the server to be ours; None where it is another.

        Where it may not be read, a name with the key decides, with the size where the server tells it.
        """
        held = session.holds(_name(file.path), file.payload.content, size)
        if held is None and file.has_key:
            return told_by if size is not None else ""
        return "RETR" if held else None

    def _publish_all(
        self, session: Session, document: RemoteFile, companions: list[RemoteFile], first: int
    ) -> tuple[RemoteFile, str]:
        """Give all files, which lie there whole, their final names, the document last; what ``_publish`` says of that.

        Raises ``Unknown`` where a PDF may be out without the document and the receiver takes files at once.
        """
        is_pdf_out = False
        try:
            for companion in companions:
                self._publish(session, companion, first, self._lost_companion)
                is_pdf_out = True
            return self._publish(session, document, first, lost_rename)
        except Unknown:
            raise
        except Exception as error:
            if is_pdf_out and self._consumes:
                raise pdf_alone(f"RNTO: {error}") from None
            raise

    def _lost_companion(self, error: Exception) -> TransportError:
        """The final name of a PDF was asked for and no answer came."""
        return (
            pdf_alone(f"RNTO: {type(error).__name__}") if self._consumes else meaning(error, Stage.RENAME, self._folder)
        )

    def _publish(self, session: Session, file: RemoteFile, first: int, lost: Lost) -> tuple[RemoteFile, str]:
        """Rename the part file to the first of its names, from the number ``first`` on, that no other file has.

        Also returns the server's reply, empty where the file lay there already.
        """
        for number, name in enumerate(candidates(file, self.config), 1):
            if number >= first:
                reply = self._take_name(session, name, lost)
                if reply is not None:
                    return name, reply
        session.discard(_name(file.part))
        raise name_taken(file.path)

    def _take_name(self, session: Session, file: RemoteFile, lost: Lost) -> str | None:
        """The server's reply to the rename; None where another file has the name."""
        if not self._replaces and self._is_taken(session, file):
            return self._yield_to(session, file)
        reply, is_done = self._rename(session, file, lost)
        if is_done:
            return reply
        if session.find(_name(file.path)) is None:
            raise self._unnamed(session, file, reply)
        known = self._yield_to(session, file)
        if known is not None or not self._replaces:
            return known
        session.remove(_name(file.path))
        reply, is_done = self._rename(session, file, lost)
        if not is_done:
            raise self._unnamed(session, file, reply)
        return reply

    def _is_taken(self, session: Session, file: RemoteFile) -> bool:
        """Looked at right before the rename, as most servers overwrite. Raises ``Refused`` where nothing can be seen."""
        taken = session.find(_name(file.path)) is not None
        # A folder that is emptied at once has nothing to overwrite.
        if not session.sees and not self._consumes:
            raise unseen(self._folder)
        return taken

    def _yield_to(self, session: Session, file: RemoteFile) -> str | None:
        """An empty reply where the file that has the name is ours already, and the part file is not needed; else None."""
        found = session.find(_name(file.path))
        if found is None or self._proof(session, file, found.size, found.told_by) is None:
            return None
        session.discard(_name(file.part))
        return ""

    def _rename(self, session: Session, file: RemoteFile, lost: Lost) -> tuple[str, bool]:
        """The server's reply, and whether it did it. Raises ``lost`` where none came."""
        try:
            session.prepare_rename(_name(file.part))
            session.ask_rename(_name(file.path))
        except Exception as error:
            if is_no(error):
                return str(error), False
            raise
        try:
            return session.renamed(), True
        except Exception as error:
            if is_no(error):
                return str(error), False
            raise lost(error) from None

    def _unnamed(self, session: Session, file: RemoteFile, reply: str) -> TransportError:
        """Why a name that is free was refused."""
        gone = session.find(_name(file.part)) is None if session.sees else self._consumes
        return vanished(file.part) if gone else rename_refused(reply)

    def _mark(self, session: Session, file: RemoteFile) -> str:
        """Put the empty ``.done`` file beside the document, unless it lies there; its path."""
        marker = f"{file.path}.done"
        try:
            if self._consumes or session.find(_name(marker)) is None:
                session.touch(_name(marker))
        except Exception as error:
            raise while_marking(error, marker) from error
        return marker


def _name(path: str) -> str:
    """Without folder: the session stands in it."""
    return PurePosixPath(path).name
