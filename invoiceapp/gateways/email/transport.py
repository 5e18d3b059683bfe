"""The e-mail transport."""

from __future__ import annotations

import contextlib
import smtplib
from collections.abc import Mapping
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Consignment, Deadline, Receipt, Transport, TransportError, run_steps

from .fields import FIELDS
from .message import compose, copy_of, message_id, recipient_of, sender_of
from .session import STEP, connect, deliver, is_alive, log_in, look_up, reach

#: Seconds that the end of a connection may take.
GOODBYE = 5.0


class EmailTransport(Transport):
    """Sends one mail a document. One connection serves all sends of an instance."""

    kind = "email"
    label = Text("E-mail", "E-mail")
    description = Text(
        "Sender filen som vedhæftning gennem jeres egen mailserver.",
        "Sends the file as an attachment through your own mail server.",
    )
    fields = FIELDS

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._smtp: smtplib.SMTP | None = None

    @property
    def replay(self) -> Replay:
        """Unsafe: mail servers do not look for repetitions (RFC 1047)."""
        return Replay.UNSAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``message_id``, as in the header of that name."""
        return {"message_id": message_id(consignment, self.config)}

    def close(self) -> None:
        """Say goodbye where the server still listens."""
        if self._smtp is not None and is_alive(self._smtp, Deadline(GOODBYE, STEP)):
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
        self._drop()

    def _drop(self) -> None:
        """End the connection without waiting for the server."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def check(self) -> list[CheckStep]:
        """Name, connection, encryption, login. Sends nothing."""
        deadline = Deadline(self.DEADLINE, STEP)
        try:
            return run_steps(
                (
                    (Text("Find mailserveren", "Find the mail server"), lambda: self._name_exists(deadline)),
                    (Text("Forbindelse", "Connection"), lambda: self._server_answers(deadline)),
                    (Text("Kryptering", "Encryption"), lambda: self._is_encrypted(deadline)),
                    (Text("Log ind", "Log in"), lambda: self._login_works(deadline)),
                )
            )
        finally:
            self.close()

    def _name_exists(self, deadline: Deadline) -> Text:
        look_up(self.config, deadline)
        return Text("Navnet findes.", "The name exists.")

    def _server_answers(self, deadline: Deadline) -> Text:
        reach(self.config, deadline)
        return Text("Serveren svarer.", "The server answers.")

    def _is_encrypted(self, deadline: Deadline) -> Text:
        self._connect(deadline)
        return Text("Certifikat og kryptering er i orden.", "Certificate and encryption are in order.")

    def _login_works(self, deadline: Deadline) -> Text:
        self._log_in(deadline)
        return Text("Login er i orden.", "The login is in order.")

    def send(self, consignment: Consignment) -> Receipt:
        """Hand one mail to the mail server. ``reference`` is the Message-ID."""
        deadline = Deadline(self.DEADLINE, STEP)
        sender, recipient = sender_of(self.config), recipient_of(consignment, self.config)
        copy, mail = copy_of(self.config), compose(consignment, self.config)
        try:
            reply = deliver(self._opened(deadline), sender, (recipient, copy), mail, deadline)
        except TransportError:
            # What failed once is not used again.
            self._drop()
            raise
        identifier = message_id(consignment, self.config)
        evidence = {
            "reply": reply,
            "message_id": identifier,
            "recipient": recipient,
            "size": len(mail),
            "sha256": consignment.payload.sha256,
        }
        # A mail server's 250 means taken over, not delivered.
        return Receipt(identifier, evidence, proves_arrival=False)

    def _opened(self, deadline: Deadline) -> smtplib.SMTP:
        """The connection of this instance; a new one where there is none or it does not answer."""
        if self._smtp is not None and is_alive(self._smtp, deadline):
            return self._smtp
        self._connect(deadline)
        return self._log_in(deadline)

    def _connect(self, deadline: Deadline) -> None:
        self._drop()
        self._smtp = connect(self.config, deadline)

    def _log_in(self, deadline: Deadline) -> smtplib.SMTP:
        assert self._smtp is not None
        log_in(self._smtp, self.config, deadline)
        return self._smtp
