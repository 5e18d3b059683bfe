"""A system certificate as MitID Erhverv issues it, and an access point of NemHandel that listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK
from support.pki import Holder, Pki, make_pki
from support.receivers.as4 import RECEIVER, AccessPoint

from invoiceapp.domain.identifiers import CVR, Participant
from invoiceapp.domain.network import Identifier, Network
from invoiceapp.gateways.as4.wss import Identity
from invoiceapp.gateways.base import Consignment, Payload, Receipt
from invoiceapp.gateways.nemhandel import NemHandelTransport

Config = dict[str, Any]
#: As a registration of NemHandel may spell it.
PROCESS = Identifier("cenbii-procid-ubl", "oioubl-procid-ubl::urn:www.nesubl.eu:profiles:profile5:ver2.0")
INVOICE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">'
    b"\n  <ID>2026-17</ID><Note>\xc3\xa6\xc3\xb8\xc3\xa5</Note>\n</Invoice>\n"
)


@pytest.fixture(scope="session")
def oces() -> Pki:
    """The Danish state's: its authorities sign with RSASSA-PSS."""
    return make_pki("OCES", is_pss=True)


@pytest.fixture(scope="session")
def ours(oces: Pki) -> Holder:
    return oces.holder("Nordlys faktura", organization_identifier="NTRDK-12345674")


@pytest.fixture(scope="session")
def theirs(oces: Pki) -> Holder:
    return oces.holder("Fjordby modtager", organization_identifier="NTRDK-87654321")


@pytest.fixture(scope="session")
def listening(ours: Holder, theirs: Holder) -> Iterator[AccessPoint]:
    one = AccessPoint()
    one.identity, one.trusted = Identity(theirs.certificate, theirs.key), {ours.certificate}
    one.checks_party = False
    yield one
    one.close()


@pytest.fixture
def access_point(listening: AccessPoint) -> AccessPoint:
    """As new."""
    listening.respond = listening.take
    listening.taken.clear()
    listening.requests.clear()
    return listening


@pytest.fixture
def config(oces: Pki, ours: Holder) -> Config:
    return {
        "own_certificate": ours.pem, "own_key": ours.key_pem, "anchors": oces.root_pem + oces.intermediate_pem,
        "revocation": "off", "country": "DK", "connections": 2, "party": "cvr", "signature_version": None,
    }  # fmt: skip


@pytest.fixture
def addressed(access_point: AccessPoint, consignment: Callable[..., Consignment]) -> Callable[..., Consignment]:
    """Makes a consignment to the access point; keyword arguments replace its fields."""

    def make(**changes: Any) -> Consignment:
        known = {
            "companions": (), "sender": Participant(CVR, "12345674"), "receiver": RECEIVER, "format": "oioubl-2.1",
            "payload": Payload(INVOICE, "invoice.xml", "application/xml"),
            "endpoint": access_point.endpoint(Network.NEMHANDEL, process=PROCESS),
        }  # fmt: skip
        return consignment(**known | changes)

    return make


@pytest.fixture
def send(config: Config) -> Callable[..., Receipt]:
    """Sends with the configuration; keyword arguments replace settings."""

    def run(consignment: Consignment, **settings: Any) -> Receipt:
        with NemHandelTransport(config | settings, LOOPBACK) as transport:
            return transport.send(consignment)

    return run
