"""The demo's stand-ins: Billy's API, receiving partners, the networks' registers and access-point providers.

``python -m invoiceapp.demo.serve``.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from invoiceapp import config as configuration
from invoiceapp import logs
from invoiceapp.domain.network import Network
from invoiceapp.processes import free_port

from . import addresses
from .addresses import Addresses
from .billy.company import demo_company
from .billy.server import serve as serve_billy
from .networks.serve import serve_networks
from .partners.pages import partners_pages
from .partners.providers import serve_providers
from .partners.serve import serve_partners

TOKEN = "demo-token"  # noqa: S105 - opens only the stand-in on this machine


@contextmanager
def running(instance_dir: Path) -> Iterator[Addresses]:
    """Serve all stand-ins in this process and publish where; at the last ports where they are free."""
    billy_port, sftp_port, smtp_port = addresses.wanted_ports(instance_dir)
    with ExitStack() as stack:
        partners = stack.enter_context(
            serve_partners(
                addresses.folder(instance_dir) / "received",
                sftp_port=free_port(sftp_port),
                smtp_port=free_port(smtp_port),
            )
        )
        networks = stack.enter_context(
            serve_networks(addresses.folder(instance_dir) / "networks", addresses.wanted_network_ports(instance_dir))
        )
        providers = stack.enter_context(
            serve_providers(
                addresses.folder(instance_dir) / "sproom", networks.population,
                addresses.wanted_provider_ports(instance_dir),
            )
        )  # fmt: skip
        billy = stack.enter_context(
            serve_billy(
                "127.0.0.1", free_port(billy_port), demo_company(addresses.anchor(instance_dir)), TOKEN,
                pages=[partners_pages(partners.arrivals, providers)],
            )
        )  # fmt: skip
        found = Addresses(
            billy.url, f"{billy.root}/partners", partners.sftp_port, partners.smtp_port, partners.host_key,
            networks.dns_port, networks.smp_urls[Network.PEPPOL], networks.smp_urls[Network.NEMHANDEL],
            networks.register_url, networks.directory_url, networks.pki.root, networks.pki.root,
            providers.urls,
        )  # fmt: skip
        addresses.write(instance_dir, found)
        stack.callback(addresses.forget, instance_dir)
        yield found


@contextmanager
def available(instance_dir: Path) -> Iterator[Addresses]:
    """The stand-ins of the running demo; where none runs, our own for as long as the block lasts."""
    found = addresses.read(instance_dir)
    if found is not None:
        yield found
        return
    with running(instance_dir) as own:
        yield own


def main() -> None:
    """Serve until SIGTERM."""
    logs.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with running(configuration.load().instance_dir):
        stop.wait()


if __name__ == "__main__":
    main()
