"""An eCourier on loopback, gateways to it, and consignments that name themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.outbound import LOOPBACK

from invoiceapp.demo.partners.ecourier_api import DEMO_TOKEN, ECourierApi
from invoiceapp.demo.partners.provider_account import ProviderAccount
from invoiceapp.domain.identifiers import CVR, GLN, Participant
from invoiceapp.gateways.base import Consignment, Payload
from invoiceapp.gateways.ecourier import ECourierTransport

_UBL = """<?xml version="1.0"?>
<{root} xmlns="urn:oasis:names:specification:ubl:schema:xsd:{root}-2"
  xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
  xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <!-- what a number is read from -->
  <cbc:ID>{number}</cbc:ID>{uuid}<cbc:IssueDate>{issued}</cbc:IssueDate>
  <cac:AccountingSupplierParty><cac:Party><cbc:EndpointID schemeID="0184">{seller}</cbc:EndpointID></cac:Party>
  </cac:AccountingSupplierParty>
  <cac:AccountingCustomerParty><cac:Party><cbc:EndpointID schemeID="0088">{buyer}</cbc:EndpointID></cac:Party>
  </cac:AccountingCustomerParty>
  <cac:InvoiceLine><cbc:ID>1</cbc:ID></cac:InvoiceLine>
</{root}>"""


@pytest.fixture
def ubl() -> Callable[..., bytes]:
    """A small document; keyword arguments change what names it."""

    def make(**changes: str) -> bytes:
        values = {
            "root": "Invoice", "number": "2026-17", "issued": "2026-11-02", "seller": "12345674", "buyer": "5798000000001",
            "uuid": "", **changes,
        }  # fmt: skip
        if values["uuid"]:
            values["uuid"] = f"<cbc:UUID>{values['uuid']}</cbc:UUID>"
        return _UBL.format(**values).encode()

    return make


@pytest.fixture
def invoice(consignment: Callable[..., Consignment], ubl: Callable[..., bytes]) -> Callable[..., Consignment]:
    """A consignment of such a document; keyword arguments replace its fields."""

    def make(content: bytes | None = None, **changes: Any) -> Consignment:
        payload = Payload(content or ubl(), "invoice.xml", "application/xml")
        known = {
            "payload": payload,
            "sender": Participant(CVR, "12345674"),
            "receiver": Participant(GLN, "5798000000001"),
        }
        return consignment(**known | changes)

    return make


@pytest.fixture(scope="session")
def running() -> Iterator[ECourierApi]:
    api = ECourierApi()
    yield api
    api.close()


@pytest.fixture
def ecourier(running: ECourierApi) -> ECourierApi:
    """With an empty account and no faults."""
    running.account = ProviderAccount(running.account.course)
    running.calls.clear()
    running.taken.clear()
    running.invalid, running.instead, running.drop_answer = [], None, False
    running.shows_numbers = True
    return running


@pytest.fixture
def opened(ecourier: ECourierApi) -> Iterator[Callable[..., ECourierTransport]]:
    """Opens transports; keyword arguments change the settings."""
    with contextlib.ExitStack() as stack:

        def make(**changes: Any) -> ECourierTransport:
            config = {"base_url": ecourier.base_url, "token": DEMO_TOKEN, "answer_hours": 48, **changes}
            return stack.enter_context(ECourierTransport(config, LOOPBACK))

        yield make
