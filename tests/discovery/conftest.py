"""A name server and an SMP on this machine, and the certificates with which it answers."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK
from support.pki import Holder, Pki, make_pki, tls_extension
from support.smp import ZONE, NameServer, Smp, naptr

from invoiceapp.discovery.base import Settings
from invoiceapp.discovery.client import Discovery
from invoiceapp.domain.network import Network


@pytest.fixture(scope="session")
def _name_server() -> Iterator[NameServer]:
    with NameServer().running() as running:
        yield running


@pytest.fixture
def name_server(_name_server: NameServer) -> NameServer:
    """Knows the zone and nobody in it."""
    _name_server.resolver.names.clear()
    _name_server.resolver.asked.clear()
    _name_server.put(ZONE, "nothing")
    return _name_server


@pytest.fixture(scope="session")
def pki() -> Pki:
    return make_pki("SMP")


@pytest.fixture(scope="session")
def smp_holder(pki: Pki) -> Holder:
    return pki.holder("PDK000001")


@pytest.fixture(scope="session")
def access_point(pki: Pki) -> Holder:
    return pki.holder("PDK000002")


@pytest.fixture(scope="session")
def tls_pki() -> Pki:
    return make_pki("TLS")


@pytest.fixture(scope="session")
def _smp(tls_pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smp]:
    holder = tls_pki.holder("127.0.0.1", hosts=["127.0.0.1"], extensions=[tls_extension()])
    path = tmp_path_factory.mktemp("smp") / "server.pem"
    path.write_text(holder.key_pem + holder.pem + tls_pki.intermediate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with Smp().running(context) as running:
        yield running


@pytest.fixture
def smp(_smp: Smp) -> Iterator[Smp]:
    """Empty."""
    _smp.pages.clear()
    _smp.asked.clear()
    _smp.is_released.set()
    yield _smp
    _smp.is_released.set()


@pytest.fixture
def make_settings(name_server: NameServer, pki: Pki, tls_pki: Pki) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        values = {
            "zones": {Network.PEPPOL: ZONE, Network.NEMHANDEL: ZONE},
            "name_servers": (("127.0.0.1", name_server.port),),
            "anchors": {Network.PEPPOL: pki.root_pem, Network.NEMHANDEL: pki.root_pem},
            "ca": tls_pki.root_pem,
            "per_second": 10_000,
        }
        return Settings(**{**values, **changes})

    return make


@pytest.fixture
def discovery(make_settings: Callable[..., Settings]) -> Iterator[Discovery]:
    with Discovery(make_settings(), LOOPBACK) as made:
        yield made


@pytest.fixture
def registered(name_server: NameServer, smp: Smp) -> Smp:
    """The participant is registered at the SMP, which has no page yet."""
    name_server.register(naptr(smp.url))
    return smp
