"""The connection test of an HTTP gateway, step by step: it asks, and never sends a document."""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Deadline, Unavailable, run_steps
from invoiceapp.gateways.failures import transport_error
from invoiceapp.gateways.steps import Step, network_steps
from invoiceapp.outbound.errors import OutboundError, failure
from invoiceapp.outbound.http import Answer

from .answer import refusal
from .request import headers_of
from .settings import address

if TYPE_CHECKING:
    from .transport import HttpTransport


class ConnectionTest:
    """Steps that build on one another; each returns what it found or raises a ``TransportError``."""

    def __init__(self, transport: HttpTransport, deadline: Deadline, partner: Text) -> None:
        self._transport, self._deadline, self._partner = transport, deadline, partner
        self._config = transport.config
        parts = urlsplit(self._config["url"])
        self._is_encrypted = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_encrypted else 80)

    def run(self) -> list[CheckStep]:
        """All steps up to the first that fails."""
        return run_steps(self._steps())

    def _steps(self) -> Iterator[Step]:
        transport = self._transport
        yield from network_steps(
            transport.guard, self._host, self._port, self._deadline, self._partner, transport.PORTS
        )
        if self._is_encrypted:
            yield Text("Kryptering (TLS)", "Encryption (TLS)"), self._encrypt
        yield Text("Adgang (HEAD)", "Access (HEAD)"), self._knock
        if self._config.get("status_url"):
            yield Text("Opslag (GET)", "Look-up (GET)"), self._look_up

    def _encrypt(self) -> Text:
        context: ssl.SSLContext = self._transport.context()
        try:
            raw = self._transport.guard.connect(self._host, self._port, self._deadline, self._transport.PORTS)
            with raw, context.wrap_socket(raw, server_hostname=self._host) as encrypted:
                certificate, version = encrypted.getpeercert() or {}, encrypted.version()
        except (OutboundError, OSError) as error:
            raise transport_error(failure(error), self._partner) from error
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        self._transport.seen["certificate_ends"] = ends.isoformat()
        return Text(
            f"{version}; serverens certifikat er i orden og gælder til {ends:%Y-%m-%d}.",
            f"{version}; the server's certificate is in order and valid until {ends:%Y-%m-%d}.",
        )

    def _knock(self) -> Text:
        """HEAD changes nothing at the server (RFC 9110 9.2.1)."""
        self._transport.require_usable()
        url, headers = address(self._config["url"], _unused_key()), headers_of(self._config)
        answer = self._ask(lambda: self._transport.ask("HEAD", url, self._deadline, headers))
        self._require_access(answer)
        if answer.is_good:
            return Text(
                f"Serveren svarer {answer.status}; adgangen er ikke afvist.",
                f"The server answers {answer.status}; the access was not refused.",
            )
        return Text(
            f"Serveren svarer {answer.status} på en forespørgsel uden dokument. Det gør mange; adgangen er ikke afvist. Send en "
            "prøve for at være sikker.",
            f"The server answers {answer.status} to a request without a document. Many do; the access was not refused. Send a "
            "sample to be sure.",
        )

    def _look_up(self) -> Text:
        """Asked for a key that nobody has used, the partner must say no; a yes would hide every lost document."""
        answer = self._ask(lambda: self._transport.look_up(_unused_key(), self._deadline))
        self._require_access(answer)
        if answer.status in (404, 410):
            return Text(
                f"Serveren svarer {answer.status} om et ukendt dokument, som den skal.",
                f"The server answers {answer.status} for an unknown document, as it should.",
            )
        raise Unavailable(
            Text(
                f"Serveren svarer {answer.status} om et dokument, den ikke kan kende. Den skal svare 404 eller 410, ellers kan vi "
                "ikke se, om et dokument mangler. Ret adressen, eller spørg modtageren.",
                f"The server answers {answer.status} for a document it cannot know. It must answer 404 or 410, or we cannot see "
                "that a document is missing. Correct the address, or ask the receiver.",
            )
        )

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except OutboundError as error:
            if error.status is not None:
                return Answer(error.status, {}, b"")
            # Nothing but a question was sent.
            raise transport_error(OutboundError(error.reason, error.detail), self._partner) from error

    def _require_access(self, answer: Answer) -> None:
        """Credentials that are refused here are refused for a document too, and an address that moved has moved."""
        if answer.status in (401, 403) or answer.status // 100 == 3:
            raise refusal(answer)


def _unused_key() -> str:
    """One that no document has."""
    return f"check-{secrets.token_hex(16)}"
