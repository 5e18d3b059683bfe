"""All registers of the demo's networks at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from invoiceapp.domain.network import Network

from .directory import create_directory
from .pki import Pki, pki_at
from .population import Population, demo_population
from .ports import FREE, Ports
from .register import PREFIX, create_register
from .sml import ZONES, SmlServer
from .smp import create_smp
from .switches import RegisterSwitch, Switch
from .web import HOST, HttpsServer


@dataclass(frozen=True, slots=True)
class Switches:
    """What is the matter with each register."""

    sml: Switch = field(default_factory=Switch)
    smp: Mapping[Network, Switch] = field(default_factory=lambda: {network: Switch() for network in Network})
    register: RegisterSwitch = field(default_factory=RegisterSwitch)
    directory: Switch = field(default_factory=Switch)

    def all(self) -> tuple[Switch, ...]:
        """Of every register."""
        return (self.sml, *self.smp.values(), self.register, self.directory)

    def reset(self) -> None:
        """All as at the start."""
        for switch in self.all():
            switch.reset()


@dataclass(frozen=True, slots=True)
class Networks:
    """Running registers."""

    population: Population
    pki: Pki
    switches: Switches
    dns_port: int
    smp_urls: Mapping[Network, str]
    register_url: str
    """NemHandelsregisteret, up to before ``/search``"""
    directory_url: str
    """Peppol Directory, up to before ``/search``"""

    @property
    def name_server(self) -> str:
        """As the gateway's field wants it."""
        return f"{HOST}:{self.dns_port}"

    @property
    def zones(self) -> Mapping[Network, str]:
        """SML zones."""
        return ZONES


@contextmanager
def serve_networks(folder: Path, ports: Ports = FREE, population: Population | None = None) -> Iterator[Networks]:
    """Serve for as long as the block lasts. ``folder`` keeps the certificates."""
    pki, people, switches = pki_at(folder), population or demo_population(), Switches()
    wanted = {Network.PEPPOL: ports.peppol_smp, Network.NEMHANDEL: ports.nemhandel_smp}
    with ExitStack() as stack:
        smps = {
            network: stack.enter_context(
                HttpsServer(
                    f"{network.value}-smp", create_smp(network, people, pki, switches.smp[network]), pki.tls, port
                )
            ).url
            for network, port in wanted.items()
        }
        register = HttpsServer(
            "nemhandelsregisteret", create_register(people, switches.register), pki.tls, ports.register
        )
        directory = HttpsServer(
            "peppol-directory", create_directory(people, switches.directory), pki.tls, ports.directory
        )
        stack.enter_context(register)
        stack.enter_context(directory)
        sml = stack.enter_context(SmlServer(people, smps, switches.sml, ports.sml))
        # Before the servers close: whoever is made to wait need not.
        stack.callback(switches.reset)
        yield Networks(
            people, pki, switches, sml.port, smps, register.url + PREFIX, directory.url
        )  # fmt: skip
