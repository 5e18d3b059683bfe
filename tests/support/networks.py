"""The registers of both networks for tests, and what may be the matter with them.

``networks`` runs them once; ``network_registers`` gives them to one test, which may turn switches, change who is registered, and
finds everything as it was before.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from invoiceapp.demo.networks.population import demo_population
from invoiceapp.demo.networks.serve import Networks, serve_networks
from invoiceapp.discovery.base import Settings
from invoiceapp.domain.network import Network


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Networks]:
    """All of them with the demo's population, for as long as the tests run."""
    with serve_networks(tmp_path_factory.mktemp("networks")) as running:
        yield running


@pytest.fixture
def network_registers(networks: Networks) -> Iterator[Networks]:
    """The same for one test, quick and in order."""
    networks.switches.reset()
    yield networks
    networks.switches.reset()
    networks.population.replace(demo_population())


def settings_of(networks: Networks) -> Settings:
    """For ``Discovery``."""
    return Settings(
        zones=networks.zones,
        name_servers=(("127.0.0.1", networks.dns_port),),
        register_url=networks.register_url,
        directory_url=networks.directory_url,
        anchors=dict.fromkeys(Network, networks.pki.root),
        ca=networks.pki.root,
    )
