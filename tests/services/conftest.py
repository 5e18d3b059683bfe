"""A partner that does what a test says, deliveries ready to leave, and a small stand-in Billy."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Any, ClassVar

import pytest

from invoiceapp.demo.billy.company import Company, demo_company
from invoiceapp.demo.billy.server import Server, serve
from invoiceapp.domain.delivery import DeliveryState, Replay
from invoiceapp.domain.fields import Field
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import CheckStep, Consignment, Receipt, Transport, registry
from invoiceapp.models import Adaptor, Delivery, Gateway, Rendition, db, new_id
from invoiceapp.services.configuration import customer_reading, sources
from invoiceapp.services.export import archive
from invoiceapp.sources.billy import client as billy_client

WORDS = Text("Partneren sagde nej.", "The partner said no.")

Outcome = Receipt | Exception | Callable[[Consignment], Receipt]


class Partner(Transport):
    """A transport without a wire. ``outcomes`` are used up in order; then every file is received."""

    kind: ClassVar[str] = "fake"
    label: ClassVar[Text] = Text("Test", "Test")
    description: ClassVar[Text] = Text("Test", "Test")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("host", Text("Server", "Server"), required=True),
        Field("password", Text("Adgangskode", "Password"), secret=True),
    )

    outcomes: ClassVar[list[Outcome]] = []
    sent: ClassVar[list[Consignment]] = []
    replays: ClassVar[Replay] = Replay.SAFE
    proves_arrival: ClassVar[bool] = True

    @property
    def replay(self) -> Replay:
        return self.replays

    def wire_ids(self, consignment: Consignment) -> dict[str, str]:
        return {"name": f"{consignment.key}.xml"}

    def check(self) -> list[CheckStep]:
        return []

    def send(self, consignment: Consignment) -> Receipt:
        self.sent.append(consignment)
        outcome = self.outcomes.pop(0) if self.outcomes else self.received(consignment)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Receipt) else outcome(consignment)

    @classmethod
    def received(cls, consignment: Consignment) -> Receipt:
        evidence = {"sha256": consignment.payload.sha256}
        return Receipt(f"{consignment.key}.xml", evidence, proves_arrival=cls.proves_arrival)


@pytest.fixture
def has_pages() -> bool:
    """Services know no pages."""
    return False


@pytest.fixture
def partner(monkeypatch: pytest.MonkeyPatch) -> type[Partner]:
    """The partner behind gateways of kind ``fake``, with a clean memory."""
    for name, value in (("outcomes", []), ("sent", []), ("replays", Replay.SAFE), ("proves_arrival", True)):
        monkeypatch.setattr(Partner, name, value)
    monkeypatch.setitem(registry(), "fake", Partner)
    return Partner


@pytest.fixture
def gateway(gateway: Gateway, partner: type[Partner]) -> Gateway:
    """The usual gateway, to the fake partner."""
    gateway.kind, gateway.config = "fake", {"host": "partner.example"}
    db.session.commit()
    return gateway


@pytest.fixture
def ready(make_customer: Any, make_document: Any, make_delivery: Any) -> Callable[..., Delivery]:
    """``ready(number, **delivery columns)``: a pending delivery with its bytes in the archive."""
    customers: list[Any] = []

    def make(number: str = "1001", state: DeliveryState = DeliveryState.PENDING, **columns: Any) -> Delivery:
        customers[:] = customers or [make_customer()]
        document = make_document(customers[0], number)
        content = f"<Invoice>{number}</Invoice>".encode()
        rendition = Rendition(
            id=new_id(), subscription_id=document.subscription_id, document_id=document.id, format="peppol-bis-3",
            sha256=archive.store(content), size=len(content), media_type="application/xml",
            filename=f"invoice-{number}.xml", sender="0184:12345674", receiver="0088:5798000000001",
        )  # fmt: skip
        db.session.add(rendition)
        db.session.commit()
        delivery: Delivery = make_delivery(document, state, rendition_id=rendition.id, **columns)
        return delivery

    return make


@pytest.fixture(scope="session")
def company() -> Company:
    return demo_company(date(2026, 11, 22))


def smaller(company: Company, count: int) -> Company:
    """The first ``count`` documents of the books, with everything they need."""
    invoices = dict(islice(company.tables["invoices"].items(), count))
    lines = {key: line for key, line in company.tables["invoiceLines"].items() if line["invoiceId"] in invoices}
    return dataclasses.replace(company, tables=company.tables | {"invoices": invoices, "invoiceLines": lines})


@pytest.fixture
def billy(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A stand-in Billy with 60 documents. Our client does not wait between tries."""
    defaults = dict(billy_client.BillyClient.__init__.__kwdefaults__) | {"sleep": lambda _seconds: None}
    monkeypatch.setattr(billy_client.BillyClient.__init__, "__kwdefaults__", defaults)
    with serve("127.0.0.1", 0, smaller(company, 60)) as server:
        yield server


@pytest.fixture
def connected(billy: Server, adaptor: Adaptor) -> Adaptor:
    """The adaptor, connected to the stand-in, with a VAT category for every rate that needs one."""
    adaptor.organization = None
    db.session.commit()
    sources.connect(adaptor.id, {"token": "demo-token", "base_url": billy.url})
    customer_reading.refresh_customers(adaptor.id)
    db.session.commit()
    return adaptor


@pytest.fixture
def second_key() -> str:
    return "k2:" + base64.b64encode(bytes(range(32, 64))).decode()
