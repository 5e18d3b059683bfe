"""What all questions share: the moment, the deadline, the evidence, and words for a machine that did not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from invoiceapp.domain.findings import Text
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.errors import OutboundError, Reason
from invoiceapp.outbound.http import Answer as HttpAnswer
from invoiceapp.outbound.http import HttpClient

from .base import CouldNotAsk, Exchange

TOO_LATE = Text(
    "Registret svarede ikke i tide, så vi ved ikke, hvad kunden kan modtage. Vi prøver igen senere.",
    "The register did not answer in time, so we do not know what the customer can receive. We try again later.",
)
_BUSY = Text(
    "Registret har travlt og bad os vente. Vi prøver igen senere.",
    "The register is busy and asked us to wait. We try again later.",
)
_FAILED = Text(
    "Registret kunne ikke svare (fejl hos det selv). Vi prøver igen senere.",
    "The register could not answer (an error of its own). We try again later.",
)
_UNREACHED = {
    Reason.BLOCKED_ADDRESS: Text(
        "Registret henviser til en adresse i et lukket netværk, og der spørger vi ikke. Kontakt modtagerens udbyder; er det jeres "
        "egen test, skal den, der driver serveren, tillade netværket med OUTBOUND_NETWORKS.",
        "The register points to an address in a closed network, where we do not ask. Contact the receiver's provider; if it is a "
        "test of your own, whoever runs the server must allow the network by OUTBOUND_NETWORKS.",
    ),
    Reason.BLOCKED_PORT: Text(
        "Registret henviser til en port, der hører til en anden slags tjeneste, og der spørger vi ikke. Kontakt modtagerens "
        "udbyder.",
        "The register points to a port that belongs to another kind of service, where we do not ask. Contact the receiver's "
        "provider.",
    ),
    Reason.NAME_UNKNOWN: Text(
        "Registrets server findes ikke under det navn, vi har fået. Vi prøver igen senere; bliver det ved, så kontakt modtagerens "
        "udbyder.",
        "The register's server does not exist under the name that we were given. We try again later; if it goes on, contact the "
        "receiver's provider.",
    ),
    Reason.CERTIFICATE: Text(
        "Registrets server kunne ikke vise, hvem den er (dens certifikat holder ikke), så vi tror ikke på den. Vi prøver igen "
        "senere.",
        "The register's server could not show who it is (its certificate does not hold), so we do not believe it. We try again "
        "later.",
    ),
    Reason.TOO_LARGE: Text(
        "Registret svarede med langt mere, end et svar kan fylde, så vi stoppede. Vi prøver igen senere; bliver det ved, så "
        "kontakt modtagerens udbyder.",
        "The register answered with far more than an answer can hold, so we stopped. We try again later; if it goes on, contact "
        "the receiver's provider.",
    ),
    Reason.TIMEOUT: TOO_LATE,
}
_UNREACHABLE = Text(
    "Registret kunne ikke nås, så vi ved ikke, hvad kunden kan modtage. Vi prøver igen senere.",
    "The register could not be reached, so we do not know what the customer can receive. We try again later.",
)


def utcnow() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Asking:
    """One question to the registers while it is under way, and what went out and came back so far."""

    http: HttpClient
    deadline: Deadline
    now: Callable[[], datetime] = utcnow
    exchanges: list[Exchange] = field(default_factory=list)

    def note(self, asked: str, outcome: str, content: bytes = b"") -> None:
        """Keep an exchange as evidence."""
        self.exchanges.append(Exchange(asked, self.now(), outcome, content))

    def get(self, url: str, most: int) -> HttpAnswer:
        """What is at an address: 200 or 404. ``most``: bytes of an answer. Raises ``CouldNotAsk`` for everything else."""
        asked = f"GET {url}"
        try:
            answer = self.http.request("GET", url, self.deadline, most=most)
        except OutboundError as error:
            self.note(asked, error.reason.value)
            raise CouldNotAsk(_UNREACHED.get(error.reason, _UNREACHABLE), f"{asked}: {error}") from None
        self.note(asked, str(answer.status), answer.body)
        if answer.status in (200, 404):
            return answer
        text = _BUSY if answer.status in (429, 503) else _FAILED
        raise CouldNotAsk(text, f"{asked}: {answer.status}", answer.retry_after)
