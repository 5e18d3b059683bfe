"""What an independent judge says of our documents: official packs, official suites, other engines and other readers.

``make interop`` installs the packs and a second engine, and names them in the
environment; without them these tests are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from support.as4_peers import AccessPoint, Mailbox, WebServer
from support.outbound import LOOPBACK
from support.pki import Holder, Pki, make_pki

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.invoice import DocumentType
from invoiceapp.domain.network import AS4_PROFILE, Identifier, Network, ReceivingEndpoint, Service, service_for
from invoiceapp.formats.validation.validator import Validator
from invoiceapp.gateways.base import Consignment, Payload, Transport, registry

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
#: What travels on a network.
FORMATS = {Network.PEPPOL: "peppol-bis-3", Network.NEMHANDEL: "oioubl-2.1"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("interop")


@pytest.fixture(scope="session")
def rules_dir() -> Path:
    folder = os.environ.get("TEST_RULES_DIR")
    if not folder:
        pytest.skip("no official rule packs: run make interop")
    return Path(folder)


@pytest.fixture(scope="session")
def official(rules_dir: Path) -> Validator:
    return Validator(rules_dir)


@pytest.fixture(scope="session")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


@pytest.fixture(scope="session")
def saxon_jar() -> Path:
    """Saxon-HE for Java: another engine than the one that the product uses."""
    jar = os.environ.get("TEST_SAXON_JAR")
    if not jar:
        pytest.skip("no second engine: run make interop")
    return Path(jar)


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Official examples and rule suites, which are not part of this repository."""
    if not FIXTURES.is_dir():
        pytest.skip("the official suites are not at hand")
    return FIXTURES


@pytest.fixture(scope="session")
def pki() -> Pki:
    return make_pki("Interop")


@pytest.fixture(scope="session")
def access_points(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., AccessPoint]]:
    """Starts access points, by the name in their certificate and the command that runs them."""
    running: list[AccessPoint] = []

    def start(name: str, *command: str | Path) -> AccessPoint:
        running.append(AccessPoint(list(command), tmp_path_factory.mktemp(name), pki.holder(name), pki))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture(scope="session")
def ours(pki: Pki) -> Holder:
    """Our access point."""
    return pki.holder("POP000001")


@pytest.fixture
def as4_transport(ours: Holder, pki: Pki) -> Callable[..., Transport]:
    """Opens our side on a network; keyword arguments change its settings."""
    config = {
        "own_certificate": ours.pem,
        "own_key": ours.key_pem,
        "anchors": pki.root_pem + pki.intermediate_pem,
        "country": "DK",
        "revocation": "off",
    }
    return lambda network=Network.PEPPOL, **changes: registry()[network](config | changes, LOOPBACK)


_numbers = count()


@pytest.fixture
def as4_consignment() -> Callable[..., Consignment]:
    """An invoice for an access point, with a key that nobody has seen; keyword arguments change where it goes."""

    def make(access_point: AccessPoint, network: Network = Network.PEPPOL, **changes: Any) -> Consignment:
        service, receiver = _service(network), Participant("0088", "5798009811578")
        where = {
            "network": network,
            "participant": receiver,
            "document_id": service.document_id,
            "process": Identifier("cenbii-procid-ubl", service.processes[0]),
            "transport_profile": AS4_PROFILE,
            "url": access_point.url,
            "certificate": access_point.identity.pem,
            "asked_at": datetime.now(UTC),
        }
        return Consignment(
            f"as4key{next(_numbers)}",
            Payload(_invoice(network).read_bytes(), "invoice.xml", "application/xml"),
            format=FORMATS[network],
            sender=Participant("0184", "12345674"),
            receiver=receiver,
            endpoint=ReceivingEndpoint(**where | changes),
        )

    return make


def _invoice(network: Network) -> Path:
    return GOLDEN / FORMATS[network] / "ean_only.xml"


def _service(network: Network) -> Service:
    service = service_for(network, FORMATS[network], DocumentType.INVOICE)
    assert service is not None
    return service


@pytest.fixture
def as4_mailbox(as4_transport: Callable[..., Transport]) -> Iterator[Mailbox]:
    """Our receiving side, behind a web server."""
    with as4_transport() as transport:
        mailbox = Mailbox(transport)
        with WebServer(mailbox.answer) as server:
            mailbox.url = server.url
            yield mailbox


_UBL_RESPONSE = "urn:oasis:names:specification:ubl:schema:xsd:ApplicationResponse-2::ApplicationResponse"
#: Document type and process of a Peppol Invoice Response.
RESPONSE_IDS = (
    f"busdox-docid-qns::{_UBL_RESPONSE}##urn:fdc:peppol.eu:poacc:trns:invoice_response:3::2.1",
    "cenbii-procid-ubl::urn:fdc:peppol.eu:poacc:bis:invoice_response:3",
)


@pytest.fixture
def as4_command(ours: Holder) -> Callable[..., dict[str, str]]:
    """What an access point is told for sending us something: where we are, the MessageId, and a response or our invoice."""

    def make(url: str, message_id: str, response: Path | None = None) -> dict[str, str]:
        service = _service(Network.PEPPOL)
        invoice_ids = str(service.document_id), f"cenbii-procid-ubl::{service.processes[0]}"
        document_id, process = RESPONSE_IDS if response else invoice_ids
        return {
            "url": url,
            "message_id": message_id,
            "certificate": ours.pem,
            "document": str(response or _invoice(Network.PEPPOL)),
            "sender": "iso6523-actorid-upis::0088:5798009811578",
            "receiver": "iso6523-actorid-upis::0184:12345674",
            "document_id": document_id,
            "process": process,
        }

    return make


@pytest.fixture
def canonical() -> Callable[[bytes], str]:
    """What two documents have in common that are the same XML."""
    return lambda document: str(etree.canonicalize(document.decode()))
