"""Registers without a wire: they say what a test tells them, and count the questions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from invoiceapp.discovery.base import SMP_OF, Answer, CouldNotAsk, Exchange, Offer, Register, Registered
from invoiceapp.discovery.client import Discovery
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import AS4_PROFILE, Identifier, Network, ReceivingEndpoint, Service

SILENT = CouldNotAsk(Text("Registret svarer ikke.", "The register does not answer."), "timeout")
CVR = Participant("0184", "12345674")
GLN = Participant("0088", "5798000000001")


def registered(participant: Participant, name: str = "Kunde A/S", *profiles: str, network: Network = Network.NEMHANDEL) -> Registered:  # fmt: skip
    offers = tuple(Offer(network, profile=profile) for profile in profiles)
    return Registered(participant, name, "12345674", "DK", offers)


def endpoint_of(network: Network, participant: Participant, service: Service, **changes: Any) -> ReceivingEndpoint:
    values: dict[str, Any] = {
        "network": network, "participant": participant, "document_id": service.document_id,
        "process": Identifier("cenbii-procid-ubl", service.processes[0]), "transport_profile": AS4_PROFILE,
        "url": "https://ap.example/as4", "certificate": "PEM", "asked_at": datetime.now(UTC),
    }  # fmt: skip
    return ReceivingEndpoint(**values | changes)


@dataclass
class Registers:
    """What they say by question; a ``CouldNotAsk`` is raised. What nobody told them is not registered."""

    said: dict[Any, Any] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    company_names: dict[str, str] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)
    opened: int = 0
    closed: int = 0

    def answer(self, register: Register, question: Any, key: Any) -> Answer:
        with self.lock:
            self.asked.append(key)
        said = self.said.get(key, ())
        if isinstance(said, Exception):
            raise said
        exchange = Exchange(f"GET {question}", datetime.now(UTC), "200", f"{register} {question}".encode())
        return Answer(
            register, str(question), datetime.now(UTC), tuple(said), self.company_names.get(str(question)), (exchange,)
        )


def install(monkeypatch: pytest.MonkeyPatch) -> Registers:
    """Put them in the place of ``Discovery``."""
    registers = Registers()

    def company(self: Discovery, cvr: str) -> Answer:
        return registers.answer(Register.NEMHANDELSREGISTERET, cvr, cvr)

    def receiver(self: Discovery, participant: Participant) -> Answer:
        return registers.answer(Register.NEMHANDELSREGISTERET, participant, participant)

    def registration(self: Discovery, network: Network, participant: Participant) -> Answer:
        return registers.answer(SMP_OF[network], participant, (network, participant))

    def endpoint(self: Discovery, network: Network, participant: Participant, service: Service) -> Any:
        key = (network, participant, service.document_type)
        found = registers.said.get(key)
        if isinstance(found, ReceivingEndpoint):
            with registers.lock:
                registers.asked.append(key)
            return found, Answer(SMP_OF[network], str(participant), datetime.now(UTC), (registered(participant),))
        return None, registers.answer(SMP_OF[network], participant, key)

    def named(self: Discovery, name: str, country: str | None = None) -> Answer:
        return registers.answer(Register.DIRECTORY, name, name)

    def begin(self: Discovery, *_: Any) -> None:
        registers.opened += 1

    def close(self: Discovery) -> None:
        registers.closed += 1

    replaced: dict[str, Callable[..., Any]] = {
        "company": company, "receiver": receiver, "registration": registration, "endpoint": endpoint, "named": named,
        "__init__": begin, "close": close,
    }  # fmt: skip
    for name, function in replaced.items():
        monkeypatch.setattr(Discovery, name, function)
    return registers
