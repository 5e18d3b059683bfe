"""Registers with a population that a test decides: who is listed where, and which registers keep silent."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from invoiceapp.discovery.base import SMP_OF, Answer, CouldNotAsk, Offer, Register, Registered
from invoiceapp.domain.findings import Text
from invoiceapp.domain.identifiers import Participant
from invoiceapp.domain.network import SERVICES, Network, Service
from invoiceapp.services.reach import lookups

SILENCE = Text("Registret svarer ikke.", "The register does not answer.")
OIOUBL = (Offer(Network.NEMHANDEL, profile="urn:www.nesubl.eu:profiles:profile5:ver2.0"),)
BIS = tuple(Offer(Network.PEPPOL, service.document_id) for service in SERVICES if service.network is Network.PEPPOL)


def participant(text: str) -> Participant:
    scheme, _, value = text.partition(":")
    return Participant(scheme, value)


@dataclass
class Population:
    """What is registered. ``asked`` holds each question that went out, as ``company 12345674``."""

    companies: dict[str, tuple[str, list[Registered]]] = field(default_factory=dict)
    networks: dict[tuple[Network, str], Registered] = field(default_factory=dict)
    names: dict[str, list[Registered]] = field(default_factory=dict)
    silent: set[Register] = field(default_factory=set)
    silent_about: set[str] = field(default_factory=set)
    """Addresses about which no register answers"""
    asked: list[str] = field(default_factory=list)
    latency: float = 0.0
    lock: Any = field(default_factory=threading.Lock)

    def register(self, cvr: str, name: str, *addresses: str, offers: tuple[Offer, ...] = OIOUBL) -> None:
        """A company in NemHandelsregisteret and the addresses under it."""
        self.companies.setdefault(cvr, (name, []))[1].extend(
            Registered(participant(one), name, cvr, "DK", offers) for one in addresses
        )

    def register_at(self, network: Network, address: str, offers: tuple[Offer, ...] = BIS) -> None:
        """In a network only."""
        self.networks[network, address] = Registered(participant(address), offers=offers)

    def forget(self, address: str) -> None:
        """It is registered no more."""
        for _, listed in self.companies.values():
            listed[:] = [one for one in listed if str(one.participant) != address]

    def note(self, register: Register, question: str) -> None:
        if self.latency:
            time.sleep(self.latency)
        with self.lock:
            self.asked.append(question)
        if register in self.silent or question.partition(" ")[2] in self.silent_about:
            raise CouldNotAsk(SILENCE, "silent")


class Directory:
    """What stands in for ``Discovery``."""

    def __init__(self, population: Population) -> None:
        self.population = population

    def company(self, cvr: str) -> Answer:
        self.population.note(Register.NEMHANDELSREGISTERET, f"company {cvr}")
        name, listed = self.population.companies.get(cvr, (None, []))
        return _answer(Register.NEMHANDELSREGISTERET, cvr, listed, name)

    def receiver(self, who: Participant) -> Answer:
        self.population.note(Register.NEMHANDELSREGISTERET, f"receiver {who}")
        everybody = (one for _, listed in self.population.companies.values() for one in listed)
        return _answer(Register.NEMHANDELSREGISTERET, str(who), [one for one in everybody if one.participant == who])

    def registration(self, network: Network, who: Participant) -> Answer:
        self.population.note(SMP_OF[network], f"{network} {who}")
        found = self.population.networks.get((network, str(who)))
        return _answer(SMP_OF[network], str(who), [found] if found else [])

    def endpoint(self, network: Network, who: Participant, service: Service) -> tuple[None, Answer]:
        """Nobody has a signed registration."""
        self.population.note(SMP_OF[network], f"endpoint {who}")
        return None, _answer(SMP_OF[network], str(who), [])

    def named(self, name: str, country: str | None = None) -> Answer:
        self.population.note(Register.DIRECTORY, f"named {name}")
        return _answer(Register.DIRECTORY, name, self.population.names.get(name, []))

    def close(self) -> None:
        pass


def _answer(register: Register, question: str, found: list[Registered], name: str | None = None) -> Answer:
    return Answer(register, question, datetime.now(UTC), tuple(found), name)


def install(monkeypatch: pytest.MonkeyPatch) -> Population:
    """The registers of a test, instead of those out there."""
    population = Population()
    monkeypatch.setattr(lookups, "Discovery", lambda settings, guard: Directory(population))
    return population
