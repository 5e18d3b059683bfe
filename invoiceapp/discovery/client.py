"""One place to ask all registers. Used by one thread; each thread opens its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType

from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import Network, ReceivingEndpoint, Service
from invoiceapp.outbound.deadline import Deadline
from invoiceapp.outbound.guard import Guard
from invoiceapp.outbound.tls import CertificateUnreadable, client_context

from . import directory, nemhandelsregisteret, sml
from .asking import Asking, utcnow
from .base import SMP_OF, Answer, CouldNotAsk, Offer, Registered, Settings
from .dns import NameServers
from .smp import Publisher
from .turns import PoliteClient, host_of

#: Seconds that a register may take for one answer.
STEP = 10.0
#: Questions a second that the Peppol Directory allows.
DIRECTORY_PER_SECOND = 2.0

_NOT_ASKED = Text(
    "Det register er ikke sat op her, så vi har ikke spurgt. Angiv dets adresse i gatewayens indstillinger.",
    "That register is not set up here, so we did not ask. Name its address in the gateway's settings.",
)
_CA_UNREADABLE = Text(
    "Rodcertifikatet til registrenes servere kan ikke læses. Indsæt det igen i PEM-form, med linjerne BEGIN og END.",
    "The root certificate for the registers' servers cannot be read. Paste it again in PEM form, with its BEGIN and END lines.",
)


class Discovery:
    """The registers that ``settings`` name, asked through the guard. Every question ends within ``DEADLINE`` seconds."""

    DEADLINE = 20.0

    def __init__(self, settings: Settings, guard: Guard, now: Callable[[], datetime] = utcnow) -> None:
        self.settings = settings
        self.guard = guard
        self._now = now
        self._servers = NameServers(settings.name_servers, guard)
        self._opened: PoliteClient | None = None

    def company(self, cvr: str) -> Answer:
        """All participants of a Danish company, by its 8-digit CVR number (NemHandelsregisteret). Raises ``CouldNotAsk``."""
        base = _required(self.settings.register_url)
        return nemhandelsregisteret.company(self._http(), base, cvr, self._deadline())

    def receiver(self, participant: Participant) -> Answer:
        """One participant with its profiles and networks (NemHandelsregisteret). Raises ``CouldNotAsk``."""
        base = _required(self.settings.register_url)
        return nemhandelsregisteret.receiver(self._http(), base, participant, self._deadline())

    def registration(self, network: Network, participant: Participant) -> Answer:
        """One participant and the document types of its registration (SML, then the SMP's ServiceGroup). Raises ``CouldNotAsk``."""
        with self._asking() as asking:
            publisher = self._publisher(network, participant, asking)
            found = publisher.registration(asking) if publisher else None
            return self._answer(network, participant, found, asking)

    def endpoint(
        self, network: Network, participant: Participant, service: Service
    ) -> tuple[ReceivingEndpoint | None, Answer]:
        """Where a participant takes a service: by SML, then the SMP's signed metadata, verified. None where it does not take it.

        Raises ``CouldNotAsk``: also where a signature, a certificate or a date does not hold.
        """
        with self._asking() as asking:
            publisher = self._publisher(network, participant, asking)
            endpoint = publisher.endpoint(service, asking) if publisher else None
            offers = (Offer(network, endpoint.document_id, endpoint.process),) if endpoint else ()
            found = Registered(participant, offers=offers) if endpoint else None
            return endpoint, self._answer(network, participant, found, asking)

    def named(self, name: str, country: str | None = None) -> Answer:
        """Participants by name (Peppol Directory): to suggest, never to route. Raises ``CouldNotAsk``."""
        base = _required(self.settings.directory_url)
        return directory.named(self._http(), base, name, country, self._deadline())

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        if self._opened:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> Discovery:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _http(self) -> PoliteClient:
        if self._opened is None:
            try:
                context = client_context(ca=self.settings.ca)
            except CertificateUnreadable as error:
                raise CouldNotAsk(_CA_UNREADABLE, str(error)) from None
            slower = {host_of(self.settings.directory_url): DIRECTORY_PER_SECOND}
            self._opened = PoliteClient(self.guard, context, self.settings.per_second, slower)
        return self._opened

    def _deadline(self) -> Deadline:
        return Deadline(self.DEADLINE, STEP)

    @contextmanager
    def _asking(self) -> Iterator[Asking]:
        """A question whose exchanges are kept also where it fails."""
        asking = Asking(self._http(), self._deadline(), self._now)
        try:
            yield asking
        except CouldNotAsk as error:
            error.exchanges = tuple(asking.exchanges)
            raise

    def _publisher(self, network: Network, participant: Participant, asking: Asking) -> Publisher | None:
        zone = _required(self.settings.zones.get(network, ""))
        address = sml.smp_address(participant, zone, self._servers, asking)
        if not address:
            return None
        anchors, profile = self.settings.anchors.get(network, ""), self.settings.profiles[network]
        return Publisher(address, network, participant, anchors, profile)

    def _answer(self, network: Network, participant: Participant, found: Registered | None, asking: Asking) -> Answer:
        return Answer(
            SMP_OF[network], str(participant), self._now(), (found,) if found else (), exchanges=tuple(asking.exchanges)
        )


def _required(place: str) -> str:
    if not place:
        raise CouldNotAsk(_NOT_ASKED, "no address in the settings")
    return place
