"""Documents that were sent to a mailbox, answers that come back, and a partner that posts receipts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from support.answers import OURS, THEIRS

from invoiceapp.domain.delivery import DeliveryState
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.base import Incoming, LaterReceipt, TransportError, Unreadable, Verdict, registry
from invoiceapp.models import (
    Attempt,
    Delivery,
    Event,
    Gateway,
    IncomingMessage,
    NumberedInterchange,
    Receipt,
    Rendition,
    db,
)
from invoiceapp.services.receipts import matching, storing

S = DeliveryState


@pytest.fixture
def sent(ready: Callable[..., Delivery]) -> Callable[..., Delivery]:
    """``sent(number, state, reference="17", tries=1)``: a delivery from our mailbox to the partner's, with its attempts."""

    def make(
        number: str = "1001",
        state: DeliveryState = S.ACCEPTED,
        *,
        reference: str = "17",
        tries: int = 1,
        **columns: Any,
    ) -> Delivery:
        delivery = ready(number, state, next_at=None, fence=tries, tries=tries, **columns)
        interchange = NumberedInterchange(
            subscription_id=delivery.subscription_id, document_id=delivery.document_id, sender=OURS, receiver=THEIRS,
            number=int(reference), fingerprint=number.rjust(64, "0"), instance_id=number.rjust(36, "0"),
        )  # fmt: skip
        db.session.add(interchange)
        db.session.flush()
        db.session.get_one(Rendition, delivery.rendition_id).interchange_id = interchange.id
        for try_number in range(1, tries + 1):
            wire_ids = {"name": f"{delivery.idem_key}.xml", "interchange": reference}
            db.session.add(Attempt(delivery_id=delivery.id, number=try_number, fence=try_number, wire_ids=wire_ids))
        db.session.commit()
        return delivery

    return make


@pytest.fixture
def arrive(gateway: Gateway) -> Callable[..., IncomingMessage]:
    """``arrive(content, headers={}, name="svar.edi", at=gateway)``: a message that is kept and matched, as it is then."""

    def come(
        content: bytes, headers: Mapping[str, str] | None = None, name: str = "svar.edi", at: Gateway | None = None
    ) -> Any:
        message_id = storing.keep(at or gateway, Incoming(name, content, headers or {})).id
        matching.match(message_id)
        return db.session.get_one(IncomingMessage, message_id, populate_existing=True)

    return come


@dataclass
class Left:
    """What lies beside a delivery."""

    state: DeliveryState
    kinds: list[str]
    """Of its receipts, oldest first"""
    events: list[str]


@pytest.fixture
def left() -> Callable[[Delivery], Left]:
    """The delivery as it is now, its receipts and its events."""

    def look(delivery: Delivery) -> Left:
        db.session.rollback()
        row = db.session.get_one(Delivery, delivery.id, populate_existing=True)
        receipts = db.session.query(Receipt).filter_by(delivery_id=row.id).order_by(Receipt.id)
        events = db.session.query(Event).filter_by(delivery_id=row.id).order_by(Event.id)
        return Left(row.state, [one.kind for one in receipts], [one.kind for one in events])

    return look


@pytest.fixture
def posting(partner: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The fake partner posts receipts: ``<key> <verdict>``; with ``forged`` behind, another one does."""

    class Posting(partner):  # type: ignore[misc]
        receives: ClassVar[bool] = True
        header_names: ClassVar[frozenset[str]] = frozenset({"as2-"})

        def key_of(self, incoming: Incoming) -> str | None:
            if not incoming.content.isascii():
                raise Unreadable(Text("Ulæselig.", "Unreadable."))
            return incoming.content.decode().split()[0]

        def read(self, incoming: Incoming, wire_ids: Mapping[str, str]) -> LaterReceipt:
            key, verdict, *rest = incoming.content.decode().split()
            if rest or wire_ids.get("name") != f"{key}.xml":
                raise Unreadable(Text("Signaturen passer ikke.", "The signature does not fit."))
            text = Text("Kan ikke dekrypteres.", "Cannot be decrypted.") if verdict == "rejected" else None
            return LaterReceipt(Verdict(verdict), f"<{key}@partner>", {"mic": "ok"}, text)

    monkeypatch.setitem(registry(), "fake", Posting)
    yield Posting


@pytest.fixture
def fetching(partner: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fake partner lays files out: ``shelf`` by name; put an error in ``fails`` to have it raised."""

    class Fetching(partner):  # type: ignore[misc]
        fetches: ClassVar[bool] = True
        shelf: ClassVar[dict[str, bytes]] = {}
        fails: ClassVar[list[TransportError | Exception]] = []
        looks: ClassVar[list[str]] = []
        stays: ClassVar[bool] = False

        def fetch(self) -> Iterator[Incoming]:
            assert not db.session().in_transaction(), "no transaction may be open while the partner is asked"
            self.looks.append(self.config["host"])
            if self.fails:
                raise self.fails.pop(0)
            for name, content in sorted(self.shelf.items()):
                yield Incoming(name, content)

        def done(self, incoming: Incoming) -> None:
            assert not db.session().in_transaction(), "no transaction may be open while the partner is asked"
            assert db.session.query(IncomingMessage).filter_by(name=incoming.name).count(), (
                "taken away before it was kept"
            )
            db.session.rollback()
            if not self.stays:
                del self.shelf[incoming.name]

    monkeypatch.setitem(registry(), "fake", Fetching)
    return Fetching
