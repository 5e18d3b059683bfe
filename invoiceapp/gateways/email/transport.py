"""The e-mail transport."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

from invoiceapp.domain.delivery import Replay
from invoiceapp.domain.findings import Text
from invoiceapp.gateways import oauth
from invoiceapp.gateways.base import (
    STRICT,
    CheckStep,
    Consignment,
    Deadline,
    Expiry,
    Receipt,
    Rejected,
    Transport,
    TransportError,
    run_steps,
)
from invoiceapp.gateways.certificates import CA_UNREADABLE, ends_of
from invoiceapp.gateways.steps import Step, network_steps
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.tls import CertificateUnreadable, client_context

from .conversation import FAILURES, PORTS, Conversation
from .failures import PARTNER
from .fields import DEFAULT_PORT, FIELDS, ROOT
from .login import Login, auth_of
from .message import compose, copy_of, message_id, recipients_of, sender_of
from .session import certificate_ends, connect, deliver, is_alive, offer_sender

#: Seconds that the server may take for one reply. RFC 5321 4.5.3.2 asks for minutes, which
#: the deadline of a delivery does not have.
STEP = 30.0
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
    yes_means = Text(
        "Mailserveren har taget mailen; om modtageren har fået den, er ikke bevist.",
        "The mail server has taken the mail; that the receiver has got it is not proven.",
    )
    proof_means = Text(
        "Modtagerens mailserver har meldt, at mailen er afleveret.",
        "The receiver's mail server has told that the mail was delivered.",
    )
    fields = FIELDS
    by_email = True
    PORTS = PORTS

    def __init__(self, config: Mapping[str, Any], guard: Guard = STRICT) -> None:
        super().__init__(config, guard)
        self._login = Login(config, guard, self.renewed)
        self._smtp: Conversation | None = None

    @property
    def replay(self) -> Replay:
        """Unsafe: mail servers do not look for repetitions (RFC 1047)."""
        return Replay.UNSAFE

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        """``message_id``, as in the header of that name."""
        return {"message_id": message_id(consignment, self.config)}

    @classmethod
    def problems(cls, config: Mapping[str, Any], secrets: Collection[str]) -> dict[str, Text]:
        """A root certificate that is none; a refresh token that would travel unencrypted."""
        found = {}
        try:
            client_context(ca=config.get("ca_certificate"))
        except CertificateUnreadable:
            found["ca_certificate"] = CA_UNREADABLE
        if config.get("token_url") and not oauth.is_safe(config["token_url"]):
            found["token_url"] = oauth.UNSAFE
        return found

    @classmethod
    def expiries(cls, config: Mapping[str, Any]) -> list[Expiry]:
        """The mail server's own root certificates."""
        return ends_of(ROOT, config)

    def close(self) -> None:
        """Say goodbye where the server still listens."""
        if self._smtp is not None and is_alive(self._smtp, Deadline(GOODBYE, GOODBYE)):
            with contextlib.suppress(*FAILURES):
                self._smtp.quit()
        self._drop()

    def _drop(self) -> None:
        """End the connection without waiting for the server."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def check(self) -> list[CheckStep]:
        """Name, connection, encryption, login, sender address. Sends nothing."""
        try:
            return run_steps(self._steps(Deadline(self.DEADLINE, STEP)))
        finally:
            self.close()

    def _steps(self, deadline: Deadline) -> tuple[Step, ...]:
        host, port = self.config["host"], self.config.get("port") or DEFAULT_PORT
        return (
            *network_steps(self.guard, host, port, deadline, PARTNER, PORTS),
            (Text("Kryptering (TLS)", "Encryption (TLS)"), lambda: self._encryption_works(deadline)),
            (Text("Log ind", "Log in"), self._login_works),
            (Text("Afsenderadresse", "Sender address"), self._sender_is_welcome),
        )

    def _encryption_works(self, deadline: Deadline) -> Text:
        ends = certificate_ends(self._connect(deadline))
        if ends is None:
            return Text("Ingen; serveren er på denne maskine.", "None; the server is on this machine.")
        return Text(
            f"Certifikatet er godkendt og gælder til {ends:%d.%m.%Y}.",
            f"The certificate is verified, until {ends:%Y-%m-%d}.",
        )

    def _login_works(self) -> Text:
        self._enter()
        if auth_of(self.config) == "none":
            return Text("Der bruges intet login.", "No login is used.")
        return Text("Login er i orden.", "The login is in order.")

    def _sender_is_welcome(self) -> Text:
        assert self._smtp is not None
        sender = sender_of(self.config)
        offer_sender(self._smtp, sender)
        return Text(
            f"Serveren vil sende fra {sender}. Intet er sendt.",
            f"The server will send from {sender}. Nothing was sent.",
        )

    def send(self, consignment: Consignment) -> Receipt:
        """Hand one mail to the mail server. ``reference`` is the Message-ID."""
        deadline = Deadline(self.DEADLINE, STEP)
        sender, recipients = sender_of(self.config), recipients_of(consignment, self.config)
        copy, mail = copy_of(self.config), compose(consignment, self.config)
        try:
            reply = deliver(self._opened(deadline), sender, recipients, copy, mail)
        except Rejected:
            # The server said no and listens on; ``is_alive`` makes it forget what was begun.
            raise
        except TransportError:
            # What failed once is not used again.
            self._drop()
            raise
        identifier = message_id(consignment, self.config)
        evidence = {
            "reply": reply,
            "message_id": identifier,
            "recipient": ", ".join(recipients),
            "size": len(mail),
            "sha256": consignment.payload.sha256,
        }
        # A mail server's 250 means taken over, not delivered.
        return Receipt(identifier, evidence, proves_arrival=False)

    def _opened(self, deadline: Deadline) -> Conversation:
        """The connection of this instance; a new one where there is none or it does not answer."""
        if self._smtp is not None and is_alive(self._smtp, deadline):
            return self._smtp
        self._connect(deadline)
        return self._enter()

    def _connect(self, deadline: Deadline) -> Conversation:
        self._drop()
        self._smtp = connect(self.config, self.guard, deadline)
        if ends := certificate_ends(self._smtp):
            self.seen["certificate_ends"] = ends.isoformat()
        return self._smtp

    def _enter(self) -> Conversation:
        assert self._smtp is not None
        self._login.enter(self._smtp)
        return self._smtp
