"""A consignment as the delivery machine hands it over, and a proxy that breaks connections."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.fault_proxy import Fault, FaultProxy, Harm, always
from support.raw_partner import RawPartner

from invoiceapp.gateways.base import Consignment, Payload

XML = b'<?xml version="1.0"?>\n<Invoice>' + b"<Line/>" * 2_000 + b"\n.\n.hidden dots\n</Invoice>\n"
PDF = b"%PDF-1.7 " + bytes(range(256)) * 20


@pytest.fixture
def consignment() -> Callable[..., Consignment]:
    """Makes a consignment; keyword arguments replace its fields."""

    def make(**changes: Any) -> Consignment:
        return replace(
            Consignment(
                key="mfrggzdfmztwq2lkmfrggzdfmztwq2lkmfrggzdfmztwq2lkabcd",
                payload=Payload(XML, "invoice.xml", "application/xml; charset=utf-8"),
                companions=(Payload(PDF, "faktura.pdf", "application/pdf"),),
                format="peppol-bis-3",
                document_no="2026-17",
                sender_name="Ærø Brød ApS",
                receiver_name="Kunde A/S",
                receiver_email="kreditor@kunde.example",
            ),
            **changes,
        )

    return make


@pytest.fixture
def proxy() -> Iterator[Callable[..., FaultProxy]]:
    """Makes proxies: ``proxy(target_port, limit, stall=False)`` resets, or falls silent, after so many bytes of the client's."""
    with contextlib.ExitStack() as stack:

        def make(target: int, limit: int, *, stall: bool = False) -> FaultProxy:
            fault = Fault(Harm.STALL if stall else Harm.RESET, limit)
            return stack.enter_context(FaultProxy(target, always(fault)))

        yield make


@pytest.fixture
def react() -> Iterator[Callable[[Callable[[socket.socket], None]], RawPartner]]:
    """Starts raw partners: ``react(lambda client: client.sendall(…))``."""
    made: list[RawPartner] = []

    def start(reaction: Callable[[socket.socket], None]) -> RawPartner:
        made.append(RawPartner(reaction))
        return made[-1]

    yield start
    for one in made:
        one.close()
